# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS says when it refuses a call, in the forms that its documentation and its services have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_denials import (
    BOUNDARY,
    ENDPOINT,
    IDENTITY,
    RCP,
    RESOURCE,
    SCP,
    SESSION,
    Denial,
    iam_action,
    parse,
)

SESSION_ARN = "arn:aws:sts::111122223333:assumed-role/gitops-network-apply/AWSCodeBuild-1"
ROLE = "arn:aws:iam::111122223333:role/gitops-network-apply"
BUCKET = "arn:aws:s3:::my-bucket"
ENCODED = "Yd2kLz_" * 30
DENIED = f"User: {SESSION_ARN} is not authorized to perform: s3:CreateBucket on resource: {BUCKET}"


def only(text: str) -> Denial:
    (denial,) = parse(text, ROLE)
    return denial


@pytest.mark.parametrize(
    ("why", "kind", "explicit"),
    [
        ("because no identity-based policy allows the s3:CreateBucket action", IDENTITY, False),
        ("because no resource-based policy allows the s3:CreateBucket action", RESOURCE, False),
        ("because no permissions boundary allows the s3:CreateBucket action", BOUNDARY, False),
        ("because no session policy allows the s3:CreateBucket action", SESSION, False),
        ("because no service control policy allows the s3:CreateBucket action", SCP, False),
        ("because no VPC endpoint policy allows the s3:CreateBucket action", ENDPOINT, False),
        ("with an explicit deny in an identity-based policy", IDENTITY, True),
        ("with an explicit deny in a resource-based policy", RESOURCE, True),
        ("with an explicit deny in a permissions boundary", BOUNDARY, True),
        ("with an explicit deny in a session policy", SESSION, True),
        ("with an explicit deny in a service control policy", SCP, True),
        ("with an explicit deny in a resource control policy", RCP, True),
        ("with an explicit deny in a VPC endpoint policy", ENDPOINT, True),
        ("with an explicit deny", "", True),
        ("", "", False),
    ],
)
@pytest.mark.parametrize("around", ["{}", "api error AccessDenied: {}", "AccessDenied: {}\n\tstatus code: 403", "{}."])
def test_which_kind_of_policy_it_was(why: str, kind: str, explicit: bool, around: str) -> None:
    denial = only(around.format(f"{DENIED} {why}".rstrip()))

    assert (denial.principal, denial.action, denial.resource) == (SESSION_ARN, "s3:CreateBucket", BUCKET)
    assert (denial.kind, denial.explicit, denial.policy) == (kind, explicit, "")


def test_the_policy_is_named_in_newer_messages() -> None:
    scp = "arn:aws:organizations::777788889999:policy/o-x/service_control_policy/p-y"
    denial = only(f"{DENIED} with an explicit deny in a service control policy: {scp}")

    assert (denial.kind, denial.policy) == (SCP, scp)


def test_terraform_breaks_its_lines() -> None:
    denial = only(
        f"Error: creating S3 Bucket (my-bucket): operation error S3: CreateBucket,\nhttps response error StatusCode: "
        f"403, RequestID: X, HostID: Y, api error\nAccessDenied: User: {SESSION_ARN} is not\nauthorized to perform: "
        f"s3:CreateBucket on resource: {BUCKET}\nbecause no identity-based policy allows the s3:CreateBucket action"
    )

    assert (denial.action, denial.resource, denial.kind) == ("s3:CreateBucket", BUCKET, IDENTITY)


def test_ec2_with_an_encoded_message() -> None:
    text = (
        "operation error EC2: CreateVpc, https response error StatusCode: 403, RequestID: X, api error "
        "UnauthorizedOperation: You are not authorized to perform this operation. "
    )
    user = f"User: {SESSION_ARN} is not authorized to perform: ec2:CreateVpc on resource: "
    vpc = "arn:aws:ec2:eu-central-1:111122223333:vpc/*"
    why = " because no identity-based policy allows the ec2:CreateVpc action. "
    encoded = f"Encoded authorization failure message: {ENCODED}"
    newer, older = only(text + user + vpc + why + encoded), only(text + encoded)

    assert (newer.action, newer.resource, newer.kind, newer.encoded) == ("ec2:CreateVpc", vpc, IDENTITY, ENCODED)
    assert (older.principal, older.action, older.resource, older.encoded) == (ROLE, "ec2:CreateVpc", "*", ENCODED)


def test_an_encoded_message_alone() -> None:
    denial = only(f"You are not authorized to perform this operation. Encoded authorization failure message: {ENCODED}")

    assert (denial.principal, denial.action, denial.encoded) == (ROLE, "", ENCODED)


def test_s3_s_plain_word() -> None:
    denial = only("AccessDenied: Access Denied\n\tstatus code: 403, request id: X, host id: Y for primary source")

    assert (denial.principal, denial.action, denial.resource) == (ROLE, "", "*")


def test_s3_s_plain_word_with_the_operation_of_terraform() -> None:
    denial = only(
        "reading S3 Bucket (x): operation error S3: HeadBucket, https response error StatusCode: 403, RequestID: A, "
        "HostID: B, api error Forbidden: Forbidden"
    )

    assert denial.action == "s3:ListBucket"


def test_codepipeline_and_the_artifact_bucket() -> None:
    denial = only(
        "The service role or action role doesn't have the permissions required to access the Amazon S3 bucket named "
        "my-bucket. Update the IAM role permissions, and then try again. Error: Amazon S3:AccessDenied:Access Denied"
    )

    assert (denial.principal, denial.action, denial.resource) == (ROLE, "", BUCKET)


def test_codepipeline_and_the_connection() -> None:
    arn = "arn:aws:codeconnections:eu-central-1:111122223333:connection/4dfa8f62"
    denial = only(f"Unable to use Connection: {arn}. The provided role does not have sufficient permissions.")

    assert (denial.action, denial.resource) == ("codeconnections:UseConnection", arn)


def test_codebuild_and_its_role() -> None:
    assert only(f"CodeBuild is not authorized to perform: sts:AssumeRole on {ROLE}").resource == ROLE
    denial = only(
        f"Service role {ROLE} does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams for build X. "
        f"Error message: User: {SESSION_ARN} is not authorized to perform: logs:CreateLogStream on resource: "
        "arn:aws:logs:eu-central-1:111122223333:log-group:/gitops/builds:log-stream:x because no identity-based policy "
        "allows the logs:CreateLogStream action"
    )
    assert (denial.action, denial.principal) == ("logs:CreateLogStream", SESSION_ARN)


def test_several_in_one_log() -> None:
    kms = f"User: {SESSION_ARN} is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:::key/1"
    other = f"User: {SESSION_ARN} is not authorized to perform: iam:ListRoles on resource: * because no identity-based"

    assert [denial.action for denial in parse("\n".join([DENIED, kms, other, DENIED]))] == [
        "s3:CreateBucket",
        "kms:Decrypt",
        "iam:ListRoles",
    ]


@pytest.mark.parametrize("text", ["", "Apply complete!", "Error: something else", "403 resources were read"])
def test_nothing_was_refused(text: str) -> None:
    assert parse(text) == []


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    assert isinstance(parse(text), list)


@pytest.mark.parametrize(
    ("service", "operation", "action"),
    [
        ("EC2", "CreateVpc", "ec2:CreateVpc"),
        ("S3", "ListObjectsV2", "s3:ListBucket"),
        ("CloudWatch Logs", "CreateLogGroup", "logs:CreateLogGroup"),
        ("Secrets Manager", "GetSecretValue", "secretsmanager:GetSecretValue"),
    ],
)
def test_actions_by_operations(service: str, operation: str, action: str) -> None:
    assert iam_action(service, operation) == action
