# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A local AWS for each file of tests: a scan sees everything in an account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local_aws.cli import put_user
from tests.integration.conftest import running
from tests.integration.modules.conftest import service_models_are_parsed_once  # noqa: F401
from tests.integration.modules.harness import Account

EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Endpoint URL and data directory."""
    with running(tmp_path_factory.mktemp("local-aws")) as aws:
        yield aws


@pytest.fixture(scope="module")
def account(local_aws: tuple[str, Path]) -> Account:
    """That local AWS, with one user who runs the modules and one who looks and plants."""
    endpoint_url, data = local_aws
    users: list[Any] = [put_user(endpoint_url, name, EVERYTHING) for name in ("scanner", "onlooker")]
    return Account(endpoint_url, data, *users)
