# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resource Explorer: indexes, views and searches over what all_resources.py finds, tagged or not.

A region has an index once somebody creates one; an aggregator index answers for every region that has one. An index
here is never late: LastReportedAt is the time of the question.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ministack.core.responses import request_scope

from local_aws import all_resources
from local_aws.aws_json import AwsError, Caller, JsonService, Response

_MOST_FOUND = 1000
_ON_A_VIEW = ("Search", "ListResources", "GetView", "DeleteView", "AssociateDefaultView")


@dataclass
class _Index:
    arn: str
    region: str
    type: str = "LOCAL"
    created: str = ""
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    default: str = ""


class ResourceExplorerService(JsonService):
    """The service. Its operations are paths: POST /Search."""

    service_name: ClassVar[str] = "resource-explorer-2"

    def __init__(self) -> None:
        self._indexes: dict[tuple[str, str], _Index] = {}

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]]
    ) -> Response:
        return await super().handle(method, path, {**headers, "x-amz-target": f".{path.strip('/')}"}, body, query)

    def resource_arns(self, operation: str, request: dict[str, Any], caller: Caller) -> list[str]:
        if operation not in _ON_A_VIEW:
            return ["*"]
        index = self._indexes.get((caller.account_id, caller.region))
        return [str(request.get("ViewArn") or (index.default if index else "") or "*")]

    # --- indexes and views

    def create_index(self, _request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        key = (caller.account_id, caller.region)
        if key in self._indexes:
            raise AwsError("ConflictException", "There is an index in this region already.", 409)
        arn = f"arn:aws:resource-explorer-2:{caller.region}:{caller.account_id}:index/{uuid.uuid4()}"
        index = self._indexes[key] = _Index(arn, caller.region, created=_now())
        return {"Arn": arn, "State": "CREATING", "CreatedAt": index.created}

    def update_index_type(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        index = self._index(caller)
        others = [each for (account, _), each in self._indexes.items() if account == caller.account_id]
        if request["Type"] == "AGGREGATOR" and any(each.type == "AGGREGATOR" for each in others if each is not index):
            raise AwsError("ServiceQuotaExceededException", "The account has an aggregator index already.", 402)
        index.type = request["Type"]
        return {"Arn": index.arn, "Type": index.type, "State": "UPDATING", "LastUpdatedAt": _now()}

    def delete_index(self, _request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        index = self._index(caller)
        del self._indexes[caller.account_id, caller.region]
        return {"Arn": index.arn, "State": "DELETING", "LastUpdatedAt": _now()}

    def get_index(self, _request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        index = self._index(caller)
        return {
            "Arn": index.arn,
            "Type": index.type,
            "State": "ACTIVE",
            "CreatedAt": index.created,
            "LastUpdatedAt": index.created,
        }

    def list_indexes(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        regions, of = request.get("Regions"), request.get("Type")
        return {
            "Indexes": [
                {"Arn": index.arn, "Region": index.region, "Type": index.type}
                for (account, region), index in self._indexes.items()
                if account == caller.account_id and region in (regions or [region]) and index.type == (of or index.type)
            ]
        }

    def create_view(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        index, name = self._index(caller), request["ViewName"]
        arn = f"arn:aws:resource-explorer-2:{caller.region}:{caller.account_id}:view/{name}/{uuid.uuid4()}"
        index.views[arn] = {
            "ViewArn": arn,
            "ViewName": name,
            "Owner": caller.account_id,
            "LastUpdatedAt": _now(),
            "Scope": f"arn:aws:iam::{caller.account_id}:root",
            "IncludedProperties": request.get("IncludedProperties", []),
            "Filters": request.get("Filters", {"FilterString": ""}),
        }
        return {"View": index.views[arn]}

    def list_views(self, _request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        index = self._indexes.get((caller.account_id, caller.region))
        return {"Views": list(index.views) if index else []}

    def get_view(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return {"View": self._view(request, caller)}

    def associate_default_view(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        view = self._view(request, caller)
        self._index(caller).default = view["ViewArn"]
        return {"ViewArn": view["ViewArn"]}

    def get_default_view(self, _request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return {"ViewArn": self._index(caller).default or None}

    # --- resources

    def search(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        view = self._view(request, caller)
        found = list(self._found(view, request["QueryString"], caller))
        answer = _page(found[:_MOST_FOUND], request, 100)
        count = {"TotalResources": min(len(found), _MOST_FOUND), "Complete": len(found) <= _MOST_FOUND}
        return {**answer, "ViewArn": view["ViewArn"], "Count": count}

    def list_resources(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        view = self._view(request, caller)
        found = list(self._found(view, request.get("Filters", {}).get("FilterString", ""), caller))
        return {**_page(found, request, 100), "ViewArn": view["ViewArn"]}

    def _index(self, caller: Caller) -> _Index:
        index = self._indexes.get((caller.account_id, caller.region))
        if index is None:
            raise AwsError("ResourceNotFoundException", "There is no index in this region.", 404)
        return index

    def _view(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        index = self._indexes.get((caller.account_id, caller.region))
        arn = request.get("ViewArn") or (index.default if index else "")
        if index is None or not arn:
            raise AwsError("UnauthorizedException", "There is no default view in this region.", 401)
        if arn not in index.views:
            raise AwsError("ResourceNotFoundException", f"There is no view {arn}.", 404)
        return index.views[arn]

    def _found(self, view: dict[str, Any], query: str, caller: Caller) -> Iterator[dict[str, Any]]:
        tests = [*_tests(view["Filters"]["FilterString"]), *_tests(query)]
        index = self._index(caller)
        regions = [
            region
            for account, region in self._indexes
            if account == caller.account_id and (index.type == "AGGREGATOR" or region == caller.region)
        ]
        seen: set[str] = set()
        for region in regions:
            with request_scope(caller.account_id, region):
                resources = list(all_resources.untagged_too())
            for arn, tags in sorted(resources, key=lambda each: each[0]):
                resource = _described(arn, tags, region, view)
                if arn not in seen and all(test(resource, tags) for test in tests):
                    seen.add(arn)
                    yield resource


def _described(arn: str, tags: list[dict[str, str]], found_in: str, view: dict[str, Any]) -> dict[str, Any]:
    _arn, _partition, service, region, account, name = arn.split(":", 5)
    region = found_in if service == "s3" else region
    first = re.match(r"loadbalancer/(?:app|net|gwy)(?=/)|[^:/]+(?=[:/])", name.lstrip("/"))
    kind = {"s3": "bucket", "sns": "topic", "sqs": "queue"}.get(service) or (first.group() if first else name)
    shown = any(each.get("Name") == "tags" for each in view["IncludedProperties"])
    return {
        "Arn": arn,
        "OwningAccountId": account or view["Owner"],
        "Region": region or "global",
        "ResourceType": f"{service}:{kind}",
        "Service": service,
        "LastReportedAt": _now(),
        "Properties": [{"Name": "tags", "LastReportedAt": _now(), "Data": tags}] if shown and tags else [],
    }


def _tests(query: str) -> Iterator[Callable[[dict[str, Any], list[dict[str, str]]], bool]]:
    """What each term of a query asks of a resource: region:, resourcetype:, service:, id:, tag:none, tag:all, words."""
    for term in query.split():
        wanted, text = not term.startswith("-"), term.removeprefix("-")
        key, colon, value = text.partition(":")
        member = {"region": "Region", "resourcetype": "ResourceType", "service": "Service", "id": "Arn"}.get(key)
        if colon and member:
            values = value.split(",")
            yield lambda one, _tags, m=member, v=values, w=wanted: (one[m] in v) is w  # type: ignore[misc]
        elif text in ("tag:none", "tag:all"):
            yield lambda _one, tags, w=wanted, none=text == "tag:none": (bool(tags) is not none) is w  # type: ignore[misc]
        else:
            yield lambda one, _tags, t=text, w=wanted: (t in one["Arn"]) is w  # type: ignore[misc]


def _page(found: list[dict[str, Any]], request: dict[str, Any], size: int) -> dict[str, Any]:
    token = request.get("NextToken") or "0"
    if not token.isdigit():
        raise AwsError("ValidationException", "The token is none of ours.")
    start, end = int(token), int(token) + request.get("MaxResults", size)
    return {"Resources": found[start:end], "NextToken": str(end) if end < len(found) else None}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


SERVICE = ResourceExplorerService()
