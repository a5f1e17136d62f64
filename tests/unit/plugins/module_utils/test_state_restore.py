# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written when a state is restored; the rest is tested with Terraform."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gitops.aws.plugins.module_utils import _state_restore as restore
from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused, encryption
from ansible_collections.gitops.aws.plugins.module_utils._state_restore import Object

PARAMS: dict[str, Any] = {
    "bucket": "bucket",
    "key": "key",
    "table": "table",
    "locking": ["dynamodb", "lockfile"],
    "kms_key_id": None,
    "version_id": "v",
    "rescued": None,
    "force": False,
}
RESCUED = {**PARAMS, "version_id": None, "rescued": {"bucket": "bucket", "key": "aside"}}

SERIALS = st.integers(0, 10**9)
VALUES = st.sampled_from(["a", "b"])


def content(value: str = "a", serial: Any = 1, lineage: str = "l") -> bytes:
    outputs = {"value": {"value": value, "type": "string"}}
    return json.dumps({"version": 4, "serial": serial, "lineage": lineage, "outputs": outputs}, indent=2).encode()


def there(body: bytes | None) -> Object:
    return Object(body, "etag", "v0")


@given(SERIALS, SERIALS, VALUES, VALUES, st.sampled_from([PARAMS, RESCUED]), st.booleans(), st.booleans())
def test_terraform_can_always_go_on(
    present: int, chosen: int, now: str, then: str, params: dict[str, Any], exists: bool, force: bool
) -> None:
    before = there(content(now, present) if exists else None)
    try:
        change = restore.decide(before, there(content(then, chosen)), {**params, "force": force}, "0" * 32)
    except Refused:
        assert params is RESCUED
        assert exists
        assert chosen <= present
        assert not force
        return
    body = json.loads(change.body)
    # The digest is that of the state, whatever it was before.
    assert "digest_written" in change.actions
    assert ("rescued_deleted" in change.actions) == (params is RESCUED)
    assert body["outputs"]["value"]["value"] == then
    assert change.after["serial"] == body["serial"]
    if "state_written" in change.actions:
        assert body["serial"] == max(present if exists else 0, chosen) + 1
        assert change.body == content(then, body["serial"])
    else:
        assert now == then
        assert change.body == before.content


@given(SERIALS, SERIALS)
def test_a_second_time_there_is_nothing_to_do(present: int, chosen: int) -> None:
    first = restore.decide(there(content("a", present)), there(content("b", chosen)), PARAMS, None)

    second = restore.decide(there(first.body), there(content("b", chosen)), PARAMS, restore.md5(first.body))

    assert second.actions == ()
    assert second.body == first.body


def test_a_digest_that_there_is_not_is_not_missed() -> None:
    assert restore.decide(there(content()), there(content()), PARAMS, None).actions == ()


def test_without_dynamodb_there_is_no_digest() -> None:
    change = restore.decide(there(content("a")), there(content("b")), {**PARAMS, "locking": ["lockfile"]}, None)

    assert change.actions == ("state_written",)


@pytest.mark.parametrize("serial", ["1", 1.5, None, True, [1]])
def test_a_serial_that_is_no_number(serial: Any) -> None:
    with pytest.raises(Refused, match="what is to be restored is none: its serial is not a number"):
        restore.decide(there(content()), there(content(serial=serial)), PARAMS, None)


@pytest.mark.parametrize("damaged", [b"", b'{"version": 4, "ser', b"[]"])
def test_a_present_state_that_is_damaged_is_replaced_by_force_alone(damaged: bytes) -> None:
    with pytest.raises(Refused, match=r"the present state is none: .*Nothing was changed\. Fix: force: true puts"):
        restore.decide(there(damaged), there(content("then")), PARAMS, None)

    change = restore.decide(there(damaged), there(content("then")), {**PARAMS, "force": True}, None)
    assert change.actions == ("state_written", "digest_written")


def test_values_are_in_no_message_and_no_diff() -> None:
    change = restore.decide(there(content("hunter1")), there(content("hunter2")), PARAMS, None)

    assert "hunter" not in json.dumps(restore.result(PARAMS, change))
    with pytest.raises(Refused) as refused:
        restore.decide(there(content("hunter1")), there(content("hunter2", lineage="x")), PARAMS, None)
    assert "hunter" not in str(refused.value)


def test_encryption_is_said_where_a_key_is_given() -> None:
    assert encryption("arn") == {
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": "arn",
    }
    assert encryption(PARAMS["kms_key_id"]) == {}


# A rescued state that is not there any more


def gone(stubs: Any, marker: bool = True) -> None:
    """S3's answer for a deleted object."""
    headers = {"x-amz-delete-marker": "true"} if marker else {}
    stubs["s3"].add_client_error(
        "get_object", "NoSuchKey", http_status_code=404, response_meta={"HTTPHeaders": headers}
    )


def test_what_is_deleted_beside_the_state_was_put_back(aws: Any, stubs: Any) -> None:
    gone(stubs)

    found = restore.act(aws(), {**PARAMS, "version_id": None, "rescued": {"bucket": "bucket", "key": "key.errored"}})

    assert found == {"changed": False, "actions": [], "msg": "There is nothing to put back: it was done before"}


@pytest.mark.parametrize(
    "place", [("artifacts", "gitops/errored/x.tfstate"), ("artifacts", "key.errored"), ("bucket", "aside")]
)
def test_what_is_deleted_elsewhere_may_have_expired(aws: Any, stubs: Any, place: tuple[str, str]) -> None:
    gone(stubs)
    bucket, key = place

    with pytest.raises(Refused) as refused:
        restore.act(aws(), {**PARAMS, "version_id": None, "rescued": {"bucket": bucket, "key": key}})

    message = str(refused.value)
    assert f"s3://{bucket}/{key}" in message
    assert "it was put back before, or it has expired" in message
    assert "Nothing was changed" in message
    assert "imports" in message


def test_what_was_never_saved_is_not_put_back(aws: Any, stubs: Any) -> None:
    gone(stubs, marker=False)

    with pytest.raises(Refused, match=r"there is no rescued state at s3://bucket/key\.errored\. "):
        restore.act(aws(), {**PARAMS, "version_id": None, "rescued": {"bucket": "bucket", "key": "key.errored"}})
