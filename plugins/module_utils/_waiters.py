# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Waiting for what AWS does by itself: botocore's waiters, for operations that botocore brings none for."""

from __future__ import annotations

from typing import Any

try:
    from botocore.exceptions import ClientError, WaiterError
except ImportError:  # AnsibleAWSModule reports the missing library
    ClientError = WaiterError = Exception

from ansible_collections.amazon.aws.plugins.module_utils.waiter import BaseWaiterFactory, custom_waiter_config

from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused
from ansible_collections.gitops.aws.plugins.module_utils._outcomes import ENDED


def _is(argument: str, expected: Any, state: str) -> dict[str, Any]:
    """An acceptor: the waiter gets this state when the value at a JMESPath of the answer is the expected one."""
    return {"matcher": "path", "argument": argument, "expected": expected, "state": state}


# Delay and maxAttempts are botocore's to have; wait() says its own.
_EACH = {"delay": 3, "maxAttempts": 1200}

# Throttled calls that botocore has repeated in vain: in an hour of waiting that is no reason to give up. amazon.aws
# adds its own list of such errors, in which this one is missing.
_THROTTLED = {"matcher": "error", "expected": "ThrottlingException", "state": "retry"}

WAITERS: dict[str, Any] = {
    "build_ended": {
        **_EACH,
        "operation": "BatchGetBuilds",
        "acceptors": [
            _is("length(builds)", 0, "failure"),
            _is("builds[0].buildComplete", True, "success"),
            _THROTTLED,
        ],
    },
    "execution_ended": {
        **_EACH,
        "operation": "GetPipelineExecution",
        "acceptors": [
            *(_is("pipelineExecution.status", status, "success") for status in ENDED),
            _THROTTLED,
        ],
    },
    "connection_available": {
        **_EACH,
        "operation": "GetConnection",
        "acceptors": [
            _is("Connection.ConnectionStatus", "AVAILABLE", "success"),
            _is("Connection.ConnectionStatus", "ERROR", "failure"),
            _THROTTLED,
        ],
    },
    "event_connection_authorized": {
        **_EACH,
        "operation": "DescribeConnection",
        "acceptors": [
            *(_is("ConnectionState", state, "success") for state in ("AUTHORIZED", "ACTIVE")),
            *(
                _is("ConnectionState", state, "failure")
                for state in ("DEAUTHORIZED", "DEAUTHORIZING", "DELETING", "FAILED_CONNECTIVITY")
            ),
            _THROTTLED,
        ],
    },
}

# Seconds: between two looks; and that AWS may take to tell of what was done a moment ago.
LONGEST_PAUSE = 300
GRACE = 15

# So many looks in a row may fail: a network, or AWS, is away for a moment, or AWS does not know yet
# what it has just started.
FAILED_LOOKS = 3

# What it means that a waiter can wait no longer.
IN_VAIN = {
    "build_ended": "there is no such build any more",
    "connection_available": "the connection is in the state ERROR. Fix: delete it and make it again",
    "event_connection_authorized": "EventBridge could not authorise the connection",
}


class _Factory(BaseWaiterFactory):
    @property
    def _waiter_model_data(self) -> dict[str, Any]:
        return WAITERS


def time_problems(params: dict[str, Any]) -> list[str]:
    """What is wrong with the options that say how long to wait, and how often to look; found without a call."""
    timeout, pause = params["wait_timeout"], params["poll_interval"]
    found = []
    if timeout < 0:
        found.append(f"wait_timeout: {timeout} is not allowed, it must be 0 or more seconds")
    if not 1 <= pause <= LONGEST_PAUSE:
        found.append(f"poll_interval: {pause} is not allowed, it must be from 1 to {LONGEST_PAUSE} seconds")
    return found


def wait(client: Any, name: str, timeout: int, pause: int, **arguments: Any) -> bool:
    """Waits until something is so.

    Args:
        client: boto3's client of the service.
        name: one of WAITERS.
        timeout: how long to wait, in seconds.
        pause: between two looks, in seconds, 1 at least.
        arguments: of the operation that the waiter looks with.

    Returns:
        Whether it is so; False when the time was over first.

    Raises:
        Refused: it cannot become so any more.
        ClientError: AWS refused a look.
    """
    waiter = _Factory().get_waiter(client, name)
    try:
        waiter.wait(WaiterConfig=custom_waiter_config(timeout, max(1, pause)), **arguments)
    except WaiterError as error:
        if "Error" in error.last_response:
            raise ClientError(error.last_response, WAITERS[name]["operation"]) from error
        # botocore tells its two other reasons apart by words only.
        if "Max attempts exceeded" in str(error):
            return False
        raise Refused(IN_VAIN[name]) from error
    return True
