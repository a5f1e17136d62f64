# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pipelines whose version is known are not read again; and whatever may have changed is."""

from __future__ import annotations

import copy
import json
import time
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._kinds.codepipeline import Codepipeline
from tests.integration.modules.cases import CODEPIPELINE
from tests.integration.modules.harness import Account, ModuleFailed, World, unique
from tests.integration.modules.test_codepipelines import build, version

READ, LIST, TAGS = "codepipeline:GetPipeline", "codepipeline:ListPipelines", "resourcegroupstaggingapi:GetResources"
LOOK, NOTE = "s3:GetObject", "s3:PutObject"


@dataclass
class Estate:
    """Pipelines that the same task manages again and again, and the object with what it knows of them."""

    account: Account
    items: list[dict[str, Any]]
    place: dict[str, Any]

    def run(self, *, check: bool = False, read_all: bool = False) -> dict[str, Any]:
        """The task."""
        steps = [{"module": "codepipelines", "items": self.items}]
        return self.account.run(
            "resources", check=check, steps=steps, known_pipelines={**self.place, "read_all": read_all}
        )

    def known(self) -> dict[str, list[Any]]:
        """What is in the object."""
        found: dict[str, list[Any]] = json.loads(self.object()["Body"].read())
        return found

    def object(self) -> dict[str, Any]:
        """The object."""
        answer: dict[str, Any] = self.account.client("s3").get_object(
            Bucket=self.place["bucket"], Key=self.place["key"]
        )
        return answer

    def write(self, body: bytes) -> None:
        """Somebody writes something else into it."""
        self.account.client("s3").put_object(Bucket=self.place["bucket"], Key=self.place["key"], Body=body)


@pytest.fixture
def estate(account: Account, world: World) -> Estate:
    """Ten, of which nothing is there."""
    name = unique("known")
    settings = {"tags": {"team": "a"}, "execution_mode": "SUPERSEDED"}
    items = [CODEPIPELINE.new(world, f"{name}-{number}", **settings) for number in range(10)]
    return Estate(account, items, {"bucket": world.bucket, "key": f"{name}.json", "kms_key_id": world.key})


@pytest.fixture
def made(estate: Estate) -> Estate:
    """The same after the first run."""
    estate.run()
    return estate


def changed(result: dict[str, Any]) -> dict[str, str]:
    """What became of those that are not as they were, by name."""
    found = result["resources"]["codepipelines"]
    return {name: each["action"] for name, each in found.items() if each["action"] != "unchanged"}


def test_what_was_made_is_not_read_again(estate: Estate) -> None:
    checked = estate.run(check=True)
    first = estate.run()
    again = estate.run()

    assert (checked["mutations"], checked["changed"]) == ([], True)
    assert first["api_calls"][NOTE] == 1
    assert first["api_calls"][LIST] == 2  # when something was made, only the list tells when
    assert READ not in first["api_calls"]
    assert again["api_calls"] == {LOOK: 1, LIST: 1, TAGS: 1}
    assert (changed(again), again["changed"]) == ({}, False)
    # The facts are the same as where they were read.
    read = estate.run(read_all=True)
    assert read["api_calls"][READ] == 10
    assert read["resources"] == again["resources"]


def test_the_object_is_encrypted_with_the_key_and_holds_no_settings(made: Estate) -> None:
    stored = made.object()

    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", made.place["kms_key_id"])
    assert {name: [type(part) for part in entry] for name, entry in made.known().items()} == {
        item["name"]: [int, int, str] for item in made.items
    }


def test_an_item_that_changes_is_read_and_written_and_known_from_then_on(made: Estate) -> None:
    made.items[3]["execution_mode"] = "QUEUED"

    checked = made.run(check=True)
    result = made.run()
    again = made.run()

    name = made.items[3]["name"]
    assert (changed(checked), checked["mutations"]) == ({name: "updated"}, [])
    assert changed(result) == {name: "updated"}
    assert (result["api_calls"][READ], result["api_calls"][LIST]) == (1, 1)
    assert sorted(result["mutations"]) == ["codepipeline:UpdatePipeline", NOTE]
    assert [each["after"] for each in result["diff"]] == [{"execution_mode": "QUEUED"}]
    assert again["api_calls"] == {LOOK: 1, LIST: 1, TAGS: 1}


def test_what_somebody_else_has_changed_is_found_and_mended(made: Estate) -> None:
    codepipeline, name = made.account.client("codepipeline"), made.items[5]["name"]
    pipeline = codepipeline.get_pipeline(name=name)["pipeline"]
    codepipeline.update_pipeline(pipeline={**pipeline, "executionMode": "PARALLEL"})

    checked = made.run(check=True)
    result = made.run()

    assert changed(checked) == changed(result) == {name: "updated"}
    assert codepipeline.get_pipeline(name=name)["pipeline"].get("executionMode") != "PARALLEL"
    assert made.run()["api_calls"] == {LOOK: 1, LIST: 1, TAGS: 1}


def test_what_was_changed_and_changed_back_is_read_once(made: Estate) -> None:
    codepipeline, name = made.account.client("codepipeline"), made.items[0]["name"]
    pipeline = codepipeline.get_pipeline(name=name)["pipeline"]
    for mode in ("PARALLEL", pipeline["executionMode"]):
        codepipeline.update_pipeline(pipeline={**pipeline, "executionMode": mode})

    result, again = made.run(), made.run()

    assert (result["changed"], result["api_calls"][READ], result["mutations"]) == (False, 1, [NOTE])
    assert again["api_calls"] == {LOOK: 1, LIST: 1, TAGS: 1}


def test_a_pipeline_that_was_made_again_is_read_though_its_version_is_the_same(made: Estate) -> None:
    codepipeline, name = made.account.client("codepipeline"), made.items[2]["name"]
    pipeline = codepipeline.get_pipeline(name=name)["pipeline"]
    codepipeline.delete_pipeline(name=name)
    codepipeline.create_pipeline(
        pipeline={**pipeline, "executionMode": "PARALLEL"}, tags=[{"key": "team", "value": "a"}]
    )
    assert version(made.account, name) == pipeline["version"]

    assert changed(made.run()) == {name: "updated"}


def test_what_was_made_in_the_place_of_what_was_made_is_read(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody exchanges a pipeline while the run that made it is not over."""
    codepipeline, name = estate.account.client("codepipeline"), estate.items[2]["name"]
    remember = Codepipeline.remember

    def exchanged(kind: Codepipeline) -> None:
        pipeline = codepipeline.get_pipeline(name=name)["pipeline"]
        codepipeline.delete_pipeline(name=name)
        time.sleep(1.1)  # a pipeline's age is told to the second
        codepipeline.create_pipeline(
            pipeline={**pipeline, "executionMode": "PARALLEL"}, tags=[{"key": "team", "value": "a"}]
        )
        remember(kind)

    with monkeypatch.context() as patch:
        patch.setattr(Codepipeline, "remember", exchanged)
        estate.run()

    assert set(estate.known()) == {item["name"] for item in estate.items} - {name}
    assert changed(estate.run()) == {name: "updated"}


def test_what_aws_keeps_otherwise_than_it_was_sent_is_read(made: Estate, monkeypatch: pytest.MonkeyPatch) -> None:
    made.items[0]["execution_mode"] = "QUEUED"
    with monkeypatch.context() as patch:
        patch.setattr(Codepipeline, "_is_as_said", lambda _kind, _answer, _after: False)
        made.run()

    assert made.run()["api_calls"][READ] == 1
    assert READ not in made.run()["api_calls"]


def test_tags_are_compared_all_the_same(made: Estate) -> None:
    name = made.items[1]["name"]
    arn = made.run()["resources"]["codepipelines"][name]["arn"]
    made.account.client("codepipeline").tag_resource(resourceArn=arn, tags=[{"key": "team", "value": "b"}])

    result = made.run()

    assert changed(result) == {name: "updated"}
    assert result["mutations"] == ["codepipeline:TagResource"]
    assert result["api_calls"][READ] == 1


def test_an_item_that_leaves_much_to_aws_gets_its_tags(made: Estate) -> None:
    for item in made.items:
        del item["artifact_store"]
    made.run()
    assert READ not in made.run()["api_calls"]

    made.items[0]["tags"] = {"team": "b"}

    assert changed(made.run()) == {made.items[0]["name"]: "updated"}


def test_what_is_gone_is_made_again_and_forgotten_with_its_item(made: Estate) -> None:
    codepipeline, name = made.account.client("codepipeline"), made.items[4]["name"]
    codepipeline.delete_pipeline(name=name)

    assert changed(made.run()) == {name: "created"}
    assert made.run()["api_calls"] == {LOOK: 1, LIST: 1, TAGS: 1}
    # What nobody wants any more is forgotten with the next that is learnt.
    made.account.run("codepipelines", state="absent", pipelines=[{"name": name}])
    del made.items[4]
    made.items.append({**copy.deepcopy(made.items[0]), "name": f"{name}-new"})
    made.run()
    assert set(made.known()) == {item["name"] for item in made.items}


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b'{"%s": 1}', b'{"%s": [1, 2, {}]}'])
def test_what_is_no_such_object_is_written_anew(made: Estate, body: bytes) -> None:
    made.write(body.replace(b"%s", made.items[0]["name"].encode()))

    result = made.run()

    assert (result["changed"], result["mutations"]) == (False, [NOTE])
    assert result["api_calls"][READ] >= 10
    assert made.run()["api_calls"] == {LOOK: 1, LIST: 1, TAGS: 1}


def test_a_bucket_that_is_not_there_costs_calls_and_a_warning(estate: Estate) -> None:
    estate.place["bucket"] = unique("no-such-bucket")

    first, again = estate.run(), estate.run()

    assert (first["changed"], again["changed"]) == (True, False)
    assert again["api_calls"][READ] == 10
    for result in (first, again):
        assert f"Writing s3://{estate.place['bucket']}/{estate.place['key']}" in str(result["warnings"])
        assert "pipelines are read that need not be" in str(result["warnings"])


def test_few_pipelines_are_read_and_nothing_is_kept_of_them(made: Estate) -> None:
    del made.items[0]

    result = made.run()

    assert (result["api_calls"][READ], set(result["api_calls"])) == (9, {READ, TAGS})


def test_an_item_with_a_secret_is_read_each_time(estate: Estate) -> None:
    estate.items[0]["stages"].append(
        {"name": "Build", "actions": [build([{"name": "DB_PASSWORD", "value": "canary-1"}])]}
    )

    estate.run()
    again = estate.run()

    assert again["api_calls"][READ] == 1
    assert not again["changed"]
    assert estate.items[0]["name"] not in estate.known()


def test_a_failure_loses_nothing_that_was_learnt(made: Estate, world: World) -> None:
    name = made.items[0]["name"]
    made.items.append(CODEPIPELINE.new(world, unique("unreadable")))
    made.run()
    for changing in (made.items[0], made.items[-1]):
        changing["execution_mode"] = "QUEUED"

    with pytest.raises(ModuleFailed, match="1 of 11 pipelines failed"):
        made.run()

    assert made.known()[name][0] == 2
