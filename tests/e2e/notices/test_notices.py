# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""People are told: of a run that succeeds, fails or waits, of a rejection and of drift; each once, and readably."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_estate import ACCOUNT, REGION, LocalAws

from tests.e2e.estate import Estate, Run
from tests.e2e.runs.conftest import Runs, own_parameter, set_up
from tests.receivers import Received, Receiver, certificate, receiver

MINUTE = 4  # seconds
TOKEN, SIGNATURE, KEY = "xoxb-canary-of-slack", "canary-of-teams", "canary-of-the-webhook"
SECRETS = {"ops": TOKEN, "team": SIGNATURE, "log": f"Bearer {KEY}"}
SLACK, TEAMS, HOOK, OWN = "/api/chat.postMessage", "/workflows/1", "/hook", "/own"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:notices"
# What could break a message: quotes, a script, a mention of everybody, Korean, a second line.
MESSAGE = 'VPC의 "이름"을 바꿉니다 <script>alert(1)</script> <!channel> \\ {{ x }}\n\nSecond line'
FIRST_LINE = MESSAGE.partition("\n")[0]
LONG = "x" * 5000
REASON = 'Not "now": 지금은 아니다'
STACKS: list[dict[str, Any]] = [
    {"name": "built"},
    {"name": "quick", "approval": False},
    {"name": "broken", "approval": False},
    {"name": "silent", "approval": False, "notifications": {"events": []}},
    {"name": "drifting", "approval": False, **own_parameter("drifting")},
]


@dataclass
class Told:
    """An estate that tells, and who listens."""

    runs: Runs
    receiver: Receiver
    queue_url: str
    seen: list[dict[str, Any]] = field(default_factory=list)
    executions: dict[str, str] = field(default_factory=dict)

    @property
    def estate(self) -> Estate:
        """The estate."""
        return self.runs.estate

    def queued(self) -> list[dict[str, Any]]:
        """The notices that have arrived in the queue so far, in any order."""
        sqs = self.estate.administrator.client("sqs")
        while messages := sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.seen.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return self.seen

    def notice(self, seconds: float = 60, **wanted: str) -> dict[str, Any]:
        """The notice of the queue with these fields, once it is there."""
        deadline = time.monotonic() + seconds
        while True:
            for notice in self.queued():
                if all(notice.get(name) == value for name, value in wanted.items()):
                    return notice
            assert time.monotonic() < deadline, (wanted, self.seen, self.stories())
            time.sleep(0.5)

    def posted(self, path: str, notice: dict[str, Any], seconds: float = 30) -> Received:
        """The one request at a path whose text is that of a notice."""
        deadline = time.monotonic() + seconds
        marker = notice["title"]
        while True:
            found = [
                request for request in self.receiver.at(path) if marker in json.dumps(request.json, ensure_ascii=False)
            ]
            if found:
                assert len(found) == 1, found
                return found[0]
            assert time.monotonic() < deadline, (notice, self.receiver.requests, self.stories())
            time.sleep(0.5)

    def stories(self) -> list[dict[str, Any]]:
        """How the newest executions of the state machine fared, for the message of a failed test."""
        states = self.estate.administrator.client("stepfunctions")
        arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:gitops-notices"
        found = states.list_executions(stateMachineArn=arn)["executions"][:10]
        return [
            {key: answer.get(key) for key in ("status", "error", "cause", "input")}
            for one in found
            for answer in [states.describe_execution(executionArn=one["executionArn"])]
        ]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The estate after site.yml, and the queue of somebody's that listens."""
    aws = LocalAws(tmp_path_factory.mktemp("local-aws-notices"))
    pem = certificate(tmp_path_factory.mktemp("receiver"))
    with receiver(pem) as receives:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LOCAL_AWS_MINUTE_SECONDS", str(MINUTE))
            patch.setenv("SSL_CERT_FILE", str(pem))
            aws.start()
        try:
            yield listening(aws, receives, tmp_path_factory.mktemp("notices"))
        finally:
            aws.command("down")


def listening(aws: LocalAws, receives: Receiver, directory: Path) -> Told:
    """The estate after site.yml with all kinds of recipients that can be asked here what they were told."""
    secrets = directory / "secrets.yml"
    secrets.write_text(yaml.safe_dump({"gitops_notification_secrets": {**SECRETS, "own": "Bearer own"}}))
    recipients: list[dict[str, Any]] = [
        {"sqs": QUEUE},
        {"name": "ops", "slack": {"channel": "#ops", "url": f"{receives.url}{SLACK}"}},
        {"name": "team", "teams": {"url": f"{receives.url}{TEAMS}?api-version=2016-06-01"}},
        {"name": "log", "webhook": {"url": f"{receives.url}{HOOK}"}},
    ]
    own = {"name": "own", "webhook": {"url": f"{receives.url}{OWN}"}, "events": ["failed"]}
    stacks = [
        {**stack, "notifications": {"recipients": [own]}} if stack["name"] == "quick" else stack for stack in STACKS
    ]
    settings = {"notifications": {"recipients": recipients}, "drift": {"schedule": ""}}
    original = Estate.site

    def site(estate: Estate, *arguments: str) -> Run:
        return original(estate, "-e", f"@{secrets}", *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Estate, "site", site)
        runs = set_up(aws, directory, stacks, **settings)
    sqs = runs.estate.administrator.client("sqs")
    sender = {"Service": "sns.amazonaws.com"}
    condition = {"ArnEquals": {"aws:SourceArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:gitops-notices"}}
    statement = {
        "Effect": "Allow",
        "Principal": sender,
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
        "Condition": condition,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    url = sqs.create_queue(QueueName="notices", Attributes={"Policy": policy})["QueueUrl"]
    return Told(runs, receives, url)


@pytest.fixture(scope="module")
def pushed(told: Told) -> Told:
    """One push with the code of every stack, by a commit whose message could break one."""
    runs = told.runs
    for stack in ("built", "quick", "silent"):
        runs.write(stack, "value")
    main = runs.write("broken", "value")
    condition = '  lifecycle {\n    precondition {\n      condition     = var.content == "never"\n'
    condition += f'      error_message = "The \\"name\\" 이름 <b> is {LONG}."\n    }}\n  }}\n'
    text = main.read_text(encoding="utf-8")
    main.write_text(text.replace("  input = var.content\n", f"  input = var.content\n{condition}"), encoding="utf-8")
    runs.write("drifting", "parameter")
    told.executions["built"] = runs.push("built", MESSAGE)
    return told


def links_lead_to(notice: dict[str, Any], pipeline: str) -> bool:
    return f"/{pipeline}/executions/{notice['execution_id']}" in notice["links"]["execution"]


def test_who_may_approve_is_asked_with_counts_and_a_link(pushed: Told) -> None:
    notice = pushed.notice(stack="built", event="approval")

    assert notice["result"] == "waiting"
    assert notice["counts"] == "1 to add, 0 to change, 0 to destroy"
    assert notice["execution_id"] == pushed.executions["built"]
    assert links_lead_to(notice, "gitops-built")
    assert notice["links"]["approval"]
    assert notice["commit_message"] == FIRST_LINE
    assert all(part in notice["text"] for part in (notice["counts"], FIRST_LINE, notice["links"]["approval"]))
    assert len(notice["title"]) <= 100
    assert notice["title"].isascii()


def test_everybody_hears_of_a_run_that_succeeded(pushed: Told) -> None:
    pushed.notice(stack="built", event="approval")
    pushed.estate.approve("gitops-built", summary="Yes")
    pushed.runs.ended("built", pushed.executions["built"], "Succeeded")
    notice = pushed.notice(stack="built", event="succeeded")

    assert notice["counts"] == "1 to add, 0 to change, 0 to destroy"
    assert notice["commit_message"] == FIRST_LINE
    slack = pushed.posted(SLACK, notice)
    assert slack.headers["authorization"] == f"Bearer {TOKEN}"
    assert slack.json["channel"] == "#ops"
    assert "&lt;!channel&gt;" in slack.json["text"]
    assert "<!channel>" not in slack.json["text"]
    assert 'VPC의 "이름"을 바꿉니다' in slack.json["text"]
    assert notice["counts"] in slack.json["text"]
    teams = pushed.posted(TEAMS, notice)
    assert teams.query == {"sig": [SIGNATURE], "api-version": ["2016-06-01"]}
    assert teams.json["attachments"][0]["content"]["type"] == "AdaptiveCard"
    hook = pushed.posted(HOOK, notice)
    assert hook.headers["authorization"] == f"Bearer {KEY}"
    assert hook.json == notice


def test_a_failing_build_is_told_with_its_last_error_line(pushed: Told) -> None:
    notice = pushed.notice(stack="broken", event="failed")

    assert notice["result"] == "failed"
    assert notice["failed_action"] == "Plan"
    assert "Error: Resource precondition failed" in notice["error"]
    assert len(notice["text"]) < 3000
    assert LONG not in json.dumps(notice)
    assert notice["links"]["log"]
    assert notice["error"] in notice["text"]
    assert "Error: Resource precondition failed" in pushed.posted(SLACK, notice).json["text"]


def test_a_rejection_is_told_with_who_and_why(pushed: Told) -> None:
    pushed.notice(stack="built", event="succeeded", seconds=120)
    pushed.runs.say("built", "second")
    execution = pushed.runs.push("built")
    pushed.runs.waiting("built", execution)
    pushed.estate.approve("gitops-built", status="Rejected", summary=REASON)
    pushed.runs.ended("built", execution, "Failed")
    notice = pushed.notice(stack="built", result="rejected")

    assert notice["event"] == "failed"
    assert notice["execution_id"] == execution
    assert REASON in notice["text"]
    assert "user/operator" in notice["text"]
    assert notice["counts"] == "0 to add, 1 to change, 0 to destroy"
    assert REASON in pushed.posted(SLACK, notice).json["text"]


def test_drift_is_told_when_it_is_new(pushed: Told) -> None:
    estate = pushed.estate
    pushed.notice(stack="drifting", event="succeeded", seconds=120)
    before = estate.run("gitops-drifting-drift")
    estate.administrator.client("ssm").put_parameter(Name="/app/drifting", Value="by hand", Overwrite=True)
    found = [estate.run("gitops-drifting-drift") for _ in range(2)]
    notice = pushed.notice(stack="drifting", event="drift")

    assert before.status == "Succeeded"
    assert notice["execution_id"] == found[0].id
    assert notice["counts"] == found[0].actions["Drift"].variables["PLAN_SUMMARY"]
    assert "aws_ssm_parameter.this" in notice["text"]
    assert notice["counts"] in pushed.posted(SLACK, notice).json["text"]


def test_a_stack_has_recipients_of_its_own(pushed: Told) -> None:
    notice = pushed.notice(stack="quick", event="succeeded")
    main = pushed.runs.repository.clone / "quick" / "main.tf"
    main.write_text(main.read_text(encoding="utf-8") + "\nresource {\n", encoding="utf-8")
    pushed.runs.ended("quick", pushed.runs.push("quick"), "Failed")
    failed = pushed.notice(stack="quick", event="failed")

    assert pushed.posted(OWN, failed).json == failed
    assert [request.json["event"] for request in pushed.receiver.at(OWN)] == ["failed"]
    assert pushed.posted(SLACK, notice)


def test_the_test_message_reaches_everybody(pushed: Told) -> None:
    told = pushed.estate.playbook("notify_test.yml", pushed.estate.installer)

    assert not told.failed, told.output
    notice = pushed.notice(event="test")
    for path in (SLACK, TEAMS, HOOK, OWN):
        assert pushed.posted(path, notice)
    assert "ops (api_destination" in told.text


def test_what_cannot_be_delivered_is_noticed(pushed: Told) -> None:
    estate, answers = pushed.estate, pushed.receiver.answers
    watch = estate.administrator.client("cloudwatch")

    def state() -> str:
        return str(watch.describe_alarms(AlarmNames=["gitops-undelivered"])["MetricAlarms"][0]["StateValue"])

    assert state() != "ALARM"
    answers[HOOK] = 400
    told = estate.playbook("notify_test.yml", estate.installer)
    answers.clear()
    deadline = time.monotonic() + 60
    while state() != "ALARM" and time.monotonic() < deadline:
        time.sleep(0.5)

    assert told.failed, told.output
    assert state() == "ALARM"
    sqs = estate.administrator.client("sqs")
    url = sqs.get_queue_url(QueueName="gitops-undelivered")["QueueUrl"]
    (message,) = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])["Messages"]
    assert "gitops-notices-to-log" in message["MessageAttributes"]["RULE_ARN"]["StringValue"]
    assert KEY not in json.dumps(message)


def test_nothing_arrives_twice_and_nothing_of_who_opted_out(pushed: Told) -> None:
    estate = pushed.estate
    executions = {stack["name"]: estate.executions(f"gitops-{stack['name']}") for stack in STACKS}
    assert estate.look("gitops-silent", executions["silent"][0]).status == "Succeeded"
    time.sleep(5)
    seen = pushed.queued()

    assert [notice for notice in seen if notice["stack"] == "silent"] == []
    told = Counter((notice["event"], notice["stack"], notice["execution_id"]) for notice in seen if notice["stack"])
    assert set(told.values()) == {1}, told
    ended = {("built", "succeeded"): 1, ("built", "failed"): 1, ("broken", "failed"): 1, ("drifting", "drift"): 1}
    ended |= {("quick", "succeeded"): 1, ("quick", "failed"): 1, ("drifting", "succeeded"): 1, ("built", "approval"): 2}
    counted = Counter((notice["stack"], notice["event"]) for notice in seen if notice["stack"])
    assert counted == ended
    for path in (SLACK, TEAMS):
        assert len(pushed.receiver.at(path)) == len(seen), path


def test_a_second_run_of_site_yml_changes_nothing(pushed: Told) -> None:
    assert pushed.estate.site().mutations == []


def test_no_secret_is_anywhere_but_with_who_needs_it(pushed: Told) -> None:
    places = {f"run {number}": run.output for number, run in enumerate(pushed.estate.runs)}
    places["notices"] = json.dumps(pushed.queued())
    places["machine"] = json.dumps(pushed.stories())
    for file in pushed.estate.aws.data.iterdir():
        if file.is_file():
            places[file.name] = file.read_text(errors="replace")
    events = pushed.estate.administrator.client("events")
    for connection in events.list_connections()["Connections"]:
        described = events.describe_connection(Name=connection["Name"])
        places[connection["Name"]] = json.dumps(described, default=str)

    assert len(places) >= 8
    canaries = (TOKEN, SIGNATURE, KEY)
    assert [name for name, text in places.items() if any(canary in text for canary in canaries)] == []
