# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""doctor.yml on settings: one run finds all that was planted, and nothing where nothing was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from local_estate import ACCOUNT, REGION

from tests.e2e.estate import allow
from tests.integration.doctor.conftest import ESTATE, LOCK, Practice, Told, plant_locked

SITE = "ansible-playbook gitops.aws.site -e @your.yml"
CUSTOM_BUCKET = "a-bucket-of-my-own"


def test_a_connection_that_nobody_has_completed(practice: Practice, pending: Told) -> None:
    assert pending.run.failed
    (finding,) = pending.findings
    assert finding["id"] == "connection-pending"
    assert finding["resource"] == practice.connection_arn
    assert "/codesuite/settings/" in finding["fix"]
    assert "is Failed" in pending.lines[0]


def test_a_healthy_estate(healthy: Told) -> None:
    assert not healthy.run.failed, healthy.run.output
    assert healthy.findings == []
    assert healthy.lines == ["Nothing was found that would make a run fail"]


def test_the_calls_are_few(healthy: Told) -> None:
    calls = [call["action"] for call in healthy.run.calls]
    stacks = 15
    assert calls.count("codepipeline:GetPipeline") == 2 * stacks
    assert calls.count("iam:GetAccountAuthorizationDetails") == 1
    assert calls.count("codebuild:BatchGetProjects") == 1
    assert len([call for call in calls if "GetPipeline" not in call and call != "s3:GetObject"]) < 25


# Faults


def policy(practice: Practice, role: str, name: str) -> dict[str, Any]:
    """An inline policy of a role."""
    iam = practice.administrator.client("iam")
    document: dict[str, Any] = iam.get_role_policy(RoleName=f"{ESTATE}-{role}", PolicyName=name)["PolicyDocument"]
    return document


def put(practice: Practice, role: str, name: str, document: dict[str, Any]) -> None:
    practice.administrator.client("iam").put_role_policy(
        RoleName=f"{ESTATE}-{role}", PolicyName=name, PolicyDocument=json.dumps(document)
    )


def change(practice: Practice, role: str, name: str, sid: str, **members: Any) -> None:
    """Changes a statement of a role's policy."""
    document = policy(practice, role, name)
    (statement,) = [each for each in document["Statement"] if each.get("Sid") == sid]
    statement.update(members)
    put(practice, role, name, document)


def change_pipeline(practice: Practice, stack: str, **members: Any) -> None:
    pipelines = practice.administrator.client("codepipeline")
    declaration = pipelines.get_pipeline(name=f"{ESTATE}-{stack}")["pipeline"]
    pipelines.update_pipeline(pipeline={**declaration, **members})


def plant_bucket(practice: Practice) -> None:
    """The guide's first error: a bucket that the roles' policies do not name."""
    practice.administrator.client("s3").create_bucket(
        Bucket=CUSTOM_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    store = {
        "type": "S3",
        "location": CUSTOM_BUCKET,
        "encryptionKey": {"type": "KMS", "id": practice.estate.key_arn},
    }
    change_pipeline(practice, "bucket", artifactStore=store)


def plant_objects(practice: Practice) -> None:
    change(practice, "objects-plan", "build", "ArtifactBucket", Action=["s3:GetBucketAcl", "s3:GetBucketLocation"])


def plant_keyed(practice: Practice) -> None:
    """Another key, of somebody else's: the account may look at it, and not use it."""
    mine = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/administrator"}
    ours = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    look = ["kms:DescribeKey", "kms:GetKeyPolicy"]
    statements = [
        {"Sid": "Mine", "Effect": "Allow", "Principal": mine, "Action": "kms:*", "Resource": "*"},
        {"Sid": "Look", "Effect": "Allow", "Principal": ours, "Action": look, "Resource": "*"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    key = practice.administrator.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]
    practice.administrator.client("codebuild").update_project(name=f"{ESTATE}-keyed-plan", encryptionKey=key)


def plant_params(practice: Practice) -> None:
    """The guide's second error, three times."""
    change(practice, "params-plan", "credentials", "Credentials", Action=["ssm:GetParameter"])
    wrong = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter//{ESTATE}/params/*"
    change(practice, "params-apply", "credentials", "Credentials", Resource=[wrong])
    practice.administrator.client("ssm").delete_parameter(Name=f"/{ESTATE}/params/AWS_ACCESS_KEY_ID")


def plant_drifted(practice: Practice) -> None:
    iam = practice.administrator.client("iam")
    document = policy(practice, "drifted-pipeline", "pipeline")
    document["Statement"] = [each for each in document["Statement"] if each["Sid"] != "Connection"]
    put(practice, "drifted-pipeline", "pipeline", document)
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
    iam.update_assume_role_policy(RoleName=f"{ESTATE}-drifted-apply", PolicyDocument=json.dumps(trust))


def plant_denying(practice: Practice) -> None:
    statement = {"Sid": "NoLogs", "Effect": "Deny", "Action": "logs:*", "Resource": "*"}
    put(practice, "denying-plan", "by-hand", {"Version": "2012-10-17", "Statement": [statement]})


def plant_gone(practice: Practice) -> None:
    iam = practice.administrator.client("iam")
    for name in iam.list_role_policies(RoleName=f"{ESTATE}-gone-apply")["PolicyNames"]:
        iam.delete_role_policy(RoleName=f"{ESTATE}-gone-apply", PolicyName=name)
    for policy in iam.list_attached_role_policies(RoleName=f"{ESTATE}-gone-apply")["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=f"{ESTATE}-gone-apply", PolicyArn=policy["PolicyArn"])
    iam.delete_role(RoleName=f"{ESTATE}-gone-apply")
    practice.administrator.client("codebuild").delete_project(name=f"{ESTATE}-gone-destroy")
    practice.administrator.client("codepipeline").delete_pipeline(name=f"{ESTATE}-gone-destroy")


def plant_bounded(practice: Practice) -> None:
    iam = practice.administrator.client("iam")
    statement = {
        "Effect": "Allow",
        "Action": ["s3:*", "kms:*", "dynamodb:*", "codepipeline:*", "codeconnections:*", "codestar-connections:*"],
        "Resource": "*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    boundary = iam.create_policy(PolicyName="narrow", PolicyDocument=document)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName=f"{ESTATE}-bounded-plan", PermissionsBoundary=boundary)


def plant_strange(practice: Practice) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "codebuild.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    role = practice.administrator.client("iam").create_role(RoleName="strange", AssumeRolePolicyDocument=trust)["Role"]
    practice.administrator.client("codebuild").update_project(name=f"{ESTATE}-strange-plan", serviceRole=role["Arn"])


@pytest.fixture(scope="module")
def planted(practice: Practice, healthy: Told) -> Told:
    """What is told of the whole estate with every fault in it."""
    plant_bucket(practice)
    plant_objects(practice)
    plant_keyed(practice)
    plant_params(practice)
    plant_locked(practice)
    plant_drifted(practice)
    plant_denying(practice)
    plant_gone(practice)
    plant_bounded(practice)
    plant_strange(practice)
    return practice.ask()


def test_it_fails_and_says_how_many(planted: Told) -> None:
    assert planted.run.failed
    assert f"{len(planted.findings)} found: " in planted.run.text


def test_nothing_is_said_of_what_is_healthy(planted: Told) -> None:
    assert {finding["stack"] for finding in planted.findings} == {
        "bucket",
        "objects",
        "keyed",
        "params",
        "locked",
        "drifted",
        "denying",
        "gone",
        "bounded",
        "strange",
    }


def test_a_custom_artifact_bucket_that_no_role_names(planted: Told) -> None:
    found = planted.of("bucket")
    assert {finding["id"] for finding in found} == {"artifact-bucket-access"}
    roles = {finding["resource"].rpartition("/")[2] for finding in found}
    assert roles == {f"{ESTATE}-bucket-{purpose}" for purpose in ("plan", "apply", "pipeline")}
    for finding in found:
        assert "s3:GetBucketVersioning" in finding["cause"]
        assert "s3:ListBucket" in finding["cause"]
        assert f"arn:aws:s3:::{CUSTOM_BUCKET}" in finding["cause"]
        assert f"artifact_bucket: {CUSTOM_BUCKET}" in finding["fix"]


def test_a_role_without_get_bucket_versioning(planted: Told) -> None:
    (finding,) = planted.of("objects")
    assert finding["id"] == "artifact-bucket-access"
    assert finding["resource"].endswith(f"role/{ESTATE}-objects-plan")
    assert "may not s3:GetBucketVersioning, s3:ListBucket on arn:aws:s3:::" in finding["cause"]
    assert "policy build, statement ArtifactBucket" in finding["evidence"]
    assert finding["fix"] == SITE


def test_another_key_that_the_role_may_not_use(planted: Told) -> None:
    found = {finding["id"]: finding for finding in planted.of("keyed")}
    assert {"encryption-key-mismatch", "kms-role-access", "kms-key-policy"} == set(found)
    assert found["encryption-key-mismatch"]["resource"] == f"{ESTATE}-keyed-plan"
    assert "kms:Decrypt" in found["kms-role-access"]["cause"]
    assert "neither to the role" in found["kms-key-policy"]["cause"]


def test_get_parameters(planted: Told) -> None:
    found = planted.of("params")
    assert {finding["id"] for finding in found} == {"ssm-parameters-access", "ssm-parameter-missing"}
    plan = [finding for finding in found if finding["resource"].endswith("-plan")]
    apply = [finding for finding in found if finding["resource"].endswith("-apply")]
    assert plan
    assert all("ssm:GetParameters, the plural" in finding["cause"] for finding in plan)
    assert apply
    right = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{ESTATE}/params/AWS_"
    assert all(f"parameter//{ESTATE}" in one["cause"] and right in one["cause"] for one in apply)
    (missing,) = [finding for finding in found if finding["id"] == "ssm-parameter-missing"]
    assert missing["resource"] == f"/{ESTATE}/params/AWS_ACCESS_KEY_ID"


def test_a_lock_that_somebody_holds(planted: Told) -> None:
    (finding,) = planted.of("locked")
    assert finding["id"] == "state-locked"
    assert "somebody@else" in finding["cause"]
    assert "2025-01-01T00:00:00Z" in finding["cause"]
    assert "gitops.aws.unlock" in finding["fix"]
    assert f"lock_id={LOCK}" in finding["fix"]


def test_a_statement_and_a_trust_policy_that_differ(planted: Told) -> None:
    found = {finding["id"]: finding for finding in planted.of("drifted")}
    assert set(found) == {"role-statement-missing", "role-trust"}
    assert found["role-statement-missing"]["resource"].endswith(f"{ESTATE}-drifted-pipeline")
    assert "codeconnections:UseConnection" in found["role-statement-missing"]["cause"]
    assert "policy pipeline, statement Connection" in found["role-statement-missing"]["evidence"]
    assert "ec2.amazonaws.com" in found["role-trust"]["evidence"]


def test_a_deny_by_hand(planted: Told) -> None:
    (finding,) = planted.of("denying")
    assert finding["id"] == "role-statement-missing"
    assert "inline policy by-hand, statement NoLogs denies it" in finding["cause"]


def test_what_is_missing(planted: Told) -> None:
    found = {(finding["id"], finding["resource"].rpartition("/")[2]) for finding in planted.of("gone")}
    assert found == {
        ("role-missing", f"{ESTATE}-gone-apply"),
        ("project-missing", f"{ESTATE}-gone-destroy"),
        ("pipeline-missing", f"{ESTATE}-gone-destroy"),
    }


def test_a_permissions_boundary(planted: Told) -> None:
    (finding,) = planted.of("bounded")
    assert finding["id"] == "role-boundary"
    assert "logs:CreateLogStream" in finding["cause"]
    assert "policy/narrow" in finding["evidence"]


def test_a_project_with_another_role(planted: Told) -> None:
    (finding,) = planted.of("strange")
    assert finding["id"] == "other-role"
    assert finding["resource"] == f"{ESTATE}-strange-plan"


def test_who_may_not_look_is_told_so(practice: Practice, planted: Told) -> None:
    nobody = practice.estate.aws.person("nobody", allow(["sts:GetCallerIdentity"], ["*"]))
    assert practice.module("healthy")["findings"] == []
    practice.doctor, doctor = nobody, practice.doctor
    try:
        result = practice.module("healthy")
    finally:
        practice.doctor = doctor
    assert {finding["id"] for finding in result["findings"]} == {"not-readable"}
