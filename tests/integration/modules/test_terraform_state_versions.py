# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""terraform_state_versions_info."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules.harness import Account, ModuleFailed, unique
from tests.integration.modules.states import Place, Root


@pytest.fixture(scope="module")
def place(account: Account) -> Place:
    return Place.open(account)


@pytest.fixture
def key() -> str:
    return f"{unique('stack')}/terraform.tfstate"


def state(**values: Any) -> dict[str, Any]:
    made = {"mode": "managed", "type": "aws_vpc", "name": "this", "instances": [{"attributes": {"id": "hunter2"}}]}
    return {"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "l", "resources": [made], **values}


def test_versions_that_terraform_has_written(account: Account, place: Place, tmp_path: Path) -> None:
    root = Root.make(place, tmp_path, ["lockfile"])
    root.apply("first")
    root.apply("second")

    result = account.run("terraform_state_versions_info", bucket=place.bucket, key=root.key)

    versions = result["versions"]
    assert [version["version_id"] for version in versions] == root.versions()[::-1]
    assert [version["is_latest"] for version in versions] == [True] + [False] * (len(versions) - 1)
    assert versions[0]["serial"] == place.state(root.key)["serial"]
    assert versions[0]["serial"] > versions[-1]["serial"]
    assert {version["lineage"] for version in versions} == {place.state(root.key)["lineage"]}
    assert versions[0]["resources"] == 2
    assert versions[0]["terraform_version"].startswith("1.")
    assert versions[0]["size"] == len(place.read(root.key) or b"")
    assert "second" not in str(versions)
    assert result["rescued"] == []
    assert result["mutations"] == []
    assert not result["changed"]


def test_only_the_newest_are_looked_into(account: Account, place: Place, key: str) -> None:
    for serial in range(5):
        place.put(key, state(serial=serial))
    place.put(f"{key}.tflock", "{}")

    result = account.run("terraform_state_versions_info", bucket=place.bucket, key=key, limit=2)

    assert [version["serial"] for version in result["versions"]] == [4, 3, None, None, None]
    assert result["api_calls"] == {"s3:GetObject": 3, "s3:ListObjectVersions": 1}


def test_a_deletion_and_what_is_no_state(account: Account, place: Place, key: str) -> None:
    place.put(key, state())
    place.put(key, "hunter2")
    account.client("s3").delete_object(Bucket=place.bucket, Key=key)

    result = account.run("terraform_state_versions_info", bucket=place.bucket, key=key)

    deleted, unreadable, readable = result["versions"]
    assert (deleted["deleted"], deleted["is_latest"], deleted["serial"]) == (True, True, None)
    assert (unreadable["unreadable"], unreadable["resources"]) == ("it is not JSON", None)
    assert (readable["unreadable"], readable["serial"], readable["resources"]) == ("", 1, 1)
    assert "hunter2" not in str(result)


def test_rescued_states_where_they_are_looked_for(account: Account, place: Place, key: str) -> None:
    place.put(f"{key}.errored", state(serial=7))
    place.put("folder/errored/stack.tfstate", "hunter2")
    places = [
        {"bucket": place.bucket, "key": name}
        for name in (f"{key}.errored", "folder/errored/stack.tfstate", "folder/errored/none.tfstate")
    ]

    default = account.run("terraform_state_versions_info", bucket=place.bucket, key=key)
    found = account.run("terraform_state_versions_info", bucket=place.bucket, key=key, rescued_at=places)
    none = account.run("terraform_state_versions_info", bucket=place.bucket, key=key, rescued_at=[])

    assert default["versions"] == []
    (saved,) = default["rescued"]
    assert {name: saved[name] for name in ("bucket", "key", "serial", "lineage", "resources")} == {
        "bucket": place.bucket,
        "key": f"{key}.errored",
        "serial": 7,
        "lineage": "l",
        "resources": 1,
    }
    assert saved["version_id"]
    assert saved["last_modified"].startswith("20")
    assert found["rescued"][0] == saved
    assert [one["unreadable"] for one in found["rescued"]] == ["", "it is not JSON"]
    assert none["rescued"] == []


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"limit": -1}, "limit: -1 is not allowed, it must be from 0 to 1000"),
        ({"limit": 1001}, "limit: 1001 is not allowed"),
        ({"key": ""}, "key: it is empty"),
        ({"rescued_at": [{"bucket": "b", "key": "k"}, {"bucket": "", "key": "k"}]}, r"rescued_at\[1\]\.bucket: it is"),
        ({"rescued_at": [{"bucket": "b"}]}, r"rescued_at\[0\]\.key: it is required and missing"),
    ],
)
def test_wrong_arguments(account: Account, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ModuleFailed, match=rf"Nothing was changed\. {problem}"):
        account.run("terraform_state_versions_info", **{"bucket": "bucket", "key": "key", **arguments})


def test_errors_name_the_state(account: Account) -> None:
    with pytest.raises(ModuleFailed, match="state s3://no-such-bucket-x/key: ListObjectVersions failed with NoSuchBuc"):
        account.run("terraform_state_versions_info", bucket="no-such-bucket-x", key="key")
