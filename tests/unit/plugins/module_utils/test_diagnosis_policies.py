# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What policy documents say of an action on a resource, and which statement says it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_policies import (
    ALLOWED,
    CONDITIONAL,
    DENIED,
    MISSING,
    allows_service,
    holds,
    judge,
    judge_resource,
    matches,
)

ROLE = "arn:aws:iam::111122223333:role/gitops-network-plan"
ROOT = "arn:aws:iam::111122223333:root"
KNOWN = {"aws:principalarn": ROLE, "aws:securetransport": "true"}
OBJECT = "arn:aws:s3:::bucket/key"


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def statement(effect: str = "Allow", **members: Any) -> dict[str, Any]:
    return {"Sid": "One", "Effect": effect, "Action": "s3:GetObject", "Resource": OBJECT, **members}


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (statement(), ALLOWED),
        (statement(Action=["s3:get*"]), ALLOWED),
        (statement(Action="*", Resource="*"), ALLOWED),
        (statement(Resource="arn:aws:s3:::bucket/?ey"), ALLOWED),
        (statement(Action="s3:PutObject"), MISSING),
        (statement(Resource="arn:aws:s3:::bucket"), MISSING),
        (statement(Resource="arn:aws:s3:::bucket/KEY"), MISSING),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, ALLOWED),
        ({"Effect": "Allow", "NotAction": "S3:*", "Resource": "*"}, MISSING),
        ({"Effect": "Allow", "Action": "s3:*", "NotResource": OBJECT}, MISSING),
        (statement(Condition={"StringEquals": {"kms:ViaService": "s3"}}), CONDITIONAL),
        (statement(Condition={"Bool": {"aws:SecureTransport": "true"}}), ALLOWED),
        (statement(Condition={"Bool": {"aws:SecureTransport": "false"}}), MISSING),
        (statement("Deny"), DENIED),
        (statement("Deny", Condition={"StringEquals": {"kms:ViaService": "s3"}}), MISSING),
    ],
)
def test_one_statement(given: dict[str, Any], word: str) -> None:
    assert judge({"own": document(given)}, "s3:GetObject", OBJECT, KNOWN).word == word


def test_a_deny_wins_and_is_named() -> None:
    documents = {"inline policy a": document(statement()), "inline policy b": document(statement("Deny"))}

    verdict = judge(documents, "s3:GetObject", OBJECT, KNOWN)
    assert (verdict.word, verdict.where) == (DENIED, "inline policy b, statement One")


def test_the_same_condition_is_good_enough() -> None:
    condition = {"StringEquals": {"kms:ViaService": ["b", "a"]}}
    documents = {"own": document(statement(Condition={"StringEquals": {"kms:viaservice": ["a", "b"]}}))}

    assert judge(documents, "s3:GetObject", OBJECT, KNOWN, statement(Condition=condition)).word == ALLOWED
    assert judge(documents, "s3:GetObject", OBJECT, KNOWN, statement()).word == CONDITIONAL


@pytest.mark.parametrize(
    ("condition", "result"),
    [
        ({}, True),
        ({"ArnNotLike": {"aws:PrincipalArn": [ROLE]}}, False),
        ({"ArnNotLike": {"aws:PrincipalArn": ["arn:aws:iam::111122223333:role/other-*"]}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/gitops-*"}}, True),
        ({"StringEquals": {"aws:PrincipalArn": "arn:aws:iam::*:role/gitops-*"}}, False),
        ({"Null": {"aws:PrincipalArn": "false"}}, True),
        ({"NumericLessThan": {"s3:max-keys": "10"}}, None),
        ({"StringEquals": {"unknown": "x"}, "Bool": {"aws:SecureTransport": "false"}}, False),
    ],
)
def test_conditions(condition: dict[str, Any], result: bool | None) -> None:
    assert holds(condition, KNOWN) is result


@pytest.mark.parametrize(
    ("principal", "word"),
    [
        ("*", ALLOWED),
        ({"AWS": ROLE}, ALLOWED),
        ({"AWS": [ROOT]}, CONDITIONAL),
        ({"AWS": "111122223333"}, CONDITIONAL),
        ({"AWS": "arn:aws:iam::999999999999:root"}, MISSING),
        ({"Service": "codebuild.amazonaws.com"}, MISSING),
    ],
)
def test_whom_a_resource_s_policy_names(principal: Any, word: str) -> None:
    policy = document({"Effect": "Allow", "Principal": principal, "Action": "kms:*", "Resource": "*"})

    assert judge_resource(policy, ROLE, "kms:Decrypt", "arn:aws:kms:::key/1", KNOWN).word == word


def test_a_deny_for_the_account_is_for_its_roles_too() -> None:
    policy = document({"Effect": "Deny", "Principal": {"AWS": ROOT}, "Action": "*", "Resource": "*"})

    assert judge_resource(policy, ROLE, "kms:Decrypt", "arn:aws:kms:::key/1", KNOWN).word == DENIED


def test_trust() -> None:
    policy = document({"Effect": "Allow", "Principal": {"Service": ["a", "b"]}, "Action": "sts:AssumeRole"})

    assert allows_service(policy, "b")
    assert not allows_service(policy, "c")
    assert not allows_service(document({"Effect": "Allow", "Principal": "*", "Action": "*"}), "b")


def test_a_pattern_stands_for_all_that_it_matches() -> None:
    assert matches("a/b/*", "a/*")
    assert not matches("a/*", "a/b/*")
    assert matches("a[b]", "a[b]*")
