# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services that local AWS adds to MiniStack, and how requests find them.

Import it only after server.py has prepared the environment: MiniStack reads it when it is imported.
"""

from __future__ import annotations

from ministack import app
from ministack.core import iam_actions, router

from local_aws import chatbot, codecommit, codeconnections, notification_rules, resource_explorer
from local_aws.aws_json import JsonService
from local_aws.codebuild.service import SERVICE as CODEBUILD
from local_aws.codepipeline.service import SERVICE as CODEPIPELINE

SERVICES: dict[str, JsonService] = {
    "chatbot": chatbot.SERVICE,
    "codebuild": CODEBUILD,
    "codecommit": codecommit.SERVICE,
    "codeconnections": codeconnections.SERVICE,
    "codestar-connections": codeconnections.OLD_SERVICE,
    "codestar-notifications": notification_rules.SERVICE,
    "codepipeline": CODEPIPELINE,
    "resource-explorer-2": resource_explorer.SERVICE,
}

_TARGET_PREFIXES: dict[str, list[str]] = {
    # Without any, a service is known by its name in the signature.
    "chatbot": [],
    "codebuild": ["CodeBuild_20161006."],
    "codecommit": codecommit.TARGET_PREFIXES,
    **codeconnections.TARGET_PREFIXES,
    "codestar-notifications": [],
    "codepipeline": ["CodePipeline_20150709."],
    "resource-explorer-2": [],
}


def register() -> None:
    """Put the services into MiniStack's tables of handlers and routes."""
    for name, service in SERVICES.items():
        app.SERVICE_HANDLERS[name] = service.handle
        router.SERVICE_PATTERNS[name] = {
            "target_prefixes": _TARGET_PREFIXES[name],
            "host_patterns": [rf"{name}\."],
            "credential_scope": name,
        }
        # Without a namespace MiniStack only authenticates the call; JsonService authorizes it on its own resources.
        iam_actions.SERVICE_TO_IAM_NAMESPACE.pop(name, None)
