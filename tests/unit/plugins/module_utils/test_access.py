# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom a resource's policy is about, what of it IAM is asked, and how the answer is read.

What comes of it beside a call that is made is tested in tests/integration/modules/test_iam_access_info.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils import _access as access
from ansible_collections.gitops.aws.plugins.module_utils._access import Answer, Check, applies, as_identity
from ansible_collections.gitops.aws.plugins.module_utils._access_checks import problems
from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused

ACCOUNT = "111122223333"
OWNER = f"arn:aws:iam::{ACCOUNT}:root"
USER = f"arn:aws:iam::{ACCOUNT}:user/people/alice"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/teams/platform"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/platform/alice"
OTHER = f"arn:aws:iam::{ACCOUNT}:user/bob"
STRANGER = "arn:aws:iam::444455556666:root"
BUCKET = "arn:aws:s3:::states"


def check(**values: Any) -> Check:
    return Check(**{"name": "a", "principal": USER, "actions": ["s3:GetObject"], "resource": f"{BUCKET}/a", **values})


def document(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements), **more}


# Whom a statement is about


@pytest.mark.parametrize(
    ("principal", "user", "role"),
    [
        ("*", "itself", "itself"),
        ({"AWS": "*"}, "itself", "itself"),
        ({"AWS": ["*"]}, "itself", "itself"),
        ({"AWS": USER}, "itself", None),
        ({"AWS": [OTHER, USER]}, "itself", None),
        ({"AWS": [OTHER, ROLE]}, None, "as a role"),
        ({"AWS": OWNER}, "of the account", "of the account"),
        ({"AWS": [OTHER, ACCOUNT]}, "of the account", "of the account"),
        ({"AWS": SESSION}, None, "as a session"),
        ({"AWS": SESSION.replace("platform", "platform-2")}, None, None),
        ({"AWS": [STRANGER, OTHER]}, None, None),
        ({"AWS": f"arn:aws:iam::{ACCOUNT}:user/*"}, None, None),  # no pattern but * alone
        ({"Service": "s3.amazonaws.com"}, None, None),
        ({"Service": "*", "AWS": USER}, "itself", None),
        ({}, None, None),
    ],
)
def test_whom_a_principal_is(principal: Any, user: str | None, role: str | None) -> None:
    for arn, who in ((USER, user), (ROLE, role)):
        allow = {"Effect": "Allow", "Principal": principal}
        deny = {"Effect": "Deny", "Principal": principal}
        assert applies(allow, arn) is (who is not None)
        assert applies(allow, arn, "name") is (who in ("itself", "as a role", "as a session"))
        assert applies(allow, arn, "unbounded") is (who in ("itself", "as a session"))
        # Who is not every session of a role might still be the one that calls.
        assert applies(deny, arn) is (who in ("itself", "as a role", "of the account"))


def test_nobody_is_meant_where_no_principal_is_named() -> None:
    assert not applies({"Effect": "Allow"}, USER)
    assert not applies({"Effect": "Deny"}, USER)


@pytest.mark.parametrize(
    ("spared", "user_denied", "role_denied"),
    [
        ({"AWS": USER}, False, True),
        ({"AWS": [ROLE, USER]}, False, False),
        ({"AWS": [OTHER]}, True, True),
        ({"AWS": SESSION}, True, False),
        ({"AWS": OWNER}, False, False),  # AWS wants both listed: rather not refused than wrongly so
        ({"AWS": ACCOUNT}, False, False),
        ({"AWS": "*"}, False, False),
        ("*", False, False),
        ({"Service": "s3.amazonaws.com"}, True, True),
        ({"AWS": STRANGER}, True, True),
    ],
)
def test_whom_not_principal_spares(spared: Any, user_denied: bool, role_denied: bool) -> None:
    for arn, denied in ((USER, user_denied), (ROLE, role_denied)):
        assert applies({"Effect": "Deny", "NotPrincipal": spared}, arn) is denied


def test_whom_not_principal_lets_in() -> None:
    assert applies({"Effect": "Allow", "NotPrincipal": {"AWS": OTHER}}, USER, "unbounded")
    assert applies({"Effect": "Allow", "NotPrincipal": {"AWS": OWNER}}, USER)
    assert not applies({"Effect": "Allow", "NotPrincipal": {"AWS": [USER]}}, USER)


# A resource's policy as one of the principal


def test_only_the_statements_about_the_principal_are_taken() -> None:
    deny = {"Sid": "No writes", "Effect": "Deny", "Principal": "*", "Action": "s3:Put*", "Resource": f"{BUCKET}/*"}
    condition = {"ArnNotLike": {"aws:PrincipalArn": ROLE}}
    policy = document(
        {**deny, "Condition": condition},
        {"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "s3:Get*", "NotResource": BUCKET},
        {**deny, "Principal": {"AWS": OTHER}},
        {"Effect": "Deny", "NotPrincipal": {"AWS": OTHER}, "NotAction": "s3:Get*", "Resource": "*"},
    )

    assert as_identity(policy, USER, BUCKET, "Deny") == document(
        {"Effect": "Deny", "Action": "s3:Put*", "Resource": f"{BUCKET}/*", "Condition": condition},
        {"Effect": "Deny", "NotAction": "s3:Get*", "Resource": "*"},
    )
    assert as_identity(policy, USER, BUCKET, "Allow", "name") == document(
        {"Effect": "Allow", "Action": "s3:Get*", "NotResource": BUCKET}
    )
    assert as_identity(policy, ROLE, BUCKET, "Allow") is None


def test_one_statement_needs_no_list() -> None:
    one = {"Effect": "Allow", "Principal": {"AWS": OWNER}, "Action": "sts:AssumeRole"}

    made = as_identity(document(Statement=one), USER, ROLE, "Allow")

    assert made == document({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE})


def test_the_older_language_stays_so() -> None:
    one = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"{BUCKET}/${{aws:username}}/*"}

    assert (as_identity({"Statement": [one]}, USER, BUCKET, "Deny") or {})["Version"] == "2008-10-17"
    assert (as_identity(document(one), USER, BUCKET, "Deny") or {})["Version"] == "2012-10-17"


@pytest.mark.parametrize("policy", [None, {}, {"Statement": []}])
def test_no_policy_says_nothing(policy: dict[str, Any] | None) -> None:
    assert as_identity(policy, USER, BUCKET, "Deny") is None


# Condition keys


def entries(region: str = "eu-west-1", **values: Any) -> dict[str, tuple[str, list[str]]]:
    return {
        entry["ContextKeyName"]: (entry["ContextKeyType"], entry["ContextKeyValues"])
        for entry in access.context_entries(check(**values), region)
    }


def test_what_aws_knows_of_every_call() -> None:
    assert entries() == {
        "aws:PrincipalArn": ("string", [USER]),
        "aws:PrincipalAccount": ("string", [ACCOUNT]),
        "aws:PrincipalIsAWSService": ("boolean", ["false"]),
        "aws:PrincipalType": ("string", ["User"]),
        "aws:RequestedRegion": ("string", ["eu-west-1"]),
        "aws:SecureTransport": ("boolean", ["true"]),
        "aws:ViaAWSService": ("boolean", ["false"]),
        "aws:username": ("string", ["alice"]),
    }
    of_role = entries(principal=ROLE)
    assert (of_role["aws:PrincipalArn"], of_role["aws:PrincipalType"]) == (
        ("string", [ROLE]),
        ("string", ["AssumedRole"]),
    )
    assert "aws:username" not in of_role
    assert "aws:PrincipalType" not in entries(principal=OWNER)


@pytest.mark.parametrize(
    ("resource", "action", "principal", "region"),
    [
        (f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/a", "kms:Decrypt", USER, "eu-central-1"),
        (BUCKET, "s3:GetObject", USER, "eu-west-1"),
        (ROLE, "sts:AssumeRole", USER, "eu-west-1"),
        (ROLE, "iam:GetRole", USER, "us-east-1"),
        ("*", "IAM:GetRole", USER.replace("arn:aws:", "arn:aws-cn:"), "cn-north-1"),
        ("*", "ec2:RunInstances", USER, "eu-west-1"),
    ],
)
def test_where_a_call_is_made(resource: str, action: str, principal: str, region: str) -> None:
    made = entries(resource=resource, actions=[action], principal=principal)

    assert made["aws:RequestedRegion"] == ("string", [region])


def test_what_is_given_counts_whatever_its_case() -> None:
    made = entries(
        context={
            "aws:securetransport": False,
            "aws:MULTIFACTORAUTHPRESENT": "true",
            "aws:MultiFactorAuthAge": 60,
            "aws:SourceIp": ["10.0.0.1", "10.0.0.2"],
            "aws:TagKeys": ["a"],
            "demo:Number": 7,
            "demo:None": [],
        }
    )

    assert "aws:SecureTransport" not in made
    assert {key: made[key] for key in list(made)[-7:]} == {
        "aws:securetransport": ("boolean", ["false"]),
        "aws:MULTIFACTORAUTHPRESENT": ("boolean", ["true"]),
        "aws:MultiFactorAuthAge": ("numeric", ["60"]),
        "aws:SourceIp": ("ipList", ["10.0.0.1", "10.0.0.2"]),
        "aws:TagKeys": ("stringList", ["a"]),
        "demo:Number": ("numeric", ["7"]),
        "demo:None": ("stringList", []),
    }


# The answer


def result(action: str, decision: str, **more: Any) -> dict[str, Any]:
    return {"EvalActionName": action, "EvalDecision": decision, **more}


def matched(*names: str) -> list[dict[str, str]]:
    return [{"SourcePolicyId": name} for name in names]


def test_what_is_allowed() -> None:
    assert Answer({"a:B": "allowed", "a:C": "explicitDeny", "a:D": "implicitDeny"}).allowed == ["a:B"]
    assert Answer({}).allowed == []


def test_an_answer_has_the_names_of_the_question() -> None:
    found = access._read(
        [
            result("s3:putobject", "explicitDeny", MatchedStatements=matched("PolicyInputList.1", "own")),
            result("s3:GetObject", "allowed", MatchedStatements=matched("own"), MissingContextValues=["aws:SourceIp"]),
        ],
        ["s3:GetObject", "S3:PutObject"],
        BUCKET,
        {"PolicyInputList.1": "the policy"},
    )

    assert found == Answer(
        {"s3:GetObject": "allowed", "S3:PutObject": "explicitDeny"}, ["own", "the policy"], ["aws:SourceIp"]
    )


def test_what_is_said_of_the_resource_itself_counts() -> None:
    of_resource = {
        "EvalResourceName": BUCKET,
        "EvalResourceDecision": "allowed",
        "MatchedStatements": matched("own"),
        "MissingContextValues": ["aws:SourceIp"],
    }
    found = access._read([result("s3:A", "implicitDeny", ResourceSpecificResults=[of_resource])], ["s3:A"], BUCKET, {})

    assert found == Answer({"s3:A": "allowed"}, ["own"], ["aws:SourceIp"])


@pytest.mark.parametrize("order", [1, -1])
def test_of_several_results_the_one_that_allows_counts(order: int) -> None:
    others = [{"EvalResourceName": "*", "EvalResourceDecision": "explicitDeny"}]
    own = [{"EvalResourceName": BUCKET, "EvalResourceDecision": "allowed"}]
    results = [
        result("s3:A", "implicitDeny"),
        result("s3:A", "explicitDeny", ResourceSpecificResults=[*others, *own]),
        result("s3:A", "explicitDeny", ResourceSpecificResults=others),
    ][::order]

    assert access._read(results, ["s3:A"], BUCKET, {}).decisions == {"s3:A": "allowed"}
    refused = [one for one in results if own[0] not in one.get("ResourceSpecificResults", [])]
    assert access._read(refused, ["s3:A"], BUCKET, {}).decisions == {"s3:A": "explicitDeny"}


def test_what_an_organisation_does_not_allow() -> None:
    given = {"OrganizationsDecisionDetail": {"AllowedByOrganizations": False}}

    assert access._read([result("s3:A", "allowed", **given)], ["s3:A"], BUCKET, {}).decisions == {
        "s3:A": "explicitDeny"
    }


def test_silence_is_no_refusal() -> None:
    with pytest.raises(Refused, match=r"did not say whether s3:B, s3:C is allowed"):
        access._read([result("s3:A", "allowed")], ["s3:A", "s3:B", "s3:C"], BUCKET, {})


# Arguments


@pytest.mark.parametrize("principal", ["caller", USER, ROLE, OWNER, ROLE.replace("arn:aws:", "arn:aws-us-gov:")])
def test_principals(principal: str) -> None:
    assert problems({"checks": [{"principal": principal, "actions": ["s3:GetObject"]}]}) == []


@pytest.mark.parametrize("principal", ["", "alice", SESSION, f"{USER}*", f"arn:aws:iam::{ACCOUNT}:group/a"])
def test_wrong_principals(principal: str) -> None:
    (problem,) = problems({"checks": [{"principal": principal, "actions": ["s3:GetObject"]}]})

    assert problem.startswith(f"checks[0].principal: {principal!r} is not allowed")
