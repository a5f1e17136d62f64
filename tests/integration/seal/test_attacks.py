# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attempts of verify.yml made in earnest: local AWS enforces IAM, and nothing comes of them.

Who attacks has `Allow *`: a user whom the estate does not know, a user whom developer.json bounds, and the sessions of
the plan and apply roles.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from local_estate import ACCOUNT, REGION, Person

from ansible_collections.gitops.aws.plugins.module_utils._estate.attempts import OWN_WORK, attempts
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import known_pipelines
from tests.e2e.estate import allow, new_person
from tests.integration.seal.conftest import (
    ARTIFACT_BUCKET,
    CHECKED_STACKS,
    ESTATE,
    FOUNDATION,
    IAM,
    PACKED,
    SEAL_ARN,
    STATE_BUCKET,
    STATE_KEY,
    TABLE_ARN,
    Sealed,
)

CHECKS = attempts({**FOUNDATION, "kms_key_arn": "key"}, CHECKED_STACKS[0], stacks=CHECKED_STACKS)
# A push is Git's own protocol, and no call.
NAMES = [one["name"] for one in CHECKS if OWN_WORK not in one["name"] and one["actions"] != ["codecommit:GitPush"]]
PLAN = f"{ESTATE}-network/plan/saved-plan"
LOCK = f"{STATE_BUCKET}/{STATE_KEY}"
OTHER_SECRET = f"/{ESTATE}/another-stack/AWS_SECRET_ACCESS_KEY"
UUID = "7d7b1ad0-0000-4000-8000-000000000000"
REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError")

Client = Callable[[str], Any]
Attack = Callable[[Client, "Ground"], Any]


class Ground:
    """What there is to attack: a state with a version, its lock, a plan, a ciphertext of the state's key."""

    def __init__(self, sealed: Sealed) -> None:
        root = sealed.client
        self.key = sealed.key_arn
        self.encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.key}
        self.context = {"aws:s3:arn": f"arn:aws:s3:::{STATE_BUCKET}/{STATE_KEY}"}
        s3 = root("s3")
        for bucket, key in ((STATE_BUCKET, STATE_KEY), (STATE_BUCKET, f"{STATE_KEY}.tflock"), (ARTIFACT_BUCKET, PLAN)):
            s3.put_object(Bucket=bucket, Key=key, Body=b"{}", **self.encrypted)
        self.version = s3.head_object(Bucket=STATE_BUCKET, Key=STATE_KEY)["VersionId"]
        for name in (LOCK, f"{STATE_BUCKET}/another-stack/terraform.tfstate"):
            root("dynamodb").put_item(TableName=FOUNDATION["lock_table"], Item={"LockID": {"S": name}})
        root("ssm").put_parameter(Name=OTHER_SECRET, Value="secret", Type="SecureString", KeyId=self.key)
        self.secret = root("kms").encrypt(KeyId=self.key, Plaintext=b"secret", EncryptionContext=self.context)[
            "CiphertextBlob"
        ]
        connections = root("codeconnections").list_connections()["Connections"]
        self.connection = next(one["ConnectionArn"] for one in connections if one["ConnectionName"] == ESTATE)
        self.project = root("codebuild").batch_get_projects(names=[f"{ESTATE}-network-apply"])["projects"][0]
        self.pipeline = root("codepipeline").get_pipeline(name=f"{ESTATE}-network")["pipeline"]


def put_state(client: Client, **how: Any) -> Any:
    return client("s3").put_object(Bucket=STATE_BUCKET, Key=STATE_KEY, Body=b"{}", **how)


def over_plain_http(client: Client, ground: Ground) -> Any:
    s3 = client("s3")
    header = "X-Local-Aws-Plain-Http"
    s3.meta.events.register("before-sign.s3", lambda request, **_: request.headers.add_header(header, "true"))
    return s3.put_object(Bucket=STATE_BUCKET, Key=STATE_KEY, Body=b"{}", **ground.encrypted)


def assume(purpose: str) -> Attack:
    role = f"{IAM}:role/{ESTATE}-{purpose}"
    return lambda client, _: client("sts").assume_role(RoleArn=role, RoleSessionName="attack")


def own_role(what: Callable[[Any, str], Any]) -> Attack:
    """Does something to the role of the session, or to the apply role."""

    def attack(client: Client, _: Ground) -> Any:
        caller = client("sts").get_caller_identity()["Arn"]
        role = caller.split("/")[1] if ":assumed-role/" in caller else f"{ESTATE}-network-apply"
        return what(client("iam"), role)

    return attack


def start_build(client: Client, _: Ground) -> Any:
    """With commands of one's own, outside of any pipeline."""
    return client("codebuild").start_build(
        projectName=f"{ESTATE}-network-apply",
        buildspecOverride="version: 0.2",
        sourceTypeOverride="NO_SOURCE",
        artifactsOverride={"type": "NO_ARTIFACTS"},
    )


def delete_object(bucket: str, key: str) -> Attack:
    return lambda client, _: client("s3").delete_object(Bucket=bucket, Key=key)


POLICY = json.dumps(allow(["*"], ["*"]))
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:*"}]})
STAGE = {"pipelineName": f"{ESTATE}-network", "stageName": "Deploy"}
PARAMETER = f"/{ESTATE}/network/AWS_ACCESS_KEY_ID"

# By what is tried; the same words mean the same call, whoever tries.
ATTACKS: dict[str, Attack] = {
    # State, lock, plan and secrets
    "terraform apply from a laptop: write the state": lambda client, ground: put_state(client, **ground.encrypted),
    "write the state": lambda client, ground: put_state(client, **ground.encrypted),
    "write the state unencrypted": lambda client, _: put_state(client),
    "write the state with another key": lambda client, ground: put_state(
        client, ServerSideEncryption="aws:kms", SSEKMSKeyId=ground.key[:-1] + ("1" if ground.key.endswith("0") else "0")
    ),
    "write the state over plain HTTP": over_plain_http,
    "delete the state": delete_object(STATE_BUCKET, STATE_KEY),
    "delete a version of the state": lambda client, ground: client("s3").delete_object(
        Bucket=STATE_BUCKET, Key=STATE_KEY, VersionId=ground.version
    ),
    "read the state": lambda client, _: client("s3").get_object(Bucket=STATE_BUCKET, Key=STATE_KEY),
    "hide that a pipeline was changed": lambda client, ground: client("s3").put_object(
        Bucket=STATE_BUCKET, Key=known_pipelines(FOUNDATION)["key"], Body=b"{}", **ground.encrypted
    ),
    "take the lock file": lambda client, ground: client("s3").put_object(
        Bucket=STATE_BUCKET, Key=f"{STATE_KEY}.tflock", Body=b"{}", **ground.encrypted
    ),
    "remove the lock file": delete_object(STATE_BUCKET, f"{STATE_KEY}.tflock"),
    "read the saved plan": lambda client, _: client("s3").get_object(Bucket=ARTIFACT_BUCKET, Key=PLAN),
    "exchange the saved plan": lambda client, _: client("s3").put_object(Bucket=ARTIFACT_BUCKET, Key=PLAN, Body=b"x"),
    "exchange the source": lambda client, _: client("s3").put_object(
        Bucket=ARTIFACT_BUCKET, Key=PLAN.replace("/plan/", "/source/"), Body=b"x"
    ),
    "remove the mark of a plan that was used": delete_object(ARTIFACT_BUCKET, PLAN.replace("/plan/", "/used/")),
    "terraform apply from a laptop: take the lock": lambda client, _: client("dynamodb").put_item(
        TableName=FOUNDATION["lock_table"], Item={"LockID": {"S": LOCK}}
    ),
    "terraform force-unlock from a laptop": lambda client, _: client("dynamodb").delete_item(
        TableName=FOUNDATION["lock_table"], Key={"LockID": {"S": LOCK}}
    ),
    "steal another stack's lock": lambda client, _: client("dynamodb").delete_item(
        TableName=FOUNDATION["lock_table"],
        Key={"LockID": {"S": f"{STATE_BUCKET}/another-stack/terraform.tfstate"}},
    ),
    "overwrite another stack's state": lambda client, ground: client("s3").put_object(
        Bucket=STATE_BUCKET, Key="another-stack/terraform.tfstate", Body=b"{}", **ground.encrypted
    ),
    "decrypt states, plans and parameters": lambda client, ground: client("kms").decrypt(
        CiphertextBlob=ground.secret, EncryptionContext=ground.context
    ),
    "encrypt a state of his own": lambda client, ground: client("kms").generate_data_key(
        KeyId=ground.key, KeySpec="AES_256", EncryptionContext=ground.context
    ),
    # Settings
    "delete the state bucket's policy": lambda client, _: client("s3").delete_bucket_policy(Bucket=STATE_BUCKET),
    "replace the state bucket's policy": lambda client, _: client("s3").put_bucket_policy(
        Bucket=STATE_BUCKET, Policy=POLICY
    ),
    "suspend the versions of the state": lambda client, _: client("s3").put_bucket_versioning(
        Bucket=STATE_BUCKET, VersioningConfiguration={"Status": "Suspended"}
    ),
    "let a lifecycle rule delete versions": lambda client, _: client("s3").put_bucket_lifecycle_configuration(
        Bucket=STATE_BUCKET,
        LifecycleConfiguration={
            "Rules": [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
        },
    ),
    "change the state bucket's encryption": lambda client, _: client("s3").put_bucket_encryption(
        Bucket=STATE_BUCKET,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    ),
    "open the state bucket to the public": lambda client, _: client("s3").delete_public_access_block(
        Bucket=STATE_BUCKET
    ),
    "delete the state bucket": lambda client, _: client("s3").delete_bucket(Bucket=STATE_BUCKET),
    "delete the artifact bucket's policy": lambda client, _: client("s3").delete_bucket_policy(Bucket=ARTIFACT_BUCKET),
    "delete the lock table's policy": lambda client, _: client("dynamodb").delete_resource_policy(
        ResourceArn=TABLE_ARN
    ),
    "delete the lock table": lambda client, _: client("dynamodb").delete_table(TableName=FOUNDATION["lock_table"]),
    "replace the key's policy": lambda client, ground: client("kms").put_key_policy(
        KeyId=ground.key, PolicyName="default", Policy=POLICY
    ),
    "delete the key": lambda client, ground: client("kms").schedule_key_deletion(KeyId=ground.key),
    "give the key away": lambda client, ground: client("kms").create_grant(
        KeyId=ground.key, GranteePrincipal=f"{IAM}:user/seal-administrator", Operations=["Decrypt"]
    ),
    # Code in AWS itself
    "commit a file that a stack runs": lambda client, _: client("codecommit").put_file(
        repositoryName="infrastructure", branchName="main", filePath="main.tf", fileContent=b"x"
    ),
    "merge code into what a stack runs": lambda client, _: client("codecommit").merge_branches_by_fast_forward(
        repositoryName="infrastructure", sourceCommitSpecifier="other", destinationCommitSpecifier="main"
    ),
    "exchange the repository of a stack": lambda client, _: client("codecommit").delete_repository(
        repositoryName="infrastructure"
    ),
    # Roles
    **{f"be the {purpose} role": assume(f"network-{purpose}") for purpose in ("plan", "apply", "pipeline")},
    "be the break-glass role without MFA": assume("break-glass"),
    "give the apply role more": own_role(
        lambda iam, role: iam.put_role_policy(RoleName=role, PolicyName="more", PolicyDocument=POLICY)
    ),
    "give itself more": own_role(
        lambda iam, role: iam.put_role_policy(RoleName=role, PolicyName="more", PolicyDocument=POLICY)
    ),
    "let himself be the apply role": own_role(
        lambda iam, role: iam.update_assume_role_policy(RoleName=role, PolicyDocument=TRUST)
    ),
    "throw off its seal": own_role(lambda iam, role: iam.detach_role_policy(RoleName=role, PolicyArn=SEAL_ARN)),
    "rewrite the build roles' seal": lambda client, _: client("iam").create_policy_version(
        PolicyArn=SEAL_ARN, PolicyDocument=POLICY, SetAsDefault=True
    ),
    "pass the apply role to a project of his own": lambda client, ground: client("codebuild").create_project(
        name="his-own",
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment=ground.project["environment"],
        serviceRole=f"{IAM}:role/{ESTATE}-network-apply",
    ),
    "make a role without the boundary": lambda client, _: client("iam").create_role(
        RoleName="made-by-terraform", AssumeRolePolicyDocument=TRUST
    ),
    "take the boundary off a role": lambda client, _: client("iam").delete_role_permissions_boundary(
        RoleName="seal-bounded"
    ),
    "make an access key for somebody": lambda client, _: client("iam").create_access_key(UserName="seal-administrator"),
    "lift a group of people": lambda client, _: client("iam").put_group_policy(
        GroupName="seal-people", PolicyName="more", PolicyDocument=POLICY
    ),
    # Pipelines, projects, logs and the rest
    "start the apply build with a buildspec of his own": start_build,
    "start the apply build with another buildspec": start_build,
    "repeat a build": lambda client, _: client("codebuild").retry_build(id=f"{ESTATE}-network-apply:{UUID}"),
    "change the apply project": lambda client, _: client("codebuild").update_project(
        name=f"{ESTATE}-network-apply", timeoutInMinutes=5
    ),
    "change the pipeline": lambda client, ground: client("codepipeline").update_pipeline(pipeline=ground.pipeline),
    "start the pipeline with another commit": lambda client, _: client("codepipeline").start_pipeline_execution(
        name=f"{ESTATE}-network",
        sourceRevisions=[{"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": "0" * 40}],
    ),
    "approve": lambda client, _: client("codepipeline").put_approval_result(
        **STAGE, actionName="Approve", token=UUID, result={"summary": "", "status": "Approved"}
    ),
    "override a stage's condition": lambda client, _: client("codepipeline").override_stage_condition(
        **STAGE, pipelineExecutionId=UUID, conditionType="BEFORE_ENTRY"
    ),
    "roll a stage back": lambda client, _: client("codepipeline").rollback_stage(
        **STAGE, targetPipelineExecutionId=UUID
    ),
    "delete the builds' logs": lambda client, _: client("logs").delete_log_stream(
        logGroupName=FOUNDATION["log_group"], logStreamName="apply/1"
    ),
    "silence the alarm": lambda client, _: client("events").disable_rule(Name=f"{ESTATE}-break-glass"),
    "exchange the access key": lambda client, _: client("ssm").put_parameter(
        Name=PARAMETER, Value="x", Type="String", Overwrite=True
    ),
    "read the access key": lambda client, _: client("ssm").get_parameter(Name=PARAMETER),
    "read another stack's access key": lambda client, _: client("ssm").get_parameter(
        Name=OTHER_SECRET, WithDecryption=True
    ),
    "cut the connection to the Git host": lambda client, ground: client("codeconnections").delete_connection(
        ConnectionArn=ground.connection
    ),
    "make something in AWS himself": lambda client, _: client("ec2").run_instances(
        ImageId="ami-12345678", InstanceType="t3.micro", MinCount=1, MaxCount=1
    ),
}


def everything(sealed: Sealed) -> dict[str, Any]:
    """All of the estate that an attack might change."""
    root = sealed.client
    s3, iam, codebuild, codepipeline = root("s3"), root("iam"), root("codebuild"), root("codepipeline")
    found: dict[str, Any] = {}
    for bucket in (STATE_BUCKET, ARTIFACT_BUCKET):
        versions = s3.list_object_versions(Bucket=bucket)
        found[bucket] = {
            "versions": [(one["Key"], one["VersionId"]) for one in versions.get("Versions", [])],
            "deleted": [one["Key"] for one in versions.get("DeleteMarkers", [])],
            "policy": s3.get_bucket_policy(Bucket=bucket)["Policy"],
            "versioning": s3.get_bucket_versioning(Bucket=bucket)["Status"],
            "lifecycle": s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"],
            "encryption": s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"],
            "public": s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"],
        }
    dynamodb, kms = root("dynamodb"), root("kms")
    found["table"] = dynamodb.describe_table(TableName=FOUNDATION["lock_table"])["Table"]
    found["table policy"] = dynamodb.get_resource_policy(ResourceArn=TABLE_ARN)["Policy"]
    found["locks"] = sorted(one["LockID"]["S"] for one in dynamodb.scan(TableName=FOUNDATION["lock_table"])["Items"])
    found["key"] = kms.describe_key(KeyId=sealed.key_arn)["KeyMetadata"]
    found["key policy"] = kms.get_key_policy(KeyId=sealed.key_arn, PolicyName="default")["Policy"]
    found["grants"] = kms.list_grants(KeyId=sealed.key_arn)["Grants"]
    pages = iam.get_paginator("get_account_authorization_details").paginate(Filter=["Role", "LocalManagedPolicy"])
    for page in pages:
        found |= {one["RoleName"]: one for one in page["RoleDetailList"]}
        found |= {one["PolicyName"]: one for one in page["Policies"]}
    found["access keys"] = iam.list_access_keys(UserName="seal-administrator")["AccessKeyMetadata"]
    names = codebuild.list_projects()["projects"]
    found["projects"] = {one["name"]: one for one in codebuild.batch_get_projects(names=names)["projects"]}
    found["builds"] = sorted(codebuild.list_builds()["ids"])
    for one in codepipeline.list_pipelines()["pipelines"]:
        found[f"pipeline {one['name']}"] = codepipeline.get_pipeline(name=one["name"])["pipeline"]
        executions = codepipeline.list_pipeline_executions(pipelineName=one["name"])["pipelineExecutionSummaries"]
        found[f"executions {one['name']}"] = [execution["pipelineExecutionId"] for execution in executions]
    found["rules"] = root("events").list_rules()["Rules"]
    found["log groups"] = [one["logGroupName"] for one in root("logs").describe_log_groups()["logGroups"]]
    found["connections"] = root("codeconnections").list_connections()["Connections"]
    found["parameters"] = root("ssm").describe_parameters()["Parameters"]
    found["instances"] = root("ec2").describe_instances()["Reservations"]
    return found


@pytest.fixture(scope="module")
def ground(sealed: Sealed) -> Ground:
    return Ground(sealed)


@pytest.fixture(scope="module")
def attackers(sealed: Sealed, ground: Ground) -> Iterator[dict[str, Client]]:
    """Who tries, by the words of verify.yml. Afterwards the roles are as they were."""
    iam = sealed.client("iam")
    document = json.loads((sealed.estate.directory / "policies" / "developer.json").read_text())
    boundary = iam.create_policy(PolicyName="seal-developer", PolicyDocument=json.dumps(document))["Policy"]["Arn"]
    people = {
        "administrator": sealed.administrator,
        "developer": new_person(sealed.administrator, "seal-developer", allow(["*"], ["*"])),
    }
    iam.put_user_permissions_boundary(UserName="seal-developer", PermissionsBoundary=boundary)
    iam.create_role(RoleName="seal-bounded", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=boundary)
    for purpose in ("plan", "apply"):
        role = f"{ESTATE}-network-{purpose}"
        with sealed.trust(role):
            session = sealed.administrator.client("sts").assume_role(
                RoleArn=f"{IAM}:role/{role}", RoleSessionName="attack"
            )["Credentials"]
        iam.put_role_policy(RoleName=role, PolicyName="everything", PolicyDocument=POLICY)
        people[f"{purpose} role"] = Person(
            role,
            sealed.root.endpoint_url,
            session["AccessKeyId"],
            session["SecretAccessKey"],
            session["SessionToken"],
        )
    yield {who: clients_of(person) for who, person in people.items()}
    for purpose in ("plan", "apply"):
        iam.delete_role_policy(RoleName=f"{ESTATE}-network-{purpose}", PolicyName="everything")
    iam.delete_role(RoleName="seal-bounded")
    iam.delete_user_permissions_boundary(UserName="seal-developer")
    iam.delete_policy(PolicyArn=boundary)


def clients_of(person: Person) -> Client:
    """Makes the clients of somebody, each once; the one for S3 anew, since a test may change what it sends."""
    made: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service == "s3" or service not in made:
            made[service] = person.client(service)
        return made[service]

    return client


@pytest.fixture(scope="module")
def before(sealed: Sealed, attackers: dict[str, Client]) -> dict[str, Any]:
    assert attackers
    return everything(sealed)


@pytest.mark.parametrize("name", NAMES)
def test_an_attack_is_refused(name: str, attackers: dict[str, Client], ground: Ground, before: dict[str, Any]) -> None:
    who, _, what = name.partition(": ")

    with pytest.raises(ClientError) as refused:
        ATTACKS[what](attackers[who], ground)

    assert refused.value.response["Error"]["Code"] in REFUSED


def test_attackers_may_do_everything_else(attackers: dict[str, Client]) -> None:
    """They are refused for what they do, not for who they are."""
    for who, client in attackers.items():
        name = f"seal-{who.split()[0]}-{ACCOUNT}-{REGION}"
        if who == "developer":
            assert client("iam").list_roles()["Roles"]
        else:
            client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
            client("s3").delete_bucket(Bucket=name)


def test_nothing_has_changed(sealed: Sealed, before: dict[str, Any]) -> None:
    after = everything(sealed)

    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == set()


@pytest.mark.parametrize("who", ["plan role", "apply role"])
def test_a_build_reads_the_zip_that_a_stack_runs_and_does_not_write_it(
    who: str, sealed: Sealed, attackers: dict[str, Client]
) -> None:
    bucket, code = PACKED["source_bucket"], {"Bucket": PACKED["source_bucket"], "Key": PACKED["source_key"]}
    root, s3 = sealed.client("s3"), attackers[who]("s3")
    root.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    try:
        with sealed.seal(stack=PACKED):
            root.put_object(**code, Body=b"reviewed")
            for attack in (
                lambda: s3.put_object(**code, Body=b"x"),
                lambda: s3.delete_object(**code),
                lambda: s3.put_bucket_policy(Bucket=bucket, Policy=POLICY),
            ):
                with pytest.raises(ClientError) as refused:
                    attack()
                assert refused.value.response["Error"]["Code"] in REFUSED
            assert s3.get_object(**code)["Body"].read() == b"reviewed"
    finally:
        root.delete_object(**code)
        root.delete_bucket(Bucket=bucket)
