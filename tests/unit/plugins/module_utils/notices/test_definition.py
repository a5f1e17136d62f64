# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state machine tells whom it should, once, with what is known, and calls no more than it must."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._notices import definition as definitions
from ansible_collections.gitops.aws.plugins.module_utils._notices import model
from local_aws import machine_definitions
from tests.unit.plugins.module_utils.notices import facts
from tests.unit.plugins.module_utils.notices.facts import ACCOUNT, COMMIT, CONSOLE, COUNTS, EXECUTION, action
from tests.unit.plugins.module_utils.notices.walking import Error, Walk, parsed, walk

GET, LIST, RUNS = "codepipeline:getPipelineExecution", "codepipeline:listActionExecutions", "listPipelineExecutions"
BUILD, LOG, PUBLISH, PUT = (
    "codebuild:batchGetBuilds",
    "cloudwatchlogs:getLogEvents",
    "sns:publish",
    "eventbridge:putEvents",
)
SCAN, OBJECTS, OBJECT = "dynamodb:scan", "s3:listObjectsV2", "s3:getObject"
STACKS = [facts.stack("network"), facts.stack("quiet", []), facts.stack("loud", ["failed"])]
ROOT = Path(__file__).resolve().parents[5]
DENIED = Error("CodePipeline.CodePipelineException")


def told(event: Any, answers: Any = None, stacks: Any = None, foundation: Any = None) -> Walk:
    """What the machine of an estate does about an event."""
    made = definitions.definition(foundation or facts.foundation(), STACKS if stacks is None else stacks)
    actions = [action("Source", "Failed"), action("Source")]
    return walk(made, event, {**facts.answers(*actions), **(answers or {})})


def tasks(done: Walk) -> list[str]:
    """The calls that were made, in their order."""
    return [name for name, _arguments in done.calls]


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from strings(each)
    elif isinstance(value, str):
        yield value


# The definition


@pytest.mark.parametrize("locking", [["dynamodb"], ["lockfile"], ["dynamodb", "lockfile"]])
def test_the_definition_is_one_that_step_functions_takes(locking: list[str]) -> None:
    made = definitions.definition(facts.foundation(locking=locking), STACKS)

    assert machine_definitions.problem(json.dumps(made)) is None
    for each in strings(made):
        assert each.startswith("{% ") == each.endswith(" %}"), each
        if each.startswith("{%"):
            parsed(each[2:-2].strip())


def test_all_that_a_machine_holds_of_its_recipients_is_which_events_they_want() -> None:
    recipients = [{"name": "ops", "slack": {"channel": "#ops"}, "events": ["failed"]}, {"email": "kim@acme.com"}]
    text = json.dumps(definitions.definition(facts.foundation({"recipients": recipients}), STACKS))

    assert "#ops" not in text
    assert "kim@acme.com" not in text


def test_a_thousand_stacks_with_events_of_their_own_fit_in() -> None:
    events = [[event for bit, event in enumerate(model.EVENTS) if number >> bit & 1] for number in range(64)]
    longest = "stack-with-a-name-as-long-as-it-gets-"
    stacks = [
        facts.stack(f"{longest}{number}", events[number % 64], state_key=f"{'k' * 250}{number}")
        for number in range(1000)
    ]

    made = definitions.definition(facts.foundation(), stacks)

    assert len(json.dumps(made).encode()) < 1024 * 1024 / 2
    # The input of the second state, of which Step Functions takes 256 KiB, without keys of their own.
    tables = definitions.definition(facts.foundation(), [facts.stack(s["name"], ["failed"]) for s in stacks])
    assert len(json.dumps(tables["States"]["Event"]["Output"]).encode()) < 128 * 1024


# Who is told


@pytest.mark.parametrize(
    ("event", "calls"),
    [
        (facts.ended("SUCCEEDED"), [GET, LIST, PUBLISH, PUT]),
        (facts.ended("SUCCEEDED", "gitops-network-destroy"), [GET, LIST, PUBLISH, PUT]),
        (facts.ended("FAILED"), [GET, LIST, PUBLISH, PUT]),
        (facts.waits(), [GET, LIST, PUBLISH, PUT]),
        (facts.ended("FAILED", "gitops-network-drift"), [GET, LIST, PUBLISH, PUT]),
        (facts.ended("FAILED", "gitops-drift"), [GET, LIST, PUBLISH, PUT]),
        (facts.ended("FAILED", "gitops-loud"), [GET, LIST, PUBLISH, PUT]),
        (facts.break_glass(), [PUBLISH, PUT]),
        ({"test": {}}, [PUBLISH, PUT]),
        (facts.ended("STARTED"), []),
        (facts.ended("SUPERSEDED"), []),
        (facts.ended("CANCELED"), []),
        (facts.ended("SUCCEEDED", "gitops-loud"), []),
        (facts.waits("gitops-loud"), []),
        (facts.ended("SUCCEEDED", "gitops-quiet"), []),
        (facts.ended("FAILED", "gitops-quiet-destroy"), []),
        (facts.ended("SUCCEEDED", "gitops-quiet-drift"), []),
        (facts.ended("FAILED", "gitops-other"), []),  # of an estate called gitops-other, or made by hand
        (facts.ended("FAILED", "gitops"), []),
        (facts.ended("FAILED", "gitopz-network"), []),
        ({**facts.waits(), "detail": {**facts.waits()["detail"], "state": "SUCCEEDED"}}, []),
        ({**facts.ended("FAILED"), "detail-type": "CodePipeline Stage Execution State Change"}, []),
        ({}, []),
        ({"detail": None}, []),
    ],
)
def test_of_what_somebody_is_told_and_with_which_calls(event: Any, calls: list[str]) -> None:
    done = told(event)

    assert tasks(done) == calls
    assert done.error == ""
    assert done.output == {"told": bool(calls)}


def test_a_stack_that_ends_like_a_pipeline_is_itself() -> None:
    stacks = [facts.stack("web-destroy", ["failed"])]

    assert (
        told(facts.ended("FAILED", "gitops-web-destroy"), stacks=stacks).variables["notice"]["stack"] == "web-destroy"
    )
    assert tasks(told(facts.ended("SUCCEEDED", "gitops-web-destroy"), stacks=stacks)) == []
    assert tasks(told(facts.ended("FAILED", "gitops-web"), stacks=stacks)) == []


def test_what_no_recipient_wants_is_not_composed() -> None:
    foundation = facts.foundation({"recipients": [{"sqs": "q", "events": ["failed"]}]})
    own = facts.stack("own", None, recipients=[{"sqs": "r", "events": ["approval"]}])
    everything = facts.stack("all", None, recipients=[{"sqs": "s", "events": None}])

    def wanted(stack: Any) -> list[str]:
        return definitions.wanted(foundation, stack)

    assert wanted(facts.stack("plain")) == wanted(None) == ["failed"]
    assert wanted(own) == ["failed", "approval"]
    assert wanted(everything) == [*model.EVENTS]
    assert wanted(facts.stack("few", ["drift", "failed"])) == ["failed"]
    assert definitions.wanted(facts.foundation(), facts.stack("x", ["drift"])) == ["drift"]


# What is told


def test_a_run_that_succeeded_is_told_with_counts_commit_and_links() -> None:
    actions = [action("Apply"), action("Approve"), facts.plan("Destroys nothing."), facts.source()]

    done = told(facts.ended("SUCCEEDED"), facts.answers(*actions))
    notice = done.variables["notice"]

    run = f"{CONSOLE}/codepipeline/pipelines/gitops-network/executions/{EXECUTION}/timeline?region=eu-central-1"
    log = f"{CONSOLE}/codebuild/{ACCOUNT}/projects/gitops-network-apply/build/gitops-network-apply%3Au-apply/"
    assert notice == {
        "version": 1,
        "event": "succeeded",
        "result": "succeeded",
        "estate": "gitops",
        "account": ACCOUNT,
        "region": "eu-central-1",
        "stack": "network",
        "pipeline": "gitops-network",
        "execution_id": EXECUTION,
        "time": "2026-11-26T08:15:07Z",
        "title": f"[gitops] network: apply succeeded: {COUNTS}",
        "text": f"Done: {COUNTS}\nAs planned: Destroys nothing.\nCommit {COMMIT[:12]} by Kim: Widen the subnet\n"
        f"Started by user/kim\nLog: {log}?region=eu-central-1\nRun: {run}\nCommit: https://example.com/commit",
        "counts": COUNTS,
        "effects": "Destroys nothing.",
        "commit": COMMIT,
        "commit_message": "Widen the subnet",
        "author": "Kim",
        "started_by": "user/kim",
        "failed_action": "",
        "error": "",
        "build": "gitops-network-apply:u-apply",
        "plan": "1f0b1e7a2a3c",
        "who": "",
        "comment": "",
        "links": {
            "execution": run,
            "approval": "",
            "log": f"{log}?region=eu-central-1",
            "commit": "https://example.com/commit",
        },
        "link": run,
    }


def test_the_topic_and_the_bus_get_the_same_notice() -> None:
    done = told(facts.ended("SUCCEEDED"), facts.answers(facts.plan(), facts.source('VPC의 "이름" <b> \\ & \u2028')))
    ((topic,), (bus,)) = done.arguments(PUBLISH), done.arguments(PUT)
    message = json.loads(topic["Message"])
    notice = done.variables["notice"]

    assert topic["TopicArn"] == f"arn:aws:sns:eu-central-1:{ACCOUNT}:gitops-notices"
    assert topic["Subject"] == notice["title"]
    assert message["default"] == f"{notice['title']}\n\n{notice['text']}"
    assert [json.loads(message[protocol]) for protocol in ("sqs", "https", "http")] == [notice] * 3
    assert topic["MessageAttributes"] == {
        "event": {"DataType": "String", "StringValue": "succeeded"},
        "stack": {"DataType": "String", "StringValue": "network"},
    }
    (entry,) = bus["Entries"]
    detail = json.loads(entry.pop("Detail"))
    bodies = detail.pop("bodies")
    assert detail == notice
    assert entry == {"Source": "gitops.aws", "DetailType": "Notice", "EventBusName": "default"}
    assert 'VPC의 "이름" <b> \\ &' in notice["text"]
    assert 'VPC의 "이름" &lt;b&gt; \\ &amp;' in bodies["slack"]["text"]


def test_each_kind_of_recipient_has_a_body_that_is_ready() -> None:
    done = told(facts.ended("SUCCEEDED"), facts.answers(facts.plan(), facts.source('"이름" <b> [x](http://y) \\ &')))
    notice = done.variables["notice"]
    bodies = json.loads(done.arguments(PUT)[0]["Entries"][0]["Detail"])["bodies"]
    shown = notice["text"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    for_slack = f"*{notice['title']}*\n{shown}"

    assert bodies["webhook"] == notice
    assert bodies["slack"] == {"text": for_slack, "unfurl_links": False}
    assert bodies["chatbot"] == {
        "version": "1.0",
        "source": "custom",
        "content": {"textType": "client-markdown", "description": for_slack},
    }
    (attachment,) = bodies["teams"]["attachments"]
    card = attachment["content"]
    assert bodies["teams"]["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    title, text = card["body"]
    assert title["text"] == notice["title"].replace("[", "\\[")
    assert "\\[x](http://y)" in text["text"]
    assert text["text"].count("\n\n") == notice["text"].count("\n")
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open", "url": notice["link"]}]


def test_what_is_of_no_stack_has_no_empty_attribute() -> None:
    (topic,) = told({"test": {"comment": "Hi"}}).arguments(PUBLISH)

    assert topic["MessageAttributes"] == {"event": {"DataType": "String", "StringValue": "test"}}


def test_an_approval_is_asked_for_with_the_plan_and_where_to_give_it() -> None:
    actions = [action("Approve", "InProgress"), facts.plan("Destroys aws_vpc.a."), facts.source()]

    notice = told(facts.waits("gitops-network-destroy"), facts.answers(*actions)).variables["notice"]

    approval = f"{CONSOLE}/codepipeline/pipelines/gitops-network-destroy/view?region=eu-central-1"
    assert notice["event"] == "approval"
    assert notice["result"] == "waiting"
    assert notice["title"] == f"[gitops] network: destroy waits for approval: {COUNTS}"
    assert notice["links"]["approval"] == notice["link"] == approval
    assert "gitops-network-plan%3Au-plan" in notice["links"]["log"]
    assert notice["text"].startswith(f"Plan 1f0b1e7a2a3c: {COUNTS}\nDestroys aws_vpc.a.\n")
    assert approval in notice["text"]


def failed(log: str, **values: Any) -> dict[str, Any]:
    """The notice of an apply whose build has this log."""
    actions = [action("Apply", "Failed", message="Build terminated"), facts.plan(), facts.source()]
    done = told(facts.ended("FAILED"), facts.answers(*actions, log=log, **values))
    assert tasks(done) == [GET, LIST, BUILD, LOG, PUBLISH, PUT]
    notice: dict[str, Any] = done.variables["notice"]
    return notice


def test_a_failed_build_is_told_with_the_line_that_says_why() -> None:
    log = (
        "\x1b[31m╷\x1b[0m\n\x1b[31m│\x1b[0m \x1b[1mError: creating VPC: AccessDenied: User: "
        f"arn:aws:sts::{ACCOUNT}:assumed-role/gitops-network-apply/AWSCodeBuild-0f2f5d3f is not authorized. Encoded "
        "authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuU\r\n│\r\n│   with aws_vpc.a,\n╵\n"
        "[Container] 2026/11/26 08:15:07 Error: no\n[Container] Phase complete: BUILD State: FAILED"
    )

    notice = failed(log)

    assert notice["failed_action"] == "Apply"
    assert notice["build"] == "gitops-network-apply:u-apply"
    assert notice["error"] == (
        f"Error: creating VPC: AccessDenied: User: arn:aws:sts::{ACCOUNT}:assumed-role/gitops-network-apply/"
        "AWSCodeBuild-0f2f5d3f is not authorized. Encoded authorization failure message: ..."
    )
    assert notice["text"].startswith(f"{notice['error']}\nPlan: {COUNTS}\n")
    assert notice["link"] == notice["links"]["log"]
    assert "What to do: ansible-playbook gitops.aws.doctor -e @your.yml -e stack=network" in notice["text"].splitlines()


def test_the_sample_in_the_docs_is_what_is_sent() -> None:
    text = (ROOT / "docs" / "notifications.md").read_text(encoding="utf-8")
    sample = json.loads(text.partition("```json\n")[2].partition("```")[0])
    notice = failed("Error: creating EC2 VPC: VpcLimitExceeded")

    def same(shown: Any, sent: Any) -> bool:
        if isinstance(shown, dict):
            return all(same(value, sent[name]) for name, value in shown.items())
        return bool(sent.startswith(shown[:-3]) if str(shown).endswith("...") else shown == sent)

    assert [(name, notice[name]) for name, value in sample.items() if not same(value, notice[name])] == []


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ("Error: first\nError: second", "Error: second"),
        ("Refused: the commit is not on the branch. Fix: merge it there.\n\n[Container] exit status 1",
         "Refused: the commit is not on the branch. Fix: merge it there."),
        ("Nothing is applied: the plan was used. Fix: start the pipeline again",
         "Nothing is applied: the plan was used. Fix: start the pipeline again"),
        ("all is well\nerror: but not ours", "Command failed"),
        ("", "Command failed"),
        ("Error: " + "이름" * 5000, "Error: " + ("이름" * 295) + "..."),
        ('Error: "quoted" <script> {% $error() %} {stack} $1', 'Error: "quoted" <script> {% $error() %} {stack} $1'),
        ("Error: key AKIAIOSFODNN7EXAMPLE", "Error: key ..."),
    ],
)  # fmt: skip
def test_the_error_is_the_last_line_that_says_one(log: str, error: str) -> None:
    told_error = failed(log)["error"]

    assert told_error == error or (told_error[:200] == error[:200] and len(told_error) == 600)


def test_a_build_without_a_log_is_told_with_what_its_phase_says() -> None:
    actions = [action("Plan", "Failed", message="Build terminated"), facts.source()]
    builds = {"Builds": [{"Logs": {}, "Phases": [{"PhaseStatus": "FAILED", "Contexts": [{"Message": "No image"}]}]}]}

    done = told(facts.ended("FAILED"), {**facts.answers(*actions), BUILD: builds})

    assert tasks(done) == [GET, LIST, BUILD, PUBLISH, PUT]
    assert done.variables["notice"]["error"] == "No image"


def test_what_failed_without_a_build_is_told_as_the_pipeline_says_it() -> None:
    actions = [action("Source", "Failed", message="No Branch [main] found")]

    notice = told(facts.ended("FAILED"), facts.answers(*actions)).variables["notice"]

    assert notice["failed_action"] == "Source"
    assert notice["error"] == "No Branch [main] found"


def test_a_rejection_is_told_with_who_and_why() -> None:
    by = f"arn:aws:sts::{ACCOUNT}:assumed-role/operator/lee"
    actions = [action("Approve", "Failed", by=by, summary='Not "now": 지금은 아니다'), facts.plan(), facts.source()]

    done = told(facts.ended("FAILED"), facts.answers(*actions))
    notice = done.variables["notice"]

    assert tasks(done) == [GET, LIST, PUBLISH, PUT]
    assert (notice["event"], notice["result"]) == ("failed", "rejected")
    assert notice["who"] == "assumed-role/operator/lee"
    assert notice["comment"] == 'Not "now": 지금은 아니다'
    assert notice["title"] == f"[gitops] network: apply was rejected: {COUNTS}"
    assert notice["text"].startswith(
        'Nothing was changed. Rejected by assumed-role/operator/lee\nWhy: Not "now": 지금은 아니다\n'
    )


def test_an_approval_that_nobody_gave_in_time_is_no_rejection() -> None:
    actions = [action("Approve", "Failed", message="The approval expired"), facts.plan(), facts.source()]

    notice = told(facts.ended("FAILED"), facts.answers(*actions)).variables["notice"]

    assert (notice["result"], notice["failed_action"], notice["error"]) == ("failed", "Approve", "The approval expired")


UNCHANGED, POSTPONED = (
    "No changes: what is there is what commit 5d41402 says.",
    "Waits for gitops-base to apply 5d41402.",
)


@pytest.mark.parametrize(
    ("reason", "summary", "is_told"),
    [
        (UNCHANGED, "no changes", False),
        (POSTPONED, "no plan", False),
        (UNCHANGED, COUNTS, True),  # says who has stopped it
        (POSTPONED, "no changes", True),
        ("Not on a Friday", "no changes", True),
        ("Not on a Friday", COUNTS, True),
        ("", COUNTS, True),
    ],
)
def test_a_run_that_was_stopped_is_told_unless_its_plan_says_that_there_was_nothing_to_do(
    reason: str, summary: str, is_told: bool
) -> None:
    run = facts.answers()[GET]["PipelineExecution"]
    run = {**run, "SourceRevisions": run.pop("ArtifactRevisions"), "Status": "Stopped"}
    run |= {"StopTrigger": {"Reason": reason}} if reason else {}
    others = [{"PipelineExecutionId": "other", "StopTrigger": {"Reason": "No changes: of another run"}}]
    listed = {f"codepipeline:{RUNS}": {"PipelineExecutionSummaries": [*others, run]}}
    plan = facts.plan(PLAN_SUMMARY=summary)

    done = told(facts.ended("STOPPED"), {**facts.answers(plan, facts.source()), **listed})
    unread = told(facts.ended("STOPPED"), {**listed, LIST: DENIED})

    assert tasks(done) == [f"codepipeline:{RUNS}", LIST, *([PUBLISH, PUT] if is_told else [])]
    assert tasks(unread)[-2:] == [PUBLISH, PUT]
    if is_told:
        notice = done.variables["notice"]
        assert (notice["event"], notice["result"], notice["comment"]) == ("failed", "stopped", reason)
        assert notice["started_by"] == "user/kim"
        assert notice["links"]["commit"] == "https://example.com/commit"


def test_a_run_that_had_nothing_to_apply_is_not_told_where_nobody_is_asked() -> None:
    unchanged = facts.plan(PLAN_SUMMARY="no changes")

    done = told(facts.ended("SUCCEEDED"), facts.answers(action("Apply"), unchanged, facts.source()))
    failed = told(facts.ended("FAILED"), facts.answers(action("Source", "Failed"), unchanged))
    waits = told(facts.waits(), facts.answers(unchanged))

    assert (tasks(done), done.output) == ([GET, LIST], {"told": False})
    assert failed.output == waits.output == {"told": True}


# What comes before the list of actions has it

LATE = [action("Apply", "Failed", message="No"), facts.plan(), facts.source()]


@pytest.mark.parametrize(
    ("event", "early"),
    [
        (facts.ended("FAILED"), []),
        (facts.ended("FAILED"), LATE[1:]),
        (facts.waits(), []),
        (facts.ended("SUCCEEDED"), []),
    ],
)
def test_a_list_of_actions_that_lags_is_read_again(event: Any, early: list[Any]) -> None:
    lags, there = {"ActionExecutionDetails": early}, {"ActionExecutionDetails": LATE}

    late = told(event, {LIST: [lags, lags, lags, there]})
    never = told(event, {LIST: lags})
    unread = told(event, {LIST: [lags, DENIED]})

    assert [name for name in tasks(late) if name in (GET, LIST, PUBLISH)] == [GET, *[LIST] * 4, PUBLISH]
    assert late.variables["notice"]["counts"] == COUNTS
    assert tasks(never) == [GET, *[LIST] * 4, PUBLISH, PUT]
    assert late.states.count("ActionsAgain") == never.states.count("ActionsAgain") == 3
    assert never.error == ""
    assert tasks(unread) == [GET, LIST, LIST, PUBLISH, PUT]
    assert "Could not be read: the plan and what failed" in unread.variables["notice"]["text"]


def test_a_commit_message_that_is_no_json_or_is_half_of_one_is_still_told() -> None:
    for summary in ("plain text", '{"CommitMessage":"cut of', "{}", '{"CommitMessage":7}'):
        answers = facts.answers(facts.plan())
        answers[GET]["PipelineExecution"]["ArtifactRevisions"][0]["RevisionSummary"] = summary

        notice = told(facts.ended("SUCCEEDED"), answers).variables["notice"]

        expected = {"{}": "", '{"CommitMessage":7}': "7"}.get(summary, summary)
        assert notice["commit_message"] == expected
        assert notice["commit"] == COMMIT


@pytest.mark.parametrize(
    ("trigger", "detail", "said"),
    [
        ("WebhookV2", "acme/infrastructure", "a push"),
        ("CloudWatchEvent", f"arn:aws:events:eu-central-1:{ACCOUNT}:rule/x", "a push"),
        ("StartPipelineExecution", f"arn:aws:sts::{ACCOUNT}:assumed-role/web/kim", "assumed-role/web/kim"),
        ("CreatePipeline", f"arn:aws:iam::{ACCOUNT}:root", "root"),
        ("ManualRollback", "", "ManualRollback"),
    ],
)
def test_who_started_a_run_is_told(trigger: str, detail: str, said: str) -> None:
    answers = facts.answers(facts.plan())
    answers[GET]["PipelineExecution"]["Trigger"] = {"TriggerType": trigger, "TriggerDetail": detail}

    assert told(facts.ended("SUCCEEDED"), answers).variables["notice"]["started_by"] == said


def test_break_glass_is_told_with_who_and_from_where() -> None:
    taken = told(facts.break_glass()).variables["notice"]
    refused = told(facts.break_glass(errorMessage="User is not authorized"), None).variables["notice"]

    assert (taken["event"], taken["result"], taken["stack"]) == ("break_glass", "used", "")
    assert taken["title"] == f"[gitops] Break-glass role: arn:aws:iam::{ACCOUNT}:user/mallory"
    assert "took the break-glass role, at 2026-11-26T08:15:07Z from 192.0.2.7\nIf nobody" in taken["text"]
    assert "was refused the break-glass role" in refused["text"]
    assert "User is not authorized" in refused["text"]


# What cannot be read, and what cannot be handed over


@pytest.mark.parametrize(
    ("call", "what", "left"),
    [
        (GET, "who started it", {"counts": COUNTS, "commit": COMMIT, "started_by": ""}),
        (LIST, "the plan and what failed", {"counts": "", "commit": COMMIT, "failed_action": ""}),
        (BUILD, "the build", {"counts": COUNTS, "error": "Build terminated"}),
        (LOG, "the log", {"counts": COUNTS, "error": "Command failed"}),
    ],
)
@pytest.mark.parametrize("error", ["CodePipeline.CodePipelineException", "States.DataLimitExceeded"])
def test_a_fact_that_cannot_be_read_is_left_out_and_the_notice_says_so(
    call: str, what: str, left: dict[str, str], error: str
) -> None:
    actions = [action("Apply", "Failed", message="Build terminated"), facts.plan(), facts.source()]

    done = told(facts.ended("FAILED"), {**facts.answers(*actions, log="Error: x"), call: Error(error)})
    notice = done.variables["notice"]

    assert f"Could not be read: {what}" in notice["text"].splitlines()
    assert {name: notice[name] for name in left} == left
    assert notice["event"] == "failed"
    assert done.error == ""
    assert tasks(done)[-2:] == [PUBLISH, PUT]


def test_nothing_but_the_event_is_enough_to_tell() -> None:
    done = told(facts.ended("FAILED"), {GET: DENIED, LIST: DENIED})

    assert tasks(done) == [GET, LIST, PUBLISH, PUT]
    assert "Could not be read: who started it, the plan and what failed" in done.variables["notice"]["text"]
    assert done.variables["notice"]["title"] == "[gitops] network: apply run failed"


def test_what_the_topic_does_not_take_is_put_on_the_bus_and_the_execution_fails() -> None:
    done = told(facts.ended("SUCCEEDED"), {PUBLISH: Error("Sns.KmsAccessDeniedException", "no key")})

    assert tasks(done)[-2:] == [PUBLISH, PUT]
    assert done.error == "Notices.NotPublished"
    assert done.output == "Sns.KmsAccessDeniedException: no key"


def test_an_event_that_was_not_taken_is_put_again_and_nothing_is_published_twice() -> None:
    refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "InternalFailure", "ErrorMessage": "later"}]}
    taken = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}

    once = told(facts.ended("SUCCEEDED"), {PUT: [refused, taken]})
    never = told(facts.ended("SUCCEEDED"), {PUT: refused})

    assert tasks(once)[2:] == [PUBLISH, PUT, PUT]
    assert (once.error, once.output) == ("", {"told": True})
    assert tasks(never)[2:] == [PUBLISH, *[PUT] * 4]
    assert (never.error, never.output) == ("Notices.NotPut", "InternalFailure: later")


def test_only_reading_is_tried_again_whatever_failed() -> None:
    states = definitions.definition(facts.foundation(), STACKS)["States"]
    retried = {name: state["Retry"][0]["ErrorEquals"] for name, state in states.items() if state["Type"] == "Task"}

    assert {name for name, errors in retried.items() if "States.ALL" not in errors} == {"Publish", "Put"}
    assert all("Throttl" in errors[0] for name, errors in retried.items() if name in ("Publish", "Put"))


# Drift


def look(number: int, effects: str, found: str = "1", started: str = "2026-11-26T07:00:00Z") -> dict[str, Any]:
    """A run that has looked; number 1 is the one that has just ended."""
    variables = {"DRIFT_COUNT": found, "PLAN_SUMMARY": f"{found} changed", "PLAN_EFFECTS": effects}
    execution = EXECUTION if number == 1 else f"run-{number}"
    when = "2026-11-26T08:00:00Z" if number == 1 else started
    return action(
        "Drift", execution=execution, variables=variables, build=f"gitops-network-plan:{number}", started=when
    )


@pytest.mark.parametrize(
    ("looks", "is_told"),
    [
        ([look(1, "aws_vpc.a")], True),
        ([look(1, "", "0")], False),
        ([look(1, "aws_vpc.a"), look(2, "", "0")], True),
        ([look(1, "aws_vpc.a"), look(2, "aws_vpc.a")], False),
        ([look(1, "aws_vpc.a"), look(2, "aws_vpc.b")], True),
        ([look(1, "aws_vpc.a", "2"), look(2, "aws_vpc.a")], True),
        ([look(1, "aws_vpc.a"), look(2, "aws_vpc.b"), look(3, "aws_vpc.a")], True),
        # A run after it, which looked before the machine did.
        ([look(2, "aws_vpc.b", started="2026-11-26T09:00:00Z"), look(1, "aws_vpc.a"), look(3, "aws_vpc.a")], False),
    ],
)
def test_drift_is_told_where_it_is_other_than_the_run_before_has_found(looks: list[Any], is_told: bool) -> None:
    done = told(facts.ended("SUCCEEDED", "gitops-network-drift"), facts.answers(*looks, facts.source()))

    assert tasks(done) == [LIST, *([PUBLISH, PUT] if is_told else [])]
    if is_told:
        notice = done.variables["notice"]
        assert (notice["event"], notice["result"], notice["effects"]) == ("drift", "found", "aws_vpc.a")
        assert notice["counts"] in notice["title"]
        assert "gitops-network-plan%3A1" in notice["link"]
        assert f"Compared with Commit {COMMIT[:12]} by" not in notice["text"]


def test_drift_that_cannot_be_known_fails_the_execution() -> None:
    event = facts.ended("SUCCEEDED", "gitops-network-drift")

    assert told(event, {LIST: DENIED}).error == DENIED.name
    done = told(event, facts.answers())
    assert done.error == "Notices.DriftNotKnown"
    assert tasks(done) == [LIST] * 4


def test_drift_is_told_though_the_list_of_actions_lags() -> None:
    lists = [{"ActionExecutionDetails": found} for found in ([], [], [look(1, "aws_vpc.a")])]

    done = told(facts.ended("SUCCEEDED", "gitops-network-drift"), {LIST: lists})

    assert tasks(done) == [*[LIST] * 3, PUBLISH, PUT]
    assert done.variables["notice"]["effects"] == "aws_vpc.a"


def scan(number: int, what: str, counts: str = "1 unmanaged") -> dict[str, Any]:
    """A scan of the account; number 1 is the one that has just ended."""
    variables = {"PLAN_SUMMARY": f"{counts}, 3 changed", "PLAN_COUNT": "0"}
    variables |= {"UNMANAGED_SUMMARY": counts, "UNMANAGED_ID": what} if counts else {"UNMANAGED_SUMMARY": ""}
    made = look(number, "")
    made["ActionName"] = "Scan"
    made["Output"]["OutputVariables"] = variables
    return made


ASKED = [action(name, execution="run-2") for name in ("Act", "Approve")]
ACTED = [action(name, execution=EXECUTION) for name in ("Act", "Approve")]


@pytest.mark.parametrize(
    ("actions", "result"),
    [
        ([scan(1, "a")], "found"),
        ([scan(1, "a", "")], ""),
        ([scan(1, "a"), scan(2, "a")], ""),
        ([scan(1, "a"), scan(2, "b")], "found"),
        ([scan(1, "a"), scan(2, "a", "")], "found"),
        ([scan(1, "a"), *ASKED, scan(2, "a")], "found"),
        ([scan(1, "a"), *ASKED, scan(2, "b"), scan(3, "a")], ""),
        ([*ACTED, scan(1, "a")], "succeeded"),
    ],
)
def test_what_the_account_has_too_much_of_is_told_where_it_is_other(actions: list[Any], result: str) -> None:
    done = told(facts.ended("SUCCEEDED", "gitops-drift"), facts.answers(*actions))

    more = {"found": [PUBLISH, PUT], "succeeded": [GET, LIST, PUBLISH, PUT], "": []}[result]
    assert tasks(done) == [LIST, *more]
    if result:
        notice = done.variables["notice"]
        assert (notice["result"], notice["stack"]) == (result, "")
        assert f"account {ACCOUNT}" in notice["title"]
        assert notice["commit"] == ""
        if result == "found":
            assert "changed" not in notice["text"]


# Locks

NOW = "2026-11-26T08:15:07Z"
YOUNG, OLD, TOLD = "2026-11-26T07:30:00.5Z", "2026-11-26T07:05:00.123456789Z", "2026-11-26T06:50:00Z"


def item(key: str, created: str = OLD, bucket: str = "", who: str = "root@host") -> dict[str, Any]:
    """An item of the lock table."""
    info = {"ID": "1", "Operation": "OperationTypeApply", "Who": who, "Created": created, "Path": key}
    bucket = bucket or facts.foundation()["state_bucket"]
    text = json.dumps(info, separators=(",", ":"), ensure_ascii=False)
    return {"LockID": {"S": f"{bucket}/{key}"}, "Info": {"S": text}}


def file(key: str, modified: str = OLD) -> dict[str, Any]:
    """An object of the state bucket."""
    return {"Key": key, "LastModified": f"{modified[:19]}Z", "Size": 200, "StorageClass": "STANDARD"}


def looked(items: list[Any], files: list[Any], **more: Any) -> Walk:
    """A look at the locks of three stacks, of which one has opted out."""
    stacks = [*STACKS, facts.stack("own", None, state_key="of/its.own/key")]
    found = {SCAN: {"Items": items, "Count": len(items)}, OBJECTS: {"Contents": files, "KeyCount": len(files)}, **more}
    return told({"check": "locks", "time": NOW}, found, stacks)


NETWORK, LOCKFILE = "network/terraform.tfstate", "network/terraform.tfstate.tflock"


def test_a_lock_that_is_held_for_too_long_is_told_with_who_holds_it() -> None:
    done = looked([item(NETWORK)], [file(LOCKFILE), file(NETWORK)])
    notice = done.variables["notice"]

    assert tasks(done) == [SCAN, OBJECTS, PUBLISH, PUT]
    assert (notice["event"], notice["result"], notice["stack"]) == ("lock", "held", "network")
    assert notice["title"] == "[gitops] network: locked for more than 60 minutes"
    assert "Held by root@host\nFor: Apply\nSince 2026-11-26T07:05:00.123456789Z\n" in notice["text"]
    assert notice["who"] == "root@host"


@pytest.mark.parametrize(
    ("items", "files"),
    [
        ([], []),
        ([item(NETWORK, YOUNG)], [file(LOCKFILE, YOUNG)]),
        ([item(NETWORK, TOLD)], [file(LOCKFILE, TOLD)]),
        ([item("quiet/terraform.tfstate"), item("loud/terraform.tfstate")], [file("quiet/terraform.tfstate.tflock")]),
        ([item("nobody/terraform.tfstate"), item(NETWORK, bucket="another")], [file(NETWORK)]),
        ([item("own/terraform.tfstate")], []),
        (
            [
                {"LockID": {"S": "x"}, "Info": {"S": "no JSON"}},
                item(NETWORK, "yesterday"),
                item(NETWORK, "2026-99-99T99:99:99Z"),
            ],
            [],
        ),
    ],
)
def test_of_other_locks_nobody_is_told(items: list[Any], files: list[Any]) -> None:
    done = looked(items, files)

    assert tasks(done) == [SCAN, OBJECTS]
    assert done.error == ""


def test_a_lock_that_is_only_a_file_is_read_to_say_who_holds_it() -> None:
    body = item(NETWORK, who='김 "<b>" \\')["Info"]["S"]
    done = looked([], [file(LOCKFILE)], **{OBJECT: {"Body": body}})
    unread = looked([], [file(LOCKFILE)], **{OBJECT: Error("S3.S3Exception")})

    assert tasks(done) == [SCAN, OBJECTS, OBJECT, PUBLISH, PUT]
    assert done.arguments(OBJECT) == [{"Bucket": facts.foundation()["state_bucket"], "Key": LOCKFILE}]
    assert "Held by 김" in done.variables["notice"]["text"]
    assert "Could not be read: who holds it" in unread.variables["notice"]["text"]


def test_each_lock_of_all_pages_is_told_once() -> None:
    start = {"LockID": {"S": "next"}}
    pages = [{"Items": [item(NETWORK)], "LastEvaluatedKey": start}, {"Items": [item("of/its.own/key")]}]
    files = [
        {"Contents": [file("of/its.own/key.tflock")], "NextContinuationToken": "token"},
        {"Contents": [file(LOCKFILE)]},
    ]

    done = looked([], [], **{SCAN: pages, OBJECTS: files})

    assert tasks(done) == [SCAN, SCAN, OBJECTS, OBJECTS, PUBLISH, PUT, PUBLISH, PUT]
    assert "ExclusiveStartKey" not in done.arguments(SCAN)[0]
    assert done.arguments(SCAN)[1]["ExclusiveStartKey"] == start
    assert done.arguments(OBJECTS)[1]["ContinuationToken"] == "token"
    notices = [json.loads(put["Entries"][0]["Detail"]) for put in done.arguments(PUT)]
    assert [notice["stack"] for notice in notices] == ["network", "own"]


# As a schedule brings them: in time, and late.
QUARTERS = [f"2026-11-26T{hour:02}:{minute:02}" for hour in (7, 8) for minute in (0, 15, 30, 45)]
LATE_LOOKS = ["2026-11-26T07:14", "2026-11-26T07:15", "2026-11-26T07:44", "2026-11-26T07:45", "2026-11-26T08:02",
         "2026-11-26T08:15", "2026-11-26T08:30", "2026-11-26T08:45"]  # fmt: skip


@pytest.mark.parametrize("times", [QUARTERS, LATE_LOOKS])
@pytest.mark.parametrize("created", ["06:10:00", "06:15:00", "06:25:00", "06:59:59", "07:00:00"])
def test_each_lock_falls_into_one_look_of_the_schedule(created: str, times: list[str]) -> None:
    looks = [
        told(
            {"detail-type": "Scheduled Event", "source": "aws.events", "time": f"{time}:00Z", "detail": {}},
            {SCAN: {"Items": [item(NETWORK, f"2026-11-26T{created}Z")]}, OBJECTS: {}},
        )
        for time in times
    ]

    assert len([done for done in looks if PUT in tasks(done)]) == 1


def test_a_lock_that_table_and_file_have_is_told_once_however_far_they_are_apart() -> None:
    def told_at(time: str, *places: str) -> int:
        items = [item(NETWORK, "2026-11-26T06:59:59Z")] if "table" in places else []
        files = [file(LOCKFILE, "2026-11-26T07:00:01Z")] if "file" in places else []
        found = {SCAN: {"Items": items}, OBJECTS: {"Contents": files}, OBJECT: {"Body": "{}"}}
        return tasks(told({"check": "locks", "time": f"{time}:00Z"}, found)).count(PUT)

    assert [told_at(time, "table", "file") for time in QUARTERS].count(1) == 1
    assert [told_at(time, "file") for time in QUARTERS].count(1) == 1


def test_the_table_gives_no_item_that_alone_is_more_than_is_read() -> None:
    (scan,) = looked([], []).arguments(SCAN)

    assert scan["ProjectionExpression"] == "LockID, #info"
    assert scan["FilterExpression"] == "attribute_exists(#info) AND size(#info) <= :room"
    assert scan["ExpressionAttributeValues"] == {":room": {"N": "4096"}}


def test_locks_that_cannot_be_read_fail_the_execution() -> None:
    denied = Error("DynamoDb.DynamoDbException")

    assert looked([], [], **{SCAN: denied}).error == denied.name


# The user's templates


def test_a_users_template_is_filled_in_and_never_evaluated() -> None:
    hostile = "\"'); $error('x') {% $states.input %} {{ x }} \\ `a` $1"
    templates = {"failed": {"title": "{stack}: {result}", "text": f"{hostile}\n{{error}}{{commit}}\nsee {{log}}\nEnd"}}

    done = told(facts.ended("FAILED"), facts.answers(action("Source", "Failed", message=hostile)),
                foundation=facts.foundation({"templates": templates}))  # fmt: skip
    notice = done.variables["notice"]

    assert notice["title"] == "network: failed"
    assert notice["text"] == f"{hostile}\n{hostile}{COMMIT[:12]}\nEnd"


# Its role


def test_the_role_is_for_this_machine_of_this_account() -> None:
    role = definitions.machine_role({**facts.foundation(), "permissions_boundary": "b"})
    (statement,) = role["assume_role_policy"]["Statement"]

    assert role["name"] == "gitops-notices"
    assert statement["Principal"] == {"Service": "states.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnEquals": {"aws:SourceArn": [f"arn:aws:states:eu-central-1:{ACCOUNT}:stateMachine:gitops-notices"]},
    }


@pytest.mark.parametrize(
    ("locking", "key", "sids"),
    [
        (["dynamodb"], "", {"LockTable", "KeyOfTable"}),
        (["lockfile"], "", {"ListLocks", "LockFiles", "KeyOfFiles"}),
        (
            ["lockfile"],
            f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1",
            {"ListLocks", "LockFiles", "KeyOfFiles", "TopicKey"},
        ),
    ],
)
def test_the_role_may_do_what_the_machine_does_and_no_more(locking: list[str], key: str, sids: set[str]) -> None:
    foundation = facts.foundation({"kms_key_id": key}, locking=locking)

    statements = definitions.machine_role(foundation)["inline_policies"]["notices"]["Statement"]

    assert {one["Sid"] for one in statements} - {"Runs", "Builds", "Logs", "Publish", "PutNotices"} == sids
    assert [one for one in statements if one["Resource"] in ("*", ["*"])] == []


def test_a_key_of_the_users_own_is_used_for_the_topic() -> None:
    key = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1"
    statements = definitions.machine_role(facts.foundation({"kms_key_id": key}))["inline_policies"]["notices"]
    (found,) = [one for one in statements["Statement"] if one["Sid"] == "TopicKey"]

    assert found["Resource"] == [key]
    assert "Condition" not in found


def test_the_machine_is_as_the_module_takes_it() -> None:
    made = definitions.machine({**facts.foundation(), "tags": {"team": "net"}}, STACKS)

    assert made["name"] == "gitops-notices"
    assert made["type"] == "STANDARD"
    assert made["role_arn"] == f"arn:aws:iam::{ACCOUNT}:role/gitops-notices"
    assert made["tags"] == {"team": "net"}
    assert made["definition"]["QueryLanguage"] == "JSONata"
