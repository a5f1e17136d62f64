# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Import blocks: valid, with names that are unique and stay, and nothing that is somebody else's."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._findings import adopt, model
from ansible_collections.gitops.aws.plugins.module_utils._findings.adopt import Block, Refused
from tests.unit.plugins.module_utils.findings.results import resource


def choose(*resources: dict[str, Any], region: str = "") -> list[dict[str, Any]]:
    return adopt.chosen({"resources": list(resources)}, [one["arn"] for one in resources], region)


def addresses(*resources: dict[str, Any], **more: Any) -> list[str]:
    return [block.address for block in adopt.blocks(choose(*resources), **more)]


@pytest.mark.parametrize("verdict", model.VERDICTS)
def test_only_what_is_nobody_elses_is_adopted(verdict: str) -> None:
    one = resource("aws_instance", "i-1", verdict)
    if verdict in ("unmanaged", "leaked_by_pipeline", "ignored", "out_of_scope", "too_young"):
        assert choose(one) == [one]
    else:
        with pytest.raises(Refused, match=f"instance/i-1: it is {verdict}"):
            choose(one)


def test_what_was_not_found_is_refused_and_all_problems_are_told() -> None:
    with pytest.raises(Refused) as error:
        adopt.chosen({"resources": [resource("aws_key_pair", "k", arn="arn:k")]}, ["arn:x", "arn:k"])

    assert [problem.split(":")[1] for problem in error.value.problems] == ["x", "k"]
    assert "aws_key_pair cannot be imported" in error.value.problems[1]


def test_what_has_no_import_id_is_refused() -> None:
    with pytest.raises(Refused, match="by hand"):
        choose(resource("aws_instance", "i-1", import_id=""))


def test_the_region_must_be_that_of_the_code() -> None:
    here, there = resource("aws_instance", "i-1"), resource("aws_instance", "i-2", region="us-east-1")
    role = resource("aws_iam_role", "r", region="")

    assert choose(here, role, region="eu-central-1")
    assert choose(here, role)
    with pytest.raises(Refused, match="i-2: it is in us-east-1, and the code is for eu-central-1"):
        choose(here, there, region="eu-central-1")
    with pytest.raises(Refused, match="regions eu-central-1, us-east-1"):
        choose(here, there)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("web", "web"),
        ("Web Server (test)", "web_server_test"),
        ("7-up", "r_7_up"),
        ("/aws/lambda/x", "aws_lambda_x"),
        ("ÄÖÜ", "r"),
        ("--", "r"),
        ("_a_", "a"),
        ('x" {}\n resource "y', "x_resource_y"),
        ("a" * 80, "a" * 50),
    ],
)
def test_names_are_terraforms(name: str, says: str) -> None:
    assert adopt.local_name(name) == says


def test_resources_without_a_name_get_their_id() -> None:
    assert addresses(resource("aws_instance", "i-0aB", name="")) == ["aws_instance.i_0ab"]


def test_those_called_alike_get_their_ids_whoever_comes_first() -> None:
    one, two = resource("aws_instance", "i-1", name="web"), resource("aws_instance", "i-2", name="Web")
    other = resource("aws_ebs_volume", "vol-1", name="web")

    assert addresses(one, two, other) == ["aws_ebs_volume.web", "aws_instance.web_i_1", "aws_instance.web_i_2"]
    assert addresses(other, two, one) == addresses(one, two, other)


def test_no_block_takes_an_address_of_the_code() -> None:
    one = resource("aws_instance", "i-1", name="web")
    taken = {"aws_instance.web", "aws_instance.web_i_1"}

    assert addresses(one, taken={"aws_instance.web"}) == ["aws_instance.web_i_1"]
    assert addresses(one, taken=taken) == ["aws_instance.web_i_1_2"]


def test_blocks_that_are_there_stay_as_they_are() -> None:
    there = [Block("aws_instance", "renamed", "i-1")]
    one, two = resource("aws_instance", "i-1", name="web"), resource("aws_instance", "i-2", name="renamed")

    assert adopt.blocks(choose(one, two), there) == [
        Block("aws_instance", "renamed", "i-1"),
        Block("aws_instance", "renamed_i_2", "i-2"),
    ]


def test_a_file_of_blocks() -> None:
    shown = adopt.text([Block("aws_instance", "web", "i-1"), Block("aws_s3_bucket", "logs", "acme-logs")])

    assert shown.startswith(adopt.HEADER + "# sha256:")
    assert shown.split("\n", 2)[2] == (
        '\nimport {\n  to = aws_instance.web\n  id = "i-1"\n}\n'
        '\nimport {\n  to = aws_s3_bucket.logs\n  id = "acme-logs"\n}\n'
    )


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("a", '"a"'),
        ('a"b', r'"a\"b"'),
        ("a\\b", r'"a\\b"'),
        ("a\nb", r'"a\nb"'),
        ("${file(1)}", '"$${file(1)}"'),
        ("%{if x}", '"%%{if x}"'),
        ("$5 100%", '"$5 100%"'),
    ],
)
def test_ids_are_texts_whatever_is_in_them(value: str, says: str) -> None:
    assert adopt.quoted(value) == says
    [block] = adopt.read(adopt.text([Block("aws_instance", "a", value)]), "imports.tf")
    assert block.id == value


def test_a_file_of_ours_is_read_again() -> None:
    made = [Block("aws_instance", "web", "i-1"), Block("aws_s3_bucket", "logs", "acme-logs")]

    assert adopt.read(adopt.text(made), "imports.tf") == made
    assert adopt.read(None, "imports.tf") == []


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "\n# mine\n",
        lambda text: text.replace("aws_instance.web", "aws_instance.shop"),
        lambda text: text.replace(adopt.HEADER, ""),
        lambda text: "",
        lambda text: 'resource "aws_instance" "web" {}\n',
    ],
)
def test_what_somebody_edited_is_theirs(change: Any) -> None:
    edited = change(adopt.text([Block("aws_instance", "web", "i-1")]))

    with pytest.raises(Refused, match=r"imports\.tf: somebody has written or edited it, and it is not overwritten"):
        adopt.read(edited, "imports.tf")


def test_addresses_of_the_code() -> None:
    code = """
resource "aws_vpc" "main" {
}
  resource   "aws_subnet" "a-b" {}
data "aws_ami" "x" {}
import {
  to = aws_instance.web
  id = "i-1"
}
"""

    assert adopt.addresses(code) == {"aws_vpc.main", "aws_subnet.a-b", "aws_instance.web"}
    assert adopt.found(code) == [Block("aws_instance", "web", "i-1")]
