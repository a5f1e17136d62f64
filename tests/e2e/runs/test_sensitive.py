# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value that Terraform's code marks as sensitive is in the state and in the saved plan, and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.estate import Estate, Run
from tests.e2e.runs.conftest import Runs
from tests.e2e.test_credentials import expanded

CANARY = "canary-5b1f0c6e"


@pytest.fixture(scope="module")
def places(runs: Runs) -> dict[str, str]:
    """All that is left of a run that made, changed and showed such values, by where it was found."""
    estate = runs.estate
    queue = events(estate)
    runs.write("secretive", "secret", **{'"canary-5b1f0c6e"': f'"{CANARY}-1"'})
    execution = runs.push("secretive")
    runs.waiting("secretive", execution)
    shown = estate.playbook("run.yml", estate.operator, "-vvv", stack="secretive", execution_id=execution, approve=True)
    assert not shown.failed, shown.output
    runs.write("secretive", "secret", **{'"canary-5b1f0c6e"': f'"{CANARY}-2"'})
    second = runs.push("secretive")
    runs.waiting("secretive", second)
    estate.approve("gitops-secretive")
    found = {f"run {index}": run.output for index, run in enumerate([shown, *destroy(estate)])}

    administrator = estate.administrator
    pipelines, codebuild = administrator.client("codepipeline"), administrator.client("codebuild")
    for name in ("gitops-secretive", "gitops-secretive-destroy"):
        found[f"{name} actions"] = plain(pipelines.list_action_executions(pipelineName=name))
        found[f"{name} executions"] = plain(pipelines.list_pipeline_executions(pipelineName=name))
        found[f"{name} state"] = plain(pipelines.get_pipeline_state(name=name))
    for step in ("plan", "apply", "destroy"):
        ids = codebuild.list_builds_for_project(projectName=f"gitops-secretive-{step}")["ids"]
        found[f"{step} builds"] = plain(codebuild.batch_get_builds(ids=ids))
        found.update({f"log {build}": estate.log(build) for build in ids})
    found["events"] = received(estate, queue)
    for file in estate.aws.data.iterdir():
        if file.is_file():
            found[file.name] = file.read_text(errors="replace")
    s3 = estate.kept("s3")
    for bucket in (estate.foundation["state_bucket"], estate.foundation["artifact_bucket"]):
        for entry in s3.list_object_versions(Bucket=bucket)["Versions"]:
            key, version = entry["Key"], entry["VersionId"]
            if "secretive" in key or "gitops-secretive"[:20] in key:
                body = s3.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read()
                found[f"s3://{bucket}/{key} {version}"] = expanded(body)
                found[f"name of {key}"] = key
    return found


def destroy(estate: Estate) -> list[Run]:
    """The stack is destroyed, too; a no-change run before."""
    estate.wait("gitops-secretive", estate.executions("gitops-secretive")[0])
    return [
        estate.playbook("run.yml", estate.operator, stack="secretive"),
        estate.playbook("destroy.yml", estate.operator, stack="secretive", confirm="secretive", approve=True),
    ]


def plain(answer: Any) -> str:
    return json.dumps(answer, default=str)


def events(estate: Estate) -> str:
    """A queue that gets every event of pipelines and builds; its address."""
    sqs, rules = estate.administrator.client("sqs"), estate.administrator.client("events")
    queue = sqs.create_queue(QueueName="all-events")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Resource": arn}]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    rules.put_rule(Name="all-events", EventPattern=json.dumps({"source": ["aws.codepipeline", "aws.codebuild"]}))
    rules.put_targets(Rule="all-events", Targets=[{"Id": "queue", "Arn": arn}])
    return str(queue)


def received(estate: Estate, queue: str) -> str:
    """All messages of a queue."""
    sqs, found = estate.administrator.client("sqs"), list[str]()
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            found.append(message["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return "\n".join(found)


def test_it_is_in_the_state_and_in_the_plan_and_nowhere_else(places: dict[str, str]) -> None:
    holding = {name for name, text in places.items() if CANARY in text}

    def may(name: str) -> bool:
        return name.startswith("s3://") and ("/terraform.tfstate " in name or "/plan/" in name)

    assert [name for name in holding if not may(name)] == []
    # The search finds it where it must be, and has looked where people look.
    assert [name for name in holding if "/terraform.tfstate " in name] != []
    assert [name for name in holding if "/plan/" in name] != []
    for part, text in (
        ("log gitops-secretive-plan", "(sensitive value)"),
        ("log gitops-secretive-apply", "Apply complete!"),
        ("log gitops-secretive-destroy", "1 destroyed."),
        ("events", "CodePipeline Action Execution State Change"),
        ("events", "CodeBuild Build State Change"),
        ("gitops-secretive actions", "Apply stack secretive: 1 to add"),
        ("run 0", "aws_ssm_parameter.this"),
    ):
        assert any(text in content for name, content in places.items() if name.startswith(part)), (part, text)


def test_approval_of_a_destruction_names_every_resource(places: dict[str, str]) -> None:
    assert (
        "DESTROY everything in stack secretive: 0 to add, 0 to change, 1 to destroy. "
        "Destroys: aws_ssm_parameter.this. Plan "
    ) in places["gitops-secretive-destroy actions"]
