#!/bin/sh
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs make targets one after the other, also after one has failed, and reports the time of each:
# sh scripts/run_parts.sh PART...

cd "$(dirname "$0")/.." || exit 1
failed=0
report=
start=$(date +%s)

for part in "$@"; do
    printf '\n== %s ==\n' "$part"
    begin=$(date +%s)
    if "${MAKE:-make}" --no-print-directory "$part"; then
        result=passed
    else
        result=FAILED
        failed=1
    fi
    report=$report$(printf '%-12s %-7s %5d s' "$part" "$result" "$(($(date +%s) - begin))")'
'
done

printf '\n%s%-20s %5d s\n' "$report" "total" "$(($(date +%s) - start))"
exit "$failed"
