# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What is known of versions: that a resource, at a version, was found or made to be as an item says.

For APIs that read one resource with a call and list the versions of a hundred. It is no more than a saving: a resource
whose version or item is another is read. So it does no harm to lose it, nor that two runs write it at once. But who
could write it could hide a change, and so it lies where nobody but the installers writes.
"""

from __future__ import annotations

import hashlib
import json
import threading
from typing import Any

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, encryption, explain, read_or_none

# Whatever changes what items mean, or what counts as equal, makes it another number: then all is read once more.
FORMAT = 1

READ_AGAIN = "So pipelines are read that need not be, which takes a call for each"

PLACE: dict[str, Any] = {
    "type": "dict",
    "options": {
        "bucket": {"type": "str", "required": True},
        "key": {"type": "str", "required": True, "no_log": False},
        "kms_key_id": {"type": "str"},
        "read_all": {"type": "bool", "default": False},
    },
}


def digest(scope: str, item: dict[str, Any]) -> str:
    """What an item says, but for its tags, which no version counts.

    Args:
        scope: where the resource is: the same name may be another one in another region.
        item: a module's arguments for one resource.
    """
    said = {option: value for option, value in item.items() if option not in ("tags", "resource_tags")}
    text = json.dumps([FORMAT, scope, said], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class KnownVersions:
    """The versions that are known, in an S3 object; read when first asked for, and written when something was learnt.

    Args:
        aws: the connection.
        place: bucket, key and kms_key_id of the object. With read_all, nothing counts as known.
    """

    def __init__(self, aws: Aws, place: dict[str, Any]) -> None:
        self.aws = aws
        self.place = place
        self.there: set[str] = set()  # the names of all resources that there are
        self.trouble = ""  # why it could not be read or written, '' where it could
        self._known: dict[str, list[Any]] | None = None
        self._new: dict[str, list[Any]] = {}
        self._lock = threading.Lock()

    def holds(self, name: str, mark: tuple[int, ...], item: str) -> bool:
        """Whether the resource, with this mark of its version, is known to be as the item with this digest says."""
        return not self.place["read_all"] and self._load().get(name) == [*mark, item]

    def learn(self, name: str, mark: tuple[int, ...], item: str) -> None:
        """The resource, with this mark of its version, is as the item with this digest says."""
        if self._load().get(name) != [*mark, item]:
            with self._lock:
                self._new[name] = [*mark, item]

    def save(self) -> None:
        """Writes what is known, if something was learnt, but of what is not there any more."""
        if not self._new:
            return
        known = {name: entry for name, entry in self._load().items() if name in self.there}
        body = json.dumps({**known, **self._new}, sort_keys=True, separators=(",", ":")).encode()
        more = {"ContentType": "application/json", **encryption(self.place["kms_key_id"])}
        try:
            self.aws.client("s3").put_object(**self._object(), Body=body, **more)
        except (ClientError, BotoCoreError) as error:
            self.trouble = f"{explain(error, f'Writing {self._shown()}')} {READ_AGAIN}"

    def _object(self) -> dict[str, str]:
        return {"Bucket": self.place["bucket"], "Key": self.place["key"]}

    def _shown(self) -> str:
        return f"s3://{self.place['bucket']}/{self.place['key']}"

    def _load(self) -> dict[str, list[Any]]:
        with self._lock:
            if self._known is None:
                self._known = self._read()
            return self._known

    def _read(self) -> dict[str, list[Any]]:
        try:
            found = read_or_none(self.aws.client("s3").get_object, ("NoSuchKey", "NoSuchBucket"), **self._object())
            known = json.loads(found["Body"].read()) if found else {}
        except (ClientError, BotoCoreError) as error:
            self.trouble = f"{explain(error, f'Reading {self._shown()}')} {READ_AGAIN}"
            return {}
        except ValueError:
            return {}  # whatever it is, it is written anew
        return known if isinstance(known, dict) else {}
