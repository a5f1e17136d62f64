# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that write files about findings: only what differs, nothing in check mode, and their documentation."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.gitops.aws.plugins.module_utils._findings import generating
from ansible_collections.gitops.aws.plugins.modules import findings_report, terraform_import_blocks
from tests.integration.modules.harness import run_module
from tests.unit.plugins.module_utils.findings.results import REGION, result
from tests.unit.plugins.modules.test_single_documentation import documented, specified

MODULES = {"findings_report": findings_report, "terraform_import_blocks": terraform_import_blocks}
SEEN = result()
WEB = "arn:aws:ec2:eu-central-1:111122223333:instance/i-0f1e2d3c4b5a69788"


pytestmark = pytest.mark.usefixtures("no_temporary_files_beside")


@pytest.mark.parametrize(("name", "module"), MODULES.items())
def test_documentation_is_true(name: str, module: ModuleType) -> None:
    assert documented(yaml.safe_load(module.DOCUMENTATION)["options"]) == specified(module.ARGUMENTS)
    tasks = [task[f"gitops.aws.{name}"] for task in yaml.safe_load(module.EXAMPLES) if f"gitops.aws.{name}" in task]
    assert tasks
    for task in tasks:
        arguments = {**task, "result": {}}  # a template in the example
        assert ArgumentSpecValidator(module.ARGUMENTS).validate(arguments).error_messages == []


def report(dest: Path, **arguments: Any) -> dict[str, Any]:
    return run_module("findings_report", {"result": SEEN, "dest": str(dest), **arguments})


def test_a_report_is_written_once(tmp_path: Path) -> None:
    dest = tmp_path / "a" / "reports"

    first, second = report(dest), report(dest)

    assert first["changed"] is True
    assert sorted(path.name for path in dest.iterdir()) == [
        f"findings.{end}" for end in ("html", "json", "md", "txt", "xml")
    ]
    assert {path.stat().st_mode & 0o777 for path in dest.iterdir()} == {0o640}
    assert (second["changed"], second["diff"]) == (False, [])
    assert first["text"] == second["text"] == (dest / "findings.txt").read_text()
    assert first["files"]["html"] == str(dest / "findings.html")
    assert first["findings"] == {
        "unmanaged": 38,
        "leaked_by_pipeline": 1,
        "foreign_terraform": 1,
        "changed": 1,
        "ghosts": 1,
    }


def test_what_a_report_returns_says_no_result_again(tmp_path: Path) -> None:
    returned = report(tmp_path)

    assert set(returned) - {"warnings", "deprecations"} == {
        *yaml.safe_load(findings_report.RETURN),
        "changed",
        "diff",
        "invocation",
    }
    assert set(returned["invocation"]["module_args"]) == {"dest", "name", "formats"}


def test_check_mode_writes_no_report_and_shows_what_differs(tmp_path: Path) -> None:
    dest = tmp_path / "reports"

    checked = report(dest, _ansible_check_mode=True, formats=["text"])

    assert checked["changed"] is True
    assert not dest.exists()
    [diff] = checked["diff"]
    assert (diff["before"], diff["after"]) == ("", checked["text"])


def test_the_mode_of_a_report_is_mended(tmp_path: Path) -> None:
    report(tmp_path, formats=["json"])
    (tmp_path / "findings.json").chmod(0o666)

    assert report(tmp_path, formats=["json"])["changed"] is True
    assert (tmp_path / "findings.json").stat().st_mode & 0o777 == 0o640


def test_without_a_directory_there_is_only_the_text() -> None:
    returned = run_module("findings_report", {"result": {**SEEN, "changed": False}})

    assert (returned["changed"], returned["files"]) == (False, {})
    assert returned["findings"].get("changed") is None
    assert returned["summary"] in returned["text"]


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_a_name_is_a_files(tmp_path: Path, name: str) -> None:
    assert f"name: {name!r} is not allowed" in report(tmp_path, name=name)["msg"]
    assert not list(tmp_path.iterdir())


def test_something_else_than_a_result_is_refused(tmp_path: Path) -> None:
    returned = report(tmp_path, result={"resources": [{"arn": "a"}]})

    assert returned["failed"]
    assert "it is not what gitops.aws.unmanaged_resources_info returns" in returned["msg"]


def adopt(dest: Path, *arns: str, **arguments: Any) -> dict[str, Any]:
    given = {"result": SEEN, "arns": list(arns or [WEB]), "dest": str(dest), "region": REGION, **arguments}
    return run_module("terraform_import_blocks", given)


def test_blocks_are_written_once_and_others_added(tmp_path: Path) -> None:
    first, second = adopt(tmp_path), adopt(tmp_path)
    more = adopt(tmp_path, "arn:aws:iam::111122223333:role/experiment")

    assert first["imports"] == str(tmp_path / "imports_2026-11-26.tf")
    assert first["blocks"] == [{"address": "aws_instance.web_test", "id": "i-0f1e2d3c4b5a69788"}]
    assert [first["changed"], second["changed"], more["changed"]] == [True, False, True]
    assert [block["address"] for block in more["blocks"]] == ["aws_iam_role.experiment", "aws_instance.web_test"]
    assert (tmp_path / "imports_2026-11-26.tf").stat().st_mode & 0o777 == 0o644
    assert set(first) - {"warnings", "deprecations"} == {
        *yaml.safe_load(terraform_import_blocks.RETURN),
        "changed",
        "diff",
        "invocation",
    }


def test_check_mode_writes_no_blocks(tmp_path: Path) -> None:
    checked = adopt(tmp_path, _ansible_check_mode=True, generate=True, terraform="/nowhere")

    assert checked["changed"] is True
    assert "to = aws_instance.web_test" in checked["diff"][1]["after"]
    assert not list(tmp_path.iterdir())


def test_what_another_file_imports_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "mine.tf").write_text('import {\n  to = aws_instance.mine\n  id = "i-0f1e2d3c4b5a69788"\n}\n')

    returned = adopt(tmp_path)

    assert (returned["changed"], returned["blocks"], returned["present"]) == (False, [], ["aws_instance.mine"])


def test_an_edited_file_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "imports_x.tf").write_text("# mine\n")

    assert "somebody has written or edited it" in adopt(tmp_path, name="x")["msg"]
    assert (tmp_path / "imports_x.tf").read_text() == "# mine\n"


def test_configuration_is_not_overwritten_and_not_made_twice(tmp_path: Path) -> None:
    generated = tmp_path / "generated_x.tf"
    generated.write_text("# mine\n")

    refused = adopt(tmp_path, name="x", generate=True, terraform="/nowhere")
    assert "it is there, without aws_instance.web_test" in refused["msg"]
    assert not (tmp_path / "imports_x.tf").exists()

    generated.unlink()
    adopt(tmp_path, name="x")
    (tmp_path / "main.tf").write_text('resource "aws_instance" "web_test" {}\n')
    returned = adopt(tmp_path, name="x", generate=True, terraform="/nowhere")
    assert (returned["changed"], returned["generated"]) == (False, "")


def test_nothing_is_written_where_terraform_cannot_be_run(tmp_path: Path) -> None:
    failing = tmp_path / "terraform"
    failing.write_text("#!/bin/sh\necho 'no provider' >&2\nexit 1\n")
    failing.chmod(0o755)
    dest = tmp_path / "code"
    dest.mkdir()

    returned = adopt(dest, generate=True, terraform=str(failing))

    assert returned["failed"]
    assert returned["msg"].endswith("cannot write the configuration: no provider")
    assert not list(dest.iterdir())


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": "../x"}, "name: '../x' is not allowed"),
        ({"dest": "/nowhere"}, "No such file or directory"),
        ({"arns": ["arn:x"]}, "arn:x: the scan has not found it"),
        ({"region": "us-east-1"}, "it is in eu-central-1, and the code is for us-east-1"),
        ({"region": None, "generate": True}, "region: it is required with generate, and missing"),
        (
            {"result": {"time": "2026-11-26", "resources": [{}]}},
            "is not what gitops.aws.unmanaged_resources_info returns",
        ),
    ],
)
def test_wrong_input_is_refused(tmp_path: Path, wrong: dict[str, Any], says: str) -> None:
    returned = run_module(
        "terraform_import_blocks", {"result": SEEN, "arns": [WEB], "dest": str(tmp_path), "region": REGION, **wrong}
    )

    assert returned["failed"]
    assert says in returned["msg"]
    assert not list(tmp_path.iterdir())


def test_lines_that_are_complained_about_go_if_they_say_nothing() -> None:
    configuration = (
        'resource "aws_instance" "a" {\n'
        "  count_of_a = 0\n"
        "  list_of_b  = []\n"
        '  ami        = "ami-1"\n'
        "  block = [{\n"
        "    needed = 0\n"
        "  }]\n"
        "  other = null\n"
        "}\n"
    )
    complaint = "\n".join(f"  on generated.tf line {number}, in resource" for number in (2, 3, 4, 6))

    assert generating.without_complaints(configuration, complaint) == (
        'resource "aws_instance" "a" {\n  ami        = "ami-1"\n  block = [{\n    needed = 0\n  }]\n  other = null\n}\n'
    )
    assert generating.without_complaints(configuration, "on main.tf line 2") == configuration


def test_what_is_unset_is_left_out_and_secrets_are_seen() -> None:
    assert generating.UNSET.sub("", "  a = null\n  b = null # sensitive\n    c = null\n  d = 1\n") == (
        "  b = null # sensitive\n    c = null\n  d = 1\n"
    )


def test_a_result_may_come_as_it_is_written(tmp_path: Path) -> None:
    report(tmp_path, formats=["json"])
    again = json.loads((tmp_path / "findings.json").read_text())

    assert report(tmp_path, result=again, formats=["json"])["changed"] is False
