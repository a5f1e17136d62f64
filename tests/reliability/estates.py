# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Estates that something goes wrong with: calls that fail, runs that are killed, what must be so in spite of it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from local_estate import LocalAws, start_playbook

from ansible_collections.gitops.aws.plugins.module_utils._estate.names import KNOWN_PREFIX
from tests.e2e.estate import REPOSITORY, Estate, Run, inventory, root
from tests.reliability.figures import FAULTS, count

# What AWS and the network do now and then, with weights.
MIXED = {"throttle": 4, "error": 2, "unavailable": 2, "reset": 2, "lost": 2, "truncate": 1, "slow": 1, "stale": 2}


def stacks(number: int) -> list[dict[str, Any]]:
    """So many stacks, whose Terraform may do nothing."""
    return [
        {"name": f"s{each:02}", "repository": REPOSITORY, "path": f"s{each:02}", "approval": each % 2 == 0}
        for each in range(1, number + 1)
    ]


@contextmanager
def failing(aws: LocalAws, seed: int, *rules: dict[str, Any]) -> Iterator[None]:
    """Calls fail within the block, as local_aws/faults.py says. They are counted."""
    file, before = aws.data / "faults.json", len(aws.calls())
    file.write_text(json.dumps({"seed": seed, "rules": rules}))
    aws.command("faults", str(file))
    try:
        yield
    finally:
        aws.command("faults")
        failed = [call["fault"] for call in aws.calls()[before:] if call.get("fault")]
        count(FAULTS, len(failed))
    assert failed, "no call has failed"


def converged(estate: Estate) -> Run:
    """Runs site.yml once more: it must change nothing, and nothing may exist twice."""
    again = estate.site()
    assert again.recap["changed"] == 0, again.output
    # What is known of pipelines is noted by the first run that sees each as it should be: to lose it does no harm.
    assert [call for call in again.mutations if KNOWN_PREFIX not in call] == []
    there = inventory(estate.administrator)
    name, connection = estate.settings["name"], estate.settings["connection"]
    own_key = [alias for alias in there["aliases"] if alias == f"alias/{name}"]
    connections = estate.administrator.client("codeconnections").list_connections()["Connections"]
    assert (len(there["keys"]), len(own_key)) == (1, 1), there
    assert [each["ConnectionName"] for each in connections] == [connection]
    assert {f"{name}-{stack['name']}" for stack in estate.stacks} <= there["pipelines"]
    return again


def killed(estate: Estate, playbook: str, after: int, **variables: Any) -> bool:
    """Runs a playbook as the installer and kills every process of it after so many calls; whether it came to that."""
    mark = uuid.uuid4().hex
    assert estate.installer
    log = (estate.aws.data / "calls.jsonl").open(encoding="utf-8")
    log.seek(0, os.SEEK_END)
    calls, line = 0, ""
    settings = {"RELIABILITY_MARK": mark}
    with log, start_playbook(playbook, estate.vars_file(), estate.installer, variables, settings=settings) as process:
        assert process.stdout is not None
        threading.Thread(target=process.stdout.read, daemon=True).start()
        while calls < after and process.poll() is None:
            line += log.readline()
            if line.endswith("\n"):
                calls += json.loads(line)["access_key_id"] == estate.installer.access_key_id
                line = ""
            else:
                time.sleep(0.001)
        was_running = process.poll() is None
        while _kill(mark):
            time.sleep(0.01)
    return was_running


def _kill(mark: str) -> bool:
    """Kills the processes with this mark in their environment; whether there were any. Ansible's begin new sessions."""
    found = False
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark.encode() in (directory / "environ").read_bytes():
                os.kill(int(directory.name), signal.SIGKILL)
                found = True
    return found


def put_state(estate: Estate, stack: str) -> str:
    """A state without resources, as a run would have left it; the version's id."""
    state = {"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": stack, "resources": []}
    answer = (
        root(estate.aws.endpoint_url)
        .client("s3")
        .put_object(
            Bucket=estate.foundation["state_bucket"],
            Key=f"{stack}/terraform.tfstate",
            Body=json.dumps(state).encode(),
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=estate.key_arn,
        )
    )
    return str(answer["VersionId"])
