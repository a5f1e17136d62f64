# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Why runs fail, or would: from what ought to be and what was read in AWS to findings. Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils import _diagnosis_roles as roles
from ansible_collections.gitops.aws.plugins.module_utils import _diagnosis_runs as runs
from ansible_collections.gitops.aws.plugins.module_utils import _diagnosis_settings as settings
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_findings import Facts, Finding


def diagnose(
    stacks: list[dict[str, Any]], foundation: dict[str, Any], facts: Facts, closer: bool = False
) -> list[Finding]:
    """All findings: of the estate, then of each stack its settings and its runs.

    Args:
        stacks: as the filter gitops.aws.stack_expectations gives them.
        foundation: what they share.
        facts: what was read.
        closer: whether somebody asks for these stacks, and wants to hear of a run that is just going on, too.
    """
    found = _unread(facts) + settings.of_estate(foundation, facts)
    of_all = len(found)
    for stack in stacks:
        used = settings.used_by(stack, foundation, facts)
        own = settings.of_stack(stack, foundation, facts)
        if "roles" not in facts.unread:
            own += [finding for role in stack["roles"] for finding in roles.find(stack, role, used, facts)]
        own += settings.of_locks(stack, facts, closer)
        for run in facts.runs:
            if run["stack"] == stack["name"]:
                own += runs.find(run, stack, foundation, facts, [*found[:of_all], *own])
        found += own
    return _once(found)


def _unread(facts: Facts) -> list[Finding]:
    """Where nothing could be read nothing is found, and that must not look like health."""
    return [
        Finding(
            "not-readable",
            "",
            what,
            f"It could not be read ({what}), so that nothing is known about it.",
            why,
            "Run doctor with credentials that have the policy doctor.json of gitops.aws.policies",
        )
        for what, why in facts.unread.items()
    ]


def _once(findings: list[Finding]) -> list[Finding]:
    """Each cause once: two actions of a run may fail by the same."""
    seen: dict[tuple[str, str, str, str], Finding] = {}
    for finding in findings:
        seen.setdefault((finding.id, finding.stack, finding.resource, finding.cause), finding)
    return list(seen.values())
