# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The account looks for drift itself: a schedule starts the pipeline, somebody approves, and an instance is stopped."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from local_estate import ACCOUNT, REGION, LocalAws

from tests.e2e.estate import Execution
from tests.e2e.runs.conftest import Runs, own_parameter, set_up

CENTRAL = "gitops-drift"
IMAGE = "aws/codebuild/amazonlinux-x86_64-standard"
DRIFT: dict[str, Any] = {
    "schedule": "rate(15 minutes)",
    "removal": True,
    "scope": {"account": True},
    "types": ["aws_instance"],
    "min_age_hours": 0,
}
# What an entry of the reviewed file would do if any of the playbooks took it for a template.
REVIEWED = """\
entries:
  - match: {{name: "nobody-*"}}
    kind: protect
    owner: somebody
    reason: "{{{{ lookup('ansible.builtin.pipe', 'echo ran >> {made}') }}}}"
    expires: 2099-12-31
"""


@pytest.fixture(scope="module")
def looking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """An estate of its own that looks for drift, with one stack that is applied, and the image of its builds."""
    aws = LocalAws(tmp_path_factory.mktemp("local-aws-drift"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCAL_AWS_MINUTE_SECONDS", "4")
        aws.start()
    try:
        aws.command("map-image", IMAGE, str(image(tmp_path_factory.mktemp("image"))))
        directory = tmp_path_factory.mktemp("drift")
        reviewed = directory / "reviewed.yml"
        reviewed.write_text(REVIEWED.format(made=directory / "made-by-a-template"), encoding="utf-8")
        settings = {**DRIFT, "entries": str(reviewed)}
        runs = set_up(aws, directory, [{**own_parameter("base"), "name": "base"}], drift=settings)
        runs.write("base", "parameter")
        runs.waiting("base", execution := runs.push("base"))
        runs.estate.approve("gitops-base")
        runs.ended("base", execution, "Succeeded")
        yield runs
    finally:
        aws.command("down")


def image(directory: Path) -> Path:
    """An image that has Ansible: the tests are offline. A script there starts its Python by an absolute path."""
    ansible = shutil.which("ansible-playbook")
    assert ansible
    (directory / "ansible-playbook").symlink_to(ansible)
    return directory


def waiting_of_schedule(runs: Runs, seconds: int = 600) -> Execution:
    """The execution that a schedule has started and that waits for approval."""
    estate, deadline = runs.estate, time.monotonic() + seconds
    api = estate.administrator.client("codepipeline")
    seen: list[str] = []
    while time.monotonic() < deadline:
        found_now = api.list_pipeline_executions(pipelineName=CENTRAL)["pipelineExecutionSummaries"]
        seen = [f"{one['pipelineExecutionId']} {one['status']}" for one in found_now]
        for one in found_now:
            if one["trigger"]["triggerType"] == "StartPipelineExecution":
                found = estate.look(CENTRAL, one["pipelineExecutionId"])
                assert found.status != "Failed", story(runs, found)
                if found.waits:
                    return found
        time.sleep(0.5)
    raise AssertionError(f"no execution of a schedule waits for approval: {seen}")


def story(runs: Runs, execution: Execution) -> str:
    """What happened, for the message of a failed test."""
    codebuild = runs.estate.administrator.client("codebuild")
    logs = []
    for step in ("scan", "act"):
        for build in codebuild.list_builds_for_project(projectName=f"{CENTRAL}-{step}")["ids"][:1]:
            logs.append(runs.estate.log(build))
    return "\n".join([str(execution), *logs])


def plant(runs: Runs) -> str:
    """An instance that somebody made by hand, without a tag; its id."""
    ec2 = runs.estate.administrator.client("ec2")
    image_id = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    answer = ec2.run_instances(ImageId=image_id, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    return str(answer["Instances"][0]["InstanceId"])


def state_of(runs: Runs, instance: str) -> str:
    reservations = runs.estate.administrator.client("ec2").describe_instances(InstanceIds=[instance])["Reservations"]
    return str(reservations[0]["Instances"][0]["State"]["Name"])


def disable_schedules(runs: Runs) -> None:
    api = runs.estate.administrator.client("scheduler")
    for one in api.list_schedules(GroupName="gitops")["Schedules"]:
        found = api.get_schedule(GroupName="gitops", Name=one["Name"])
        kept = ("ScheduleExpression", "ScheduleExpressionTimezone", "FlexibleTimeWindow", "Target", "Description")
        given = {name: found[name] for name in kept}
        api.update_schedule(GroupName="gitops", Name=one["Name"], State="DISABLED", **given)


def test_the_account_finds_what_somebody_made_by_hand_and_stops_it_once_it_is_approved(looking: Runs) -> None:
    estate = looking.estate
    again = estate.site()
    instance = plant(looking)
    waits = waiting_of_schedule(looking)
    disable_schedules(looking)

    assert again.mutations == []
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{instance}"
    scan = waits.actions["Scan"].variables
    assert scan["PLAN_COUNT"] == "1"
    assert scan["PLAN_EFFECTS"] == f"quarantine aws_instance {instance}"
    assert f"quarantine aws_instance {instance}" in waits.actions["Approve"].message
    assert scan["PLAN_DIGEST"][:12] == scan["PLAN_ID"]
    assert scan["UNMANAGED_SUMMARY"].endswith(" unmanaged")
    assert re.fullmatch("[0-9a-f]{12}", scan["UNMANAGED_ID"])
    assert state_of(looking, instance) == "running"

    estate.approve(CENTRAL)
    ended = estate.wait(CENTRAL, waits.id)

    assert ended.status == "Succeeded", story(looking, ended)
    assert state_of(looking, instance) == "stopped", story(looking, ended)
    bucket = estate.foundation["state_bucket"]
    ledger = json.loads(estate.kept("s3").get_object(Bucket=bucket, Key="gitops-drift/ledger.json")["Body"].read())
    assert list(ledger["quarantined"]) == [arn]
    # Nobody holds a lock afterwards, and the state is as it was.
    keys = [one["Key"] for one in estate.kept("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    assert not [key for key in keys if key.endswith(".tflock")]


def test_a_scan_with_nothing_to_do_asks_nobody(looking: Runs) -> None:
    ended = looking.estate.wait(CENTRAL, looking.estate.start(CENTRAL))

    assert ended.status == "Succeeded", story(looking, ended)
    assert set(ended.actions) == {"Source", "Scan"}
    assert ended.actions["Scan"].variables["PLAN_COUNT"] == "0"


def test_on_demand_it_reports_and_writes_nothing_into_the_account(looking: Runs, tmp_path: Path) -> None:
    estate = looking.estate
    policy = (estate.directory / "policies" / "drift_scan.json").read_text()
    estate.administrator.client("iam").put_user_policy(UserName="installer", PolicyName="drift", PolicyDocument=policy)

    run = estate.playbook("drift.yml", estate.installer, directory=str(tmp_path / "reports"), start_drift=True)

    assert not run.failed, run.output
    assert {file.suffix for file in (tmp_path / "reports").iterdir()} == {".txt", ".json", ".md", ".xml", ".html"}
    assert [one for one in run.mutations if "StartPipelineExecution" not in one] == []


def quarantined(runs: Runs) -> list[str]:
    """ARNs of what the ledger has in quarantine."""
    answer = runs.estate.kept("s3").get_object(
        Bucket=runs.estate.foundation["state_bucket"], Key="gitops-drift/ledger.json"
    )
    return list(json.loads(answer["Body"].read())["quarantined"])


def test_teardown_refuses_while_something_is_in_quarantine(looking: Runs) -> None:
    (arn,) = quarantined(looking)

    run = looking.estate.playbook("teardown.yml", looking.estate.installer, confirm="gitops")

    assert run.failed
    assert run.mutations == []
    assert f"{arn} is in quarantine, and only the ledger in the state bucket knows how to undo that" in run.text
    assert f"-e drift_action=restore -e confirm={ACCOUNT}" in run.text


def test_an_installer_plans_and_restores_and_leaves_applying_to_the_pipeline(looking: Runs) -> None:
    """With exactly the documents that policies.yml writes for it, beside those of who runs site.yml."""
    estate = looking.estate
    for name in ("drift_scan", "drift_act"):
        policy = (estate.directory / "policies" / f"{name}.json").read_text()
        estate.administrator.client("iam").put_user_policy(UserName="installer", PolicyName=name, PolicyDocument=policy)
    (arn,) = quarantined(looking)
    planted = plant(looking)

    plan = estate.playbook("drift.yml", estate.installer, drift_action="plan")
    assert not plan.failed, plan.output
    digest = re.search(r"digest=([0-9a-f]{64})", plan.text)
    assert digest, plan.output
    assert planted in plan.text
    apply = estate.playbook("drift.yml", estate.installer, drift_action="apply", digest=digest[1], confirm=ACCOUNT)
    restore = estate.playbook("drift.yml", estate.installer, drift_action="restore", confirm=ACCOUNT)

    assert apply.failed
    assert "state base/terraform.tfstate: PutObject failed with AccessDenied" in apply.text
    assert "In a sealed estate only the pipeline that looks for drift takes these locks: approve its plan" in apply.text
    assert [one for one in apply.mutations if ".tflock" not in one and "table/" not in one] == []
    assert state_of(looking, planted) == "running"
    assert not restore.failed, restore.output
    assert state_of(looking, arn.rpartition("/")[2]) == "running"
    assert quarantined(looking) == []
    assert [one for one in restore.mutations if one.startswith("ec2:")] == [f"ec2:StartInstances {arn}"]


def test_what_the_reviewed_file_says_was_never_a_template(looking: Runs) -> None:
    """Neither where the playbooks of the tests before ran, nor in a build."""
    bucket = looking.estate.foundation["state_bucket"]
    packed = looking.estate.kept("s3").get_object(Bucket=bucket, Key="gitops-drift/source/source.zip")["Body"].read()

    assert b"lookup('ansible.builtin.pipe', 'echo ran" in packed
    assert not (looking.estate.directory / "made-by-a-template").exists()


def test_without_drift_nothing_of_it_stays(looking: Runs) -> None:
    estate = looking.estate
    estate.settings["drift"] = None
    before = estate.site()
    again = estate.site()

    assert before.recap["failed"] == 0
    assert again.mutations == []
    administrator = estate.administrator
    pipelines = administrator.client("codepipeline").list_pipelines()["pipelines"]
    assert {one["name"] for one in pipelines} == {"gitops-base", "gitops-base-destroy"}
    assert not [one for one in administrator.client("codebuild").list_projects()["projects"] if "drift" in one]
    roles = administrator.client("iam").list_roles()["Roles"]
    assert not [one["RoleName"] for one in roles if "drift" in one["RoleName"]]
    groups = administrator.client("scheduler").list_schedule_groups()["ScheduleGroups"]
    assert [one["Name"] for one in groups] == ["default"]
