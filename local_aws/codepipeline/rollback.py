# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollbacks: executions that run one stage again with what an earlier execution brought there."""

from __future__ import annotations

import json

from local_aws.aws_json import AwsError
from local_aws.codepipeline.model import Execution, Pipeline, Trigger


def manual(pipeline: Pipeline, stage: str, target: Execution, by: str) -> Execution:
    """The rollback that somebody asks for, not yet started. Raises AwsError as RollbackStage does."""
    latest = pipeline.latest_in_stage.get(stage)
    if pipeline.declaration["pipelineType"] != "V2":
        raise _refused(stage, "pipelines of type V1 do not support rollback")
    if pipeline.declaration["executionMode"] == "PARALLEL":
        raise _refused(stage, "pipelines in execution mode PARALLEL do not support rollback")
    if pipeline.declaration["stages"][0]["name"] == stage:
        raise _refused(stage, "a source stage cannot be rolled back")
    if pipeline.inside.get(stage):
        raise _refused(stage, "the stage is currently running")
    if latest is not None and latest.stage_status.get(stage) == "Skipped":
        raise _refused(stage, "the stage was skipped")
    if target.type == "ROLLBACK":
        raise _refused(stage, f"the pipeline execution {target.id} is itself a rollback")
    if target.version != pipeline.declaration["version"]:
        raise _refused(stage, f"the pipeline has changed since the pipeline execution {target.id} started")
    if target.stage_status.get(stage) != "Succeeded":
        raise _refused(stage, f"the pipeline execution {target.id} did not succeed in it")
    if latest is target:
        raise _refused(stage, f"the pipeline execution {target.id} is the one it has now")
    return _to(target, Trigger("ManualRollback", by))


def automatic(pipeline: Pipeline, failed: Execution, stage: str) -> Execution | None:
    """The rollback of a failed stage to the last execution that succeeded in it, not yet started; None without one.

    A rollback that fails is not rolled back again: that could go on for ever.
    """
    if failed.type == "ROLLBACK":
        return None
    for target in reversed(pipeline.executions):
        if (
            target is not failed
            and target.type == "STANDARD"
            and target.version == pipeline.declaration["version"]
            and target.stage_status.get(stage) == "Succeeded"
        ):
            return _to(target, Trigger("AutomatedRollback", json.dumps({"FailedPipelineExecutionId": failed.id})))
    return None


def _to(target: Execution, trigger: Trigger) -> Execution:
    """An execution with the structure, artifacts, revisions and variables of another one."""
    execution = Execution(
        target.declaration,
        trigger,
        dict(target.variables),
        dict(target.overrides),
        artifacts=dict(target.artifacts),
        revisions=dict(target.revisions),
        namespaces={name: dict(values) for name, values in target.namespaces.items()},
        rollback_target=target.id,
    )
    execution.namespaces["codepipeline"] = {"PipelineExecutionId": execution.id}
    return execution


def _refused(stage: str, why: str) -> AwsError:
    return AwsError("UnableToRollbackStageException", f"Unable to roll back stage {stage}: {why}")
