# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions hold executions at stages: what their rules check, what they lead to, and how they are overridden."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import (
    LocalAws,
    Repository,
    Running,
    allow,
    approval_action,
    condition,
    eventually,
    rule,
    source_action,
    unique,
)

Make = Callable[..., Running]
CLOSED = {"provider": "DeploymentWindow", "Cron": "* * * * * ? 2199"}


@pytest.fixture
def make(create: Make, repository: Repository, connection: str) -> Make:
    """Make a pipeline Source -> Approve -> Last with a variable; keyword arguments go into the stage Approve."""

    def made(statements: list[dict[str, Any]] | None = None, **stage: Any) -> Running:
        source = source_action(connection, repository.full_name, DetectChanges="false")
        return create(
            statements,
            stages=[
                {"name": "Source", "actions": [source]},
                {"name": "Approve", "actions": [approval_action()]} | stage,
                {"name": "Last", "actions": [approval_action()]},
            ],
            variables=[{"name": "who", "defaultValue": "nobody"}],
        )

    return made


def who(value: str, operator: str = "EQ", name: str = "Check") -> dict[str, Any]:
    """A rule on the variable who."""
    return rule(name=name, Variable="#{variables.who}", Value=value, Operator=operator)


def override(running: Running, execution: str, place: str) -> None:
    running.api.override_stage_condition(
        pipelineName=running.name, stageName="Approve", pipelineExecutionId=execution, conditionType=place
    )


def not_overridden(running: Running, execution: str, place: str) -> str:
    with pytest.raises(ClientError) as caught:
        override(running, execution, place)
    return str(caught.value.response["Error"]["Code"])


def state(running: Running, place: str) -> dict[str, Any]:
    """The state of the condition at a place of the stage Approve."""
    found: dict[str, Any] = running.stage("Approve")[f"{place}ConditionState"]
    return found


def rules(running: Running, execution: str) -> list[dict[str, Any]]:
    """Details of rule executions, oldest first."""
    found = running.api.list_rule_executions(pipelineName=running.name, filter={"pipelineExecutionId": execution})[
        "ruleExecutionDetails"
    ]
    return list(reversed(found))


def test_an_entry_condition_fails_the_stage_until_it_is_overridden(make: Make) -> None:
    running = make(beforeEntry=condition("FAIL", who("Ada"), who("nobody", name="Other")))
    first = running.first()
    assert running.ends(first) == "Failed"
    assert "beforeEntry" in running.execution(first)["statusSummary"]
    assert running.stage("Approve")["latestExecution"]["status"] == "Failed"
    assert "Ok" not in running.actions(first)
    found = state(running, "beforeEntry")
    assert found["latestExecution"] == {"status": "Failed", "summary": "Check: 'nobody' EQ 'Ada' is false"}
    (one,) = found["conditionStates"]
    assert one["latestExecution"].pop("lastStatusChange")
    assert one["latestExecution"] == found["latestExecution"]
    assert [item["ruleName"] for item in one["ruleStates"]] == ["Check", "Other"]
    assert one["ruleStates"][0]["latestExecution"]["status"] == "Failed"

    assert not_overridden(running, first, "ON_SUCCESS") == "ConditionNotOverridableException"
    override(running, first, "BEFORE_ENTRY")
    running.answer(running.token(first))
    assert state(running, "beforeEntry")["latestExecution"]["status"] == "Overridden"
    assert not_overridden(running, first, "BEFORE_ENTRY") == "ConditionNotOverridableException"
    running.answer(running.token(first, "Last"), stage="Last")
    assert running.ends(first) == "Succeeded"

    second = running.start(variables=[{"name": "who", "value": "Ada"}])
    assert running.ends(second) == "Failed"  # the other rule is not met now
    assert not_overridden(running, first, "BEFORE_ENTRY") == "NotLatestPipelineExecutionException"
    assert [(item["ruleName"], item["status"]) for item in rules(running, second)][1] == ("Other", "Failed")


def test_a_retry_asks_an_entry_condition_that_failed_again(make: Make) -> None:
    running = make(beforeEntry=condition("FAIL", who("Ada")))
    first = running.first()
    retry = {
        "pipelineName": running.name,
        "stageName": "Approve",
        "pipelineExecutionId": first,
        "retryMode": "FAILED_ACTIONS",
    }
    assert running.ends(first) == "Failed"
    running.api.retry_stage_execution(**retry)
    assert running.ends(first) == "Failed"
    assert len(rules(running, first)) == 2
    second = running.start(variables=[{"name": "who", "value": "Ada"}])
    running.answer(running.token(second), "Rejected")
    assert running.ends(second) == "Failed"
    running.api.retry_stage_execution(**retry | {"pipelineExecutionId": second})
    running.token(second)
    assert len(rules(running, second)) == 1  # it let the execution in already


def test_an_entry_condition_skips_the_stage(make: Make) -> None:
    running = make(beforeEntry=condition("SKIP", who("Ada")))
    first = running.first()
    running.answer(running.token(first, "Last"), stage="Last")
    assert running.ends(first) == "Succeeded"
    assert running.stage("Approve")["latestExecution"]["status"] == "Skipped"
    assert state(running, "beforeEntry")["latestExecution"]["status"] == "Failed"
    assert running.actions(first)["Ok"]["stageName"] == "Last"
    assert "statusSummary" not in running.execution(first)
    assert not_overridden(running, first, "BEFORE_ENTRY") == "ConditionNotOverridableException"
    with pytest.raises(running.api.exceptions.StageNotRetryableException):
        running.api.retry_stage_execution(
            pipelineName=running.name, stageName="Approve", pipelineExecutionId=first, retryMode="ALL_ACTIONS"
        )
    second = running.start(variables=[{"name": "who", "value": "Ada"}])
    running.token(second)
    assert state(running, "beforeEntry")["latestExecution"] == {"status": "Succeeded"}


def test_a_success_condition_fails_the_stage_until_it_is_overridden(make: Make) -> None:
    running = make(onSuccess=condition("FAIL", who("Ada")))
    first = running.first()
    assert state(running, "onSuccess") == {"conditionStates": [{"ruleStates": [{"ruleName": "Check"}]}]}
    running.answer(running.token(first))
    assert running.ends(first) == "Failed"
    assert running.stage("Approve")["latestExecution"]["status"] == "Failed"
    assert running.actions(first)["Ok"]["status"] == "Succeeded"
    assert state(running, "onSuccess")["latestExecution"]["status"] == "Failed"
    override(running, first, "ON_SUCCESS")
    running.answer(running.token(first, "Last"), stage="Last")  # without another approval of this stage
    assert running.ends(first) == "Succeeded"
    assert running.stage("Approve")["latestExecution"]["status"] == "Succeeded"
    assert state(running, "onSuccess")["latestExecution"]["status"] == "Overridden"


def test_a_success_condition_rolls_the_stage_back(make: Make) -> None:
    running = make(onSuccess=condition("ROLLBACK", who("nobody")))
    first = running.first()
    running.answer(running.token(first))
    running.answer(running.token(first, "Last"), stage="Last")
    assert running.ends(first) == "Succeeded"
    second = running.start(variables=[{"name": "who", "value": "Ada"}])
    running.answer(running.token(second))
    assert running.ends(second) == "Failed"
    back = running.stage("Approve")["latestExecution"]["pipelineExecutionId"]
    running.answer(running.token(back))
    assert running.ends(back) == "Succeeded"
    execution = running.execution(back)
    assert execution["trigger"]["triggerType"] == "AutomatedRollback"
    assert execution["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": first}
    assert not_overridden(running, second, "ON_SUCCESS") == "NotLatestPipelineExecutionException"


def test_a_failure_condition_decides_about_the_rollback(make: Make) -> None:
    running = make(onFailure=condition("ROLLBACK", who("Ada")))
    first = running.first()
    running.answer(running.token(first))
    running.answer(running.token(first, "Last"), stage="Last")
    running.ends(first)
    assert rules(running, first) == []
    second = running.start(variables=[{"name": "who", "value": "Ada"}])
    running.answer(running.token(second), "Rejected")
    assert running.ends(second) == "Failed"
    assert state(running, "onFailure")["latestExecution"]["status"] == "Succeeded"
    assert running.stage("Approve")["latestExecution"]["pipelineExecutionId"] == second
    third = running.start()
    running.answer(running.token(third), "Rejected")
    assert running.ends(third) == "Failed"
    assert state(running, "onFailure")["latestExecution"]["status"] == "Failed"
    back = running.stage("Approve")["latestExecution"]
    assert back["type"] == "ROLLBACK"
    assert running.execution(back["pipelineExecutionId"])["rollbackMetadata"] == {
        "rollbackTargetPipelineExecutionId": first
    }


@pytest.mark.parametrize(
    ("operator", "value", "met"),
    [
        ("EQ", "nobody", True),
        ("EQ", "body", False),
        ("NE", "body", True),
        ("NE", "nobody", False),
        ("CONTAINS", "bod", True),
        ("CONTAINS", "Bod", False),
        ("MATCHES", "no[a-o]+y", True),
        ("MATCHES", "no", False),
        ("EQ", "#{variables.who}", True),
    ],
)
def test_variable_checks(operator: str, value: str, met: bool, make: Make) -> None:
    running = make(beforeEntry=condition("SKIP", who(value, operator)))
    first = running.first()
    running.token(first, "Approve" if met else "Last")
    (found,) = rules(running, first)
    assert found["status"] == ("Succeeded" if met else "Failed")
    assert found["stageName"] == "Approve"
    assert found["input"]["configuration"]["Variable"] == "#{variables.who}"
    assert found["input"]["resolvedConfiguration"]["Variable"] == "nobody"
    summary = found["output"]["executionResult"]["externalExecutionSummary"]
    assert summary.startswith(f"'nobody' {operator} ")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (who("[", "MATCHES"), "not a valid regular expression"),
        (rule(Variable="#{src.Nothing}", Value="a", Operator="EQ"), "VariableReferenceText=[src.Nothing]"),
        (rule(Variable="a", Value="a", Operator="#{variables.who}"), "Operator 'nobody' is none of"),
        (rule("Commands") | {"commands": ["true"]}, "Rules of provider Commands are not part of local AWS"),
        (rule("LambdaInvoke", FunctionName="f"), "Rules of provider LambdaInvoke are not part of local AWS"),
        (rule("CodeBuild", ProjectName="p"), "Rules of provider CodeBuild are not part of local AWS"),
        (who("nobody") | {"region": "us-east-1"}, "in another region are not part of local AWS"),
    ],
)
def test_rules_that_cannot_be_checked(wrong: dict[str, Any], message: str, make: Make) -> None:
    running = make(beforeEntry=condition("FAIL", wrong))
    first = running.first()
    assert running.ends(first) == "Failed"
    assert state(running, "beforeEntry")["latestExecution"]["status"] == "Errored"
    (found,) = rules(running, first)
    assert message in found["output"]["executionResult"]["errorDetails"]["message"]
    assert message in running.execution(first)["statusSummary"]
    override(running, first, "BEFORE_ENTRY")
    running.token(first)


def test_success_conditions_know_the_variables_of_their_stage(
    create: Make, connection: str, repository: Repository
) -> None:
    running = create(
        stages=[
            {
                "name": "Source",
                "actions": [source_action(connection, repository.full_name)],
                "onSuccess": condition("FAIL", rule(Variable="#{src.BranchName}", Value="main", Operator="EQ")),
            },
            {"name": "Approve", "actions": [approval_action()]},
        ]
    )
    running.token(running.first())
    assert running.stage("Source")["onSuccessConditionState"]["latestExecution"]["status"] == "Succeeded"


def waits(running: Running, execution: str) -> None:
    """Wait until an execution waits for its deployment window."""
    eventually(lambda: [item["status"] for item in rules(running, execution)] == ["InProgress"])
    assert state(running, "beforeEntry")["latestExecution"] == {"status": "InProgress"}
    assert running.stage("Approve")["latestExecution"]["status"] == "InProgress"


def test_a_deployment_window(make: Make) -> None:
    running = make(beforeEntry=condition("FAIL", rule("DeploymentWindow", Cron="* * * * * ?", TimeZone="EST")))
    running.token(running.first())

    running = make(beforeEntry=condition("FAIL", rule(**CLOSED)))
    first = running.first()
    waits(running, first)
    override(running, first, "BEFORE_ENTRY")
    running.answer(running.token(first))
    assert [item["status"] for item in rules(running, first)] == ["Abandoned"]
    assert state(running, "beforeEntry")["latestExecution"]["status"] == "Overridden"

    for abandon, status in ((False, "Cancelled"), (True, "Abandoned")):
        stopped = running.start()
        waits(running, stopped)
        running.api.stop_pipeline_execution(
            pipelineName=running.name, pipelineExecutionId=stopped, abandon=abandon, reason="no"
        )
        assert running.ends(stopped) == "Stopped"
        assert running.stage("Approve")["latestExecution"]["status"] == "Stopped"
        assert state(running, "beforeEntry")["latestExecution"]["status"] == status


def test_one_failed_rule_decides(make: Make) -> None:
    running = make(beforeEntry=condition("FAIL", rule(name="Window", **CLOSED), who("Ada")))
    first = running.first()
    assert running.ends(first) == "Failed"
    assert {item["ruleName"]: item["status"] for item in rules(running, first)} == {
        "Window": "Abandoned",
        "Check": "Failed",
    }


def test_an_alarm(make: Make, local_aws: LocalAws, connection: str, artifact_bucket: str) -> None:
    cloudwatch, alarm = local_aws.client("cloudwatch"), unique("alarm")
    cloudwatch.put_metric_alarm(
        AlarmName=alarm,
        MetricName="Errors",
        Namespace="Test",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")
    enough = [
        allow("codeconnections:UseConnection", connection),
        allow("s3:PutObject*", f"arn:aws:s3:::{artifact_bucket}/*"),
    ]
    running = make(enough, beforeEntry=condition("FAIL", rule("CloudWatchAlarm", AlarmName=alarm)))
    retry = {"pipelineName": running.name, "stageName": "Approve", "retryMode": "ALL_ACTIONS"}
    first = running.first()
    assert running.ends(first) == "Failed"
    (found,) = rules(running, first)
    error = found["output"]["executionResult"]["errorDetails"]
    assert (error["code"], "cloudwatch:DescribeAlarms" in error["message"]) == ("PermissionError", True)

    local_aws.policy(running.role, *enough, allow("cloudwatch:DescribeAlarms"))
    running.api.retry_stage_execution(**retry, pipelineExecutionId=first)
    assert running.ends(first) == "Failed"
    assert state(running, "beforeEntry")["latestExecution"] == {
        "status": "Failed",
        "summary": f"Check: The alarm {alarm} is in the state ALARM",
    }
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="OK", StateReason="test")
    running.api.retry_stage_execution(**retry, pipelineExecutionId=first)
    running.answer(running.token(first))

    # While it waits, the alarm goes into one of the states that it watches for.
    watching = make(
        [*enough, allow("cloudwatch:DescribeAlarms")],
        beforeEntry=condition(
            "FAIL", rule("CloudWatchAlarm", AlarmName=alarm, WaitTime="5", AlarmStates="ALARM, INSUFFICIENT_DATA")
        ),
    )
    first = watching.first()
    waits(watching, first)
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="INSUFFICIENT_DATA", StateReason="test")
    assert watching.ends(first) == "Failed"
    assert "INSUFFICIENT_DATA" in state(watching, "beforeEntry")["latestExecution"]["summary"]
    cloudwatch.delete_alarms(AlarmNames=[alarm])
    second = watching.start()
    assert watching.ends(second) == "Failed"
    assert state(watching, "beforeEntry")["latestExecution"]["summary"].endswith("does not exist")


def test_rule_executions_are_listed(make: Make) -> None:
    running = make(beforeEntry=condition("FAIL", who("Ada"), who("Bob", name="Other")))
    first = running.first()
    running.ends(first)
    running.api.retry_stage_execution(
        pipelineName=running.name, stageName="Approve", pipelineExecutionId=first, retryMode="ALL_ACTIONS"
    )
    running.ends(first)
    second = running.start()
    running.ends(second)

    def listed(**chosen: Any) -> list[str]:
        found = running.api.list_rule_executions(pipelineName=running.name, **chosen)["ruleExecutionDetails"]
        return [item["pipelineExecutionId"] for item in found]

    assert listed() == [second] * 2 + [first] * 4
    assert listed(maxResults=1) == [second]
    latest = {"latestInPipelineExecution": {"pipelineExecutionId": first, "startTimeRange": "Latest"}}
    assert listed(filter=latest) == [first] * 2
    with pytest.raises(running.api.exceptions.PipelineExecutionNotFoundException):
        listed(filter={"pipelineExecutionId": "00000000-0000-0000-0000-000000000000"})
