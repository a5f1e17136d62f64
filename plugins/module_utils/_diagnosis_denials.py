# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What AWS says when it refuses a call, taken apart: who, which action, on what, and what kind of policy it was. Pure.

The forms are those of AWS's "Troubleshoot access denied error messages" and those that services had before, and have
still: S3's says nothing but that it is so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

IDENTITY, RESOURCE, BOUNDARY, SESSION, SCP, RCP, ENDPOINT = (
    "identity-based policy",
    "resource-based policy",
    "permissions boundary",
    "session policy",
    "service control policy",
    "resource control policy",
    "VPC endpoint policy",
)
_KINDS = "|".join((IDENTITY, RESOURCE, BOUNDARY, SESSION, SCP, RCP, ENDPOINT)).replace(" ", r"\s+")


@dataclass(frozen=True)
class Denial:
    """A refused call.

    Attributes:
        principal: ARN of who called, or ''.
        action: such as ec2:CreateVpc, or ''.
        resource: an ARN, `*` where AWS says none.
        kind: of the policy that lacks an Allow or has the Deny, '' where AWS does not say.
        explicit: whether a Deny is the reason.
        policy: the ARN of that policy, where AWS says it.
        encoded: an encoded authorization message, ''.
        text: what AWS said.
    """

    principal: str
    action: str
    resource: str
    kind: str = ""
    explicit: bool = False
    policy: str = ""
    encoded: str = ""
    text: str = ""


_ACTION = r"[A-Za-z][\w-]*:[A-Za-z*]\w*\*?"
_NOT_AUTHORIZED = re.compile(
    rf"(?:User: |Principal: )?(?P<principal>arn:\S+|[\w.-]+\.amazonaws\.com|CodeBuild|CodePipeline|anonymous)\s+is not "
    rf"authorized to perform:?\s*\[?(?P<action>{_ACTION}|AssumeRole)\]?"
    r"(?:\s+on(?:\s+the)?(?:\s+(?:resources?|role))?:?\s+(?P<resource>arn:[^\s\"',;]+|\*|service role))?"
)
_WHY = re.compile(
    rf"\s*[,.]?\s*(?:because\s+no\s+(?P<lacking>{_KINDS})\s+allows\b|with\s+an\s+explicit\s+deny"
    rf"(?:\s+in\s+an?\s+(?P<denying>{_KINDS})(?::\s*(?P<policy>arn:[^\s\"',;]+))?)?)",
    re.IGNORECASE,
)
NEAR = 200  # characters between a refusal and its encoded message
_ENCODED = re.compile(r"[Ee]ncoded authorization failure message: (?P<encoded>[\w+/=-]{20,})")
# Terraform's AWS provider: `operation error EC2: CreateVpc, https response error StatusCode: 403, ..., api error X`
_OPERATION = re.compile(
    r"operation error (?P<service>[\w ]+): (?P<operation>\w+), (?:(?!operation error).){0,300}?"
    r"api error (?P<code>AccessDenied\w*|UnauthorizedOperation|AuthorizationError\w*|Forbidden)\b"
)
_BUCKET = re.compile(
    r"does(?:n't| not) have the permissions required to access the Amazon S3 bucket named "
    r"(?P<bucket>[a-z0-9.-]+[a-z0-9])"
)
_CONNECTION = re.compile(
    r"Unable to use Connection: (?P<arn>arn:\S+?)\.? The provided role does not have sufficient permissions"
)
_LOG_STREAM = re.compile(
    r"Service role (?P<role>arn:\S+) does not allow AWS CodeBuild to create Amazon CloudWatch Logs"
)
_PLAIN = re.compile(r"(?:\bAccessDenied(?:Exception)?: Access Denied\b|\bstatus code: 403\b|StatusCode: 403\b)")

# Where the API's names of services and operations are not IAM's.
_PREFIXES = {
    "auto scaling": "autoscaling",
    "cloudwatch": "cloudwatch",
    "cloudwatch logs": "logs",
    "elastic load balancing": "elasticloadbalancing",
    "elastic load balancing v2": "elasticloadbalancing",
    "eventbridge": "events",
    "route 53": "route53",
    "secrets manager": "secretsmanager",
    "sfn": "states",
}
_OPERATIONS = {
    "s3:GetBucketAccelerateConfiguration": "s3:GetAccelerateConfiguration",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "s3:GetBucketReplication": "s3:GetReplicationConfiguration",
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjects": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}


def parse(text: str, principal: str = "") -> list[Denial]:
    """The refused calls that a text tells of, each once.

    Args:
        text: a message, or lines of a log without their decoration; Terraform breaks its lines.
        principal: the ARN of the role whose text it is, for messages that do not say who called.
    """
    text = " ".join(text.split())
    found: list[Denial] = []
    taken: list[tuple[int, int]] = []
    for match in _NOT_AUTHORIZED.finditer(text):
        why = _WHY.match(text, match.end())
        end = why.end() if why else match.end()
        encoded = _near(text, end)
        # AWS says the resource in the same breath; CodeBuild speaks of itself.
        who = match["principal"]
        action = match["action"] if ":" in match["action"] else f"sts:{match['action']}"
        found.append(
            Denial(
                principal=who if who.startswith("arn:") else principal or who,
                action=action,
                resource=(match["resource"] or "*").rstrip(".)"),
                kind=" ".join((why["lacking"] or why["denying"] or "").split()) if why else "",
                explicit=bool(why and not why["lacking"]),
                policy=(why["policy"] or "").rstrip(".)") if why else "",
                encoded=encoded["encoded"] if encoded else "",
                text=text[match.start() : min(len(text), end + 60)],
            )
        )
        taken.append((match.start(), encoded.end() if encoded else end))
    found += _others(text, principal, taken)
    seen: dict[Denial, Denial] = {}
    for denial in found:
        seen.setdefault(replace(denial, text="", encoded=""), denial)
    return list(seen.values())


def _near(text: str, end: int) -> re.Match[str] | None:
    """The encoded message that follows soon after a place in a text."""
    found = _ENCODED.search(text, end)
    return found if found and found.start() - end < NEAR else None


def _others(text: str, principal: str, taken: list[tuple[int, int]]) -> list[Denial]:
    """The forms that do not say who may not do what."""

    def new(match: re.Match[str], reach: int = 400) -> bool:
        return not any(match.start() < end and start < match.end() + reach for start, end in taken)

    found = []
    for match in _OPERATION.finditer(text):
        if new(match):
            encoded = _near(text, match.end())
            end = encoded.end() if encoded else match.end() + 60
            action = iam_action(match["service"], match["operation"])
            denial = Denial(principal, action, "*", text=text[match.start() : match.end() + 60])
            found.append(replace(denial, encoded=encoded["encoded"] if encoded else ""))
            taken.append((match.start(), end))
    for match in _BUCKET.finditer(text):
        found.append(
            Denial(principal, "", f"arn:aws:s3:::{match['bucket']}", text=text[match.start() : match.end() + 140])
        )
        taken.append((match.start(), match.end() + 140))
    for match in _CONNECTION.finditer(text):
        action = f"{match['arn'].split(':')[2]}:UseConnection"
        found.append(Denial(principal, action, match["arn"], IDENTITY, text=match[0]))
        taken.append(match.span())
    for match in _LOG_STREAM.finditer(text):
        if new(match):
            found.append(Denial(match["role"], "logs:CreateLogStream", "*", text=match[0]))
            taken.append(match.span())
    for match in _ENCODED.finditer(text):
        if new(match, 0):
            said = text[max(0, match.start() - 80) : match.end()]
            found.append(Denial(principal, "", "*", encoded=match["encoded"], text=said))
            taken.append(match.span())
    plain = None if found or taken else _PLAIN.search(text)
    if plain:
        found.append(Denial(principal, "", "*", text=text[max(0, plain.start() - 120) : plain.end() + 80]))
    return found


def iam_action(service: str, operation: str) -> str:
    """The IAM action of an API's operation, as far as it is known: most are called alike."""
    prefix = _PREFIXES.get(service.lower(), service.lower().replace(" ", ""))
    return _OPERATIONS.get(f"{prefix}:{operation}", f"{prefix}:{operation}")
