# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The frame of the modules that do one thing, such as starting a build: arguments in, result out."""

from __future__ import annotations

from typing import Any, Callable

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._answers import understood
from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, explain
from ansible_collections.gitops.aws.plugins.module_utils._module import aws_module, refuse

Params = dict[str, Any]


def run_single(
    arguments: dict[str, Any],
    act: Callable[[Aws, Params], dict[str, Any]],
    what: Callable[[Params], str],
    problems: Callable[[Params], list[str]] = lambda params: [],
    secrets: Callable[[Params], list[str]] = lambda params: [],
    **constraints: Any,
) -> None:
    """The whole of such a module.

    Args:
        arguments: the argument spec.
        act: does it; what it returns is the result, a failure where `failed` is in it.
        what: the resource in words, such as `pipeline gitops-network`, for errors.
        problems: what is wrong with the arguments, found before any call.
        secrets: the values among the arguments that results must not show.
        constraints: between the arguments, such as required_if.
    """
    module = aws_module(arguments, **constraints)
    aws = Aws(module)
    with understood(module, lambda: what(module.params), aws.calls):
        module._module.hide(secrets(module.params))
        refuse(module, problems(module.params))
        try:
            result = act(aws, module.params)
        except (ClientError, BotoCoreError, Refused) as error:
            module.fail_json(msg=explain(error, what(module.params)), api_calls=dict(sorted(aws.calls.items())))
    result["api_calls"] = dict(sorted(aws.calls.items()))
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)
