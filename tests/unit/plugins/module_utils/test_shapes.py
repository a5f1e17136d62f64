# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between snake_case and AWS's names, by botocore's service models."""

from __future__ import annotations

import boto3
import pytest

from ansible_collections.gitops.aws.plugins.module_utils._shapes import from_response, input_shape, to_request

CLIENTS = {
    service: boto3.client(service, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
    for service in ("codebuild", "codepipeline")
}
PROJECT = input_shape(CLIENTS["codebuild"], "CreateProject")
PIPELINE = input_shape(CLIENTS["codepipeline"], "CreatePipeline").members["pipeline"]

SNAKE = {
    "name": "p",
    "artifact_stores": {"eu-central-1": {"type": "S3", "location": "b", "encryption_key": {"id": "k", "type": "KMS"}}},
    "stages": [
        {
            "name": "S",
            "actions": [
                {
                    "name": "A",
                    "action_type_id": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
                    "configuration": {"ProjectName": "x", "some_key": "y", "someKey": "z", "URL": "u"},
                    "timeout_in_minutes": 5,
                }
            ],
        }
    ],
}
CAMEL = {
    "name": "p",
    "artifactStores": {"eu-central-1": {"type": "S3", "location": "b", "encryptionKey": {"id": "k", "type": "KMS"}}},
    "stages": [
        {
            "name": "S",
            "actions": [
                {
                    "name": "A",
                    "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
                    "configuration": {"ProjectName": "x", "some_key": "y", "someKey": "z", "URL": "u"},
                    "timeoutInMinutes": 5,
                }
            ],
        }
    ],
}


def test_there_and_back_with_maps_of_users_untouched() -> None:
    assert to_request(PIPELINE, SNAKE) == CAMEL
    assert from_response(PIPELINE, CAMEL) == SNAKE


def test_unset_members_are_left_out() -> None:
    assert to_request(PROJECT, {"name": "p", "description": None, "source": {"type": "S3", "location": None}}) == {
        "name": "p",
        "source": {"type": "S3"},
    }


def test_false_zero_and_empty_are_not_unset() -> None:
    given = {"badge_enabled": False, "auto_retry_limit": 0, "description": "", "vpc_config": {}, "tags": []}

    assert to_request(PROJECT, given) == {
        "badgeEnabled": False,
        "autoRetryLimit": 0,
        "description": "",
        "vpcConfig": {},
        "tags": [],
    }


def test_names_with_capitals_inside() -> None:
    compute = {"environment": {"compute_configuration": {"v_cpu": 2}}}

    assert to_request(PROJECT, compute) == {"environment": {"computeConfiguration": {"vCpu": 2}}}


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(KeyError, match="colour"):
        to_request(PROJECT, {"colour": "red"})


def test_unknown_answers_are_dropped() -> None:
    assert from_response(PROJECT, {"name": "p", "arn": "a", "created": 1}) == {"name": "p"}
