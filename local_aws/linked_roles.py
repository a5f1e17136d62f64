# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service-linked roles: a service makes its own in the account, for the first caller who needs it and may do that."""

from __future__ import annotations

import json

from ministack.core.responses import request_scope
from ministack.services import iam as iam_store

from local_aws.aws_json import Caller, authorize


def ensure(caller: Caller, name: str, service_principal: str) -> None:
    """Make a role such as AWSServiceRoleForAWSChatbot, unless it is there.

    Raises AwsError AccessDeniedException for a caller who would make it, and may not.
    """
    if iam_store._roles.get_scoped(caller.account_id, None, name):
        return
    path = f"/aws-service-role/{service_principal}/"
    arn = f"arn:aws:iam::{caller.account_id}:role{path}{name}"
    authorize(caller, "iam:CreateServiceLinkedRole", arn, {"iam:AWSServiceName": service_principal})
    trusted = {"Effect": "Allow", "Principal": {"Service": service_principal}, "Action": "sts:AssumeRole"}
    with request_scope(caller.account_id, caller.region):
        iam_store._roles[name] = {
            "RoleName": name,
            "Arn": arn,
            "RoleId": iam_store._gen_id("AROA"),
            "CreateDate": iam_store._now(),
            "Path": path,
            "AssumeRolePolicyDocument": json.dumps({"Version": "2012-10-17", "Statement": [trusted]}),
            "Description": "",
            "MaxSessionDuration": 3600,
            "AttachedPolicies": [],
            "InlinePolicies": {},
            "Tags": [],
        }
