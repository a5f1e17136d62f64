# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What is not as it is promised to be: answers of AWS's, and arguments that hold what something else has returned.

botocore hands over what it has received: a proxy's page with the status 200 becomes an answer without members. No code
that reads answers can ask for each member whether it is there, so that this is said once, around all of it.
"""

from __future__ import annotations

import os
import traceback
from contextlib import contextmanager
from typing import Any, Callable, Iterator

try:
    from botocore.parsers import ResponseParserError
except ImportError:  # AnsibleAWSModule reports the missing library
    ResponseParserError = ValueError

# What Python says where something is missing, or of another type.
MISFITS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    StopIteration,
    TypeError,
    ValueError,
)


def is_misfit(error: BaseException) -> bool:
    """Whether an error says that, or that an answer could not be read at all."""
    return isinstance(error, (ResponseParserError, *MISFITS))


def lack(error: BaseException) -> str:
    """What is not as promised, in words. Nothing of its content: it may be secret."""
    if isinstance(error, KeyError):
        return f"it lacks {error}"
    if isinstance(error, ResponseParserError) and ResponseParserError is not ValueError:
        return "it cannot be read at all"
    return "something in it is of another kind, or there is less of it"


def misunderstood(error: BaseException, what: str, calls: dict[str, int]) -> str:
    """Such an error in words: what it is about, where it was found, and what helps.

    Args:
        error: a misfit.
        what: the resource in words, such as `IAM role gitops-network-plan`.
        calls: how many there were of each operation.
    """
    place = traceback.extract_tb(error.__traceback__)[-1]
    found = f"{place.name}, {os.path.basename(place.filename)} line {place.lineno}"
    if not calls:
        return f"{what}: an argument is not what it must be: {lack(error)} ({found}). Fix: give it as it was returned."
    return (
        f"{what}: an answer is not as AWS's API promises it, or an argument is not what it must be: {lack(error)} "
        f"({found}; called were {', '.join(sorted(calls))}). What was done before is kept. Fix: give an argument that "
        "something else has returned as it was returned; else run again, and if that does not help, see what answers "
        "in AWS's place, such as a proxy or endpoint_url, and which version botocore has. If that is right, this is a "
        "bug in gitops.aws."
    )


@contextmanager
def understood(module: Any, what: Callable[[], str], calls: dict[str, int]) -> Iterator[None]:
    """Around all that a module does: what cannot be understood ends it in words.

    Args:
        module: an AnsibleAWSModule.
        what: says what it is about.
        calls: those so far, by operation.
    """
    try:
        yield
    except Exception as error:
        if not is_misfit(error):
            raise
        module.fail_json(msg=misunderstood(error, what(), calls), api_calls=dict(sorted(calls.items())))
