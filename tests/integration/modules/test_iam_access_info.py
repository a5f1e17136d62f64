# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""iam_access_info says of a call what becomes of it when it is made."""

from __future__ import annotations

import copy
import dataclasses
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws import mfa
from tests.integration.modules.cases import Item, allow, document, trust
from tests.integration.modules.harness import ACCOUNT, REGION, Account, ModuleFailed, unique

OWNER = f"arn:aws:iam::{ACCOUNT}:root"
TRUST_ACCOUNT = document({"Effect": "Allow", "Principal": {"AWS": OWNER}, "Action": "sts:AssumeRole"})
READING = document(allow("*:Get*"), allow("*:Describe*"))


@dataclass
class Person:
    """A user, or a session of a role: the ARN that IAM knows, and credentials."""

    arn: str
    keys: dict[str, str]
    endpoint_url: str
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = boto3.client(
                service,
                region_name=REGION,
                endpoint_url=self.endpoint_url,
                aws_access_key_id=self.keys["AccessKeyId"],
                aws_secret_access_key=self.keys["SecretAccessKey"],
                aws_session_token=self.keys.get("SessionToken"),
                config=Config(retries={"total_max_attempts": 1}, proxies={}),
            )
        return self.clients[service]

    def may(self, service: str, operation: str, **arguments: Any) -> bool:
        """Whether AWS lets the person make this call."""
        try:
            getattr(self.client(service), operation)(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException"):
                raise
            return False
        return True


def user(account: Account, policy: Item | None = None, boundary: str = "") -> Person:
    iam, name = account.root("iam"), unique("asked")
    bounded = {"PermissionsBoundary": boundary} if boundary else {}
    arn = iam.create_user(UserName=name, Path="/people/", **bounded)["User"]["Arn"]
    if policy:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    return Person(arn, iam.create_access_key(UserName=name)["AccessKey"], account.endpoint_url)


def role(account: Account, policy: Item | None = None, boundary: str = "", trusted: Item = TRUST_ACCOUNT) -> str:
    """The ARN of a role with a path."""
    iam, name = account.root("iam"), unique("asked")
    bounded = {"PermissionsBoundary": boundary} if boundary else {}
    made = iam.create_role(RoleName=name, Path="/teams/", AssumeRolePolicyDocument=json.dumps(trusted), **bounded)
    if policy:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    arn: str = made["Role"]["Arn"]
    return arn


def session(account: Account, arn: str) -> Person:
    made = account.root("sts").assume_role(RoleArn=arn, RoleSessionName="work")
    return Person(arn, made["Credentials"], account.endpoint_url)


def ask(account: Account, *checks: Item, **arguments: Any) -> list[Item]:
    """The answers. Asking changes nothing."""
    named = [{"name": str(index), **check} for index, check in enumerate(checks)]
    result = account.run("iam_access_info", checks=named, **arguments)
    assert result["mutations"] == []
    assert [one["name"] for one in result["checks"]] == [one["name"] for one in named]
    answers: list[Item] = result["checks"]
    return answers


@pytest.fixture(scope="module")
def people(account: Account) -> dict[str, Person]:
    """Users and roles with every right, with a boundary that only lets them read, and without any."""
    made = account.root("iam").create_policy(PolicyName=unique("reading"), PolicyDocument=json.dumps(READING))
    boundary = made["Policy"]["Arn"]
    everything = document(allow("*"))
    return {
        "user": user(account, everything),
        "other": user(account, everything),
        "poor user": user(account),
        "bounded user": user(account, everything, boundary),
        "role": session(account, role(account, everything)),
        "poor role": session(account, role(account)),
        "bounded role": session(account, role(account, everything, boundary)),
    }


def statement(effect: str, principal: Any, *actions: str, **more: Any) -> Item:
    """One of a bucket's policy, about its objects; its Resource is filled in later."""
    return {"Effect": effect, "Principal": principal, "Action": list(actions) or "*", **more}


def spare(*arns: str) -> Item:
    return {"Condition": {"ArnNotLike": {"aws:PrincipalArn": list(arns)}}}


def named(people: dict[str, Person]) -> Item:
    return {"AWS": [one.arn for one in people.values() if one is not people["other"]]}


BUCKET_POLICIES: dict[str, Callable[[dict[str, Person]], Any]] = {
    "none": lambda people: None,
    "spares a user": lambda people: [statement("Deny", "*", **spare(people["user"].arn))],
    "spares a role": lambda people: [statement("Deny", {"AWS": "*"}, **spare(people["role"].arn))],
    "spares by pattern": lambda people: [statement("Deny", "*", **spare(f"arn:aws:iam::{ACCOUNT}:role/teams/*"))],
    "allows by name": lambda people: [statement("Allow", named(people), "s3:GetObject", "s3:PutObject")],
    "allows everybody": lambda people: [statement("Allow", "*", "s3:getobject", **spare(people["other"].arn))],
    "allows the account": lambda people: [statement("Allow", {"AWS": OWNER}, "s3:*")],
    "denies the account": lambda people: [statement("Deny", {"AWS": ACCOUNT}, "s3:PUTObject")],
    "denies by name": lambda people: [statement("Deny", {"AWS": people["role"].arn}, "s3:GetObject")],
    "both": lambda people: [
        statement("Allow", named(people), "s3:*Object", Sid="Let them in"),
        statement("Deny", "*", "s3:PutObject", Sid="Letthemin", **spare(people["poor role"].arn)),
    ],
    "of encrypted uploads": lambda people: [
        statement(
            "Deny", "*", "s3:PutObject", Condition={"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
        )
    ],
    "for plain HTTP": lambda people: [statement("Deny", "*", Condition={"Bool": {"aws:SecureTransport": "false"}})],
    "one statement": lambda people: statement("Deny", "*", "s3:Get*", **spare(people["role"].arn)),
}


@pytest.mark.parametrize("case", BUCKET_POLICIES)
def test_buckets(account: Account, people: dict[str, Person], case: str) -> None:
    bucket, s3 = unique("asked"), account.root("s3")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    s3.delete_public_access_block(Bucket=bucket)
    statements = BUCKET_POLICIES[case](people)
    if statements:
        for one in statements if isinstance(statements, list) else [statements]:
            one["Resource"] = f"arn:aws:s3:::{bucket}/*"
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))

    answers = ask(
        account,
        *(
            {
                "principal": person.arn,
                "actions": ["s3:GetObject", "s3:PutObject"],
                "resource": f"arn:aws:s3:::{bucket}/a",
                "policy_of": {"kind": "bucket", "name": bucket},
            }
            for person in people.values()
        ),
    )

    where = {"Bucket": bucket, "Key": "a"}
    real = {
        who: (person.may("s3", "get_object", **where), person.may("s3", "put_object", **where, Body=b"2"))
        for who, person in people.items()
    }
    said = {
        who: ("s3:GetObject" in answer["allowed"], "s3:PutObject" in answer["allowed"])
        for who, answer in zip(people, answers, strict=True)
    }
    assert said == real
    assert not any(answer["missing"] for answer in answers)


def test_what_decided_is_named(account: Account, people: dict[str, Person]) -> None:
    bucket = unique("asked")
    account.root("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    arn = f"arn:aws:s3:::{bucket}"
    sealed = statement("Deny", "*", "s3:PutObject", Resource=f"{arn}/*", **spare(people["role"].arn))
    account.root("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(document(sealed)))
    common = {"actions": ["s3:PutObject"], "resource": f"{arn}/a", "policy_of": {"kind": "bucket", "name": bucket}}
    only_then = allow("s3:PutObject") | {"Condition": {"StringEquals": {"s3:x-amz-acl": "private"}}}

    denied, let, given = ask(
        account,
        {"principal": people["user"].arn, **common},
        {"principal": people["role"].arn, **common},
        {"principal": people["role"].arn, "policies": [document(only_then)], **common},
    )

    assert (denied["decisions"], denied["decided_by"]) == (
        {"s3:PutObject": "explicitDeny"},
        [f"policy of bucket {bucket}"],
    )
    assert (let["decisions"], let["decided_by"]) == (
        {"s3:PutObject": "allowed"},
        [f"role_{people['role'].arn.rpartition('/')[2]}_own"],
    )
    assert (denied["unknown_keys"], given["unknown_keys"]) == ([], ["s3:x-amz-acl"])


@pytest.mark.parametrize("upload", [{}, {"ServerSideEncryption": "AES256"}, {"ServerSideEncryption": "aws:kms"}])
def test_condition_keys_are_those_of_the_question(account: Account, people: dict[str, Person], upload: Item) -> None:
    bucket = unique("asked")
    account.root("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    (sealed,) = BUCKET_POLICIES["of encrypted uploads"](people)
    header = "Server-Side-Encryption"  # IAM does not care for its case
    sealed["Resource"] = f"arn:aws:s3:::{bucket}/*"
    account.root("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(document(sealed)))

    (answer,) = ask(
        account,
        {
            "principal": people["user"].arn,
            "actions": ["s3:PutObject"],
            "resource": f"arn:aws:s3:::{bucket}/a",
            "context": {f"s3:X-Amz-{header}": value for value in upload.values()},
            "policy_of": {"kind": "bucket", "name": bucket},
        },
    )

    assert bool(answer["allowed"]) is people["user"].may("s3", "put_object", Bucket=bucket, Key="a", **upload)
    assert answer["unknown_keys"] == ([] if upload else ["s3:x-amz-server-side-encryption"])


KEY_POLICIES: dict[str, Callable[[dict[str, Person]], list[Item]]] = {
    "the account": lambda people: [statement("Allow", {"AWS": OWNER}, "kms:*")],
    "nobody": lambda people: [statement("Allow", {"AWS": people["other"].arn}, "kms:*")],
    "by name": lambda people: [statement("Allow", named(people), "kms:Describe*")],
    "sealed": lambda people: [
        statement("Allow", {"AWS": OWNER}, "kms:*"),
        statement("Deny", "*", "kms:Enable*", **spare(people["user"].arn, people["poor user"].arn)),
    ],
}


@pytest.mark.parametrize("case", KEY_POLICIES)
def test_keys_must_allow_too(account: Account, people: dict[str, Person], case: str) -> None:
    statements = [{**one, "Resource": "*"} for one in KEY_POLICIES[case](people)]
    key = account.root("kms").create_key(Policy=json.dumps(document(*statements)), BypassPolicyLockoutSafetyCheck=True)
    arn = key["KeyMetadata"]["Arn"]
    # The modules' caller may not read each of these policies.
    given = {} if case in ("the account", "sealed") else {"resource_policy": document(*statements)}

    answers = ask(
        account,
        *(
            {
                "principal": person.arn,
                "actions": ["kms:DescribeKey", "kms:EnableKeyRotation"],
                "resource": arn,
                **given,
                "policy_of": {"kind": "key", "name": arn},
            }
            for person in people.values()
        ),
    )

    said = {
        who: ("kms:DescribeKey" in answer["allowed"], "kms:EnableKeyRotation" in answer["allowed"])
        for who, answer in zip(people, answers, strict=True)
    }
    assert said == {
        who: (person.may("kms", "describe_key", KeyId=arn), person.may("kms", "enable_key_rotation", KeyId=arn))
        for who, person in people.items()
    }


TRUSTS: dict[str, Callable[[dict[str, Person]], Item]] = {
    "a service": lambda people: trust("codebuild.amazonaws.com"),
    "the account": lambda people: TRUST_ACCOUNT,
    "with MFA": lambda people: document(
        statement("Allow", {"AWS": OWNER}, "sts:AssumeRole", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})
    ),
    "in another region": lambda people: document(
        statement("Allow", {"AWS": OWNER}, "sts:AssumeRole", Condition={"StringEquals": {"aws:RequestedRegion": "x"}})
    ),
    "in this region": lambda people: document(
        statement(
            "Allow", {"AWS": OWNER}, "sts:AssumeRole", Condition={"StringEquals": {"aws:RequestedRegion": REGION}}
        )
    ),
}


@pytest.mark.parametrize("case", TRUSTS)
def test_roles_are_taken_as_they_trust(account: Account, people: dict[str, Person], case: str) -> None:
    arn = role(account, trusted=TRUSTS[case](people))
    asked: Item = {"actions": ["sts:AssumeRole"], "resource": arn}
    asked["policy_of"] = {"kind": "role", "name": arn.rpartition("/")[2]}

    answers = ask(account, *({"principal": person.arn, **asked} for person in people.values()))

    assert {who: bool(answer["allowed"]) for who, answer in zip(people, answers, strict=True)} == {
        who: person.may("sts", "assume_role", RoleArn=arn, RoleSessionName="work") for who, person in people.items()
    }


def test_a_role_that_trusts_somebody_by_name(account: Account, people: dict[str, Person]) -> None:
    # So says AWS of AssumeRole. Local AWS wants the caller's own policy to allow it, too, so that it is not asked.
    arn = role(account, trusted=document(statement("Allow", {"AWS": people["poor user"].arn}, "sts:AssumeRole")))
    asked: Item = {"actions": ["sts:AssumeRole"], "resource": arn}
    asked["policy_of"] = {"kind": "role", "name": arn.rpartition("/")[2]}

    by_name, another = ask(account, *({"principal": people[who].arn, **asked} for who in ("poor user", "user")))

    assert by_name["allowed"] == ["sts:AssumeRole"]
    assert (another["allowed"], another["decided_by"]) == ([], [f"policy of role {arn.rpartition('/')[2]}"])


def test_mfa_opens_a_role(account: Account) -> None:
    person, iam = user(account, document(allow("sts:AssumeRole"))), account.root("iam")
    arn = role(account, trusted=TRUSTS["with MFA"]({}))
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=unique("asked"))["VirtualMFADevice"]
    seed, now = device["Base32StringSeed"].decode(), time.time()
    iam.enable_mfa_device(
        UserName=person.arn.rpartition("/")[2],
        SerialNumber=device["SerialNumber"],
        AuthenticationCode1=mfa.code(seed, now - 30),
        AuthenticationCode2=mfa.code(seed, now),
    )
    asked: Item = {"principal": person.arn, "actions": ["sts:AssumeRole"], "resource": arn}
    asked["policy_of"] = {"kind": "role", "name": arn.rpartition("/")[2]}

    without, with_mfa = ask(account, asked, {**asked, "context": {"aws:MultiFactorAuthPresent": True}})

    taken = {"RoleArn": arn, "RoleSessionName": "work"}
    assert not without["allowed"]
    assert not person.may("sts", "assume_role", **taken)
    assert without["unknown_keys"] == ["aws:MultiFactorAuthPresent"]
    assert with_mfa["allowed"] == ["sts:AssumeRole"]
    code = {"SerialNumber": device["SerialNumber"], "TokenCode": mfa.code(seed)}
    assert person.may("sts", "assume_role", **taken, **code)


def test_tables(account: Account, people: dict[str, Person]) -> None:
    table, dynamodb = unique("asked"), account.root("dynamodb")
    arn = dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )["TableDescription"]["TableArn"]
    asked = [
        {
            "principal": person.arn,
            "actions": ["dynamodb:GetItem", "dynamodb:PutItem"],
            "resource": arn,
            "policy_of": {"kind": "table", "name": arn},
        }
        for person in people.values()
    ]
    key = {"LockID": {"S": "a"}}

    def agree() -> dict[str, tuple[bool, bool]]:
        said = {
            who: ("dynamodb:GetItem" in answer["allowed"], "dynamodb:PutItem" in answer["allowed"])
            for who, answer in zip(people, ask(account, *asked), strict=True)
        }
        assert said == {
            who: (
                person.may("dynamodb", "get_item", TableName=table, Key=key),
                person.may("dynamodb", "put_item", TableName=table, Item=key),
            )
            for who, person in people.items()
        }
        return said

    before = agree()
    sealed = document(
        statement("Deny", "*", "dynamodb:PutItem", Resource=arn, **spare(people["role"].arn)),
        statement("Allow", {"AWS": people["poor role"].arn}, "dynamodb:*Item", Resource=arn),
    )
    dynamodb.put_resource_policy(ResourceArn=arn, Policy=json.dumps(sealed))
    after = agree()

    assert (before["user"], after["user"]) == ((True, True), (True, False))
    assert (before["poor role"], after["poor role"]) == ((False, False), (True, False))


def test_somebody_who_is_not_there(account: Account, people: dict[str, Person]) -> None:
    nobody = f"arn:aws:iam::{ACCOUNT}:user/nobody"
    asked: Item = {
        "actions": ["s3:GetObject", "s3:PutObject"],
        "resource": "arn:aws:s3:::asked/a",
        "hypothetical": True,
    }
    everything = [document(allow("*"))]
    deny = statement("Deny", "*", "s3:PutObject", Resource="*", **spare(people["role"].arn))

    answers = ask(
        account,
        {"principal": nobody, **asked},
        {"principal": nobody, "policies": everything, **asked},
        {"principal": nobody, "policies": everything, "resource_policy": document(deny), **asked},
        {"principal": people["role"].arn, "policies": everything, "resource_policy": document(deny), **asked},
        {"principal": nobody, "policies": everything, "permissions_boundary": READING, **asked},
        {"principal": people["user"].arn, **asked},
    )

    both = ["s3:GetObject", "s3:PutObject"]
    assert [one["allowed"] for one in answers] == [[], both, both[:1], both, both[:1], []]
    assert answers[2]["decided_by"] == ["the given policies", "the resource's policy"]
    assert not any(one["missing"] for one in answers)


def test_root_repairs_every_bucket(account: Account) -> None:
    deny = document(statement("Deny", "*", Resource="*"))

    (answer,) = ask(
        account,
        {
            "principal": OWNER,
            "actions": ["s3:PutBucketPolicy", "s3:PutObject"],
            "resource": "arn:aws:s3:::asked",
            "resource_policy": deny,
        },
    )
    (without,) = ask(account, {"principal": OWNER, "actions": ["s3:PutObject"], "resource": "arn:aws:s3:::asked"})

    # So says AWS; on local AWS nothing is refused to root.
    assert answer["decisions"] == {"s3:PutBucketPolicy": "allowed", "s3:PutObject": "explicitDeny"}
    assert without["allowed"] == ["s3:PutObject"]


def test_a_boundary_in_the_place_of_the_own(account: Account, people: dict[str, Person]) -> None:
    asked: Item = {"actions": ["s3:GetObject", "s3:PutObject"], "resource": "arn:aws:s3:::asked/a"}
    writing = document(allow("s3:Put*"))

    own, another = ask(
        account,
        {"principal": people["bounded role"].arn, **asked},
        {"principal": people["bounded role"].arn, "permissions_boundary": writing, **asked},
    )

    assert (own["allowed"], another["allowed"]) == (["s3:GetObject"], ["s3:PutObject"])


def test_what_is_not_there_is_missing(account: Account, people: dict[str, Person]) -> None:
    nothing = unique("nothing")
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55"
    table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{nothing}"
    places = {"bucket": nothing, "key": key, "role": nothing, "table": table}
    asked: Item = {"actions": ["s3:GetObject"], "resource": "arn:aws:s3:::asked/a"}

    answers = ask(
        account,
        {"principal": f"arn:aws:iam::{ACCOUNT}:user/{nothing}", **asked},
        {"principal": f"arn:aws:iam::{ACCOUNT}:role/{nothing}", **asked},
        # A role is known by its whole ARN.
        {"principal": people["role"].arn.replace("/teams/", "/"), **asked},
        *(
            {"principal": people["user"].arn, **asked, "policy_of": {"kind": kind, "name": name}}
            for kind, name in places.items()
        ),
        {"principal": people["user"].arn, **asked},
    )

    assert [one["missing"] for one in answers] == [True] * 7 + [False]
    assert not any(one["allowed"] for one in answers[:3])


def test_the_caller_is_a_user(account: Account) -> None:
    result = account.run(
        "iam_access_info",
        checks=[{"name": "me", "principal": "caller", "actions": ["iam:CreateUser"], "resource": "*"}],
    )

    assert result["caller"] == result["checks"][0]["principal"] == f"arn:aws:iam::{ACCOUNT}:user/modules"
    assert result["checks"][0]["decisions"] == {"iam:CreateUser": "implicitDeny"}
    assert result["api_calls"] == {"iam:SimulatePrincipalPolicy": 1, "sts:GetCallerIdentity": 1}


def sealed(account: Account) -> list[Item]:
    """A bucket, a table and a key with a policy each, made by the modules: for unless_attached."""
    bucket, table, alias = unique("sealed"), unique("sealed"), f"alias/{unique('sealed')}"
    table_arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"

    def denied(action: str, resource: str) -> Item:
        others = {"ArnNotLike": {"aws:PrincipalArn": [OWNER, f"arn:aws:iam::{ACCOUNT}:user/modules"]}}
        return {"Effect": "Deny", "Principal": "*", "Action": [action], "Resource": resource, "Condition": others}

    whole = {"Effect": "Allow", "Principal": {"AWS": OWNER}, "Action": "kms:*", "Resource": "*"}
    policies = {
        "bucket": document(denied("s3:PutBucketPolicy", f"arn:aws:s3:::{bucket}")),
        "table": document(denied("dynamodb:PutResourcePolicy", table_arn)),
        "key": document(whole, denied("kms:PutKeyPolicy", "*")),
    }
    account.run("s3_buckets", buckets=[{"name": bucket, "policy": policies["bucket"]}])
    account.run("dynamodb_tables", tables=[{"name": table, "hash_key": {"name": "a"}, "policy": policies["table"]}])
    key = account.run("kms_keys", kms_keys=[{"alias": alias, "policy": policies["key"]}])["resources"][alias]["arn"]
    of = {"bucket": bucket, "table": table_arn, "key": key}
    return [{"kind": kind, "name": name, "policy": policies[kind]} for kind, name in of.items()]


READS = {"dynamodb:GetResourcePolicy": 1, "kms:GetKeyPolicy": 1, "s3:GetBucketPolicy": 1}
MAY_CHANGE = {"name": "change", "principal": "caller", "actions": ["s3:PutBucketPolicy"], "resource": "arn:aws:s3:::a"}
IS_THERE = {"name": "exist", "actions": ["s3:GetObject"], "resource": "*", "only_exists": True, "always": True}


def test_what_is_attached_already_need_not_be_asked_about(account: Account, people: dict[str, Person]) -> None:
    wanted, me = sealed(account), f"arn:aws:iam::{ACCOUNT}:user/modules"
    # In another order it is the same, as for the modules that would write it.
    respelled = [{**one, "policy": dict(reversed(one["policy"].items()))} for one in wanted]
    respelled[0]["policy"]["Statement"][0]["Action"] = "s3:PutBucketPolicy"

    result = account.run(
        "iam_access_info",
        checks=[
            MAY_CHANGE,
            {**IS_THERE, "principal": me},
            {**IS_THERE, "principal": f"arn:aws:iam::{ACCOUNT}:user/nobody"},
            {**MAY_CHANGE, "name": "write", "principal": people["poor user"].arn, "always": True},
        ],
        unless_attached=respelled,
        caller_arn=me,
    )

    assert result["attached"]
    assert [(one["name"], one["missing"]) for one in result["checks"]] == [
        ("exist", False),
        ("exist", True),
        ("write", False),
    ]
    assert result["checks"][2]["decisions"] == {"s3:PutBucketPolicy": "implicitDeny"}
    # Nobody asks STS who is asking, nor IAM whether he is there.
    assert result["api_calls"] == {**READS, "iam:SimulatePrincipalPolicy": 2}


def other_condition(wanted: list[Item], index: int) -> None:
    condition = wanted[index]["policy"]["Statement"][-1]["Condition"]
    condition["ArnNotLike"]["aws:PrincipalArn"] = condition["ArnNotLike"]["aws:PrincipalArn"][:1]


@pytest.mark.parametrize(
    ("spoil", "reads"),
    [
        (lambda wanted: other_condition(wanted, 0), READS),
        (lambda wanted: other_condition(wanted, 1), READS),
        (lambda wanted: other_condition(wanted, 2), READS),
        (lambda wanted: wanted[0].update(name=unique("no-such")), READS),
        (lambda wanted: wanted[0].update(policy={}), {}),
        (lambda wanted: wanted[1].update(name=f"{wanted[1]['name']}-not"), READS),
        (lambda wanted: wanted[2].update(name=f"{wanted[2]['name'][:-12]}000000000000"), READS),
        (lambda wanted: wanted[2].update(name=""), {}),
    ],
    ids=["bucket", "table", "key", "no bucket", "no policy", "no table", "no key", "key to be made"],
)
def test_one_that_is_not_attached_is_enough_to_ask_about_all(
    account: Account, spoil: Callable[[list[Item]], None], reads: dict[str, int]
) -> None:
    wanted = copy.deepcopy(sealed(account))
    spoil(wanted)

    result = account.run("iam_access_info", checks=[MAY_CHANGE], unless_attached=wanted)

    assert not result["attached"]
    assert [one["name"] for one in result["checks"]] == ["change"]
    assert result["api_calls"] == {**reads, "iam:SimulatePrincipalPolicy": 1, "sts:GetCallerIdentity": 1}


def test_who_may_not_read_a_policy_asks(account: Account) -> None:
    wanted = sealed(account)
    narrow = user(account, document(allow("iam:Simulate*"), allow("s3:GetBucketPolicy"), allow("kms:GetKeyPolicy")))

    result = dataclasses.replace(account, caller=narrow.keys).run(
        "iam_access_info", checks=[MAY_CHANGE], unless_attached=wanted
    )

    assert not result["attached"]
    assert result["checks"][0]["decisions"] == {"s3:PutBucketPolicy": "implicitDeny"}


def test_nothing_to_attach_asks_nothing_but_always(account: Account) -> None:
    result = account.run("iam_access_info", checks=[MAY_CHANGE], unless_attached=[], caller_arn=OWNER)

    assert (result["attached"], result["checks"], result["api_calls"]) == (True, [], {})


@pytest.mark.parametrize("knows", [True, False])
def test_the_caller_is_a_session_of_a_role_with_a_path(account: Account, knows: bool) -> None:
    may = document(allow("iam:Simulate*"), *([allow("iam:GetRole")] if knows else []))
    person = session(account, role(account, may))
    other = dataclasses.replace(account, caller=person.keys)

    result = other.run(
        "iam_access_info",
        checks=[{"name": "me", "principal": "caller", "actions": ["iam:SimulateCustomPolicy"], "resource": "*"}],
        session_token=person.keys["SessionToken"],
        check=True,
    )

    # Who may not ask for the path is not known to IAM by what is left.
    assert result["caller"] == (person.arn if knows else person.arn.replace("/teams/", "/"))
    assert result["checks"][0]["allowed"] == (["iam:SimulateCustomPolicy"] if knows else [])
    assert result["checks"][0]["missing"] is not knows


def test_a_fresh_role_is_waited_for(account: Account) -> None:
    name, iam = unique("fresh"), account.root("iam")
    asked = {"principal": f"arn:aws:iam::{ACCOUNT}:role/{name}", "actions": ["s3:GetObject"], "resource": "*"}

    def make() -> None:
        # In one step, as far as the question goes: a role without a policy would be answered for.
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST_ACCOUNT))

    assert ask(account, asked)[0]["missing"]
    timer = threading.Timer(1.2, make)
    timer.start()
    try:
        (answer,) = ask(account, {**asked, "policies": [document(allow("s3:GetObject"))]}, fresh=True)
    finally:
        timer.join()

    assert answer["allowed"] == ["s3:GetObject"]
    assert not answer["missing"]


def test_pages_are_read_to_the_end(account: Account, people: dict[str, Person]) -> None:
    actions = [f"s3:Get{index:03}" for index in range(150)]

    (answer,) = ask(account, {"principal": people["user"].arn, "actions": actions, "resource": "*"})

    assert answer["allowed"] == actions


def test_the_caller_can_be_given_as_sts_gives_it(account: Account) -> None:
    arn = role(account, document(allow("iam:*")))
    person = session(account, arn)
    # Were STS asked, that call would be logged with the module's.
    given = f"{arn.replace(':iam:', ':sts:').replace(':role/teams/', ':assumed-role/')}/work"

    result = dataclasses.replace(account, caller=person.keys).run(
        "iam_access_info",
        checks=[{**MAY_CHANGE, "principal": "caller"}],
        caller_arn=given,
        session_token=person.keys["SessionToken"],
    )

    assert result["caller"] == arn
    assert result["api_calls"] == {"iam:GetRole": 1, "iam:SimulatePrincipalPolicy": 1}
    with pytest.raises(ModuleFailed, match=r"caller_arn: 'alice' is not allowed"):
        account.run("iam_access_info", checks=[MAY_CHANGE], caller_arn="alice")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"principal": "alice"},
            r"checks\[0\]\.principal: 'alice' is not allowed; allowed are the ARN of a user or role",
        ),
        ({"principal": f"arn:aws:sts::{ACCOUNT}:assumed-role/a/b"}, r"checks\[0\]\.principal: 'arn:aws:sts"),
        ({"actions": []}, r"checks\[0\]\.actions: it is empty"),
    ],
)
def test_wrong_input_is_refused_before_the_first_call(account: Account, values: Item, message: str) -> None:
    check = {"name": "a", "principal": "caller", "actions": ["s3:GetObject"], "resource": "*", **values}

    with pytest.raises(ModuleFailed, match=message) as failure:
        account.run("iam_access_info", checks=[check])

    assert not failure.value.result.get("api_calls")
