# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was changed by hand of what a stack has built is found, all of it and nothing else, and no secret with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from local_estate import ACCOUNT, REGION, LocalAws, Person

from tests.e2e.estate import Estate, Execution, mutations
from tests.e2e.runs.conftest import DESCRIBE, OWN_VPC, Runs, own_parameter, set_up
from tests.e2e.test_credentials import expanded
from tests.integration.modules.harness import run_module

PIPELINE = "gitops-drifting-drift"
SECRETS = ("secret-before", "secret-by-hand")
PARAMETER = "/app/drifting"
OWN_SUBNETS = {
    "Effect": "Allow",
    "Action": ["ec2:CreateSubnet", "ec2:DeleteSubnet", "ec2:ModifySubnetAttribute"],
    "Resource": "*",
}


# Who may read states, and has the least that terraform_drift_info needs.
AUDITOR = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["codepipeline:ListActionExecutions", "codepipeline:ListPipelineExecutions"],
            "Resource": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{PIPELINE}",
        },
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::gitops-{ACCOUNT}-{REGION}-artifacts/*/drift/*",
        },
        {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*"},
    ],
}


def stacks() -> list[dict[str, Any]]:
    """The one that drifts, after one that is never applied."""
    own = own_parameter("drifting")
    own["plan_permissions"].append(DESCRIBE)
    own["apply_permissions"] += [OWN_VPC, OWN_SUBNETS]
    return [{"name": "first"}, {"name": "drifting", "after": ["first"], **own}]


@dataclass
class Looking(Runs):
    """An estate that looks for drift, and who may read what it found."""

    auditor: Person


@pytest.fixture(scope="module")
def looking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Looking]:
    """Such an estate, in an account of its own."""
    with LocalAws(tmp_path_factory.mktemp("local-aws-drift")).running() as aws:
        drift = {"schedule": ""}  # only when somebody asks
        auditor = aws.person("auditor", AUDITOR)
        made = set_up(aws, tmp_path_factory.mktemp("drift"), stacks(), drift=drift, state_readers=["user/auditor"])
        yield Looking(made.estate, made.repository, auditor)


@dataclass
class Found:
    """What came of it: before anything was changed by hand, after, and once more with code that is not applied yet.

    `reports` is what terraform_drift_info says each time, `etags` the state's ETag at the beginning and at the end,
    `calls` those of the builds.
    """

    commits: list[str]
    executions: list[Execution]
    reports: list[dict[str, Any]]
    etags: list[str]
    ids: dict[str, str]
    calls: list[dict[str, Any]]


def report(person: Person) -> dict[str, Any]:
    return run_module(
        "terraform_drift_info",
        {
            "region": REGION,
            "endpoint_url": person.endpoint_url,
            "access_key": person.access_key_id,
            "secret_key": person.secret_access_key,
            "pipelines": [{"name": PIPELINE, "stack": "drifting"}],
            "ignore_changes": ["aws_subnet.*:tags_all"],
        },
    )


def etag(estate: Estate) -> str:
    key = "drifting/terraform.tfstate"
    return str(estate.kept("s3").head_object(Bucket=estate.foundation["state_bucket"], Key=key)["ETag"])


def change_by_hand(estate: Estate) -> dict[str, str]:
    """A tag of one subnet, another subnet as a whole, and a secret; the ids of the subnets by name."""
    ec2, ssm = estate.administrator.client("ec2"), estate.kept("ssm")
    subnets = ec2.describe_subnets(Filters=[{"Name": "tag-key", "Values": ["Name"]}])["Subnets"]
    ids = {tag["Value"]: str(each["SubnetId"]) for each in subnets for tag in each["Tags"] if tag["Key"] == "Name"}
    ec2.create_tags(Resources=[ids["changed"]], Tags=[{"Key": "Name", "Value": "by hand"}])
    ec2.delete_subnet(SubnetId=ids["gone"])
    ssm.put_parameter(Name=PARAMETER, Value=SECRETS[1], Type="SecureString", Overwrite=True)
    return ids


@pytest.fixture(scope="module")
def found(looking: Looking) -> Found:
    estate = looking.estate
    before = report(looking.auditor)
    main = looking.write("drifting", "drifting")
    execution = looking.push("drifting")
    looking.waiting("drifting", execution)
    estate.approve("gitops-drifting")
    looking.ended("drifting", execution, "Succeeded")
    commits, etags, calls = [head(looking)], [etag(estate)], len(estate.aws.calls())
    executions, reports = [estate.run(PIPELINE)], [before, report(looking.auditor)]
    ids = change_by_hand(estate)
    executions.append(estate.run(PIPELINE))
    reports.append(report(looking.auditor))
    # Code that is merged and not applied, of this stack and of the one that it comes after.
    main.write_text(main.read_text().replace("kept =", "other ="))
    looking.write("first", "value")
    looking.push("first")
    commits.append(head(looking))
    executions.append(estate.run(PIPELINE))
    reports.append(report(looking.auditor))
    etags.append(etag(estate))
    builds = [call for call in estate.aws.calls()[calls:] if call["principal_arn"].endswith(tuple(names(executions)))]
    return Found(commits, executions, reports, etags, ids, builds)


def names(executions: list[Execution]) -> list[str]:
    """What the sessions of the executions' builds are called."""
    return ["/AWSCodeBuild-" + one.actions["Drift"].build_id.partition(":")[2] for one in executions]


def head(runs: Runs) -> str:
    return str(runs.repository.git("rev-parse", "HEAD")).strip()


def test_of_a_run_that_failed_nothing_is_known(found: Found) -> None:
    (stack,) = found.reports[0]["stacks"]

    # CodePipeline starts a new pipeline at once, and nobody had completed the connection.
    assert (stack["status"], found.reports[0]["complete"]) == ("failed", False)
    assert "Source: " in stack["message"]


def test_without_a_change_there_is_no_drift(found: Found, looking: Looking) -> None:
    execution, result = found.executions[0], found.reports[1]

    assert execution.status == "Succeeded", looking.estate.story(execution)
    assert execution.actions["Drift"].variables["DRIFT_COUNT"] == "0"
    assert execution.actions["Drift"].variables["PLAN_SUMMARY"] == "no drift"
    assert (result["drift"], result["ignored"], result["complete"]) == ([], [], True)


def test_exactly_what_was_changed_by_hand_is_found(found: Found, looking: Looking) -> None:
    execution, result = found.executions[1], found.reports[2]

    assert execution.status == "Succeeded", looking.estate.story(execution)
    assert result["complete"]
    by_address = {each["address"]: each for each in result["drift"]}
    assert set(by_address) == {'aws_subnet.this["changed"]', 'aws_subnet.this["gone"]', "aws_ssm_parameter.this"}
    changed = by_address['aws_subnet.this["changed"]']
    assert (changed["action"], changed["id"]) == ("changed", found.ids["changed"])
    assert changed["attributes"] == [{"path": "tags.Name", "before": "changed", "after": "by hand", "sensitive": False}]
    assert changed["ignored"] == ["tags_all.Name"]
    gone = by_address['aws_subnet.this["gone"]']
    assert (gone["action"], gone["id"], gone["attributes"]) == ("ghost", found.ids["gone"], [])
    parameter = by_address["aws_ssm_parameter.this"]
    assert [one["path"] for one in parameter["attributes"] if one["sensitive"]] == ["value"]
    assert [(one["path"], one["after"]) for one in parameter["attributes"] if not one["sensitive"]] == [("version", 2)]
    variables = execution.actions["Drift"].variables
    assert variables["DRIFT_COUNT"] == "3"
    assert variables["PLAN_SUMMARY"] == "2 changed, 1 gone outside of Terraform"
    assert variables["PLAN_EFFECTS"].endswith('Gone: aws_subnet.this["gone"].')


def test_what_is_merged_and_not_applied_is_no_drift(found: Found, looking: Looking) -> None:
    execution = found.executions[2]

    assert execution.status == "Succeeded", looking.estate.story(execution)
    assert found.reports[3]["drift"] == found.reports[2]["drift"]
    for result in found.reports[1:]:
        (stack,) = result["stacks"]
        assert (stack["commit"], stack["applied"]) == (found.commits[0], True)
    assert found.commits[1] != found.commits[0]


def test_the_state_is_as_it_was_and_nothing_was_locked(found: Found) -> None:
    assert found.etags[0] == found.etags[1]
    assert len([call for call in found.calls if call["action"] == "ec2:DescribeSubnets"]) >= 3
    written = {call.rpartition("/")[0] if "/drift/" in call else call.split()[0] for call in mutations(found.calls)}
    artifacts = [call for call in written if call.startswith("s3:PutObject")]
    assert written - {*artifacts} <= {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert artifacts
    assert all(call.endswith("/gitops-drifting-drif/drift") for call in artifacts), artifacts


def test_no_secret_is_left_anywhere(found: Found, looking: Looking) -> None:
    estate, places = looking.estate, dict[str, str]()
    api, bucket = estate.administrator.client("codepipeline"), estate.foundation["artifact_bucket"]
    places["actions"] = json.dumps(api.list_action_executions(pipelineName=PIPELINE), default=str)
    places["state"] = json.dumps(api.get_pipeline_state(name=PIPELINE), default=str)
    places["reports"] = json.dumps(found.reports)
    for execution in found.executions:
        places.update({f"log {build}": log for build, log in estate.logs(execution).items()})
    s3 = estate.kept("s3")
    for entry in s3.list_object_versions(Bucket=bucket, Prefix="gitops-drifting-drif/drift/")["Versions"]:
        places[entry["Key"]] = expanded(s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read())
    for file in estate.aws.data.iterdir():
        if file.is_file():
            places[file.name] = file.read_text(errors="replace")

    assert [name for name, text in places.items() if any(secret in text for secret in SECRETS)] == []
    # The search has looked where such a value would be.
    assert sum('"aws_ssm_parameter.this"' in text for name, text in places.items() if "/drift/" in name) == 2
    assert sum("(sensitive value)" in text for name, text in places.items() if name.startswith("log ")) == 2
    assert "secret-before" in json.dumps(estate.state("drifting"))


def test_who_may_not_read_states_may_not_read_what_was_found(found: Found, looking: Looking) -> None:
    assert found.executions
    (stack,) = report(looking.estate.administrator)["stacks"]

    assert stack["status"] == "failed"
    assert "AccessDenied" in stack["message"]
