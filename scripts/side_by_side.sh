#!/bin/sh
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Two runs of pytest at the same time, for tests that wait more than they compute and have an AWS of their own.
#
#   side_by_side.sh NAME "arguments of one" "arguments of the other"
#
# What the first says is in .work/NAME.log, and shown at the end.
set -u
mkdir -p .work
# shellcheck disable=SC2086 # each is a list of arguments
pytest $2 > ".work/$1.log" 2>&1 &
# shellcheck disable=SC2086
pytest $3
code=$?
wait $! || code=1
cat ".work/$1.log"
exit $code
