# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of single statements share: how an estate comes to be whose people have the rendered policies."""

from __future__ import annotations

import json
import time
from typing import Any

from tests.e2e.estate import REPOSITORY, Estate


def reviews(estate: Estate, number: int) -> list[dict[str, Any]]:
    """The builds that the pull request of the branch `change-<number>` starts, at their end."""
    told = estate.aws.command("pull-request", REPOSITORY, str(number), "--head", f"change-{number}", "--base", "main")
    ids = [started["build_id"] for started in json.loads(told)["builds"]]
    codebuild, deadline = estate.administrator.client("codebuild"), time.monotonic() + 240
    while True:
        builds: list[dict[str, Any]] = codebuild.batch_get_builds(ids=ids)["builds"]
        if all(build["buildStatus"] != "IN_PROGRESS" for build in builds):
            return builds
        assert time.monotonic() < deadline
        time.sleep(0.5)
