# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that never call, with answers that a test prepares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws


@cache
def make_clients() -> dict[str, Any]:
    """Clients that never call. Made once: most of these tests' time."""
    keys = {"region_name": "eu-central-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
    services = ("codepipeline", "codebuild", "codeconnections", "dynamodb", "events", "iam", "logs", "s3", "sts")
    return {service: boto3.client(service, **keys) for service in services}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Makes the clients before the first test: ansible-test gives each test a process of its own, a fork of this."""
    if any("clients" in getattr(item, "fixturenames", ()) for item in session.items):
        make_clients()


@pytest.fixture(scope="session")
def clients() -> dict[str, Any]:
    return make_clients()


@pytest.fixture
def stubs(clients: dict[str, Any]) -> Iterator[dict[str, Stubber]]:
    """A stubber for each client; every answer that was prepared must have been asked for."""
    made = {service: Stubber(client) for service, client in clients.items()}
    for stub in made.values():
        stub.activate()
    yield made
    for stub in made.values():
        stub.assert_no_pending_responses()
        stub.deactivate()


@pytest.fixture
def aws(clients: dict[str, Any]) -> Callable[..., Aws]:
    def make(check_mode: bool = False) -> Aws:
        connection = Aws(SimpleNamespace(check_mode=check_mode))
        connection._clients.update(clients)
        return connection

    return make
