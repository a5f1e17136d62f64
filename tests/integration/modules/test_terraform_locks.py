# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""terraform_locks_info and terraform_lock, with locks that builds and others hold, and leave."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.modules.harness import Account, ModuleFailed, unique
from tests.integration.modules.running import Workshop, buildspec, eventually, make_role
from tests.integration.modules.states import CODE, KINDS, Place, Root, backend, interfere, kill

BOTH = KINDS[2]


@pytest.fixture(scope="module")
def place(account: Account) -> Place:
    return Place.open(account)


@pytest.fixture(scope="module")
def workshop(account: Account) -> Workshop:
    """Where builds may run Terraform."""
    role = make_role(account, "codebuild", "logs:*", "s3:*", "dynamodb:*", "kms:*")
    return dataclasses.replace(Workshop.open(account), build_role=role)


@pytest.fixture
def key() -> str:
    return f"{unique('stack')}/terraform.tfstate"


def apply_commands(place: Place, key: str, kinds: list[str], seconds: int) -> list[str]:
    """The commands of a build that applies, and holds the lock for so long."""
    settings = " ".join(f"'-backend-config={name}={value}'" for name, value in backend(place, kinds, key).items())
    return [
        f"cat > main.tf <<'EOF'\n{CODE}EOF",
        f"terraform init -no-color -input=false {settings}",
        f"terraform apply -no-color -auto-approve -var=value=x -var=seconds={seconds}",
    ]


def now() -> str:
    """The time as Terraform writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def start(account: Account, project: str) -> str:
    """Starts a build; its id."""
    return str(account.client("codebuild").start_build(projectName=project)["build"]["id"])


def ended(account: Account, build_id: str) -> Callable[[], bool]:
    def look() -> bool:
        build = account.client("codebuild").batch_get_builds(ids=[build_id])["builds"][0]
        return bool(build["buildComplete"])

    return look


def options(place: Place, key: str, *projects: str, **values: Any) -> dict[str, Any]:
    """The options of terraform_lock."""
    return {"bucket": place.bucket, "table": place.table, "key": key, "projects": list(projects), **values}


def look(account: Account, place: Place, *states: tuple[str, list[str]]) -> list[dict[str, Any]]:
    """The locks that terraform_locks_info finds."""
    asked = [{"key": key, "projects": projects} for key, projects in states]
    result = account.run("terraform_locks_info", bucket=place.bucket, table=place.table, states=asked)
    assert not result["changed"]
    assert result["mutations"] == []
    found: list[dict[str, Any]] = result["locks"]
    return found


def refused(account: Account, place: Place, **arguments: Any) -> str:
    """The message of a release that is refused, in check mode, too; the lock stays."""
    before = place.is_locked(arguments["key"])
    messages = []
    for check in (True, False):
        with pytest.raises(ModuleFailed) as failure:
            account.run("terraform_lock", check=check, **arguments)
        assert failure.value.result["mutations"] == []
        messages.append(str(failure.value.result["msg"]))
    assert place.is_locked(arguments["key"]) == before
    assert messages[0] == messages[1]
    return messages[0]


# Builds


@pytest.mark.parametrize("kinds", KINDS, ids="+".join)
def test_lock_of_a_build_from_its_taking_to_its_release(
    account: Account, place: Place, workshop: Workshop, key: str, kinds: list[str]
) -> None:
    project = workshop.project(buildspec(*apply_commands(place, key, kinds, seconds=60)))
    idle = workshop.project(buildspec("true"))
    own = options(place, key, idle, project)
    build_id = start(account, project)
    eventually(lambda: len(place.is_locked(key)) == len(kinds))

    (running,) = look(account, place, (key, [idle, project]))
    message = refused(account, place, **own)

    assert running["state"] == "running"
    assert not running["releasable"]
    assert running["kinds"] == kinds
    assert running["operation"] == "OperationTypeApply"
    assert running["path"] == f"{place.bucket}/{key}"
    assert running["terraform_version"].startswith("1.")
    assert [(build["id"], build["running"], build["end_time"]) for build in running["builds"]] == [(build_id, True, "")]
    for part in (running["id"], running["who"], running["created"], build_id, f"lock_id: {running['id']}"):
        assert part in message

    def begun() -> bool:
        logs = account.client("logs").get_log_events(
            logGroupName=f"/aws/codebuild/{project}", logStreamName=build_id.partition(":")[2]
        )
        return any("terraform_data.slow: Creating..." in event["message"] for event in logs["events"])

    eventually(begun)
    account.client("codebuild").stop_build(id=build_id)
    eventually(ended(account, build_id))
    (stale,) = look(account, place, (key, [idle, project]))
    check = account.run("terraform_lock", check=True, **own)
    assert place.is_locked(key) == kinds
    released = account.run("terraform_lock", **own)
    again = account.run("terraform_lock", **own)

    assert stale["state"] == "stale"
    assert stale["releasable"]
    assert [(build["id"], build["status"], build["running"]) for build in stale["builds"]] == [
        (build_id, "STOPPED", False)
    ]
    assert stale["builds"][0]["logs_url"].startswith("https://")
    # The state was not written yet when the build was killed.
    assert place.read(key) is None
    assert [(orphan["address"], orphan["importable"]) for orphan in stale["orphans"]] == [
        ("terraform_data.value", True)
    ]
    assert len(stale["orphans"][0]["id"]) == 36
    assert stale["unfinished"] == ["terraform_data.slow"]
    assert check["changed"]
    assert check["mutations"] == []
    assert check["released"] == released["released"] == [stale]
    assert check["diff"] == released["diff"]
    assert released["diff"][0]["before"]["id"] == stale["id"]
    assert sorted(released["mutations"]) == sorted(
        {"dynamodb": "dynamodb:DeleteItem", "lockfile": "s3:DeleteObject"}[kind] for kind in kinds
    )
    assert released["left"] == []
    assert place.is_locked(key) == []
    assert not again["changed"]
    assert again["mutations"] == []


def test_build_that_the_lock_kept_out_does_not_hold_it(
    account: Account, place: Place, workshop: Workshop, key: str
) -> None:
    commands = apply_commands(place, key, BOTH, seconds=0)
    project = workshop.project(buildspec(commands[0], commands[1], "sleep 3", commands[2]))
    build_id = start(account, project)
    codebuild = account.client("codebuild")
    eventually(lambda: codebuild.batch_get_builds(ids=[build_id])["builds"][0]["currentPhase"] == "BUILD")
    lock_id = place.lock(key, BOTH, Created=now())
    eventually(ended(account, build_id))

    (lock,) = look(account, place, (key, [project]))

    assert lock["state"] == "foreign"
    assert lock["builds"] == []
    assert lock["reason"] == (
        f"none of the builds that ran when it was taken holds it: {build_id} (FAILED) was kept out by it"
    )
    assert lock_id in refused(account, place, **options(place, key, project))


def test_build_that_succeeded_in_that_time_does_not_hold_it(
    account: Account, place: Place, workshop: Workshop, key: str
) -> None:
    project = workshop.project(buildspec("sleep 2"))
    build_id = start(account, project)
    codebuild = account.client("codebuild")
    eventually(lambda: codebuild.batch_get_builds(ids=[build_id])["builds"][0]["currentPhase"] == "BUILD")
    place.lock(key, BOTH, Created=now())

    (early,) = look(account, place, (key, [project]))
    eventually(ended(account, build_id))
    (late,) = look(account, place, (key, [project]))

    assert early["state"] == "running"
    assert late["state"] == "foreign"


def test_build_that_failed_without_terraform_does_not_hold_it(
    account: Account, place: Place, workshop: Workshop, key: str
) -> None:
    project = workshop.project(buildspec("sleep 3", "false"))
    build_id = start(account, project)
    codebuild = account.client("codebuild")
    eventually(lambda: codebuild.batch_get_builds(ids=[build_id])["builds"][0]["currentPhase"] == "BUILD")
    lock_id = place.lock(key, BOTH, Created=now())
    eventually(ended(account, build_id))

    (lock,) = look(account, place, (key, [project]))

    assert lock["state"] == "foreign"
    assert f"{build_id} (FAILED) ended by all signs without leaving one" in lock["reason"]
    assert lock_id in refused(account, place, **options(place, key, project))


def test_lock_of_a_killed_terraform_in_a_build_that_failed(
    account: Account, place: Place, workshop: Workshop, key: str
) -> None:
    *before, apply = apply_commands(place, key, BOTH, seconds=60)
    # The provider of terraform_data is Terraform itself: it alone is killed, as by the kernel when memory runs out.
    killed = f"{apply} & sleep 5; kill -KILL $!; wait $!"
    project = workshop.project(buildspec(*before, killed))
    build_id = start(account, project)
    eventually(ended(account, build_id), 60)

    (lock,) = look(account, place, (key, [project]))
    released = account.run("terraform_lock", **options(place, key, project))

    assert lock["state"] == "stale"
    assert [(build["id"], build["status"]) for build in lock["builds"]] == [(build_id, "FAILED")]
    assert lock["unfinished"] == ["terraform_data.slow"]
    assert [one["id"] for one in released["released"]] == [lock["id"]]
    assert place.is_locked(key) == []


def test_build_of_another_time_does_not_hold_it(account: Account, place: Place, workshop: Workshop, key: str) -> None:
    project = workshop.project(buildspec("false"))
    build_id = start(account, project)
    eventually(ended(account, build_id))
    place.lock(key, BOTH, Created=now())

    (lock,) = look(account, place, (key, [project]))

    assert lock["state"] == "foreign"


def test_project_that_there_is_not(account: Account, place: Place, key: str) -> None:
    place.lock(key, BOTH)
    name = unique("none")

    with pytest.raises(ModuleFailed, match=rf"ListBuildsForProject failed with ResourceNotFoundException: .*{name}"):
        account.run("terraform_lock", **options(place, key, name))


# Others


def test_apply_of_somebody_else(account: Account, place: Place, workshop: Workshop, tmp_path: Path) -> None:
    root = Root.make(place, tmp_path, BOTH)
    project = workshop.project(buildspec("true"))
    process = root.command("apply", "-auto-approve", "-var=value=x", "-var=seconds=60")
    try:
        eventually(lambda: place.is_locked(root.key) == BOTH)

        (lock,) = look(account, place, (root.key, [project]))
        message = refused(account, place, **options(place, root.key, project))

        # Terraform writes one lock into both places.
        assert lock["kinds"] == BOTH
        assert lock["state"] == "foreign"
        assert "Fix: ask who holds it. " in message
    finally:
        kill(process)
    account.run("terraform_lock", **options(place, root.key, project, lock_id=lock["id"]))
    assert "Apply complete" in root.apply("x")


def test_lock_id_releases_that_lock_only(account: Account, place: Place, key: str) -> None:
    lock_id = place.lock(key, BOTH)

    message = refused(account, place, **options(place, key, lock_id="another"))
    check = account.run("terraform_lock", check=True, **options(place, key, lock_id=lock_id))
    result = account.run("terraform_lock", **options(place, key, lock_id=lock_id))
    again = account.run("terraform_lock", **options(place, key, lock_id=lock_id))

    assert f"there is no lock another. Nothing was released. Held is lock {lock_id} of {key}" in message
    assert check["changed"]
    assert result["changed"]
    assert [lock["id"] for lock in result["released"]] == [lock_id]
    assert place.is_locked(key) == []
    assert not again["changed"]


def test_two_processes_hold_half_a_lock_each(account: Account, place: Place, key: str) -> None:
    item, file = place.lock(key, ["dynamodb"]), place.lock(key, ["lockfile"])

    found = look(account, place, (key, []))
    result = account.run("terraform_lock", **options(place, key, lock_id=item))

    assert [(lock["id"], lock["kinds"]) for lock in found] == [(item, ["dynamodb"]), (file, ["lockfile"])]
    assert [lock["id"] for lock in result["released"]] == [item]
    assert [lock["id"] for lock in result["left"]] == [file]
    assert place.is_locked(key) == ["lockfile"]


@pytest.mark.parametrize("content", ["", "no JSON", "[]", '{"ID": 5}', '{"ID": ""}'])
def test_lock_that_is_not_terraform_s(account: Account, place: Place, key: str, content: str) -> None:
    place.put(f"{key}.tflock", content)
    place.put_item(key, Info=content) if content else place.put_item(key)

    (lock,) = look(account, place, (key, []))
    refused(account, place, **options(place, key))
    account.run("terraform_lock", **options(place, key, lock_id=lock["id"]))

    assert lock["id"].startswith("unreadable-")
    assert lock["kinds"] == BOTH
    assert place.is_locked(key) == []


def test_lock_of_a_restore_is_no_build_s(account: Account, place: Place, workshop: Workshop, key: str) -> None:
    project = workshop.project(buildspec("sleep 60"))
    build_id = start(account, project)
    place.lock(key, BOTH, Operation="restore", Created=now())

    (lock,) = look(account, place, (key, [project]))
    account.client("codebuild").stop_build(id=build_id)

    assert lock["state"] == "foreign"
    assert lock["reason"] == "gitops.aws.terraform_state took it, to restore the state"


@pytest.mark.parametrize(("held", "used"), [(["dynamodb"], ["lockfile"]), (["lockfile"], ["dynamodb"])])
def test_two_ways_of_locking_meet_only_where_one_uses_both(
    place: Place, tmp_path: Path, held: list[str], used: list[str]
) -> None:
    """Why locking is changed in two steps, see docs/recovery.md."""
    root = Root.make(place, tmp_path, used)
    place.lock(root.key, held)

    assert "Plan: 2 to add" in root.plan("x")
    root.init(BOTH)
    assert "Error acquiring the state lock" in root.run("plan", "-var=value=x", fails=True)


# Between looking and releasing


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize("then", ["another", "nothing"])
def test_lock_that_changes_in_between(
    account: Account, place: Place, key: str, monkeypatch: pytest.MonkeyPatch, kind: str, then: str
) -> None:
    first = place.lock(key, [kind])

    def change(_body: bytes) -> None:
        if then == "another":
            place.lock(key, [kind])
        else:
            account.client("s3").delete_object(Bucket=place.bucket, Key=f"{key}.tflock")
            account.client("dynamodb").delete_item(
                TableName=place.table, Key={"LockID": {"S": f"{place.bucket}/{key}"}}
            )

    interfere(monkeypatch, "DeleteItem" if kind == "dynamodb" else "DeleteObject", "", change)

    if then == "nothing":
        account.run("terraform_lock", **options(place, key, lock_id=first))
        return
    with pytest.raises(ModuleFailed, match=rf"lock {first} .* was released by somebody else, and another one is held"):
        account.run("terraform_lock", **options(place, key, lock_id=first))
    assert place.is_locked(key) == [kind]


# Many, and none


def test_many_states_take_few_calls(account: Account, place: Place) -> None:
    keys = [f"{unique('many')}/terraform.tfstate" for _number in range(130)]
    ids = [place.lock(keys[0], ["dynamodb"]), place.lock(keys[120], ["lockfile"])]

    result = account.run(
        "terraform_locks_info", bucket=place.bucket, table=place.table, states=[{"key": key} for key in keys]
    )

    assert [lock["id"] for lock in result["locks"]] == ids
    assert result["api_calls"] == {"dynamodb:BatchGetItem": 2, "s3:GetObject": 130}


def test_without_a_table_its_locks_are_not_seen(account: Account, place: Place, key: str) -> None:
    place.lock(key, ["dynamodb"])

    result = account.run("terraform_locks_info", bucket=place.bucket, states=[{"key": key}])

    assert result["locks"] == []
    assert result["api_calls"] == {"s3:GetObject": 1}


def test_table_that_there_is_not(account: Account, place: Place, key: str) -> None:
    with pytest.raises(ModuleFailed, match="BatchGetItem failed with ResourceNotFoundException"):
        account.run("terraform_lock", bucket=place.bucket, table=unique("none"), key=key)


def test_state_that_cannot_be_read_hides_no_lock(account: Account, place: Place, workshop: Workshop, key: str) -> None:
    place.put(key, "hunter2")
    project = workshop.project(buildspec("sleep 60"))
    build_id = start(account, project)
    codebuild = account.client("codebuild")
    eventually(lambda: codebuild.batch_get_builds(ids=[build_id])["builds"][0]["currentPhase"] == "BUILD")
    place.lock(key, BOTH, Created=now())
    codebuild.stop_build(id=build_id)
    eventually(ended(account, build_id))

    result = account.run("terraform_lock", **options(place, key, project))

    assert [lock["orphans"] for lock in result["released"]] == [[]]
    assert f"state {key}: it is not JSON" in str(result["warnings"])
    assert "hunter2" not in json.dumps(result)


@pytest.mark.parametrize(
    ("module", "arguments", "problem"),
    [
        ("terraform_lock", {"key": "", "lock_id": "x"}, "key: it is empty"),
        ("terraform_lock", {"key": "k", "lock_id": ""}, "lock_id: it is empty"),
        ("terraform_lock", {"key": "k", "table": " "}, "table: it is empty"),
        ("terraform_locks_info", {"states": [{"key": "k"}, {"key": " "}]}, r"states\[1\]\.key: it is empty"),
        (
            "terraform_locks_info",
            {"states": [{"key": "k"}, {"key": "k"}]},
            r"states\[1\]\.key: 'k' is also that of states\[0\]",
        ),
        ("terraform_locks_info", {"states": [{"project": "p"}]}, r"states\[0\]\.project: there is no such option"),
    ],
)
def test_wrong_arguments(account: Account, module: str, arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ModuleFailed, match=rf"Nothing was changed\. {problem}") as failure:
        account.run(module, **{"bucket": "bucket", **arguments})

    assert failure.value.result.get("api_calls", {}) == {}
