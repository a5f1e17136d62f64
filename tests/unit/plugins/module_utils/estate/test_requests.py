# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the filters render is what the modules take, and what AWS takes from those: by botocore's service models."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from botocore.validate import ParamValidator

from ansible_collections.gitops.aws.plugins.module_utils import _engine
from ansible_collections.gitops.aws.plugins.module_utils._estate.parameters import stack_parameters
from ansible_collections.gitops.aws.plugins.module_utils._estate.pipelines import (
    source_rules,
    stack_pipelines,
    stack_projects,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import stack_roles
from ansible_collections.gitops.aws.plugins.module_utils._kinds import (
    codebuild_project,
    codepipeline,
    eventbridge_rule,
    iam_role,
    ssm_parameter,
)

Make = Callable[..., dict[str, Any]]

REGION = "eu-central-1"
BOUNDARY = "arn:aws:iam::111122223333:policy/boundary"

STACKS: dict[str, dict[str, Any]] = {
    "least": {},
    "most": {
        "branch": "release",
        "path": "stacks/network",
        "approval": False,
        "image": "acme/terraform:1.12.0",
        "compute_type": "BUILD_GENERAL1_LARGE",
        "timeout_in_minutes": 480,
        "variables": {"empty": "", "list": [1, "a"], "null": None},
        "plan_permissions": [{"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}],
        "apply_permissions": [{"Effect": "Allow", "Action": ["ec2:*"], "Resource": ["*"]}],
        "plan_managed_policies": ["arn:aws:iam::aws:policy/ReadOnlyAccess"],
        "tags": {"cost center": 4711},
    },
    "quiet": {"trigger": False},
    "parameter_store": {"credentials": "parameter_store", "access_keys_csv": "/keys.csv"},
    "assume_role": {"credentials": "assume_role", "assume_role_arn": "arn:aws:iam::444455556666:role/x"},
    "longest": {"name": "n" * 48, "repository": f"{'o' * 39}/{'r' * 100}", "branch": "b" * 255, "path": "p" * 250},
    "codecommit": {"source": "codecommit", "repository": "infrastructure"},
    "s3": {"source": "s3", "repository": None, "source_bucket": "b" * 63, "source_key": "k" * 250, "name": "n" * 48},
}


@pytest.fixture(scope="module")
def connected() -> Any:
    """Clients that never call; making one reads a service model, which is most of these tests' time."""
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in made:
            keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
            made[service] = boto3.client(service, region_name=REGION, **keys)
        return made[service]

    return SimpleNamespace(client=client)


@pytest.fixture(params=STACKS)
def rendered(request: pytest.FixtureRequest, stack: Make, foundation: Make) -> tuple[dict[str, Any], dict[str, Any]]:
    shared = foundation(tags={"owner": "platform"}, permissions_boundary=BOUNDARY)
    return stack(**STACKS[request.param]), shared


def accepted(kind: _engine.Kind, plural: str, options: dict[str, Any], items: list[dict[str, Any]]) -> list[Any]:
    """The items as the module would create them; nothing about them is wrong."""
    spec = _engine.common_options(plural, options)
    answer = ArgumentSpecValidator(spec).validate({plural: json.loads(json.dumps(items))})  # as Ansible hands it over
    assert answer.error_messages == []
    taken = answer.validated_parameters[plural]
    assert _engine.check_items(kind, plural, taken, "present") == []
    steps = [_engine.plan_item(kind, options, item, None, True) for item in taken]
    assert [step.error for step in steps] == [None] * len(items)
    return [step.after for step in steps]


def assert_valid(client: Any, operation: str, request: dict[str, Any]) -> None:
    shape = client.meta.service_model.operation_model(operation).input_shape
    report = ParamValidator().validate(request, shape)
    assert not report.has_errors(), report.generate_report()


def test_projects(rendered: Any, connected: Any, buildspecs: dict[str, str]) -> None:
    kind = codebuild_project.CodebuildProject(connected)
    items = stack_projects([rendered[0]], rendered[1], buildspecs)

    for project in accepted(kind, "projects", codebuild_project.OPTIONS, items):
        request = kind._request(project)
        assert_valid(kind.client, "CreateProject", request)
        assert request["source"]["buildspec"].startswith("---\n")
        assert all("value" in variable for variable in request["environment"]["environmentVariables"])


def test_pipelines(rendered: Any, connected: Any) -> None:
    kind = codepipeline.Codepipeline(connected)

    for pipeline in accepted(kind, "pipelines", codepipeline.OPTIONS, stack_pipelines([rendered[0]], rendered[1])):
        assert_valid(kind.client, "CreatePipeline", {"pipeline": kind._declaration(pipeline)})


def test_roles(rendered: Any, connected: Any) -> None:
    kind = iam_role.IamRole(connected)

    for role in accepted(kind, "roles", iam_role.OPTIONS, stack_roles([rendered[0]], rendered[1])):
        assert all(len(str(value)) <= 256 for value in role["tags"].values())
        assert role["permissions_boundary"] == BOUNDARY
        assert len(role["description"]) <= 1000


def test_rules(rendered: Any, connected: Any) -> None:
    kind = eventbridge_rule.EventbridgeRule(connected)
    items = source_rules([rendered[0]], rendered[1])

    assert len(items) == (0 if rendered[0]["source"] == "connection" else 1)
    for rule in accepted(kind, "rules", eventbridge_rule.OPTIONS, items):
        assert len(rule["name"]) <= 64
        assert len(rule["description"]) <= 512


def test_parameters(rendered: Any, connected: Any) -> None:
    kind = ssm_parameter.SsmParameter(connected)
    text = "Access key ID,Secret access key\nAKIDEXAMPLE,secret\n"
    items = stack_parameters([rendered[0]], rendered[1], lambda _path: text)

    assert len(items) == (2 if rendered[0]["access_keys_csv"] else 0)
    for parameter in accepted(kind, "parameters", ssm_parameter.OPTIONS, items):
        assert parameter["type"] == "SecureString"
        assert parameter["key_id"] == rendered[1]["kms_key_arn"]
