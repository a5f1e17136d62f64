# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for secrets: in any form, in all that AWS tells, in files, in what processes are given; and who could read."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.e2e.estate import Estate
from tests.e2e.test_credentials import expanded

CANARY = "canary"
ODD = "/+='\"<&> %7B{}\\"  # what is quoted or escaped somewhere, in a header's value, too

# What a process of ours does with files below some directories that everybody may write into, told by Python itself.
# Of what is private to its owner nothing is said, nor of what is in it.
WATCHER = """
import os, stat, sys

def look(path):
    try:
        status = os.lstat(path)
    except OSError:
        return
    if stat.S_ISLNK(status.st_mode) or not stat.S_IMODE(status.st_mode) & 0o077:
        return
    LOG.write(f"{stat.S_IMODE(status.st_mode):o} {path}\\n")
    if stat.S_ISDIR(status.st_mode):
        walk(path)

def walk(directory):
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        look(os.path.join(directory, name))

def hook(event, arguments):
    global busy
    # What goes away, and all that there is before something else is started, which may remove it.
    if busy or event not in ("os.remove", "os.rename", "os.rmdir", "shutil.rmtree", "subprocess.Popen", "os.fork"):
        return
    busy = True
    try:
        for directory in WATCHED:
            walk(directory)
        LOG.flush()
    finally:
        busy = False

busy = False
if "TEST_WATCHED" in os.environ:
    WATCHED = os.environ["TEST_WATCHED"].split(os.pathsep)
    LOG = open(os.environ["TEST_WATCH_LOG"], "a", encoding="utf-8")
    sys.addaudithook(hook)
"""


def forms(secret: str) -> set[str]:
    """The forms in which a secret may stand in a text: as it is, quoted, and encoded, alone or with others."""
    raw = secret.encode()
    found = {secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1], raw.hex(), raw.hex().upper()}
    for start in range(3):
        # In the middle of something else the first and last characters depend on what is around.
        length = (len(raw) - (-start % 3)) // 3 * 3
        middle = raw[-start % 3 :][:length]
        found |= {base64.b64encode(middle).decode(), base64.urlsafe_b64encode(middle).decode()}
    return found


def canary() -> str:
    """A new secret. It is recognised by what nothing escapes, and its end is what everything does."""
    return f"{CANARY}{secrets.token_hex(10)}{ODD}"


def holding(places: dict[str, str], wanted: dict[str, str]) -> dict[str, set[str]]:
    """Where secrets stand: the names of the secrets by those of the places."""
    texts = {name: forms(secret.removesuffix(ODD)) for name, secret in wanted.items()}
    beginning, found = forms(CANARY), dict[str, set[str]]()
    for place, content in places.items():
        sings = any(text in content for text in beginning)
        names = [name for name, secret in wanted.items() if sings or not secret.startswith(CANARY)]
        names = [name for name in names if any(text in content for text in texts[name])]
        if names:
            found[place] = set(names)
    return found


def files(*directories: Path) -> dict[str, str]:
    """The content of all files below directories, those of archives too."""
    return {
        str(path): expanded(path.read_bytes())
        for directory in directories
        for path in directory.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


@contextlib.contextmanager
def watched(log: Path, *directories: Path) -> Iterator[dict[str, str]]:
    """Environment variables with which processes of Python say what they leave open to others in the directories.

    The directories are as /tmp is, and nothing keeps processes from making what everybody may read and write.
    """
    hook = log.parent / "hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(WATCHER, encoding="utf-8")
    log.touch()
    for directory in directories:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o1777)
    before = os.umask(0)
    try:
        yield {
            "PYTHONPATH": str(hook),
            "TEST_WATCHED": os.pathsep.join(map(str, directories)),
            "TEST_WATCH_LOG": str(log),
        }
    finally:
        os.umask(before)


def left_open(log: Path) -> set[str]:
    """The mode and path of what others could read, or write, at any time."""
    return set(log.read_text(encoding="utf-8").splitlines())


@contextlib.contextmanager
def arguments() -> Iterator[set[str]]:
    """The command lines of all processes while the block lasts, as far as they last long enough to be seen."""
    seen, ended = set[str](), threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            for process in Path("/proc").glob("[0-9]*"):
                with contextlib.suppress(OSError):  # it has ended meanwhile
                    seen.add((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def listening(pid: int) -> set[str]:
    """The addresses on which a process listens, in the hexadecimal form of /proc/net/tcp."""
    sockets = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            status = descriptor.stat()
            if stat.S_ISSOCK(status.st_mode):
                sockets.add(str(status.st_ino))
    found = set()
    for name in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{name}").read_text(encoding="utf-8").splitlines()[1:]:
            fields = line.split()
            # Of UDP there is no listening: what is not connected takes from everybody.
            if fields[9] in sockets and fields[3] == ("0A" if name.startswith("tcp") else "07"):
                found.add(fields[1].partition(":")[0])
    return found


def told(estate: Estate) -> dict[str, str]:
    """All that AWS tells of an account to who may read everything, by where it was found."""
    found: dict[str, str] = {}

    def note(name: str, answer: Any) -> Any:
        answer.pop("ResponseMetadata", None)
        found[name] = json.dumps(answer, default=str, ensure_ascii=False)
        return answer

    def pages(service: str, operation: str, result: str, **arguments: Any) -> list[Any]:
        client, call = estate.kept(service), getattr(estate.kept(service), operation)
        if not client.can_paginate(operation):
            return list(note(f"{service} {operation} {arguments or ''}", call(**arguments)).get(result, []))
        listed = client.get_paginator(operation).paginate(**arguments).build_full_result()
        return list(note(f"{service} {operation} {arguments or ''}", listed).get(result, []))

    def each(service: str, operation: str, values: list[Any], member: str) -> None:
        call = getattr(estate.kept(service), operation)
        for value in values:
            note(f"{service} {operation} {value}", call(**{member: value}))

    _builds(pages, each)
    _messages(pages, each)
    for url in pages("sqs", "list_queues", "QueueUrls"):
        while messages := estate.kept("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            note(f"messages {messages[0]['MessageId']}", {"Messages": messages})
            for message in messages:
                estate.kept("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    for group in pages("logs", "describe_log_groups", "logGroups"):
        for stream in pages("logs", "describe_log_streams", "logStreams", logGroupName=group["logGroupName"]):
            where = {"logGroupName": group["logGroupName"], "logStreamName": stream["logStreamName"]}
            events = estate.kept("logs").get_log_events(**where, startFromHead=True)["events"]
            found[f"log {' '.join(where.values())}"] = "".join(event["message"] for event in events)
    note("iam", estate.kept("iam").get_account_authorization_details())
    for role in pages("iam", "list_roles", "Roles"):
        note(f"iam tags {role['RoleName']}", estate.kept("iam").list_role_tags(RoleName=role["RoleName"]))
    pages("resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList")
    pages("cloudtrail", "lookup_events", "Events")
    for table in pages("dynamodb", "list_tables", "TableNames"):
        note(f"table {table}", estate.kept("dynamodb").scan(TableName=table))
    for parameter in pages("ssm", "describe_parameters", "Parameters"):
        name, ssm = parameter["Name"], estate.kept("ssm")
        note(f"decrypted {parameter['Type']} {name}", ssm.get_parameter(Name=name, WithDecryption=True))
        note(f"tags {name}", ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=name))
    for secret in pages("secretsmanager", "list_secrets", "SecretList"):
        answer = estate.kept("secretsmanager").get_secret_value(SecretId=secret["ARN"])
        note(f"secret {secret['Name']}", answer)
    found.update(_objects(estate))
    return found


def _builds(pages: Callable[..., list[Any]], each: Callable[..., None]) -> None:
    projects = pages("codebuild", "list_projects", "projects")
    each("codebuild", "batch_get_projects", [[name] for name in projects], "names")
    each("codebuild", "batch_get_builds", [[one] for one in pages("codebuild", "list_builds", "ids")], "ids")
    pipelines = [one["name"] for one in pages("codepipeline", "list_pipelines", "pipelines")]
    for operation, member in (("get_pipeline", "name"), ("get_pipeline_state", "name")):
        each("codepipeline", operation, pipelines, member)
    for name in pipelines:
        pages("codepipeline", "list_pipeline_executions", "pipelineExecutionSummaries", pipelineName=name)
        pages("codepipeline", "list_action_executions", "actionExecutionDetails", pipelineName=name)


def _messages(pages: Callable[..., list[Any]], each: Callable[..., None]) -> None:
    rules = [one["Name"] for one in pages("events", "list_rules", "Rules")]
    each("events", "list_targets_by_rule", rules, "Rule")
    connections = [one["Name"] for one in pages("events", "list_connections", "Connections")]
    each("events", "describe_connection", connections, "Name")
    pages("events", "list_api_destinations", "ApiDestinations")
    machines = [one["stateMachineArn"] for one in pages("stepfunctions", "list_state_machines", "stateMachines")]
    each("stepfunctions", "describe_state_machine", machines, "stateMachineArn")
    for machine in machines:
        runs = pages("stepfunctions", "list_executions", "executions", stateMachineArn=machine)
        arns = [one["executionArn"] for one in runs]
        each("stepfunctions", "describe_execution", arns, "executionArn")
        each("stepfunctions", "get_execution_history", arns, "executionArn")
    topics = [one["TopicArn"] for one in pages("sns", "list_topics", "Topics")]
    each("sns", "get_topic_attributes", topics, "TopicArn")
    pages("sns", "list_subscriptions", "Subscriptions")
    pages("cloudwatch", "describe_alarms", "MetricAlarms")
    each("sqs", "get_queue_attributes", pages("sqs", "list_queues", "QueueUrls"), "QueueUrl")


def _objects(estate: Estate) -> dict[str, str]:
    """The versions of all objects, with what stands in their archives, and what is said of them."""
    s3, found = estate.kept("s3"), {}
    for bucket in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
        for entry in s3.list_object_versions(Bucket=bucket).get("Versions", []):
            answer = s3.get_object(Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"])
            where = f"s3://{bucket}/{entry['Key']} {entry['VersionId']}"
            found[where] = expanded(answer.pop("Body").read())
            found[f"head of {where}"] = json.dumps(answer, default=str)
    return found
