# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For every run of pytest."""

from __future__ import annotations

import botocore.loaders
import botocore.session

_MODELS = botocore.loaders.create_loader()
_create_loader = botocore.session.create_loader


def pytest_configure() -> None:
    """One loader of botocore's models of services, instead of one per client: 8 ms for a client instead of 45.

    Modules make a client of a session of its own for each service, and here thousands of modules run in one process.
    """
    botocore.session.create_loader = lambda path=None: _create_loader(path) if path else _MODELS
