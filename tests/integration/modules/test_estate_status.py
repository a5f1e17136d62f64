# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""estate_status_info: what is known of stacks, in how many calls; and that one that fails loses nothing of others."""

from __future__ import annotations

import base64
import gzip
import json
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, run_module, unique
from tests.integration.modules.running import Workshop, approval_stage, build_stage, buildspec, eventually
from tests.unit.plugins.module_utils.findings.results import result

HELD = {
    "ID": "b7f6ddaf-e316-1ad9-1534-69cb28d8a533",
    "Operation": "OperationTypeApply",
    "Who": "root@6f1c3f1f8a1e",
    "Version": "1.11.4",
    "Created": "2026-11-20T16:05:40.098824206Z",
    "Path": "",
    "Info": "",
}


# As Terraform draws it; what IAM refused is at its end.
DRAWN = "\u2502 "
TERRAFORM_ERROR = (
    f"{DRAWN}Error: creating EC2 VPC: operation error EC2: CreateVpc, https response error StatusCode: 403, RequestID: "
    "0c2a1f5e-8a34-4f0e-9e32-1d5f2a7c9b11, api error UnauthorizedOperation: You are not authorized to perform this "
    "operation. User: arn:aws:sts::111122223333:assumed-role/gitops-network-apply/AWSCodeBuild-6f1c3f1f-8a1e-4f57-8f43 "
    "is not authorized to perform: ec2:CreateVpc on resource: arn:aws:ec2:eu-central-1:111122223333:vpc/* because no "
    "identity-based policy allows the ec2:CreateVpc action"
)


@dataclass
class Pipelines:
    """Makes pipelines and runs them: each build does what the pipeline's variable says, as shell."""

    account: Account
    workshop: Workshop
    project: str
    table: str

    def make(self, stage: str = "Deploy", artifact: str = "", approval: bool = False) -> str:
        build = build_stage(stage, self.project)
        build["actions"][0]["namespace"] = "Run"
        if artifact:
            build["actions"][0]["outputArtifacts"] = [{"name": artifact}]
        return self.workshop.pipeline(*([approval_stage()] if approval else []), build)

    def start(self, name: str, command: str = "true") -> str:
        variables = [{"name": "who", "value": base64.b64encode(gzip.compress(command.encode())).decode()}]
        api = self.account.client("codepipeline")
        return str(api.start_pipeline_execution(name=name, variables=variables)["pipelineExecutionId"])

    def run(self, name: str, command: str = "true") -> str:
        """A run to its end."""
        execution = self.start(name, command)
        self.wait_until(name, execution, "Succeeded", "Failed")
        return execution

    def wait_until(self, name: str, execution: str, *statuses: str) -> None:
        api = self.account.client("codepipeline")

        def ended() -> bool:
            found = api.get_pipeline_execution(pipelineName=name, pipelineExecutionId=execution)["pipelineExecution"]
            return found["status"] in statuses

        eventually(ended, seconds=60)

    def wait_for_approval(self, name: str) -> None:
        def waits() -> bool:
            stages = self.account.client("codepipeline").get_pipeline_state(name=name)["stageStates"]
            action = stages[1]["actionStates"][0]
            return bool(action.get("latestExecution", {}).get("token"))

        eventually(waits)

    def lock(self, key: str, *kinds: str, created: str = HELD["Created"]) -> None:
        """Locks a state in the workshop's bucket."""
        held = {**HELD, "Created": created}
        if "table" in kinds:
            item = {"LockID": {"S": f"{self.workshop.bucket}/{key}"}, "Info": {"S": json.dumps(held)}}
            self.account.client("dynamodb").put_item(TableName=self.table, Item=item)
        if "file" in kinds:
            s3 = self.account.client("s3")
            s3.put_object(Bucket=self.workshop.bucket, Key=f"{key}.tflock", Body=json.dumps(held).encode())


def stack(pipeline: str, **more: str) -> dict[str, str]:
    """A stack of its own name, as the module takes it."""
    return {"name": pipeline, "pipeline": pipeline, "state_key": f"{pipeline}/terraform.tfstate", **more}


@pytest.fixture(scope="module")
def pipelines(account: Account) -> Pipelines:
    workshop = Workshop.open(account)
    workshop.commit("code")
    spec = buildspec(
        'touch findings.json && printf %s "$WHO" | base64 -d | gunzip > command && . ./command',
        exported=("DRIFT_COUNT", "PLAN_SUMMARY", "PLAN_EFFECTS"),
        artifacts=("findings.json",),
    )
    table = unique("locks")
    account.client("dynamodb").create_table(
        TableName=table,
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return Pipelines(account, workshop, workshop.project(spec, "CODEPIPELINE"), table)


def look(pipelines: Pipelines, *stacks: dict[str, str], **arguments: Any) -> tuple[dict[str, Any], dict[str, int]]:
    given = {"name": "gitops", "account_id": ACCOUNT, "stacks": list(stacks), **arguments}
    found = pipelines.account.run("estate_status_info", **given)
    assert found["mutations"] == []
    assert not found["changed"]
    return found["status"], found["api_calls"]


def with_locks(pipelines: Pipelines) -> dict[str, str]:
    return {"state_bucket": pipelines.workshop.bucket, "lock_table": pipelines.table}


def drifts(pipelines: Pipelines, count: int, effects: str = "") -> str:
    """A drift pipeline whose newest run found so much."""
    name = pipelines.make("Drift")
    command = f"export DRIFT_COUNT={count} PLAN_SUMMARY={count} PLAN_EFFECTS={shlex.quote(effects)}"
    pipelines.run(name, command)
    return name


def test_each_stack_takes_three_calls_at_most(pipelines: Pipelines) -> None:
    good, bad, waits, idle = (pipelines.make(approval=number == 2) for number in range(4))
    good_id, bad_id = pipelines.run(good), pipelines.run(bad, "echo broken; false")
    pipelines.run(bad)
    again = pipelines.run(bad, f"echo {shlex.quote(TERRAFORM_ERROR)}; echo; false")
    waiting = pipelines.start(waits)
    pipelines.wait_for_approval(waits)
    pipelines.lock(f"{bad}/terraform.tfstate", "table", "file")
    stacks = [
        stack(good, drift_pipeline=drifts(pipelines, 0)),
        stack(bad, drift_pipeline=drifts(pipelines, 2, "changed: aws_vpc.main")),
        stack(waits, drift_pipeline=pipelines.make("Drift")),
        stack(idle),
    ]

    status, calls = look(pipelines, *stacks, **with_locks(pipelines))

    assert calls == {
        "codebuild:BatchGetBuilds": 1,
        "codepipeline:ListPipelineExecutions": 4,  # one for each
        "codepipeline:GetPipelineState": 2,  # of what failed, and what waits
        "codepipeline:ListActionExecutions": 3,  # of each that looks for drift
        "dynamodb:Scan": 1,
        "logs:GetLogEvents": 1,  # of the build that failed
        "s3:ListObjectsV2": 1,
    }
    assert [each["flags"] for each in status["stacks"]] == [
        [],
        ["failing", "locked", "drifting"],
        ["waiting", "running"] if "running" in status["stacks"][2]["flags"] else ["waiting"],
        ["never"],
    ]
    assert (status["complete"], status["problems"]) == (True, [])
    assert (status["account_id"], status["region"], status["findings"]) == (ACCOUNT, REGION, None)

    one, two, three, four = status["stacks"]
    (run,) = one["runs"]
    assert (run["id"], run["result"], one["last"]["id"]) == (good_id, "succeeded", good_id)
    assert run["url"].endswith(f"/codepipeline/pipelines/{good}/executions/{good_id}/timeline?region={REGION}")
    assert run["seconds"] >= 0
    assert (one["lock"], one["drift"]["state"], one["drift"]["count"]) == ({"state": "free", "reason": ""}, "none", 0)

    assert [(each["id"], each["result"]) for each in two["runs"]][::2] == [(again, "failed"), (bad_id, "failed")]
    assert two["last"]["reason"] == f"Run: {TERRAFORM_ERROR.removeprefix(DRAWN)}"
    assert two["runs"][0]["reason"] == two["last"]["reason"]
    lock = {"id": HELD["ID"], "who": HELD["Who"], "operation": "apply", "since": "2026-11-20T16:05:40Z"}
    assert two["lock"] == {"state": "held", "reason": "", **lock}
    assert (two["drift"]["state"], two["drift"]["count"], two["drift"]["effects"], two["drift"]["at_least"]) == (
        "found",
        2,
        "changed: aws_vpc.main",
        True,
    )

    since = datetime.fromisoformat(three["approval"].pop("since"))
    assert (datetime.now(UTC) - since).total_seconds() < 120
    assert three["approval"].pop("url") == three["url"]
    assert three["approval"] == {"execution_id": waiting, "stage": "Approve", "action": "Ok"}
    assert three["runs"][0]["result"] == "waiting"
    assert three["last"] is None
    assert "token" not in json.dumps(status)
    assert three["drift"]["state"] == "never"
    assert (four["runs"], four["drift"]) == ([], {"state": "off", "reason": ""})


def test_a_lock_s_time_is_in_utc(pipelines: Pipelines) -> None:
    name = pipelines.make()
    pipelines.lock(f"{name}/terraform.tfstate", "table", created="2026-11-20T18:05:40.1+02:00")

    status, _calls = look(pipelines, stack(name), **with_locks(pipelines))

    assert status["stacks"][0]["lock"]["since"] == "2026-11-20T16:05:40Z"


@pytest.mark.parametrize("more", [[], ["codebuild:BatchGetBuilds"], ["codebuild:BatchGetBuilds", "logs:GetLogEvents"]])
def test_without_an_error_in_the_log_it_is_said_what_codepipeline_says(pipelines: Pipelines, more: list[str]) -> None:
    name, iam, user = pipelines.make(), pipelines.account.root("iam"), unique("reader")
    pipelines.run(name, "echo nothing that looks like one; exit 3" if len(more) == 2 else "echo Error: secret; exit 3")
    statement = {"Effect": "Allow", "Action": ["codepipeline:*", *more], "Resource": "*"}
    iam.create_user(UserName=user)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=user, PolicyName="may", PolicyDocument=policy)
    key = iam.create_access_key(UserName=user)["AccessKey"]
    credentials = {"access_key": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}
    given = {"region": REGION, "endpoint_url": pipelines.account.endpoint_url, **credentials}

    found = run_module("estate_status_info", {**given, "name": "x", "account_id": ACCOUNT, "stacks": [stack(name)]})

    (read,) = found["status"]["stacks"]
    assert read["last"]["reason"].startswith("Run: Build terminated with state: FAILED")
    assert (read["flags"], found["status"]["complete"]) == (["failing"], True)


def test_runs_are_as_many_as_asked_for(pipelines: Pipelines) -> None:
    name = pipelines.make()
    runs = [pipelines.run(name) for _number in range(3)]

    status, calls = look(pipelines, stack(name), runs=2)

    assert [run["id"] for run in status["stacks"][0]["runs"]] == [runs[2], runs[1]]
    assert calls == {"codepipeline:ListPipelineExecutions": 1}


def test_what_our_builds_stop_is_no_failure(pipelines: Pipelines) -> None:
    name, api = pipelines.make(approval=True), pipelines.account.client("codepipeline")
    for reason in ("Waits for network to apply commit 1f0b1e7a", "No changes: what is there is what commit x says."):
        execution = pipelines.start(name)
        pipelines.wait_for_approval(name)
        api.stop_pipeline_execution(pipelineName=name, pipelineExecutionId=execution, abandon=True, reason=reason)
        pipelines.wait_until(name, execution, "Stopped")

    (found,) = look(pipelines, stack(name))[0]["stacks"]

    assert [run["result"] for run in found["runs"]] == ["unchanged", "postponed"]
    assert (found["last"]["result"], found["flags"]) == ("unchanged", [])


def test_one_that_cannot_be_read_loses_nothing_of_the_others(pipelines: Pipelines) -> None:
    name = pipelines.make()
    pipelines.run(name)
    missing = unique("missing")

    status, _calls = look(
        pipelines, stack(missing), stack(name, drift_pipeline=missing), state_bucket=unique("no-such-bucket")
    )

    first, second = status["stacks"]
    assert (first["reason"], first["flags"]) == (f"there is no pipeline {missing}", ["unknown"])
    assert second["last"]["result"] == "succeeded"
    assert (second["drift"]["state"], second["lock"]["state"]) == ("unknown", "unknown")
    assert "NoSuchBucket" in second["lock"]["reason"]
    assert not status["complete"]
    assert [one["what"] for one in status["problems"]] == ["locks", f"stack {missing}", f"drift of {name}"]


def test_a_lock_that_is_a_file_only_takes_one_call_more(pipelines: Pipelines) -> None:
    name = pipelines.make()
    pipelines.lock(f"{name}/terraform.tfstate", "file")
    pipelines.lock("of/somebody/else", "table", "file")

    status, calls = look(pipelines, stack(name), **with_locks(pipelines))

    assert status["stacks"][0]["lock"]["who"] == HELD["Who"]
    assert calls["s3:GetObject"] == 1
    assert status["counts"]["locked"] == 1
    without, calls = look(pipelines, stack(name), **with_locks(pipelines), lock_files=False)
    assert without["stacks"][0]["lock"]["state"] == "free"
    assert "s3:ListObjectsV2" not in calls


def test_what_the_account_s_scan_found(pipelines: Pipelines) -> None:
    name = pipelines.make()
    looked = drifts(pipelines, 2)
    first, _calls = look(pipelines, stack(name, drift_pipeline=looked))
    seen = {
        "stack": name,
        "status": "fresh",
        "time": first["stacks"][0]["drift"]["begun"],
        "differing": 1,
        "ignored": 1,
    }
    scan = pipelines.make("Scan", artifact="scan")
    never, _calls = look(pipelines, stack(name), scan_pipeline=scan)
    small = {"resources": result()["resources"][:2], "stacks": [seen], "complete": True, "counts": {}}
    pipelines.run(scan, f"PLAN_SUMMARY='2 unmanaged'; printf %s {shlex.quote(json.dumps(small))} > findings.json")

    status, calls = look(pipelines, stack(name, drift_pipeline=looked), scan_pipeline=scan)

    assert never["findings"]["state"] == "never"
    found = status["findings"]
    assert (found["state"], found["complete"], len(found["items"])) == ("found", True, 2)
    assert {one["group"] for one in found["items"]} == {"Unmanaged"}
    assert found["url"].startswith("https://")
    assert (status["stacks"][0]["drift"]["count"], status["stacks"][0]["drift"]["ignored"]) == (1, 1)
    assert calls == {
        "codepipeline:ListActionExecutions": 2,  # of the stack, and of the account
        "codepipeline:ListPipelineExecutions": 1,
        "s3:GetObject": 1,
    }

    for wrong in (["none of ours", {"stack": name}], {"stack": name}, [{**seen, "differing": "many"}]):
        strange = json.dumps({**small, "stacks": wrong})
        pipelines.run(scan, f"printf %s {shlex.quote(strange)} > findings.json")
        status, _calls = look(pipelines, stack(name, drift_pipeline=looked), scan_pipeline=scan)
        assert status["stacks"][0]["drift"]["count"] == 2
        assert status["findings"]["state"] == "found"
    pipelines.run(scan, f"printf %s {shlex.quote(json.dumps({**small, 'stacks': 1}))} > findings.json")
    status, _calls = look(pipelines, stack(name, drift_pipeline=looked), scan_pipeline=scan)
    assert status["findings"]["state"] == "unknown"
    assert status["findings"]["reason"].startswith("the report of the newest scan is none: TypeError")
    assert status["stacks"][0]["drift"]["count"] == 2

    pipelines.run(scan, "printf broken > findings.json")
    status, _calls = look(pipelines, stack(name), scan_pipeline=scan)
    assert (status["findings"]["state"], status["complete"]) == ("unknown", False)
    assert status["findings"]["reason"] == "the report of the newest scan: its artifact holds no findings.json"
    pipelines.run(scan, "false")
    status, _calls = look(pipelines, stack(name), scan_pipeline=scan)
    assert "failed" in status["findings"]["reason"] or status["findings"]["state"] == "unknown"


def test_wrong_credentials_are_no_news_of_a_stack(pipelines: Pipelines) -> None:
    given = {"region": REGION, "endpoint_url": pipelines.account.endpoint_url, "secret_key": "x" * 40}
    arguments = {"name": "gitops", "account_id": ACCOUNT, "stacks": [stack("network")]}

    result = run_module("estate_status_info", {**given, "access_key": "AKIAIOSFODNN7EXAMPLE", **arguments})

    assert result["failed"]
    assert "the credentials are expired or wrong" in result["msg"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"runs": 0}, "runs: 0 is not between 1 and 100"),
        ({"max_age_hours": 0}, "max_age_hours: 0 is not allowed"),
        ({"stacks": [stack("a"), stack("a")]}, r"stacks\[1\].name: 'a' is also that of stacks\[0\]"),
        ({"stacks": [{"name": "a", "pipeline": ""}]}, r"stacks\[0\].pipeline"),
    ],
)
def test_wrong_input_is_refused_before_any_call(account: Account, arguments: dict[str, Any], problem: str) -> None:
    given = {"name": "gitops", "account_id": ACCOUNT, "stacks": [], **arguments}

    with pytest.raises(ModuleFailed, match=problem) as failed:
        account.run("estate_status_info", **given)
    assert "api_calls" not in failed.value.result
