#!/bin/sh
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Prints the path of the newest Python that works; PYTHON names one to use instead.
# Each candidate is run, as a shim of a version manager may be on PATH without a Python behind it.

works='import sys, venv; print(sys.executable) if sys.version_info >= (3, 11) else sys.exit(1)'

if [ -n "${PYTHON:-}" ]; then
    "$PYTHON" -c "$works" && exit 0
    echo "PYTHON=$PYTHON does not run, or is older than 3.11." >&2
    exit 1
fi
for candidate in python3.13 python3.12 python3.11 python3 python; do
    "$candidate" -c "$works" 2>/dev/null && exit 0
done
echo "No Python 3.11 or newer that works was found on PATH; install one, or name it: make PYTHON=/path/to/python3" >&2
exit 1
