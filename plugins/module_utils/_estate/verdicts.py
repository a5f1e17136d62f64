# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What came of the attempts on an installation, a line for each."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.attempts import ADMINISTRATOR, OWN_WORK
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack

Line = dict[str, str]

# Nobody but an organisation can refuse these.
OF_ADMINISTRATORS = {
    "make a role of a spared name, or trust himself in one": "scp_identities.json",
    "change a pipeline, or start a build of his own": "scp_pipeline.json",
}


def verdicts(answers: list[dict[str, Any]], foundation: Foundation, stack: Stack, differing: list[str]) -> list[Line]:
    """A line for each attempt: who, what, how it was found out, what was expected, `observed`, and what decided.

    Args:
        answers: of gitops.aws.iam_access_info to attempts().
        foundation: what the stacks share, with `authors`.
        stack: the stack that was attacked.
        differing: those of its build projects and pipelines that are not as site.yml makes them.

    Returns:
        observed is what was expected, refused or allowed; what was not, GOT THROUGH, REFUSED or NOT THERE; or, where
        this installation cannot refuse it, `open`.
    """
    return [*simulated(answers), *settled(foundation, stack, differing), *left_open(foundation)]


def simulated(answers: list[dict[str, Any]]) -> list[Line]:
    """The lines of what IAM was asked."""
    lines = []
    for one in answers:
        who, _colon, what = one["name"].partition(": ")
        own_work, by = what.startswith(OWN_WORK), ", ".join(one["decided_by"]) or "no policy allows it"
        if one["missing"]:
            observed, by = "NOT THERE", "IAM knows no such role, or there is no such resource"
        elif one["allowed"]:
            observed = "allowed" if own_work else "GOT THROUGH"
        else:
            observed = "REFUSED" if own_work else "refused"
        # Those of our own policies are known not to be there.
        unknown = [key for key in one.get("unknown_keys", []) if not key.startswith("kms:EncryptionContext:")]
        if unknown and observed == "refused":
            by += f" (which also asks for {', '.join(unknown)})"
        lines.append(_line(who, what, "simulation", observed, by, "allowed" if own_work else "refused"))
    return lines


def settled(foundation: Foundation, stack: Stack, differing: list[str]) -> list[Line]:
    """What no policy can refuse, and the builds do: as long as projects and pipelines are those that site.yml makes."""
    ours = ("refused", "the build")
    if differing:
        ours = ("GOT THROUGH", f"not as site.yml makes it: {', '.join(differing)}")
    if not stack["approval"]:
        author = ("open", "approval is false")
    elif not foundation.get("authors"):
        author = ("open", "settings.authors says nobody's e-mail address")
    else:
        author = ours
    return [
        _line(who, what, "settings", *found)
        for who, what, found in (
            ("commit", "change what a build does", ours),
            ("commit", "be deployed from another branch", ours),
            ("plan", "be applied though another was approved", ours),
            ("author", "approve his own commit", author),
        )
    ]


def left_open(foundation: Foundation) -> list[Line]:
    """What this installation cannot refuse: what AWS has no policies for, and what belongs to somebody else."""
    theirs = [foundation[part] for part in names.MADE if part in foundation["existing"]]
    if foundation["named_key_arn"]:
        theirs.append(foundation["named_key_arn"])
    return [
        *(
            _line(ADMINISTRATOR, what, "-", "open", f"only {policy} refuses it")
            for what, policy in OF_ADMINISTRATORS.items()
        ),
        *(_line(ADMINISTRATOR, f"get at {one}", "-", "open", "it is yours, and so is its policy") for one in theirs),
    ]


def _line(who: str, what: str, how: str, observed: str, by: str, expected: str = "refused") -> Line:
    return {"who": who, "what": what, "how": how, "expected": expected, "observed": observed, "by": by}
