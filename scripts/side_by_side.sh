#!/bin/sh
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Runs of pytest at the same time, for tests that wait more than they compute and have an AWS of their own.
#
#   side_by_side.sh NAME "arguments of one" "arguments of another" ...
#
# What each says is in .work/NAME-1.log and so on, and shown when all have ended.
set -u
name=$1
shift
mkdir -p .work
number=0
pids=
for arguments; do
	number=$((number + 1))
	# shellcheck disable=SC2086 # each is a list of arguments
	pytest $arguments > ".work/$name-$number.log" 2>&1 &
	pids="$pids $!"
done
code=0
for pid in $pids; do
	wait "$pid" || code=1
done
while [ "$number" -gt 0 ]; do
	cat ".work/$name-$number.log"
	number=$((number - 1))
done
exit $code
