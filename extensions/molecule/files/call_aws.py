# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls AWS as anybody may, with nothing of this collection: a list of {service, operation, arguments} on stdin.

Operations and arguments are written as boto3 takes them. Prints the list of answers.
"""

from __future__ import annotations

import json
import sys

import boto3

answers = []
for call in json.load(sys.stdin):
    operation = getattr(boto3.client(call["service"]), call["operation"])
    answer = operation(**call.get("arguments", {}))
    answer.pop("ResponseMetadata", None)
    answers.append(answer)
print(json.dumps(answers, default=str))
