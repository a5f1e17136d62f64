# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log groups."""

from __future__ import annotations

from tests.integration.modules.harness import Account, World, unique


def test_name_that_begins_another_name_is_not_taken_for_it(account: Account) -> None:
    long, short = f"/modules/{unique('group')}-long", "/modules/group"
    account.run("log_groups", log_groups=[{"name": long, "retention_in_days": 7}])

    result = account.run("log_groups", log_groups=[{"name": long[:-5]}], check=True)

    assert result["resources"][long[:-5]]["action"] == "created"
    assert account.run("log_groups", log_groups=[{"name": short}], check=True)["changed"]


def test_key_can_be_changed_and_removed(account: Account, world: World) -> None:
    name = f"/modules/{unique('group')}"
    account.run("log_groups", log_groups=[{"name": name, "kms_key_id": world.key}])

    for key in (world.another_key, ""):
        assert account.run("log_groups", log_groups=[{"name": name, "kms_key_id": key}])["changed"]
        assert not account.run("log_groups", log_groups=[{"name": name, "kms_key_id": key}])["changed"]
