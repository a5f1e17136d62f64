# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM's policy simulation answers what enforcement does."""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import ACCOUNT, LocalAws, allow, unique


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def deny(actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return allow(actions, resources, **more) | {"Effect": "Deny"}


def entry(name: str, *values: str, kind: str = "string") -> dict[str, Any]:
    return {"ContextKeyName": name, "ContextKeyType": kind, "ContextKeyValues": list(values)}


def decisions(answer: dict[str, Any]) -> dict[str, str]:
    return {result["EvalActionName"]: result["EvalDecision"] for result in answer["EvaluationResults"]}


def refused(code: str, call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code, caught.value
    return str(caught.value.response["Error"]["Message"])


def statement(chance: random.Random, bucket: str, principal: str = "") -> dict[str, Any]:
    """A statement about the objects of a bucket, of the bucket's policy if it is for a principal."""
    folder = chance.choice(["", "a/", "b/"])
    resources = chance.choice([["*"], [f"arn:aws:s3:::{bucket}/{folder}*"], [f"arn:aws:s3:::{bucket}"]])
    made: dict[str, Any] = {
        "Effect": chance.choice(["Allow", "Allow", "Deny"]),
        chance.choice(["Action", "Action", "NotAction"]): chance.choice(
            [["s3:GetObject"], ["s3:Put*"], ["s3:*Object"], ["s3:ListBucket", "s3:DeleteObject"]]
        ),
        ("Resource" if principal else chance.choice(["Resource", "Resource", "NotResource"])): resources,
    }
    if principal:
        named = chance.choice([principal, f"arn:aws:iam::{ACCOUNT}:root"])
        made |= {
            "Principal": {"AWS": named},
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{folder}*"],
        }
    operator = chance.choice(["none", "none", "ArnNotLike", "ArnLike", "Bool", "Null"])
    if operator.startswith("Arn"):
        who = chance.choice(["user/*", "role/*"])
        made["Condition"] = {operator: {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:{who}"}}
    elif operator == "Bool":
        made["Condition"] = {"Bool": {"aws:SecureTransport": chance.choice(["true", "false"])}}
    elif operator == "Null":
        made["Condition"] = {"Null": {"aws:MultiFactorAuthPresent": chance.choice(["true", "false"])}}
    return made


def outcome(call: Callable[[], Any]) -> str:
    """What enforcement makes of a call, in the words of the simulation."""
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return "explicitDeny" if "explicit deny" in str(error) else "implicitDeny"
    return "allowed"


@pytest.mark.parametrize("seed", range(30))
def test_simulated_and_enforced_calls_agree(seed: int, local_aws: LocalAws) -> None:
    chance = random.Random(seed)
    bucket, name = local_aws.bucket("simulated"), unique("simulated")
    admin, iam = local_aws.client("s3"), local_aws.client("iam")
    for folder in "abc":
        admin.put_object(Bucket=bucket, Key=f"{folder}/x", Body=b"")
    statements = [statement(chance, bucket) for _ in range(chance.randint(1, 3))]
    s3 = local_aws.client("s3", local_aws.user(name, *statements))
    user = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    if seed % 3 == 1:
        arn = iam.create_policy(PolicyName=name, PolicyDocument=document(statement(chance, bucket)))["Policy"]["Arn"]
        iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=arn)
    more = {}
    if seed % 3 == 2:
        more["ResourcePolicy"] = document(statement(chance, bucket, user))
        admin.put_bucket_policy(Bucket=bucket, Policy=more["ResourcePolicy"])
    for folder in "abc":
        arn = f"arn:aws:s3:::{bucket}/{folder}/x"
        where = {"Bucket": bucket, "Key": f"{folder}/x"}
        calls = {
            "s3:GetObject": functools.partial(s3.get_object, **where),
            "s3:PutObject": functools.partial(s3.put_object, **where, Body=b""),
            "s3:PutObjectTagging": functools.partial(s3.put_object_tagging, **where, Tagging={"TagSet": []}),
            "s3:DeleteObject": functools.partial(s3.delete_object, **where),
        }
        answer = iam.simulate_principal_policy(
            PolicySourceArn=user,
            ActionNames=list(calls),
            ResourceArns=[arn],
            ContextEntries=[entry("aws:PrincipalArn", user), entry("aws:SecureTransport", "true", kind="boolean")],
            **more,
        )
        simulated = decisions(answer)
        for action, call in calls.items():
            enforced = outcome(call)
            assert (action, arn, simulated[action]) == (action, arn, enforced), (statements, more)


def test_what_decided_is_named_as_aws_names_it(local_aws: LocalAws) -> None:
    iam, name = local_aws.client("iam"), unique("named")
    role = local_aws.role(name, "codebuild.amazonaws.com", allow("s3:GetObject"), allow("s3:PutObject"))
    managed = iam.create_policy(PolicyName=f"{name}-managed", PolicyDocument=document(deny("s3:PutObject")))
    iam.attach_role_policy(RoleName=name, PolicyArn=managed["Policy"]["Arn"])
    answer = iam.simulate_principal_policy(
        PolicySourceArn=role,
        ActionNames=["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "ssm:GetParameter"],
        PolicyInputList=[document(allow("s3:GetObject")), document(allow("ssm:*"))],
    )
    matched = {
        result["EvalActionName"]: (
            result["EvalDecision"],
            [statement["SourcePolicyId"] for statement in result["MatchedStatements"]],
        )
        for result in answer["EvaluationResults"]
    }
    assert matched == {
        "s3:GetObject": ("allowed", [f"role_{name}_test", "PolicyInputList.1"]),
        "s3:PutObject": ("explicitDeny", [f"{name}-managed"]),
        "s3:DeleteObject": ("implicitDeny", []),
        "ssm:GetParameter": ("allowed", ["PolicyInputList.2"]),
    }
    assert {result["EvalResourceName"] for result in answer["EvaluationResults"]} == {"*"}
    assert not answer["IsTruncated"]


def test_groups_and_paths_count(local_aws: LocalAws) -> None:
    iam, name, group = local_aws.client("iam"), unique("member"), unique("group")
    user = iam.create_user(UserName=name, Path="/people/")["User"]["Arn"]
    iam.create_group(GroupName=group)
    iam.put_group_policy(GroupName=group, PolicyName="get", PolicyDocument=document(allow("s3:GetObject")))
    ask = {"PolicySourceArn": user, "ActionNames": ["s3:GetObject"]}
    assert decisions(iam.simulate_principal_policy(**ask)) == {"s3:GetObject": "implicitDeny"}
    iam.add_user_to_group(GroupName=group, UserName=name)
    answer = iam.simulate_principal_policy(**ask)["EvaluationResults"][0]
    assert (answer["EvalDecision"], answer["MatchedStatements"][0]["SourcePolicyId"]) == (
        "allowed",
        f"group_{group}_get",
    )


def test_several_resources_have_results_of_their_own(local_aws: LocalAws) -> None:
    found = local_aws.client("iam").simulate_custom_policy(
        PolicyInputList=[document(allow("s3:*", "arn:aws:s3:::one/*"), deny("s3:*", "arn:aws:s3:::three/*"))],
        ActionNames=["s3:GetObject"],
        ResourceArns=[f"arn:aws:s3:::{name}/x" for name in ("one", "two", "three")],
    )["EvaluationResults"]
    assert [(item["EvalResourceName"], item["EvalDecision"]) for item in found] == [
        ("arn:aws:s3:::one/x", "explicitDeny")
    ]
    assert [item["EvalResourceDecision"] for item in found[0]["ResourceSpecificResults"]] == [
        "allowed",
        "implicitDeny",
        "explicitDeny",
    ]


def test_keys_that_are_not_given_are_absent_and_named(local_aws: LocalAws) -> None:
    custom = local_aws.client("iam").simulate_custom_policy
    only = allow("s3:GetObject", Condition={"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/ada"}})
    none = deny("s3:GetObject", Condition={"ForAnyValue:StringEquals": {"aws:TagKeys": ["x"]}})
    ask = {"PolicyInputList": [document(only, none)], "ActionNames": ["s3:GetObject"]}
    found = custom(**ask)["EvaluationResults"][0]
    assert found["EvalDecision"] == "implicitDeny"
    assert found["MissingContextValues"] == ["aws:PrincipalArn", "aws:TagKeys"]
    ada = entry("aws:principalARN", f"arn:aws:iam::{ACCOUNT}:user/ada")
    found = custom(**ask, ContextEntries=[ada, entry("aws:TagKeys", "y", "z", kind="stringList")])["EvaluationResults"][
        0
    ]
    assert (found["EvalDecision"], found["MissingContextValues"]) == ("allowed", [])
    assert decisions(custom(**ask, ContextEntries=[ada, entry("aws:TagKeys", "x", "z", kind="stringList")])) == {
        "s3:GetObject": "explicitDeny"
    }


@pytest.mark.parametrize(
    ("operator", "kind", "value", "expected"),
    [
        ("NumericLessThan", "numeric", "5", "6"),
        ("Bool", "boolean", "true", "true"),
        ("IpAddress", "ip", "10.0.0.1", "10.0.0.0/8"),
        ("DateLessThan", "date", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("BinaryEquals", "binary", "QUJD", "QUJD"),
    ],
)
def test_every_type_of_key(operator: str, kind: str, value: str, expected: str, local_aws: LocalAws) -> None:
    answer = local_aws.client("iam").simulate_custom_policy(
        PolicyInputList=[document(allow("s3:GetObject", Condition={operator: {"demo:Key": expected}}))],
        ActionNames=["s3:GetObject"],
        ContextEntries=[entry("demo:Key", value, kind=kind)],
    )
    assert decisions(answer) == {"s3:GetObject": "allowed"}


def test_a_boundary_in_place_of_the_own_one(local_aws: LocalAws) -> None:
    iam, name = local_aws.client("iam"), unique("bounded")
    local_aws.user(name, allow("*"))
    arn = iam.create_policy(PolicyName=name, PolicyDocument=document(allow("s3:*")))["Policy"]["Arn"]
    iam.put_user_permissions_boundary(UserName=name, PermissionsBoundary=arn)
    ask = {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/{name}", "ActionNames": ["s3:GetObject", "sqs:SendMessage"]}
    answer = iam.simulate_principal_policy(**ask)
    assert decisions(answer) == {"s3:GetObject": "allowed", "sqs:SendMessage": "implicitDeny"}
    assert [
        result["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"]
        for result in answer["EvaluationResults"]
    ] == [True, False]
    answer = iam.simulate_principal_policy(**ask, PermissionsBoundaryPolicyInputList=[document(allow("sqs:*"))])
    assert decisions(answer) == {"s3:GetObject": "implicitDeny", "sqs:SendMessage": "allowed"}


def test_a_resource_policy_needs_a_user(local_aws: LocalAws) -> None:
    iam, name = local_aws.client("iam"), unique("caller")
    local_aws.user(name, allow("iam:GetUser"))
    user, role = f"arn:aws:iam::{ACCOUNT}:user/{name}", local_aws.role(unique("role"), "codebuild.amazonaws.com")
    policy = document(allow("s3:GetObject", "arn:aws:s3:::one/*", Principal={"AWS": user}))
    ask = {"ActionNames": ["s3:GetObject"], "ResourceArns": ["arn:aws:s3:::one/x"], "ResourcePolicy": policy}
    answer = iam.simulate_principal_policy(PolicySourceArn=user, **ask)
    assert decisions(answer) == {"s3:GetObject": "allowed"}
    assert answer["EvaluationResults"][0]["MatchedStatements"][0]["SourcePolicyId"] == "ResourcePolicy"
    assert decisions(iam.simulate_principal_policy(PolicySourceArn=role, CallerArn=user, **ask)) == {
        "s3:GetObject": "allowed"
    }
    refused("InvalidInput", iam.simulate_principal_policy, PolicySourceArn=role, **ask)
    refused("InvalidInput", iam.simulate_principal_policy, PolicySourceArn=role, CallerArn=role, **ask)
    refused("InvalidInput", iam.simulate_custom_policy, PolicyInputList=[document(allow("s3:*"))], **ask)


def test_results_come_in_pages(local_aws: LocalAws) -> None:
    iam = local_aws.client("iam")
    actions = [f"demo:Action{number}" for number in range(130)]
    ask = {"PolicyInputList": [document(allow("*"))], "ActionNames": actions}
    first = iam.simulate_custom_policy(**ask)
    assert (len(first["EvaluationResults"]), first["IsTruncated"]) == (100, True)
    rest = iam.simulate_custom_policy(**ask, Marker=first["Marker"])
    assert (len(rest["EvaluationResults"]), rest["IsTruncated"]) == (30, False)
    pages = iam.get_paginator("simulate_custom_policy").paginate(**ask, PaginationConfig={"PageSize": 50})
    assert [result["EvalActionName"] for page in pages for result in page["EvaluationResults"]] == actions


def test_what_is_refused(local_aws: LocalAws) -> None:
    iam = local_aws.client("iam")
    nobody = f"arn:aws:iam::{ACCOUNT}:role/{unique('nobody')}"
    ask = {"ActionNames": ["s3:GetObject"]}
    assert "cannot be found" in refused("NoSuchEntity", iam.simulate_principal_policy, PolicySourceArn=nobody, **ask)
    refused("InvalidInput", iam.simulate_principal_policy, PolicySourceArn="arn:aws:s3:::one-bucket-more", **ask)
    refused("InvalidInput", iam.simulate_custom_policy, PolicyInputList=["{"], **ask)
    refused("InvalidInput", iam.simulate_custom_policy, PolicyInputList=[document(allow("*"))], ActionNames=["s3:*"])
    single = [entry("aws:TagKeys", "a", "b")]
    refused(
        "InvalidInput",
        iam.simulate_custom_policy,
        PolicyInputList=[document(allow("*"))],
        ContextEntries=single,
        **ask,
    )


def test_who_may_simulate_whom(local_aws: LocalAws) -> None:
    name = unique("role")
    role, other = (
        local_aws.role(name, "codebuild.amazonaws.com"),
        local_aws.role(f"{name}-2", "codebuild.amazonaws.com"),
    )
    keys = local_aws.user(unique("auditor"), allow("iam:SimulatePrincipalPolicy", role))
    auditor = local_aws.client("iam", keys)
    auditor.simulate_principal_policy(PolicySourceArn=role, ActionNames=["s3:GetObject"])
    refused("AccessDenied", auditor.simulate_principal_policy, PolicySourceArn=other, ActionNames=["s3:GetObject"])
