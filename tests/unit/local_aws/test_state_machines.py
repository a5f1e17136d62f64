# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""State machines: their tasks call AWS as their role, and their JSONata states do as on AWS."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import (
    ACCOUNT,
    REGION,
    LocalAws,
    Running,
    allow,
    eventually,
    server,
    unique,
)

STATES = "states.amazonaws.com"
MINUTE = 1.2


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    with server(tmp_path_factory.mktemp("state-machines"), MINUTE) as running:
        yield running


@pytest.fixture(scope="module")
def connection(local_aws: LocalAws) -> str:
    return local_aws.connection("shared")


@pytest.fixture(scope="module")
def artifact_bucket(local_aws: LocalAws) -> str:
    return local_aws.bucket("artifacts")


class Machine:
    """A state machine of one flow of states, and its executions."""

    def __init__(self, aws: LocalAws, *statements: dict[str, Any]) -> None:
        self.aws, self.api = aws, aws.client("stepfunctions")
        self.name, self.role_name = unique("machine"), unique("states")
        self.arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{self.name}"
        condition = {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnEquals": {"aws:SourceArn": self.arn}}
        self.role = aws.role(self.role_name, STATES, *statements, condition=condition)

    def create(self, states: dict[str, Any], **more: Any) -> Machine:
        definition = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **more}
        self.api.create_state_machine(name=self.name, definition=json.dumps(definition), roleArn=self.role)
        return self

    def start(self, given: Any = None) -> str:
        return str(self.api.start_execution(stateMachineArn=self.arn, input=json.dumps(given or {}))["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        def over() -> dict[str, Any] | None:
            found: dict[str, Any] = self.api.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else None

        done: dict[str, Any] = eventually(over)
        return done

    def run(self, given: Any = None) -> Any:
        """The output of an execution that must succeed."""
        done = self.ended(self.start(given))
        assert done["status"] == "SUCCEEDED", done.get("cause")
        return json.loads(done["output"])

    def fails(self, given: Any = None) -> tuple[str, str]:
        """The error and the cause of an execution that must fail."""
        done = self.ended(self.start(given))
        assert done["status"] == "FAILED", done.get("output")
        return done["error"], done["cause"]


def task(service: str, action: str, arguments: Any = None, **more: Any) -> dict[str, Any]:
    """A task that is the last state unless told otherwise."""
    where = {} if "Next" in more else {"End": True}
    given = {} if arguments is None else {"Arguments": arguments}
    return {"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:{service}:{action}", **given, **where, **more}


def output(expression: str) -> dict[str, Any]:
    return {"Type": "Pass", "Output": "{% " + expression + " %}", "End": True}


def test_a_task_calls_the_api_as_the_machines_role(create: Callable[..., Running], local_aws: LocalAws) -> None:
    running = create()
    execution_id = running.first()
    arguments = {"PipelineName": running.name, "PipelineExecutionId": execution_id}
    machine = Machine(
        local_aws, allow("codepipeline:GetPipelineExecution", f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{running.name}")
    )
    machine.create({"Read": task("codepipeline", "getPipelineExecution", arguments)})

    found = machine.run()["PipelineExecution"]

    assert (found["PipelineName"], found["PipelineExecutionId"]) == (running.name, execution_id)
    callers = [
        call["principal_arn"] for call in local_aws.calls() if call["action"] == "codepipeline:GetPipelineExecution"
    ]
    assert f"assumed-role/{machine.role_name}/" in callers[-1]


def test_services_have_the_names_of_step_functions(create: Callable[..., Running], local_aws: LocalAws) -> None:
    running = create()
    bucket, table, group = local_aws.bucket("texts"), unique("locks"), unique("group")
    local_aws.client("s3").put_object(Bucket=bucket, Key="a.txt", Body='안녕 "you"\n'.encode())
    dynamodb = local_aws.client("dynamodb")
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.put_item(TableName=table, Item={"LockID": {"S": "one"}, "Info": {"S": "held"}, "On": {"BOOL": True}})
    logs = local_aws.client("logs")
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=[{"timestamp": 1, "message": "Error: no"}])
    topic = local_aws.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    queue = local_aws.client("sqs").create_queue(QueueName=unique("queue"))["QueueUrl"]
    machine = Machine(local_aws, allow("*"))
    tasks = {
        "object": task("s3", "getObject", {"Bucket": bucket, "Key": "a.txt"}),
        "list": task("s3", "listObjectsV2", {"Bucket": bucket, "MaxKeys": 5}),
        "scan": task(
            "dynamodb",
            "scan",
            {"TableName": table, "FilterExpression": "Info = :i", "ExpressionAttributeValues": {":i": {"S": "held"}}},
        ),
        "log": task("cloudwatchlogs", "getLogEvents", {"LogGroupName": group, "LogStreamName": "s", "Limit": 9}),
        "publish": task(
            "sns",
            "publish",
            {
                "TopicArn": topic,
                "Message": "m",
                "MessageAttributes": {"event": {"DataType": "String", "StringValue": "failed"}},
            },
        ),
        "send": task("sqs", "sendMessage", {"QueueUrl": queue, "MessageBody": "b"}),
        "event": task("eventbridge", "putEvents", {"Entries": [{"Source": "x", "DetailType": "y", "Detail": "{}"}]}),
        "builds": task("codebuild", "batchGetBuilds", {"Ids": ["none:1"]}),
        "machines": task("sfn", "listStateMachines", {}),
        "actions": task(
            "codepipeline",
            "listActionExecutions",
            {"PipelineName": running.name, "Filter": {"PipelineExecutionId": running.first()}},
        ),
    }
    branches = [{"StartAt": name, "States": {name: each}} for name, each in tasks.items()]
    machine.create({"All": {"Type": "Parallel", "Branches": branches, "End": True}})
    eventually(lambda: "Checkout" in running.actions(running.first()))

    found = dict(zip(tasks, machine.run(), strict=True))

    assert found["object"]["Body"] == '안녕 "you"\n'
    assert found["list"]["Contents"][0]["Key"] == "a.txt"
    assert found["list"]["Contents"][0]["LastModified"].endswith("Z")
    assert found["scan"]["Items"] == [{"LockID": {"S": "one"}, "Info": {"S": "held"}, "On": {"Bool": True}}]
    assert found["log"]["Events"][0]["Message"] == "Error: no"
    assert found["publish"]["MessageId"]
    assert found["send"]["MessageId"]
    assert found["event"]["FailedEntryCount"] == 0
    assert found["builds"]["BuildsNotFound"] == ["none:1"]
    assert machine.name in [each["Name"] for each in found["machines"]["StateMachines"]]
    detail = found["actions"]["ActionExecutionDetails"][-1]
    assert (detail["ActionName"], detail["Input"]["ActionTypeId"]["Category"]) == ("Checkout", "Source")
    assert "T" in detail["StartTime"]
    # The keys of maps are the user's.
    assert detail["Input"]["Configuration"]["BranchName"] == "main"
    assert "ResponseMetadata" not in found["object"]


@pytest.mark.parametrize(
    ("service", "action", "arguments", "error"),
    [
        ("codepipeline", "getPipelineExecution", None, "CodePipeline.PipelineNotFoundException"),
        ("s3", "getObject", {"Bucket": "none-such", "Key": "k"}, "S3.NoSuchBucketException"),
        ("sqs", "getQueueUrl", {"QueueName": "none"}, "Sqs.QueueDoesNotExistException"),
        (
            "cloudwatchlogs",
            "getLogEvents",
            {"LogGroupName": "n", "LogStreamName": "n"},
            "CloudWatchLogs.ResourceNotFoundException",
        ),
        ("dynamodb", "scan", {"TableName": "none"}, "DynamoDb.ResourceNotFoundException"),
        (
            "sns",
            "publish",
            {"TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:none", "Message": "m"},
            "Sns.NotFoundException",
        ),
    ],
)
def test_errors_are_the_exceptions_of_the_sdk(
    service: str, action: str, arguments: Any, error: str, local_aws: LocalAws
) -> None:
    arguments = arguments or {"PipelineName": "none", "PipelineExecutionId": "12345678-1234-1234-1234-123456789012"}
    machine = Machine(local_aws, allow("*")).create({"Read": task(service, action, arguments)})
    name, cause = machine.fails()
    assert name == error
    assert "Status Code: 4" in cause


def test_what_the_role_may_not_do_fails_the_task(local_aws: LocalAws) -> None:
    topic = local_aws.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    for service, action, arguments, error in (
        ("sns", "publish", {"TopicArn": topic, "Message": "m"}, "Sns.AuthorizationErrorException"),
        ("codepipeline", "listPipelines", {}, "CodePipeline.CodePipelineException"),
        ("dynamodb", "scan", {"TableName": "x"}, "DynamoDb.DynamoDbException"),
    ):
        machine = Machine(local_aws, allow("s3:*")).create({"Do": task(service, action, arguments)})
        name, cause = machine.fails()
        assert name == error
        assert "is not authorized to perform" in cause


def test_a_failure_is_caught_and_retried(local_aws: LocalAws) -> None:
    queue = unique("later")
    caught = [{"ErrorEquals": ["Sqs.QueueDoesNotExistException"], "Output": "{% $states.errorOutput %}", "Next": "End"}]
    machine = Machine(local_aws, allow("sqs:*"))
    machine.create({"Read": task("sqs", "getQueueUrl", {"QueueName": queue}, Catch=caught), "End": {"Type": "Succeed"}})
    assert machine.run()["Error"] == "Sqs.QueueDoesNotExistException"

    retry = [
        {"ErrorEquals": ["Sqs.QueueDoesNotExistException"], "IntervalSeconds": 30, "MaxAttempts": 9, "BackoffRate": 1}
    ]
    machine = Machine(local_aws, allow("sqs:*"))
    machine.create({"Read": task("sqs", "getQueueUrl", {"QueueName": queue}, Retry=retry)})
    execution = machine.start()
    events = machine.api
    eventually(
        lambda: [e for e in events.get_execution_history(executionArn=execution)["events"] if e["type"] == "TaskFailed"]
    )
    local_aws.client("sqs").create_queue(QueueName=queue)
    assert queue in json.loads(machine.ended(execution)["output"])["QueueUrl"]


def test_too_long_a_result_is_an_error_that_states_all_does_not_catch(local_aws: LocalAws) -> None:
    bucket = local_aws.bucket("long")
    local_aws.client("s3").put_object(Bucket=bucket, Key="k", Body=b"x" * 300_000)
    read = {"Bucket": bucket, "Key": "k"}
    for names, status in ((["States.ALL"], "FAILED"), (["States.DataLimitExceeded"], "SUCCEEDED")):
        machine = Machine(local_aws, allow("s3:*"))
        catch = [{"ErrorEquals": names, "Next": "End"}]
        machine.create({"Read": task("s3", "getObject", read, Catch=catch), "End": {"Type": "Succeed"}})
        assert machine.ended(machine.start())["status"] == status


def test_thirty_executions_at_once(local_aws: LocalAws) -> None:
    table = unique("table")
    local_aws.client("dynamodb").create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    machine = Machine(local_aws, allow("dynamodb:*"))
    put = task(
        "dynamodb",
        "putItem",
        {"TableName": table, "Item": {"id": {"S": "{% $states.input.id %}"}}},
        Next="Say",
        Output="{% $states.input %}",
    )
    machine.create({"Put": put, "Say": output("'did ' & $states.input.id")})

    executions = [machine.start({"id": f"id {number}"}) for number in range(30)]

    ended = [machine.ended(execution) for execution in executions]
    assert [json.loads(each["output"]) for each in ended] == [f"did id {number}" for number in range(30)]
    assert local_aws.client("dynamodb").scan(TableName=table)["Count"] == 30


def test_a_machine_needs_a_role_that_the_caller_may_pass(local_aws: LocalAws) -> None:
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}})
    name, role = unique("machine"), local_aws.role(unique("states"), STATES, allow("*"))
    given = {"name": name, "definition": definition}
    api = local_aws.client("stepfunctions", local_aws.user(unique("user"), allow("states:*")))
    with pytest.raises(ClientError, match="iam:PassRole"):
        api.create_state_machine(**given, roleArn=role)
    condition = {"StringEquals": {"iam:PassedToService": STATES}}
    user = local_aws.user(unique("user"), allow("states:*"), allow("iam:PassRole", Condition=condition))
    api = local_aws.client("stepfunctions", user)
    arn = api.create_state_machine(**given, roleArn=role)["stateMachineArn"]
    api = local_aws.client("stepfunctions", local_aws.user(unique("user"), allow("states:*")))
    with pytest.raises(ClientError, match="iam:PassRole"):
        api.update_state_machine(stateMachineArn=arn, roleArn=role)


def test_a_role_that_trusts_it_no_longer_fails_the_task(local_aws: LocalAws) -> None:
    machine = Machine(local_aws, allow("s3:*")).create({"List": task("s3", "listBuckets")})
    trust = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    local_aws.client("iam").update_assume_role_policy(
        RoleName=machine.role_name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    assert "sts:AssumeRole" in machine.fails()[1]


@pytest.mark.parametrize(
    ("states", "problem"),
    [
        ({"A": task("codepipelines", "listPipelines")}, "is not recognized"),
        ({"A": task("codepipeline", "listPipeline")}, "is not recognized"),
        ({"A": task("codepipeline", "getPipeline", {"name": "n"})}, 'field "name" is not supported'),
    ],
)
def test_a_wrong_definition_is_refused(states: dict[str, Any], problem: str, local_aws: LocalAws) -> None:
    with pytest.raises(ClientError, match=rf"InvalidDefinition.*{problem}"):
        Machine(local_aws).create(states)


def test_calls_are_authorised_on_the_machine(local_aws: LocalAws) -> None:
    ours, other = Machine(local_aws).create({"A": {"Type": "Succeed"}}), Machine(local_aws).create({"A": output("1")})
    executions = ours.arn.replace(":stateMachine:", ":execution:") + ":*"
    api = local_aws.client("stepfunctions", local_aws.user(unique("user"), allow("states:*", [ours.arn, executions])))
    tags = [{"key": "a", "value": "b"}]
    execution = api.start_execution(stateMachineArn=ours.arn)["executionArn"]
    api.describe_execution(executionArn=execution)
    api.describe_state_machine(stateMachineArn=ours.arn)
    api.tag_resource(resourceArn=ours.arn, tags=tags)
    assert api.list_tags_for_resource(resourceArn=ours.arn)["tags"] == tags
    api.untag_resource(resourceArn=ours.arn, tagKeys=["a"])
    for call in (
        lambda: api.start_execution(stateMachineArn=other.arn),
        lambda: api.describe_execution(executionArn=other.start()),
        lambda: api.describe_state_machine(stateMachineArn=other.arn),
        lambda: api.tag_resource(resourceArn=other.arn, tags=tags),
        lambda: api.list_tags_for_resource(resourceArn=other.arn),
        lambda: api.delete_state_machine(stateMachineArn=other.arn),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()


def test_jsonata_in_every_state(local_aws: LocalAws) -> None:
    branch = {"StartAt": "B", "States": {"B": {"Type": "Pass", "Assign": {"x": 5}, "Output": "{% $x %}", "End": True}}}
    machine = Machine(local_aws).create(
        {
            "Set": {"Type": "Pass", "Assign": {"x": 1, "y": 2}, "Next": "Swap"},
            "Swap": {"Type": "Pass", "Assign": {"x": "{% $y %}", "y": "{% $x %}"}, "Next": "Fork"},
            "Fork": {
                "Type": "Parallel",
                "Arguments": {"given": "{% $x %}"},
                "Branches": [branch, {"StartAt": "C", "States": {"C": output("$states.input.given")}}],
                "Output": "{% $states.result %}",
                "Assign": {"z": "{% $sum($states.result) %}"},
                "Next": "Choose",
            },
            "Choose": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% false %}", "Next": "Choose"}],
                "Default": "Done",
                "Output": {"of": "{% $states.input %}"},
            },
            "Done": {"Type": "Succeed", "Output": "{% {'x': $x, 'y': $y, 'z': $z, 'in': $states.input} %}"},
        }
    )
    assert machine.run() == {"x": 2, "y": 1, "z": 4, "in": {"of": [2, 2]}}


@pytest.mark.parametrize("expression", ["$states.input.missing", "1 + 'a'", "$eval('1')"])
def test_what_cannot_be_evaluated_fails_the_execution(expression: str, local_aws: LocalAws) -> None:
    assert Machine(local_aws).create({"A": output(expression)}).fails()[0] == "States.QueryEvaluationError"
    choice = {"Type": "Choice", "Choices": [{"Condition": "{% 'yes' %}", "Next": "B"}], "Default": "B"}
    machine = Machine(local_aws).create({"A": choice, "B": {"Type": "Succeed"}})
    assert machine.fails()[0] == "States.QueryEvaluationError"


def test_an_expression_has_a_second(local_aws: LocalAws) -> None:
    slow = "$count($map([1..200000], function($number) { $string($number) & 'x' }))"
    assert Machine(local_aws).create({"A": output(slow.replace("200000", "200"))}).run() == 200

    error, cause = Machine(local_aws).create({"A": output(slow)}).fails()

    assert (error, "D1012" in cause) == ("States.QueryEvaluationError", True)


def test_waiting_counts_the_minutes_of_local_aws(local_aws: LocalAws) -> None:
    machine = Machine(local_aws).create({"A": {"Type": "Wait", "Seconds": 60, "End": True}})
    began = time.monotonic()
    machine.run()
    assert MINUTE < time.monotonic() - began < 10 * MINUTE


def test_an_execution_that_lasts_too_long_is_timed_out_once(local_aws: LocalAws) -> None:
    machine = Machine(local_aws)
    machine.create({"A": {"Type": "Wait", "Seconds": 120, "Next": "B"}, "B": {"Type": "Fail"}}, TimeoutSeconds=30)
    execution = machine.start()
    assert machine.ended(execution)["status"] == "TIMED_OUT"
    time.sleep(120 * MINUTE / 60)
    assert machine.ended(execution)["status"] == "TIMED_OUT"
