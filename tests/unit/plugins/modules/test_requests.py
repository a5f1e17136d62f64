# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documented examples, carried out in their order: botocore accepts every request that they lead to."""

from __future__ import annotations

import importlib
import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from botocore.exceptions import ParamValidationError

from ansible_collections.gitops.aws.plugins.module_utils import _approvals, _builds, _executions
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, common_options, converge
from ansible_collections.gitops.aws.plugins.module_utils._kinds import stage_transition
from tests.unit.plugins.modules.test_documentation import MODULES

ARN = "arn:aws:service:eu-central-1:123456789012:thing"


class Aws:
    """Stands for _aws.Aws: real clients, which check and build every request, and answer it without sending it."""

    check_mode = False

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.clients: dict[str, Any] = {}
        self.connection: dict[str, str] = {}

    def client(self, service: str) -> Any:
        if service not in self.clients:
            client = boto3.client(service, "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
            client.meta.events.register("before-call", self._answer)
            client.get_waiter = lambda _name: SimpleNamespace(wait=lambda **_arguments: None)
            self.clients[service] = client
        return self.clients[service]

    client_trying_once = client

    def _answer(self, model: Any, params: dict[str, Any], **_kwargs: Any) -> tuple[Any, Any]:
        operation = f"{model.service_model.service_name}:{model.name}"
        self.calls[operation] += 1
        found = answer(model.output_shape)
        if operation == "events:ListConnections":
            # The connection of a new API destination is looked up by its name.
            name = json.loads(params["body"])["NamePrefix"]
            found = {"Connections": [{"Name": name, "ConnectionArn": ARN, "ConnectionState": "AUTHORIZED"}]}
        elif operation == "codeconnections:CreateConnection":
            self.connection = {"ConnectionName": json.loads(params["body"])["ConnectionName"], **found}
        elif operation == "codeconnections:ListConnections":
            # Listed before it is made, and after it.
            found = {"Connections": [self.connection] if self.connection else []}
        return SimpleNamespace(status_code=200), found

    def in_region(self, _region: str) -> Aws:
        return self

    def map(self, function: Any, items: Any) -> list[Any]:
        return [function(item) for item in items]

    def pages(self, service: str, operation: str, result_key: str, **arguments: Any) -> list[Any]:
        getattr(self.client(service), operation)(**arguments)
        if operation == "describe_slack_workspaces":
            # That of the example is one that the account may post to.
            return [{"SlackTeamId": "T0123ABCD"}]
        # A new log group is looked up by its name.
        return [{"logGroupName": arguments["logGroupNamePrefix"], "arn": ARN}] if service == "logs" else []


def answer(shape: Any, within: tuple[str, ...] = ()) -> Any:
    """Something of a shape: ARNs, ones, and lists without elements."""
    if shape is None:
        return {}
    if shape.type_name == "structure":
        if shape.name in within:
            return {}
        members = {name: answer(member, (*within, shape.name)) for name, member in shape.members.items()}
        return {**members, **({"IsTruncated": False} if "IsTruncated" in members else {})}  # there is no further page
    return {"list": [], "map": {}, "string": ARN, "boolean": True, "blob": b""}.get(shape.type_name, 1)


class Examples:
    """A module with its examples."""

    def __init__(self, name: str) -> None:
        self.name, self.plural = name, MODULES[name]
        self.module = importlib.import_module(f"ansible_collections.gitops.aws.plugins.modules.{name}")
        kinds: list[Any] = [v for v in vars(self.module).values() if isinstance(v, type) and issubclass(v, Kind)]
        self.kind_class, self.options = kinds[0], self.module.OPTIONS
        self.store: dict[str, Resource] = {}

    def tasks(self) -> list[dict[str, Any]]:
        found = yaml.safe_load(self.module.EXAMPLES)
        return [task[f"gitops.aws.{self.name}"] for task in found if f"gitops.aws.{self.name}" in task]

    def run(self, arguments: dict[str, Any]) -> list[str]:
        """Carries a task out; what became of its items. What it makes is there for the next one."""
        more = getattr(self.module, "MORE", {})
        spec = {**aws_argument_spec(), **common_options(self.plural, self.options), **more}
        checked = ArgumentSpecValidator(spec).validate(json.loads(json.dumps(arguments)))
        assert not checked.error_messages
        params, aws = checked.validated_parameters, Aws()
        kind: Any = self.kind_class(aws)
        kind.read = lambda items: {
            item[kind.key]: self.store[item[kind.key]] for item in items if item[kind.key] in self.store
        }
        steps = converge(kind, self.plural, self.options, params[self.plural], params["state"], True)
        assert [step.error for step in steps if step.error] == []
        for step in steps:
            self.store.pop(step.name, None)
            if step.after is not None:
                self.store[step.name] = Resource({"tags": {}, **step.after}, {"arn": ARN, **step.facts})
        if any(step.action != "unchanged" for step in steps):
            assert aws.calls, arguments
        return [step.action for step in steps]


@pytest.fixture(params=MODULES)
def examples(request: pytest.FixtureRequest) -> Examples:
    return Examples(str(request.param))


def test_botocore_accepts_what_the_examples_ask_for(examples: Examples) -> None:
    actions = [action for task in examples.tasks() for action in examples.run(task)]

    assert "created" in actions


def test_a_request_of_the_wrong_type_is_noticed() -> None:
    examples = Examples("codebuild_projects")
    examples.options = {**examples.options, "timeout_in_minutes": {"type": "str"}}
    task = examples.tasks()[0]

    with pytest.raises(AssertionError, match="timeoutInMinutes"):
        examples.run(task)


def test_botocore_refuses_what_the_incumbents_example_asks_for() -> None:
    with pytest.raises(ParamValidationError, match="privilegedMode"):
        Aws().client("codebuild").create_project(
            name="my_project",
            source={"type": "CODEPIPELINE"},
            artifacts={"type": "CODEPIPELINE"},
            serviceRole=ARN,
            environment={"type": "LINUX_CONTAINER", "image": "i", "computeType": "c", "privilegedMode": "true"},
        )


def tasks(name: str, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """The examples of a module that does one thing, as its parameters."""
    module = importlib.import_module(f"ansible_collections.gitops.aws.plugins.modules.{name}")
    found = [task[f"gitops.aws.{name}"] for task in yaml.safe_load(module.EXAMPLES) if f"gitops.aws.{name}" in task]
    spec = {**aws_argument_spec(), **arguments}
    # As Ansible hands them over: what an anchor repeats is two things.
    return [ArgumentSpecValidator(spec).validate(json.loads(json.dumps(task))).validated_parameters for task in found]


def test_builds_of_the_examples() -> None:
    aws: Any = Aws()
    for params in tasks("codebuild_build", _builds.ARGUMENTS):
        if params["state"] == "retried":
            _builds.retry(aws, "project:1", params["idempotency_token"])
        elif not params["build_id"]:
            _builds.start(aws, params)

    assert aws.calls == {"codebuild:StartBuild": 2, "codebuild:RetryBuild": 1}


def test_executions_of_the_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    aws: Any = Aws()
    aws.check_mode = False
    monkeypatch.setattr(_executions, "latest", lambda _aws, _pipeline: "execution")
    monkeypatch.setattr(_executions, "read", lambda *_names: {"status": "InProgress"})
    monkeypatch.setattr(_executions, "retryable", lambda _aws, _pipeline, _id, stage: stage or "Apply")
    monkeypatch.setattr(_executions, "rollback_target", lambda *_names: ("target", None))

    for params in tasks("codepipeline_execution", _executions.ARGUMENTS):
        _executions.change(aws, params)

    assert aws.calls == {
        "codepipeline:StartPipelineExecution": 2,
        "codepipeline:StopPipelineExecution": 1,
        "codepipeline:RetryStageExecution": 1,
        "codepipeline:RollbackStage": 1,
    }


def test_approvals_of_the_examples() -> None:
    aws: Any = Aws()
    for params in tasks("codepipeline_approval", _approvals.ARGUMENTS):
        where = {"stage": params["stage"] or "Approve", "action": params["action"] or "Approve"}
        _approvals._put(aws, params["pipeline"], where, "token", params["decision"] == "approved", params["summary"])

    assert aws.calls == {"codepipeline:PutApprovalResult": 2}


def test_transitions_of_the_examples() -> None:
    aws: Any = Aws()
    kind = stage_transition.StageTransition(aws)
    for params in tasks("codepipeline_stage_transition", stage_transition.ARGUMENTS):
        for item in params["transitions"]:
            before = {**item, "enabled": not item["enabled"], "reason": "before"}
            kind.update(Resource(before), item, {"enabled"})

    assert aws.calls == {"codepipeline:DisableStageTransition": 2, "codepipeline:EnableStageTransition": 1}
