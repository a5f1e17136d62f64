# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bulk modules' documentation is true: examples and samples are what the modules take and give."""

from __future__ import annotations

import importlib
import json
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec

from ansible_collections.gitops.aws.plugins.module_utils._engine import common_options

MODULES = {
    "chatbot_slack_channels": "slack_channels",
    "cloudwatch_alarms": "alarms",
    "codebuild_projects": "projects",
    "codeconnections": "connections",
    "codepipelines": "pipelines",
    "codestar_notification_rules": "notification_rules",
    "dynamodb_tables": "tables",
    "eventbridge_api_destinations": "api_destinations",
    "eventbridge_connections": "connections",
    "eventbridge_rules": "rules",
    "iam_policies": "policies",
    "iam_roles": "roles",
    "kms_keys": "kms_keys",
    "log_groups": "log_groups",
    "s3_buckets": "buckets",
    "scheduler_schedules": "schedules",
    "sns_topics": "topics",
    "sqs_queues": "queues",
    "ssm_parameters": "parameters",
    "stepfunctions_state_machines": "state_machines",
}


@pytest.fixture(params=MODULES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def module(name: str) -> ModuleType:
    return importlib.import_module(f"ansible_collections.gitops.aws.plugins.modules.{name}")


def problems(module: ModuleType, plural: str, arguments: dict[str, Any]) -> list[str]:
    """What the module would say of these arguments."""
    spec = {**aws_argument_spec(), **common_options(plural, module.OPTIONS), **getattr(module, "MORE", {})}
    # As Ansible hands them over: what an anchor repeats is two things.
    given = json.loads(json.dumps(arguments))
    messages: list[str] = ArgumentSpecValidator(spec).validate(given).error_messages
    return messages


def test_examples_are_accepted(name: str, module: ModuleType) -> None:
    tasks = [task for task in yaml.safe_load(module.EXAMPLES) if f"gitops.aws.{name}" in task]

    assert tasks
    for task in tasks:
        assert problems(module, MODULES[name], task[f"gitops.aws.{name}"]) == [], task["name"]


def test_samples_can_be_fed_back(name: str, module: ModuleType) -> None:
    returned = yaml.safe_load(module.RETURN)

    assert set(returned) == {MODULES[name], "resources", "api_calls", "diff"}
    assert problems(module, MODULES[name], {MODULES[name]: returned[MODULES[name]]["sample"]}) == []


def test_check_of_examples_finds_a_wrong_one(name: str, module: ModuleType) -> None:
    assert problems(module, MODULES[name], {MODULES[name]: [{"unknown": 1}]})


def test_every_option_says_what_unset_means_or_has_a_default(name: str, module: ModuleType) -> None:
    item = yaml.safe_load(module.DOCUMENTATION)["options"][MODULES[name]]["suboptions"]
    silent = [
        option
        for option, documented in item.items()
        if not documented.get("required")
        and "default" not in documented
        and not any(word in " ".join(documented["description"]) for word in ("nset", "AWS's default", "needed"))
    ]

    assert silent in ([], ["host_arn"])
