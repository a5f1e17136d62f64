# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A baseline is added to the reviewed file; what is there stays as it is written."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.gitops.aws.plugins.module_utils._findings.reviewed_file import (
    HEAD,
    reviewed_entries,
    with_baseline,
)
from tests.unit.plugins.module_utils.findings.results import resource

ROOT = Path(__file__).resolve().parents[5]
FOUND = {
    "resources": [
        resource("aws_instance", "i-1"),
        resource("aws_s3_bucket", "b: #1"),
        resource("aws_vpc", "x", "ignored"),
    ]
}
SAID = ("platform team", "there before the pipeline", "2027-05-31")
KEPT = """\
# Ours.
entries:
{indent}# The auditors'.
{indent}- match: {{arn: "arn:aws:s3:::audit-*"}}   # all of them
{indent}  kind: protect
{indent}  owner: alice
{indent}  reason: auditors
{indent}  expires: 2027-01-31
"""


def entries(text: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(text)["entries"]
    return found


def ids(text: str) -> list[str]:
    return [str(entry["match"]["arn"]).rsplit("/", 1)[-1] for entry in entries(text)]


def test_a_new_file() -> None:
    text = with_baseline("", FOUND, *SAID)

    assert text.startswith(HEAD + "  - match:\n      arn: arn:aws:ec2:eu-central-1:111122223333:instance/i-1\n")
    assert ids(text) == ["i-1", "b: #1"]
    assert entries(text)[0] == {
        "match": {"arn": "arn:aws:ec2:eu-central-1:111122223333:instance/i-1", "type": "aws_instance"},
        "kind": "baseline",
        "owner": "platform team",
        "reason": "there before the pipeline",
        "expires": "2027-05-31",
    }


@pytest.mark.parametrize("indent", ["", "  ", "    "])
def test_what_is_there_stays_as_it_is_written(indent: str) -> None:
    kept = KEPT.format(indent=indent)

    text = with_baseline(kept, FOUND, *SAID)

    assert text.startswith(kept + f"{indent}- match:\n")
    assert len(entries(text)) == 3
    assert with_baseline(kept.rstrip("\n"), FOUND, *SAID) == text


@pytest.mark.parametrize(
    "empty", ["entries:\n", "# c\nentries: []\n", "---\nentries: null\n", "# only a comment\n", "---\n"]
)
def test_a_file_without_entries(empty: str) -> None:
    assert ids(with_baseline(empty, FOUND, *SAID)) == ["i-1", "b: #1"]


def test_json_stays_json() -> None:
    there = json.dumps({"entries": entries(with_baseline("", FOUND, *SAID))[:1]})

    text = with_baseline(there, FOUND, *SAID)

    assert [entry["kind"] for entry in json.loads(text)["entries"]] == ["baseline", "baseline"]


def test_what_is_accepted_already_is_not_added_again() -> None:
    once = with_baseline(KEPT.format(indent="  "), FOUND, *SAID)

    assert with_baseline(once, FOUND, *SAID) == once
    assert with_baseline("# nothing\n", {"resources": []}, *SAID) == "# nothing\n"


@pytest.mark.parametrize(
    ("text", "said", "why"),
    [
        ("entries: [", SAID, "is not YAML"),
        ("entires: []", SAID, "did you mean entries"),
        ("entries: [{kind: x}]", SAID, r"entries\[0\]\.kind"),
        ("", ("", "r", "2027-05-31"), "baseline: owner: "),
        ("", ("o", "r", "tomorrow"), "baseline: expires: 'tomorrow' is not allowed"),
        # Something comes after the list, so that a baseline cannot simply be put at the end.
        (
            'entries: [{match: {name: a}, kind: ignore, owner: o, reason: r, expires: "2027-01-01"}]',
            SAID,
            "not YAML|last",
        ),
    ],
)
def test_what_is_wrong_is_said(text: str, said: tuple[str, str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        with_baseline(text, FOUND, *said)


def test_the_entries_of_a_file() -> None:
    assert reviewed_entries("") == []
    assert [entry["owner"] for entry in reviewed_entries(KEPT.format(indent="  "))] == ["alice"]
    with pytest.raises(
        ValueError, match=r"entries\[0\].match.type: 'aws_instnace' is no type .* Did you mean aws_instance"
    ):
        reviewed_entries(
            "entries: [{match: {type: aws_instnace}, kind: protect, owner: o, reason: r, expires: 2027-01-01}]"
        )


def test_a_day_without_quotes_is_a_text() -> None:
    page = (ROOT / "docs" / "drift.md").read_text(encoding="utf-8")
    (documented,) = re.findall(r"```yaml\n(entries:.*?)```", page, re.DOTALL)
    (entry,) = reviewed_entries(documented)

    assert entry["expires"] == "2027-05-31"
    assert json.loads(json.dumps(entry)) == entry
    assert reviewed_entries(json.dumps({"entries": [entry]})) == [entry]


def test_texts_may_be_ansibles() -> None:
    class Tagged(str):
        __slots__ = ()

    assert with_baseline("", FOUND, *(Tagged(each) for each in SAID)) == with_baseline("", FOUND, *SAID)
