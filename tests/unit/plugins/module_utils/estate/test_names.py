# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, the only place where they are put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate import names

Make = Callable[..., dict[str, Any]]


def test_names_that_the_user_gave_and_ours_where_none_was_given(foundation: Make) -> None:
    made = foundation()
    given = foundation(name="acme", state_bucket="s-t", artifact_bucket="a-t", lock_table="l-t", tags={"owner": "x"})

    assert made["state_bucket"] == "gitops-111122223333-eu-central-1-state"
    assert made["artifact_bucket"] == "gitops-111122223333-eu-central-1-artifacts"
    assert made["lock_table"] == "gitops-lock"
    assert made["log_group"] == "/gitops/builds"
    assert made["tags"] == {}
    assert [given[key] for key in ("state_bucket", "artifact_bucket", "lock_table")] == ["s-t", "a-t", "l-t"]
    assert given["log_group"] == "/acme/builds"
    assert given["tags"] == {"owner": "x"}


def test_a_foundation_can_be_made_from_a_role_s_few_settings() -> None:
    shared = names.foundation_of({"name": "n", "region": "cn-north-1", "locking": ["lockfile"]}, "1", "aws-cn")

    assert shared["kms_key_arn"] == ""
    assert names.bucket_arn(shared, "b") == "arn:aws-cn:s3:::b"
    assert names.arn(shared, "iam", "role/x", "") == "arn:aws-cn:iam::1:role/x"
    assert names.arn(shared, "codebuild", "project/x") == "arn:aws-cn:codebuild:cn-north-1:1:project/x"


def test_names_of_a_stack(foundation: Make, stack: Make) -> None:
    shared, network = foundation(), stack()

    assert names.project(shared, network, "plan") == "gitops-network-plan"
    assert names.pipeline(shared, network) == "gitops-network"
    assert names.destroy_pipeline(shared, network) == "gitops-network-destroy"
    assert names.role(shared, network, "apply") == "gitops-network-apply"
    assert names.pipelines(shared, network) == ["gitops-network", "gitops-network-destroy"]


def test_drift_has_a_pipeline_where_it_is_looked_for(foundation: Make, stack: Make) -> None:
    shared, network = foundation(drift={}), stack()

    assert names.deploying_pipelines(shared, network) == ["gitops-network", "gitops-network-destroy"]
    assert names.pipelines(shared, network) == [*names.deploying_pipelines(shared, network), "gitops-network-drift"]
    assert names.artifact_folders(names.pipelines(shared, network)) == [
        "gitops-network",
        "gitops-network-destr",
        "gitops-network-drift",
    ]


@pytest.mark.parametrize("purpose", ["plan", "apply", "pipeline"])
def test_a_role_that_the_user_names(foundation: Make, stack: Make, purpose: str) -> None:
    own = "arn:aws:iam::111122223333:role/platform/own"

    assert names.role_arn(foundation(), stack(), purpose) == f"arn:aws:iam::111122223333:role/gitops-network-{purpose}"
    assert names.role_arn(foundation(), stack(**{f"{purpose}_role_arn": own}), purpose) == own
