# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every policy that we render, read by an IAM linter; and the two of people."""

from __future__ import annotations

import fnmatch
import json
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate import bucket_policies, names, seal
from ansible_collections.gitops.aws.plugins.module_utils._estate.installer import installer_policies
from ansible_collections.gitops.aws.plugins.module_utils._estate.people import operator_policy
from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import stack_roles

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses what setuptools will give up
    from parliament import analyze_policy_string  # type: ignore[import-untyped]

Make = Callable[..., dict[str, Any]]

MANAGED_POLICY_LIMIT = 6144  # characters without white space

# Findings that are meant to be so: (issue, part of the finding's detail).
MEANT = (
    # Either name of the action authorises connections of the one that the user has.
    ("RESOURCE_MISMATCH", "codestar-connections:UseConnection"),
    ("RESOURCE_MISMATCH", "codeconnections:UseConnection"),
    # What it knows of them is the streams of tables, whose policies are others.
    ("RESOURCE_MISMATCH", "dynamodb:PutResourcePolicy"),
    # Who installs writes the policies of the buckets, and could allow himself more.
    ("RESOURCE_POLICY_PRIVILEGE_ESCALATION", "s3:PutBucketPolicy"),
    # Who writes lifecycle rules may delete every version as it is, to take a bucket down.
    ("RESOURCE_POLICY_PRIVILEGE_ESCALATION", "s3:PutLifecycleConfiguration"),
    # A list is of the whole account.
    ("RESOURCE_STAR", "['codeconnections:ListConnections']"),
    # The key's ARN is compared letter by letter, as AWS's own examples do.
    ("MISMATCHED_TYPE_BUT_USABLE", "StringNotEquals requires a value of type String but given Arn"),
)


def installer_policy(foundation: dict[str, Any], stacks: list[dict[str, Any]]) -> dict[str, Any]:
    """All that the installer may, in one document."""
    documents = installer_policies(foundation, stacks).values()
    return {"Version": "2012-10-17", "Statement": [one for document in documents for one in document["Statement"]]}


def installer_part(part: str, foundation: dict[str, Any]) -> dict[str, Any]:
    """One of the two documents."""
    return installer_policies(foundation, [])[part]


def findings(policy: dict[str, Any]) -> list[str]:
    """What the linter says of the policy and is not meant to be so."""
    found = [
        (finding.issue, str(finding.detail or finding.title))
        for finding in analyze_policy_string(json.dumps(policy)).findings
    ]
    return [
        f"{issue}: {detail}"
        for issue, detail in found
        if not any(issue == meant and part in detail for meant, part in MEANT)
    ]


def test_the_linter_finds_what_is_wrong() -> None:
    statement = {"Effect": "Allow", "Action": ["s3:GetObjekt"], "Resource": "*"}
    assert "UNKNOWN_ACTION" in findings({"Version": "2012-10-17", "Statement": [statement]})[0]
    statement = {"Effect": "Allow", "Action": ["ssm:GetParameters"], "Resource": "arn:aws:s3:::bucket"}
    assert "RESOURCE_MISMATCH" in findings({"Version": "2012-10-17", "Statement": [statement]})[0]


@pytest.mark.parametrize("locking", [["dynamodb"], ["lockfile"], ["dynamodb", "lockfile"]])
@pytest.mark.parametrize(
    "values",
    [
        {},
        {"credentials": "parameter_store"},
        {"credentials": "assume_role", "assume_role_arn": "arn:aws:iam::444455556666:role/x"},
    ],
    ids=["role", "parameter_store", "assume_role"],
)
def test_policies_of_roles(foundation: Make, stack: Make, locking: list[str], values: dict[str, Any]) -> None:
    for role in stack_roles([stack(**values)], foundation(locking=locking)):
        for name, policy in role["inline_policies"].items():
            assert findings(policy) == [], f"{role['name']}: {name}"


def test_a_connection_of_the_service_s_old_name(foundation: Make, stack: Make) -> None:
    shared = foundation()
    shared["connection_arn"] = shared["connection_arn"].replace("codeconnections", "codestar-connections")

    for role in stack_roles([stack()], shared):
        assert [findings(policy) for policy in role["inline_policies"].values()] == [[]] * len(role["inline_policies"])


def test_policies_of_buckets(foundation: Make) -> None:
    shared = foundation()
    state, artifacts = (names.bucket_arn(shared, shared[key]) for key in ("state_bucket", "artifact_bucket"))

    assert (
        findings(bucket_policies.state_bucket_policy(state, shared["kms_key_arn"], seal.state_bucket(shared, []))) == []
    )
    assert findings(bucket_policies.artifact_bucket_policy(artifacts, seal.artifact_bucket(shared, []))) == []


PEOPLE = {
    "installer_state": partial(installer_part, "installer_state"),
    "installer_pipelines": partial(installer_part, "installer_pipelines"),
    "operator": operator_policy,
}


@pytest.mark.parametrize("policy", PEOPLE.values(), ids=PEOPLE.keys())
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"name": "n" * 27},
        {"name": "n" * 27, "state_bucket": "s" * 63, "artifact_bucket": "a" * 63, "lock_table": "l" * 255},
    ],
    ids=["usual", "long", "longest"],
)
def test_policies_of_people(foundation: Make, policy: Any, settings: dict[str, Any]) -> None:
    document = policy(foundation(**settings))

    assert findings(document) == []
    assert len(json.dumps(document, separators=(",", ":"))) < MANAGED_POLICY_LIMIT


def may(document: dict[str, Any], action: str, resource: str) -> bool:
    return any(
        fnmatch.fnmatchcase(action, allowed) and fnmatch.fnmatchcase(resource, where)
        for statement in document["Statement"]
        for allowed in statement["Action"]
        for where in statement["Resource"]
    )


@pytest.mark.parametrize("policy", PEOPLE.values(), ids=PEOPLE.keys())
def test_people_get_no_whole_service_and_change_nothing_everywhere(foundation: Make, policy: Any) -> None:
    for statement in policy(foundation())["Statement"]:
        assert not any("*" in action for action in statement["Action"])
        if "*" in statement["Resource"]:
            writes = {
                a
                for a in statement["Action"]
                if not a.split(":")[1].startswith(("Describe", "Get", "List", "Simulate"))
            }
            # AWS gives these their ids; a key can be made, and tagged, only with the tag that makes it ours.
            assert writes <= {"codeconnections:CreateConnection", "kms:CreateKey", "kms:TagResource"}
            if "kms:CreateKey" in writes:
                assert statement["Condition"] == {"StringEquals": {"aws:RequestTag/gitops:estate": "gitops"}}


def by_sid(policy: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {statement["Sid"]: statement for statement in policy["Statement"]}


def test_who_installs_manages_the_key_of_the_estate_only(foundation: Make) -> None:
    statements = by_sid(installer_policy(foundation(kms_key_arn=""), []))
    ours = {"aws:ResourceTag/gitops:estate": "gitops"}

    assert statements["ManageKey"]["Condition"] == {"StringEquals": ours}
    assert statements["UseKey"]["Condition"]["StringEquals"].items() >= ours.items()
    assert set(statements["UseKey"]["Condition"]["StringEquals"]["kms:ViaService"]) == {
        "dynamodb.eu-central-1.amazonaws.com",
        "s3.eu-central-1.amazonaws.com",
        "ssm.eu-central-1.amazonaws.com",
    }
    assert statements["GrantKey"]["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}


@pytest.mark.parametrize(
    ("partition", "region", "suffix"),
    [
        ("aws", "eu-central-1", "amazonaws.com"),
        ("aws-us-gov", "us-gov-west-1", "amazonaws.com"),
        ("aws-cn", "cn-north-1", "amazonaws.com.cn"),
    ],
)
@pytest.mark.parametrize("key", ["made", "named"])
def test_who_installs_uses_the_key_through_the_services_of_the_partition(
    foundation: Make, key: str, partition: str, region: str, suffix: str
) -> None:
    shared = {**foundation(), "partition": partition, "region": region}
    document = installer_policy({**shared, "named_key_arn": ""} if key == "made" else shared, [])

    via = by_sid(document)["UseKey"]["Condition"]["StringEquals"]["kms:ViaService"]
    assert via == [f"{service}.{region}.{suffix}" for service in ("dynamodb", "s3", "ssm")]


def test_who_installs_only_uses_a_key_that_is_named(foundation: Make) -> None:
    arn = "arn:aws:kms:eu-central-1:111122223333:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55"
    policy = installer_policy(foundation(kms_key_arn=arn), [])
    keys = [s for s in policy["Statement"] if any(action.startswith("kms:") for action in s["Action"])]

    assert [statement["Resource"] for statement in keys] == [[arn]] * len(keys)
    assert not {"kms:ScheduleKeyDeletion", "kms:CreateKey"} & {action for s in keys for action in s["Action"]}


def test_who_installs_does_not_change_what_exists(foundation: Make) -> None:
    existing = ["state_bucket", "artifact_bucket", "lock_table"]
    statements = by_sid(installer_policy({**foundation(), "existing": existing}, []))

    assert not {"Buckets", "Objects", "LockTable"} & set(statements)
    assert statements["ReadStates"]["Action"] == ["s3:GetObject", "s3:ListBucket"]


def test_a_permissions_boundary_bounds_who_installs(foundation: Make) -> None:
    boundary = "arn:aws:iam::111122223333:policy/boundary"
    policy = installer_policy({**foundation(), "permissions_boundary": boundary}, [])
    statements = by_sid(policy)

    assert "iam:PutRolePolicy" not in statements["Roles"]["Action"]
    assert "iam:PutRolePolicy" in statements["BoundedRoles"]["Action"]
    assert statements["BoundedRoles"]["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    assert "iam:DeleteRolePermissionsBoundary" not in [a for s in policy["Statement"] for a in s["Action"]]


def test_who_installs_passes_only_own_roles_to_the_four_services(foundation: Make) -> None:
    (statement,) = [s for s in installer_policy(foundation(), [])["Statement"] if "iam:PassRole" in s["Action"]]

    assert statement["Resource"] == ["arn:aws:iam::111122223333:role/gitops-*"]
    services = [f"{service}.amazonaws.com" for service in ("codebuild", "codepipeline", "events", "scheduler")]
    assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": services}}


def test_who_installs_passes_the_roles_and_writes_the_parameters_that_stacks_name(foundation: Make) -> None:
    role = "arn:aws:iam::111122223333:role/platform-plans"
    stack = {
        "source": "connection",
        "plan_role_arn": role,
        "apply_role_arn": None,
        "access_keys_csv": "keys.csv",
        "access_key_id_parameter": "/platform/id",
        "secret_access_key_parameter": "/gitops/network/AWS_SECRET_ACCESS_KEY",
    }
    document = installer_policy(foundation(), [stack])

    (passed,) = [s for s in document["Statement"] if "iam:PassRole" in s["Action"]]
    assert passed["Resource"] == ["arn:aws:iam::111122223333:role/gitops-*", role]
    (written,) = [s for s in document["Statement"] if "ssm:PutParameter" in s["Action"]]
    parameter = "arn:aws:ssm:eu-central-1:111122223333:parameter"
    assert written["Resource"] == [f"{parameter}/gitops/*", f"{parameter}/platform/id"]


def test_who_operates_sees_no_state_and_no_secret(foundation: Make) -> None:
    shared = foundation()
    document = operator_policy(shared)

    services = {action.split(":")[0] for statement in document["Statement"] for action in statement["Action"]}
    assert services == {"codebuild", "codepipeline", "logs"}
    pipeline = "arn:aws:codepipeline:eu-central-1:111122223333:gitops-network"
    for action in ("UpdatePipeline", "DeletePipeline", "CreatePipeline"):
        assert not may(document, f"codepipeline:{action}", pipeline)
    assert may(document, "codepipeline:StartPipelineExecution", pipeline)
    assert not may(document, "codepipeline:StartPipelineExecution", pipeline.replace("gitops", "other"))


def test_who_installs_may_give_a_stack_another_source(foundation: Make, stack: Make) -> None:
    def policies(**values: Any) -> dict[str, Any]:
        return installer_policies(foundation(), [stack(**values)])

    assert policies() == policies(source="codecommit", repository="infrastructure")
