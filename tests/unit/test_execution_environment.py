# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment holds this version of the collection, and AWX's objects fit one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


class Loader(yaml.SafeLoader):
    """YAML with Ansible's !unsafe, whose text is not templated."""


Loader.add_constructor("!unsafe", lambda _loader, node: str(node.value))


def read(path: str) -> Any:
    return yaml.load((ROOT / path).read_text(encoding="utf-8"), Loader)


def test_it_holds_this_version_and_what_it_depends_on() -> None:
    galaxy, environment = read("galaxy.yml"), read("execution-environment.yml")
    artifact = f"{galaxy['namespace']}-{galaxy['name']}-{galaxy['version']}.tar.gz"
    assert environment["version"] == 3
    assert environment["additional_build_files"] == [{"src": f"dist/{artifact}", "dest": "artifact"}]
    ours, *others = environment["dependencies"]["galaxy"]["collections"]
    assert ours == {"name": f"artifact/{artifact}", "type": "file"}
    assert {one["name"]: one["version"] for one in others} == galaxy["dependencies"]


def test_objects_of_awx_refer_to_what_is_there() -> None:
    objects = read("extensions/awx/objects.yml")
    names = {kind.removeprefix("controller_"): {one["name"] for one in made} for kind, made in objects.items()}
    assert {one["credential_type"] for one in objects["controller_credentials"]} <= names["credential_types"]
    for source in objects["controller_inventory_sources"]:
        assert source["inventory"] in names["inventories"]
        assert source["source_project"] in names["projects"]
    for template in objects["controller_templates"]:
        assert template["project"] in names["projects"]
        assert template["inventory"] in names["inventories"]
        assert template["execution_environment"] in names["execution_environments"]
        assert set(template["credentials"]) <= names["credentials"]
    assert {one["unified_job_template"] for one in objects["controller_schedules"]} <= names["templates"]


def test_each_account_has_its_profile() -> None:
    inventory, objects = read("extensions/awx/accounts.yml"), read("extensions/awx/objects.yml")
    hosts = inventory["all"]["children"]["accounts"]["hosts"]
    config = objects["controller_credentials"][0]["inputs"]["config"]
    assert sorted(f"[profile {host}]" for host in hosts) == sorted(
        line for line in config.splitlines() if line.startswith("[")
    )
    # Keys in the environment would win over the profile.
    [kind] = objects["controller_credential_types"]
    assert set(kind["injectors"]["env"]) == {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"}
