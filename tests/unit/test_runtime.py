# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's metadata agrees with what is in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def test_the_action_group_names_every_module_that_calls_aws() -> None:
    modules = (ROOT / "plugins" / "modules").glob("*.py")
    # A module without these options would fail on the defaults of the group.
    of_aws = sorted(path.stem for path in modules if "- amazon.aws.region.modules" in path.read_text())

    assert load("meta/runtime.yml")["action_groups"]["aws"] == of_aws


def test_one_floor_for_the_collection_we_build_on() -> None:
    galaxy = load("galaxy.yml")["dependencies"]
    requirements = load("requirements.yml")["collections"]

    assert galaxy == {entry["name"]: entry["version"] for entry in requirements}
