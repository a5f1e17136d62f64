# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CodePipeline passes to CodeBuild beside the StartBuild request: where the artifacts are."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Artifact:
    """One artifact of a pipeline execution, a zip in the artifact bucket.

    version is the S3 object version, or None; revision is the source revision it stands for (a commit id), or None.
    """

    name: str
    bucket: str
    key: str
    version: str | None = None
    revision: str | None = None


@dataclass(frozen=True)
class PipelineContext:
    """The pipeline action for which a build runs.

    primary_source names the input artifact that becomes CODEBUILD_SRC_DIR; with a single input it may be "".
    region and account_id say in which account and region the build project is.
    """

    pipeline_name: str
    execution_id: str
    stage_name: str
    action_name: str
    account_id: str
    region: str
    initiator: str = ""
    input_artifacts: list[Artifact] = field(default_factory=list)
    output_artifacts: list[Artifact] = field(default_factory=list)
    primary_source: str = ""
    kms_key_arn: str | None = None
