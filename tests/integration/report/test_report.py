# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""report.yml on an estate as site.yml makes it, run by who has the policy that is rendered for that, and no more."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from local_estate import ACCOUNT, REGION, LocalAws, Person, people_policies

from tests.e2e.estate import Estate, Run, allow, new_person, root
from tests.integration.modules.running import eventually

ESTATE = "shown"
STACKS = ("network", "website", "locked")
LOCK = {"ID": "b7f6ddaf", "Operation": "OperationTypeApply", "Who": "root@6f1c", "Created": "2026-11-20T16:05:40.1Z"}


@dataclass
class Office:
    """The estate, and who reports on it."""

    estate: Estate
    reporter: Person
    folder: Path

    def play(self, *arguments: str, **variables: Any) -> Run:
        return self.estate.playbook(
            "report.yml", self.reporter, *arguments, **{"directory": str(self.folder), **variables}
        )

    def status(self) -> dict[str, Any]:
        """What the JSON says."""
        found: dict[str, Any] = json.loads((self.folder / "estate.json").read_text())
        return found


@pytest.fixture(scope="module")
def office(local_aws: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Office:
    """Each pipeline has run once, when it was made, and failed: nobody has completed the connection."""
    directory = tmp_path_factory.mktemp("estate")
    aws = LocalAws(local_aws[1])
    aws.endpoint_url = local_aws[0]
    administrator = aws.person("report-administrator", allow(["*"], ["*"]))
    settings = {
        "name": ESTATE,
        "region": REGION,
        "connection": ESTATE,
        "installers": ["user/report-administrator"],
        "drift": {"schedule": ""},
    }
    stacks = [{"name": name, "repository": "acme/infrastructure", "path": name} for name in STACKS]
    estate = Estate(aws, administrator, directory, settings, stacks, installer=administrator)
    estate.keeper = root(aws.endpoint_url)
    estate.site()
    rendered = estate.playbook("policies.yml", None, account_id=ACCOUNT, directory=str(directory / "policies"))
    assert not rendered.failed, rendered.output
    policy = people_policies(directory / "policies", "reporter")["reporter"]
    reporter = new_person(administrator, f"{ESTATE}-reporter", policy)

    def ended() -> bool:
        answer = administrator.client("codepipeline").list_pipeline_executions(pipelineName=f"{ESTATE}-{STACKS[-1]}")
        return bool(answer["pipelineExecutionSummaries"][0]["status"] == "Failed")

    eventually(ended)
    foundation = estate.foundation
    item = {"LockID": {"S": f"{foundation['state_bucket']}/locked/terraform.tfstate"}, "Info": {"S": json.dumps(LOCK)}}
    estate.kept("dynamodb").put_item(TableName=foundation["lock_table"], Item=item)
    return Office(estate, reporter, tmp_path_factory.mktemp("reports") / "report")


def test_the_policy_is_enough_and_the_calls_are_few(office: Office) -> None:
    run = office.play()

    assert not run.failed, run.output
    assert run.mutations == []
    assert {call["action"] for call in run.calls if call["error_code"] == "AccessDenied"} == set(), run.output
    counted = Counter(call["action"] for call in run.calls if call["action"].startswith(("codepipeline:", "dynamodb:")))
    assert counted == {
        "codepipeline:ListPipelineExecutions": 3,
        "codepipeline:GetPipelineState": 3,  # all have failed
        "codepipeline:ListActionExecutions": 4,  # of each that looks for drift, and of the account's
        "dynamodb:Scan": 1,
    }
    status = office.status()
    assert {stack["name"]: stack["flags"][:2] for stack in status["stacks"]}["locked"] == ["failing", "locked"]
    assert status["counts"]["failing"] == 3
    assert all(stack["runs"][0]["result"] == "failed" for stack in status["stacks"])
    assert {file.name: file.stat().st_mode & 0o777 for file in office.folder.iterdir()} == dict.fromkeys(
        ("estate.html", "estate.json", "estate.md"), 0o640
    )
    assert "3 stacks: 3 failing, 1 locked" in run.output
    assert "root@6f1c (apply)" in run.output


def test_only_the_stacks_that_are_asked_for(office: Office) -> None:
    for wanted in ("network, website", ["website", "network"]):
        run = office.play(stacks=wanted, runs="5")

        assert not run.failed, run.output
        assert [stack["name"] for stack in office.status()["stacks"]] == ["network", "website"]


def test_a_stack_that_there_is_not_is_refused(office: Office) -> None:
    run = office.play(stacks="netwrk")

    assert run.failed
    assert "stacks: 'netwrk' (did you mean network?) is not among the stacks" in run.text
    assert "-e stacks=all" in run.text
    assert run.calls == []


def test_a_check_run_writes_nothing(office: Office, tmp_path: Path) -> None:
    run = office.play("--check", directory=str(tmp_path / "checked"), bucket="any")

    assert not run.failed, run.output
    assert not (tmp_path / "checked").exists()
    assert f"{tmp_path}/checked/estate.html would be written" in run.text


def test_a_report_of_nothing_is_not_written(office: Office, tmp_path: Path) -> None:
    nobody = new_person(office.estate.administrator, f"{ESTATE}-nobody", allow(["sts:GetCallerIdentity"], ["*"]))

    run = Office(office.estate, nobody, tmp_path / "report").play()

    assert run.failed
    assert "Nothing was written: no stack's pipeline could be read. pipeline shown-network: ListPipelineExecutions" in (
        run.text
    )
    assert "Who runs this needs reporter.json, which gitops.aws.policies writes" in run.text
    assert not (tmp_path / "report").exists()


def test_into_a_private_bucket_only(office: Office) -> None:
    s3, name = office.estate.administrator.client("s3"), "shown-reports"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    # What docs/report.md says that it takes.
    own = [
        {"Effect": "Allow", "Action": "s3:GetBucketPublicAccessBlock", "Resource": f"arn:aws:s3:::{name}"},
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{name}"},
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": f"arn:aws:s3:::{name}/*"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": own})
    office.estate.administrator.client("iam").put_user_policy(
        UserName=office.reporter.name, PolicyName="bucket", PolicyDocument=policy
    )

    put = office.play(bucket=name, prefix="reports/")
    assert not put.failed, put.output
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=name)["Contents"]]
    assert keys == ["reports/estate.html", "reports/estate.json", "reports/estate.md"]
    assert s3.head_object(Bucket=name, Key=keys[0])["ServerSideEncryption"] == "AES256"

    s3.delete_public_access_block(Bucket=name)
    refused = office.play(bucket=name, prefix="other/")
    assert refused.failed
    assert "does not block public access" in refused.text
    assert refused.mutations == []
