# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The info modules: what they give can be fed back, in as few calls as AWS allows."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.integration.modules.cases import CODEBUILD, CODEPIPELINE, CONNECTIONS, NOTIFICATION_RULES, RULES, Case
from tests.integration.modules.harness import REGION, Account, ModuleFailed, World, unique

INFO = [CODEBUILD, CODEPIPELINE, CONNECTIONS, NOTIFICATION_RULES, RULES]
every_info_module = pytest.mark.parametrize("case", INFO, ids=str)


@every_info_module
def test_what_is_read_can_be_fed_back(case: Case, account: Account, world: World) -> None:
    items = [case.new(world, unique("info"), tags={"a": "1"}), case.new(world, unique("info"))]
    arguments: dict[str, Any] = {case.plural: items}
    account.run(case.module, **arguments)
    names = [item["name"] for item in items]

    found = account.run(f"{case.module}_info", names=[*names, "nobody"])
    arguments[case.plural] = found[case.plural]
    fed_back = account.run(case.module, **arguments)

    assert not found["changed"]
    assert found["mutations"] == []
    assert [each["name"] for each in found[case.plural]] == names
    assert found[case.plural][0]["tags"] == {"a": "1"}
    assert found[case.plural][1]["tags"] == {}
    assert found["missing"] == ["nobody"]
    assert set(found["resources"]) == set(names)
    assert all(each["arn"].startswith("arn:aws:") for each in found["resources"].values())
    assert not fed_back["changed"], fed_back["diff"]
    assert fed_back["mutations"] == []


@every_info_module
def test_without_names_all_are_read(case: Case, account: Account, world: World) -> None:
    items = [case.new(world, unique("all")) for _ in range(2)]
    arguments: dict[str, Any] = {case.plural: items}
    account.run(case.module, **arguments)

    found = account.run(f"{case.module}_info")

    assert {item["name"] for item in items} <= {each["name"] for each in found[case.plural]}
    assert found["missing"] == []


@every_info_module
def test_no_names_are_no_calls(case: Case, account: Account) -> None:
    found = account.run(f"{case.module}_info", names=[])

    assert found[case.plural] == []
    assert found["resources"] == {}
    assert found["api_calls"] == {}


def test_rules_are_found_by_the_beginning_of_their_names(account: Account, world: World) -> None:
    common = unique("begins")
    items = [RULES.new(world, name, tags={"a": "1"}) for name in (f"{common}-1", f"{common}-2", unique("other"))]
    account.run("eventbridge_rules", rules=items)

    found = account.run("eventbridge_rules_info", name_prefix=f"rule-{common}-")
    nobody = account.run("eventbridge_rules_info", name_prefix=f"rule-{common}-x")

    assert [each["name"] for each in found["rules"]] == [f"rule-{common}-1", f"rule-{common}-2"]
    assert [bool(each["targets"]) for each in found["rules"]] == [True, True]
    assert [each["tags"] for each in found["rules"]] == [{"a": "1"}] * 2
    assert found["api_calls"] == {
        "events:ListRules": 1,
        "events:ListTargetsByRule": 2,
        "resourcegroupstaggingapi:GetResources": 1,
    }
    assert nobody["rules"] == []
    assert nobody["api_calls"] == {"events:ListRules": 1}


def test_notification_rules_are_described_once(account: Account, world: World) -> None:
    common = unique("begins")
    items = [NOTIFICATION_RULES.new(world, name) for name in (f"{common}-1", f"{common}-2", unique("other"))]
    account.run("codestar_notification_rules", notification_rules=items)

    found = account.run("codestar_notification_rules_info", name_prefix=items[0]["name"].removesuffix("1"))
    number = len(account.client("codestar-notifications").list_notification_rules()["NotificationRules"])

    assert [each["name"] for each in found["notification_rules"]] == [item["name"] for item in items[:2]]
    assert found["api_calls"] == {
        "codestar-notifications:DescribeNotificationRule": number,
        "codestar-notifications:ListNotificationRules": 1,
    }


def test_projects_take_one_call_for_a_hundred(account: Account, world: World) -> None:
    projects = [CODEBUILD.new(world, f"{unique('read')}-{number}") for number in range(101)]
    account.run("codebuild_projects", projects=projects)

    found = account.run("codebuild_projects_info", names=[project["name"] for project in projects])

    assert len(found["projects"]) == 101
    assert found["api_calls"] == {"codebuild:BatchGetProjects": 2}


def test_project_with_its_policy_and_its_webhook(account: Account, world: World) -> None:
    one = CODEBUILD.new(world, unique("policy"))
    one["source"] = {"type": "GITHUB", "location": "https://github.com/acme/modules"}
    one["artifacts"] = {"type": "NO_ARTIFACTS"}
    one["webhook"] = {"build_type": "BUILD"}
    one["resource_policy"] = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "codebuild:BatchGetProjects",
                "Resource": f"arn:aws:codebuild:{REGION}:123456789012:project/{one['name']}",
            }
        ],
    }
    account.run("codebuild_projects", projects=[one])

    plain = account.run("codebuild_projects_info", names=[one["name"]])
    full = account.run("codebuild_projects_info", names=[one["name"]], resource_policies=True)

    assert "resource_policy" not in plain["projects"][0]
    assert full["projects"][0]["resource_policy"] == one["resource_policy"]
    facts = full["resources"][one["name"]]
    assert facts["webhook_payload_url"].startswith("https://codebuild.")
    assert facts["webhook_url"].startswith("https://api.github.com/")
    assert set(facts) >= {"created", "last_modified"}
    assert not account.run("codebuild_projects", projects=full["projects"])["changed"]


def wait_for_an_execution(account: Account, name: str) -> None:
    """The first execution of a pipeline begins just after it is made."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        executions = account.client("codepipeline").list_pipeline_executions(pipelineName=name)
        if any(each["status"] != "InProgress" for each in executions["pipelineExecutionSummaries"]):
            return
        time.sleep(0.05)
    raise AssertionError(f"{name} has no execution that ended")


def test_state_and_executions_of_a_pipeline(account: Account, world: World) -> None:
    one = CODEPIPELINE.new(world, unique("state"), variables=[])  # one without a default would keep it from starting
    name = one["name"]
    account.run("codepipelines", pipelines=[one])
    wait_for_an_execution(account, name)
    client = account.client("codepipeline")
    client.disable_stage_transition(
        pipelineName=name, stageName=one["stages"][1]["name"], transitionType="Inbound", reason="frozen"
    )

    found: dict[str, Any] = account.run("codepipelines_info", names=[name])["resources"][name]

    assert found["version"] == 1
    assert found["created"] <= found["updated"]
    assert [stage["name"] for stage in found["stages"]] == [stage["name"] for stage in one["stages"]]
    source, second = found["stages"][:2]
    assert source["status"] == "Failed"
    assert source["actions"][0]["error"]
    assert source["execution_id"] == found["executions"][0]["id"]
    assert second["transition"] == {"enabled": False, "reason": "frozen"}
    assert found["executions"][0]["status"] == "Failed"
    assert found["executions"][0]["trigger_type"] == "CreatePipeline"


def test_calls_for_pipelines(account: Account, world: World) -> None:
    names = []
    for _ in range(4):
        one = CODEPIPELINE.new(world, unique("calls"), tags={"a": "1"})
        account.run("codepipelines", pipelines=[one])
        names.append(one["name"])

    plain = account.run("codepipelines_info", names=names, stages=False, executions=0)
    full = account.run("codepipelines_info", names=names)

    assert plain["api_calls"] == {"codepipeline:GetPipeline": 4, "resourcegroupstaggingapi:GetResources": 1}
    assert full["api_calls"] == {
        **plain["api_calls"],
        "codepipeline:GetPipelineState": 4,
        "codepipeline:ListPipelineExecutions": 4,
    }


def test_wrong_number_of_executions_is_refused_before_any_call(account: Account) -> None:
    with pytest.raises(ModuleFailed, match="executions: 101 is not between 0 and 100") as failure:
        account.run("codepipelines_info", executions=101)

    assert "api_calls" not in failure.value.result


def test_what_cannot_be_read_does_not_lose_the_others(account: Account, world: World) -> None:
    good = CODEPIPELINE.new(world, unique("good"))
    account.run("codepipelines", pipelines=[good])
    bad = unique("unreadable")

    with pytest.raises(ModuleFailed, match="codepipeline:GetPipeline") as failure:
        account.run("codepipelines_info", names=[good["name"], bad])

    result = failure.value.result
    assert [each["name"] for each in result["pipelines"]] == [good["name"]]
    assert list(result["unreadable"]) == [bad]
    assert result["missing"] == []


def test_two_connections_of_one_name_do_not_hide_the_others(account: Account) -> None:
    twice, once = unique("twice"), unique("once")
    client = account.client("codeconnections")
    arns = [
        client.create_connection(ConnectionName=name, ProviderType="GitHub")["ConnectionArn"]
        for name in (twice, twice, once)
    ]
    try:
        found = account.run("codeconnections_info")
    finally:
        client.delete_connection(ConnectionArn=arns[0])

    assert once in found["resources"]
    assert twice in found["unreadable"]
    assert twice not in found["resources"]
    assert "two have this name" in str(found["warnings"])
