# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists say of resources what AWS's lists say, and an account has AWS's own policies and keys."""

from __future__ import annotations

import json

import pytest

from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, allow, unique
from tests.unit.local_aws.test_ministack_fixes import assumed, denied

EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [allow("*")]})
DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"


def test_deny_all_denies_all_while_it_is_attached(local_aws: LocalAws) -> None:
    iam, role = local_aws.client("iam"), unique("role")
    s3 = local_aws.client("s3", assumed(local_aws, role, allow("*")))
    s3.list_buckets()
    iam.attach_role_policy(RoleName=role, PolicyArn=DENY_ALL)
    assert "explicit deny" in denied(s3.list_buckets)
    iam.detach_role_policy(RoleName=role, PolicyArn=DENY_ALL)
    s3.list_buckets()


def test_details_of_the_account_say_boundaries_of_users_and_uses_of_policies(local_aws: LocalAws) -> None:
    iam, name = local_aws.client("iam"), unique("detail")
    arn = iam.create_policy(PolicyName=name, PolicyDocument=EVERYTHING)["Policy"]["Arn"]
    iam.create_user(UserName=name, PermissionsBoundary=arn)
    iam.attach_user_policy(UserName=name, PolicyArn=arn)
    details = iam.get_account_authorization_details(Filter=["User", "LocalManagedPolicy"])
    user = next(each for each in details["UserDetailList"] if each["UserName"] == name)
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    policy = next(each for each in details["Policies"] if each["Arn"] == arn)
    whole = iam.get_policy(PolicyArn=arn)["Policy"]
    assert {**whole, "PolicyVersionList": policy["PolicyVersionList"]} == policy
    assert (policy["AttachmentCount"], policy["PermissionsBoundaryUsageCount"]) == (1, 1)


def test_where_buckets_are_is_said_to_who_asks_with_a_parameter(local_aws: LocalAws) -> None:
    s3, name = local_aws.client("s3"), unique("bucket")
    elsewhere = local_aws.client("s3", region="us-west-2")
    elsewhere.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    plain = next(each for each in s3.list_buckets()["Buckets"] if each["Name"] == name)
    assert "BucketRegion" not in plain
    assert plain["CreationDate"]
    asked = next(each for each in s3.list_buckets(MaxBuckets=1000)["Buckets"] if each["Name"] == name)
    assert asked["BucketRegion"] == "us-west-2"


def test_log_groups_are_found_by_name_or_arn(local_aws: LocalAws) -> None:
    logs, name = local_aws.client("logs"), unique("/group")
    logs.create_log_group(logGroupName=name)
    logs.create_log_group(logGroupName=f"{name}-2")
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}"
    for identifier in (name, arn):
        found = logs.describe_log_groups(logGroupIdentifiers=[identifier])["logGroups"]
        assert [each["logGroupName"] for each in found] == [name]
    assert logs.describe_log_groups(logGroupIdentifiers=[f"{name}-3"])["logGroups"] == []


def test_databases_are_found_by_their_resource_id(local_aws: LocalAws) -> None:
    rds, ids = local_aws.client("rds"), []
    for _ in range(2):
        made = rds.create_db_instance(
            DBInstanceIdentifier=unique("db"),
            Engine="postgres",
            DBInstanceClass="db.t3.micro",
            AllocatedStorage=20,
            MasterUsername="ada",
            MasterUserPassword="correct-horse-9",
        )
        ids.append(made["DBInstance"]["DbiResourceId"])
    for wanted in ([ids[0]], [ids[1]], [], ids):
        found = rds.describe_db_instances(Filters=[{"Name": "dbi-resource-id", "Values": wanted or ["db-NONE"]}])
        assert [each["DbiResourceId"] for each in found["DBInstances"]] == wanted


def test_a_key_of_aws_is_made_when_somebody_asks_for_it(local_aws: LocalAws) -> None:
    kms = local_aws.client("kms", region="eu-west-3")
    assert kms.list_keys()["Keys"] == []
    key = kms.describe_key(KeyId="alias/aws/sqs")["KeyMetadata"]
    assert key["KeyManager"] == "AWS"
    assert [each["KeyId"] for each in kms.list_keys()["Keys"]] == [key["KeyId"]]
    assert kms.describe_key(KeyId="alias/aws/sqs")["KeyMetadata"]["KeyId"] == key["KeyId"]
    assert kms.create_key()["KeyMetadata"]["KeyManager"] == "CUSTOMER"
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.describe_key(KeyId="alias/mine")


def test_certificates_with_other_keys_are_listed_when_asked_for(local_aws: LocalAws) -> None:
    acm = local_aws.client("acm", region="eu-west-3")
    elliptic = acm.request_certificate(DomainName="example.com", KeyAlgorithm="EC_prime256v1")["CertificateArn"]
    usual = acm.request_certificate(DomainName="example.com")["CertificateArn"]

    assert [each["CertificateArn"] for each in acm.list_certificates()["CertificateSummaryList"]] == [usual]
    found = acm.list_certificates(Includes={"keyTypes": ["EC_prime256v1"]})["CertificateSummaryList"]
    assert [(each["CertificateArn"], each["InUse"]) for each in found] == [(elliptic, False)]
    whole = acm.describe_certificate(CertificateArn=elliptic)["Certificate"]
    assert (found[0]["CreatedAt"], found[0]["KeyAlgorithm"]) == (whole["CreatedAt"], whole["KeyAlgorithm"])
