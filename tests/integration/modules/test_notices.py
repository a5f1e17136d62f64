# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state machine of notices, run by its own role on what pipelines, builds and locks really say, call by call."""

from __future__ import annotations

import base64
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._notices import definition, model
from tests.integration.modules.harness import ACCOUNT, REGION, Account, unique
from tests.integration.modules.running import Workshop, buildspec, eventually, make_role

Json = dict[str, Any]

COUNTS = "1 to add, 0 to change, 0 to destroy"
GET, LIST, RUNS = (
    f"codepipeline:{name}" for name in ("GetPipelineExecution", "ListActionExecutions", "ListPipelineExecutions")
)
BUILDS, LOG, PUBLISH, PUT = "codebuild:BatchGetBuilds", "logs:GetLogEvents", "sns:Publish", "events:PutEvents"
OPEN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
STACKS = (
    *("good", "failing", "rejected", "stopped", "nothing", "unasked", "pretended"),
    *("quiet", "drifting", "locked", "filed"),
)
HOSTILE = '"이름" <script>alert(1)</script> <!channel> {% $error() %} {stack} $1 \\'


def stack(name: str) -> Json:
    """A stack; `quiet` has opted out."""
    events: Json = {"events": [], "recipients": []}
    return {
        "name": name,
        "state_key": f"{name}/terraform.tfstate",
        "notifications": events if name == "quiet" else None,
    }


@dataclass
class Telling:
    """An estate that tells, whose notices come into two queues: from the topic, and from the bus."""

    account: Account
    workshop: Workshop
    foundation: Json
    queues: dict[str, str]
    role: str
    projects: dict[str, str] = field(default_factory=dict)
    seen: dict[str, list[Json]] = field(default_factory=lambda: {"topic": [], "bus": []})
    looked: int = 0

    @property
    def name(self) -> str:
        return str(self.foundation["name"])

    @property
    def machine(self) -> str:
        return model.machine_arn(self.foundation)

    # Runs

    def pipeline(self, name: str, *actions: Json) -> str:
        """A pipeline of the estate, with the commit as any S3 source has it; its full name."""
        full = f"{self.name}-{name}"
        source = _action("Source", "Source", "S3")
        source["outputArtifacts"] = [{"name": "source"}]
        bucket = {"S3Bucket": self.workshop.bucket, "S3ObjectKey": "code.zip", "PollForSourceChanges": "false"}
        source["configuration"] = bucket
        self.account.client("codepipeline").create_pipeline(
            pipeline={
                "name": full,
                "roleArn": self.workshop.pipeline_role,
                "pipelineType": "V2",
                "executionMode": "QUEUED",
                "artifactStore": {"type": "S3", "location": self.workshop.bucket},
                "variables": [{"name": "who"}],
                "stages": [
                    {"name": "Source", "actions": [source]},
                    *({"name": action["name"], "actions": [action]} for action in actions),
                ],
            }
        )
        return full

    def build(self, step: str, project: str) -> Json:
        """An action that is a build."""
        action = _action(step, "Build", "CodeBuild")
        variables = [{"name": "WHO", "value": "#{variables.who}"}]
        action["configuration"] = {"ProjectName": self.projects[project], "EnvironmentVariables": json.dumps(variables)}
        action["inputArtifacts"] = [{"name": "source"}]
        return action

    def start(self, pipeline: str, who: str = "nobody") -> str:
        # CodePipeline would put its quotes into the JSON of the builds' variables as they are.
        variables = [{"name": "who", "value": base64.b64encode(who.encode()).decode()}]
        api = self.account.client("codepipeline")
        return str(api.start_pipeline_execution(name=pipeline, variables=variables)["pipelineExecutionId"])

    def ended(self, pipeline: str, execution: str) -> str:
        """How the run ended, once the machine has dealt with that."""
        api = self.account.client("codepipeline")

        def status() -> str:
            found = api.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution)
            now = str(found["pipelineExecution"]["status"])
            return now if now in ("Succeeded", "Failed", "Stopped") else ""

        return str(eventually(status, seconds=60))

    def decide(self, pipeline: str, status: str, summary: str) -> None:
        """Approves or rejects, once somebody is asked."""
        api = self.account.client("codepipeline")

        def token() -> str:
            stages = api.get_pipeline_state(name=pipeline)["stageStates"]
            approve = next(each for each in stages if each["stageName"] == "Approve")["actionStates"][0]
            return str(approve.get("latestExecution", {}).get("token") or "")

        api.put_approval_result(
            pipelineName=pipeline,
            stageName="Approve",
            actionName="Approve",
            token=eventually(token, seconds=60),
            result={"status": status, "summary": summary},
        )

    # Notices

    def tell(self, event: Json) -> Json:
        """Runs the machine with an event to its end; the answer of DescribeExecution."""
        api = self.account.client("stepfunctions")
        arn = api.start_execution(stateMachineArn=self.machine, input=json.dumps(event))["executionArn"]
        found: Json = eventually(
            lambda: (answer := api.describe_execution(executionArn=arn))["status"] != "RUNNING" and answer, seconds=30
        )
        return found

    def stories(self) -> list[Json]:
        """How executions of the machine fared that did not succeed."""
        api = self.account.client("stepfunctions")
        every = api.list_executions(stateMachineArn=self.machine)["executions"]
        told = [api.describe_execution(executionArn=one["executionArn"]) for one in every]
        return [{key: one.get(key) for key in ("input", "error", "cause")} for one in told if one["status"] == "FAILED"]

    def notice(self, **wanted: str) -> Json:
        """The one notice with these fields, which has come by the topic and by the bus and is the same."""

        def there() -> bool:
            self.receive()
            return all(self.of(way, **wanted) for way in self.queues)

        try:
            eventually(there, seconds=60)
        except AssertionError as late:
            raise AssertionError(f"{wanted}: {self.seen}, {self.stories()}") from late
        (by_topic,), (by_bus,) = (self.of(way, **wanted) for way in ("topic", "bus"))
        assert by_bus == {**by_topic, "bodies": by_bus["bodies"]}
        assert by_bus["bodies"]["webhook"] == by_topic
        return by_topic

    def of(self, way: str, **wanted: str) -> list[Json]:
        return [one for one in self.seen[way] if all(one.get(key) == value for key, value in wanted.items())]

    def receive(self) -> None:
        sqs = self.account.client("sqs")
        for way, url in self.queues.items():
            while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                for message in messages:
                    body = json.loads(message["Body"])
                    self.seen[way].append(body["detail"] if way == "bus" else body)
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def called(self, at_least: int) -> list[str]:
        """Those calls, once there are so many."""
        deadline, calls = time.monotonic() + 20, self.calls()
        while len(calls) < at_least and time.monotonic() < deadline:
            calls += self.calls()
        return calls

    def calls(self) -> list[str]:
        """The calls of the machine's role since this was last asked, in their order; none was refused."""
        time.sleep(0.2)  # a call is logged just after it is answered
        log = self.account.log()
        arn = f":assumed-role/{model.notices(self.foundation)}/"
        own = [call for call in log[self.looked :] if arn in (call["principal_arn"] or "")]
        self.looked = len(log)
        assert [call for call in own if call["error_code"]] == []
        return [call["action"] for call in own]


def _action(name: str, category: str, provider: str) -> Json:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, "namespace": name}


@pytest.fixture(scope="module")
def telling(account: Account) -> Telling:
    """An estate that tells: topic, machine and role as they are made, rules, and what its pipelines need."""
    name = unique("told")
    settings = {"name": name, "region": REGION, "locking": ["dynamodb", "lockfile"]}
    key = account.client("kms").create_key()["KeyMetadata"]["Arn"]
    shared = names.foundation_of({**settings, "kms_key_arn": key}, ACCOUNT, "aws")
    told: Json = {"recipients": [], "lock_minutes": 60, "kms_key_id": "", "templates": {}}
    foundation = {**shared, "permissions_boundary": "", "tags": {}, "notifications": told}
    workshop = Workshop.open(account)
    workshop.commit("code")
    made = Telling(account, workshop, foundation, _queues(account, foundation), "")
    account.run("iam_roles", roles=[{**definition.machine_role(foundation), "managed_policies": []}])
    machine = definition.machine(foundation, [stack(one) for one in STACKS])
    assert account.run("stepfunctions_state_machines", state_machines=[machine])["changed"]
    assert not account.run("stepfunctions_state_machines", state_machines=[machine])["changed"]
    _rules(account, foundation)
    _places_of_locks(account, foundation)
    _projects(made)
    return made


def _queues(account: Account, foundation: Json) -> dict[str, str]:
    """Two queues that listen: to the topic, and to the bus."""
    sqs, sns, events = (account.client(service) for service in ("sqs", "sns", "events"))
    name = foundation["name"]
    topic = sns.create_topic(Name=model.notices(foundation))["TopicArn"]
    assert topic == model.topic_arn(foundation)
    urls = {}
    for way in ("topic", "bus"):
        attributes = {"Policy": json.dumps(OPEN)}
        urls[way] = sqs.create_queue(QueueName=f"{name}-{way}", Attributes=attributes)["QueueUrl"]
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"{arn}-topic", Attributes={"RawMessageDelivery": "true"})
    pattern = {"source": [model.SOURCE], "detail-type": [model.DETAIL_TYPE], "detail": {"estate": [name]}}
    events.put_rule(Name=f"{name}-heard", EventPattern=json.dumps(pattern))
    events.put_targets(Rule=f"{name}-heard", Targets=[{"Id": "1", "Arn": f"{arn}-bus"}])
    return urls


def _rules(account: Account, foundation: Json) -> None:
    """The machine hears of runs that end, and of approvals that are wanted."""
    events, role = account.client("events"), make_role(account, "events", "states:StartExecution")
    own = {"pipeline": [{"prefix": f"{foundation['name']}-"}]}
    ends = {"state": ["SUCCEEDED", "FAILED", "STOPPED"]}
    begins = {"state": ["STARTED"], "type": {"category": ["Approval"]}}
    for kind, detail in (("Pipeline", ends), ("Action", begins)):
        name = f"{foundation['name']}-{kind.lower()}"
        pattern = {
            "source": ["aws.codepipeline"],
            "detail-type": [f"CodePipeline {kind} Execution State Change"],
            "detail": {**own, **detail},
        }
        events.put_rule(Name=name, EventPattern=json.dumps(pattern))
        target = {"Id": "1", "Arn": model.machine_arn(foundation), "RoleArn": role}
        assert events.put_targets(Rule=name, Targets=[target])["FailedEntryCount"] == 0


def _places_of_locks(account: Account, foundation: Json) -> None:
    """The lock table and the state bucket, both under the estate's key."""
    account.client("dynamodb").create_table(
        TableName=foundation["lock_table"],
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": foundation["kms_key_arn"]},
    )
    s3, bucket = account.client("s3"), foundation["state_bucket"]
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": foundation["kms_key_arn"]}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)


def _projects(made: Telling) -> None:
    """The builds: plan and drift export what the run's variable says, apply does, and fails for a reason."""
    foundation, codebuild = made.foundation, made.account.client("codebuild")
    made.account.client("logs").create_log_group(logGroupName=foundation["log_group"])
    said = 'PLAN_EFFECTS=$(printf %s "$WHO" | base64 -d) PLAN_ID=1f0b1e7a2a3c'
    specs = {
        "plan": (f'PLAN_SUMMARY="{COUNTS}" {said}',),
        "unchanged": (f'PLAN_SUMMARY="no changes" {said}',),
        "drift": (f'DRIFT_COUNT=1 PLAN_SUMMARY="1 changed" {said}',),
        "apply": ("true",),
        "failing": (
            'printf "\\033[31m│\\033[0m Error: creating VPC: %s\\n│\\n╵\\n" "$(printf %s "$WHO" | base64 -d)"',
            "exit 1",
        ),
    }
    for name, commands in specs.items():
        project = f"{foundation['name']}-{name}"
        exported = (
            ("PLAN_SUMMARY", "PLAN_EFFECTS", "PLAN_ID", "DRIFT_COUNT") if name in ("plan", "unchanged", "drift") else ()
        )
        codebuild.create_project(
            name=project,
            source={"type": "CODEPIPELINE", "buildspec": buildspec(*commands, exported=exported)},
            artifacts={"type": "CODEPIPELINE"},
            serviceRole=made.workshop.build_role,
            environment={
                "type": "LINUX_CONTAINER",
                "image": "hashicorp/terraform:1.11",
                "computeType": "BUILD_GENERAL1_SMALL",
            },
            logsConfig={
                "cloudWatchLogs": {"status": "ENABLED", "groupName": foundation["log_group"], "streamName": project}
            },
        )
        made.projects[name] = project


APPROVE = _action("Approve", "Approval", "Manual")


def test_an_approval_and_a_run_that_succeeds_are_told_with_four_calls_each(telling: Telling) -> None:
    telling.calls()
    pipeline = telling.pipeline("good", telling.build("Plan", "plan"), APPROVE, telling.build("Apply", "apply"))
    execution = telling.start(pipeline, HOSTILE)
    waits = telling.notice(stack="good", event="approval")
    asked = telling.called(4)
    telling.decide(pipeline, "Approved", "Yes")
    assert telling.ended(pipeline, execution) == "Succeeded"
    done = telling.notice(stack="good", event="succeeded")

    assert asked == telling.called(4) == [GET, LIST, PUBLISH, PUT]
    assert waits["result"] == "waiting"
    assert waits["counts"] == done["counts"] == COUNTS
    assert waits["effects"] == done["effects"] == HOSTILE
    assert waits["links"]["approval"] == waits["link"]
    assert f"/{pipeline}/executions/{execution}/" in done["link"]
    assert "user/onlooker" in done["text"]
    assert done["commit"]
    assert f"{telling.name}-apply%3A" in done["links"]["log"]


def test_a_failing_build_is_told_with_its_error_and_two_calls_more(telling: Telling) -> None:
    telling.calls()
    pipeline = telling.pipeline("failing", telling.build("Plan", "plan"), telling.build("Apply", "failing"))
    execution = telling.start(pipeline, f"{HOSTILE} AKIAIOSFODNN7EXAMPLE")
    assert telling.ended(pipeline, execution) == "Failed"
    notice = telling.notice(stack="failing")

    assert telling.called(6) == [GET, LIST, BUILDS, LOG, PUBLISH, PUT]
    assert (notice["event"], notice["result"], notice["failed_action"]) == ("failed", "failed", "Apply")
    assert notice["error"] == f"Error: creating VPC: {HOSTILE} ..."
    assert notice["error"] in notice["text"]
    assert HOSTILE in notice["text"]
    assert notice["title"] == f"[{telling.name}] failing: apply run failed: Apply"


def test_a_rejection_is_told_with_who_and_why(telling: Telling) -> None:
    pipeline = telling.pipeline("rejected", telling.build("Plan", "plan"), APPROVE, telling.build("Apply", "apply"))
    execution = telling.start(pipeline)
    telling.notice(stack="rejected", event="approval")
    telling.calls()
    telling.decide(pipeline, "Rejected", HOSTILE)
    assert telling.ended(pipeline, execution) == "Failed"
    notice = telling.notice(stack="rejected", event="failed")

    assert telling.called(4) == [GET, LIST, PUBLISH, PUT]
    assert notice["result"] == "rejected"
    assert notice["who"] == "user/onlooker"
    assert notice["comment"] == HOSTILE
    assert notice["error"] == ""


OURS = "No changes: what is there is what commit 5d41402 says."


@pytest.mark.parametrize(
    ("name", "plan", "reason", "is_told"),
    [
        ("nothing", "unchanged", OURS, False),
        ("pretended", "plan", OURS, True),
        ("stopped", "unchanged", HOSTILE, True),
    ],
)
def test_a_run_that_somebody_stopped_is_told(
    telling: Telling, name: str, plan: str, reason: str, is_told: bool
) -> None:
    pipeline = telling.pipeline(name, telling.build("Plan", plan), APPROVE, telling.build("Apply", "apply"))
    execution = telling.start(pipeline)
    telling.notice(stack=name, event="approval")
    telling.calls()
    stop = {"pipelineName": pipeline, "pipelineExecutionId": execution, "abandon": True, "reason": reason}
    telling.account.client("codepipeline").stop_pipeline_execution(**stop)
    assert telling.ended(pipeline, execution) == "Stopped"

    calls = [RUNS, LIST, *([PUBLISH, PUT] if is_told else [])]
    assert telling.called(len(calls)) == calls
    if is_told:
        assert telling.notice(stack=name, event="failed")["comment"] == reason


def test_a_run_that_nobody_was_asked_about_and_changes_nothing_is_not_told(telling: Telling) -> None:
    pipeline = telling.pipeline("unasked", telling.build("Plan", "unchanged"), telling.build("Apply", "apply"))
    telling.calls()
    execution = telling.start(pipeline)
    assert telling.ended(pipeline, execution) == "Succeeded"

    assert telling.called(2) == [GET, LIST]
    telling.receive()
    assert telling.of("topic", stack="unasked") == []


def test_who_has_opted_out_is_told_nothing_and_nothing_is_read(telling: Telling) -> None:
    pipeline = telling.pipeline("quiet", telling.build("Apply", "apply"))
    telling.calls()
    execution = telling.start(pipeline)
    assert telling.ended(pipeline, execution) == "Succeeded"
    event = {"detail-type": "CodePipeline Pipeline Execution State Change"}
    told = telling.tell({**event, "detail": {"pipeline": pipeline, "state": "FAILED", "execution-id": execution}})

    assert json.loads(told["output"]) == {"told": False}
    assert telling.calls() == []


def test_drift_is_told_once_with_three_calls(telling: Telling) -> None:
    pipeline = telling.pipeline("drifting-drift", telling.build("Drift", "drift"))
    ran = []
    for what in ("aws_vpc.a", "aws_vpc.a", "aws_vpc.b"):
        telling.calls()
        ran.append(execution := telling.start(pipeline, what))
        assert telling.ended(pipeline, execution) == "Succeeded"
        expected = [LIST] if len(ran) == 2 else [LIST, PUBLISH, PUT]
        assert telling.called(len(expected)) == expected
    first, other = (telling.notice(execution_id=execution) for execution in (ran[0], ran[2]))

    assert telling.of("topic", execution_id=ran[1]) == []
    assert (first["event"], first["counts"], first["effects"]) == ("drift", "1 changed", "aws_vpc.a")
    assert other["effects"] == "aws_vpc.b"


def test_locks_are_told_that_the_table_or_a_file_shows_with_who_holds_them(telling: Telling) -> None:
    foundation, account = telling.foundation, telling.account
    quarter = time.time() // 900 * 900  # to which a look belongs
    taken = quarter - 65 * 60
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.123456789Z", time.gmtime(taken))
    bucket, key = foundation["state_bucket"], "locked/terraform.tfstate"
    info = {"ID": "1", "Operation": "OperationTypeApply", "Who": "root@build", "Created": stamp}
    text = json.dumps(info, separators=(",", ":"))
    table = {"TableName": foundation["lock_table"]}
    account.client("dynamodb").put_item(**table, Item={"LockID": {"S": f"{bucket}/{key}"}, "Info": {"S": text}})
    digest = {"LockID": {"S": f"{bucket}/{key}-md5"}, "Digest": {"S": "5d41402abc4b2a76b9719d911017c592"}}
    account.client("dynamodb").put_item(**table, Item=digest)
    huge = {"LockID": {"S": f"{bucket}/quiet/terraform.tfstate"}, "Info": {"S": "x" * 390_000}}
    account.client("dynamodb").put_item(**table, Item=huge)
    beside = {"LockID": {"S": f"{bucket}/huge"}, "Info": {"S": text}, "More": {"S": "x" * 390_000}}
    account.client("dynamodb").put_item(**table, Item=beside)
    account.client("s3").put_object(Bucket=bucket, Key="filed/terraform.tfstate.tflock", Body=text.encode())
    account.client("s3").put_object(Bucket=bucket, Key="filed/terraform.tfstate", Body=b"{}")
    telling.calls()

    look = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(quarter + 899))  # late
    now = telling.tell({"check": "locks", "time": look})
    calls = telling.called(4)
    later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 75 * 60))
    of_file = telling.tell({"check": "locks", "time": later})
    calls_of_file = telling.called(5)

    assert now["status"] == of_file["status"] == "SUCCEEDED", (now, of_file)
    assert calls == ["dynamodb:Scan", "s3:ListBucket", PUBLISH, PUT]
    assert calls_of_file == ["dynamodb:Scan", "s3:ListBucket", "s3:GetObject", PUBLISH, PUT]
    held, filed = telling.notice(stack="locked"), telling.notice(stack="filed")
    assert (held["event"], held["result"], held["who"]) == ("lock", "held", "root@build")
    assert filed["who"] == "root@build"
    assert stamp in filed["text"]


def test_a_test_message_reaches_everybody_and_says_what_it_is_told_to(telling: Telling) -> None:
    telling.calls()
    told = telling.tell({"test": {"comment": HOSTILE}})

    assert json.loads(told["output"]) == {"told": True}
    assert telling.called(2) == [PUBLISH, PUT]
    assert HOSTILE in telling.notice(event="test")["text"]


def test_what_the_role_may_not_read_is_left_out_and_what_it_may_not_tell_fails(telling: Telling) -> None:
    iam, role = telling.account.client("iam"), model.notices(telling.foundation)
    policy = iam.get_role_policy(RoleName=role, PolicyName="notices")["PolicyDocument"]

    def without(*sids: str) -> None:
        left = [one for one in policy["Statement"] if one["Sid"] not in sids]
        text = json.dumps({**policy, "Statement": left})
        iam.put_role_policy(RoleName=role, PolicyName="notices", PolicyDocument=text)

    pipeline = f"{telling.name}-failing"
    event = {
        "detail-type": "CodePipeline Pipeline Execution State Change",
        "detail": {"pipeline": pipeline, "state": "FAILED", "execution-id": "0f2f5d3f-0000-4000-8000-000000000001"},
    }
    try:
        without("Runs", "PutNotices")
        told = telling.tell(event)
        without("Publish")
        unpublished = telling.tell({"test": {"comment": "by the bus alone"}})
    finally:
        without()
    telling.looked = len(telling.account.log())
    telling.receive()

    (notice,) = telling.of("topic", execution_id="0f2f5d3f-0000-4000-8000-000000000001")
    assert "Could not be read: who started it, the plan and what failed" in notice["text"]
    assert told["status"] == "FAILED"
    assert "EventBridge" in told["error"]
    assert (unpublished["status"], unpublished["error"]) == ("FAILED", "Notices.NotPublished")
    assert [one["comment"] for one in telling.of("bus", event="test")].count("by the bus alone") == 1
    assert telling.of("topic", comment="by the bus alone") == []


def test_nothing_has_come_twice(telling: Telling) -> None:
    telling.receive()

    for way in telling.queues:
        told = [(one["event"], one["stack"], one["execution_id"], one["comment"]) for one in telling.seen[way]]
        assert [one for one, count in Counter(told).items() if count > 1] == []
    assert telling.of("topic", stack="quiet") == telling.of("bus", stack="quiet") == []
