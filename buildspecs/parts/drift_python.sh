# Functions: Ansible for the builds that look for drift in the account, and what the playbook tells the pipeline.
# shellcheck shell=dash

export ANSIBLE_COLLECTIONS_PATH="$CODEBUILD_SRC_DIR/collections" ANSIBLE_NOCOLOR=1
export ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_INVENTORY_UNPARSED_WARNING=false LC_ALL=C.UTF-8
ANSIBLE_HOME=$(mktemp -d) && ANSIBLE_CONFIG=$ANSIBLE_HOME/ansible.cfg && : > "$ANSIBLE_CONFIG"
export ANSIBLE_HOME ANSIBLE_CONFIG

# Ansible and the AWS SDK, unless the image has them.
provide_ansible() {
  command -v ansible-playbook > /dev/null && return
  for python in python3.13 python3.12 python3.11 python3; do
    command -v "$python" > /dev/null &&
      "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' &&
      "$python" -m venv "$ANSIBLE_HOME/venv" &&
      "$ANSIBLE_HOME/venv/bin/pip" install --quiet --disable-pip-version-check \
        ansible-core==2.19.14 boto3==1.43.106 botocore==1.43.106 jmespath==1.1.0 &&
      PATH=$ANSIBLE_HOME/venv/bin:$PATH && return
  done
  echo 'There is no ansible-playbook, and no Python 3.11 or newer to install it with. Fix: another image in drift.image' >&2
  return 1
}

# A value that the playbook has written for the pipeline: one line of a file, and never a command.
#   told NAME
told() { sed -n "s/^$1=//p" "$CODEBUILD_SRC_DIR/.made/exports"; }

# End of functions.
