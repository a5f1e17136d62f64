# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For every run of pytest."""

from __future__ import annotations

import functools
import os
from typing import Any

import boto3.session
import botocore.client
import botocore.loaders
import botocore.session

_MODELS = botocore.loaders.create_loader()
_create_loader = botocore.session.create_loader
_Session = boto3.session.Session
_create_client_class = botocore.client.ClientCreator._create_client_class
_classes: dict[str, type] = {}


def pytest_configure() -> None:
    """Makes clients of botocore's quickly: modules make one for each service that they need.

    On a machine each module is a process, or a fork, of its own; here thousands run in one. They share botocore's
    models of services, the classes that it makes of them, and its sessions, but for those that would find other
    credentials or settings in the environment.
    """
    botocore.session.create_loader = lambda path=None: _create_loader(path) if path else _MODELS
    botocore.client.ClientCreator._create_client_class = lambda self, service_name, service_model: (
        _classes.get(service_name)
        or _classes.setdefault(service_name, _create_client_class(self, service_name, service_model))
    )
    boto3.session.Session = lambda **given: _session(
        tuple(given.items()), tuple((name, value) for name, value in os.environ.items() if name.startswith("AWS_"))
    )


@functools.cache
def _session(given: tuple[tuple[str, Any], ...], _environment: tuple[tuple[str, str], ...]) -> Any:
    return _Session(**dict(given))
