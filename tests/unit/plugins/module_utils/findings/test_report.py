# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports say what was found and what is not known, are the same each time, and are safe with hostile names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._findings import report, report_html
from tests.unit.plugins.module_utils.findings.results import ALICE, INCOMPLETE, resource, result

FORMATS: dict[str, Callable[[Any], str]] = {
    "terminal": report.terminal,
    "json": report.as_json,
    "markdown": report.markdown,
    "junit": report.junit,
    "html": report_html.page,
}


@pytest.fixture(params=FORMATS)
def write(request: pytest.FixtureRequest) -> Callable[[Any], str]:
    """Each format."""
    return FORMATS[request.param]


def only(*resources: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A result with these resources and no other findings."""
    return report.of(result(resources=list(resources), ghosts=[], changed=[], **changed))


def section(text: str, begin: str, end: str) -> str:
    return text[text.index(begin) : text.index(end)]


def test_the_terminal_says_who_when_from_where_why_and_what_next() -> None:
    text = report.terminal(report.of(result()))

    assert text.startswith(
        "Account 111122223333, eu-central-1, us-east-1, 2026-11-26 04:00 UTC\n"
        "Scope: tags project=shop\n"
        "Found: 38 unmanaged, 1 leaked by the pipeline, 1 of another Terraform, 1 changed, 1 ghost\n"
        "\n"
        "UNMANAGED (38)\n"
    )
    shown = section(text, "aws_instance web-test", " 34. ")
    assert re.sub(r"\s+", " ", shown).strip() == (
        "aws_instance web-test (i-0f1e2d3c4b5a69788) in eu-central-1"
        " made 2026-11-23 15:12 UTC (2 days ago) by role/admin as alice in the console from 203.0.113.7"
        " with Mozilla/5.0 (RunInstances)"
        " why no state has it"
        " tags Name=web-test, team=shop"
        " uses subnet-0a1b2c3d, sg-0a1b2c3d, vpc-0a1b2c3d"
        " removal stopped first, removed after the grace period."
        " To get it back: start it again; once removed, it is gone with the volumes that go with it"
        " arn arn:aws:ec2:eu-central-1:111122223333:instance/i-0f1e2d3c4b5a69788"
    )
    assert "\n      ansible-playbook gitops.aws.adopt -e @your.yml -e directory=CHECKOUT -e arns=ARN\n" in text


def test_each_kind_of_finding_has_its_group() -> None:
    text = report.terminal(report.of(result()))
    titles = re.findall(r"^([A-Z][A-Z ]+)(?: \(\d+\))?$", text, re.MULTILINE)

    assert titles == ["UNMANAGED", "LEAKED BY THE PIPELINE", "OF ANOTHER TERRAFORM", "CHANGED", "GHOSTS", "COVERAGE"]
    assert "11111111-2222" not in text  # what is protected is no finding
    assert "aws_vpc.main\n     state     network\n     differs   enable_dns_hostnames, tags\n" in text
    assert "aws_subnet.private[0]\n     state     network/terraform.tfstate\n     why       AWS says" in text
    assert "import id subnet-0c0ffee" in text


def test_coverage_is_honest() -> None:
    text = report.terminal(report.of(result()))
    lines = [line.strip() for line in text[text.index("\nCOVERAGE") :].splitlines()]

    for line in (
        "6 types of resources; 5 of 6 listings complete; 86 resources seen",
        "locked: app/terraform.tfstate by bob",
        "kept: 412 managed by a state, 19 made by AWS in every account, 1 protected",
        "aws_dynamodb_table us-east-1: unsupported (OptInRequired)",
        "aws_lb, aws_s3_bucket (1 found)",
        "glue:job (1), sagemaker:notebook (2)",
        "the index of Resource Explorer lags behind: its oldest entry is of 2026-11-24 10:00 UTC",
        "entries[0], arn arn:aws:s3:::acme-old-*: an audit needs it (ignore until 2026-11-01, alice)",
        "entries[1], tags team=gone: an audit needs it (ignore until 2027-11-01, alice)",
        "3 resources: CloudTrail was asked 100 times. To know it: raise attribution_calls",
    ):
        assert line in lines


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"removable": False}, "never: aws_instance is only reported"),
        ({"guarded": "termination protection is on"}, "not while termination protection is on"),
        ({"verdict": "foreign_terraform"}, "never"),
        ({"quarantine": "stopped"}, "stopped first, removed after the grace period."),
    ],
)
def test_what_removal_would_do(changed: dict[str, Any], says: str) -> None:
    one = {**resource("aws_instance", "i-1"), **changed}

    assert report.removal(one, only(one)) == says


def test_nothing_is_said_to_be_removed_without_a_scope_or_from_an_incomplete_scan() -> None:
    one = resource("aws_instance", "i-1")

    without = report.terminal(only(one, scope=None))
    assert "Scope: none: findings are reported, nothing is ever removed" in without
    assert "removal   once there is a scope: marked in the ledger first" in without
    incomplete = report.terminal(only(one, **INCOMPLETE))
    assert "remove it: not while this report is incomplete" in incomplete
    assert "  - state app/terraform.tfstate: AccessDenied" in incomplete
    assert "    fix: let the role gitops-drift-scan use the key" in incomplete


BY_A_SERVICE = {"source_ip": "", "user_agent": "x", "event": "Run"}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, "2026-11-23 15:12 UTC (2 days ago); by whom is not known"),
        ({"created": ""}, "seen first 2026-11-24 04:00 UTC; by whom is not known"),
        ({"created": "", "first_seen": ""}, "nobody knows when; by whom is not known"),
        ({"age_hours": None}, "2026-11-23 15:12 UTC; by whom is not known"),
        (
            {"creator": {**ALICE, "invoked_by": "autoscaling.amazonaws.com", "console": False, **BY_A_SERVICE}},
            "2026-11-23 15:12 UTC (2 days ago) by role/admin as alice through autoscaling.amazonaws.com with x (Run)",
        ),
    ],
)
def test_who_made_it_and_when(changed: dict[str, Any], says: str) -> None:
    assert report.made(resource("aws_instance", "i-1", **changed)) == says


@pytest.mark.parametrize(
    ("hours", "says"), [(0.2, "within the hour"), (1, "1 hour ago"), (47.9, "47 hours ago"), (48, "2 days ago")]
)
def test_ages(hours: float, says: str) -> None:
    assert report.age(hours) == says


def test_the_same_result_makes_the_same_report(write: Callable[[Any], str]) -> None:
    one, other = result(), result()
    other["resources"].reverse()
    other["coverage"].reverse()
    other["resources"][3]["tags"] = dict(reversed(other["resources"][3]["tags"].items()))

    assert write(report.of(one)) == write(report.of(other))


def test_nothing_but_what_is_named_is_written(write: Callable[[Any], str]) -> None:
    secret = "a-value-of-a-state"
    found = result(
        invocation={"module_args": {"password": secret}},
        resources=[resource("aws_instance", "i-1", element={"UserData": secret})],
        states=[{"key": "a", "managed": 1, "resources": [secret]}],
        ghosts=[{"address": "a.b", "state": "s", "attributes": {"password": secret}}],
    )
    found["changed"][0]["before"] = {"password": secret}
    found["changed"][0]["attributes"].append({"name": "password", "before": secret, "after": secret})

    text = write(report.of(found, changed=found["changed"]))

    assert secret not in text
    assert "value-of-a-state" not in text
    assert "password" in text  # the path is shown


def test_drift_is_merged_and_what_is_ignored_is_left_out() -> None:
    drift = {"stack": "b", "type": "aws_vpc", "action": "changed"}
    found = [
        {**drift, "address": "aws_vpc.b", "attributes": [{"path": "tags.a", "before": "x", "after": "y"}]},
        {**drift, "address": "aws_vpc.c", "attributes": [], "ignored": ["tags.LastScan"]},
    ]

    merged = report.of(result(), found)

    assert {each["address"]: each["paths"] for each in merged["changed"]} == {
        "aws_vpc.main": ["enable_dns_hostnames", "tags"],
        "aws_vpc.b": ["tags.a"],
    }


def test_a_stack_that_was_not_looked_into_is_not_one_that_is_as_its_code_says() -> None:
    stacks = [
        {"stack": "seen", "status": "fresh", "message": ""},
        {"stack": "unseen", "status": "failed", "message": "its newest run failed"},
    ]

    text = " ".join(report.terminal(report.of(result(), stacks=stacks)).split())

    assert "what has changed of the stack unseen: its newest run failed" in text
    assert "stack seen" not in text


def test_a_ghost_counts_once_whoever_saw_it() -> None:
    one = result()["ghosts"][0]
    by_terraform = {**one, "stack": "network", "action": "ghost", "attributes": []}
    other = {**by_terraform, "id": "subnet-1"}

    assert [each["id"] for each in report.of(result(), [by_terraform])["ghosts"]] == ["subnet-0dead"]
    assert len(report.of(result(), [by_terraform, other], [one])["ghosts"]) == 2
    assert report.of(result(), [other])["changed"] == report.of(result())["changed"]


def test_what_ansible_adds_to_a_result_is_no_finding() -> None:
    assert report.of(result(changed=False))["changed"] == []


def test_an_empty_account_has_a_report(write: Callable[[Any], str]) -> None:
    empty = {"account_id": "111122223333", "regions": ["eu-central-1"], "time": "2026-11-26T04:00:00Z"}

    assert write(report.of({**empty, "complete": True}))
    assert "nothing that the code does not explain" in report.terminal(report.of({**empty, "complete": True}))


def test_json_can_be_read_again_as_a_result() -> None:
    whole = report.of(result())

    assert json.loads(report.as_json(whole)) == whole
    assert report.as_json(report.of(json.loads(report.as_json(whole)))) == report.as_json(whole)


# Hostile names

HOSTILE = (
    "<script>document.title='owned'</script>",
    "</style></script><img src=x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "x]]>&amp;<!--",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "`x` **b** @everyone https://evil.example www.evil.example",
    "```\n# heading\n| a | b |",
    "a\\|b",
    "\x1b[2J\x1b[31mred\x07",
    "\x00\x0b\ufffe\ud800",
    "\u202egnp.exe",
    "a\r\nb\u2028c",
)


def hostile(text: str) -> dict[str, Any]:
    """A result in which everything that somebody else chose is this text."""
    creator = {**ALICE, "user_agent": text, "principal": text, "session": text}
    many: dict[str, Any] = {
        "name": text,
        "tags": {text: text},
        "reason": text,
        "evidence": text,
        "creator": creator,
        "refs": [text],
    }
    return report.of(
        result(
            resources=[resource("aws_s3_bucket", "b", **many)],
            ghosts=[{"address": f'a.b["{text}"]', "state": text, "id": text}],
            changed=[{"address": f'a.b["{text}"]', "stack": text, "paths": [text]}],
            problems=[{"what": text, "why": text, "fix": text}],
            complete=False,
            coverage=[{"type": "aws_lb", "region": "", "status": "denied", "seen": 0, "message": text}],
            expired_entries=[
                {"index": 0, "match": {"arn": text}, "kind": "ignore", "owner": text, "reason": text, "expires": "x"}
            ],
            breadth=[{"arn": text, "type": text, "source": "tagging", "reported": ""}],
            unseen_types={},
        )
    )


class Page(HTMLParser):
    """What a page has in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.scripts: list[str] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes.update(name for name, _ in attrs)
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = str(dict(attrs)["content"])

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1] == "script" and data.strip():
            self.scripts.append(data)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_becomes_an_element_of_the_page(text: str) -> None:
    usual, page = Page(report_html.page(hostile("name"))), Page(report_html.page(hostile(text)))

    assert page.elements == usual.elements
    assert page.attributes == usual.attributes
    assert page.scripts[:1] == [report_html.SCRIPT]
    assert page.elements.count("script") == 1


def test_the_page_loads_nothing_and_allows_its_own_script_alone() -> None:
    text = report_html.page(report.of(result()))
    page = Page(text)

    assert page.policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in page.policy
    assert "*" not in page.policy
    assert not {"src", "href", "onclick", "style", "action"} & page.attributes
    assert "url(" not in text
    assert "http" not in text.replace("http-equiv", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_is_markup_in_markdown(text: str) -> None:
    shown = report.markdown(hostile(text))
    # What is left when code, whatever its fence, and escaped characters are taken away.
    bare = re.sub(r"\\.|(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", shown)

    assert "`" not in bare
    assert not re.search(r"[<>|\[\]!]|@\w|https?://|\bwww\.", bare)
    usual = report.markdown(hostile("name"))
    assert re.findall(r"^#+ .*", shown, re.MULTILINE) == re.findall(r"^#+ .*", usual, re.MULTILINE)
    assert len(shown.splitlines()) == len(usual.splitlines())


def test_code_in_markdown_ends_where_it_should() -> None:
    assert report._code("a") == "`a`"
    assert report._code("a`b``c") == "```a`b``c```"
    assert report._code("`a`") == "`` `a` ``"


def test_markdown_is_cut_where_it_would_be_too_long_and_says_so() -> None:
    whole = report.of(result())

    text = report.markdown(whole, longest=3000)

    assert len(text) < 6000
    assert re.search(r"^- and \d+ more: see the whole report$", text, re.MULTILINE)
    assert "## Coverage" in text
    assert "more: see" not in report.markdown(whole)


@pytest.mark.parametrize("text", HOSTILE)
def test_xml_can_be_read_whatever_a_name_is(text: str) -> None:
    shown = ElementTree.fromstring(report.junit(hostile(text)).encode())
    usual = ElementTree.fromstring(report.junit(hostile("name")).encode())

    assert [each.tag for each in shown.iter()] == [each.tag for each in usual.iter()]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_terminal_gets_nothing_but_printable_characters(text: str) -> None:
    shown = report.terminal(hostile(text))

    assert all(each.isprintable() for each in shown.replace("\n", ""))


def test_what_is_not_printable_is_shown_as_an_escape() -> None:
    assert report.plain("a\x1b[31m\u202eb\n\ud800é") == "a\\x1b[31m\\u202eb\\n\\ud800é"


# JUnit


def suites(found: dict[str, Any]) -> dict[str, ElementTree.Element]:
    return {str(suite.get("name")): suite for suite in ElementTree.fromstring(report.junit(found).encode())}


def test_each_finding_is_a_test_that_failed() -> None:
    found = suites(report.of(result()))

    assert {name: suite.get("failures") for name, suite in found.items()} == {
        "Unmanaged": "38",
        "Leaked by the pipeline": "1",
        "Of another Terraform": "1",
        "Changed": "1",
        "Ghosts": "1",
        "Coverage": "0",
        "Completeness": "0",
    }
    case = found["Changed"][0]
    assert (case.get("name"), case.get("classname")) == ("aws_vpc.main", "changed")
    assert case[0].tag == "failure"
    assert "differs: enable_dns_hostnames, tags" in str(case[0].text)


def test_a_complete_listing_passes_and_another_is_an_error() -> None:
    rows = result()["coverage"]
    denied = {**rows[0], "type": "aws_kms_key", "status": "denied", "message": "AccessDenied"}

    coverage = suites(report.of(result(coverage=[*rows, denied])))["Coverage"]

    assert {case.get("name"): [each.tag for each in case] for case in coverage} == {
        "aws_instance eu-central-1": [],
        "aws_security_group eu-central-1": [],
        "aws_s3_bucket eu-central-1": [],
        "aws_lb eu-central-1": [],
        "aws_iam_role global": [],
        "aws_dynamodb_table us-east-1": ["skipped"],
        "aws_kms_key eu-central-1": ["error"],
    }
    assert (coverage.get("tests"), coverage.get("errors"), coverage.get("skipped")) == ("7", "1", "1")


def test_what_makes_a_scan_incomplete_is_an_error() -> None:
    root = ElementTree.fromstring(report.junit(report.of(result(**INCOMPLETE))).encode())

    assert root.get("errors") == "1"
    [case] = root.findall("testsuite[@name='Completeness']/testcase")
    assert case.get("name") == "state app/terraform.tfstate"
    assert case[0].tag == "error"
    assert suites(report.of(result(complete=False)))["Completeness"].get("errors") == "1"


def test_a_stack_that_was_not_looked_into_is_an_error_and_says_how_old_what_is_known_is() -> None:
    stacks = [
        {"stack": "web", "status": "old", "message": "it is of before", "time": "2026-11-23T03:00:00Z"},
        {"stack": "network", "status": "fresh", "message": "", "time": "2026-11-26T03:00:00Z"},
        {"stack": "data", "status": "failed", "message": "\x1b[31mbroken"},
    ]

    found = report.of(result(), stacks=stacks)

    suite = suites(found)["Drift of stacks"]
    said = {case.get("name"): [error.get("message", "") for error in case] for case in suite}
    assert list(said) == ["web", "network", "data"]
    assert said["network"] == []
    assert "it is of before (3 days ago)" in said["web"][0]
    assert r"\x1b[31mbroken" in said["data"][0]
    assert suite.get("errors") == "2"
    assert "it is of before (3 days ago)" in " ".join(report.terminal(found).split())


def test_numbers_of_the_whole_are_those_of_the_parts() -> None:
    root = ElementTree.fromstring(report.junit(report.of(result(**INCOMPLETE))).encode())

    assert root.get("tests") == str(len(root.findall("testsuite/testcase")))
    assert root.get("failures") == str(len(root.findall("testsuite/testcase/failure")))
