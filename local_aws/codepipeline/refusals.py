# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The errors with which CreatePipeline and UpdatePipeline refuse a structure."""

from __future__ import annotations

from local_aws.aws_json import AwsError


def structure(message: str) -> AwsError:
    """Something is wrong with the pipeline or one of its stages."""
    return AwsError("InvalidStructureException", message)


def declaration(message: str) -> AwsError:
    """Something is wrong with an action."""
    return AwsError("InvalidActionDeclarationException", message)


def unique(names: list[str], message: str) -> None:
    """Raises structure() when a name is there twice."""
    for name in names:
        if names.count(name) > 1:
            raise structure(f"{message}. {name} is used more than once")
