# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates say what they were given, whatever that is, and what is wrong with a user's is said."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ministack.services import stepfunctions

from ansible_collections.gitops.aws.plugins.module_utils._notices import model, texts

TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
ROLE = "arn:aws:iam::111122223333:role/gitops-network-apply-of-a-long-name"


def evaluate(expression: str, given: Any = None, **variables: Any) -> Any:
    """What Step Functions makes of an expression."""
    return stepfunctions._evaluate_jsonata(expression, given, {"variables": variables})


def written(template: dict[str, str], **words: str) -> tuple[str, str]:
    """Title and text of a template."""
    given = {"templates": texts.as_data({"failed": template})}
    place = "$states.input.templates.failed"
    return evaluate(texts.title(place), given, words=words), evaluate(texts.text(place), given, words=words)


def test_words_are_filled_in_and_lines_that_say_nothing_left_out() -> None:
    template = {"title": "{stack}: {counts}", "text": "A {stack}\nB {counts}\nC {stack} {counts}\nD\n{counts}"}

    assert written(template, stack="network", counts="") == ("network", "A network\nC network \nD")


def test_there_are_defaults_of_all_results_with_words_that_there_are() -> None:
    assert set(texts.DEFAULTS) == set(model.RESULTS)
    assert texts.problems(texts.DEFAULTS) == []


@pytest.mark.parametrize(
    "value",
    [
        'a "quoted" \\ word',
        "it's",
        "VPC의 이름을 바꿉니다",
        "<script>alert(1)</script>",
        "{counts} {{ x }}",
        "$states.input",
        "{% $error() %}",
        "$1 $$ $0",
        "' & $error('x') & '",
        "😀",
    ],
)
def test_no_fact_and_no_template_is_more_than_text(value: str) -> None:
    told = f"{value.replace('{counts}', '')} and {value}"

    assert written({"title": "x", "text": f"{value} and {{error}}"}, error=value)[1] == told


def test_a_template_that_looks_like_an_expression_is_none() -> None:
    data = texts.as_data({"failed": {"title": "{% $error() %}", "text": "{% $states.input %}\n{% 1 %}"}})
    strings = [data["failed"]["title"], *data["failed"]["lines"]]

    assert [each for each in strings if each.startswith("{%")] == []
    assert written({"title": "{% 1 %}", "text": "{% 1 %}"}) == ("{% 1 %}", "{% 1 %}")


@pytest.mark.parametrize("length", [99, 100, 5000])
def test_a_title_is_a_subject(length: int) -> None:
    title = written({"title": "{error}:", "text": "x"}, error="지" + "y" * length)[0]

    assert title.isascii()
    assert len(title) < texts.TITLE
    assert title.startswith("?yyy")


def test_a_text_is_short_enough_to_be_sent_however_often_it_names_its_words() -> None:
    text = written({"title": "x", "text": "{effects}\n" * 400}, effects="지" * 1500)[1]

    assert len(text) == texts.TEXT
    assert text.endswith("지...")


def test_a_title_without_words_is_no_empty_subject() -> None:
    assert written({"title": "{error}", "text": "x"}, error="")[0] == "Notice"


def test_facts_become_short_lines_without_what_acts_on_a_terminal() -> None:
    raw = {
        "who": "\x1b[31mred\x1b[0m\r\n next\x07 \u202eturned",
        "effects": "x" * 5000,
        "commit_message": "지" * 300,
        "error": "y" * 299,
    }

    clean = evaluate(texts.cleaned("$facts"), facts=raw)

    assert clean["who"] == "red next turned"
    assert len(clean["effects"]) == 1500
    assert clean["effects"].endswith("x...")
    assert len(clean["commit_message"]) == 200
    assert clean["error"] == raw["error"]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1 ends", "key ... ends"),
        ("AKIAIOSFODNN7EXAMPLE and ASIAIOSFODNN7EXAMPLE", "... and ..."),
        ("digest 5d41402abc4b2a76b9719d911017c592 ends", "digest ... ends"),
        ("No. Encoded authorization failure message: 4GIOHlTkIaWHQD0Q0m6XSnuU-short ends",
         "No. Encoded authorization failure message: ... ends"),
        ("token ghp_16C7e42F292c6912E7710c838347Ae178B4a", "token ..."),
        ("arn:aws:iam::111122223333:role/gitops-network-apply-of-a-long-name/AWSCodeBuild-1",) * 2,
        ("0f2f5d3f-2a3c-4f57-9a52-0f2f5d3f1c55",) * 2,
        ("module.network.aws_subnet_with_a_name_that_is_long[0]",) * 2,
        (f"{ROLE}?token={TOKEN}", f"{ROLE}?..."),
        (f'{{"Role":"{ROLE}","Token":"{TOKEN}"}}', f'{{"Role":"{ROLE}","Token":"..."}}'),
        (f"{TOKEN},{ROLE}", f"...,{ROLE}"),
        (f'("{ROLE}"), \'{ROLE}/{TOKEN}\'.',) * 2,
        ("arn:aws-us-gov:s3:::aBucketWithANameThatIsLong1234567890",) * 2,
        (f"arn:aws{TOKEN}", "arn:..."),
        ("https://kim:hunter2@example.com/x and git+ssh://kim@host ends",
         "https://...@example.com/x and git+ssh://...@host ends"),
        ("postgres://:p%40ss:w0rd@db:5432/x, mail kim@acme.com", "postgres://...@db:5432/x, mail kim@acme.com"),
    ],
)  # fmt: skip
def test_what_looks_like_a_key_is_not_told(text: str, left: str) -> None:
    assert evaluate(texts.cleaned("$facts"), facts={"error": text})["error"] == left


@pytest.mark.parametrize(
    "text",
    [
        "Error: " + "a" * 250_000,
        "Error: " + "a1" * 125_000,
        "Error: " + "arn:aws:x:" + "." * 250_000 + "?",
        "Error: " + "://" * 80_000,
        "Error: " + "a b " * 60_000,
        "Error: " + "\x1b[" * 100_000,
    ],
)
def test_a_line_is_told_within_the_second_that_an_expression_has_however_long_it_is(text: str) -> None:
    # In Step Functions as here, an expression that takes longer fails.
    assert evaluate(texts.cleaned("$facts"), facts={"error": text, "comment": text})["error"].startswith("Error: ")


@pytest.mark.parametrize("left", range(1, 45, 4))
def test_of_a_key_at_the_end_of_what_is_looked_at_nothing_is_told(left: int) -> None:
    before = f"{'0123456789abcdef' * 4} " * 31
    assert len(before) > texts.LOOKED_AT  # and it becomes short, so that its end is told
    text = f"{before[: texts.LOOKED_AT - left]}{TOKEN} {'x ' * 100}"

    told = evaluate(texts.cleaned("$facts"), facts={"error": text})["error"]

    assert TOKEN[:3] not in told


def test_slack_sees_neither_a_mention_nor_a_link() -> None:
    assert evaluate(texts.for_slack("$text"), text="<!channel> a & b <http://x|y> &lt;") == (
        "&lt;!channel&gt; a &amp; b &lt;http://x|y&gt; &amp;lt;"
    )


def test_a_users_template_of_a_result_comes_before_that_of_its_event() -> None:
    given = {"failed": {"title": "F"}, "rejected": {"text": "R"}, "lock": {"title": "L", "text": "l"}}

    made = texts.templates(given)

    assert made["failed"]["title"] == made["stopped"]["title"] == made["rejected"]["title"] == "F"
    assert made["rejected"]["text"] == "R"
    assert made["failed"]["text"] == texts.DEFAULTS["failed"]["text"]
    assert made["held"] == {"title": "L", "text": "l"}
    assert made["succeeded"] == texts.DEFAULTS["succeeded"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "templates: it must be a dictionary"),
        ({"fail": {"title": "x"}}, "templates.fail: unknown event, is failed meant? Allowed are: succeeded, failed"),
        ({"failed": "x"}, "templates.failed: it must be a dictionary with title, text or both"),
        ({"failed": {}}, "templates.failed: it must be a dictionary"),
        ({"failed": {"subject": "x"}}, "templates.failed.subject: unknown. Allowed are: title, text"),
        ({"failed": {"text": 1}}, "templates.failed.text: it must be text"),
        ({"failed": {"text": "  \n"}}, "templates.failed.text: it must be text, and not empty"),
        ({"failed": {"title": "a\nb"}}, "templates.failed.title: it must be one line"),
        ({"failed": {"title": "x" * 201}}, "templates.failed.title: it has 201 characters, at most 200"),
        ({"failed": {"text": "x" * 4001}}, "templates.failed.text: it has 4001 characters, at most 4000"),
        ({"failed": {"text": "{stak}"}}, "templates.failed.text: unknown word {stak}, is stack meant?"),
        ({"failed": {"text": "{xyzzy}"}}, "templates.failed.text: unknown word {xyzzy}. Allowed are: account"),
    ],
)
def test_what_is_wrong_with_templates_is_said(given: Any, said: str) -> None:
    (problem,) = texts.problems(given)

    assert problem.startswith(said)


@pytest.mark.parametrize("given", [None, {}, {"drift": {"text": '{"a": 1} {} {A} { stack }'}}])
def test_nothing_is_wrong_with_others(given: Any) -> None:
    assert texts.problems(given) == []


def test_all_words_have_a_meaning_and_are_known_to_the_machine() -> None:
    used = {word for each in texts.DEFAULTS.values() for part in each.values() for word in re.findall(r"{(\w+)}", part)}

    assert used <= set(texts.WORDS)
