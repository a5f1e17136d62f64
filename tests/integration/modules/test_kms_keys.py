# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""KMS keys: an alias is the only name that a key has."""

from __future__ import annotations

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._kinds.kms_key import KmsKey
from tests.integration.modules.harness import Account, ModuleFailed, unique
from tests.integration.modules.test_lost_answers import key_ids


def test_key_that_is_denied_its_alias_is_there_for_the_next_run(account: Account) -> None:
    for made in (True, False):
        with pytest.raises(ModuleFailed) as failure:
            account.run("kms_keys", kms_keys=[{"alias": "alias/denied"}])

        mutations = failure.value.result["mutations"]
        assert mutations[-1] == "kms:CreateAlias"
        assert ("kms:CreateKey" in mutations) == made
        assert "allow kms:CreateAlias" in failure.value.result["msg"]


def test_deleted_key_waits_and_its_alias_is_free(account: Account) -> None:
    alias = f"alias/{unique('key')}"
    first = account.run("kms_keys", kms_keys=[{"alias": alias}])["resources"][alias]

    account.run("kms_keys", kms_keys=[{"alias": alias, "pending_window": 7}], state="absent")
    second = account.run("kms_keys", kms_keys=[{"alias": alias}])["resources"][alias]

    key = account.client("kms").describe_key(KeyId=first["key_id"])["KeyMetadata"]
    assert key["KeyState"] == "PendingDeletion"
    assert second["action"] == "created"
    assert second["key_id"] != first["key_id"]


def test_of_two_runs_at_once_one_makes_the_key(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    alias, api = f"alias/{unique('race')}", account.client("kms")
    before = key_ids(account)
    theirs: list[str] = []

    def meanwhile(_kind: KmsKey, _alias: str) -> None:
        """Another run has made its key, and names it, after this one has looked."""
        theirs.append(api.create_key()["KeyMetadata"]["KeyId"])
        api.create_alias(AliasName=alias, TargetKeyId=theirs[0])

    monkeypatch.setattr(KmsKey, "_unnamed", meanwhile)
    made = account.run("kms_keys", kms_keys=[{"alias": alias}])

    assert made["resources"][alias]["key_id"] == theirs[0]
    (ours,) = key_ids(account) - before - set(theirs)
    states = [api.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] for key in (ours, theirs[0])]
    assert states == ["PendingDeletion", "Enabled"]


def test_check_mode_gives_an_arn_to_refer_to(account: Account) -> None:
    result = account.run("kms_keys", check=True, kms_keys=[{"alias": "alias/none"}])

    assert result["resources"]["alias/none"]["arn"].startswith("arn:aws:kms:eu-central-1:000000000000:key/")


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"alias": "gitops"}, "kms_keys[0].alias"),
        ({"alias": "alias/aws/s3"}, "kms_keys[0].alias"),
        ({"alias": "alias/x", "pending_window": 3}, "kms_keys[0].pending_window"),
    ],
)
def test_bad_input_is_refused_before_any_call(account: Account, item: dict[str, object], path: str) -> None:
    with pytest.raises(ModuleFailed) as failure:
        account.run("kms_keys", kms_keys=[item])

    assert path in failure.value.result["msg"]
    assert "api_calls" not in failure.value.result


def test_key_that_is_to_be_deleted_is_refused(account: Account) -> None:
    alias = f"alias/{unique('doomed')}"
    made = account.run("kms_keys", kms_keys=[{"alias": alias}])["resources"][alias]
    account.root("kms").schedule_key_deletion(KeyId=made["key_id"], PendingWindowInDays=7)

    with pytest.raises(ModuleFailed) as failure:
        account.run("kms_keys", kms_keys=[{"alias": alias}])

    assert "scheduled it for deletion" in failure.value.result["msg"]
    assert failure.value.result["mutations"] == []
    account.run("kms_keys", kms_keys=[{"alias": alias}], state="absent")


def test_what_others_made_is_left_alone(account: Account) -> None:
    alias, owner = f"alias/{unique('owned')}", {"gitops:estate": "ours"}
    account.run("kms_keys", kms_keys=[{"alias": alias, "description": "theirs"}])

    for state in ("present", "absent"):
        with pytest.raises(ModuleFailed) as failure:
            account.run("kms_keys", kms_keys=[{"alias": alias, "description": "ours"}], owner_tags=owner, state=state)
        assert "lacks the tag gitops:estate=ours" in failure.value.result["msg"]
        assert failure.value.result["mutations"] == []

    account.run("kms_keys", kms_keys=[{"alias": alias, "tags": owner}])
    assert account.run("kms_keys", kms_keys=[{"alias": alias, "description": "ours"}], owner_tags=owner)["changed"]
    assert account.run("kms_keys", kms_keys=[{"alias": alias}], owner_tags=owner, state="absent")["changed"]


def test_what_is_made_carries_its_owners_tags(account: Account) -> None:
    alias, owner = f"alias/{unique('owned')}", {"gitops:estate": "ours"}
    keys = [{"alias": alias, "tags": {"team": "platform"}}]

    made = account.run("kms_keys", kms_keys=keys, owner_tags=owner)["resources"][alias]
    found = account.client("kms").list_resource_tags(KeyId=made["key_id"])["Tags"]

    assert {tag["TagKey"]: tag["TagValue"] for tag in found} == {"team": "platform", **owner}
    assert not account.run("kms_keys", kms_keys=keys, owner_tags=owner)["changed"]
