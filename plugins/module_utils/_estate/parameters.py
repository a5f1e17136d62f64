# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Secrets of stacks: from what the user has to parameters as gitops.aws.ssm_parameters takes them."""

from __future__ import annotations

import csv
import io
import os
from typing import Any, Callable

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack

ID_COLUMN, SECRET_COLUMN = "Access key ID", "Secret access key"


def access_key(text: str) -> dict[str, str]:
    """The key pair in the accessKeys.csv that the IAM console downloads.

    Args:
        text: the file's content: a header line, then one line; it may begin with a byte order mark.

    Returns:
        access_key_id and secret_access_key.

    Raises:
        ValueError: the content is not that of such a file. The message holds nothing of the content.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff").strip(), newline=None)))
    except csv.Error:
        rows = []
    if len(rows) != 1 or not all((rows[0].get(column) or "").strip() for column in (ID_COLUMN, SECRET_COLUMN)):
        raise ValueError(
            f"this is not an accessKeys.csv as the IAM console downloads it: a header line with the columns "
            f"'{ID_COLUMN}' and '{SECRET_COLUMN}', and one line with values"
        )
    return {
        "access_key_id": rows[0][ID_COLUMN].strip(),
        "secret_access_key": rows[0][SECRET_COLUMN].strip(),
    }


def read_text(path: str) -> str | None:
    """A file's text; None where there is none: it may be deleted once its content is in Parameter Store.

    Raises ValueError, without any of the content, where the file is no text.
    """
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        try:
            return file.read()
        except UnicodeDecodeError:
            raise ValueError("it is not a text in UTF-8") from None


def stack_parameters(
    stacks: list[Stack], foundation: Foundation, read: Callable[[str], str | None] = read_text
) -> list[dict[str, Any]]:
    """The parameters of the stacks whose credentials are in Parameter Store.

    A stack without access_keys_csv brings its parameters itself. Where the file is gone, the value is left alone.
    """
    result = []
    for stack in stacks:
        if stack["credentials"] != "parameter_store" or not stack["access_keys_csv"]:
            continue
        try:
            text = read(stack["access_keys_csv"])
            pair = access_key(text) if text is not None else {"access_key_id": None, "secret_access_key": None}
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ValueError(f"stack {stack['name']}, access_keys_csv {stack['access_keys_csv']}: {reason}") from None
        for part in ("access_key_id", "secret_access_key"):
            result.append(
                {
                    "name": stack[f"{part}_parameter"],
                    "value": pair[part],
                    "type": "SecureString",
                    "key_id": foundation["kms_key_arn"],
                    "description": f"{part} of the Terraform stack {stack['name']}",
                    "tags": names.stack_tags(foundation, stack),
                }
            )
    return result
