# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who made it and what else there is, asked of local AWS's CloudTrail, Tagging API and Resource Explorer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._findings import attribution, breadth, catalogue
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Resource
from tests.integration.findings.callers import TERRAFORM, Region, session, user
from tests.integration.modules.harness import ACCOUNT, REGION, Account, unique

OTHER = "eu-west-1"
TAG = {"Key": "team", "Value": "data"}


def of(account: Account, keys: dict[str, str] | None = None) -> Callable[[str], Region]:
    return lambda name: Region(account, keys or account.caller, name)


def resource(kind: str, identity: str, arn: str, region: str = REGION) -> Resource:
    made = Resource(catalogue.ALL[kind], identity, arn, region, {})
    made.title = identity
    return made


def vpc(region: Region) -> Resource:
    made = region.client("ec2").create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]
    return resource("aws_vpc", made, f"arn:aws:ec2:{region.name}:{ACCOUNT}:vpc/{made}", region.name)


def test_creators_of_what_was_made_in_all_ways(account: Account) -> None:
    keys = user(account, "*")
    role = unique("gitops-apply")
    by_user = vpc(Region(account, keys, REGION))
    by_build = vpc(Region(account, session(account, role), OTHER, TERRAFORM))
    bucket, queue, group = unique("bucket"), unique("queue"), unique("role")
    here = Region(account, keys, REGION)
    here.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    url = here.client("sqs").create_queue(QueueName=queue)["QueueUrl"]
    arn = here.client("iam").create_role(RoleName=group, AssumeRolePolicyDocument='{"Statement": []}')["Role"]["Arn"]
    group_id = here.client("ec2").create_security_group(GroupName=queue, Description="x", VpcId=by_user.id)["GroupId"]
    candidates = [
        by_user,
        by_build,
        resource("aws_s3_bucket", bucket, f"arn:aws:s3:::{bucket}"),
        resource("aws_sqs_queue", url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}"),
        resource("aws_iam_role", group, arn, ""),
        resource("aws_security_group", group_id, f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{group_id}"),
        resource("aws_vpc", "vpc-0123456789abcdef0", f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/vpc-0123456789abcdef0"),
    ]
    waited: list[float] = []
    found = attribution.attribute(of(account), candidates, pause=waited.append)
    assert (found.problems, found.not_asked) == ([], [])
    made = [found.creators[candidate.arn] for candidate in candidates]
    assert [one and one["event"] for one in made] == [
        "CreateVpc",
        "CreateVpc",
        "CreateBucket",
        "CreateQueue",
        "CreateRole",
        "CreateSecurityGroup",
        None,
    ]
    first, second = made[0], made[1]
    assert first is not None
    assert second is not None
    assert first["principal"] == account.client("iam").get_user(UserName=name_of(account, keys))["User"]["Arn"]
    assert (second["principal"], second["session"], second["type"]) == (
        f"arn:aws:iam::{ACCOUNT}:role/gitops/{role}",
        "build-1",
        "AssumedRole",
    )
    assert second["user_agent"].endswith(TERRAFORM)
    assert second["source_ip"] == "127.0.0.1"
    verdicts = [attribution.judge(one, [f"arn:aws:iam::{ACCOUNT}:role/gitops/*"], []) for one in made]
    assert [one and one.verdict for one in verdicts] == [None, "leaked_by_pipeline", None, None, None, None, None]
    assert waited


def name_of(account: Account, keys: dict[str, str]) -> str:
    found: str = account.client("iam").get_access_key_last_used(AccessKeyId=keys["AccessKeyId"])["UserName"]
    return found


def test_who_may_not_look_knows_no_creators(account: Account) -> None:
    made = vpc(Region(account, account.onlooker, REGION))
    found = attribution.attribute(of(account, user(account, "ec2:*")), [made], pause=lambda _seconds: None)
    assert found.creators == {made.arn: None}
    assert [problem["fix"] for problem in found.problems] == ["allow cloudtrail:LookupEvents on * for who scans"]
    assert found.calls == 1


def test_a_long_history_is_read_to_its_end(account: Account) -> None:
    bucket = unique("busy")
    s3 = account.client("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for number in range(60):
        s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "n", "Value": str(number)}]})
    one = resource("aws_s3_bucket", bucket, f"arn:aws:s3:::{bucket}")
    found = attribution.attribute(of(account), [one], pause=lambda _seconds: None)
    assert [made and made["event"] for made in found.creators.values()] == ["CreateBucket"]
    assert found.calls == 2
    cut = attribution.attribute(of(account), [one], budget=1, pause=lambda _seconds: None)
    assert (cut.creators, cut.not_asked) == ({one.arn: None}, [one.arn])


# What else there is


def look(
    account: Account, keys: dict[str, str] | None = None, regions: tuple[str, ...] = (REGION,), **more: Any
) -> Any:
    return breadth.look(of(account, keys), list(regions), catalogue.ALL.values(), **more)


def statuses(found: breadth.Breadth) -> dict[tuple[str, str], str]:
    return {(listing.type, listing.region): listing.status for listing in found.listings}


def gateway(account: Account, region: str = REGION, *tags: dict[str, str]) -> str:
    """A customer gateway, of which the catalogue knows nothing; its ARN."""
    ec2 = Region(account, account.onlooker, region).client("ec2")
    made = ec2.create_customer_gateway(BgpAsn=65000, Type="ipsec.1", IpAddress="192.0.2.1")["CustomerGateway"]
    if tags:
        ec2.create_tags(Resources=[made["CustomerGatewayId"]], Tags=list(tags))
    return f"arn:aws:ec2:{region}:{ACCOUNT}:customer-gateway/{made['CustomerGatewayId']}"


def test_tagged_resources_of_unknown_types_are_reported(account: Account) -> None:
    tagged = gateway(account, REGION, TAG)
    account.client("ec2").create_tags(Resources=[vpc(Region(account, account.onlooker, REGION)).id], Tags=[TAG])
    found = look(account)
    assert {"arn": tagged, "type": "ec2:customer-gateway", "source": "tagging", "reported": ""} in found.entries
    assert found.unseen_types["ec2:customer-gateway"] >= 1
    assert [entry["arn"] for entry in found.entries if ":vpc/" in entry["arn"]] == []
    assert statuses(found) == {("tagging", REGION): "complete", ("resource_explorer", REGION): "unsupported"}
    assert next(listing.seen for listing in found.listings if listing.type == "tagging") >= 2


def test_what_a_state_explains_and_what_was_inventoried_is_left_out(account: Account) -> None:
    mine, other = gateway(account, REGION, TAG), gateway(account, REGION, TAG)
    found = look(account, explained=lambda arn: arn == mine)
    arns = [entry["arn"] for entry in found.entries]
    assert [mine in arns, other in arns] == [False, True]
    assert look(account, inventoried=[mine]).entries == []


def test_entries_have_an_end_and_the_rest_is_counted(account: Account) -> None:
    made = {gateway(account, REGION, TAG) for _ in range(3)}
    everything = len(look(account).entries)
    found = look(account, limit=2)
    assert (len(found.entries), found.beyond) == (2, everything - 2)
    assert sum(found.unseen_types.values()) == everything >= len(made)


def test_who_may_not_ask_gets_lines_of_coverage_and_no_error(account: Account) -> None:
    found = look(account, user(account, "ec2:*"))
    assert statuses(found) == {("tagging", REGION): "denied", ("resource_explorer", REGION): "denied"}
    assert "tag:GetResources" in found.listings[0].message
    assert found.entries == []


@pytest.fixture
def indexes(account: Account) -> Any:
    """Indexes with default views in two regions; how to make the first the aggregator."""
    for region in (REGION, OTHER):
        explorer = Region(account, account.onlooker, region).client("resource-explorer-2")
        explorer.create_index()
        view = explorer.create_view(ViewName="all")["View"]["ViewArn"]
        explorer.associate_default_view(ViewArn=view)
    explorer = Region(account, account.onlooker, REGION).client("resource-explorer-2")
    yield lambda: explorer.update_index_type(Arn=explorer.get_index()["Arn"], Type="AGGREGATOR")
    for region in (REGION, OTHER):
        explorer = Region(account, account.onlooker, region).client("resource-explorer-2")
        explorer.delete_index(Arn=explorer.get_index()["Arn"])


@pytest.mark.parametrize("aggregated", [False, True])
def test_resource_explorer_knows_the_untagged(account: Account, indexes: Any, aggregated: bool) -> None:
    tagged, there = gateway(account, REGION, TAG), gateway(account, OTHER)
    untagged = gateway(account)
    if aggregated:
        indexes()
    found = look(account, regions=(REGION, OTHER))
    entries = {entry["arn"]: entry for entry in found.entries}
    assert entries[tagged]["source"] == "tagging"
    assert [entries[arn]["source"] for arn in (untagged, there)] == ["resource_explorer"] * 2
    assert all(entries[arn]["reported"].endswith("Z") for arn in (tagged, untagged, there))
    asked = {region: "complete" for kind, region in statuses(found) if kind == "resource_explorer"}
    assert asked == dict.fromkeys((REGION,) if aggregated else (REGION, OTHER), "complete")
    assert there not in {entry["arn"] for entry in look(account).entries}


def test_an_index_without_a_view_is_a_line_of_coverage(account: Account) -> None:
    explorer = account.client("resource-explorer-2")
    explorer.create_index()
    try:
        assert statuses(look(account))["resource_explorer", REGION] == "denied"
    finally:
        explorer.delete_index(Arn=explorer.get_index()["Arn"])
