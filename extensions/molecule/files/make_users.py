# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user who may do everything for each scenario: make_users.py ENDPOINT_URL

Prints a list of {scenario, UserName, AccessKeyId, SecretAccessKey}. Each has its own, so that the log of calls tells
the scenarios apart, which run side by side.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from local_aws.cli import put_user

POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

# The owner has no profile.
os.environ.pop("AWS_PROFILE", None)
scenarios = sorted(path.parent.name for path in Path(__file__).parents[1].glob("*/molecule.yml"))
users = [
    {"scenario": scenario, **put_user(sys.argv[1], f"my-{scenario.replace('_', '-')}", POLICY)}
    for scenario in scenarios
]
print(json.dumps(users))
