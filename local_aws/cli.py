# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of python -m local_aws."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from local_aws import latency
from local_aws.process import ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY, is_loopback, use_minute

DEFAULT_DATA = Path(".work/local_aws")
MINUTE_SECONDS = "LOCAL_AWS_MINUTE_SECONDS"
"""The environment variable that says how long a minute of AWS lasts, for tests that see something time out."""
LATENCY_MS = "LOCAL_AWS_LATENCY_MS"
"""The environment variable that says how many milliseconds each API call waits, for measurements."""
_START_SECONDS = 60
_STOP_SECONDS = 20


class CliError(Exception):
    """A message for the person at the terminal."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it worked, 1 with a message on stderr when not."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except CliError as error:
        print(f"local_aws: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local_aws", description="AWS on this machine, for development")
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("--data", type=Path, default=DEFAULT_DATA, help="directory of its files (%(default)s)")
        sub.set_defaults(run=run)
        return sub

    up = command("up", _up, "start local AWS")
    up.add_argument("--port", type=int, default=4566, help="0 takes a free one (%(default)s)")
    up.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    up.add_argument("--allow-remote", action="store_true", help="allow an address that other machines reach")
    up.add_argument("--detach", action="store_true", help="return when it is ready, and leave it running")
    command("down", _down, "stop local AWS")
    command("status", _status, "say whether it runs")
    complete = command("complete-connection", _complete, "finish a pending connection, as its owner would in a browser")
    complete.add_argument("name")
    slack = command("authorize-slack", _authorize_slack, "let Chatbot post to a Slack workspace, as in its console")
    slack.add_argument("team_id", metavar="TEAM_ID")
    repository = command("map-repository", _map, "let a repository name stand for a local bare Git repository")
    repository.add_argument("full_name")
    repository.add_argument("path", type=Path)
    pull_request = command("pull-request", _pull_request, "tell AWS of a pull request, as its provider would")
    pull_request.add_argument("full_name", metavar="owner/name")
    pull_request.add_argument("number", type=int)
    pull_request.add_argument("--head", required=True, metavar="BRANCH", help="branch with the changes")
    pull_request.add_argument("--base", required=True, metavar="BRANCH", help="branch they are to go into")
    pull_request.add_argument(
        "--event",
        default="created",
        choices=("created", "updated", "reopened", "merged", "closed"),
        help="what happened to it (%(default)s)",
    )
    pull_request.add_argument("--fork", metavar="OWNER/NAME", help="repository that the head is in, if another one")
    pull_request.add_argument("--actor", metavar="ID", help="account id of its author at the provider")
    pull_request.add_argument("--role", metavar="ROLE", help="what the author may do there, such as GITHUB_WRITE")
    pull_request.add_argument("--approved", action="store_true", help="an approver commented that it is to be built")
    wait = command("latency", _latency, "let each API call wait from now on, as over a network")
    wait.add_argument("milliseconds", type=float)
    fail = command("faults", _faults, "let API calls fail from now on, as a file says; without one, no more")
    fail.add_argument("file", type=Path, nargs="?", help="JSON, as in local_aws/faults.py")
    clock = command("clock", _clock, "let the clocks of some callers be wrong from now on")
    clock.add_argument("principal", help="ARN of a user, role or session, with * and ?")
    clock.add_argument("seconds_behind", type=float, metavar="SECONDS", help="that they are behind; 0 is right again")
    kill = command("kill-build", _kill_build, "let the container of a build die, with all that runs in it")
    kill.add_argument("build_id")
    image = command("map-image", _map_image, "let an image name stand for the Terraform image with more executables")
    image.add_argument("image")
    image.add_argument("directory", type=Path)
    command("create-admin", _create_admin, "make the user 'admin', who may do everything; prints a key pair")
    user = command("put-user", _put_user, "make or update a user with one policy; prints a key pair")
    user.add_argument("name")
    user.add_argument("--policy", type=Path, required=True, help="file with the policy document")
    return parser


def _up(options: argparse.Namespace) -> int:
    from local_aws import server

    running = _running(options.data)
    if running is not None:
        raise CliError(f"it already runs on {running['endpoint_url']} (data in {options.data})")
    minute = os.environ.get(MINUTE_SECONDS, "60")
    try:
        use_minute(float(minute))
    except ValueError as error:
        raise CliError(f"{MINUTE_SECONDS} must be a positive number of seconds, not {minute!r}") from error
    wait = os.environ.get(LATENCY_MS, "0")
    try:
        latency.use(float(wait))
    except ValueError as error:
        raise CliError(f"{LATENCY_MS} must be a number of milliseconds from 0, not {wait!r}") from error
    if not options.detach:
        try:
            server.serve(options.port, options.data, host=options.host, allow_remote=options.allow_remote)
        except (OSError, ValueError) as error:
            raise CliError(f"cannot listen on {options.host}:{options.port}: {error}") from error
        return 0
    if not options.allow_remote and not is_loopback(options.host):
        raise CliError(f"{options.host} can be reached by other machines; use a loopback address, or --allow-remote")
    options.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    command = [
        sys.executable,
        "-m",
        "local_aws",
        "up",
        "--port",
        str(options.port),
        "--host",
        options.host,
        "--data",
        str(options.data),
        *(["--allow-remote"] if options.allow_remote else []),
    ]
    (options.data / "endpoint.json").unlink(missing_ok=True)
    with (options.data / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        running = _running(options.data)
        if running is not None and running["pid"] == process.pid:
            print(json.dumps(running))
            return 0
        if process.poll() is not None:
            raise CliError(f"it did not start:\n{_tail(options.data / 'server.log')}")
        time.sleep(0.05)
    process.terminate()
    raise CliError(f"it was not ready after {_START_SECONDS} seconds:\n{_tail(options.data / 'server.log')}")


def _down(options: argparse.Namespace) -> int:
    running = _running(options.data)
    if running is None:
        print("local AWS does not run")
        return 0
    pid = int(running["pid"])
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while _alive(pid):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            break
        time.sleep(0.05)
    (options.data / "endpoint.json").unlink(missing_ok=True)
    print("local AWS is stopped")
    return 0


def _status(options: argparse.Namespace) -> int:
    running = _running(options.data)
    if running is None:
        raise CliError(f"it does not run (data in {options.data})")
    print(json.dumps(running))
    return 0


def _complete(options: argparse.Namespace) -> int:
    answer = _post(_endpoint(options.data), "/_local/connections/complete", {"connection_name": options.name})
    print(json.dumps(answer))
    return 0


def _authorize_slack(options: argparse.Namespace) -> int:
    content = {"slack_team_id": options.team_id}
    print(json.dumps(_post(_endpoint(options.data), "/_local/chatbot/workspaces", content)))
    return 0


def _map(options: argparse.Namespace) -> int:
    answer = _post(
        _endpoint(options.data),
        "/_local/repositories",
        {"full_name": options.full_name, "path": str(options.path.resolve())},
    )
    print(json.dumps(answer))
    return 0


def _pull_request(options: argparse.Namespace) -> int:
    names = ("full_name", "number", "head", "base", "event", "fork", "actor", "role", "approved")
    content = {name: getattr(options, name) for name in names}
    print(json.dumps(_post(_endpoint(options.data), "/_local/pull-requests", content)))
    return 0


def _latency(options: argparse.Namespace) -> int:
    content = {"milliseconds": options.milliseconds}
    print(json.dumps(_post(_endpoint(options.data), "/_local/latency", content)))
    return 0


def _faults(options: argparse.Namespace) -> int:
    content = _json_in(options.file) if options.file else {}
    print(json.dumps(_post(_endpoint(options.data), "/_local/faults", content)))
    return 0


def _clock(options: argparse.Namespace) -> int:
    content = {"principal": options.principal, "seconds_behind": options.seconds_behind}
    print(json.dumps(_post(_endpoint(options.data), "/_local/clocks", content)))
    return 0


def _kill_build(options: argparse.Namespace) -> int:
    print(json.dumps(_post(_endpoint(options.data), "/_local/dead-containers", {"build_id": options.build_id})))
    return 0


def _map_image(options: argparse.Namespace) -> int:
    content = {"image": options.image, "directory": str(options.directory.resolve())}
    print(json.dumps(_post(_endpoint(options.data), "/_local/images", content)))
    return 0


def _create_admin(options: argparse.Namespace) -> int:
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    print(json.dumps(put_user(_endpoint(options.data), "admin", everything)))
    return 0


def _put_user(options: argparse.Namespace) -> int:
    print(json.dumps(put_user(_endpoint(options.data), options.name, _json_in(options.policy))))
    return 0


def _json_in(path: Path) -> Any:
    """What a user's file says."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CliError(f"{path}: {error}") from error


def put_user(endpoint_url: str, name: str, policy: dict[str, Any]) -> dict[str, str]:
    """Make or update an IAM user with exactly this inline policy, as the account's owner (root).

    Returns a new key pair {"UserName", "AccessKeyId", "SecretAccessKey"}; earlier keys of the user are removed.
    """
    import boto3
    from botocore.config import Config

    iam = boto3.client(
        "iam",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        config=Config(proxies={}),
        aws_access_key_id=ROOT_ACCESS_KEY_ID,
        aws_secret_access_key=ROOT_SECRET_ACCESS_KEY,
    )
    try:
        iam.create_user(UserName=name)
    except iam.exceptions.EntityAlreadyExistsException:
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    iam.put_user_policy(UserName=name, PolicyName="local-aws", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"UserName": name, "AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"]}


# By path of a log: which file it was, how far it was read, and what was in it. Tests look at it thousands of times.
_logs: dict[Path, tuple[int, int, list[dict[str, Any]]]] = {}


def calls(data: Path) -> list[dict[str, Any]]:
    """The log of calls so far, oldest first. A line that is just being written is not there yet."""
    path = data / "calls.jsonl"
    with path.open("rb") as file:
        log = os.fstat(file.fileno())
        inode, offset, known = _logs.get(path, (0, 0, []))
        if inode != log.st_ino or offset > log.st_size:
            offset, known = 0, []
        file.seek(offset)
        new, end, _rest = file.read().rpartition(b"\n")
    known = known + [json.loads(line) for line in new.splitlines()] if end else known
    _logs[path] = log.st_ino, offset + len(new) + len(end), known
    return list(known)


def _running(data: Path) -> dict[str, Any] | None:
    """The endpoint.json of a server that answers and is the one this directory belongs to; None otherwise."""
    try:
        endpoint: dict[str, Any] = json.loads((data / "endpoint.json").read_text(encoding="utf-8"))
        health = _call(endpoint["endpoint_url"], "/_local/health", None)
    except (OSError, ValueError, KeyError):
        return None
    return endpoint if health.get("pid") == endpoint.get("pid") else None


def _endpoint(data: Path) -> str:
    running = _running(data)
    if running is None:
        raise CliError(f"local AWS does not run (data in {data}); start it with: python -m local_aws up --detach")
    return str(running["endpoint_url"])


def _post(endpoint_url: str, path: str, content: dict[str, Any]) -> dict[str, Any]:
    try:
        return _call(endpoint_url, path, content)
    except urllib.error.HTTPError as error:
        raise CliError(json.loads(error.read() or b"{}").get("message", str(error))) from error


def _call(endpoint_url: str, path: str, content: dict[str, Any] | None) -> dict[str, Any]:
    request = urllib.request.Request(
        endpoint_url + path,
        data=None if content is None else json.dumps(content).encode(),
        headers={"Content-Type": "application/json"},
    )
    # No proxy: the endpoint is this machine.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        parsed: dict[str, Any] = json.load(answer)
        return parsed


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # A stopped child of this process is a zombie until it is waited for.
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return True
    except ProcessLookupError:
        return False


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
