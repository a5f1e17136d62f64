# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checked stacks and what they share, as the playbooks hand them to the filters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate import names, spec

ROOT = Path(__file__).resolve().parents[5]
ACCOUNT = "111122223333"
REGION = "eu-central-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55"
CONNECTION = f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/4dfa8f62-2a3c-4f57-9a52-0f2f5d3f1c55"


@pytest.fixture
def stack() -> Callable[..., dict[str, Any]]:
    """Makes a checked stack `network`, with the values given."""

    def make(**values: Any) -> dict[str, Any]:
        given = {"name": "network", "repository": "acme/infrastructure", **values}
        _settings, stacks, problems = spec.check(
            {"region": REGION, "connection": "github", "sealed": False}, [given], [REGION]
        )
        assert problems == []
        return stacks[0]

    return make


@pytest.fixture
def foundation() -> Callable[..., dict[str, Any]]:
    """Makes a foundation as the roles pass it on, with the settings given."""

    def make(**values: Any) -> dict[str, Any]:
        given = {
            "region": REGION,
            "connection": "github",
            "kms_key_arn": KEY,
            "installers": ["role/platform"],
            **values,
        }
        settings, _stacks, problems = spec.check(given, [], [REGION])
        assert problems == []
        boundary = settings["permissions_boundary"] or ""
        shared = names.foundation_of(settings, ACCOUNT, "aws")
        own = {"permissions_boundary": boundary, "authors": settings["authors"]}
        return {**shared, "connection_arn": CONNECTION, **own}

    return make


@pytest.fixture(scope="session")
def buildspecs() -> dict[str, str]:
    """The buildspecs that the collection brings, by step, and their parts by name."""
    texts = {
        step: (ROOT / "buildspecs" / f"buildspec_{step}.yml").read_text(encoding="utf-8")
        for step in ("plan", "apply", "destroy", "review")
    }
    return texts | {file.name: file.read_text(encoding="utf-8") for file in (ROOT / "buildspecs" / "parts").iterdir()}
