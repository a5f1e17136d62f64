# Functions: Ansible for the builds that look for drift in the account, and what the playbook tells the pipeline.
# shellcheck shell=dash

export ANSIBLE_COLLECTIONS_PATH="$CODEBUILD_SRC_DIR/collections" ANSIBLE_NOCOLOR=1
export ANSIBLE_LOCALHOST_WARNING=false ANSIBLE_INVENTORY_UNPARSED_WARNING=false LC_ALL=C.UTF-8
ANSIBLE_HOME=$(mktemp -d) && ANSIBLE_CONFIG=$ANSIBLE_HOME/ansible.cfg && : > "$ANSIBLE_CONFIG"
export ANSIBLE_HOME ANSIBLE_CONFIG

# Ansible and the AWS SDK, unless the image has them: the files whose hashes are in the source, and none that runs code
# while it is installed.
provide_ansible() {
  command -v ansible-playbook > /dev/null && return
  locked=$ANSIBLE_COLLECTIONS_PATH/ansible_collections/gitops/aws/roles/drift/files/requirements.txt
  for python in python3.13 python3.12 python3.11 python3; do
    command -v "$python" > /dev/null || continue
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || continue
    if "$python" -m venv "$ANSIBLE_HOME/venv" &&
      "$ANSIBLE_HOME/venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
        --require-hashes --requirement "$locked"; then
      PATH=$ANSIBLE_HOME/venv/bin:$PATH && return
    fi
    echo "pip could not install Ansible with $python: what it says is above. Fix: let the build reach pypi.org or a" \
      'mirror of it (PIP_INDEX_URL), or name an image in drift.image that has ansible-playbook and boto3' >&2
    return 1
  done
  echo 'There is no ansible-playbook, and no Python 3.11 or newer to install it with. Fix: another image in drift.image' >&2
  return 1
}

# A value that the playbook has written for the pipeline: one line of a file, and never a command.
#   told NAME
told() { sed -n "s/^$1=//p" "$CODEBUILD_SRC_DIR/.made/exports"; }

# End of functions.
