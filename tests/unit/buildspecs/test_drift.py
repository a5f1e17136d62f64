# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build says of drift: what has changed, nothing that is sensitive, and no plan that an apply has overtaken."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.buildspecs.conftest import PARTS, Shell

Report = Callable[..., dict[str, Any]]
ABOUT = {"version": 1, "stack": "network", "state_key": "network/terraform.tfstate"}


def drifted(address: str, before: Any, after: Any, *marks: Any, actions: str = "update", **more: Any) -> dict[str, Any]:
    """An element of resource_drift as `terraform show -json` has it; marks are those before and after."""
    kind, name = address.split(".")[-2:]
    sensitive = dict(zip(("before_sensitive", "after_sensitive"), marks or ({}, {}), strict=True))
    change = {"actions": actions.split(), "before": before, "after": after, "after_unknown": {}, **sensitive}
    provider = "registry.terraform.io/hashicorp/aws"
    return {
        "address": address,
        "mode": "managed",
        "type": kind,
        "name": name,
        "provider_name": provider,
        "change": change,
        **more,
    }


def evaluate(folder: Path, plan: dict[str, Any]) -> list[Any]:
    """The report, the count, the summary and the effects of a plan."""
    (folder / "main.tf").write_text((PARTS / "drift_facts.tf").read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "plan.json").write_text(json.dumps(plan), encoding="utf-8")
    (folder / "about.json").write_text(json.dumps(ABOUT), encoding="utf-8")
    done = subprocess.run(
        ["terraform", "console"],
        input="jsonencode([local.report, local.count, local.summary, local.effects])\n",
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report, *words = json.loads(json.loads(done.stdout.splitlines()[-1]))
    return [json.loads(report), *words]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """The report of a plan with these elements."""

    def of(*elements: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = evaluate(tmp_path, {"terraform_version": "1.11.4", "resource_drift": list(elements)})[0]
        return found

    return of


def attributes(report: dict[str, Any]) -> dict[str, Any]:
    """The attributes of the only resource: (before, after) by name, or `hidden`."""
    (resource,) = report["drift"]
    return {
        each["name"]: "hidden" if each["sensitive"] else (each["before"], each["after"])
        for each in resource["attributes"]
    }


def test_what_differs_is_named_with_its_values(report: Report) -> None:
    found = report(
        drifted(
            "module.a.aws_vpc.this",
            {"id": "vpc-1", "tags": {"a": "1"}, "same": [1], "gone": 1, "count": 1},
            {"id": "vpc-1", "tags": {"a": "2", "b": "<&>"}, "same": [1], "new": None, "count": 12345678901234567890},
            module_address="module.a",
        )
    )

    assert {name: found[name] for name in ABOUT} == ABOUT
    assert found["terraform_version"] == "1.11.4"
    (resource,) = found["drift"]
    assert {name: value for name, value in resource.items() if name != "attributes"} == {
        "address": "module.a.aws_vpc.this",
        "type": "aws_vpc",
        "name": "this",
        "module_address": "module.a",
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "deposed": "",
        "actions": ["update"],
        "id": "vpc-1",
    }
    assert attributes(found) == {
        "tags": ({"a": "1"}, {"a": "2", "b": "<&>"}),
        "gone": (1, None),
        "count": (1, 12345678901234567890),
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"password": True}, {}),
        ({}, {"password": True}),
        (True, {}),
        (False, True),
        ({"password": [{"deep": {"er": True}}]}, {"password": [{}]}),
    ],
)
def test_what_is_sensitive_has_a_name_and_no_value(report: Report, before: Any, after: Any) -> None:
    marks = ({**before, "kept": {}}, after) if isinstance(before, dict) else (before, after)
    found = report(drifted("aws_db.x", {"password": "hunter1", "id": "i"}, {"password": "hunter2", "id": "i"}, *marks))

    assert attributes(found) == {"password": "hidden"}
    assert "hunter" not in json.dumps(found)
    (resource,) = found["drift"]
    assert resource["attributes"][0].keys() == {"name", "sensitive"}
    assert resource["id"] == ("i" if isinstance(before, dict) else "")


def test_values_of_any_kind_stay_what_they_are(report: Report) -> None:
    before = {"a": 1, "b": "1", "c": [{"x": 1}, {"y": [True]}], "d": {"k": 1, "l": "m"}, "e": False, "f": [1, "1"]}
    after = {"a": "1", "b": {"z": None}, "c": [], "d": [1, {"k": None}], "e": "false", "f": [1, 1]}

    assert attributes(report(drifted("aws_db.x", before, after))) == {
        name: (before[name], after[name]) for name in before
    }


def test_an_attribute_beside_a_sensitive_one_is_shown(report: Report) -> None:
    found = report(
        drifted(
            "aws_db.x", {"password": "hunter1", "size": 1}, {"password": "hunter2", "size": 2}, {"password": True}, {}
        )
    )

    assert attributes(found) == {"password": "hidden", "size": (1, 2)}


def test_what_is_gone_is_named_by_its_id_only(report: Report) -> None:
    (resource,) = report(drifted("aws_subnet.x", {"id": "subnet-1", "cidr": "a"}, None, {}, False, actions="delete"))[
        "drift"
    ]

    assert (resource["actions"], resource["id"], resource["attributes"]) == (["delete"], "subnet-1", [])


def test_nothing_made_of_nothing_and_what_was_only_moved_is_no_drift(report: Report) -> None:
    found = report(
        drifted("aws_vpc.a", {"text": "", "list": [], "map": None}, {"text": None, "list": None, "map": {}}),
        drifted("aws_vpc.b", {"text": "x"}, {"text": "x"}, actions="no-op", previous_address="aws_vpc.c"),
        drifted("aws_vpc.d", {"zero": 0, "false": False}, {"zero": None, "false": None}),
    )

    assert attributes(found) == {"zero": (0, None), "false": (False, None)}
    assert found["drift"][0]["address"] == "aws_vpc.d"


@pytest.mark.parametrize("plan", [{}, {"resource_drift": []}, {"output_changes": {"a": {"actions": ["update"]}}}])
def test_without_drift(tmp_path: Path, plan: dict[str, Any]) -> None:
    found, *words = evaluate(tmp_path, plan)

    assert found["drift"] == []
    assert words == ["0", "no drift", ""]


def test_many_resources(tmp_path: Path) -> None:
    many = [
        drifted(f"aws_instance.a_rather_long_name_{i}", {"tags": {"n": str(i)}, "i": i}, {"tags": None, "i": -i})
        for i in range(1, 601)
    ]
    many += [drifted(f"aws_subnet.x{i}", {"id": f"s{i}"}, None, {}, False, actions="delete") for i in range(3)]

    found, count, summary, effects = evaluate(tmp_path, {"resource_drift": many})

    assert len(found["drift"]) == 603
    assert (count, summary) == ("603", "600 changed, 3 gone outside of Terraform")
    assert effects.endswith(", and 590 more. Gone: aws_subnet.x0, aws_subnet.x1, aws_subnet.x2.")
    assert len(effects) < 600


# The build

LOCAL = 'variable "word" {}\n\nresource "terraform_data" "this" {\n  input = var.word\n}\n'
QUIET = "applying() { false; }; state_facts() { echo same; }; source_git() { echo 1234; }; APPLIED=true; "
SHOW = 'printf "<%s|%s|%s>" "$DRIFT_COUNT" "$PLAN_SUMMARY" "$PLAN_EFFECTS"'
NAMES = {"STACK_NAME": "network", "STATE_KEY": "network/terraform.tfstate", "TF_VAR_word": "one"}


def state_of(tmp_path: Path) -> bytes | None:
    path = tmp_path / "source" / "terraform.tfstate"
    return path.read_bytes() if path.exists() else None


@pytest.mark.parametrize("applied", [False, True])
def test_a_build_without_drift(shell: Shell, tmp_path: Path, applied: bool) -> None:
    (tmp_path / "source" / "main.tf").write_text(LOCAL)
    if applied:
        assert shell('"$TERRAFORM" apply -auto-approve', **NAMES).returncode == 0
    before = state_of(tmp_path)

    done = shell(f"{QUIET} find_drift && {SHOW}", **NAMES)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "<0|no drift|>" in done.stdout
    found = json.loads((tmp_path / "saved" / "drift.json").read_text())
    assert found.pop("time").endswith("Z")
    assert found.pop("terraform_version")
    assert found == {
        "version": 1,
        "stack": "network",
        "state_key": "network/terraform.tfstate",
        "commit": "1234",
        "applied": True,
        "drift": [],
    }
    assert state_of(tmp_path) == before
    assert (tmp_path / "saved").exists()
    assert [path.name for path in (tmp_path / "saved").iterdir()] == ["drift.json"]
    assert not (tmp_path / "work" / "drift").exists()


def test_nothing_is_locked_and_the_exit_code_decides_nothing(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "source" / "main.tf").write_text(LOCAL)
    seen = 'seen() { printf "%s\\n" "$*" >> "$WORK/seen"; terraform "$@"; }; TERRAFORM=seen; '

    assert shell(f"{QUIET} {seen} find_drift", **NAMES).returncode == 0

    (plan,) = [line for line in (tmp_path / "work" / "seen").read_text().splitlines() if line.startswith("plan ")]
    assert {"-refresh-only", "-lock=false", "-input=false"} <= {*plan.split()}
    assert "-detailed-exitcode" not in plan


def test_a_plan_that_fails_is_a_failure(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "source" / "main.tf").write_text(LOCAL.replace("var.word", "var.unknown"))

    done = shell(f"{QUIET} find_drift", **NAMES)

    assert done.returncode != 0
    assert list((tmp_path / "saved").iterdir()) == []


def test_what_an_apply_has_overtaken_is_not_reported(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "source" / "main.tf").write_text(LOCAL)
    changing = 'state_facts() { echo x >> "$WORK/times"; cat "$WORK/times"; }; '

    done = shell(f"{QUIET} {changing} find_drift", **NAMES)

    assert done.returncode != 0
    assert "network was applied in the meantime" in done.stdout
    assert list((tmp_path / "saved").iterdir()) == []


def test_while_it_is_applied_nothing_is_compared(shell: Shell, tmp_path: Path) -> None:
    done = shell(f'{QUIET} applying() {{ true; }}; sleep() {{ echo slept >> "$WORK/slept"; }}; find_drift', **NAMES)

    assert done.returncode != 0
    assert "network is being applied: nothing is compared" in done.stdout
    assert (tmp_path / "work" / "slept").read_text().count("slept") == 24
    assert list((tmp_path / "saved").iterdir()) == []


# Which commit

EXECUTIONS = """
executions_of() { [ "$1" = gitops-network ] && mkdir -p "$WORK/after" && printf "$LIST" > "$WORK/after/list"; }
source_git() { git -C "$CODEBUILD_SRC_DIR" "$@"; }
"""


@pytest.mark.parametrize(
    ("executions", "applied"),
    [
        ("InProgress|NEW|\nFailed|NEW|\nSucceeded|OLD|\nSucceeded|NEW|\n", "OLD"),
        ("Stopped|NEW|Somebody\nStopped|OLD|No changes: what is there\n", "OLD"),
        ("Superseded|NEW|\nFailed|OLD|\n", ""),
        ("Succeeded|0123456789012345678901234567890123456789|\n", ""),
        ("Succeeded||\n", ""),
        ("", ""),
    ],
)
def test_the_commit_is_the_one_that_was_applied_last(
    shell: Shell, tmp_path: Path, executions: str, applied: str
) -> None:
    source = tmp_path / "source"

    def git(*arguments: str) -> str:
        run = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(source), *arguments]
        return subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    commits = {}
    for name in ("OLD", "NEW"):
        (source / "file").write_text(name)
        git("add", "file")
        git("commit", "--quiet", "-m", name)
        commits[name] = git("rev-parse", "HEAD")
    for name, commit in commits.items():
        executions = executions.replace(name, commit)

    done = shell(
        f'{EXECUTIONS} as_applied && echo "<$APPLIED>"',
        LIST=executions,
        CODEBUILD_INITIATOR="codepipeline/gitops-network-drift",
    )

    assert done.returncode == 0, done.stderr
    assert ("<true>" in done.stdout) is bool(applied)
    assert git("rev-parse", "HEAD") == commits[applied or "NEW"]
    assert commits[applied or "NEW"] in done.stdout


@pytest.mark.parametrize(("applied", "same"), [("version-2", "true"), ("version-1", "false"), ("", "false")])
def test_of_an_object_only_the_newest_version_is_at_hand(shell: Shell, applied: str, same: str) -> None:
    done = shell(
        'applied_commit() { printf %s "$LAST"; } && as_applied && echo "applied: $APPLIED"',
        LAST=applied,
        STACK_OBJECT="s3://acme-code/network.zip",
        SOURCE_VERSION="version-2",
    )

    assert done.stdout.splitlines()[-1] == f"applied: {same}"
    assert "Compares AWS with version version-2 of s3://acme-code/network.zip" in done.stdout
