# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Putting an earlier or a rescued state in the place of the present one, under Terraform's own lock.

Terraform reads a state only if its digest in the lock table fits, and applies a saved plan only if the serial has not
changed. So both are written anew; the rest of the state stays as it was, character by character.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, encryption, error_code, explain
from ansible_collections.gitops.aws.plugins.module_utils._names import empty_problems
from ansible_collections.gitops.aws.plugins.module_utils._shapes import input_shape
from ansible_collections.gitops.aws.plugins.module_utils._state_versions import ERRORED, RESCUED
from ansible_collections.gitops.aws.plugins.module_utils._terraform_locks import (
    ABSENT,
    CHANGED,
    DYNAMODB,
    LOCKFILE,
    is_held,
    taken,
)
from ansible_collections.gitops.aws.plugins.module_utils._terraform_locks import read as read_locks
from ansible_collections.gitops.aws.plugins.module_utils._terraform_state import (
    Unreadable,
    parse,
    same_but_serial,
    with_serial,
)

ARGUMENTS: dict[str, Any] = {
    "bucket": {"type": "str", "required": True},
    "key": {"type": "str", "required": True, "no_log": False},
    "table": {"type": "str"},
    "locking": {
        "type": "list",
        "elements": "str",
        "choices": [DYNAMODB, LOCKFILE],
        "default": [DYNAMODB, LOCKFILE],
    },
    "kms_key_id": {"type": "str"},
    "version_id": {"type": "str"},
    "rescued": {"type": "dict", "options": RESCUED},
    "force": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["restored"], "default": "restored"},
}

DIGEST = "-md5"  # what Terraform adds to the lock's name for the state's digest

# What is done, in this order; as the module returns it.
STATE_WRITTEN, DIGEST_WRITTEN, RESCUED_DELETED = "state_written", "digest_written", "rescued_deleted"


@dataclass(frozen=True)
class Object:
    """An object as it was read; one that does not exist has no content.

    Attributes:
        content: the bytes.
        etag: of it.
        version_id: of it, '' in a bucket that keeps no versions.
        deleted: whether there is none, and was one.
    """

    content: bytes | None
    etag: str = ""
    version_id: str = ""
    deleted: bool = False


@dataclass(frozen=True)
class Change:
    """What there is to do, and what it makes of what there is.

    Attributes:
        actions: STATE_WRITTEN, DIGEST_WRITTEN, RESCUED_DELETED, those that are needed.
        body: the state as it is afterwards.
        before: what the present state says of itself, {} where there is none.
        after: what the state says of itself afterwards.
        present: the state's object.
        chosen: the object that is put in its place.
    """

    actions: tuple[str, ...]
    body: bytes
    before: dict[str, Any]
    after: dict[str, Any]
    present: Object
    chosen: Object


# Pure


def problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments, found without a call."""
    found = empty_problems(params, ("bucket", "key", "table", "kms_key_id", "version_id"))
    rescued = params["rescued"]
    if rescued:
        found += [f"rescued.{problem}" for problem in empty_problems(rescued, ("bucket", "key"))]
        if rescued == {"bucket": params["bucket"], "key": params["key"]}:
            found.append("rescued.key: it is the state itself. Fix: name the object that the build saved aside")
    if (params["version_id"] is None) == (rescued is None):
        which = "both are given" if rescued else "neither is given"
        found.append(f"version_id, rescued: {which}. Fix: give the one that is to be restored")
    if not params["locking"]:
        found.append("locking: it is empty. Fix: give what Terraform is set to, dynamodb, lockfile or both")
    if DYNAMODB in params["locking"] and not params["table"]:
        found.append("table: it is missing, and locking has dynamodb. Fix: name the lock table")
    return found


def decide(present: Object, chosen: Object, params: dict[str, Any], digest: str | None) -> Change:
    """What there is to do. Raises Refused.

    Args:
        present: the state.
        chosen: what is to be put in its place; it exists.
        params: of the module.
        digest: as the lock table has it; None where it has none, or locking has no dynamodb.
    """
    content = chosen.content or b""
    after, before, force = _said(content, "what is to be restored"), {}, params["force"]
    if present.content is not None:
        try:
            before = _said(present.content, "the present state")
        except Refused as error:
            if not force:
                raise Refused(
                    f"{error}. Fix: force: true puts the other in its place, and keeps what is there as a version"
                ) from error
    if before and before["lineage"] != after["lineage"] and not force:
        raise Refused(
            f"what is to be restored is the state of something else: its lineage is {after['lineage']}, that of the "
            f"present state {before['lineage']}. Nothing was changed. Fix: choose another one; force: true puts it "
            "there all the same"
        )
    aside = (RESCUED_DELETED,) if params["rescued"] else ()
    if before and same_but_serial(present.content or b"", content):
        body, actions, after = present.content or b"", aside, before
        if DYNAMODB in params["locking"] and digest not in (None, md5(body)):
            actions = (DIGEST_WRITTEN, *aside)
        return Change(actions, body, before, after, present, chosen)
    if before and params["rescued"] and after["serial"] <= before["serial"] and not force:
        raise Refused(
            f"the rescued state has serial {after['serial']}, and the present one {before['serial']}: something was "
            "applied since it was saved. Nothing was changed. Fix: leave it, and adopt what is missing with imports; "
            "force: true puts it there all the same"
        )
    if before and not present.version_id and not force:
        raise Refused(
            "the bucket keeps no versions: the present state would be lost. Nothing was changed. Fix: switch the "
            "bucket's versioning on; force: true overwrites it all the same"
        )
    serial = max(before.get("serial", 0), after["serial"]) + 1
    digests = (DIGEST_WRITTEN,) if DYNAMODB in params["locking"] else ()
    return Change(
        (STATE_WRITTEN, *digests, *aside),
        with_serial(content, serial),
        before,
        {**after, "serial": serial},
        present,
        chosen,
    )


def _said(content: bytes, what: str) -> dict[str, Any]:
    """What a state says of itself, without values. Raises Refused where it is none."""
    try:
        state = parse(content)
    except Unreadable as error:
        raise Refused(f"{what} is none: {error}. Nothing was changed") from error
    if not isinstance(state["serial"], int) or isinstance(state["serial"], bool):
        raise Refused(f"{what} is none: its serial is not a number. Nothing was changed")
    return {name: state[name] for name in ("serial", "lineage", "terraform_version", "resources")}


def md5(content: bytes) -> str:
    """A state's digest as Terraform writes it into the lock table: a check sum, and no protection."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


# With calls


def act(aws: Aws, params: dict[str, Any]) -> dict[str, Any]:
    """All that terraform_state does; returns its result. Raises Refused, and the errors of calls."""
    change = _compare(aws, params)
    if change is None or not change.actions:
        return result(params, change)
    bucket, key = params["bucket"], params["key"]
    table = params["table"] if DYNAMODB in params["locking"] else None
    locks = read_locks(aws, bucket, table, [key])[key]
    if locks:
        raise Refused(is_held(locks))
    if aws.check_mode:
        return result(params, change)
    done: list[str] = []
    try:
        with taken(aws, bucket, table, key, params["locking"], encryption(params["kms_key_id"])):
            # What was read before the lock was taken may have changed.
            change = _compare(aws, params)
            version_id = _carry_out(aws, params, change, done) if change else ""
    except (ClientError, BotoCoreError, Refused) as error:
        if not done or change is None:
            raise
        return {**result(params, change), "failed": True, "msg": _halfway(error, params, change, done), "actions": done}
    return result(params, change, version_id)


def _compare(aws: Aws, params: dict[str, Any]) -> Change | None:
    """What there is to do; None where a rescued state was put back before, and is gone for that.

    Beside the state nothing expires. Elsewhere a rescued state that is gone may have been lost.
    """
    bucket, key = params["bucket"], params["key"]
    place = params["rescued"] or {"bucket": bucket, "key": key}
    chosen = _read(aws, place["bucket"], place["key"], params["version_id"])
    if chosen.content is None:
        if params["rescued"] and chosen.deleted:
            if place == {"bucket": bucket, "key": key + ERRORED}:
                return None
            raise Refused(
                f"there is no rescued state at s3://{place['bucket']}/{place['key']} any more: it was put back before, "
                "or it has expired. Nothing was changed. Fix: plan, and adopt with imports what exists and is missing "
                "in the state"
            )
        raise Refused(
            f"there is no {'rescued state' if params['rescued'] else 'version ' + params['version_id']} at "
            f"s3://{place['bucket']}/{place['key']}. Nothing was changed. Fix: choose one that "
            "gitops.aws.terraform_state_versions_info lists"
        )
    digest = _digest(aws, params) if DYNAMODB in params["locking"] else None
    return decide(_read(aws, bucket, key), chosen, params, digest)


def _read(aws: Aws, bucket: str, key: str, version_id: str | None = None) -> Object:
    version = {"VersionId": version_id} if version_id else {}
    try:
        answer = aws.client("s3").get_object(Bucket=bucket, Key=key, **version)
    except ClientError as error:
        # A version that is a delete marker is MethodNotAllowed; text that is no version's id, InvalidArgument.
        if error_code(error) in ABSENT or (
            version and error_code(error) in ("NoSuchVersion", "MethodNotAllowed", "405", "InvalidArgument")
        ):
            headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
            return Object(None, deleted=headers.get("x-amz-delete-marker") == "true")
        raise
    return Object(answer["Body"].read(), answer["ETag"], answer.get("VersionId", ""))


def _digest(aws: Aws, params: dict[str, Any]) -> str | None:
    one = {"LockID": {"S": f"{params['bucket']}/{params['key']}{DIGEST}"}}
    answer = aws.client("dynamodb").get_item(TableName=params["table"], Key=one, ConsistentRead=True)
    return answer.get("Item", {}).get("Digest", {}).get("S")


def _carry_out(aws: Aws, params: dict[str, Any], change: Change, done: list[str]) -> str:
    """Does what there is to do, and notes in `done` what is done; the version of the state afterwards."""
    version_id = change.present.version_id
    if STATE_WRITTEN in change.actions:
        version_id = _write(aws, params, change)
        done.append(STATE_WRITTEN)
    if DIGEST_WRITTEN in change.actions:
        name = f"{params['bucket']}/{params['key']}{DIGEST}"
        item = {"LockID": {"S": name}, "Digest": {"S": md5(change.body)}}
        aws.client("dynamodb").put_item(TableName=params["table"], Item=item)
        done.append(DIGEST_WRITTEN)
    if RESCUED_DELETED in change.actions:
        _delete_rescued(aws, params["rescued"], change.chosen)
        done.append(RESCUED_DELETED)
    return version_id


def _delete_rescued(aws: Aws, place: dict[str, str], chosen: Object) -> None:
    """Deletes what was put back, and not another one that a build saved in the meantime."""
    client = aws.client("s3")
    same = {"IfMatch": chosen.etag} if "IfMatch" in input_shape(client, "DeleteObject").members else {}
    try:
        client.delete_object(Bucket=place["bucket"], Key=place["key"], **same)
    except ClientError as error:
        if error_code(error) in CHANGED:
            raise Refused(
                f"another state was saved at s3://{place['bucket']}/{place['key']} in the meantime; it was left there"
            ) from error
        if error_code(error) not in ABSENT:
            raise


def _write(aws: Aws, params: dict[str, Any], change: Change) -> str:
    """Writes the state in the place of what was read, and of nothing else; its version."""
    client = aws.client("s3")
    only: dict[str, str] = {"IfNoneMatch": "*"} if change.present.content is None else {"IfMatch": change.present.etag}
    # botocore before 1.35.69 has no IfMatch; the lock alone must do there, as it does for Terraform.
    only = {name: value for name, value in only.items() if name in input_shape(client, "PutObject").members}
    try:
        answer = client.put_object(
            Bucket=params["bucket"],
            Key=params["key"],
            Body=change.body,
            ContentType="application/json",
            **only,
            **encryption(params["kms_key_id"]),
        )
    except ClientError as error:
        if error_code(error) not in (*CHANGED, *ABSENT):
            raise
        now = _read(aws, params["bucket"], params["key"])
        # A call that botocore repeated, since its first answer was lost, meets what it has written.
        if now.content != change.body:
            raise Refused(
                "somebody wrote the state without its lock while this module held it. It was left as it is. Fix: find "
                "out who, then run it again"
            ) from error
        return now.version_id
    return answer.get("VersionId", "")


def result(params: dict[str, Any], change: Change | None, version_id: str | None = None) -> dict[str, Any]:
    """What the module returns.

    Args:
        params: of the module.
        change: what there was to do; None where a rescued state was put back before.
        version_id: of the state, where something was done.
    """
    if change is None:
        return {"changed": False, "actions": [], "msg": "There is nothing to put back: it was done before"}
    known = "" if change.actions else change.present.version_id
    found = {
        "changed": bool(change.actions),
        "actions": list(change.actions),
        **change.after,
        "version_id": known if version_id is None else version_id,
    }
    if change.actions:
        title = f"state s3://{params['bucket']}/{params['key']}"
        before, after = dict(change.before), dict(change.after)
        if STATE_WRITTEN not in change.actions and DIGEST_WRITTEN in change.actions:
            before["digest"], after["digest"] = "of another content", md5(change.body)
        if RESCUED_DELETED in change.actions:
            before["rescued"], after["rescued"] = "saved aside", "deleted"
        found["diff"] = [{"before_header": title, "after_header": title, "before": before, "after": after}]
    return found


def _halfway(error: BaseException, params: dict[str, Any], change: Change, done: list[str]) -> str:
    """That a part was done and what the rest needs, in words."""
    what = explain(error, f"state s3://{params['bucket']}/{params['key']}").rstrip(".")
    if len(done) == len(change.actions):
        return f"All was done ({', '.join(done)}), but {what}"
    if STATE_WRITTEN in done and DYNAMODB in params["locking"] and DIGEST_WRITTEN not in done:
        return (
            f"The state was restored, but its digest in lock table {params['table']} was not written: until it is, "
            f"Terraform refuses to read the state. {what}. Fix: run this again, which writes the digest alone"
        )
    return f"Done was {', '.join(done)}; then it failed. {what}. Fix: run this again, which does the rest"
