# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipelines, executions, and what runs in them: actions, conditions and their rules; the engine keeps it in memory."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

RUNNING = frozenset({"InProgress", "Stopping"})
"""States of an execution that is not over."""


def now() -> datetime:
    """The time that goes into states and answers."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Trigger:
    """What started an execution: AWS's trigger type and detail."""

    type: str
    detail: str = ""


@dataclass(frozen=True)
class Revision:
    """The revision a source action must take instead of the newest; branch only where a trigger chose it."""

    type: str
    value: str
    branch: str = ""


@dataclass(frozen=True)
class StoredArtifact:
    """Where an artifact of one execution lies."""

    name: str
    bucket: str
    key: str
    version: str | None = None
    revision: str | None = None

    def described(self) -> dict[str, Any]:
        """As ListActionExecutions shows it."""
        return {"name": self.name, "s3location": {"bucket": self.bucket, "key": self.key}}


@dataclass
class Transition:
    """The arrow into a stage."""

    enabled: bool = True
    reason: str | None = None
    changed_by: str | None = None
    changed_at: datetime | None = None


@dataclass(eq=False)
class ActionRun:
    """One execution of one action; status is AWS's ActionExecutionStatus."""

    execution_id: str
    pipeline_version: int
    stage: str
    action: dict[str, Any]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    started: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    updated_by: str | None = None
    summary: str | None = None
    token: str | None = None
    external_id: str | None = None
    external_url: str | None = None
    error: dict[str, str] | None = None
    configuration: dict[str, str] = field(default_factory=dict)
    inputs: list[StoredArtifact] = field(default_factory=list)
    outputs: list[StoredArtifact] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    revision: dict[str, Any] | None = None
    entity_url: str | None = None
    revision_url: str | None = None
    decision: dict[str, str] | None = None

    @property
    def name(self) -> str:
        return str(self.action["name"])


@dataclass(eq=False)
class RuleRun:
    """One execution of one rule of a condition; status is AWS's RuleExecutionStatus."""

    execution_id: str
    pipeline_version: int
    stage: str
    rule: dict[str, Any]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    started: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    summary: str | None = None
    error: dict[str, str] | None = None
    configuration: dict[str, str] = field(default_factory=dict)
    inputs: list[StoredArtifact] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.rule["name"])


@dataclass(eq=False)
class ConditionRun:
    """One evaluation of a stage's condition, with its rules; status is AWS's ConditionExecutionStatus.

    result is what the condition leads to when it is not met.
    """

    result: str
    rules: list[RuleRun]
    status: str = "InProgress"
    summary: str | None = None
    updated: datetime = field(default_factory=now)

    def close(self, status: str, summary: str | None = None) -> None:
        """Set the final state; rules that still run are abandoned."""
        self.status, self.summary, self.updated = status, summary, now()
        for run in self.rules:
            if run.status == "InProgress":
                run.status, run.updated = "Abandoned", now()


@dataclass(eq=False)
class Execution:
    """One execution of a pipeline, with the structure it started with; status is AWS's PipelineExecutionStatus.

    conditions holds the last evaluation by stage and place; rollback_target is the execution a rollback goes back to.
    """

    declaration: dict[str, Any]
    trigger: Trigger
    variables: dict[str, str]
    overrides: dict[str, Revision]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    status_summary: str | None = None
    started: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    attempt: int = 1
    stop_reason: str | None = None
    stop_requested: bool = False
    abandoned: threading.Event = field(default_factory=threading.Event)
    artifacts: dict[str, StoredArtifact] = field(default_factory=dict)
    revisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    stage_status: dict[str, str] = field(default_factory=dict)
    retries: dict[str, int] = field(default_factory=dict)
    automatic_retries: dict[str, int] = field(default_factory=dict)
    runs: list[ActionRun] = field(default_factory=list)
    conditions: dict[tuple[str, str], ConditionRun] = field(default_factory=dict)
    rollback_target: str | None = None

    @property
    def type(self) -> str:
        """AWS's ExecutionType; a rollback is about one stage alone."""
        return "ROLLBACK" if self.rollback_target else "STANDARD"

    @property
    def version(self) -> int:
        return int(self.declaration["version"])

    @property
    def mode(self) -> str:
        return str(self.declaration["executionMode"])

    @property
    def stages(self) -> list[dict[str, Any]]:
        return list(self.declaration["stages"])


@dataclass(eq=False)
class Pipeline:
    """A pipeline with all its versions and executions (newest last). Guarded by its condition."""

    account_id: str
    region: str
    declaration: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    versions: dict[int, dict[str, Any]] = field(default_factory=dict)
    transitions: dict[str, Transition] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)
    runs: list[ActionRun] = field(default_factory=list)
    conditions: dict[tuple[str, str], ConditionRun] = field(default_factory=dict)
    rule_runs: list[RuleRun] = field(default_factory=list)
    client_tokens: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, list[Execution]] = field(default_factory=dict)
    inside: dict[str, list[Execution]] = field(default_factory=dict)
    latest_in_stage: dict[str, Execution] = field(default_factory=dict)
    deleted: bool = False
    condition: threading.Condition = field(default_factory=threading.Condition)

    @property
    def name(self) -> str:
        return str(self.declaration["name"])

    @property
    def arn(self) -> str:
        return f"arn:aws:codepipeline:{self.region}:{self.account_id}:{self.name}"

    def transition(self, stage: str) -> Transition:
        """The transition into a stage, enabled unless somebody disabled it."""
        return self.transitions.setdefault(stage, Transition())

    def execution(self, execution_id: str) -> Execution | None:
        """The execution of an id, or None."""
        return next((item for item in self.executions if item.id == execution_id), None)
