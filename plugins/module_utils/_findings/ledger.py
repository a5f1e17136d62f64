# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What is remembered from scan to scan: when a resource was first seen, what is in quarantine, what the last scan saw.

It is one object in the state bucket, and not in the resources' tags: a tag on a managed resource would be drift. The
object is written only in the place of the one that was read, so that of two runs at the same time one fails and nothing
of the other is lost.

    {"version": 1,
     "first_seen": {arn: time},
     "quarantined": {arn: {"type", "id", "region", "since", "until", "plan", "kept": {}, "steps_done", "words",
                           and perhaps "account", "steps_begun", "undo_begun"}},
     "last_scan": null or {"time", "states": {key: {"lineage", "serial", "managed"}}},
     "used_plans": {digest: until when that plan could be carried out}}

`kept` is what the resource was before, from which it is restored. `words` is '' where nothing was done to the resource
itself; then there is nothing to undo. `steps_done` below the number of its calls means that it was interrupted, and
`steps_begun` which of them may have changed something (all, where it is missing). `undo_begun` is true where undoing it
has begun. A ledger of an earlier version has no `used_plans`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Collection, Iterable, Mapping

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, error_code, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import DRIFT_PREFIX
from ansible_collections.gitops.aws.plugins.module_utils._shapes import input_shape
from ansible_collections.gitops.aws.plugins.module_utils._terraform_locks import ABSENT, CHANGED

VERSION = 1
KEY = f"{DRIFT_PREFIX}ledger.json"

QUARANTINE_KEYS = {"type", "id", "region", "since", "until", "plan", "kept", "steps_done", "words"}
MORE_KEYS = {"account", "steps_begun", "undo_begun"}


def folder(key: str) -> str:
    """The folder of the ledger: what is in it is no state. '' where the key has none."""
    return key[: key.rfind("/") + 1]


def empty() -> dict[str, Any]:
    """The ledger of an estate that was never scanned."""
    return {"version": VERSION, "first_seen": {}, "quarantined": {}, "last_scan": None, "used_plans": {}}


# Pure


def parse(text: bytes) -> dict[str, Any]:
    """The ledger as it was written. Raises ValueError, with the reason, for anything that is not whole."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise ValueError(f"it is not a ledger of version {VERSION}")
    found.setdefault("used_plans", {})
    if set(found) != set(empty()):
        raise ValueError(f"it must have {', '.join(empty())}, and nothing else")
    if not all(isinstance(found[name], dict) for name in ("first_seen", "quarantined", "used_plans")):
        raise ValueError("first_seen, quarantined and used_plans must be dictionaries")
    for arn, entry in found["quarantined"].items():
        if (
            not isinstance(entry, dict)
            or set(entry) - MORE_KEYS != QUARANTINE_KEYS
            or not isinstance(entry["kept"], dict)
        ):
            raise ValueError(f"quarantined.{arn} must have {', '.join(sorted(QUARANTINE_KEYS))}")
    return found


def with_seen(content: dict[str, Any], arns: Iterable[str], time: str, listed: Collection[str] = ()) -> dict[str, Any]:
    """The ledger after a scan that saw these resources.

    Args:
        content: the ledger before.
        arns: of resources whose age is to be remembered.
        time: of the scan.
        listed: the regions of which all was listed; '' for what has no region in its ARN. What was seen there once,
            and is not among `arns`, is forgotten.
    """
    seen = {arn: content["first_seen"].get(arn, time) for arn in arns}
    kept = {arn: when for arn, when in content["first_seen"].items() if _region(arn) not in listed}
    return {**content, "first_seen": {**kept, **seen}}


def with_scan(content: dict[str, Any], time: str, states: list[dict[str, Any]]) -> dict[str, Any]:
    """The ledger after a scan that read these states, as its result has them."""
    known = {state["key"]: {name: state[name] for name in ("lineage", "serial", "managed")} for state in states}
    return {**content, "last_scan": {"time": time, "states": known}}


def account_of(arn: str, entry: Mapping[str, Any]) -> str:
    """The account that a quarantine is of; '' where neither its ARN nor its entry says."""
    return [*arn.split(":"), "", "", "", "", ""][4] or str(entry.get("account", ""))


def unseen(
    content: dict[str, Any],
    present: Collection[str],
    listed: Collection[tuple[str, str]],
    account: str,
    regions: Collection[str],
) -> list[str]:
    """The ARNs of quarantines whose resources a scan should have seen, and has not: perhaps they are gone.

    Args:
        content: the ledger.
        present: the ARNs of all resources that the scan saw.
        listed: (type, region) of all listings of it that were complete; '' is the region of what is of the account.
        account: that was scanned. Of another account nothing is known.
        regions: that were looked at, also in lists that are of the account.
    """
    return [
        arn
        for arn, entry in content["quarantined"].items()
        if arn not in present
        and account_of(arn, entry) in ("", account)
        and entry["region"] in ("", *regions)
        and {(entry["type"], entry["region"]), (entry["type"], "")} & set(listed)
    ]


def with_used_plan(content: dict[str, Any], digest: str, expires: str, now: str) -> dict[str, Any]:
    """The ledger with a plan that is carried out, and without those that have expired by now anyway."""
    left = {one: until for one, until in content["used_plans"].items() if until > now}
    return {**content, "used_plans": {**left, digest: expires}}


def with_quarantine(content: dict[str, Any], arn: str, entry: dict[str, Any]) -> dict[str, Any]:
    """The ledger with a quarantine, in the place of what it had of this resource."""
    return {**content, "quarantined": {**content["quarantined"], arn: entry}}


def without_quarantine(content: dict[str, Any], arns: Collection[str]) -> dict[str, Any]:
    """The ledger without the quarantines of these resources."""
    left = {arn: entry for arn, entry in content["quarantined"].items() if arn not in arns}
    return {**content, "quarantined": left}


def _region(arn: str) -> str:
    return [*arn.split(":"), "", "", ""][3]


# With calls


@dataclass
class Ledger:
    """The ledger of an estate, as it was read or written last.

    Attributes:
        content: the shape is above. It is never changed in place.
        etag: of the object, '' where there is none.
        encryption: arguments of PutObject.
    """

    aws: Aws
    bucket: str
    key: str
    content: dict[str, Any]
    etag: str
    encryption: dict[str, str]

    @property
    def quarantined(self) -> dict[str, dict[str, Any]]:
        """What is in quarantine, by ARN."""
        return self.content["quarantined"]

    def write(self, content: dict[str, Any]) -> None:
        """Writes it in the place of what was read, and of nothing else. No call where nothing differs.

        Raises Refused where somebody else has written it.
        """
        if content == self.content:
            return
        body = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
        client = self.aws.client("s3")
        only = {"IfMatch": self.etag} if self.etag else {"IfNoneMatch": "*"}
        if not set(only) <= set(input_shape(client, "PutObject").members):
            raise Refused(
                "the ledger cannot be written safely: botocore is older than 1.35.69 and knows no conditional writes. "
                "Nothing was changed. Fix: update boto3"
            )
        try:
            answer = client.put_object(
                Bucket=self.bucket,
                Key=self.key,
                Body=body,
                ContentType="application/json",
                **only,
                **self.encryption,
            )
        except ClientError as error:
            if error_code(error) not in (*CHANGED, *ABSENT):
                raise
            # A call that botocore repeated, since its first answer was lost, meets what it has written.
            found = _get(self.aws, self.bucket, self.key)
            if found is None or found[0] != body:
                raise Refused(self._changed()) from error
            answer = {"ETag": found[1]}
        self.content, self.etag = content, answer["ETag"]

    def refuse_changed(self) -> None:
        """Raises Refused where it is another one than was read or written last (HeadObject)."""
        client = self.aws.client("s3")
        answer = read_or_none(client.head_object, ABSENT, Bucket=self.bucket, Key=self.key)
        if (answer["ETag"] if answer else "") != self.etag:
            raise Refused(self._changed())

    def _changed(self) -> str:
        return (
            f"the ledger s3://{self.bucket}/{self.key} was written by another run in the meantime. What that "
            "run wrote was kept. Fix: look what runs at the same time, then run this again"
        )


def read(aws: Aws, bucket: str, key: str = KEY, encryption: dict[str, str] | None = None) -> Ledger:
    """The ledger (GetObject); an empty one where there is none. Raises Refused for one that cannot be understood."""
    found = _get(aws, bucket, key)
    if found is None:
        return Ledger(aws, bucket, key, empty(), "", encryption or {})
    try:
        content = parse(found[0])
    except ValueError as error:
        raise Refused(
            f"the ledger s3://{bucket}/{key} cannot be read: {error}. Without it nobody knows what is in quarantine "
            "and how to undo that. Fix: restore an earlier version of the object"
        ) from error
    return Ledger(aws, bucket, key, content, found[1], encryption or {})


def _get(aws: Aws, bucket: str, key: str) -> tuple[bytes, str] | None:
    answer = read_or_none(aws.client("s3").get_object, ABSENT, Bucket=bucket, Key=key)
    return None if answer is None else (answer["Body"].read(), answer["ETag"])
