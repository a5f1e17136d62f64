# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Terraform's locks on states in S3: reading, taking and releasing them, as Terraform's S3 backend does.

A lock is an item in a DynamoDB table, an object beside the state, or both. Terraform writes the same content into both,
and refuses when either is there. So where the two differ, two processes hold a half each.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import re
import socket
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Iterator

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, error_code, explain, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._engine import chunks
from ansible_collections.gitops.aws.plugins.module_utils._shapes import input_shape

DYNAMODB, LOCKFILE = "dynamodb", "lockfile"
SUFFIX = ".tflock"  # what Terraform's native lock adds to the state's key
DIGEST = "-md5"  # what Terraform adds to the id of a lock, for the item with the state's checksum

# What our own locks say in Operation, and the module that takes them.
RESTORE, REMOVAL = "restore", "removal"
MODULES = {RESTORE: "gitops.aws.terraform_state", REMOVAL: "gitops.aws.unmanaged_resources"}

# S3's answers when an object is not there, and when it is not what a condition says.
ABSENT = ("NoSuchKey", "404")
CHANGED = ("PreconditionFailed", "412", "ConditionalRequestConflict")

# Items that DynamoDB leaves for another call: how often it is asked again.
TRIES = 8

# Terraform's time, as Go writes it: up to nine digits behind the second.
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True)
class Held:
    """One half of a lock as it was read.

    Attributes:
        kind: DYNAMODB or LOCKFILE.
        content: what is written there; None for an item without Info.
        etag: of the object.
    """

    kind: str
    content: str | None
    etag: str = ""


@dataclass(frozen=True)
class Lock:
    """A lock on a state: who wrote it, and which halves are theirs."""

    key: str
    id: str
    halves: tuple[Held, ...]
    operation: str = ""
    who: str = ""
    terraform_version: str = ""
    created: str = ""
    path: str = ""
    info: str = ""

    @property
    def kinds(self) -> list[str]:
        """Where it lies."""
        return sorted(half.kind for half in self.halves)

    def words(self) -> str:
        """The lock as a person wants to read of it."""
        operation = self.operation.removeprefix("OperationType").lower() or "an unknown operation"
        version = f", Terraform {self.terraform_version}" if self.terraform_version else ""
        return (
            f"lock {self.id} of {self.key} ({' and '.join(self.kinds)}), held by {self.who or 'nobody knows whom'} for "
            f"{operation}{version} since {self.created or 'nobody knows when'}"
        )


# Reading


def time_of(text: str) -> datetime | None:
    """A time as Terraform writes it, None for anything else."""
    match = _TIME.fullmatch(text)
    if not match:
        return None
    zone = "+00:00" if match[3] == "Z" else match[3]
    try:
        return datetime.fromisoformat(f"{match[1]}.{(match[2] or '').ljust(6, '0')[:6]}{zone}")
    except ValueError:
        return None


def locks_of(key: str, halves: list[Held]) -> list[Lock]:
    """The locks that the halves on a state belong to: one, or two where each half is another's. Pure."""
    ids: dict[str, list[Held]] = {}
    for half in halves:
        ids.setdefault(_info(half.content)["id"], []).append(half)
    return [Lock(key=key, halves=tuple(some), **_info(some[0].content)) for some in ids.values()]


def _info(content: str | None) -> dict[str, str]:
    """What the content of a lock says. What is not Terraform's gets an id made of it, to be named by."""
    try:
        said = json.loads(content or "")
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("ID"), str) or not said["ID"]:
        return {"id": f"unreadable-{hashlib.sha256((content or '').encode()).hexdigest()[:12]}"}
    names = {
        "id": "ID",
        "operation": "Operation",
        "who": "Who",
        "terraform_version": "Version",
        "created": "Created",
        "path": "Path",
        "info": "Info",
    }
    return {name: said[theirs] if isinstance(said.get(theirs), str) else "" for name, theirs in names.items()}


def read(aws: Aws, bucket: str, table: str | None, keys: list[str]) -> dict[str, list[Lock]]:
    """The locks on states, by key (BatchGetItem for 100 at a time, GetObject for each); a key without a lock is there,
    too."""
    aws.client("s3")  # boto3 makes clients in one thread only
    items = _items(aws, table, [f"{bucket}/{key}" for key in keys]) if table else {}
    files = aws.map(lambda key: _lockfile(aws, bucket, key), keys)
    found = {}
    for key, file in zip(keys, files):
        item = items.get(f"{bucket}/{key}")
        halves = [Held(DYNAMODB, item.get("Info", {}).get("S"))] if item else []
        found[key] = locks_of(key, [*halves, *([file] if file else [])])
    return found


def all_of_bucket(aws: Aws, bucket: str, table: str | None, with_file: list[str]) -> dict[str, list[Lock]]:
    """The locks on all states of a bucket, by key, also of states that are not there yet.

    Args:
        aws: the connection.
        bucket: of the states.
        table: the lock table (Scan: it has a few items for each state); None where there is none.
        with_file: the keys of the states that have a lock file, from a list of the bucket (GetObject for each).
    """
    halves: dict[str, list[Held]] = {}
    if table:
        for item in aws.pages("dynamodb", "scan", "Items", TableName=table, ConsistentRead=True):
            place, _slash, key = item["LockID"]["S"].partition("/")
            if place == bucket and not key.endswith(DIGEST):
                halves.setdefault(key, []).append(Held(DYNAMODB, item.get("Info", {}).get("S")))
    for key, file in zip(with_file, aws.map(lambda key: _lockfile(aws, bucket, key), with_file)):
        halves.setdefault(key, []).extend([file] if file else [])
    return {key: locks_of(key, some) for key, some in halves.items() if some}


def _items(aws: Aws, table: str, ids: list[str]) -> dict[str, dict[str, Any]]:
    client, found = aws.client("dynamodb"), {}
    for some in chunks(ids, 100):
        left = {table: {"Keys": [{"LockID": {"S": one}} for one in some], "ConsistentRead": True}}
        for attempt in range(TRIES):
            answer = client.batch_get_item(RequestItems=left)
            found.update({item["LockID"]["S"]: item for item in answer["Responses"].get(table, [])})
            left = answer.get("UnprocessedKeys")
            if not left:
                break
            time.sleep(0.05 * 2**attempt)
        else:
            raise Refused(f"lock table {table}: DynamoDB left items unread {TRIES} times. Fix: run it again")
    return found


def _lockfile(aws: Aws, bucket: str, key: str) -> Held | None:
    answer = read_or_none(aws.client("s3").get_object, ABSENT, Bucket=bucket, Key=key + SUFFIX)
    if answer is None:
        return None
    return Held(LOCKFILE, answer["Body"].read().decode("utf-8", "replace"), answer["ETag"])


# Releasing


def release(aws: Aws, bucket: str, table: str | None, lock: Lock) -> None:
    """Removes a lock that was read: each half only if it is still the same, and one also where the other fails.

    Raises Refused where another lock has taken the place of a half.
    """

    def delete(half: Held) -> Exception | None:
        try:
            if half.kind == LOCKFILE:
                _delete_lockfile(aws, bucket, lock, half)
            else:
                _delete_item(aws, bucket, str(table), lock, half)
        except (ClientError, BotoCoreError, Refused) as error:
            return error
        return None

    # Terraform's order.
    errors = [delete(half) for half in sorted(lock.halves, key=lambda half: half.kind, reverse=True)]
    for error in filter(None, errors):
        raise error


def _delete_lockfile(aws: Aws, bucket: str, lock: Lock, half: Held) -> None:
    client = aws.client("s3")
    condition = {"IfMatch": half.etag} if "IfMatch" in input_shape(client, "DeleteObject").members else {}
    if not condition:  # botocore before 1.35.69: there is a moment left in which another lock could be removed
        now = _lockfile(aws, bucket, lock.key)
        if now is None:
            return
        if now != half:
            raise Refused(_replaced(lock, LOCKFILE))
    try:
        client.delete_object(Bucket=bucket, Key=lock.key + SUFFIX, **condition)
    except ClientError as error:
        if error_code(error) in ABSENT:
            return
        if error_code(error) in CHANGED:
            raise Refused(_replaced(lock, LOCKFILE)) from error
        raise


def _delete_item(aws: Aws, bucket: str, table: str, lock: Lock, half: Held) -> None:
    same: dict[str, Any] = {"ExpressionAttributeNames": {"#info": "Info"}}
    if half.content is None:
        same["ConditionExpression"] = "attribute_not_exists(#info)"
    else:
        same["ConditionExpression"] = "#info = :info"
        same["ExpressionAttributeValues"] = {":info": {"S": half.content}}
    one = f"{bucket}/{lock.key}"
    try:
        aws.client("dynamodb").delete_item(TableName=table, Key={"LockID": {"S": one}}, **same)
    except ClientError as error:
        if error_code(error) != "ConditionalCheckFailedException":
            raise
        if _items(aws, table, [one]):
            raise Refused(_replaced(lock, DYNAMODB)) from error


def _replaced(lock: Lock, kind: str) -> str:
    return (
        f"{lock.words()} was released by somebody else, and another one is held now ({kind}). That one was left alone. "
        "Fix: look at the locks again"
    )


# Taking


@contextmanager
def taken(
    aws: Aws,
    bucket: str,
    table: str | None,
    key: str,
    kinds: list[str],
    encryption: dict[str, str],
    operation: str = RESTORE,
) -> Iterator[str]:
    """Holds the lock on a state for a while; its id.

    Args:
        aws: the connection.
        bucket: of the state.
        table: the lock table, where DYNAMODB is one of the kinds.
        key: of the state.
        kinds: DYNAMODB, LOCKFILE or both.
        encryption: arguments of PutObject for the lock file.
        operation: what it is held for, RESTORE or REMOVAL.

    Raises:
        Refused: somebody holds it, or it could not be released; the message says which.
    """
    content = _content(bucket, key, operation)
    trouble: BaseException | None = None
    try:
        for kind in sorted(kinds, reverse=True):  # Terraform's order
            _take(aws, bucket, table, key, kind, content, encryption)
        yield str(json.loads(content)["ID"])
    except BaseException as error:
        trouble = error
        raise
    finally:
        _give_back(aws, bucket, table if DYNAMODB in kinds else None, key, content, trouble)


def _content(bucket: str, key: str, operation: str = RESTORE) -> str:
    """A lock in Terraform's format."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = "unknown"
    said = {
        "ID": str(uuid.uuid4()),
        "Operation": operation,
        "Info": MODULES[operation],
        "Who": f"{user}@{socket.gethostname()}",
        "Version": "",
        "Created": datetime.now(timezone.utc).isoformat().replace("+00:00", "Z"),
        "Path": f"{bucket}/{key}",
    }
    return json.dumps(said, separators=(",", ":"))


def _take(
    aws: Aws, bucket: str, table: str | None, key: str, kind: str, content: str, encryption: dict[str, str]
) -> None:
    try:
        if kind == LOCKFILE:
            aws.client("s3").put_object(
                Bucket=bucket,
                Key=key + SUFFIX,
                Body=content.encode(),
                ContentType="application/json",
                IfNoneMatch="*",
                **encryption,
            )
        else:
            aws.client("dynamodb").put_item(
                TableName=table,
                Item={"LockID": {"S": f"{bucket}/{key}"}, "Info": {"S": content}},
                ConditionExpression="attribute_not_exists(LockID)",
            )
    except ClientError as error:
        if error_code(error) not in (*CHANGED, "ConditionalCheckFailedException"):
            raise
        locks = read(aws, bucket, table, [key])[key]
        # A call that botocore repeated, since its first answer was lost, meets our own lock.
        if not any(half.content == content for lock in locks for half in lock.halves if half.kind == kind):
            ours = json.loads(content)["ID"]
            raise Refused(is_held([lock for lock in locks if lock.id != ours])) from error


def is_held(locks: list[Lock]) -> str:
    """That a state is locked, in words."""
    whose = "; ".join(lock.words() for lock in locks) or "a lock that is gone again"
    return (
        f"the state is locked: {whose}. Nothing was changed. Fix: wait until it is released. Where its holder died, "
        "gitops.aws.terraform_lock releases it (playbook gitops.aws.unlock)"
    )


def _give_back(aws: Aws, bucket: str, table: str | None, key: str, content: str, trouble: BaseException | None) -> None:
    """Releases what is ours, also what was taken by a call whose answer was lost."""
    try:
        for lock in read(aws, bucket, table, [key])[key]:
            if any(half.content == content for half in lock.halves):
                release(aws, bucket, table, lock)
    except (ClientError, BotoCoreError, Refused) as error:
        before = f"{explain(trouble, 'at first').rstrip('.')}. And then " if trouble else ""
        raise Refused(
            f"{before}the lock {json.loads(content)['ID']}, which this module took, could not be released: "
            f"{explain(error, 'its release').rstrip('.')}. Fix: release it with gitops.aws.terraform_lock and this id"
        ) from error
