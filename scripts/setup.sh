#!/bin/sh
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes .work/ ready. Returns at once when it is, so that every make target can call it.

set -eu
cd "$(dirname "$0")/.."

# Everything the result depends on: versions, how they are installed, where the clone is (a moved one has stale
# paths in its environment), and what the caller asked for.
key=$(cat requirements/dev.txt scripts/setup.* scripts/provide_*.py tf/.terraform.lock.hcl 2>/dev/null | cksum)
key="$key $PWD ${PYTHON:-} ${TF_MIRROR:-}"

ready() {
    [ -f .work/ready ] && [ "$(cat .work/ready)" = "$key" ] &&
        .work/venv/bin/python -c '' 2>/dev/null &&
        PATH="$PWD/.work/terraform:$PATH" command -v terraform >/dev/null
}
ready && exit 0

python=$(sh scripts/find_python.sh)
"$python" scripts/setup.py
printf '%s\n' "$key" >.work/ready
