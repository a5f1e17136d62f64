# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/module-comparison.md: up to date, of tests that there are, and with tables that are true to the modules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import compare_modules
import git_files
import pytest
from ansible.module_utils.common.dict_transformations import snake_dict_to_camel_dict
from botocore import xform_name
from compare_modules import (
    CHECKED,
    DOCUMENTED,
    NONE,
    THEIR_PROJECT,
    TYPED,
    UNTYPED,
    CannotCompare,
    comparisons,
    load,
    render,
    rows,
    table,
)
from module_behaviours import ALONE, BEHAVIOURS, BOTH, PAIRED, PIPELINES, PROJECTS


def names_in(file: str) -> set[str]:
    """The tests in a file of the repository, as pytest names them."""

    def found(body: list[ast.stmt], prefix: str) -> Iterator[str]:
        for node in body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{prefix}{node.name}"
            elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
                yield from found(node.body, f"{prefix}{node.name}::")

    path = git_files.ROOT / file
    return set(found(ast.parse(path.read_text(encoding="utf-8")).body, f"{file}::")) if path.is_file() else set()


NAMED = {
    *(test for line in BEHAVIOURS for test in line.tests),
    *(test for each in compare_modules.modules_alone() for _promise, tests in each.promises for test in tests),
}


def test_the_document_is_what_the_script_writes() -> None:
    written = compare_modules.DOCUMENT.read_text(encoding="utf-8")

    assert written == render(), "run: python scripts/compare_modules.py"


def test_named_tests_exist() -> None:
    existing = {test for file in {test.partition("::")[0] for test in NAMED} for test in names_in(file)}

    assert existing
    assert NAMED - existing == set()


def test_every_test_of_the_incumbents_is_named() -> None:
    assert names_in(PAIRED.removesuffix("::")) - NAMED == set()


def test_every_line_says_how_it_was_checked() -> None:
    assert {line.where for line in BEHAVIOURS} == {BOTH, PROJECTS, PIPELINES}
    for line in BEHAVIOURS:
        assert line.tests, line.what
        assert line.tests[0].startswith(PAIRED) or line.by_reading, line.what
    assert all(tests for each in ALONE for _promise, tests in each.promises)


@pytest.mark.parametrize("name", ["BEHAVIOURS", "ALONE"])
def test_an_empty_table_is_not_written(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(compare_modules, name, [])

    with pytest.raises(CannotCompare, match="would be empty"):
        render()


def test_a_table_without_lines_is_refused() -> None:
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"
    with pytest.raises(CannotCompare, match="the table of a, b would be empty"):
        table(["a", "b"], [])


def test_another_community_aws_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(compare_modules.DIGESTS, THEIR_PROJECT, "0" * 64)

    with pytest.raises(CannotCompare, match=r"community\.aws .* is installed.*tests/integration/incumbents"):
        render()


def test_the_releases_are_those_that_development_installs() -> None:
    pinned = (git_files.ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8")

    assert set(compare_modules.COMMUNITY_AWS.values()) == set(re.findall(r"^ansible==(\S+)", pinned, re.MULTILINE))


def test_no_other_collection_has_such_modules() -> None:
    ansible_collections = Path(load("community.aws.plugins.modules.codepipeline").__file__).parents[4]
    subject = re.compile(r"code_?(build|pipeline|connections|star)")

    found = [file.stem for file in ansible_collections.glob("*/*/plugins/modules/*.py") if subject.search(file.stem)]

    assert sorted(found) == ["codebuild_project", "codepipeline"]


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, tuple[str, str]]]:
    """By the title of the table and the path of the member: how ours and theirs reach it."""
    return {compared.title: {row.path: (row.ours, row.theirs) for row in rows(compared)} for compared in comparisons()}


@pytest.mark.parametrize(
    ("title", "path", "expected"),
    [
        ("A build project", "timeout_in_minutes", (TYPED, TYPED)),
        ("A build project", "concurrent_build_limit", (TYPED, NONE)),
        ("A build project", "tags", (TYPED, TYPED)),
        ("A build project", "environment", (TYPED, DOCUMENTED)),
        ("A build project", "environment.image", (TYPED, DOCUMENTED)),
        ("A build project", "environment.compute_configuration.v_cpu", (TYPED, UNTYPED)),
        ("A build project", "vpc_config.subnets", (TYPED, UNTYPED)),
        ("A build project", "environment.docker_server.status", (NONE, UNTYPED)),
        ("Its webhook", "filter_groups.exclude_matched_pattern", (TYPED, NONE)),
        ("Its webhook", "rotate_secret", (NONE, NONE)),
        ("Its visibility", "project_arn", (TYPED, NONE)),
        ("Its resource policy", "policy", (TYPED, NONE)),
        ("A pipeline", "version", (NONE, TYPED)),
        ("A pipeline", "tags", (TYPED, NONE)),
        ("A pipeline", "artifact_stores.*.encryption_key.id", (CHECKED, NONE)),
        ("A pipeline", "stages.actions", (TYPED, DOCUMENTED)),
        ("A pipeline", "stages.actions.configuration", (TYPED, UNTYPED)),
        ("A pipeline", "triggers.git_configuration.push.file_paths.excludes", (TYPED, NONE)),
    ],
)
def test_how_members_are_reached(
    found: dict[str, dict[str, tuple[str, str]]], title: str, path: str, expected: tuple[str, str]
) -> None:
    assert found[title][path] == expected


def test_every_member_that_is_no_option_of_ours_has_its_reason() -> None:
    for compared in comparisons():
        left_out = [row.path for row in rows(compared) if row.ours not in (TYPED, CHECKED)]

        assert all(path.startswith(tuple(compared.reasons)) for path in left_out), left_out
        assert all(reason in left_out for reason in compared.reasons), compared.title


def test_what_their_project_module_hands_on_arrives_under_aws_s_name() -> None:
    """It turns Ansible's spelling into AWS's without knowing AWS's names; the table may call a member reached."""
    compared = comparisons()[0]
    shapes = dict(compare_modules.members(shape_of("codebuild", "CreateProject")))
    names = {
        path: next(name for name in owner(shapes, path).members if xform_name(name) == path[-1])
        for path in shapes
        if len(path) > 1
    }

    for row in rows(compared):
        path = tuple(row.path.split("."))
        if row.theirs in (UNTYPED, DOCUMENTED) and len(path) > 1:
            assert snake_dict_to_camel_dict({path[-1]: ""}) == {names[path]: ""}


def shape_of(service: str, operation: str) -> Any:
    """botocore's shape of an operation's input."""
    return botocore.session.get_session().get_service_model(service).operation_model(operation).input_shape


def owner(shapes: dict[tuple[str, ...], Any], path: tuple[str, ...]) -> Any:
    """The structure that a member stands in."""
    shape = shapes[path[:-1]]
    while shape.type_name == "list":
        shape = shape.member
    return shape
