# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Roles and playbooks in somebody else's estate: no variable without a prefix of ours, no name that others may mean.

A fact of the user's comes before variables of roles, plays and tasks: one that is called like one of ours changes what
we do. And what we register or set is there in plays that come after ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ansible.plugins.filter import core as filters
from ansible.plugins.filter import mathstuff as more_filters
from ansible.plugins.test import core as tests
from ansible.plugins.test import files as more_tests
from jinja2 import Environment, meta, nodes

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
BUILTIN = "ansible.builtin."
OURS = "gitops.aws."

# What the variables of playbooks begin with, beside the names of roles: those of playbooks, and what several share.
SHARED = ("check_stacks_", "checked_estate", "estate_foundation", "look_", "run_", "scan_")

# What Ansible itself has.
OF_ANSIBLE = {
    *("ansible_check_mode", "ansible_failed_result", "ansible_playbook_python"),
    *("inventory_hostname", "item", "omit", "role_path"),
}
LOOKUPS = {"lookup", "query", "q"}

# Keywords of Ansible that hold expressions without braces.
EXPRESSIONS = ("when", "that", "failed_when", "changed_when", "until")
KEYWORDS = {
    "any_errors_fatal", "become", "changed_when", "check_mode", "diff", "environment", "failed_when", "loop",
    "loop_control", "module_defaults", "name", "notify", "register", "tags", "until", "vars", "when",
}  # fmt: skip


def yaml_files(folder: str) -> list[Path]:
    """The YAML files of a folder that hold plays, tasks or variables."""
    found = (ROOT / folder).rglob("*.yml")
    return sorted(path for path in found if path.parent.name != "meta" and path.name != "example.yml")


FILES = [*yaml_files("roles"), *yaml_files("playbooks")]
TASKS = [path for path in FILES if path.parent.name not in ("defaults", "vars")]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def prefixes(path: Path) -> tuple[str, ...]:
    """What the names of variables in a file may begin with."""
    parts = path.relative_to(ROOT).parts
    if parts[0] == "roles":
        return (f"{parts[1]}_",)
    playbooks = [each.stem.split("_")[0] for each in (ROOT / "playbooks").glob("*.yml")]
    return (*(f"{name}_" for name in (*ROLES, *playbooks)), *SHARED)


def tasks(content: Any) -> Iterator[dict[str, Any]]:
    """All plays, blocks and tasks of a file."""
    for entry in content or []:
        yield entry
        for key in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            yield from tasks(entry.get(key))


def action(entry: dict[str, Any]) -> str:
    """The module of a task; '' of a block."""
    if "block" in entry:
        return ""
    (found,) = set(entry) - KEYWORDS
    return found


def own_names(path: Path) -> Iterator[str]:
    """All variables that a file makes."""
    if path not in TASKS:
        yield from load(path)
        return
    for entry in tasks(load(path)):
        yield from entry.get("vars", {})
        yield from [entry["register"]] if "register" in entry else []
        yield from entry.get("ansible.builtin.set_fact", {})
        control = entry.get("loop_control", {})
        yield from [control[key] for key in ("loop_var", "index_var") if key in control]


def texts(value: Any, key: str = "") -> Iterator[str]:
    """All templates in a value; expressions are put into braces."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from texts(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each, key)
    elif isinstance(value, str):
        yield "{{ " + value + " }}" if key in EXPRESSIONS else value


def parsed(path: Path) -> Iterator[nodes.Template]:
    for text in texts(load(path)):
        yield Environment(autoescape=True).parse(text.replace("\\", "\\\\"))


def read_by(template: nodes.Template) -> set[str]:
    """The variables that a template reads."""
    jinja = template.environment
    assert jinja is not None
    for kind, known in ((nodes.Filter, jinja.filters), (nodes.Test, jinja.tests)):
        for node in template.find_all(kind):
            known.setdefault(node.name, repr)
    return meta.find_undeclared_variables(template)


def plugins(path: Path) -> Iterator[str]:
    """The filters, tests and lookups that a file names, and that are not Jinja's or Ansible's own."""
    jinja = Environment(autoescape=True)
    own_filters = {*jinja.filters, *filters.FilterModule().filters(), *more_filters.FilterModule().filters()}
    own_tests = {*jinja.tests, *tests.TestModule().tests(), *more_tests.TestModule().tests()}
    for template in parsed(path):
        yield from {node.name for node in template.find_all(nodes.Filter)} - own_filters
        yield from {node.name for node in template.find_all(nodes.Test)} - own_tests
        for node in template.find_all(nodes.Call):
            if (
                isinstance(node.node, nodes.Name)
                and node.node.name in LOOKUPS
                and isinstance(node.args[0], nodes.Const)
            ):
                yield node.args[0].value


def test_every_variable_begins_with_a_prefix_of_ours() -> None:
    found = [(named(path), name) for path in FILES for name in own_names(path) if not name.startswith(prefixes(path))]

    assert found == []


def test_no_role_loops_over_the_item_of_who_includes_it() -> None:
    roles = [path for path in TASKS if path.is_relative_to(ROOT / "roles")]

    assert [(named(path), entry["name"]) for path in roles for entry in tasks(load(path)) if "loop" in entry] == []


def test_every_module_has_its_whole_name() -> None:
    found = {action(entry) for path in TASKS for entry in tasks(load(path)) if "hosts" not in entry}

    assert {name for name in found if name and not name.startswith((BUILTIN, OURS))} == set()


def test_every_plugin_that_is_not_ansible_s_has_its_whole_name_and_is_there() -> None:
    found = {name for path in FILES for name in plugins(path)}
    ours = {name.removeprefix(OURS) for name in found if name.startswith(OURS)}

    assert {name for name in found if not name.startswith((BUILTIN, OURS))} == set()
    assert ours - {path.stem for path in (ROOT / "plugins").glob("*/*.*")} == set()


def foreign(path: Path) -> set[str]:
    """The variables that a file reads, and that do not begin with a prefix of ours."""
    found = {name for template in parsed(path) for name in read_by(template)}
    return {name for name in found if not name.startswith(prefixes(path))} - OF_ANSIBLE - LOOKUPS


def test_roles_read_no_variable_of_somebody_else_s() -> None:
    """But what another role has told, which begins with that role's name."""
    found = {name for path in FILES if path.is_relative_to(ROOT / "roles") for name in foreign(path)}

    assert found == set()


def test_the_how_to_names_every_variable_that_playbooks_take_by_a_name_without_a_prefix() -> None:
    text = (ROOT / "docs/how-to/your-estate.md").read_text(encoding="utf-8")
    section = text[text.index("\n## Names\n") :].split("\n## ")[1]
    listed = set(re.findall(r"`([a-z_]+)`", section[section.index("\n| playbook") :]))
    found = {name for path in yaml_files("playbooks") for name in foreign(path)}

    assert {name for name in found if not name.startswith("gitops_")} == listed - {
        path.stem for path in (ROOT / "playbooks").glob("*.yml")
    }
