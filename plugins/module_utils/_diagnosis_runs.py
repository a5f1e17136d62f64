# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Why an execution failed, by what its actions, its builds' phases and their logs say. Pure.

A run is a dictionary: stack, pipeline, id, status; actions, each with stage, name, status, message, build_id and ended;
builds by id, as _builds.describe gives them, with role, image and log (lines); and others, by project: builds that
ran beside, as id, status, start_time and end_time.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._builds import NOISE, RUNNING, last_error
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_denials import Denial, parse
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_denied import of_denial
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_findings import Facts, Finding
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_settings import parameter_missing
from ansible_collections.gitops.aws.plugins.module_utils._lock_holders import KEPT_OUT

LONGEST_ERROR = 15  # lines of one of Terraform's

UNPULLABLE = "BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE"
_LIMIT = re.compile(r"Cannot have more than (?P<limit>\d+) builds? in queue for the (?P<what>account|project \S+)")
_LOCK = {name: re.compile(rf"^\s*{name}:\s+(\S.*?)\s*$") for name in ("ID", "Who", "Operation", "Created")}
# What Terraform says where somebody had the lock, and where there is none any more; in DynamoDB and in S3.
_RELEASED = (
    re.compile("ConditionalCheckFailedException|PreconditionFailed"),
    re.compile("unexpected end of JSON input|no lock info found for|NoSuchKey"),
)
_NO_PARAMETER = re.compile(r"parameter does not exist: (?P<names>[^\s,]+(?:, [^\s,]+)*)")
_DECORATION = re.compile(r"^(?:\x1b\[[0-9;]*m|[\s\u2500-\u257f])+|\x1b\[[0-9;]*m")


def find(
    run: dict[str, Any], stack: dict[str, Any], foundation: dict[str, Any], facts: Facts, so_far: list[Finding]
) -> list[Finding]:
    """Why a run failed, or what it waits for.

    Args:
        run: as above.
        stack: what is expected of its stack.
        foundation: what the stacks share.
        facts: what was read.
        so_far: findings about settings; what one of them explains is not told again, but added to its evidence.
    """
    found: list[Finding] = []
    for action in run["actions"]:
        build = run["builds"].get(action["build_id"])
        if action["status"] == "InProgress" and build and build["current_phase"] == "QUEUED":
            found += _limit(run, build["project"], "is in the queue", f"build {build['id']} is in phase QUEUED")
        if action["status"] != "Failed":
            continue
        here = _of_action(run, action, build, stack, foundation, facts, so_far)
        for finding in here:
            finding.evidence = f"execution {run['id']}, {action['stage']}/{action['name']}: {finding.evidence}"
        found += here
    return found


def _of_action(
    run: dict[str, Any],
    action: dict[str, Any],
    build: dict[str, Any] | None,
    stack: dict[str, Any],
    foundation: dict[str, Any],
    facts: Facts,
    so_far: list[Finding],
) -> list[Finding]:
    message = action["message"]
    phases = [] if build is None else [p for p in build["phases"] if p["status"] not in ("", "SUCCEEDED", RUNNING)]
    told = " ".join([message, *(phase["message"] for phase in phases)])
    if build is not None and UNPULLABLE in told:
        return [_image(stack, build, told)]
    limit = _LIMIT.search(message)
    if limit:
        project = limit["what"].removeprefix("project ") if limit["what"] != "account" else ""
        return _limit(
            {**run, "stack": stack["name"]}, project, f"was refused, for {limit[0]}", message, action["ended"]
        )
    log = build["log"] if build else []
    lock = _lock(log)
    if any(KEPT_OUT in line for line in log) and (lock["ID"] or all(any(map(said.search, log)) for said in _RELEASED)):
        return _kept_out(stack, lock, so_far)
    absent = _NO_PARAMETER.search(told)
    if absent:
        names = absent["names"].split(", ")
        known = {finding.resource for finding in so_far if finding.id == "ssm-parameter-missing"}
        return [parameter_missing(stack["name"], name, absent[0]) for name in names if name not in known]
    denials = _denials(action, build, phases, run, facts)
    found, explained = [], False
    for denial in denials:
        reason = _known(denial, so_far)
        if reason is None:
            found.append(of_denial(denial, stack, foundation, facts))
        else:
            explained = True
            reason.evidence += f"; execution {run['id']} failed with: {denial.text}"
    if found or explained or any(one.resource in told for one in so_far):
        return found
    return [_last_word(stack, action, build, told)]


def _denials(
    action: dict[str, Any],
    build: dict[str, Any] | None,
    phases: list[dict[str, Any]],
    run: dict[str, Any],
    facts: Facts,
) -> list[Denial]:
    """The refused calls that an action tells of. Its message and CodeBuild's phases say the same, so one is enough."""
    pipeline_role = (facts.pipelines.get(run["pipeline"]) or {}).get("roleArn", "")
    if build is None:
        return parse(action["message"], pipeline_role)
    by_phase = [denial for phase in phases for denial in parse(phase["message"], build["role"])]
    lines = [_DECORATION.sub("", line).strip() for line in build["log"] if not NOISE.match(line)]
    seen: dict[tuple[str, str, str], Denial] = {}
    for denial in [*by_phase, *parse("\n".join(lines), build["role"])]:
        seen.setdefault((denial.principal, denial.action, denial.resource), denial)
    # S3's plain word beside one that says more is the same refusal.
    better = [denial for denial in seen.values() if denial.action or denial.encoded]
    return better or list(seen.values())[:1]


def _known(denial: Denial, so_far: list[Finding]) -> Finding | None:
    """The finding that explains a refusal already."""
    bucket = denial.resource.split(":")[-1].split("/")[0] if denial.resource.startswith("arn:aws:s3:::") else ""
    for finding in so_far:
        names = {name for name, _action in finding.refused}
        mine = any(f"/{name}/" in f"{denial.principal}/" for name in names)
        if not mine:
            continue
        if denial.action and any(action == denial.action for _name, action in finding.refused):
            return finding
        if not denial.action and (finding.id == "artifact-bucket-access" or (bucket and bucket in finding.resource)):
            return finding
    return None


def _image(stack: dict[str, Any], build: dict[str, Any], told: str) -> Finding:
    image = build["image"]
    cause = f"The image {image} cannot be pulled, so that the build never began."
    fix = (
        "Correct image (or terraform_version) of the stack: one that exists, and that CodeBuild may pull; then run site"
    )
    if "toomanyrequests" in told or "rate limit" in told:
        cause = f"The registry of the image {image} refused the pull, for it had too many of them."
        fix = "Run it again later, or set image of the stack to a copy in your own registry (ECR)"
    elif ".dkr.ecr." in image:
        needed = "ecr:BatchGetImage, ecr:GetDownloadUrlForLayer and ecr:GetAuthorizationToken"
        fix += f". From ECR: the build's role needs {needed}"
    return Finding("image-pull", stack["name"], image, cause, told, fix)


def _limit(run: dict[str, Any], project: str, what: str, evidence: str, at: str = "") -> list[Finding]:
    """A build that waits, or was refused, because others run."""
    beside = [
        one
        for builds in ([run["others"].get(project, [])] if project else run["others"].values())
        for one in builds
        if one["id"] not in run["builds"] and _ran(one, at)
    ]
    which = ", ".join(f"{one['id']} ({one['status']}, since {one['start_time']})" for one in beside)
    cause = f"A build {what}; at that time ran: {which or 'builds that are not to be seen any more'}."
    fix = "Wait for the end of that build, or stop it; then start the pipeline again, or retry the stage"
    if all(one["end_time"] for one in beside):
        fix = "It is over: start the pipeline again, or retry the stage"
    if not project:
        fix += ". The limit is the account's: raise it in Service Quotas (CodeBuild, concurrently running builds)"
    return [Finding("build-limit", run["stack"], project or "account", cause, evidence, fix)]


def _ran(build: dict[str, Any], at: str) -> bool:
    """Whether a build ran at a time (ISO 8601, all of the same zone); now, where none is given."""
    if not at:
        return build["status"] == RUNNING
    return build["start_time"] <= at and (not build["end_time"] or at <= build["end_time"])


def _lock(log: list[str]) -> dict[str, str]:
    """What Terraform says of the lock that is in its way; each '' where it says nothing."""
    lines = [_DECORATION.sub("", line) for line in log]
    return {name: next((m[1] for m in map(form.match, lines) if m), "") for name, form in _LOCK.items()}


def _kept_out(stack: dict[str, Any], said: dict[str, str], so_far: list[Finding]) -> list[Finding]:
    """A lock kept Terraform out: that which is still held is found already.

    Of a lock that is released while Terraform asks who holds it, Terraform says nothing, nor does it wait.
    """
    key, lock = stack["state"]["key"], said["ID"]
    cause, evidence = f"The lock on the state {key} was released while Terraform asked who holds it.", KEPT_OUT
    if lock:
        for finding in so_far:
            if finding.id == "state-locked" and lock in finding.evidence:
                finding.evidence += ". It kept this run out"
                return []
        since = said["Created"] or "?"
        cause = f"The state {key} was locked by {said['Who'] or 'somebody'} since {since}, and is so no more."
        evidence = f"{KEPT_OUT}: lock {lock} for {said['Operation'] or '?'}"
    fix = f"Run it again: ansible-playbook gitops.aws.run -e @your.yml -e stack={stack['name']}"
    return [Finding("state-locked", stack["name"], key, cause, evidence, fix)]


def _last_word(stack: dict[str, Any], action: dict[str, Any], build: dict[str, Any] | None, told: str) -> Finding:
    """What nothing here explains, as it was said: the last line of the log that looks like an error, or the message."""
    if build is None:
        cause = f"The action {action['name']} failed; its own message says why."
        return Finding("action-failed", stack["name"], action["name"], cause, told, "Do what the message says")
    word = last_words(build["log"])
    cause = "The build failed; the end of its log says why." if word else "The build failed."
    fix = f"Do what it says; the whole log: {build['logs']['url'] or build['logs']['stream'] or 'there is none'}"
    return Finding("build-failed", stack["name"], build["id"], cause, word or told, fix)


def last_words(log: list[str]) -> str:
    """The end of a log: Terraform's last error, or the last line, which is the message where a buildspec refuses."""
    lines = [_DECORATION.sub("", line).strip() for line in log if not NOISE.match(line)]
    lines = [line for line in lines if line]
    errors = [index for index, line in enumerate(lines) if line.startswith("Error: ")]
    if errors and len(lines) - errors[-1] <= LONGEST_ERROR:
        return " ".join(lines[errors[-1] :])
    error = last_error(log)
    last = lines[-1:]
    return " ... ".join([*([error] if error and [error] != last else []), *last])
