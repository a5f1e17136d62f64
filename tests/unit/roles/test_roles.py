# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a role says of itself is the same everywhere: argument specs, defaults, README, and the estate's settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Template

from ansible_collections.gitops.aws.plugins.module_utils._estate import drift_settings, spec
from ansible_collections.gitops.aws.plugins.module_utils._notices import settings as notices

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())

# Settings of the estate by the option of a role that takes them.
SETTINGS = {
    "state_backend": {
        "state_backend_name": "name",
        "state_backend_region": "region",
        "state_backend_tags": "tags",
        "state_backend_state_bucket": "state_bucket",
        "state_backend_create_state_bucket": "create_state_bucket",
        "state_backend_artifact_bucket": "artifact_bucket",
        "state_backend_create_artifact_bucket": "create_artifact_bucket",
        "state_backend_lock_table": "lock_table",
        "state_backend_create_lock_table": "create_lock_table",
        "state_backend_locking": "locking",
        "state_backend_kms_key_arn": "kms_key_arn",
        "state_backend_log_retention_in_days": "log_retention_in_days",
        "state_backend_policy_statements": "state_bucket_policy_statements",
        "state_backend_sealed": "sealed",
        "state_backend_installers": "installers",
        "state_backend_state_readers": "state_readers",
        "state_backend_break_glass_role": "break_glass_role",
        "state_backend_break_glass_principals": "break_glass_principals",
        "state_backend_permissions_boundary": "permissions_boundary",
        "state_backend_connection_arn": "connection_arn",
        "state_backend_drift": "drift",
        "state_backend_notifications": "notifications",
    },
    "notifications": {"notifications_region": "region", "notifications_alarm_emails": "alarm_emails"},
    "iam": {"iam_region": "region", "iam_alarm_emails": "alarm_emails"},
    "pipeline": {
        "pipeline_region": "region",
        "pipeline_connection": "connection",
        "pipeline_connection_provider": "connection_provider",
        "pipeline_connection_arn": "connection_arn",
        "pipeline_connection_tags": "tags",
    },
}


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def readme(role: str) -> str:
    return (ROOT / "roles" / role / "README.md").read_text(encoding="utf-8")


def options(role: str) -> dict[str, Any]:
    """The options of all entry points, in their order; where two have the same, it is the same."""
    found: dict[str, Any] = {}
    for entry in load(f"roles/{role}/meta/argument_specs.yml")["argument_specs"].values():
        for name, option in entry["options"].items():
            known = {key: value for key, value in found.get(name, option).items() if key != "description"}
            assert known == {key: value for key, value in option.items() if key != "description"}
            found.setdefault(name, option)
    return found


def rows(text: str) -> list[list[str]]:
    """The cells of all rows of all tables, without the heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    heads = [index - 1 for index, row in enumerate(cells) if all(set(cell) <= set("-:") for cell in row)]
    return [row for index, row in enumerate(cells) if index not in heads and index - 1 not in heads]


@pytest.fixture(params=ROLES)
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_options_begin_with_the_role_s_name(role: str) -> None:
    assert all(name.startswith(f"{role}_") for name in options(role))


def test_every_option_is_required_or_has_a_default(role: str) -> None:
    required = {name for name, option in options(role).items() if option.get("required")}

    assert set(load(f"roles/{role}/defaults/main.yml")) == set(options(role)) - required


def test_defaults_are_those_of_the_specs(role: str) -> None:
    for name, value in load(f"roles/{role}/defaults/main.yml").items():
        if "default" in options(role)[name]:
            assert value == options(role)[name]["default"], name
        else:  # made of something, so that the spec cannot say it
            assert isinstance(value, str), name
            assert "{{" in value, name


def test_the_readme_lists_every_option_in_order(role: str) -> None:
    listed = [row[0] for row in rows(readme(role))]

    assert listed == [f"`{name}`" for name in options(role)]


def test_the_readme_tells_every_default(role: str) -> None:
    shown = {row[0].strip("`"): row[1] for row in rows(readme(role))}

    for name, option in options(role).items():
        if option.get("required"):
            assert shown[name] == "(required)"
        elif "default" not in option:
            assert shown[name]
            assert not shown[name].startswith("`")
        elif option["default"] == "":
            assert shown[name] == ""
        else:
            assert yaml.safe_load(shown[name].strip("`")) == option["default"], name


def test_the_readme_names_every_choice(role: str) -> None:
    told = {row[0].strip("`"): " ".join(row[1:]) for row in rows(readme(role))}

    for name, option in options(role).items():
        assert [choice for choice in option.get("choices", []) if choice not in told[name]] == []


def test_the_readme_s_example_uses_the_role_with_options_that_exist(role: str) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", readme(role), re.DOTALL)
    (play,) = yaml.safe_load(example)

    uses = [
        (task["ansible.builtin.include_role"]["name"], task.get("vars", {}))
        for task in play["tasks"]
        if "ansible.builtin.include_role" in task
    ]
    assert f"gitops.aws.{role}" in [name for name, _variables in uses]
    for name, variables in uses:
        assert set(variables) <= set(options(name.removeprefix("gitops.aws.")))


def test_the_readme_s_example_gives_settings_that_are_right(role: str) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", readme(role), re.DOTALL)
    (play,) = yaml.safe_load(example)

    for task in play["tasks"]:
        if "gitops.aws.estate" in task:
            variables = {**play.get("vars", {}), **task.get("vars", {})}
            given = yaml.safe_load(Template(yaml.safe_dump(task["gitops.aws.estate"])).render(variables))
            assert spec.check(given["settings"], given["stacks"], ["eu-central-1"])[2] == []


def test_links_of_the_readme_lead_somewhere(role: str) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", readme(role)):
        assert (ROOT / "roles" / role / link).exists(), link


def test_the_readme_names_statements_that_the_installer_s_policy_has(role: str) -> None:
    needs = readme(role).split("## Needs")[1]
    source = (ROOT / "plugins/module_utils/_estate/installer.py").read_text(encoding="utf-8")

    named = re.findall(r"`([A-Z][A-Za-z]+)`", needs)
    assert named
    assert [name for name in named if f'"{name}"' not in source] == []


# The estate


@pytest.mark.parametrize(
    ("role", "option", "setting"), [(r, o, s) for r, pairs in SETTINGS.items() for o, s in pairs.items()]
)
def test_a_setting_that_a_role_repeats_is_the_same(role: str, option: str, setting: str) -> None:
    of_role, of_estate = options(role)[option], spec.SETTINGS[setting]

    assert of_role["type"] == of_estate["type"]
    assert of_role.get("elements") == of_estate.get("elements")
    if setting != "log_retention_in_days":  # the role leaves the numbers to the module
        assert of_role.get("choices") == of_estate.get("choices")
    if setting == "sealed":  # needs installers and break-glass role, which a role alone does not have
        assert (of_role["default"], of_estate["default"]) == (False, True)
    elif not of_estate.get("required"):
        assert of_role["default"] == of_estate.get("default", {} if setting in ("drift", "notifications") else "")


def test_every_setting_reaches_a_role() -> None:
    taken = {setting for pairs in SETTINGS.values() for setting in pairs.values()}

    # The authors go to the role pipeline within the foundation.
    assert set(spec.SETTINGS) == taken | {"authors"}


def test_the_playbooks_hand_every_setting_over() -> None:
    given = load("playbooks/vars/roles.yml")

    for pairs in SETTINGS.values():
        for option, setting in pairs.items():
            assert f"checked_estate.settings.{setting}" in given[option], option


def test_the_playbooks_give_no_option_that_does_not_exist() -> None:
    known = {name for role in ROLES for name in options(role)}

    assert set(load("playbooks/vars/roles.yml")) - known == {"estate_foundation"}


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("`gitops_settings`", spec.SETTINGS),
        ("`gitops_settings.drift`", drift_settings.DRIFT),
        ("`gitops_settings.notifications`", notices.NOTIFICATIONS),
        ("`gitops_stacks`", spec.STACK),
    ],
)
def test_the_readme_of_the_collection_lists_every_key_with_its_default(title: str, expected: dict[str, Any]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text[text.index(f"\n{title}, ") :].split("\n`gitops_")[1]

    listed: dict[str, str] = {}
    for keys, default, _meaning in rows(section):
        names = re.findall(r"`(\w+)`", keys)
        defaults = default.split("`, `") if len(names) > 1 else [default]
        listed |= dict(zip(names, defaults * len(names) if len(defaults) == 1 else defaults, strict=True))
    assert set(listed) == set(expected)
    for name, option in expected.items():
        if option.get("required"):
            assert listed[name] == "(required)"
        elif "default" in option:
            assert yaml.safe_load(listed[name].strip("`")) == option["default"], name


def test_the_example_that_the_playbooks_bring_is_right() -> None:
    example = load("playbooks/example.yml")

    _settings, stacks, problems = spec.check(example["gitops_settings"], example["gitops_stacks"], ["eu-central-1"])
    assert problems == []
    assert stacks
    assert spec.misspelt(list(example)) == []
