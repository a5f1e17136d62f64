# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is approved is what is applied, once; and nobody is asked for nothing."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.estate import Estate, Execution
from tests.e2e.runs.conftest import Runs

STATE_KEY = "guarded/terraform.tfstate"


def plan_files(estate: Estate, execution: Execution) -> dict[str, bytes]:
    """The files of the plan's artifact."""
    (where,) = execution.actions["Plan"].artifacts
    body = estate.kept("s3").get_object(Bucket=where["bucket"], Key=where["key"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def exchange(estate: Estate, execution: Execution, files: dict[str, bytes]) -> None:
    """Puts another plan in its place, as somebody who may write the bucket."""
    (where,) = execution.actions["Plan"].artifacts
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    estate.kept("s3").put_object(Bucket=where["bucket"], Key=where["key"], Body=archive.getvalue())


@pytest.fixture(scope="module")
def built(runs: Runs) -> Execution:
    """The stack `guarded`, built once."""
    runs.write("guarded", "value")
    execution = runs.push("guarded")
    runs.waiting("guarded", execution)
    runs.estate.approve("gitops-guarded")
    return runs.ended("guarded", execution, "Succeeded")


def other_plan(runs: Runs, waiting: Execution) -> None:
    files = plan_files(runs.estate, waiting)
    exchange(runs.estate, waiting, {**files, "tfplan": files["tfplan"] + b" "})


def other_manifest(runs: Runs, waiting: Execution) -> None:
    files = plan_files(runs.estate, waiting)
    exchange(runs.estate, waiting, {**files, "manifest": files["manifest"] + b"changes=no\n"})


def other_commit(runs: Runs, waiting: Execution) -> None:
    (where,) = waiting.actions["Source"].artifacts
    s3, place = runs.estate.kept("s3"), {"Bucket": where["bucket"], "Key": where["key"]}
    reference = s3.get_object(**place)["Body"].read().decode()
    older = runs.repository.git("rev-parse", "HEAD~1")
    assert _commit(waiting) in reference
    s3.put_object(**place, Body=reference.replace(_commit(waiting), older).encode())


def _commit(execution: Execution) -> str:
    return execution.actions["Source"].variables["CommitId"]


def moved_state(runs: Runs, waiting: Execution) -> None:
    assert waiting.waits
    estate = runs.estate
    state = estate.state("guarded")
    assert state
    state["serial"] += 1
    put_state(estate, state)


def same_serial(runs: Runs, waiting: Execution) -> None:
    """Terraform itself would not notice: lineage and serial are as they were."""
    assert waiting.waits
    state = runs.estate.state("guarded")
    assert state
    state["outputs"] = {"smuggled": {"value": "x", "type": "string"}}
    put_state(runs.estate, state)


def put_state(estate: Estate, state: dict[str, Any]) -> None:
    estate.kept("s3").put_object(
        Bucket=estate.foundation["state_bucket"],
        Key=STATE_KEY,
        Body=json.dumps(state).encode(),
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=estate.key_arn,
    )
    # Its checksum is beside the lock.
    estate.kept("dynamodb").delete_item(
        TableName="gitops-lock", Key={"LockID": {"S": f"{estate.foundation['state_bucket']}/{STATE_KEY}-md5"}}
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_plan, "the saved plan is not the one that was approved"),
        (other_manifest, "the manifest is not the one that was approved"),
        (other_commit, "the commit has changed since the plan was made: it was '"),
        (moved_state, "the serial of the state has changed since the plan was made: it was '"),
        (same_serial, "the version of the state object in S3 has changed since the plan was made"),
    ],
)
def test_what_changed_after_the_plan_is_not_applied(
    runs: Runs, built: Execution, change: Callable[[Runs, Execution], None], message: str
) -> None:
    estate = runs.estate
    assert built.status == "Succeeded"
    runs.say("guarded", change.__name__)
    execution = runs.push("guarded")
    waiting = runs.waiting("guarded", execution)

    change(runs, waiting)
    before = len(estate.aws.calls())
    estate.approve("gitops-guarded")
    ended = runs.ended("guarded", execution, "Failed")

    assert ended.actions["Approve"].status == "Succeeded"
    assert ended.actions["Apply"].status == "Failed"
    log = estate.log(ended.actions["Apply"].build_id)
    assert f"Nothing is applied: {message}" in log
    assert "Fix: start the pipeline again" in log
    written = [
        call["resource"]
        for call in estate.aws.calls()[before:]
        if "gitops-guarded-apply/" in call["principal_arn"] and call["action"] == "s3:PutObject"
    ]
    assert [resource for resource in written if "/guarded/" in resource] == []


def test_plan_is_used_once(runs: Runs) -> None:
    """The apply fails before it has changed anything; the same plan is not tried a second time."""
    estate = runs.estate
    runs.write("refused", "parameter")
    execution = runs.push("refused")
    failed = runs.ended("refused", execution, "Failed")
    first = failed.actions["Apply"].build_id
    assert "AccessDenied" in estate.log(first)

    pipelines = estate.administrator.client("codepipeline")
    pipelines.retry_stage_execution(
        pipelineName="gitops-refused", stageName="Deploy", pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
    )
    again = runs.ended("refused", execution, "Failed")

    log = estate.log(again.actions["Apply"].build_id)
    assert again.actions["Apply"].build_id != first
    assert f"Nothing is applied: this plan was used already, by the build {first}" in log


def test_commit_of_another_branch_is_refused(runs: Runs, built: Execution) -> None:
    """A source override takes any commit of the repository: past the review that protects the branch."""
    assert built.status == "Succeeded"
    runs.say("guarded", "unreviewed")
    commit = runs.repository.push("Nobody has looked at this", "feature")
    assert runs.estate.operator
    answer = runs.estate.operator.client("codepipeline").start_pipeline_execution(
        name="gitops-guarded",
        sourceRevisions=[{"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": commit}],
    )

    ended = runs.ended("guarded", answer["pipelineExecutionId"], "Failed")

    assert set(ended.actions) == {"Source", "Plan"}
    log = runs.estate.log(ended.actions["Plan"].build_id)
    assert f"Refused: the commit {commit} is not on the branch main of the stack guarded." in log
    assert "Initializing the backend" not in log


def test_rejected_plan_is_not_applied_and_the_next_run_works(runs: Runs, built: Execution) -> None:
    assert built.status == "Succeeded"
    estate = runs.estate
    runs.say("guarded", "rejected")
    execution = runs.push("guarded")
    runs.waiting("guarded", execution)
    estate.approve("gitops-guarded", "Rejected", "Not on a Friday")
    ended = runs.ended("guarded", execution, "Failed")
    assert "Apply" not in ended.actions
    assert "Not on a Friday" in ended.actions["Approve"].summary

    runs.say("guarded", "second")
    execution = runs.push("guarded")
    runs.waiting("guarded", execution)
    estate.approve("gitops-guarded")
    runs.ended("guarded", execution, "Succeeded")
    assert '"second"' in json.dumps(estate.state("guarded"))


def test_approval_that_nobody_gives_expires(runs: Runs) -> None:
    runs.write("hurried", "value")
    execution = runs.push("hurried")
    runs.waiting("hurried", execution)

    ended = runs.ended("hurried", execution, "Failed")

    assert "expired" in ended.actions["Approve"].summary
    assert "Apply" not in ended.actions
    assert runs.estate.state("hurried") is None


def test_two_quick_pushes_run_one_after_the_other(runs: Runs, built: Execution) -> None:
    assert built.status == "Succeeded"
    estate, executions = runs.estate, []
    for word in ("third", "fourth"):
        runs.say("guarded", word)
        executions.append(runs.push("guarded"))
    first, second = executions

    runs.waiting("guarded", first)
    assert "Plan" not in estate.look("gitops-guarded", second).actions
    estate.approve("gitops-guarded")
    runs.ended("guarded", first, "Succeeded")
    assert '"third"' in json.dumps(estate.state("guarded"))
    runs.waiting("guarded", second)
    estate.approve("gitops-guarded")
    runs.ended("guarded", second, "Succeeded")
    assert '"fourth"' in json.dumps(estate.state("guarded"))


def test_plan_without_changes_asks_nobody(runs: Runs, built: Execution) -> None:
    assert built.status == "Succeeded"
    run = runs.estate.playbook("run.yml", runs.estate.operator, stack="guarded")

    assert not run.failed, run.output
    assert "no changes: Destroys nothing." in run.text
    (call,) = run.mutations
    assert call.startswith("codepipeline:StartPipelineExecution")
    ended = runs.estate.look("gitops-guarded", runs.estate.executions("gitops-guarded")[0])
    assert ended.status == "Stopped"
    assert set(ended.actions) == {"Source", "Plan"}
    pipelines = runs.estate.administrator.client("codepipeline")
    newest = pipelines.list_pipeline_executions(pipelineName="gitops-guarded")["pipelineExecutionSummaries"][0]
    assert newest["stopTrigger"]["reason"].startswith("No changes: what is there is what commit ")


def test_approval_says_what_the_plan_would_do(runs: Runs, built: Execution) -> None:
    variables = built.actions["Plan"].variables
    message = built.actions["Approve"].message
    assert message == (
        f"Apply stack guarded: 1 to add, 0 to change, 0 to destroy. Destroys nothing. Plan {variables['PLAN_ID']}, "
        f"commit {_commit(built)} on main."
    )
    files = plan_files(runs.estate, built)
    manifest = dict(line.split("=", 1) for line in files["manifest"].decode().splitlines())
    assert {name for name, value in manifest.items() if value} >= {
        "changes",
        "commit",
        "execution",
        "mode",
        "plan_sha256",
        "terraform_version",
    }
    assert manifest["commit"] == _commit(built)
