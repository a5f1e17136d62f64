# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a state means by a name: each type that has one, and the attributes that states have it in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._findings import catalogue, classify
from ansible_collections.gitops.aws.plugins.module_utils._findings.inventory import Caller, resource_of
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Resource
from ansible_collections.gitops.aws.plugins.module_utils._findings.states import States

REGION, ACCOUNT = "eu-central-1", "111122223333"
CALLER = Caller(ACCOUNT, "aws", f"arn:aws:iam::{ACCOUNT}:user/ada")
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1111-22"
ALIAS = f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/app"

# The element that AWS gives, of what has the name `app`.
ELEMENTS: dict[str, dict[str, Any]] = {
    "aws_autoscaling_group": {"AutoScalingGroupName": "app", "AutoScalingGroupARN": "arn:aws:autoscaling:::group"},
    "aws_cloudwatch_event_rule": {"Name": "app", "Arn": "arn:aws:events:::rule"},
    "aws_cloudwatch_log_group": {"logGroupName": "app"},
    "aws_db_instance": {"DbiResourceId": "db-ABC", "DBInstanceIdentifier": "app", "DBInstanceArn": "arn:aws:rds:::db"},
    "aws_dynamodb_table": {"TableName": "app"},
    "aws_iam_instance_profile": {"InstanceProfileName": "app", "Arn": "arn:aws:iam:::profile", "Roles": []},
    "aws_iam_role": {"RoleName": "app", "Arn": "arn:aws:iam:::role", "Path": "/"},
    "aws_iam_user": {"UserName": "app", "Arn": "arn:aws:iam:::user"},
    "aws_key_pair": {"KeyName": "app"},
    "aws_kms_key": {"KeyId": "1111-22", "KeyArn": KEY, "aliases": ["alias/app", ALIAS]},
    "aws_lambda_function": {"FunctionName": "app", "FunctionArn": "arn:aws:lambda:::function"},
    "aws_launch_template": {"LaunchTemplateId": "lt-0123456789abcdef0", "LaunchTemplateName": "app"},
    "aws_s3_bucket": {"Name": "app", "BucketRegion": REGION},
    "aws_secretsmanager_secret": {"ARN": "arn:aws:secretsmanager:::secret", "Name": "app"},
}


def resource(kind: str) -> Resource:
    made = resource_of(catalogue.ALL[kind], ELEMENTS[kind], REGION, CALLER)
    assert made
    return made


def mentioned(kind: str, attributes: dict[str, Any]) -> str:
    """The verdict that a state with these attributes gives, and where it is named; '' where it says nothing."""
    states = States(wanted=catalogue.NAMED_BY)
    instances = [{"attributes": {"id": "x", **attributes}}]
    one = {"mode": "managed", "type": "aws_other", "name": "one", "provider": "p", "instances": instances}
    state = {"version": 4, "lineage": "l", "serial": 1, "resources": [one]}
    states.add("a.tfstate", json.dumps(state).encode())
    assert states.problems == []
    found = classify.mentioned(resource(kind), states)
    return found.verdict if found else ""


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("aws_autoscaling_group", {"autoscaling_group_name": "app"}),
        ("aws_autoscaling_group", {"autoscaling_groups": ["other", "app"]}),
        ("aws_cloudwatch_event_rule", {"rule": "app"}),
        ("aws_cloudwatch_log_group", {"log_group_name": "app"}),
        ("aws_cloudwatch_log_group", {"container_definitions": json.dumps([{"options": {"awslogs-group": "app"}}])}),
        ("aws_db_instance", {"db_instance_identifier": "app"}),
        ("aws_db_instance", {"replicate_source_db": "app"}),
        ("aws_dynamodb_table", {"table_name": "app"}),
        ("aws_iam_instance_profile", {"iam_instance_profile": "app"}),
        ("aws_iam_instance_profile", {"iam_instance_profile": [{"arn": "", "name": "app"}]}),
        ("aws_iam_role", {"role": "app"}),
        ("aws_iam_role", {"roles": ["app"]}),
        ("aws_iam_user", {"user": "app"}),
        ("aws_key_pair", {"key_name": "app"}),
        ("aws_kms_key", {"kms_master_key_id": "alias/app"}),
        ("aws_kms_key", {"rule": [{"by_default": [{"kms_master_key_id": "alias/app"}]}]}),
        ("aws_kms_key", {"kms_key_id": "alias/app"}),
        ("aws_kms_key", {"whatever": ALIAS}),
        ("aws_lambda_function", {"function_name": "app"}),
        ("aws_launch_template", {"launch_template": [{"name": "app", "version": "$Latest"}]}),
        ("aws_launch_template", {"launch_template_specification": [{"launch_template_name": "app"}]}),
        ("aws_s3_bucket", {"bucket": "app"}),
        ("aws_secretsmanager_secret", {"secret_id": "app"}),
    ],
)
def test_it_is_named(kind: str, attributes: dict[str, Any]) -> None:
    assert mentioned(kind, attributes) == "referenced"


@pytest.mark.parametrize("kind", ELEMENTS)
def test_any_other_attribute_means_something_else(kind: str) -> None:
    blocks = {"name": "app", "tags": {"Name": "app"}, "other": [{"name": "app"}], "description": "alias/app"}
    assert mentioned(kind, blocks) == ""


def test_a_tag_is_no_name() -> None:
    kind = catalogue.ALL["aws_launch_template"]
    element = {"LaunchTemplateId": "lt-0123456789abcdef0", "Tags": [{"Key": "Name", "Value": "app"}]}
    made = resource_of(kind, element, REGION, CALLER)
    assert made
    assert made.title == "app"
    assert made.names == ("lt-0123456789abcdef0",)
