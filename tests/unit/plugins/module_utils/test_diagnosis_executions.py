# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which executions of a stack are looked at, where somebody asks for the newest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from ansible_collections.gitops.aws.plugins.module_utils import _diagnosis_executions as executions
from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws

NAMES = ("gitops-network", "gitops-network-destroy", "gitops-network-drift")


@pytest.mark.parametrize(
    ("newest", "looked_at"),
    [
        ([(1, "Failed"), (2, "Succeeded"), (3, "Succeeded")], ["gitops-network-destroy"]),
        ([(2, "Failed"), (1, "Succeeded"), (3, "InProgress")], ["gitops-network"]),
        ([(2, "Succeeded"), None, (1, "Failed")], ["gitops-network", "gitops-network-drift"]),
        ([None, None, (1, "Succeeded")], []),
    ],
)
def test_the_newest_and_drift_only_if_it_failed(
    aws: Callable[..., Aws], stubs: dict[str, Stubber], newest: list[Any], looked_at: list[str]
) -> None:
    for name, one in zip(NAMES, newest, strict=True):
        summary = {"pipelineExecutionId": f"of {name}", "startTime": one and datetime(2026, 1, one[0], tzinfo=UTC)}
        summaries = [{**summary, "status": one[1]}] if one else []
        answer = {"pipelineExecutionSummaries": summaries}
        stubs["codepipeline"].add_response("list_pipeline_executions", answer, {"pipelineName": name, "maxResults": 1})

    found = executions._newest(aws(), {"name": "network", "pipelines": NAMES})

    assert found == [("network", name, f"of {name}") for name in looked_at]
