# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What there is of types that the catalogue does not know, as far as AWS's own indexes tell: for the report only.

The Tagging API knows what has, or had, a tag. Resource Explorer knows the untagged, too, where the account has an
index, and is late by minutes to hours. Neither is an inventory, and nothing that they say is ever removed.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable, Iterable

from ansible_collections.gitops.aws.plugins.module_utils._aws import error_code
from ansible_collections.gitops.aws.plugins.module_utils._findings.expressions import written
from ansible_collections.gitops.aws.plugins.module_utils._findings.inventory import ending
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import (
    COMPLETE,
    DENIED,
    UNSUPPORTED,
    Listing,
    Type,
)

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

TAGGING, EXPLORER = "tagging", "resource_explorer"

# Services whose ARNs name the resource alone: arn:aws:sns:eu-central-1:123456789012:alarms.
_ONE_KIND = ("s3", "sns", "sqs")

# The kinds of ARNs, of types whose ARN AWS gives rather than a text of the catalogue.
_KINDS = {
    "aws_acm_certificate": "acm:certificate",
    "aws_autoscaling_group": "autoscaling:autoScalingGroup",
    "aws_cloudwatch_event_rule": "events:rule",
    "aws_cloudwatch_log_group": "logs:log-group",
    "aws_db_instance": "rds:db",
    "aws_dynamodb_table": "dynamodb:table",
    "aws_ecr_repository": "ecr:repository",
    "aws_efs_file_system": "elasticfilesystem:file-system",
    "aws_iam_group": "iam:group",
    "aws_iam_instance_profile": "iam:instance-profile",
    "aws_iam_policy": "iam:policy",
    "aws_iam_role": "iam:role",
    "aws_iam_user": "iam:user",
    "aws_kms_key": "kms:key",
    "aws_lambda_function": "lambda:function",
    "aws_lb_target_group": "elasticloadbalancing:targetgroup",
    "aws_s3_bucket": "s3",
    "aws_secretsmanager_secret": "secretsmanager:secret",
    "aws_sns_topic": "sns",
    "aws_sqs_queue": "sqs",
    "aws_ssm_parameter": "ssm:parameter",
}
_LOAD_BALANCERS = tuple(f"elasticloadbalancing:loadbalancer/{kind}" for kind in ("app", "net", "gwy"))


@dataclass
class Breadth:
    """What the indexes tell.

    Attributes:
        entries: {arn, type, source, reported} each, by ARN; reported is when the index last saw it, or ''.
        beyond: how many more there are.
        unseen_types: how many of each kind, such as glue:job, the catalogue does not know; of all, not only of entries.
        listings: how the asking went, by source and region; a source that is denied or not there is no error.
    """

    entries: list[dict[str, str]] = field(default_factory=list)
    beyond: int = 0
    unseen_types: dict[str, int] = field(default_factory=dict)
    listings: list[Listing] = field(default_factory=list)


def look(
    aws_of_region: Callable[[str], Any],
    regions: list[str],
    catalogue: Iterable[Type],
    inventoried: Iterable[str] = (),
    *,
    explained: Callable[[str], bool] = lambda arn: False,
    limit: int = 1000,
) -> Breadth:
    """Asks both indexes in all regions.

    Args:
        aws_of_region: from a region to what has client(service), such as an Aws.
        regions: where to look.
        catalogue: the types that are judged elsewhere.
        inventoried: ARNs of resources of these types, whose kinds are known, too.
        explained: whether a state has, or names, an ARN.
        limit: entries at most; what is beyond is counted.
    """
    known = kinds_of(catalogue) | {kind(arn) for arn in inventoried}
    gathered = _Gathered(known, explained, limit)
    listings = [_ask(TAGGING, region, partial(_tagged, aws_of_region(region), gathered)) for region in regions]
    listings += _explore(aws_of_region, regions, gathered)
    return Breadth(
        entries=[gathered.entries[arn] for arn in sorted(gathered.entries)],
        beyond=len(gathered.beyond),
        unseen_types=dict(sorted(gathered.kinds.items())),
        listings=listings,
    )


def kind(arn: str) -> str:
    """What an ARN is of, as Resource Explorer names it: ec2:instance; the service alone where it says no more."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return ""
    service, name = parts[2], parts[5].lstrip("/")
    if service in _ONE_KIND:
        return service
    if balancer := re.match(r"loadbalancer/(app|net|gwy)/", name):
        return f"{service}:loadbalancer/{balancer.group(1)}"
    first = re.match(r"[^:/]+(?=[:/])", name)
    return f"{service}:{first.group()}" if first else service


def kinds_of(catalogue: Iterable[Type]) -> set[str]:
    """The kinds of ARNs of types."""
    found: set[str] = set()
    for one in catalogue:
        if one.name in _KINDS:
            found.add(_KINDS[one.name])
        elif one.name == "aws_lb":
            found.update(_LOAD_BALANCERS)
        elif one.arn.startswith("arn:"):
            found.add(kind(re.sub(r"\{partition\}", "aws", one.arn)))
    return found


class _Gathered:
    def __init__(self, known: set[str], explained: Callable[[str], bool], limit: int) -> None:
        self._known, self._explained, self._limit = known, explained, limit
        self.entries: dict[str, dict[str, str]] = {}
        self.beyond: set[str] = set()
        self.kinds: Counter[str] = Counter()

    def take(self, arn: str, source: str, reported: str = "") -> None:
        """Notes one resource, unless it is judged elsewhere."""
        if arn in self.entries:
            self.entries[arn]["reported"] = reported or self.entries[arn]["reported"]
            return
        of = kind(arn)
        if arn in self.beyond or of in self._known or self._explained(arn):
            return
        self.kinds[of] += 1
        if len(self.entries) < self._limit:
            self.entries[arn] = {"arn": arn, "type": of, "source": source, "reported": reported}
        else:
            self.beyond.add(arn)


def _tagged(aws: Any, gathered: _Gathered) -> int:
    seen = 0
    pages = aws.client("resourcegroupstaggingapi").get_paginator("get_resources")
    for page in pages.paginate(ResourcesPerPage=100):
        for element in page["ResourceTagMappingList"]:
            # It also gives what has lost its last tag, and what is gone, for a while: without tags.
            if element.get("Tags"):
                seen += 1
                gathered.take(element["ResourceARN"], TAGGING)
    return seen


def _explore(aws_of_region: Callable[[str], Any], regions: list[str], gathered: _Gathered) -> list[Listing]:
    """Resource Explorer: one index of all regions where there is one, else each region's own."""
    listings: list[Listing] = []
    indexes: dict[str, str] = {}
    for region in regions:
        asked = _ask(EXPLORER, region, partial(_index, aws_of_region(region), region, indexes))
        if region not in indexes:
            listings.append(asked)
    every = [region for region, of in indexes.items() if of == "AGGREGATOR"]
    if every:
        listings = []
    for region in every[:1] or indexes:
        wanted = {"", "global", *(regions if every else [region])}
        listings.append(_ask(EXPLORER, region, partial(_explored, aws_of_region(region), wanted, gathered)))
    return listings


def _index(aws: Any, region: str, indexes: dict[str, str]) -> int:
    indexes[region] = aws.client("resource-explorer-2").get_index()["Type"]
    return 0


def _explored(aws: Any, regions: set[str], gathered: _Gathered) -> int:
    seen = 0
    pages = aws.client("resource-explorer-2").get_paginator("list_resources")
    for page in pages.paginate(MaxResults=1000):
        for element in page["Resources"]:
            if element.get("Region", "") in regions:
                seen += 1
                gathered.take(element["Arn"], EXPLORER, written(element.get("LastReportedAt")))
    return seen


def _ask(source: str, region: str, ask: Callable[[], int]) -> Listing:
    """How the asking went. AWS's refusal is a line of the coverage, and no error."""
    try:
        return Listing(source, region, COMPLETE, seen=ask())
    except (ClientError, BotoCoreError) as error:
        if error_code(error) == "ResourceNotFoundException":
            return Listing(source, region, UNSUPPORTED, message="there is no index")
        if error_code(error) == "UnauthorizedException":
            return Listing(source, region, DENIED, message="no default view, or it may not be used")
        return Listing(source, region, ending(error), message=str(error))
