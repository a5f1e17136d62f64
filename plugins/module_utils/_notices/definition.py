# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The state machine that composes the notices, in the Amazon States Language with JSONata, and what its role may do.

An event comes in. The machine decides which stack it is about and whether anybody is to be told, reads the few facts
that the event lacks, fills in the template, and hands the notice over twice: to the topic, and to the event bus.

A fact that cannot be read is left out, and the notice says so. Where it cannot be known whether there is anything to
tell (drift, locks), or where a notice cannot be handed over, the execution fails, and that is noticed.

Variables that states share:
    told    what the notice is about: check, result, event, stack, kind, pipeline, execution_id, time, wanted (events)
    facts   what is known of it, each a text; words of texts.WORDS, and what leads to more of them
    looks   how often the list of actions has been read: it may lag behind the event
    words   facts, each one line, short, and without secrets
    notice  the notice, as docs/notifications.md describes it
    locks   those that are still to be told of
    held    stacks of which the table says that they are locked, however long
"""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names, seal
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack
from ansible_collections.gitops.aws.plugins.module_utils._estate.pipelines import CONSOLES
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import Statement, allow, document, trust
from ansible_collections.gitops.aws.plugins.module_utils._notices import model, texts
from ansible_collections.gitops.aws.plugins.module_utils._outcomes import OWN_ENDS, UNCHANGED

State = dict[str, Any]

VERSION = 1  # of a notice
# Between two looks at the locks, of which each is at a full quarter of an hour: a lock is told when it has got too old
# since the one before.
CHECK_MINUTES = 15
TIMEOUT_SECONDS = 900

# How much is read at once: Step Functions takes 256 KiB as a state's result.
RUNS, ACTIONS, LOOKS, LOG_LINES, ITEMS, KEYS = 40, 40, 20, 100, 250, 400
LOCK_BYTES = 4096  # of a lock in the table: what has more is none of Terraform's, and one alone could be too much

# How often, and after how many seconds, a list of actions that lacks what the event is about is read again.
AGAIN, AGAIN_SECONDS = 3, 5

# The beginnings of what says why a build failed: Terraform's, and those of our own builds.
ERRORS = r"Error: |Refused: |Nothing is |Fix: "

STATE_KEY = "/terraform.tfstate"  # what a stack's state key ends with unless the stack says otherwise


def definition(foundation: Foundation, stacks: list[Stack]) -> dict[str, Any]:
    """The state machine.

    Args:
        foundation: what the estate shares; `notifications` are the checked settings.
        stacks: checked stacks, each with `notifications`, which may be None.
    """
    states = {
        **_beginning(foundation, stacks),
        **_run(foundation),
        **_drift(),
        **_locks(foundation),
        **_composing(foundation),
        **_handing_over(foundation),
    }
    return {
        "Comment": f"Tells people what happened in {foundation['name']}",
        "QueryLanguage": "JSONata",
        "TimeoutSeconds": TIMEOUT_SECONDS,
        "StartAt": "Event",
        "States": states,
    }


# Who is told


def wanted(foundation: Foundation, stack: Stack | None) -> list[str]:
    """The events of a stack that somebody is told of; of the estate itself without a stack.

    What no recipient wants is not composed. Where there are no recipients, whoever listens to the event bus is one.
    """
    own = (stack or {}).get("notifications") or {}
    chosen = own.get("events")
    recipients = [*foundation["notifications"]["recipients"], *(own.get("recipients") or [])]
    of_recipients = {event for one in recipients for event in one.get("events") or model.EVENTS}
    if not recipients:
        of_recipients = set(model.EVENTS)
    return [event for event in model.EVENTS if event in of_recipients and (chosen is None or event in chosen)]


def _tables(foundation: Foundation, stacks: list[Stack]) -> dict[str, Any]:
    """What the machine knows of stacks: of each which set of events it has, and whose state has a key of its own."""
    sets: dict[str, list[str]] = {}
    of_stacks = {}
    for stack in stacks:
        events = wanted(foundation, stack)
        name = next((name for name, known in sets.items() if known == events), str(len(sets)))
        sets[name] = events
        of_stacks[stack["name"]] = name
    keys = {s["state_key"]: s["name"] for s in stacks if s["state_key"] != f"{s['name']}{STATE_KEY}"}
    return {"stacks": of_stacks, "sets": sets, "keys": keys, "estate": wanted(foundation, None)}


# Parts of states


def _x(expression: str) -> str:
    """A JSONata expression, as a state has it."""
    return "{% " + " ".join(line.strip() for line in expression.strip().splitlines()) + " %}"


def _q(text: str) -> str:
    """Text of ours as a JSONata literal."""
    return json.dumps(text)


def _choice(*rules: tuple[str, str], default: str) -> State:
    """Each rule a condition and the next state."""
    return {
        "Type": "Choice",
        "Choices": [{"Condition": _x(condition), "Next": following} for condition, following in rules],
        "Default": default,
    }


# Reading again does no harm.
_READ_AGAIN = [
    {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 2, "JitterStrategy": "FULL"}
]


def _read(
    task: str, arguments: Any, assign: dict[str, str], following: str, fact: str = "", instead: str = ""
) -> State:
    """A call that reads.

    Args:
        task: <service>:<action>.
        arguments: of the call.
        assign: variables from $states.result.
        following: the next state.
        fact: what is left out where it cannot be read, in words; without it the execution fails then.
        instead: the next state then, if it is another.
    """
    state = {
        "Type": "Task",
        "Resource": f"arn:aws:states:::aws-sdk:{task}",
        "Arguments": arguments,
        "Retry": _READ_AGAIN,
        "Assign": assign,
        "Output": {},
        "Next": following,
    }
    if fact:
        unread = f"$merge([$facts, {{'unread': $facts.unread & ($facts.unread = '' ? '' : ', ') & {_q(fact)}}}])"
        caught = {"Assign": {"facts": _x(unread)}, "Output": {}, "Next": instead or following}
        # States.ALL leaves out an answer that is too large.
        state["Catch"] = [{"ErrorEquals": [error], **caught} for error in ("States.DataLimitExceeded", "States.ALL")]
    return state


def _some(value: str) -> str:
    """JSONata: text, '' where there is none."""
    return f"($exists({value}) and {value} != null ? $string({value}) : '')"


# What it is about


def _beginning(foundation: Foundation, stacks: list[Stack]) -> dict[str, State]:
    prefix = f"{foundation['name']}-"
    told = f"""(
        $event := $states.input.event; $tables := $states.input.tables; $detail := $event.detail;
        $type := {_some("$lookup($event, 'detail-type')")};
        $pipeline := {_some("$detail.pipeline")};
        $rest := $substring($pipeline, 0, {len(prefix)}) = {_q(prefix)} ? $substring($pipeline, {len(prefix)}) : '';
        $base := $replace($rest, /-(destroy|drift)$/, '');
        $stack := $exists($lookup($tables.stacks, $rest)) ? $rest
            : $exists($lookup($tables.stacks, $base)) ? $base : '';
        $kind := $rest = 'drift' ? 'scan' : $rest = $stack ? 'apply'
            : $rest = $stack & '-destroy' ? 'destroy' : 'drift';
        $ours := $rest = 'drift' or $stack != '';
        $state := {_some("$detail.state")};
        $ended := $type = 'CodePipeline Pipeline Execution State Change';
        $check := $exists($event.test) ? 'test'
            : {_some("$event.check")} = 'locks' or $type = 'Scheduled Event' ? 'locks'
            : $type = 'AWS API Call via CloudTrail' ? 'used'
            : $not($ours) ? 'nothing'
            : $type = 'CodePipeline Action Execution State Change' ? (
                $state = 'STARTED' and $detail.type.category = 'Approval' ? 'waiting' : 'nothing')
            : $not($ended) ? 'nothing'
            : $state = 'SUCCEEDED' ? ($kind in ['drift', 'scan'] ? 'found' : 'succeeded')
            : $state = 'FAILED' ? 'failed' : $state = 'STOPPED' ? 'stopped' : 'nothing';
        $events := {json.dumps({**model.RESULTS, "locks": "lock", "nothing": "nothing"})};
        $wanted := [$stack = '' ? $tables.estate : $lookup($tables.sets, $lookup($tables.stacks, $stack))];
        $time := {_some("$event.time")};
        {{
            'check': $check, 'result': $check, 'event': $lookup($events, $check), 'wanted': $wanted,
            'stack': $stack, 'kind': $kind, 'pipeline': $pipeline,
            'execution_id': {_some("$lookup($detail, 'execution-id')")},
            'time': $substring($time = '' ? $states.context.Execution.StartTime : $time, 0, 19) & 'Z'
        }}
    )"""
    # A scan that goes on to act is a success of its own, which may be wanted where drift is not.
    nobody = """$told.check = 'nothing' or $told.event != 'test' and $not($told.event in $told.wanted)
        and $not($told.check = 'locks')
        and $not($told.kind = 'scan' and $told.check = 'found' and 'succeeded' in $told.wanted)"""
    first = {"test": "Test", "used": "BreakGlass", "locks": "Locks", "found": "Looks", "stopped": "Stopped"}
    return {
        "Event": {
            "Type": "Pass",
            "Output": {"event": "{% $states.input %}", "tables": _tables(foundation, stacks)},
            "Next": "About",
        },
        "About": {
            "Type": "Pass",
            "Assign": {
                "told": _x(told),
                "facts": {"unread": ""},
                "looks": 0,
                "locks": [],
                "held": [],
                "tries": 0,
                "unpublished": "",
            },
            "Next": "WhichEvent",
        },
        "WhichEvent": _choice(
            (nobody, "Nobody"),
            *((f"$told.check = {_q(check)}", state) for check, state in first.items()),
            default="Execution",
        ),
        "Nobody": {"Type": "Succeed", "Output": {"told": False}},
        "Test": {
            "Type": "Pass",
            "Assign": {"facts": {"comment": _x(_some("$states.input.event.test.comment")), "unread": ""}},
            "Output": {},
            "Next": "Templates",
        },
        "BreakGlass": {
            "Type": "Pass",
            "Assign": {
                "facts": {
                    "who": _x(_some("$states.input.event.detail.userIdentity.arn")),
                    "error": _x(_some("$states.input.event.detail.errorMessage")),
                    "comment": _x(_some("$states.input.event.detail.sourceIPAddress")),
                    "deed": _x("$exists($states.input.event.detail.errorMessage) ? 'was refused' : 'took'"),
                    "unread": "",
                }
            },
            "Output": {},
            "Next": "Templates",
        },
    }


# Facts of a run


def _revision(run: str, revisions: str) -> str:
    """JSONata: the facts of a run's summary. Of a connection's commit the summary is JSON."""
    return f"""(
        $run := {run}; $revision := $told.kind = 'scan' ? {{}} : $run.{revisions}[0];
        $summary := {_some("$revision.RevisionSummary")}; $trigger := {_some("$run.Trigger.TriggerType")};
        $detail := {_some("$run.Trigger.TriggerDetail")};
        $merge([$facts, {{
            'commit': {_some("$revision.RevisionId")},
            'commit_message': $contains($summary, /^\\{{.*\\}}$/)
                ? {_some("$parse($summary).CommitMessage")} : $summary,
            'commit_link': {_some("$revision.RevisionUrl")},
            'started_by': $contains($trigger, /Webhook|PollForSourceChanges|CloudWatchEvent/) ? 'a push'
                : $contains($detail, /^arn:/) ? $replace($detail, /^arn:[^:]*:[^:]*:[^:]*:[^:]*:/, '')
                : $trigger,
            'status': {_some("$run.StatusSummary")}
        }}])
    )"""


def _of_actions() -> str:
    """JSONata: the facts of a run's actions, which come the newest first."""
    build = "$exists({0}.Output.ExecutionResult.ExternalExecutionId) and {0}.Input.ActionTypeId.Provider = 'CodeBuild'"
    builds = {f"${name}": build.format(f"${name}") for name in ("failed", "did", "planned")}
    build_id = " : ".join(
        f"{there} ? {action}.Output.ExecutionResult.ExternalExecutionId" for action, there in builds.items()
    )
    return f"""(
        $actions := $states.result.ActionExecutionDetails;
        $failed := $told.result = 'failed' ? $actions[Status = 'Failed'][0];
        $planned := $actions[ActionName in ['Plan', 'Scan'] and Status = 'Succeeded'][0];
        $did := $told.result = 'succeeded' ? $actions[ActionName in ['Apply', 'Destroy', 'Act']][0];
        $commit := $told.kind = 'scan' ? {{}} : $actions[ActionName = 'Source'][0].Output.OutputVariables;
        $plan := $planned.Output.OutputVariables;
        $result := $failed.Output.ExecutionResult;
        $rejected := $failed.Input.ActionTypeId.Category = 'Approval'
            and $contains({_some("$failed.UpdatedBy")}, /^arn:/);
        $named := function($given, $else) {{($text := {_some("$given")}; $text != '' ? $text : {_some("$else")})}};
        $merge([$facts, {{
            'counts': {_some("$plan.PLAN_SUMMARY")}, 'effects': {_some("$plan.PLAN_EFFECTS")},
            'plan': {_some("$plan.PLAN_ID")},
            'commit': $named($commit.CommitId, $named($commit.VersionId, $facts.commit)),
            'commit_message': $named($commit.CommitMessage, $facts.commit_message),
            'author': $named($commit.AuthorDisplayName, $named($commit.AuthorEmail, $commit.AuthorId)),
            'failed_action': {_some("$failed.ActionName")},
            'build': {build_id} : '',
            'rejected': $rejected, 'broke': {builds["$failed"]},
            'known': $told.result = 'failed' ? $exists($failed) : $count($actions) > 0,
            'who': $rejected ? $replace($failed.UpdatedBy, /^arn:[^:]*:[^:]*:[^:]*:[^:]*:/, '') : '',
            'comment': $rejected ? {_some("$result.ExternalExecutionSummary")} : {_some("$facts.comment")},
            'error': $rejected ? '' : $named($result.ErrorDetails.Message,
                $named($result.ExternalExecutionSummary, $told.result = 'failed' ? $facts.status : ''))
        }}])
    )"""


def _error_line() -> str:
    """JSONata: the last line of a log that says why the build failed, else what was known without it.

    Lines of Terraform's errors may stand in a box. Colours are taken away with the rest of what is no text.
    """
    return f"""(
        $text := $join([$states.result.Events.Message, ''], '\\n');
        $plain := $replace($text, /[\\u2500-\\u257f]/, '');
        $lines := $map($split($plain, /[\\r\\n]+/), $trim);
        $errors := $filter($lines, function($line) {{
            $contains($line, /{ERRORS}/) and $not($contains($line, /^\\[Container\\]/))
        }});
        $count($errors) > 0 ? $merge([$facts, {{'error': [$errors][-1]}}]) : $facts
    )"""


def _run(foundation: Foundation) -> dict[str, State]:
    """Of a run that ended or waits: commit and trigger, what its actions say, and why its build failed."""
    run = {"PipelineName": "{% $told.pipeline %}", "PipelineExecutionId": "{% $told.execution_id %}"}
    stopped = f"""(
        $run := $states.result.PipelineExecutionSummaries[PipelineExecutionId = $told.execution_id][0];
        $merge([{_revision("$run", "SourceRevisions")}, {{'comment': {_some("$run.StopTrigger.Reason")}}}])
    )"""
    # Anybody can stop a run with such a reason: what the plan has found is believed.
    ours = " or ".join(
        f"$facts.counts = {_q(summary)} and $substring($facts.comment, 0, {len(reason)}) = {_q(reason)}"
        for _result, reason, summary in OWN_ENDS
    )
    unchanged = next(summary for result, _reason, summary in OWN_ENDS if result == UNCHANGED)
    # Where nobody is asked, nothing is applied of a plan that changes nothing.
    nothing_to_do = (
        f"$told.result = 'stopped' and ({ours}) or $told.result = 'succeeded' and $facts.counts = {_q(unchanged)}"
    )
    # An account has one region's builds and logs: those of the estate.
    phase = f"""(
        $build := $states.result.Builds[0];
        $message := $build.Phases[PhaseStatus != 'SUCCEEDED'].Contexts[Message != ''][0].Message;
        $merge([$facts, {{
            'log_group': {_some("$build.Logs.GroupName")}, 'log_stream': {_some("$build.Logs.StreamName")},
            'error': $exists($message) ? $message : $facts.error
        }}])
    )"""
    return {
        "Stopped": _read(
            "codepipeline:listPipelineExecutions",
            {"PipelineName": "{% $told.pipeline %}", "MaxResults": RUNS},
            {"facts": _x(stopped)},
            "Actions",
            "why it was stopped",
        ),
        "Execution": _read(
            "codepipeline:getPipelineExecution",
            run,
            {"facts": _x(_revision("$states.result.PipelineExecution", "ArtifactRevisions"))},
            "Actions",
            "who started it",
        ),
        "Actions": _read(
            "codepipeline:listActionExecutions",
            {
                "PipelineName": "{% $told.pipeline %}",
                "MaxResults": ACTIONS,
                "Filter": {"PipelineExecutionId": "{% $told.execution_id %}"},
            },
            {"facts": _x(_of_actions()), "looks": "{% $looks + 1 %}"},
            "HowItEnded",
            "the plan and what failed",
            "Templates",
        ),
        "ActionsAgain": {"Type": "Wait", "Seconds": AGAIN_SECONDS, "Next": "Actions"},
        "HowItEnded": _choice(
            (f"$facts.known = false and $looks <= {AGAIN}", "ActionsAgain"),
            (nothing_to_do, "Nobody"),
            ("$told.result = 'failed' and $facts.rejected = true", "Rejected"),
            ("$told.result = 'failed' and $facts.broke = true", "Build"),
            default="Templates",
        ),
        "Rejected": {
            "Type": "Pass",
            "Assign": {"told": "{% $merge([$told, {'result': 'rejected'}]) %}"},
            "Next": "Templates",
        },
        "Build": _read(
            "codebuild:batchGetBuilds",
            {"Ids": "{% [$facts.build] %}"},
            {"facts": _x(phase)},
            "HasLog",
            "the build",
            "Templates",
        ),
        "HasLog": _choice(("$facts.log_group != '' and $facts.log_stream != ''", "Log"), default="Templates"),
        "Log": _read(
            "cloudwatchlogs:getLogEvents",
            {
                "LogGroupName": "{% $facts.log_group %}",
                "LogStreamName": "{% $facts.log_stream %}",
                "Limit": LOG_LINES,
                "StartFromHead": False,
            },
            {"facts": _x(_error_line())},
            "Templates",
            "the log",
        ),
    }


# Drift


def _drift() -> dict[str, State]:
    """What a run has found is told where the run before has found something else.

    Of the pipeline that scans the account a run that somebody was asked about has told of it by asking, and counts
    neither as the run before. What has changed of what stacks manage is told by their own pipelines.
    """
    found = f"""(
        $actions := $states.result.ActionExecutionDetails; $scan := $told.kind = 'scan';
        $looks := $actions[ActionName in ['Drift', 'Scan'] and Status = 'Succeeded'];
        $asked := [$actions[ActionName in ['Approve', 'Act']].PipelineExecutionId];
        $own := $looks[PipelineExecutionId = $told.execution_id][0];
        $last := $looks[PipelineExecutionId != $told.execution_id and StartTime < $own.StartTime
            and $not($scan and PipelineExecutionId in $asked)][0];
        $now := $own.Output.OutputVariables; $before := $last.Output.OutputVariables;
        $counts := function($of) {{$scan ? {_some("$of.UNMANAGED_SUMMARY")} : {_some("$of.PLAN_SUMMARY")}}};
        $what := function($of) {{$scan ? {_some("$of.UNMANAGED_ID")} : {_some("$of.PLAN_EFFECTS")}}};
        $any := function($of) {{$scan ? $counts($of) != '' : $not({_some("$of.DRIFT_COUNT")} in ['', '0'])}};
        $commit := $scan ? {{}} : $actions[ActionName = 'Source' and PipelineExecutionId = $told.execution_id][0]
            .Output.OutputVariables;
        $merge([$facts, {{
            'new': $any($now)
                and $not($any($before) and $counts($now) = $counts($before) and $what($now) = $what($before)),
            'acted': $told.execution_id in $actions[ActionName = 'Act'].PipelineExecutionId,
            'known': $exists($own),
            'counts': $counts($now), 'effects': $scan ? '' : {_some("$now.PLAN_EFFECTS")},
            'commit': $exists($commit.CommitId) ? $commit.CommitId : {_some("$commit.VersionId")},
            'commit_message': {_some("$commit.CommitMessage")},
            'build': {_some("$own.Output.ExecutionResult.ExternalExecutionId")}
        }}])
    )"""
    return {
        "Looks": _read(
            "codepipeline:listActionExecutions",
            {"PipelineName": "{% $told.pipeline %}", "MaxResults": LOOKS},
            {"facts": _x(found), "looks": "{% $looks + 1 %}"},
            "IsItNew",
        ),
        "LookAgain": {"Type": "Wait", "Seconds": AGAIN_SECONDS, "Next": "Looks"},
        "IsItNew": _choice(
            (f"$not($facts.known) and $looks <= {AGAIN}", "LookAgain"),
            ("$not($facts.known)", "DriftNotKnown"),
            ("$facts.acted and 'succeeded' in $told.wanted", "Acted"),
            ("$facts.new and $not($facts.acted) and 'drift' in $told.wanted", "Templates"),
            default="Nobody",
        ),
        "DriftNotKnown": {
            "Type": "Fail",
            "Error": "Notices.DriftNotKnown",
            "Cause": _x("'What ' & $told.pipeline & ' has found is not among its newest actions'"),
        },
        "Acted": {
            "Type": "Pass",
            "Assign": {"told": "{% $merge([$told, {'result': 'succeeded', 'event': 'succeeded'}]) %}", "looks": 0},
            "Next": "Execution",
        },
    }


# Locks


def _locks(foundation: Foundation) -> dict[str, State]:
    """Locks that have been held for too long since the last look. Both places are read: either may have been left.

    Each is told of by itself: what composes and hands over goes back to NextLock.
    """
    minutes = foundation["notifications"]["lock_minutes"]
    bucket = foundation["state_bucket"]
    # A look that comes late is still that of its quarter of an hour, so that each lock falls into one.
    # Times are compared as text: what is no time cannot stop the look.
    step = CHECK_MINUTES * 60000
    until = f"$floor($toMillis($told.time) / {step}) * {step} - {minutes * 60000}"
    window = f"""$until := $substring($fromMillis({until}), 0, 19);
        $from := $substring($fromMillis({until} - {step}), 0, 19);"""
    old = "$taken > $from and $taken <= $until"
    of_stack = f"""{window} $stack := function($key) {{(
        $own := $lookup($tables.keys, $key); $base := $replace($key, /{STATE_KEY.replace("/", chr(92) + "/")}$/, '');
        $exists($own) ? $own : $exists($lookup($tables.stacks, $base)) and $not($base in $tables.keys.*) ? $base : ''
    )}}; $is_wanted := function($name) {{
        $name != '' and 'lock' in $lookup($tables.sets, $lookup($tables.stacks, $name))
    }};"""
    said = """$said := function($info, $name) {(
        $rest := $substringAfter($info, '"' & $name & '":"'); $rest = $info ? '' : $substringBefore($rest, '"')
    )};"""
    items = f"""$map($states.result.Items, function($item) {{(
            $info := {_some("$item.Info.S")}; $created := $said($info, 'Created');
            $key := $substringAfter($item.LockID.S, '/'); $name := $stack($key);
            $taken := $contains($created, /^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T[0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}/)
                ? $substring($created, 0, 19) : '';
            $taken != '' and $is_wanted($name) and $substringBefore($item.LockID.S, '/') = {_q(bucket)} ? {{
                'old': {old}, 'stack': $name, 'since': $created, 'who': $said($info, 'Who'),
                'operation': $said($info, 'Operation'), 'key': $key, 'unread': ''
            }}
        )}})"""
    of_table = f"({of_stack} {said} [$append($locks, {items}[old])])"
    # What the table has is not told by its file again, which is some moments older or younger.
    in_table = f"({of_stack} {said} [$append($held, {items}.stack)])"
    files = f"""(
        {of_stack}
        $found := $map($states.result.Contents, function($file) {{(
            $key := $substringBefore($file.Key, '.tflock'); $name := $stack($key);
            $taken := $substring($file.LastModified, 0, 19);
            $contains($file.Key, /[.]tflock$/) and {old} and $is_wanted($name) and $not($name in $held) ? {{
                'stack': $name, 'since': $file.LastModified, 'who': '', 'operation': '', 'key': $key, 'unread': 'file'
            }}
        )}});
        [$append($locks, $found)]
    )"""
    who = f"""(
        {said} $body := $string($states.result.Body);
        $merge([$facts, {{'who': $said($body, 'Who'), 'operation': $said($body, 'Operation'),
            'since': $said($body, 'Created')}}])
    )"""
    scan = f"""$merge([{{
        'TableName': {_q(foundation["lock_table"])}, 'Limit': {ITEMS},
        'FilterExpression': 'attribute_exists(#info) AND size(#info) <= :room',
        'ProjectionExpression': 'LockID, #info', 'ExpressionAttributeNames': {{'#info': 'Info'}},
        'ExpressionAttributeValues': {{':room': {{'N': '{LOCK_BYTES}'}}}}
    }}, $page = {{}} ? {{}} : {{'ExclusiveStartKey': $page}}])"""
    listing = f"""$merge([{{'Bucket': {_q(bucket)}, 'MaxKeys': {KEYS}}},
        $page = {{}} ? {{}} : {{'ContinuationToken': $page.token}}])"""
    last_key = "$exists($states.result.LastEvaluatedKey) ? $states.result.LastEvaluatedKey : {}"
    token = """$exists($states.result.NextContinuationToken) ? {'token': $states.result.NextContinuationToken} : {}"""
    places = {
        "dynamodb": (
            "LockItems",
            _read(
                "dynamodb:scan",
                _x(scan),
                {"locks": _x(of_table), "held": _x(in_table), "page": _x(last_key)},
                "MoreItems",
            ),
        ),
        "lockfile": (
            "LockFiles",
            _read("s3:listObjectsV2", _x(listing), {"locks": _x(files), "page": _x(token)}, "MoreFiles"),
        ),
    }
    there = [places[one] for one in places if one in foundation["locking"]]
    result: dict[str, State] = {
        "Locks": {
            "Type": "Pass",
            "Assign": {"tables": "{% $states.input.tables %}", "page": {}},
            "Output": {},
            "Next": there[0][0],
        }
    }
    for index, (name, state) in enumerate(there):
        after = there[index + 1][0] if index + 1 < len(there) else "NextLock"
        result[name] = state
        result[state["Next"]] = _choice(("$page != {}", name), default=after)
    result["NextLock"] = _choice(("$count($locks) > 0", "Lock"), default="Done")
    result["Lock"] = {
        "Type": "Pass",
        "Assign": {
            "told": """{% $merge([$told, {'result': 'held', 'stack': $locks[0].stack, 'kind': 'apply'}]) %}""",
            "facts": _x(
                f"""{{'who': $locks[0].who, 'operation': $replace($locks[0].operation, /^OperationType/, ''),
                'since': $locks[0].since, 'minutes': {_q(str(minutes))}, 'key': $locks[0].key, 'unread': ''}}"""
            ),
            "locks": "{% [$count($locks) > 1 ? $locks[[1..($count($locks) - 1)]]] %}",
            "tries": 0,
        },
        "Output": {"file": "{% $locks[0].unread = 'file' %}"},
        "Next": "WhoHolds" if "lockfile" in foundation["locking"] else "Templates",
    }
    if "lockfile" in foundation["locking"]:
        result["WhoHolds"] = _choice(("$states.input.file", "LockFile"), default="Templates")
        result["LockFile"] = _read(
            "s3:getObject",
            {"Bucket": bucket, "Key": "{% $facts.key & '.tflock' %}"},
            {"facts": _x(who)},
            "Templates",
            "who holds it",
        )
    return result


# The notice


def _composing(foundation: Foundation) -> dict[str, State]:
    console = CONSOLES.get(foundation["partition"], CONSOLES["aws"])
    region, account, estate = foundation["region"], foundation["account_id"], foundation["name"]
    pages = f"https://{region}.{console}/codesuite"
    words = f"""(
        $plain := $sift($facts, function($value) {{$type($value) = 'string'}});
        $message := {_some("$facts.commit_message")};
        $commit := {_some("$facts.commit")}; $author := {_some("$facts.author")};
        $first := $split($message, /[\\r\\n]/)[0];
        $build := {_some("$facts.build")};
        $run := {_q(pages + "/codepipeline/pipelines/")} & $told.pipeline;
        $execution := $told.execution_id = '' ? '' : $run & '/executions/' & $told.execution_id
            & '/timeline?region={region}';
        $approval := $told.result = 'waiting' ? $run & '/view?region={region}' : '';
        $log := $build = '' ? '' : {_q(f"{pages}/codebuild/{account}/projects/")} & $substringBefore($build, ':')
            & '/build/' & $encodeUrlComponent($build) & '/?region={region}';
        $links := {{
            'execution': $execution, 'approval': $approval, 'log': $log, 'commit_link': {_some("$facts.commit_link")},
            'link': $approval != '' ? $approval : $log != '' and $told.result != 'succeeded' ? $log
                : $execution != '' ? $execution : {_q(f"{pages}/codepipeline/pipelines?region={region}")}
        }};
        $clean := {texts.cleaned("$merge([$plain, {'commit_message': $first}])")};
        $merge([$clean, $links, {{
            'account': {_q(account)}, 'region': {_q(region)}, 'estate': {_q(estate)},
            'stack': $told.stack, 'subject': $told.stack = '' ? {_q(f"account {account}")} : $told.stack,
            'event': $told.event, 'result': $told.result, 'pipeline': $told.pipeline,
            'execution_id': $told.execution_id, 'time': $told.time,
            'kind': $lookup({{'drift': 'drift check', 'scan': 'drift scan', 'apply': 'apply', 'destroy': 'destroy'}},
                $told.kind),
            'change': $commit = '' ? '' : 'Commit ' & $substring($commit, 0, 12)
                & ($author = '' ? '' : ' by ' & $clean.author)
                & ($first = '' ? '' : ': ' & $clean.commit_message),
            'commit': $substring($commit, 0, 12)
        }}])
    )"""
    template = "$lookup($states.input.templates, $told.result)"
    fact = {name: _x(_some(f"$words.{name}")) for name in ("counts", "effects", "commit_message", "author", "error")}
    fact |= {name: _x(_some(f"$words.{name}")) for name in ("started_by", "failed_action", "build", "plan", "who")}
    notice = {
        "version": VERSION,
        "event": "{% $told.event %}",
        "result": "{% $told.result %}",
        "estate": estate,
        "account": account,
        "region": region,
        "stack": "{% $told.stack %}",
        "pipeline": "{% $told.pipeline %}",
        "execution_id": "{% $told.execution_id %}",
        "time": "{% $told.time %}",
        "title": "{% $written.title %}",
        "text": "{% $written.text %}",
        **fact,
        "commit": _x(_some("$facts.commit")),
        "comment": _x(_some("$words.comment")),
        "links": {
            "execution": "{% $words.execution %}",
            "approval": "{% $words.approval %}",
            "log": "{% $words.log %}",
            "commit": "{% $words.commit_link %}",
        },
        "link": "{% $words.link %}",
    }
    given = texts.as_data(texts.templates(foundation["notifications"]["templates"]))
    return {
        "Templates": {"Type": "Pass", "Assign": {"words": _x(words)}, "Output": {"templates": given}, "Next": "Write"},
        "Write": {
            "Type": "Pass",
            "Assign": {"written": {"title": _x(texts.title(template)), "text": _x(texts.text(template))}},
            "Output": {},
            "Next": "Notice",
        },
        "Notice": {"Type": "Pass", "Assign": {"notice": notice}, "Next": "Publish"},
    }


def _bodies() -> str:
    """JSONata: what is sent to each kind of recipient, as it is.

    A rule passes one on by its path: EventBridge's own templates do not say what becomes of quotes and line ends.
    """
    slack = f"'*' & {texts.for_slack('$notice.title')} & '*\\n' & {texts.for_slack('$notice.text')}"
    return f"""{{
        'webhook': $notice,
        'slack': {{'text': {slack}, 'unfurl_links': false}},
        'teams': {{'type': 'message', 'attachments': [{{
            'contentType': 'application/vnd.microsoft.card.adaptive',
            'content': {{
                'type': 'AdaptiveCard', 'version': '1.4', 'msteams': {{'width': 'Full'}},
                'body': [
                    {{
                        'type': 'TextBlock', 'text': {texts.for_teams("$notice.title")},
                        'weight': 'Bolder', 'size': 'Medium', 'wrap': true
                    }},
                    {{'type': 'TextBlock', 'text': {texts.for_teams("$notice.text")}, 'wrap': true}}
                ],
                'actions': [{{'type': 'Action.OpenUrl', 'title': 'Open', 'url': $notice.link}}]
            }}
        }}]}},
        'chatbot': {{
            'version': '1.0', 'source': 'custom', 'content': {{'textType': 'client-markdown', 'description': {slack}}}
        }}
    }}"""


def _handing_over(foundation: Foundation) -> dict[str, State]:
    """Once to the topic, once to the bus: what is tried again is the one that has failed, and not the other."""

    def again(*errors: str) -> list[dict[str, Any]]:
        # What may have been taken is not sent again.
        return [{"ErrorEquals": list(errors), "IntervalSeconds": 2, "MaxAttempts": 5, "BackoffRate": 2}]

    message = """$string({'default': $notice.title & '\\n\\n' & $notice.text,
        'sqs': $string($notice), 'http': $string($notice), 'https': $string($notice)})"""
    # An attribute is never empty: what is of no stack has no such attribute.
    attributes = """$merge([
        {'event': {'DataType': 'String', 'StringValue': $notice.event}},
        $notice.stack = '' ? {} : {'stack': {'DataType': 'String', 'StringValue': $notice.stack}}
    ])"""
    return {
        "Publish": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sns:publish",
            "Arguments": {
                "TopicArn": model.topic_arn(foundation),
                "Subject": "{% $notice.title %}",
                "MessageStructure": "json",
                "Message": _x(message),
                "MessageAttributes": _x(attributes),
            },
            "Retry": again("Sns.ThrottledException", "Sns.KmsThrottlingException"),
            # Whoever hears of it by the bus is told all the same.
            "Catch": [
                {
                    "ErrorEquals": ["States.ALL"],
                    "Assign": {
                        "unpublished": "{% $states.errorOutput.Error & ': ' & $string($states.errorOutput.Cause) %}"
                    },
                    "Output": {},
                    "Next": "Put",
                }
            ],
            "Output": {},
            "Next": "Put",
        },
        "Put": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:eventbridge:putEvents",
            "Arguments": {
                "Entries": [
                    {
                        "Source": model.SOURCE,
                        "DetailType": model.DETAIL_TYPE,
                        "Detail": _x(f"$string($merge([$notice, {{'bodies': {_bodies()}}}]))"),
                        "EventBusName": "default",
                    }
                ]
            },
            "Retry": again("EventBridge.ThrottlingException", "EventBridge.InternalException"),
            "Assign": {"tries": "{% $tries + 1 %}"},
            "Output": "{% $states.result %}",
            "Next": "WasItPut",
        },
        "WasItPut": _choice(
            ("$states.input.FailedEntryCount > 0 and $tries < 4", "PutAgain"),
            ("$states.input.FailedEntryCount > 0", "NotPut"),
            ("$unpublished != ''", "NotPublished"),
            ("$count($locks) > 0", "Lock"),
            default="Done",
        ),
        "PutAgain": {"Type": "Wait", "Seconds": 5, "Next": "Put"},
        "NotPut": {
            "Type": "Fail",
            "Error": "Notices.NotPut",
            "Cause": _x(
                "$string($states.input.Entries[0].ErrorCode) & ': ' & $string($states.input.Entries[0].ErrorMessage)"
            ),
        },
        "NotPublished": {"Type": "Fail", "Error": "Notices.NotPublished", "Cause": "{% $unpublished %}"},
        "Done": {"Type": "Succeed", "Output": {"told": True}},
    }


# As the modules take it


def machine(foundation: Foundation, stacks: list[Stack]) -> dict[str, Any]:
    """The state machine as gitops.aws.stepfunctions_state_machines takes it."""
    return {
        "name": model.notices(foundation),
        "type": "STANDARD",
        "definition": definition(foundation, stacks),
        "role_arn": model.role_arn(foundation),
        "tags": foundation["tags"],
    }


def machine_role(foundation: Foundation) -> dict[str, Any]:
    """Its role as gitops.aws.iam_roles takes it: it reads runs, builds and locks, and hands notices over."""
    name = foundation["name"]
    group = names.arn(foundation, "logs", f"log-group:{foundation['log_group']}")
    bus = names.arn(foundation, "events", "event-bus/default")
    as_notice = {"StringEqualsIfExists": {"events:source": model.SOURCE, "events:detail-type": model.DETAIL_TYPE}}
    statements = [
        allow(
            "Runs",
            [
                "codepipeline:GetPipelineExecution",
                "codepipeline:ListActionExecutions",
                "codepipeline:ListPipelineExecutions",
            ],
            [names.arn(foundation, "codepipeline", f"{name}-*")],
        ),
        allow("Builds", ["codebuild:BatchGetBuilds"], [names.arn(foundation, "codebuild", f"project/{name}-*")]),
        allow("Logs", ["logs:GetLogEvents"], [group, f"{group}:log-stream:*"]),
        *_reading_locks(foundation),
        allow("Publish", ["sns:Publish"], [model.topic_arn(foundation)]),
        *_topic_key(foundation),
        allow("PutNotices", ["events:PutEvents"], [bus], as_notice),
    ]
    return {
        "name": model.notices(foundation),
        "description": f"Step Functions tells what happened in {name}",
        "assume_role_policy": trust(foundation, "states", [model.machine_arn(foundation)]),
        "inline_policies": {"notices": document(statements)},
        "managed_policies": [],
        "permissions_boundary": foundation["permissions_boundary"],
        "tags": foundation["tags"],
    }


def _reading_locks(foundation: Foundation) -> list[Statement]:
    """Of the states' bucket and key, what is a lock, and no state."""
    state, _artifacts = names.buckets(foundation)
    statements = []
    # Of the key what belongs to the context of a lock: two statements, because a condition wants all that it names.
    if "dynamodb" in foundation["locking"]:
        table = names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")
        statements.append(allow("LockTable", ["dynamodb:Scan"], [table]))
        statements.append(_decrypting(foundation, "KeyOfTable", "kms:EncryptionContext:aws:dynamodb:tableName"))
    if "lockfile" in foundation["locking"]:
        statements.append(allow("ListLocks", ["s3:ListBucket"], [state]))
        statements.append(allow("LockFiles", ["s3:GetObject"], [f"{state}/*.tflock"]))
        statements.append(_decrypting(foundation, "KeyOfFiles", "kms:EncryptionContext:aws:s3:arn"))
    return statements


def _decrypting(foundation: Foundation, sid: str, context: str) -> Statement:
    condition = {"StringLike": {context: seal.of_locks(foundation)[context]}}
    return allow(sid, ["kms:Decrypt"], [foundation["kms_key_arn"]], condition)


def _topic_key(foundation: Foundation) -> list[Statement]:
    """Of a key of the user's own for the topic. AWS's own, alias/aws/sns, is for whoever may publish."""
    key = foundation["notifications"]["kms_key_id"]
    return [allow("TopicKey", ["kms:Decrypt", "kms:GenerateDataKey"], [key])] if key else []
