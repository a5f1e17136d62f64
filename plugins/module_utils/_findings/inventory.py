# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Everything of our types that an account has: one listing per type and region, all at once, and how each ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Iterable

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, error_code
from ansible_collections.gitops.aws.plugins.module_utils._findings import expressions
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import (
    COMPLETE,
    DENIED,
    FAILED,
    THROTTLED,
    UNSUPPORTED,
    Call,
    Listing,
    Resource,
    Type,
)

REFUSALS = (
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "UnauthorizedOperation",
    "403",
)
THROTTLES = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "SlowDown",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
)
# The service is not there, or not for this account: there is nothing of the type, but nobody may rely on it.
NOT_THERE = (
    "InvalidAction",
    "OptInRequired",
    "SubscriptionRequiredException",
    "UnknownOperationException",
    "UnsupportedOperation",
)


@dataclass(frozen=True)
class Caller:
    """Who runs the scan, and where."""

    account: str
    partition: str
    arn: str


def whoami(aws: Aws) -> Caller:
    """The caller, from STS."""
    answer = aws.client("sts").get_caller_identity()
    return Caller(answer["Account"], answer["Arn"].split(":")[1], answer["Arn"])


class Inventory:
    """The account's resources of some types.

    Attributes:
        resources: by ARN.
        stamp: of the plan that is carried out, for {stamp}.
        listings: one for each type and region; '' is the region of types that are account-wide.
    """

    def __init__(self, aws: Aws, caller: Caller, regions: list[str]) -> None:
        self.caller = caller
        self.regions = regions
        self.stamp = ""
        self.resources: dict[str, Resource] = {}
        self.listings: list[Listing] = []
        self._listing: dict[tuple[str, str], Listing] = {}
        self._of_region = {region: aws.in_region(region) for region in regions}

    def aws(self, region: str) -> Aws:
        """The connection to a region; to the first one for what is of the account."""
        return self._of_region.get(region) or self._of_region[self.regions[0]]

    def read(self, kinds: Iterable[Type]) -> None:
        """Lists these types in all regions. Types that are parts of the same answer share it."""
        groups: dict[tuple[str, ...], list[Type]] = {}
        for kind in kinds:
            call = kind.list
            for region in [""] if kind.account_wide else self.regions:
                what = (region, kind.service, call.operation, json.dumps(call.parameters, sort_keys=True))
                groups.setdefault(what, []).append(kind)
        for region, service, _operation, _parameters in groups:
            self.aws(region).client(service)  # boto3 makes clients in one thread only
        for listed in self.aws("").map(lambda what: self._list(what[0], groups[what]), groups):
            for found, listing in listed:
                self.listings.append(listing)
                self._listing[listing.type, listing.region] = listing
                for resource in found:
                    self.resources[resource.arn] = resource

    def listing(self, resource: Resource) -> Listing:
        """How the listing that the resource is of has ended."""
        region = "" if resource.type.account_wide else resource.region
        return self._listing[resource.type.name, region]

    def _list(self, region: str, kinds: list[Type]) -> list[tuple[list[Resource], Listing]]:
        found: dict[str, list[Resource]] = {kind.name: [] for kind in kinds}
        status, message = COMPLETE, ""
        try:
            for page in _pages(self.aws(region), kinds[0].service, kinds[0].list, {"region": region, **self._words()}):
                for kind in kinds:
                    for element in expressions.value(kind.list.result, page) or []:
                        resource = self._resource(kind, element, region)
                        if resource:
                            found[kind.name].append(resource)
        except (ClientError, BotoCoreError) as error:
            status, message = ending(error), str(error)
        return [(found[k.name], Listing(k.name, region, status, len(found[k.name]), message)) for k in kinds]

    def _resource(self, kind: Type, element: Any, region: str) -> Resource | None:
        """The element as a resource; None for what is gone already, or in a region that was not asked for."""
        made = resource_of(kind, element, region, self.caller)
        if made is None or (made.region and made.region not in self.regions):
            return None
        return made

    def again(self, resource: Resource) -> Resource | None:
        """The resource as it is now, None where it is gone. Raises ClientError."""
        return self.one(resource.type, resource.id, resource.region, resource.arn)

    def one(self, kind: Type, identity: str, region: str, arn: str = "") -> Resource | None:
        """The resource of a type with this id; None where there is none. Raises ClientError."""
        words = {"id": identity, "arn": arn, "name": identity, "region": region, **self._words()}
        element = answer_to(self.aws(region), kind.service, kind.read, words)
        return resource_of(kind, element, "" if kind.account_wide else region, self.caller) if element else None

    def complete(self, resource: Resource) -> None:
        """Makes the further reads of the resource's type, once. Raises ClientError."""
        if resource.completed:
            return
        kind, aws = resource.type, self.aws(resource.region)
        words = self.words(resource)
        resource.learn({name: answer_to(aws, kind.service, call, words) for name, call in kind.more.items()})

    def words(self, resource: Resource, **more: Any) -> dict[str, Any]:
        """What stands for {id} and so on in the calls of a resource."""
        return {
            "id": resource.id,
            "arn": resource.arn,
            "name": resource.title,
            "region": resource.region,
            **self._words(),
            **more,
        }

    def _words(self) -> dict[str, Any]:
        return {"account": self.caller.account, "partition": self.caller.partition, "stamp": self.stamp}


def ending(error: BaseException) -> str:
    """What an error means for a listing."""
    code = error_code(error)
    for status, codes in ((DENIED, REFUSALS), (THROTTLED, THROTTLES), (UNSUPPORTED, NOT_THERE)):
        if code in codes:
            return status
    return FAILED


def of_service(service: str, operation: str) -> tuple[str, str]:
    """The service and the operation of a call of a type, which may be another service's."""
    other, _dot, name = operation.rpartition(".")
    return other or service, name


def answer_to(aws: Aws, service: str, call: Call, words: dict[str, Any]) -> Any:
    """What counts of the answer to a call; None where AWS says that there is none. Raises ClientError."""
    where, operation = of_service(service, call.operation)
    result = call.result.replace("{stamp}", words.get("stamp", ""))
    try:
        found = [
            expressions.value(result, page) for page in _pages(aws, where, Call(operation, call.parameters), words)
        ]
    except ClientError as error:
        if error_code(error) in call.missing:
            return None
        raise
    if len(found) > 1 and all(isinstance(part, list) for part in found):
        return [one for part in found for one in part]
    return next((part for part in found if part is not None), None)


def resource_of(kind: Type, element: Any, region: str, caller: Caller) -> Resource | None:
    """An element of a list as a resource; None for what only seems to be there, such as a terminated instance."""
    if not isinstance(element, dict):
        element = {"value": element}  # a list of names, or of URLs
    if expressions.value(kind.gone, element):
        return None
    identity = str(expressions.value(kind.id, element))
    where = "" if kind.account_wide else region
    if kind.region:
        where = expressions.value(kind.region, element) or where
    words = {"id": identity, "name": identity, "region": where, "account": caller.account}
    words["partition"] = caller.partition
    template = kind.arn.startswith("arn:")
    arn = expressions.filled(kind.arn, words) if template else str(expressions.value(kind.arn, element))
    return Resource(kind, identity, arn, where, element)


def _pages(aws: Aws, service: str, call: Call, words: dict[str, Any]) -> Iterable[Any]:
    client, parameters = aws.client(service), expressions.filled(call.parameters, words)
    if client.can_paginate(call.operation):
        yield from client.get_paginator(call.operation).paginate(**parameters)
    else:
        yield getattr(client, call.operation)(**parameters)
