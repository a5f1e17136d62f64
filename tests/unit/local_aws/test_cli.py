# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that start and stop local AWS."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local_aws import cli, server
from tests.unit.local_aws.support import ACCOUNT, ENVIRONMENT, Demo, LocalAws, command, unique


def test_up_status_down(local_aws: LocalAws) -> None:
    data = local_aws.data
    status = json.loads(command("status", "--data", str(data)).stdout)
    assert status["endpoint_url"] == local_aws.endpoint_url
    assert status == json.loads((data / "endpoint.json").read_text())
    os.kill(status["pid"], 0)
    again = command("up", "--port", "0", "--data", str(data))
    assert again.returncode == 1
    assert "already runs" in again.stderr
    log = (data / "server.log").read_text().splitlines()
    assert log[0] == f"Local AWS listens on {local_aws.endpoint_url} (data in {data})"


def test_no_server_is_said_plainly(tmp_path: Path) -> None:
    done = command("status", "--data", str(tmp_path))
    assert (done.returncode, "does not run" in done.stderr) == (1, True)
    assert command("down", "--data", str(tmp_path)).returncode == 0


def test_a_taken_port_is_said_plainly(local_aws: LocalAws, tmp_path: Path) -> None:
    port = local_aws.endpoint_url.rpartition(":")[2]
    done = command("up", "--detach", "--port", port, "--data", str(tmp_path))
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_addresses_of_other_machines_are_refused(host: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--allow-remote"):
        server.serve(0, tmp_path, host=host)


def test_users_have_what_their_policy_says_and_keys_are_replaced(local_aws: LocalAws) -> None:
    name = unique("user")
    first = local_aws.user(name, {"Effect": "Allow", "Action": "sts:*", "Resource": "*"})
    second = local_aws.user(name, {"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"})
    assert local_aws.client("sts", second).get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{name}"
    local_aws.client("iam", second).list_users()
    with pytest.raises(ClientError, match="AccessDenied"):
        local_aws.client("s3", second).list_buckets()
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        local_aws.client("sts", first).get_caller_identity()


def test_an_image_is_mapped(local_aws: LocalAws, demo: Demo, tmp_path: Path) -> None:
    (tmp_path / "tflint").write_text("#!/bin/sh\necho linted\n")
    (tmp_path / "tflint").chmod(0o755)
    name = unique("example/checks")
    assert local_aws.command("map-image", name, str(tmp_path)) == {"image": name, "directory": str(tmp_path)}
    environment = ENVIRONMENT | {"image": f"{name}:1"}
    spec = "version: 0.2\nphases: {build: {commands: [tflint]}}"
    build = demo.build(demo.project(spec, environment=environment))
    assert "linted\n" in demo.log(build)
    done = command("map-image", name, str(tmp_path / "nothing"), "--data", str(local_aws.data))
    assert (done.returncode, "is not a directory" in done.stderr) == (1, True)


def test_calls_are_read_on_from_where_they_were_read(tmp_path: Path) -> None:
    log = tmp_path / "calls.jsonl"
    log.write_text('{"action": "a"}\n{"action": "b"}\n{"act', encoding="utf-8")
    first = cli.calls(tmp_path)
    with log.open("a", encoding="utf-8") as file:
        file.write('ion": "c"}\n')
    assert first == [{"action": "a"}, {"action": "b"}]
    assert cli.calls(tmp_path) == [*first, {"action": "c"}] == cli.calls(tmp_path)


def test_calls_of_a_new_log_are_read_from_its_beginning(tmp_path: Path) -> None:
    log, other = tmp_path / "calls.jsonl", tmp_path / "other"
    log.write_text('{"action": "a"}\n', encoding="utf-8")
    assert cli.calls(tmp_path) == [{"action": "a"}]
    other.write_text('{"action": "b"}\n{"action": "c"}\n', encoding="utf-8")
    other.rename(log)
    assert cli.calls(tmp_path) == [{"action": "b"}, {"action": "c"}]
    log.write_text("", encoding="utf-8")
    assert cli.calls(tmp_path) == []
