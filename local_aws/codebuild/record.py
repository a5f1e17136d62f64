# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One build's record: what BatchGetBuilds answers, changed by the runner, with an event for each change."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from typing import Any

from local_aws.codebuild import builds

Publish = Callable[[str, dict[str, Any], list[str]], None]
"""publish(detail_type, detail, resources)"""


class BuildRecord:
    """A build that API threads read while its runner writes."""

    def __init__(self, build: dict[str, Any], publish: Publish) -> None:
        self._build = build
        self._publish = publish
        self._lock = threading.Lock()
        self.completed = threading.Event()

    def snapshot(self) -> dict[str, Any]:
        """A copy of the record."""
        with self._lock:
            return copy.deepcopy(self._build)

    def set(self, **members: Any) -> None:
        """Replace members of the record."""
        with self._lock:
            self._build.update(members)

    def announce(self) -> None:
        """Publish the event "CodeBuild Build State Change" for the present state."""
        build = self.snapshot()
        self._publish("CodeBuild Build State Change", builds.state_change(build), [build["arn"]])

    def begin(self, phase: str) -> None:
        """Enter a phase."""
        with self._lock:
            self._build["phases"].append({"phaseType": phase, "startTime": time.time()})
            self._build["currentPhase"] = phase

    def submit(self) -> None:
        """The build has been accepted: SUBMITTED is over, QUEUED begins. No event yet: see announce_submitted."""
        self.begin("SUBMITTED")
        with self._lock:
            phase = self._build["phases"][0]
            phase.update(phaseStatus=builds.SUCCEEDED, endTime=phase["startTime"], durationInSeconds=0)
        self.begin("QUEUED")

    def announce_submitted(self) -> None:
        """The events of submit()."""
        self.announce()
        build = self.snapshot()
        self._publish("CodeBuild Build Phase Change", builds.phase_change(build, build["phases"][0]), [build["arn"]])

    def finish(self, status: str, code: str | None = None, message: str = "") -> None:
        """Leave the current phase; code and message are its context (AWS has an empty one for a success)."""
        now = time.time()
        with self._lock:
            phase = self._build["phases"][-1]
            phase.update(phaseStatus=status, endTime=now, durationInSeconds=round(now - phase["startTime"]))
            if code is not None:
                phase["contexts"] = [{"statusCode": code, "message": message}]
            finished = copy.deepcopy(phase)
        build = self.snapshot()
        self._publish("CodeBuild Build Phase Change", builds.phase_change(build, finished), [build["arn"]])

    def complete(self, status: str) -> None:
        """End the build."""
        now = time.time()
        with self._lock:
            self._build["phases"].append({"phaseType": "COMPLETED", "startTime": now})
            self._build.update(currentPhase="COMPLETED", buildStatus=status, endTime=now, buildComplete=True)
        self.completed.set()
        self.announce()
