# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs modules in this process, ours and those of others, against local AWS, and looks at what they did there."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
from ansible.module_utils import basic
from ansible.module_utils.common.parameters import PASS_VARS
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from botocore.config import Config

import local_aws.cli
from ansible_collections.gitops.aws.plugins.module_utils._operations import READ_ONLY_OPERATION
from local_aws.process import ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY

try:  # ansible-core 2.19 and newer
    from ansible.module_utils.testing import patch_module_args as patch_module_args  # noqa: PLC0414 (for other tests, too)
except ImportError:

    @contextlib.contextmanager
    def patch_module_args(args: dict[str, Any] | None = None) -> Iterator[None]:
        text = json.dumps({"ANSIBLE_MODULE_ARGS": args or {}}).encode()
        with mock.patch.object(basic, "_ANSIBLE_ARGS", text):
            yield


REGION = "eu-central-1"
ACCOUNT = "123456789012"

# The caller of the modules: what they need, and nothing of IAM users, so that it is plain that root is not at work.
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "cloudwatch:*",
                "chatbot:*",
                "codebuild:*",
                "codeconnections:*",
                "codestar-connections:*",
                "codestar-notifications:*",
                "codepipeline:*",
                "dynamodb:*",
                "events:*",
                "iam:*Role*",
                "iam:CreatePolicy",
                "iam:CreatePolicyVersion",
                "iam:DeletePolicy",
                "iam:DeletePolicyVersion",
                "iam:GetAccountAuthorizationDetails",
                "iam:GetPolicy",
                "iam:GetPolicyVersion",
                "iam:ListEntitiesForPolicy",
                "iam:ListInstanceProfilesForRole",
                "iam:ListPolicyVersions",
                "iam:PassRole",
                "iam:SimulateCustomPolicy",
                "iam:SimulatePrincipalPolicy",
                "iam:TagPolicy",
                "iam:UntagPolicy",
                "kms:*",
                "logs:*",
                "s3:*",
                "scheduler:*",
                "sns:*",
                "sqs:*",
                "ssm:*",
                "states:*",
                "tag:GetResources",
            ],
            "Resource": "*",
        },
        {
            "Sid": "NothingOfThisName",
            "Effect": "Deny",
            "Action": [
                "cloudwatch:PutMetricAlarm",
                "dynamodb:DescribeTable",
                "events:CreateApiDestination",
                "events:CreateConnection",
                "events:PutRule",
                "iam:CreatePolicy",
                "iam:CreateRole",
                "iam:PassRole",
                "kms:CreateAlias",
                "logs:CreateLogGroup",
                "s3:CreateBucket",
                "scheduler:CreateSchedule",
                "sns:CreateTopic",
                "sqs:CreateQueue",
                "ssm:PutParameter",
                "states:CreateStateMachine",
            ],
            "Resource": "*denied*",
        },
        {"Effect": "Deny", "Action": "s3:ListBucket", "Resource": "*hidden*"},
        {"Effect": "Deny", "Action": "s3:GetBucketTagging", "Resource": "*closed*"},
        {
            "Effect": "Deny",
            "Action": ["codebuild:GetResourcePolicy", "codepipeline:GetPipeline", "codepipeline:GetPipelineState"],
            "Resource": "*unreadable*",
        },
    ],
}

# The trust policy of a role that builds, pipelines and state machines act as.
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": ["codebuild.amazonaws.com", "codepipeline.amazonaws.com", "states.amazonaws.com"]},
            "Action": "sts:AssumeRole",
        }
    ],
}


class ModuleFailed(Exception):
    """A module that ended with fail_json; `result` is what it returned."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__(result.get("msg"))
        self.result = result


@dataclass
class Account:
    """Local AWS with two users: one that modules run as, and one for looking at what they did.

    Each is {AccessKeyId, SecretAccessKey}.
    """

    endpoint_url: str
    data: Path
    caller: dict[str, str]
    onlooker: dict[str, str]
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A boto3 client of the onlooker."""
        return self._client(service, self.onlooker["AccessKeyId"], self.onlooker["SecretAccessKey"])

    def in_region(self, service: str, region: str) -> Any:
        """A boto3 client of the onlooker in another region."""
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint_url,
            aws_access_key_id=self.onlooker["AccessKeyId"],
            aws_secret_access_key=self.onlooker["SecretAccessKey"],
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )

    def root(self, service: str) -> Any:
        """A boto3 client of the account's owner, for what the modules' caller may not do."""
        return self._client(service, ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY)

    def _client(self, service: str, access_key: str, secret_key: str) -> Any:
        if (service, access_key) not in self.clients:
            self.clients[service, access_key] = boto3.client(
                service,
                region_name=REGION,
                endpoint_url=self.endpoint_url,
                aws_access_key_id=access_key,
                aws_secret_access_key=secret_key,
                config=Config(retries={"total_max_attempts": 1}, proxies={}),
            )
        return self.clients[service, access_key]

    def complete_connection(self, name: str) -> None:
        """What its owner does in a browser."""
        assert local_aws.cli.main(["complete-connection", name, "--data", str(self.data)]) == 0

    def authorize_slack(self, team_id: str) -> None:
        """What somebody does in the console of Chatbot."""
        assert local_aws.cli.main(["authorize-slack", team_id, "--data", str(self.data)]) == 0

    def log(self) -> list[dict[str, Any]]:
        """The calls that local AWS has seen so far."""
        return local_aws.cli.calls(self.data)

    def calls_since(self, before: int, expected: int) -> list[dict[str, Any]]:
        """The modules' calls after the first `before` of the log, each once though the SDK may have had to repeat it.

        A call is logged just after it is answered.
        """
        deadline = time.monotonic() + 20
        while True:
            own = self.caller["AccessKeyId"]
            sent = [call for call in self.log()[before:] if call["access_key_id"] == own]
            calls = list({call["invocation"] or number: call for number, call in enumerate(sent)}.values())
            if len(calls) >= expected or time.monotonic() > deadline:
                return calls
            time.sleep(0.005)

    def all_calls_since(self, before: int) -> list[dict[str, Any]]:
        """The modules' calls after the first `before` of the log, of a module that does not say how many they are."""
        last, codepipeline = unique("last"), self.client("codepipeline")
        with contextlib.suppress(codepipeline.exceptions.PipelineNotFoundException):
            codepipeline.get_pipeline(name=last)
        deadline = time.monotonic() + 2
        while all(call["resource"] != last for call in self.log()[before:]):  # all others stand before it
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return self.calls_since(before, 0)

    def run(self, module: str, *, check: bool = False, **arguments: Any) -> dict[str, Any]:
        """Runs a module as Ansible would; its result, as JSON brings it back.

        `mutations` in the result are the calls that change something, as local AWS has logged them. They must be those
        that our modules count themselves in `api_calls`; to the result of others' modules that is added, from the log.
        Raises ModuleFailed.
        """
        given = {
            "region": REGION,
            "endpoint_url": self.endpoint_url,
            "access_key": self.caller["AccessKeyId"],
            "secret_key": self.caller["SecretAccessKey"],
            "_ansible_check_mode": check,
            "_ansible_diff": True,
            **arguments,
        }
        before = len(self.log())
        result = run_module(module, given)
        if "." in module:
            calls = self.all_calls_since(before)
            result["api_calls"] = dict(Counter(call["action"] for call in calls))
        counted = result.get("api_calls", {})
        calls = self.calls_since(before, sum(counted.values()))
        result["mutations"] = [call["action"] for call in calls if mutates(call["action"])]
        # The module's own count must be the truth.
        seen = Counter(call["action"] for call in calls)
        assert len(calls) == sum(counted.values()), (seen, counted)
        assert len(result["mutations"]) == sum(n for call, n in counted.items() if mutates(call)), (seen, counted)
        if result.get("failed"):
            raise ModuleFailed(result)
        return result


def mutates(action: str) -> bool:
    """Whether a call, by the name that the log or the module gives it (`s3:PutObject`), changes something."""
    return not READ_ONLY_OPERATION.match(action.split(":")[1])


def run_module(module: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Runs a module with these arguments: ours by its name, others by their full name; what it printed, parsed."""
    collection, _, name = module.rpartition(".")
    code = importlib.import_module(f"ansible_collections.{collection or 'gitops.aws'}.plugins.modules.{name}")
    output = io.StringIO()
    if "inject_invocation" in PASS_VARS:
        # ansible-core 2.21 shows the arguments in a result only when somebody wants to see them, as with -vvv.
        arguments = {**arguments, "_ansible_inject_invocation": True}
    with (
        mock.patch.dict(AnsibleAWSModule.default_settings),  # ours change them, which must not reach the next module
        patch_module_args(arguments),
        contextlib.redirect_stdout(output),
        contextlib.suppress(SystemExit),
    ):
        code.main()
    result: dict[str, Any] = json.loads(output.getvalue())
    return result


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


@dataclass
class World:
    """What resources under test refer to: ARNs, and the name of a bucket."""

    key: str
    another_key: str
    role: str
    another_role: str
    bucket: str
    connection: str
    project: str
    slack_team: str
