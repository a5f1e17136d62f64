# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS's own indexes: the tagging API knows what has tags, Resource Explorer the untagged, too, where it is on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, allow, server, unique
from tests.unit.local_aws.test_ministack_fixes import denied


@pytest.fixture(scope="module")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """One of its own: indexes are few in an account."""
    with server(tmp_path_factory.mktemp("explorer")) as running:
        yield running


@pytest.fixture(scope="module")
def indexed(local_aws: LocalAws) -> str:
    """An index and a default view that shows tags, in two regions; the view of the first."""
    views: list[str] = []
    for region in (REGION, "eu-west-1"):
        explorer = local_aws.client("resource-explorer-2", region=region)
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            explorer.get_index()
        explorer.create_index()
        with pytest.raises(ClientError, match="UnauthorizedException"):
            explorer.list_resources()
        view = explorer.create_view(ViewName="all", IncludedProperties=[{"Name": "tags"}])["View"]["ViewArn"]
        explorer.associate_default_view(ViewArn=view)
        views.append(str(view))
    return views[0]


def volume(local_aws: LocalAws, region: str = REGION, **tags: str) -> str:
    """A volume; its ARN."""
    given = [{"Key": key, "Value": value} for key, value in tags.items()]
    more: dict[str, Any] = {"TagSpecifications": [{"ResourceType": "volume", "Tags": given}]} if given else {}
    made = local_aws.client("ec2", region=region).create_volume(AvailabilityZone=f"{region}a", Size=1, **more)
    return f"arn:aws:ec2:{region}:{ACCOUNT}:volume/{made['VolumeId']}"


def found(client: Any, query: str = "", region: str = REGION) -> dict[str, dict[str, Any]]:
    filters = {"Filters": {"FilterString": query}} if query else {}
    pages = client.get_paginator("list_resources").paginate(**filters)
    return {each["Arn"]: each for page in pages for each in page["Resources"]}


def test_untagged_resources_are_found_by_the_one_and_not_by_the_other(local_aws: LocalAws, indexed: str) -> None:
    tagged, plain = volume(local_aws, team="a"), volume(local_aws)
    pages = local_aws.client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(ResourcesPerPage=100)
    by_tags = {each["ResourceARN"]: each["Tags"] for page in pages for each in page["ResourceTagMappingList"]}
    assert by_tags[tagged] == [{"Key": "team", "Value": "a"}]
    assert plain not in by_tags
    assert all(by_tags.values())
    explorer = local_aws.client("resource-explorer-2")
    everything = found(explorer)
    assert {tagged, plain} <= set(everything)
    one = everything[tagged]
    assert (one["ResourceType"], one["Service"], one["Region"], one["OwningAccountId"]) == (
        "ec2:volume",
        "ec2",
        REGION,
        ACCOUNT,
    )
    assert datetime.now(UTC) - one["LastReportedAt"] < timedelta(minutes=1)
    assert one["Properties"][0]["Data"] == [{"Key": "team", "Value": "a"}]
    untagged = found(explorer, "tag:none resourcetype:ec2:volume")
    assert plain in untagged
    assert tagged not in untagged


@pytest.mark.parametrize("kind", ["queue", "topic", "bucket", "role", "rule", "secret", "group", "table"])
def test_the_main_types_are_found_untagged(local_aws: LocalAws, indexed: str, kind: str) -> None:
    name = unique("plain")
    if kind == "queue":
        local_aws.client("sqs").create_queue(QueueName=name)
    elif kind == "topic":
        local_aws.client("sns").create_topic(Name=name)
    elif kind == "bucket":
        name = local_aws.bucket("plain")
    elif kind == "role":
        local_aws.role(name, "ec2.amazonaws.com")
    elif kind == "rule":
        local_aws.client("events").put_rule(Name=name, ScheduleExpression="rate(1 day)")
    elif kind == "secret":
        local_aws.client("secretsmanager").create_secret(Name=name, SecretString="v")
    elif kind == "group":
        local_aws.client("logs").create_log_group(logGroupName=name)
    else:
        local_aws.client("dynamodb").create_table(
            TableName=name,
            KeySchema=[{"AttributeName": "a", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "a", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    assert len(found(local_aws.client("resource-explorer-2"), name)) == 1


def test_an_index_knows_its_region_and_an_aggregator_all(local_aws: LocalAws, indexed: str) -> None:
    here, there = volume(local_aws), volume(local_aws, "eu-west-1")
    explorer = local_aws.client("resource-explorer-2")
    assert there not in found(explorer)
    assert explorer.get_index()["Type"] == "LOCAL"
    explorer.update_index_type(Arn=explorer.get_index()["Arn"], Type="AGGREGATOR")
    try:
        assert {here, there} <= set(found(explorer))
        assert [each["Region"] for each in explorer.list_indexes(Type="AGGREGATOR")["Indexes"]] == [REGION]
        assert set(found(explorer, "region:eu-west-1 resourcetype:ec2:volume")) >= {there}
        assert here not in found(explorer, "region:eu-west-1")
    finally:
        explorer.update_index_type(Arn=explorer.get_index()["Arn"], Type="LOCAL")


def test_a_search_counts_and_pages(local_aws: LocalAws, indexed: str) -> None:
    for _ in range(3):
        volume(local_aws)
    explorer = local_aws.client("resource-explorer-2")
    assert explorer.list_views()["Views"] == [indexed]
    assert explorer.get_default_view()["ViewArn"] == indexed
    first = explorer.search(QueryString="resourcetype:ec2:volume", MaxResults=2)
    assert len(first["Resources"]) == 2
    assert first["Count"]["Complete"] is True
    rest = explorer.search(QueryString="resourcetype:ec2:volume", MaxResults=1000, NextToken=first["NextToken"])
    assert first["Count"]["TotalResources"] == 2 + len(rest["Resources"])


def test_who_may_not_look_does_not_see(local_aws: LocalAws, indexed: str) -> None:
    some = local_aws.user(
        unique("some"), allow("resource-explorer-2:ListResources", indexed), allow("resource-explorer-2:GetIndex")
    )
    assert found(local_aws.client("resource-explorer-2", some))
    assert "resource-explorer-2:Search" in denied(local_aws.client("resource-explorer-2", some).search, QueryString="x")
    nobody = local_aws.user(unique("nobody"), allow("s3:*"))
    assert "resource-explorer-2:ListResources" in denied(local_aws.client("resource-explorer-2", nobody).list_resources)
    assert "tag:GetResources" in denied(local_aws.client("resourcegroupstaggingapi", nobody).get_resources)
    names = [call["action"] for call in local_aws.calls() if call["service"] == "resource-explorer-2"]
    assert "resource-explorer-2:ListResources" in names
