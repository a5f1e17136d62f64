# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""All types of resources that we know."""

from __future__ import annotations

from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Type
from ansible_collections.gitops.aws.plugins.module_utils._findings.types import (
    balancing,
    compute,
    identity,
    messaging,
    network,
    security,
    serverless,
    storage,
)

_FILES = (compute, network, balancing, storage, serverless, messaging, identity, security)

ALL: dict[str, Type] = {kind.name: kind for file in _FILES for kind in file.TYPES}

REMOVABLE = sorted(name for name, kind in ALL.items() if kind.remove)

NAMED_BY = frozenset(attribute for kind in ALL.values() for attribute in kind.named_by)
