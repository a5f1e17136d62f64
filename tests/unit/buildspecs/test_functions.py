# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The functions that builds share: calls that AWS would accept, JSON, commits."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.unit.buildspecs.conftest import Shell

KEY = Credentials("ASIAEXAMPLE", "abc/+def" + "g" * 32, "token/+==")
BUILD = "arn:aws:codebuild:eu-central-1:111122223333:build/gitops-network-plan:1"


class Endpoint(BaseHTTPRequestHandler):
    """Answers with credentials, and notes what is asked besides."""

    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        if self.path == "/credentials":
            held = {"AccessKeyId": KEY.access_key, "SecretAccessKey": KEY.secret_key, "Token": KEY.token}
            self._answer(json.dumps({"RoleArn": "arn", **held, "Expiration": "later"}).encode())
        else:
            self.seen.append(("GET", self.path, dict(self.headers.items()), b""))
            self._answer(b"content")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(("POST", self.path, dict(self.headers.items()), body))
        self._answer(b"{}")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("x-amz-version-id", "version-1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def endpoint() -> Iterator[str]:
    """The address of such an endpoint."""
    Endpoint.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def call(shell: Shell, endpoint: str, command: str) -> subprocess.CompletedProcess[str]:
    return shell(
        command,
        AWS_ENDPOINT_URL=endpoint,
        AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{endpoint}/credentials",
        CODEBUILD_BUILD_ARN=BUILD,
        CODEBUILD_INITIATOR="codepipeline/gitops-network",
        EXECUTION_ID="execution-1",
    )


def signature(endpoint: str, method: str, path: str, headers: dict[str, str], body: bytes, service: str) -> str:
    """The signature that botocore makes for a request with the headers that were signed."""
    signed = ("x-amz-content-sha256", "x-amz-date", "x-amz-security-token", "x-amz-target")
    kept = {name: value for name, value in headers.items() if name.lower() in (*signed, "host")}
    request = AWSRequest(method, f"{endpoint}{path}", data=body, headers=kept)
    request.context["timestamp"] = next(value for name, value in headers.items() if name.lower() == "x-amz-date")
    auth = (S3SigV4Auth if service == "s3" else SigV4Auth)(KEY, service, "eu-central-1")
    canonical = auth.canonical_request(request)
    return str(auth.signature(auth.string_to_sign(request, canonical), request))


def test_calls_are_signed_as_botocore_signs_them(shell: Shell, endpoint: str) -> None:
    done = call(shell, endpoint, "stop_pipeline 'No changes: ü \\\"quoted\\\"'")
    assert (done.returncode, done.stderr) == (0, "")

    ((method, path, headers, body),) = Endpoint.seen
    assert json.loads(body) == {
        "pipelineName": "gitops-network",
        "pipelineExecutionId": "execution-1",
        "abandon": False,
        "reason": 'No changes: ü "quoted"',
    }
    assert headers["X-Amz-Target"] == "CodePipeline_20150709.StopPipelineExecution"
    assert headers["Content-Type"] == "application/x-amz-json-1.1"
    expected = signature(endpoint, method, path, headers, body, "codepipeline")
    scope = f"{headers['X-Amz-Date'][:8]}/eu-central-1/codepipeline/aws4_request"
    assert headers["Authorization"] == (
        f"AWS4-HMAC-SHA256 Credential={KEY.access_key}/{scope},"
        f"SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token;x-amz-target,Signature={expected}"
    )


def test_objects_are_asked_for_by_their_encoded_key(shell: Shell, endpoint: str) -> None:
    done = call(shell, endpoint, "aws_call s3 '' '' /bucket/a%2Bb%3D/c.tfstate")

    assert (done.returncode, done.stdout) == (0, "content")
    assert "x-amz-version-id: version-1" in done.stderr
    ((method, path, headers, body),) = Endpoint.seen
    assert path == "/bucket/a%2Bb%3D/c.tfstate"
    assert headers["Authorization"].endswith(signature(endpoint, method, path, headers, body, "s3"))


def test_no_call_succeeds_where_nobody_answers(shell: Shell) -> None:
    assert call(shell, "http://127.0.0.1:9", "stop_pipeline x").returncode != 0


@pytest.mark.parametrize("key", ["", "00", "ff" * 20, "0123456789abcdef" * 8])
def test_hmac(shell: Shell, key: str) -> None:
    done = shell(f"printf 'a message' | hmac '{key}'")

    assert done.stdout.strip() == hmac.new(bytes.fromhex(key), b"a message", hashlib.sha256).hexdigest()


@pytest.mark.parametrize("text", ["plain", 'quo"ted', "two\nlines", "ü한", "${not} %{this}", "back\\slash", ""])
def test_values_of_json_come_out_as_they_are(shell: Shell, tmp_path: Path, text: str) -> None:
    (tmp_path / "work" / "value.json").write_text(json.dumps({"text": text}))

    done = shell('evaluate "$WORK" \'jsondecode(file("value.json")).text\'')

    assert (done.returncode, done.stdout) == (0, text)


def test_an_expression_that_cannot_be_evaluated_fails(shell: Shell) -> None:
    assert shell('evaluate "$WORK" \'jsondecode("{").x\'').returncode != 0


# Commits


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *identity, *arguments], cwd=directory, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def commits(tmp_path: Path) -> dict[str, str]:
    """Commits as a build finds them, by name: two on main and one that a merge brought there; one each on another
    branch, on that of a pull request, and on none."""
    origin, clone = tmp_path / "origin", tmp_path / "source"
    origin.mkdir()
    git(origin, "init", "--quiet")
    found = {}
    for name in ("old", "new"):
        git(origin, "commit", "--quiet", "--allow-empty", "--message", name)
        found[name] = git(origin, "rev-parse", "HEAD")
    git(origin, "checkout", "--quiet", "-b", "merged", found["old"])
    git(origin, "commit", "--quiet", "--allow-empty", "--message", "brought in by a merge")
    found["merged"] = git(origin, "rev-parse", "HEAD")
    git(origin, "checkout", "--quiet", "main")
    git(origin, "merge", "--quiet", "--no-ff", "--message", "merge", "merged")
    git(origin, "branch", "--delete", "--quiet", "merged")
    git(origin, "checkout", "--quiet", "-b", "other", found["old"])
    git(origin, "commit", "--quiet", "--allow-empty", "--message", "other")
    found["other"] = git(origin, "rev-parse", "HEAD")
    git(tmp_path, "clone", "--quiet", str(origin), str(clone))
    git(clone, "checkout", "--quiet", "--detach", found["new"])
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "fork")
    found["fork"] = git(clone, "rev-parse", "HEAD")
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "of a fork, as CodeBuild may keep it")
    found["request"] = git(clone, "rev-parse", "HEAD")
    git(clone, "update-ref", "refs/remotes/origin/pr/7", "HEAD")
    return found


@pytest.mark.parametrize(
    ("name", "right"), [("new", True), ("old", True), ("merged", False), ("other", False), ("fork", False)]
)
def test_a_commit_must_be_on_the_branch(
    shell: Shell, tmp_path: Path, commits: dict[str, str], name: str, right: bool
) -> None:
    git(tmp_path / "source", "checkout", "--quiet", "--detach", commits[name])

    done = shell("on_branch", STACK_BRANCH="main", STACK_NAME="network")

    assert (done.returncode == 0) is right
    if not right:
        assert f"Refused: the commit {commits[name]} is not on the branch main of the stack network." in done.stdout


def test_a_branch_that_is_gone_has_no_commits(shell: Shell, commits: dict[str, str]) -> None:
    assert shell("on_branch", STACK_BRANCH="gone", STACK_NAME="network").returncode != 0


@pytest.mark.parametrize(("name", "right"), [("new", True), ("other", True), ("fork", False), ("request", False)])
def test_what_is_on_no_branch_is_of_a_fork(
    shell: Shell, tmp_path: Path, commits: dict[str, str], name: str, right: bool
) -> None:
    git(tmp_path / "source", "checkout", "--quiet", "--detach", commits[name])

    assert (shell("not_a_fork").returncode == 0) is right


# A source in S3

OBJECT = {"STACK_OBJECT": "s3://acme-code/network.zip", "SOURCE_VERSION": "version-1"}


def test_an_object_is_on_no_branch_and_its_version_is_what_is_built(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "source" / "main.tf").write_text("first")

    done = shell('on_branch && other_facts | grep -E "^(commit|source)"', **OBJECT)

    listed = f"{hashlib.sha256(b'first').hexdigest()}  ./main.tf\n"
    assert done.stdout == f"commit=version-1\nsource_sha256={hashlib.sha256(listed.encode()).hexdigest()}\n"


@pytest.mark.parametrize(
    "change",
    [
        "echo more >> main.tf",
        "mv main.tf other.tf",
        "mkdir sub && cp main.tf sub",
        "mkdir .plan && echo made > .plan/tfplan",
        "ln -s main.tf other.tf",
        "rm link && ln -s other.tf link",
        "rm link && ln -s / link",
        "rm link && cp main.tf link",
        "mv link 'another one'",
    ],
)
def test_every_file_and_link_of_an_object_counts(shell: Shell, tmp_path: Path, change: str) -> None:
    (tmp_path / "source" / "main.tf").write_text("first")
    (tmp_path / "source" / "link").symlink_to("main.tf")

    first, again, then = shell(
        f"source_digest && touch main.tf && source_digest && {change} && source_digest", **OBJECT
    ).stdout.split()

    assert first == again
    assert then != first


@pytest.mark.parametrize("version", ["", "null"])
def test_an_object_without_a_version_is_refused(shell: Shell, version: str) -> None:
    done = shell("on_branch", **{**OBJECT, "SOURCE_VERSION": version})

    assert done.returncode == 1
    assert "s3://acme-code/network.zip has no version. Fix: turn on the versions of its bucket" in done.stdout


@pytest.mark.parametrize("brought", ["mkdir .plan", "touch .plan", "ln -s /tmp .plan", "ln -s nowhere .plan"])
def test_a_source_that_brings_the_folder_of_the_plan_is_refused(shell: Shell, tmp_path: Path, brought: str) -> None:
    own = {"SAVED": str(tmp_path / "source" / ".plan")}

    assert shell("empty_saved && ls -A .plan", **own).stdout == ""
    (tmp_path / "source" / ".plan").rmdir()
    done = shell(f"{brought} && empty_saved", **own)

    assert done.returncode == 1
    assert "Refused: the source has a '.plan' of its own" in done.stdout
