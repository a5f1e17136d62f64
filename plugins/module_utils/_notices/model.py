# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The words of notices: what people are told of, what came of it, and what the parts are called in AWS."""

from __future__ import annotations

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation

# What recipients choose from. A test is told to all of them.
EVENTS = ("succeeded", "failed", "approval", "drift", "break_glass", "lock")
TEST = "test"

# What came of it, and the event that this is.
RESULTS = {
    "succeeded": "succeeded",
    "failed": "failed",
    "rejected": "failed",
    "stopped": "failed",
    "waiting": "approval",
    "found": "drift",
    "used": "break_glass",
    "held": "lock",
    "test": TEST,
}

SOURCE = "gitops.aws"  # of the events that carry notices on the default bus
DETAIL_TYPE = "Notice"


def notices(foundation: Foundation, part: str = "") -> str:
    """The topic, the state machine and its role; with a part a rule or another role: runs, approvals, locks, events."""
    return f"{foundation['name']}-notices" + (f"-{part}" if part else "")


def undelivered(foundation: Foundation) -> str:
    """The queue of what could not be delivered, and the alarm on it."""
    return f"{foundation['name']}-undelivered"


def recipient(foundation: Foundation, name: str) -> str:
    """The connection and the API destination of a recipient; in chat applications, the configuration of its channel."""
    return f"{foundation['name']}-{name}"


def chat_topic(foundation: Foundation, name: str) -> str:
    """The topic that Amazon Q Developer in chat applications listens to for a recipient: it knows no filters."""
    return f"{foundation['name']}-chat-{name}"


def aws_topic(foundation: Foundation) -> str:
    """The topic of AWS's own notification rules."""
    return f"{foundation['name']}-aws-notices"


def topic_arn(foundation: Foundation) -> str:
    """Where notices are published."""
    return names.arn(foundation, "sns", notices(foundation))


def machine_arn(foundation: Foundation) -> str:
    """What composes the notices."""
    return names.arn(foundation, "states", f"stateMachine:{notices(foundation)}")


def queue_arn(foundation: Foundation) -> str:
    """The queue of what could not be delivered."""
    return names.arn(foundation, "sqs", undelivered(foundation))


def role_arn(foundation: Foundation, part: str = "") -> str:
    """The state machine's role; with the part `events` that of the rules."""
    return names.arn(foundation, "iam", f"role/{notices(foundation, part)}", "")
