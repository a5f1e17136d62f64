# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is approved is what is applied."""

from __future__ import annotations

import io
import zipfile

from tests.e2e.conftest import Started
from tests.e2e.estate import Estate


def test_plan_that_was_exchanged_after_the_approval_is_not_applied(estate: Estate, started: Started) -> None:
    pipeline, execution = "gitops-tampered", started.executions["tampered"]
    waiting = estate.wait(pipeline, execution, for_approval=True)
    (artifact,) = waiting.actions["Plan"].artifacts
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("tfplan", b"another plan")
    estate.administrator.client("s3").put_object(
        Bucket=artifact["bucket"], Key=artifact["key"], Body=archive.getvalue()
    )
    estate.approve(pipeline)
    ended = estate.wait(pipeline, execution)
    assert ended.status == "Failed"
    assert ended.actions["Approve"].status == "Succeeded"
    assert ended.actions["Apply"].status == "Failed"
    log = estate.log(ended.actions["Apply"].build_id)
    assert "Nothing is applied: the saved plan is not the one that was approved" in log
    assert waiting.actions["Plan"].variables["PLAN_SHA256"] in log
    assert "terraform apply" not in log.partition("Nothing is applied")[2]
    assert estate.state("tampered") is None
    assert not [
        call
        for call in estate.aws.calls()
        if "gitops-tampered-apply/" in call["principal_arn"]
        and "/tampered/" in call["resource"]
        and call["action"] == "s3:PutObject"
    ]
