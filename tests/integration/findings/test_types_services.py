# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every type of the catalogue outside EC2: one is made, found, read, made harmless and whole again, and removed."""

from __future__ import annotations

import io
import json
import shutil
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws
from ansible_collections.gitops.aws.plugins.module_utils._findings import catalogue, expressions
from ansible_collections.gitops.aws.plugins.module_utils._findings.inventory import Caller, Inventory
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import COMPLETE, Call, Resource
from ansible_collections.gitops.aws.plugins.module_utils._findings.quarantine import perform
from ansible_collections.gitops.aws.plugins.module_utils._findings.states import canonical
from ansible_collections.gitops.aws.plugins.module_utils._findings.types import (
    identity,
    messaging,
    security,
    serverless,
    storage,
)
from local_aws import mfa
from tests.integration.modules.harness import ACCOUNT, REGION, Account, unique
from tests.integration.terraform.client import ROOT, SETTINGS, Terraform, environment

KINDS = {kind.name: kind for file in (identity, messaging, security, serverless, storage) for kind in file.TYPES}
STAMP = "20261126040000"
TAGS = {"owner": "ada"}
LIST = [{"Key": "owner", "Value": "ada"}]
EVERYTHING = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com", "AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


class Connection(Aws):
    """The catalogue's engine without a module around it."""

    def __init__(self, account: Account, region: str = REGION) -> None:
        self.account, self.region, self.concurrency = account, region, 4
        self._made: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        if service not in self._made:
            self._made[service] = client(self.account, service, self.account.caller, self.region)
        return self._made[service]

    def in_region(self, region: str) -> Connection:
        return Connection(self.account, region)


def client(account: Account, service: str, user: dict[str, str], region: str = REGION) -> Any:
    """A boto3 client of a user or of a role's session."""
    return boto3.client(
        service,
        region_name=region,
        endpoint_url=account.endpoint_url,
        aws_access_key_id=user["AccessKeyId"],
        aws_secret_access_key=user["SecretAccessKey"],
        aws_session_token=user.get("SessionToken"),
        config=Config(retries={"total_max_attempts": 1}, proxies={}),
    )


@dataclass
class World:
    """An account, and what the catalogue's types say of it."""

    account: Account
    inventory: Inventory

    def all(self, kind: str) -> dict[str, Resource]:
        """All resources of a type, by id."""
        inventory = Inventory(Connection(self.account), self.inventory.caller, self.inventory.regions)
        inventory.read([KINDS[kind]])
        assert {listing.status for listing in inventory.listings} == {COMPLETE}
        found = {resource.id: resource for resource in inventory.resources.values()}
        assert len(found) == len(inventory.resources)
        return found

    def one(self, kind: str, one: str) -> Resource:
        """One of the list, with its further reads."""
        found = self.all(kind)[one]
        self.inventory.complete(found)
        return found

    def again(self, resource: Resource) -> Resource:
        """It as it is now, with its further reads."""
        found = self.inventory.again(resource)
        assert found
        self.inventory.complete(found)
        return found

    def make(self, resource: Resource, calls: tuple[Call, ...], kept: dict[str, Any]) -> list[Any]:
        """Make calls of the resource's type, in order."""
        return [answer for call in calls for answer in perform(self.inventory, resource, call, kept)]

    def keep(self, resource: Resource) -> dict[str, Any]:
        """What is written down before the resource is made harmless."""
        assert resource.type.quarantine
        kept = resource.type.quarantine.keep
        return {name: expressions.value(text, resource.element) for name, text in kept.items()}

    def quarantine(self, resource: Resource) -> dict[str, Any]:
        """Make it harmless; what is kept."""
        assert resource.type.quarantine
        kept = self.keep(resource)
        self.make(resource, resource.type.quarantine.do, kept)
        return kept

    def undo(self, resource: Resource, kept: dict[str, Any]) -> None:
        """Undo that."""
        assert resource.type.quarantine
        self.make(self.again(resource), resource.type.quarantine.undo, kept)

    def remove(self, resource: Resource) -> None:
        """Remove it, as it is now."""
        self.make(self.again(resource), resource.type.remove, {})

    def reason(self, kind: str, reasons: str, element: dict[str, Any]) -> str:
        """Why the type says that an element is a default, a service's, or guarded."""
        return expressions.first_reason(getattr(KINDS[kind], reasons), element)[0]


@pytest.fixture(scope="module")
def world(account: Account) -> World:
    caller = Caller(ACCOUNT, "aws", "arn:aws:iam::123456789012:user/scanner")
    inventory = Inventory(Connection(account), caller, [REGION])
    inventory.stamp = STAMP
    return World(account, inventory)


# One of each: who makes it, and its id and ARN as Terraform and AWS have them.

Made = tuple[str, str]


def bucket(account: Account, name: str) -> Made:
    s3 = account.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": LIST})
    return name, f"arn:aws:s3:::{name}"


def table(account: Account, name: str, **more: Any) -> Made:
    account.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=LIST,
        **more,
    )
    return name, f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


def database(account: Account, name: str, **more: Any) -> Made:
    made = account.client("rds").create_db_instance(
        DBInstanceIdentifier=name,
        Engine="postgres",
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername="ada",
        MasterUserPassword="correct-horse-9",
        Tags=LIST,
        **more,
    )["DBInstance"]
    return made["DbiResourceId"], f"arn:aws:rds:{REGION}:{ACCOUNT}:db:{name}"


def file_system(account: Account, name: str) -> Made:
    made = account.client("efs").create_file_system(CreationToken=name, Tags=LIST)["FileSystemId"]
    return made, f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/{made}"


def repository(account: Account, name: str) -> Made:
    account.client("ecr").create_repository(repositoryName=f"team/{name}", tags=LIST)
    return f"team/{name}", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/{name}"


def queue(account: Account, name: str) -> Made:
    url = account.client("sqs").create_queue(QueueName=name, tags=TAGS)["QueueUrl"]
    return url, f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def topic(account: Account, name: str) -> Made:
    arn = account.client("sns").create_topic(Name=name, Tags=LIST)["TopicArn"]
    return arn, f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"


def rule(account: Account, name: str) -> Made:
    events = account.client("events")
    events.put_rule(Name=name, ScheduleExpression="rate(1 day)", Tags=LIST)
    target = f"arn:aws:sqs:{REGION}:{ACCOUNT}:somewhere"
    events.put_targets(Rule=name, Targets=[{"Id": "one", "Arn": target}, {"Id": "two", "Arn": target}])
    return name, f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"


def function(account: Account, name: str) -> Made:
    _name, role_arn = role(account, f"{name}-role")
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return 1\n")
    account.client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.12",
        Role=role_arn,
        Handler="index.handler",
        Code={"ZipFile": code.getvalue()},
        Tags=TAGS,
    )
    return name, f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def log_group(account: Account, name: str) -> Made:
    # Another one whose name begins with the whole name of this one.
    account.client("logs").create_log_group(logGroupName=f"/app/{name}", tags=TAGS)
    account.client("logs").create_log_group(logGroupName=f"/app/{name}-2")
    return f"/app/{name}", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/app/{name}"


def role(account: Account, name: str, path: str = "/team/") -> Made:
    iam = account.client("iam")
    iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=TRUST, Tags=LIST)
    iam.put_role_policy(RoleName=name, PolicyName="everything", PolicyDocument=EVERYTHING)
    _name, arn = policy(account, f"{name}-policy")
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    return name, f"arn:aws:iam::{ACCOUNT}:role{path}{name}"


def user(account: Account, name: str) -> Made:
    """With all that a user can have."""
    iam = account.client("iam")
    _name, boundary = policy(account, f"{name}-boundary")
    iam.create_user(UserName=name, Tags=LIST, PermissionsBoundary=boundary)
    for _ in range(2):
        key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]
    iam.update_access_key(UserName=name, AccessKeyId=key, Status="Inactive")
    iam.create_login_profile(UserName=name, Password="Correct-Horse-9")
    iam.put_user_policy(UserName=name, PolicyName="everything", PolicyDocument=EVERYTHING)
    iam.attach_user_policy(UserName=name, PolicyArn=policy(account, f"{name}-policy")[1])
    group_name, _arn = group(account, f"{name}-group")
    iam.add_user_to_group(UserName=name, GroupName=group_name)
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    seed, now = device["Base32StringSeed"].decode(), time.time()
    codes = {"AuthenticationCode1": mfa.code(seed, now - 30), "AuthenticationCode2": mfa.code(seed, now)}
    iam.enable_mfa_device(UserName=name, SerialNumber=device["SerialNumber"], **codes)
    return name, f"arn:aws:iam::{ACCOUNT}:user/{name}"


def group(account: Account, name: str) -> Made:
    iam = account.client("iam")
    iam.create_group(GroupName=name)
    iam.put_group_policy(GroupName=name, PolicyName="everything", PolicyDocument=EVERYTHING)
    iam.attach_group_policy(GroupName=name, PolicyArn=policy(account, f"{name}-policy")[1])
    return name, f"arn:aws:iam::{ACCOUNT}:group/{name}"


def policy(account: Account, name: str) -> Made:
    iam = account.client("iam")
    arn = iam.create_policy(PolicyName=name, PolicyDocument=EVERYTHING, Tags=LIST)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=EVERYTHING, SetAsDefault=True)
    return arn, f"arn:aws:iam::{ACCOUNT}:policy/{name}"


def profile(account: Account, name: str) -> Made:
    iam = account.client("iam")
    iam.create_instance_profile(InstanceProfileName=name, Tags=LIST)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role(account, f"{name}-role")[0])
    return name, f"arn:aws:iam::{ACCOUNT}:instance-profile/{name}"


def key(account: Account, _name: str) -> Made:
    tags = [{"TagKey": "owner", "TagValue": "ada"}]
    made = account.client("kms").create_key(Tags=tags)["KeyMetadata"]["KeyId"]
    return made, f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{made}"


def secret(account: Account, name: str) -> Made:
    arn = account.client("secretsmanager").create_secret(Name=name, SecretString="x", Tags=LIST)["ARN"]
    return arn, arn


def parameter(account: Account, name: str) -> Made:
    account.client("ssm").put_parameter(Name=f"/team/{name}", Value="x", Type="String", Tags=LIST)
    return f"/team/{name}", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/team/{name}"


def certificate(account: Account, name: str) -> Made:
    arn = account.client("acm").request_certificate(
        DomainName=f"{name}.example.com", KeyAlgorithm="EC_prime256v1", Tags=LIST
    )["CertificateArn"]
    return arn, arn


MAKERS: dict[str, Callable[[Account, str], Made]] = {
    "aws_acm_certificate": certificate,
    "aws_cloudwatch_event_rule": rule,
    "aws_cloudwatch_log_group": log_group,
    "aws_db_instance": database,
    "aws_dynamodb_table": table,
    "aws_ecr_repository": repository,
    "aws_efs_file_system": file_system,
    "aws_iam_group": group,
    "aws_iam_instance_profile": profile,
    "aws_iam_policy": policy,
    "aws_iam_role": role,
    "aws_iam_user": user,
    "aws_kms_key": key,
    "aws_lambda_function": function,
    "aws_s3_bucket": bucket,
    "aws_secretsmanager_secret": secret,
    "aws_sns_topic": topic,
    "aws_sqs_queue": queue,
    "aws_ssm_parameter": parameter,
}
NO_TAGS = ("aws_iam_group",)  # IAM has none for them
NO_TIME = ("aws_cloudwatch_event_rule", "aws_lambda_function", "aws_sns_topic", "aws_ssm_parameter")  # AWS says none


def test_there_is_one_of_each() -> None:
    assert set(MAKERS) == set(KINDS)
    assert set(KINDS) <= set(catalogue.ALL)


@pytest.mark.parametrize("kind", MAKERS)
def test_it_is_found_read_made_harmless_and_removed(kind: str, world: World) -> None:
    name = unique("one")
    made, arn = MAKERS[kind](world.account, name)
    how = KINDS[kind]

    found = world.all(kind)[made]
    assert (found.arn, found.region) == (arn, "" if how.account_wide and not how.region else REGION)
    world.inventory.complete(found)
    assert found.tags == ({} if kind in NO_TAGS else TAGS)
    assert (found.created is None) == (kind in NO_TIME)
    assert not expressions.first_reason({**how.aws_default, **how.service_managed, **how.guarded}, found.element)[0]

    again = world.again(found)
    for attribute in ("id", "arn", "region", "title", "created", "tags", "refs", "used_by"):
        assert getattr(again, attribute) == getattr(found, attribute), attribute

    if how.quarantine:
        assert not expressions.value(how.quarantine.done, again.element)
        kept = world.quarantine(again)
        assert expressions.value(how.quarantine.done, world.again(found).element)
        world.undo(found, json.loads(json.dumps(kept)))
        back = world.again(found)
        assert not expressions.value(how.quarantine.done, back.element)
        assert world.keep(back) == kept

    if how.remove:
        world.make(world.again(found), how.copies, {})
        if how.copied:
            assert world.make(found, (how.copied,), {}) == [True]
        world.remove(found)
        assert world.inventory.again(found) is None
        if kind != "aws_kms_key":  # that is not to be seen in the list
            assert made not in world.all(kind)


# What is particular to a type


def test_a_role_may_do_nothing_while_it_is_in_quarantine(world: World) -> None:
    name, arn = role(world.account, unique("role"))
    session = world.account.client("sts").assume_role(RoleArn=arn, RoleSessionName="one")["Credentials"]
    s3 = client(world.account, "s3", session)
    found = world.one("aws_iam_role", name)
    s3.list_buckets()

    kept = world.quarantine(found)
    with pytest.raises(ClientError, match="explicit deny"):
        s3.list_buckets()
    world.undo(found, kept)
    s3.list_buckets()


def test_a_users_keys_are_what_they_were_after_quarantine(world: World) -> None:
    account, name = world.account, unique("user")
    user(account, name)
    iam = account.client("iam")
    found = world.one("aws_iam_user", name)

    def keys() -> dict[str, str]:
        return {one["AccessKeyId"]: one["Status"] for one in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]}

    before = keys()
    assert sorted(before.values()) == ["Active", "Inactive"]
    kept = world.quarantine(found)
    assert set(keys().values()) == {"Inactive"}
    world.undo(found, kept)
    assert keys() == before


def test_a_users_mfa_device_goes_with_it(world: World) -> None:
    name = unique("user")
    user(world.account, name)
    world.remove(world.one("aws_iam_user", name))
    world.account.client("iam").create_virtual_mfa_device(VirtualMFADeviceName=name)  # the name is free again


def test_a_function_gets_back_its_reserved_concurrency(world: World) -> None:
    name, _arn = function(world.account, unique("function"))
    functions = world.account.client("lambda")
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=5)
    found = world.one("aws_lambda_function", name)

    kept = world.quarantine(found)
    with pytest.raises(ClientError, match="TooManyRequests"):
        functions.invoke(FunctionName=name)
    world.undo(found, kept)
    assert functions.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 5


def test_a_function_that_is_stopped_already_stays_so(world: World) -> None:
    name, _arn = function(world.account, unique("function"))
    world.account.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    how = KINDS["aws_lambda_function"].quarantine
    assert how
    assert expressions.value(how.done, world.one("aws_lambda_function", name).element)


def test_a_database_that_is_stopped_is_removed_with_a_snapshot(world: World) -> None:
    name = unique("db")
    made, _arn = database(world.account, name)
    found = world.one("aws_db_instance", made)
    world.quarantine(found)
    world.remove(found)
    snapshots = world.account.client("rds").describe_db_snapshots(DBInstanceIdentifier=name)["DBSnapshots"]
    assert [each["DBSnapshotIdentifier"].lower() for each in snapshots] == [f"{name}-{made}-{STAMP}".lower()]


def test_a_copy_of_an_earlier_plan_is_not_that_of_this_one(world: World) -> None:
    name, _arn = table(world.account, unique("table"))
    found, how = world.one("aws_dynamodb_table", name), KINDS["aws_dynamodb_table"]
    assert how.copied
    world.make(found, how.copies, {})
    assert world.make(found, (how.copied,), {}) == [True]
    later = Inventory(Connection(world.account), world.inventory.caller, [REGION])
    later.stamp = "20270101000000"

    assert perform(later, found, how.copied, {}) == [False]


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("upload_ssh_public_key", {"SSHPublicKeyBody": "ssh-ed25519 AAAA"}),
        ("upload_signing_certificate", {"CertificateBody": "-----BEGIN CERTIFICATE-----"}),
        ("create_service_specific_credential", {"ServiceName": "codecommit.amazonaws.com"}),
    ],
)
def test_a_user_with_credentials_that_quarantine_leaves_is_guarded(
    operation: str, more: dict[str, str], world: World
) -> None:
    name, iam = unique("user"), world.account.client("iam")
    iam.create_user(UserName=name)
    assert not world.reason("aws_iam_user", "guarded", world.one("aws_iam_user", name).element)
    getattr(iam, operation)(UserName=name, **more)

    reason = world.reason("aws_iam_user", "guarded", world.one("aws_iam_user", name).element)
    assert reason == "it has SSH keys, certificates or service credentials"
    with pytest.raises(ClientError, match="DeleteConflict"):
        iam.delete_user(UserName=name)


def test_what_a_bucket_and_a_queue_are_encrypted_with(world: World) -> None:
    name, _arn = bucket(world.account, unique("bucket"))
    key_id, key_arn = key(world.account, "")
    alias = f"alias/{unique('app')}"
    world.account.client("kms").create_alias(AliasName=alias, TargetKeyId=key_id)
    by = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn}
    world.account.client("s3").put_bucket_encryption(
        Bucket=name,
        ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": by}]},
    )

    assert world.one("aws_s3_bucket", name).refs == (key_arn,)
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:{alias}"
    assert world.one("aws_kms_key", key_id).names == (key_id, alias, arn)


def test_a_bucket_is_never_emptied(world: World) -> None:
    name, _arn = bucket(world.account, unique("bucket"))
    s3 = world.account.client("s3")
    s3.put_object(Bucket=name, Key="precious", Body=b"x")
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        world.remove(world.one("aws_s3_bucket", name))
    assert s3.get_object(Bucket=name, Key="precious")["Body"].read() == b"x"


def test_a_bucket_is_found_where_it_is(world: World) -> None:
    name, elsewhere = unique("bucket"), "us-west-2"
    s3 = client(world.account, "s3", world.account.caller, elsewhere)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": elsewhere})
    assert name not in world.all("aws_s3_bucket")
    both = World(world.account, Inventory(Connection(world.account), world.inventory.caller, [REGION, elsewhere]))
    found = both.one("aws_s3_bucket", name)
    assert found.region == elsewhere
    both.remove(found)
    assert both.inventory.again(found) is None


@pytest.mark.parametrize("kind", ["aws_s3_bucket", "aws_cloudwatch_log_group", "aws_sqs_queue", "aws_ssm_parameter"])
def test_one_whose_name_begins_like_that_is_another(kind: str, world: World) -> None:
    name = unique("name")
    MAKERS[kind](world.account, f"{name}-2")
    longer = next(each for each in world.all(kind) if f"{name}-2" in each)
    shorter = longer.removesuffix("-2")
    assert world.inventory.one(KINDS[kind], shorter, REGION) is None
    assert world.inventory.one(KINDS[kind], longer, REGION)


def test_a_rule_of_another_bus_is_read_by_its_id(world: World) -> None:
    bus, name = unique("bus"), unique("rule")
    events = world.account.client("events")
    events.create_event_bus(Name=bus)
    events.put_rule(Name=name, EventBusName=bus, EventPattern='{"source": ["ada"]}')
    found = world.inventory.one(KINDS["aws_cloudwatch_event_rule"], f"{bus}/{name}", REGION)
    assert found
    assert (found.id, found.arn) == (f"{bus}/{name}", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{bus}/{name}")
    world.quarantine(found)
    assert events.describe_rule(Name=name, EventBusName=bus)["State"] == "DISABLED"
    world.remove(found)
    assert world.inventory.again(found) is None


def test_what_is_used_names_its_users(world: World) -> None:
    account, name = world.account, unique("used")
    profile(account, name)
    role_name, group_name = f"{name}-role", f"{name}-group"
    user(account, name)
    found = world.one("aws_iam_role", role_name)
    assert found.used_by == (f"arn:aws:iam::{ACCOUNT}:instance-profile/{name}",)
    assert found.refs == (f"arn:aws:iam::{ACCOUNT}:policy/{role_name}-policy",)
    assert world.all("aws_iam_instance_profile")[name].refs == (found.arn,)
    assert world.one("aws_iam_group", group_name).used_by == (f"arn:aws:iam::{ACCOUNT}:user/{name}",)
    assert world.one("aws_iam_user", name).refs == (
        f"arn:aws:iam::{ACCOUNT}:policy/{name}-policy",
        f"arn:aws:iam::{ACCOUNT}:policy/{name}-boundary",
        f"arn:aws:iam::{ACCOUNT}:group/{group_name}",
    )
    ranks = [KINDS[f"aws_iam_{kind}"].rank for kind in ("user", "group", "instance_profile", "role", "policy")]
    assert ranks == sorted(ranks)
    # As removal does it: each after what stands on it.
    for kind, one in (
        ("user", name),
        ("group", group_name),
        ("instance_profile", name),
        ("role", role_name),
        ("policy", f"arn:aws:iam::{ACCOUNT}:policy/{role_name}-policy"),
    ):
        world.remove(world.one(f"aws_iam_{kind}", one))


def test_what_a_function_stands_on(world: World) -> None:
    name, _arn = function(world.account, unique("function"))
    assert world.one("aws_lambda_function", name).refs == (f"arn:aws:iam::{ACCOUNT}:role/team/{name}-role",)


def test_what_a_database_stands_on(world: World) -> None:
    ec2, name = world.account.client("ec2"), unique("db")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")
        for number, zone in enumerate("ab")
    ]
    ids = [each["Subnet"]["SubnetId"] for each in subnets]
    firewall = ec2.create_security_group(GroupName=name, Description="x", VpcId=vpc)["GroupId"]
    world.account.client("rds").create_db_subnet_group(
        DBSubnetGroupName=name, DBSubnetGroupDescription="x", SubnetIds=ids
    )
    _key, key_arn = key(world.account, "")
    made, _arn = database(
        world.account,
        name,
        DBSubnetGroupName=name,
        VpcSecurityGroupIds=[firewall],
        KmsKeyId=key_arn,
        StorageEncrypted=True,
    )
    assert set(world.one("aws_db_instance", made).refs) == {*ids, vpc, firewall, key_arn}


# What AWS makes, and what somebody protects


@pytest.mark.parametrize(
    ("name", "path", "reason"),
    [
        ("AWSServiceRoleForRDS", "/aws-service-role/rds.amazonaws.com/", "it is linked to an AWS service"),
        ("Admin_0123", "/aws-reserved/sso.amazonaws.com/eu-north-1/", "IAM Identity Center manages it"),
        ("AWSReservedSSO_Admin_0123", "/", "IAM Identity Center manages it"),
        ("AWSControlTowerExecution", "/", "AWS Control Tower manages it"),
        ("aws-controltower-ForwardSns", "/", "AWS Control Tower manages it"),
        ("stacksets-exec-0123", "/", "CloudFormation StackSets manage it"),
    ],
)
def test_roles_of_services(name: str, path: str, reason: str, world: World) -> None:
    world.account.client("iam").create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=TRUST)
    element = world.all("aws_iam_role")[name].element
    assert world.reason("aws_iam_role", "service_managed", element) == reason


def test_a_role_of_the_account_itself(world: World) -> None:
    role(world.account, "OrganizationAccountAccessRole", "/")
    element = world.all("aws_iam_role")["OrganizationAccountAccessRole"].element
    assert world.reason("aws_iam_role", "aws_default", element) == "AWS Organizations made it, with the account"


def test_a_role_that_is_linked_to_a_service_is_its_services(world: World) -> None:
    made = world.account.client("iam").create_service_linked_role(AWSServiceName="ecs.amazonaws.com")["Role"]
    element = world.all("aws_iam_role")[made["RoleName"]].element
    assert world.reason("aws_iam_role", "service_managed", element) == "it is linked to an AWS service"


def test_keys_of_aws_are_defaults_and_keys_that_go_are_gone(world: World) -> None:
    kms = world.account.client("kms")
    aws_s3 = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"]
    element = world.one("aws_kms_key", aws_s3).element
    assert world.reason("aws_kms_key", "aws_default", element) == "AWS manages it, for one of its services"

    going, _arn = key(world.account, "")
    kms.schedule_key_deletion(KeyId=going, PendingWindowInDays=7)
    found = world.one("aws_kms_key", going)
    assert world.reason("aws_kms_key", "service_managed", found.element) == "KMS deletes it already"
    assert world.inventory.again(found) is None


def test_a_deleted_secret_is_gone(world: World) -> None:
    arn, _arn = secret(world.account, unique("secret"))
    found = world.one("aws_secretsmanager_secret", arn)
    world.account.client("secretsmanager").delete_secret(SecretId=arn)
    assert world.inventory.again(found) is None


@pytest.mark.parametrize(
    ("kind", "element", "reason"),
    [
        ("aws_cloudwatch_event_rule", {"ManagedBy": "autoscaling.amazonaws.com"}, "an AWS service manages it"),
        ("aws_cloudwatch_event_rule", {"Name": "AutoScalingManagedRule"}, "EC2 Auto Scaling manages it"),
        ("aws_secretsmanager_secret", {"OwningService": "rds"}, "an AWS service owns it"),
        (
            "aws_secretsmanager_secret",
            {"ARN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-b", "PrimaryRegion": "eu-central-1"},
            "it is a replica of a secret in another region",
        ),
        (
            "aws_secretsmanager_secret",
            {"ARN": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:a-b", "PrimaryRegion": "eu-central-1"},
            "",
        ),
        ("aws_lambda_function", {"FunctionArn": "a:1", "MasterArn": "b:1"}, "it is a replica of Lambda@Edge"),
        ("aws_lambda_function", {"FunctionArn": "a:1"}, ""),
        ("aws_acm_certificate", {"ManagedBy": "CLOUDFRONT"}, "an AWS service manages it"),
    ],
)
def test_what_only_services_can_make(kind: str, element: dict[str, Any], reason: str, world: World) -> None:
    assert world.reason(kind, "service_managed", element) == reason


def test_a_parameter_that_aws_publishes(world: World) -> None:
    assert world.reason("aws_ssm_parameter", "aws_default", {"Name": "/aws/service/x"}) == "AWS publishes it"
    assert not world.reason("aws_ssm_parameter", "aws_default", {"Name": "/awsome"})


def test_what_is_protected_in_aws_is_guarded(world: World) -> None:
    account = world.account
    guarded_table, _arn = table(account, unique("table"), DeletionProtectionEnabled=True)
    guarded_db, _arn = database(account, unique("db"), DeletionProtection=True)
    locked = unique("bucket")
    account.client("s3").create_bucket(
        Bucket=locked, CreateBucketConfiguration={"LocationConstraint": REGION}, ObjectLockEnabledForBucket=True
    )
    for kind, one, reason in (
        ("aws_dynamodb_table", guarded_table, "it has deletion protection"),
        ("aws_db_instance", guarded_db, "it has deletion protection"),
        ("aws_s3_bucket", locked, "it has object lock"),
    ):
        found = world.one(kind, one)
        assert world.reason(kind, "guarded", found.element) == reason
        assert world.reason(kind, "guarded", world.again(found).element) == reason


def test_instances_of_clusters_are_another_type(world: World) -> None:
    rds, name = world.account.client("rds"), unique("cluster")
    rds.create_db_cluster(
        DBClusterIdentifier=name, Engine="aurora-postgresql", MasterUsername="ada", MasterUserPassword="correct-horse-9"
    )
    made = rds.create_db_instance(
        DBInstanceIdentifier=f"{name}-1",
        Engine="aurora-postgresql",
        DBInstanceClass="db.t3.medium",
        DBClusterIdentifier=name,
    )["DBInstance"]["DbiResourceId"]
    assert made not in world.all("aws_db_instance")
    assert world.inventory.one(KINDS["aws_db_instance"], made, REGION) is None


# With Terraform


@pytest.fixture(scope="module")
def terraform(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """Terraform, which has made one of each type that it makes quickly, and imported a database."""
    one = Terraform(tmp_path_factory.mktemp("types"), environment(account.endpoint_url, account.onlooker))
    imports = {"aws_db_instance": "tf-db", "aws_sqs_queue": queue(account, "tf-queue")[0]}
    database(account, "tf-db")
    blocks = [f'import {{\n  to = {kind}.one\n  id = "{what}"\n}}\n' for kind, what in imports.items()]
    resources = (Path(__file__).resolve().parent / "types_services.tf").read_text(encoding="utf-8")
    (one.directory / "main.tf").write_text("\n".join([SETTINGS % REGION, resources, *blocks]), encoding="utf-8")
    shutil.copy(ROOT / "tf" / ".terraform.lock.hcl", one.directory)
    with zipfile.ZipFile(one.directory / "code.zip", "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return 1\n")
    one.run("init", "-lockfile=readonly")
    one.apply()
    return one


def test_ids_and_arns_are_those_of_terraform(terraform: Terraform, world: World) -> None:
    state = json.loads((terraform.directory / "terraform.tfstate").read_text(encoding="utf-8"))
    made = {each["type"]: each["instances"][0]["attributes"] for each in state["resources"] if each["name"] == "one"}
    assert set(MAKERS) <= set(made)
    for kind in MAKERS:
        found = world.all(kind)
        assert made[kind]["id"] in found, kind
        assert found[made[kind]["id"]].arn == canonical(made[kind]["arn"]), kind
    another = next(each for each in state["resources"] if each["name"] == "another")
    attributes = another["instances"][0]["attributes"]
    rule_of_bus = world.inventory.one(KINDS["aws_cloudwatch_event_rule"], attributes["id"], REGION)
    assert rule_of_bus
    assert (rule_of_bus.id, rule_of_bus.arn) == (attributes["id"], attributes["arn"])
