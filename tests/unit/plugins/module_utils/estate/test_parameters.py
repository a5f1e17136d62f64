# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets of stacks, from the file that the IAM console downloads to parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gitops.aws.plugins.module_utils._estate.parameters import (
    access_key,
    read_text,
    stack_parameters,
)

Make = Callable[..., dict[str, Any]]

ID, SECRET = "AKIDEXAMPLE", "wJalr/XUtn+FEMI"
PAIR = {"access_key_id": ID, "secret_access_key": SECRET}
HEADER = "Access key ID,Secret access key"


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\n{ID},{SECRET}\n",
        f"{HEADER}\n{ID},{SECRET}",
        f"\ufeff{HEADER}\r\n{ID},{SECRET}\r\n",
        f"{HEADER}\r{ID},{SECRET}\r",
        f"\n\n{HEADER}\n{ID},{SECRET}\n\n\n",
        f'"Access key ID","Secret access key"\n"{ID}","{SECRET}"\n',
        f"{HEADER}\n {ID} , {SECRET} \n",
        f"User name,{HEADER},Console login link\nterraform,{ID},{SECRET},https://example.com\n",
        f"Secret access key,Access key ID\n{SECRET},{ID}\n",
    ],
)
def test_files_as_the_console_and_editors_write_them(text: str) -> None:
    assert access_key(text) == PAIR


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEADER,
        f"{ID},{SECRET}",
        f"Access key ID\n{ID}",
        f"Access key,Secret\n{ID},{SECRET}",
        f"{HEADER}\n{ID}",
        f"{HEADER}\n{ID},",
        f"{HEADER}\n,{SECRET}",
        f"{HEADER}\n{ID}, ",
        f"{HEADER}\n{ID},{SECRET}\nAKIDANOTHER,{SECRET}",
        f"{HEADER}\n{ID},{'s' * 200_000}",
        f"{HEADER}\n{ID}\0,{SECRET}\n{SECRET}",
    ],
)
def test_other_content_is_refused_and_never_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"this is not an accessKeys\.csv as the IAM console downloads it") as caught:
        access_key(text)

    assert ID not in str(caught.value)
    assert "wJalr" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(st.text() | st.text(alphabet=',"\r\n\0\ufeffa').map(lambda text: f"{HEADER}\n{text}"))
def test_whatever_the_file_holds(text: str) -> None:
    with contextlib.suppress(ValueError):  # and nothing else
        assert all(access_key(text).values())


def test_parameters_of_a_stack(stack: Make, foundation: Make) -> None:
    shared = foundation(tags={"owner": "platform"})
    network = stack(credentials="parameter_store", access_keys_csv="/keys.csv", tags={"env": "prod"})

    first, second = stack_parameters([network], shared, lambda _path: f"{HEADER}\n{ID},{SECRET}\n")

    assert first == {
        "name": "/gitops/network/AWS_ACCESS_KEY_ID",
        "value": ID,
        "type": "SecureString",
        "key_id": shared["kms_key_arn"],
        "description": "access_key_id of the Terraform stack network",
        "tags": {"owner": "platform", "env": "prod", "gitops:stack": "network"},
    }
    assert (second["name"], second["value"]) == ("/gitops/network/AWS_SECRET_ACCESS_KEY", SECRET)


def test_once_the_file_is_deleted_the_values_are_left_alone(stack: Make, foundation: Make) -> None:
    network = stack(credentials="parameter_store", access_keys_csv="/keys.csv")

    made = stack_parameters([network], foundation(), lambda _path: None)

    assert [parameter["value"] for parameter in made] == [None, None]
    assert len({parameter["name"] for parameter in made}) == 2


def test_stacks_that_have_no_file(stack: Make, foundation: Make) -> None:
    def unread(_path: str) -> str:
        raise AssertionError

    assert stack_parameters([stack(), stack(credentials="parameter_store")], foundation(), unread) == []


def test_an_error_names_the_stack_and_the_file_and_no_secret(stack: Make, foundation: Make) -> None:
    network = stack(credentials="parameter_store", access_keys_csv="/keys.csv")

    with pytest.raises(ValueError, match=r"stack network, access_keys_csv /keys\.csv: this is not an") as caught:
        stack_parameters([network], foundation(), lambda _path: f"{ID},{SECRET}")

    assert SECRET not in str(caught.value)


def test_reading_a_file(tmp_path: Path) -> None:
    file = tmp_path / "accessKeys.csv"

    assert read_text(str(file)) is None
    file.write_bytes(f"\ufeff{HEADER}\r\n{ID},{SECRET}\r\n".encode())
    text = read_text(str(file))
    assert text is not None
    assert access_key(text) == PAIR


def test_a_file_in_another_encoding(tmp_path: Path, stack: Make, foundation: Make) -> None:
    file = tmp_path / "accessKeys.csv"
    file.write_bytes(f"{HEADER}\r\n{ID},{SECRET}".encode("utf-16"))
    network = stack(credentials="parameter_store", access_keys_csv=str(file))

    with pytest.raises(ValueError, match=r"stack network, access_keys_csv .*: it is not a text in UTF-8"):
        stack_parameters([network], foundation())
