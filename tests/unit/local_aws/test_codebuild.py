# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CodeBuild over its API: projects, builds, and the permissions that both need."""

from __future__ import annotations

import io
import json
import os
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import (
    ACCOUNT,
    CODEBUILD,
    ECHO,
    ENVIRONMENT,
    LOGS,
    REGION,
    Demo,
    LocalAws,
    allow,
    eventually,
    unique,
)


@pytest.fixture
def bucket(local_aws: LocalAws) -> str:
    return local_aws.bucket("bucket")


def refused(code: str, call: Any, **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


# --- projects ---------------------------------------------------------------------------------------------------------


def test_a_project_with_what_aws_adds(demo: Demo) -> None:
    request = demo.request()
    project = demo.codebuild.create_project(**request)["project"]
    assert demo.codebuild.batch_get_projects(names=[project["name"], project["arn"]])["projects"] == [project, project]
    created, modified = project.pop("created"), project.pop("lastModified")
    assert created == modified
    assert project == {
        "name": request["name"],
        "arn": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{request['name']}",
        "source": {**request["source"], "insecureSsl": False},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {
            **ENVIRONMENT,
            "environmentVariables": [],
            "privilegedMode": False,
            "imagePullCredentialsType": "CODEBUILD",
        },
        "serviceRole": request["serviceRole"],
        "cache": {"type": "NO_CACHE"},
        "timeoutInMinutes": 60,
        "queuedTimeoutInMinutes": 480,
        "encryptionKey": f"arn:aws:kms:{REGION}:{ACCOUNT}:alias/aws/s3",
        "badge": {"badgeEnabled": False},
        "projectVisibility": "PRIVATE",
        "secondarySources": [],
        "secondarySourceVersions": [],
        "secondaryArtifacts": [],
        "tags": [],
    }


def test_codepipeline_artifacts_are_named_after_the_project(demo: Demo) -> None:
    project = demo.project(source={"type": "CODEPIPELINE", "buildspec": "b.yml"}, artifacts={"type": "CODEPIPELINE"})
    assert project["artifacts"] == {
        "type": "CODEPIPELINE",
        "name": project["name"],
        "packaging": "NONE",
        "encryptionDisabled": False,
    }
    assert "CodePipeline" in refused("InvalidInputException", demo.codebuild.start_build, projectName=project["name"])


def test_update_replaces_what_is_given_and_leaves_the_rest(demo: Demo) -> None:
    project = demo.project(
        description="one",
        concurrentBuildLimit=1,
        tags=[{"key": "a", "value": "b"}],
        vpcConfig={"vpcId": "vpc-1", "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"]},
    )
    changed = demo.codebuild.update_project(
        name=project["name"],
        environment={**ENVIRONMENT, "environmentVariables": [{"name": "A", "value": "b"}]},
        concurrentBuildLimit=-1,
        vpcConfig={},
        timeoutInMinutes=7,
    )["project"]
    assert changed["environment"]["environmentVariables"] == [{"name": "A", "value": "b", "type": "PLAINTEXT"}]
    assert changed["timeoutInMinutes"] == 7
    assert changed["description"] == "one"
    assert changed["tags"] == [{"key": "a", "value": "b"}]
    assert changed["lastModified"] > project["lastModified"]
    assert changed["created"] == project["created"]
    assert "concurrentBuildLimit" not in changed
    assert "vpcConfig" not in changed


def test_delete_and_not_found(demo: Demo) -> None:
    project = demo.project()
    refused("ResourceAlreadyExistsException", demo.codebuild.create_project, **demo.request(name=project["name"]))
    demo.codebuild.delete_project(name=project["name"])
    demo.codebuild.delete_project(name=project["name"])
    answer = demo.codebuild.batch_get_projects(names=[project["name"]])
    assert (answer["projects"], answer["projectsNotFound"]) == ([], [project["name"]])
    message = refused("ResourceNotFoundException", demo.codebuild.start_build, projectName=project["name"])
    assert message == f"Project cannot be found: {project['arn']}"
    refused("ResourceNotFoundException", demo.codebuild.update_project, name=project["name"])


def test_projects_are_listed_in_pages_of_a_hundred(demo: Demo, local_aws: LocalAws) -> None:
    codebuild = local_aws.client("codebuild", region="eu-north-1")
    role = demo.role()
    names = [f"page-{number:03}" for number in range(101)]
    for name in reversed(names):
        codebuild.create_project(**demo.request(role=role, name=name))
    first = codebuild.list_projects()
    assert first["projects"] == names[:100]
    assert codebuild.list_projects(nextToken=first["nextToken"])["projects"] == names[100:]
    assert codebuild.list_projects(sortBy="NAME", sortOrder="DESCENDING")["projects"][0] == names[-1]
    assert codebuild.list_projects(sortBy="CREATED_TIME")["projects"][0] == names[-1]
    assert "length less than or equal to 100" in refused(
        "InvalidInputException", codebuild.batch_get_projects, names=names
    )


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"name": "-bad"}, "regular expression pattern"),
        ({"timeoutInMinutes": 4}, "greater than or equal to 5"),
        ({"artifacts": {"type": "CODEPIPELINE"}}, "must both be CODEPIPELINE"),
        ({"source": {"type": "NO_SOURCE", "buildspec": "buildspec.yml"}}, "requires a non-empty inline buildspec"),
        ({"concurrentBuildLimit": 61}, "cannot exceed the account-level concurrent build limit of 60"),
        ({"serviceRole": "arn:aws:iam::999999999999:role/x"}, "does not match caller's account"),
        (
            {"serviceRole": f"arn:aws:iam::{ACCOUNT}:role/none"},
            "not authorized to perform: sts:AssumeRole on service role",
        ),
    ],
)
def test_projects_that_are_refused(demo: Demo, members: dict[str, Any], message: str) -> None:
    unchecked = demo.aws.client("codebuild", parameter_validation=False)
    assert message in refused("InvalidInputException", unchecked.create_project, **demo.request(**members))


def test_the_service_role_must_trust_codebuild_for_this_project(demo: Demo, local_aws: LocalAws) -> None:
    not_ours = local_aws.role(unique("lambda"), "lambda.amazonaws.com")
    assert "sts:AssumeRole" in refused(
        "InvalidInputException", demo.codebuild.create_project, **demo.request(role=not_ours)
    )
    name = unique("project")
    for source, account in (("other", ACCOUNT), (name, "999999999999")):
        role = demo.role(
            condition={
                "ArnEquals": {"aws:SourceArn": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{source}"},
                "StringEquals": {"aws:SourceAccount": account},
            }
        )
        refused("InvalidInputException", demo.codebuild.create_project, **demo.request(role=role, name=name))
    role = demo.role(
        LOGS,
        condition={
            "ArnEquals": {"aws:SourceArn": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{name}"},
            "StringEquals": {"aws:SourceAccount": ACCOUNT},
        },
    )
    project = demo.codebuild.create_project(**demo.request(role=role, name=name))["project"]
    assert demo.build(project)["buildStatus"] == "SUCCEEDED"
    # A trust policy that is narrowed later fails the next build.
    local_aws.client("iam").update_assume_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
                ],
            }
        ),
    )
    build = demo.build(project)
    assert build["buildStatus"] == "FAILED"
    assert demo.context(build, "PROVISIONING")["message"] == (
        f"CodeBuild is not authorized to perform: sts:AssumeRole on {role}"
    )


def test_pass_role_and_the_projects_arn_are_authorized(demo: Demo, local_aws: LocalAws) -> None:
    role = demo.role(LOGS)
    name = unique("project")
    arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{name}"
    keys = local_aws.user(unique("user"), allow("codebuild:*", arn))
    codebuild = local_aws.client("codebuild", keys)
    message = refused("AccessDeniedException", codebuild.create_project, **demo.request(role=role, name=name))
    assert f"is not authorized to perform: iam:PassRole on resource: {role}" in message
    keys = local_aws.user(
        unique("user"),
        allow("codebuild:*", arn),
        allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": CODEBUILD}}),
    )
    codebuild = local_aws.client("codebuild", keys)
    codebuild.create_project(**demo.request(role=role, name=name))
    build = codebuild.start_build(projectName=name)["build"]
    assert codebuild.batch_get_builds(ids=[build["id"]])["builds"]
    other = demo.project()
    for call, arguments in (
        (codebuild.batch_get_projects, {"names": [name, other["name"]]}),
        (codebuild.list_projects, {}),
        (codebuild.start_build, {"projectName": other["name"]}),
        (codebuild.batch_get_builds, {"ids": [f"{other['name']}:x"]}),
    ):
        refused("AccessDeniedException", call, **arguments)


def test_webhooks_policies_visibility_and_cache(demo: Demo) -> None:
    project = demo.project(source={"type": "GITHUB", "location": "https://github.com/example/repo.git"})
    name = project["name"]
    groups = [[{"type": "EVENT", "pattern": "PUSH"}]]
    webhook = demo.codebuild.create_webhook(projectName=name, filterGroups=groups)["webhook"]
    assert webhook["filterGroups"] == groups
    assert webhook["url"].startswith("https://api.github.com/repos/example/repo/hooks/")
    assert webhook["payloadUrl"].startswith(f"https://codebuild.{REGION}.amazonaws.com/webhooks")
    assert demo.codebuild.batch_get_projects(names=[name])["projects"][0]["webhook"] == webhook
    demo.codebuild.update_webhook(projectName=name, branchFilter="main")
    refused("ResourceAlreadyExistsException", demo.codebuild.create_webhook, projectName=name)
    demo.codebuild.delete_webhook(projectName=name)
    refused("ResourceNotFoundException", demo.codebuild.delete_webhook, projectName=name)

    refused("ResourceNotFoundException", demo.codebuild.get_resource_policy, resourceArn=project["arn"])
    demo.codebuild.put_resource_policy(resourceArn=project["arn"], policy="{}")
    assert demo.codebuild.get_resource_policy(resourceArn=project["arn"])["policy"] == "{}"
    demo.codebuild.delete_resource_policy(resourceArn=project["arn"])
    refused("ResourceNotFoundException", demo.codebuild.get_resource_policy, resourceArn=project["arn"])

    public = demo.codebuild.update_project_visibility(projectArn=project["arn"], projectVisibility="PUBLIC_READ")
    assert public["publicProjectAlias"]
    demo.codebuild.invalidate_project_cache(projectName=name)
    # A repository without a connection is stored, but a build of it says that it can't be fetched here.
    assert demo.context(demo.build(project), "DOWNLOAD_SOURCE")["message"].startswith(
        "source type GITHUB without a connection (auth type CODECONNECTIONS) is not part of local AWS"
    )


def test_tags_are_seen_by_the_tagging_api(demo: Demo, local_aws: LocalAws) -> None:
    project = demo.project(tags=[{"key": "stack", "value": unique("tagged")}])
    found = local_aws.client("resourcegroupstaggingapi").get_resources(
        TagFilters=[{"Key": "stack", "Values": [project["tags"][0]["value"]]}]
    )["ResourceTagMappingList"]
    assert [item["ResourceARN"] for item in found] == [project["arn"]]


# --- builds -----------------------------------------------------------------------------------------------------------


def test_a_build_its_record_and_its_log(demo: Demo, local_aws: LocalAws) -> None:
    project = demo.project(
        logsConfig={"cloudWatchLogs": {"status": "ENABLED", "groupName": unique("group"), "streamName": "prefix"}}
    )
    first = demo.build(project)
    second = demo.build(
        project,
        buildspecOverride="version: 0.2\nphases: {build: {commands: [echo $WHO]}}",
        environmentVariablesOverride=[{"name": "WHO", "value": "override"}],
    )
    assert (first["buildStatus"], second["buildStatus"]) == ("SUCCEEDED", "SUCCEEDED")
    assert (first["buildNumber"], second["buildNumber"]) == (1, 2)
    assert first["initiator"] == local_aws.client("sts").get_caller_identity()["Arn"].rpartition("/")[2]
    group = project["logsConfig"]["cloudWatchLogs"]["groupName"]
    uuid = first["id"].partition(":")[2]
    assert first["logs"]["groupName"] == group
    assert first["logs"]["streamName"] == f"prefix/{uuid}"
    assert first["logs"]["cloudWatchLogsArn"].endswith(f"log-group:{group}:log-stream:prefix/{uuid}")
    assert "\nhello\n" in demo.log(first)
    assert "\noverride\n" in demo.log(second)
    assert demo.codebuild.list_builds_for_project(projectName=project["name"])["ids"] == [second["id"], first["id"]]
    assert demo.codebuild.list_builds()["ids"][0] == second["id"]
    assert demo.get(first["arn"])["id"] == first["id"]
    retried = demo.ended(demo.codebuild.retry_build(id=second["id"])["build"]["id"])
    assert retried["environment"]["environmentVariables"] == second["environment"]["environmentVariables"]
    answer = demo.codebuild.batch_delete_builds(ids=[first["id"], "none:1"])
    assert answer["buildsDeleted"] == [first["arn"]]
    assert [item["id"] for item in answer["buildsNotDeleted"]] == ["none:1"]
    assert demo.codebuild.batch_get_builds(ids=[first["id"]])["buildsNotFound"] == [first["id"]]


def test_no_call_of_a_build_is_roots(demo: Demo, local_aws: LocalAws) -> None:
    build = demo.build(demo.project())
    session = f"AWSCodeBuild-{build['id'].partition(':')[2]}"
    actions = {call["action"] for call in local_aws.calls() if call["principal_arn"].endswith(session)}
    assert actions == {"logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"}
    assert not [
        call
        for call in local_aws.calls()
        if "local-aws-service" in call["user_agent"] and call["principal_arn"].endswith(":root")
    ]


def test_the_log_can_be_followed_and_a_build_stopped_with_a_limit_of_one(demo: Demo) -> None:
    project = demo.project("version: 0.2\nphases: {build: {commands: [echo begun, sleep 60]}}", concurrentBuildLimit=1)
    build_id = demo.start(project)

    def begun() -> bool:
        try:
            return "\nbegun\n" in demo.log(demo.get(build_id))
        except ClientError:
            return False

    eventually(begun)
    running = demo.get(build_id)
    assert (running["buildStatus"], running["currentPhase"]) == ("IN_PROGRESS", "BUILD")
    assert running["buildComplete"] is False
    message = refused("AccountLimitExceededException", demo.codebuild.start_build, projectName=project["name"])
    assert message.startswith("Cannot have more than 1 builds in queue for the")
    assert demo.codebuild.batch_delete_builds(ids=[build_id])["buildsNotDeleted"][0]["id"] == build_id
    assert demo.codebuild.stop_build(id=build_id)["build"]["buildStatus"] == "STOPPED"
    again = demo.start(project)
    demo.codebuild.stop_build(id=again)
    assert demo.ended(again)["buildStatus"] == "STOPPED"


def test_a_role_without_logs_fails_as_on_aws(demo: Demo) -> None:
    role = demo.role()
    build = demo.build(demo.codebuild.create_project(**demo.request(role=role))["project"])
    context = demo.context(build, "PROVISIONING")
    assert context["statusCode"] == "ACCESS_DENIED"
    assert context["message"].startswith(
        f"Service role {role} does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams for build "
        f"{build['arn']}. Error message: User: "
    )


def test_an_idempotency_token_starts_one_build(demo: Demo) -> None:
    project = demo.project()
    token = unique("token")
    assert demo.start(project, idempotencyToken=token) == demo.start(project, idempotencyToken=token)
    refused(
        "InvalidInputException",
        demo.codebuild.start_build,
        projectName=project["name"],
        idempotencyToken=token,
        timeoutInMinutesOverride=9,
    )


PARAMETERS = """
version: 0.2
env:
  parameter-store: {FIRST: /%(prefix)s/first, SECOND: /%(prefix)s/second}
  secrets-manager: {PASSWORD: '%(prefix)s:password'}
  exported-variables: [FIRST]
phases:
  build:
    commands:
      - echo first=$FIRST second=$SECOND password=$PASSWORD
      - test "$FIRST$SECOND$PASSWORD" = value-onevalue-twopass-word
"""


def test_parameters_and_secrets_are_read_with_the_role_and_masked(demo: Demo, local_aws: LocalAws) -> None:
    prefix = unique("parameters")
    ssm = local_aws.client("ssm")
    ssm.put_parameter(Name=f"/{prefix}/first", Value="value-one", Type="SecureString")
    ssm.put_parameter(Name=f"/{prefix}/second", Value="value-two", Type="String")
    local_aws.client("secretsmanager").create_secret(Name=prefix, SecretString=json.dumps({"password": "pass-word"}))
    project = demo.project(PARAMETERS % {"prefix": prefix})
    build = demo.build(project)
    context = demo.context(build, "DOWNLOAD_SOURCE")
    assert context["statusCode"] == "Decrypted Variables Error"
    assert context["message"].startswith("AccessDeniedException: User: ")
    assert "is not authorized to perform: ssm:GetParameters on resource: " in context["message"]
    assert "Phase complete: DOWNLOAD_SOURCE State: FAILED" in demo.log(build)

    role = project["serviceRole"].rpartition("/")[2]
    parameters = allow("ssm:GetParameters", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{prefix}/*")
    local_aws.policy(role, LOGS, parameters)
    context = demo.context(demo.build(project), "DOWNLOAD_SOURCE")
    assert context["statusCode"] == "Secrets Manager Error"
    assert "secretsmanager:GetSecretValue" in context["message"]

    local_aws.policy(role, LOGS, parameters, allow("secretsmanager:GetSecretValue"))
    build = demo.build(project)
    assert build["buildStatus"] == "SUCCEEDED"
    assert "\nfirst=*** second=*** password=***\n" in demo.log(build)
    assert build["exportedEnvironmentVariables"] == [{"name": "FIRST", "value": "***"}]
    calls = [
        call
        for call in local_aws.calls()
        if call["action"] == "ssm:GetParameters" and call["principal_arn"].endswith(build["id"].partition(":")[2])
    ]
    assert len(calls) == 1

    missing = demo.build(
        project, environmentVariablesOverride=[{"name": "FIRST", "value": f"/{prefix}/none", "type": "PARAMETER_STORE"}]
    )
    assert demo.context(missing, "DOWNLOAD_SOURCE") == {
        "statusCode": "Decrypted Variables Error",
        "message": f"parameter does not exist: /{prefix}/none",
    }


def zipped(files: dict[str, str]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o755 if name.endswith(".sh") else 0o644) << 16
            archive.writestr(info, text)
    return content.getvalue()


COPY = """
version: 0.2
phases: {build: {commands: [./run.sh > out.txt, cat $CODEBUILD_SRC_DIR_more/extra.txt >> out.txt]}}
artifacts:
  files: ['*.txt']
  secondary-artifacts: {second: {files: [run.sh]}}
"""


def test_sources_and_artifacts_in_s3(demo: Demo, local_aws: LocalAws, bucket: str) -> None:
    s3 = local_aws.client("s3")
    key = local_aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3.put_object(Bucket=bucket, Key="in/source.zip", Body=zipped({"run.sh": "#!/bin/sh\necho ran\n", "b.yml": COPY}))
    s3.put_object(Bucket=bucket, Key="more/extra.txt", Body=b"extra\n")
    project = demo.project(
        source={"type": "S3", "location": f"{bucket}/in/source.zip", "buildspec": "b.yml"},
        secondarySources=[{"type": "S3", "location": f"{bucket}/more/", "sourceIdentifier": "more"}],
        artifacts={
            "type": "S3",
            "location": bucket,
            "path": "out",
            "name": "a.zip",
            "packaging": "ZIP",
            "namespaceType": "BUILD_ID",
        },
        secondaryArtifacts=[{"type": "S3", "location": bucket, "name": "plain", "artifactIdentifier": "second"}],
        encryptionKey=key,
    )
    build = demo.build(project)
    context = demo.context(build, "DOWNLOAD_SOURCE")
    assert context["statusCode"] == "CLIENT_ERROR"
    assert context["message"].startswith("AccessDenied: ")
    assert "status code: 403, request id: " in context["message"]
    assert context["message"].endswith(f" for primary source and source version arn:aws:s3:::{bucket}/in/source.zip")

    role = project["serviceRole"].rpartition("/")[2]
    read = [LOGS, allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"), allow("s3:ListBucket", f"arn:aws:s3:::{bucket}")]
    local_aws.policy(role, *read)
    build = demo.build(project)
    assert demo.context(build, "UPLOAD_ARTIFACTS")["statusCode"] == "CLIENT_ERROR"
    assert demo.context(build, "UPLOAD_ARTIFACTS")["message"].startswith("AccessDenied: ")

    local_aws.policy(
        role,
        *read,
        allow("s3:PutObject", f"arn:aws:s3:::{bucket}/*"),
        allow(["kms:GenerateDataKey", "kms:Decrypt"], key),
    )
    build = demo.build(project)
    assert build["buildStatus"] == "SUCCEEDED", build["phases"]
    uuid = build["id"].partition(":")[2]
    assert build["artifacts"]["location"] == f"arn:aws:s3:::{bucket}/out/{uuid}/a.zip"
    stored = s3.get_object(Bucket=bucket, Key=f"out/{uuid}/a.zip")
    assert (stored["ServerSideEncryption"], stored["SSEKMSKeyId"]) == ("aws:kms", key)
    with zipfile.ZipFile(io.BytesIO(stored["Body"].read())) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"out.txt": b"ran\nextra\n"}
    assert s3.get_object(Bucket=bucket, Key="plain/run.sh")["Body"].read().endswith(b"echo ran\n")

    missing = demo.build(project, buildspecOverride="none.yml")
    assert demo.context(missing, "DOWNLOAD_SOURCE")["statusCode"] == "YAML_FILE_ERROR"
    assert demo.context(missing, "DOWNLOAD_SOURCE")["message"].endswith("none.yml: no such file or directory")
    nothing = demo.build(project, buildspecOverride=ECHO + "\nartifacts: {files: ['*.none']}")
    assert demo.context(nothing, "UPLOAD_ARTIFACTS") == {
        "statusCode": "CLIENT_ERROR",
        "message": "no matching artifact paths found",
    }


def test_state_changes_reach_eventbridge(demo: Demo, local_aws: LocalAws) -> None:
    project = demo.project()
    sqs, bus = local_aws.client("sqs"), local_aws.client("events")
    name = unique("events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sqs.set_queue_attributes(
        QueueUrl=url,
        Attributes={
            "Policy": json.dumps(
                {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "events.amazonaws.com"},
                            "Action": "sqs:SendMessage",
                            "Resource": arn,
                        }
                    ],
                }
            )
        },
    )
    bus.put_rule(
        Name=name,
        EventPattern=json.dumps(
            {
                "source": ["aws.codebuild"],
                "detail-type": ["CodeBuild Build State Change"],
                "detail": {"project-name": [project["name"]]},
            }
        ),
    )
    bus.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": arn}])
    build = demo.build(project)
    received: list[dict[str, Any]] = []

    def both() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            received.append(json.loads(message["Body"]))
        return len(received) >= 2

    eventually(both)
    assert {event["detail"]["build-status"] for event in received} == {"IN_PROGRESS", "SUCCEEDED"}
    assert all(event["detail"]["build-id"] == build["arn"] == event["resources"][0] for event in received)


# --- Terraform --------------------------------------------------------------------------------------------------------


def provider_mirror() -> Path | None:
    """A directory that holds the AWS provider as <registry>/hashicorp/aws, if the machine has one."""
    chosen = os.environ.get("TF_MIRROR")
    roots = (
        [Path(chosen)]
        if chosen
        else [
            Path.home() / ".terraform.d/plugins",
            Path("/usr/share/terraform/plugins"),
            Path("/usr/local/share/terraform/plugins"),
            *Path("/opt").glob("*"),
            *Path("/usr/share").glob("*"),
        ]
    )
    return next((root for root in roots if any(root.glob("*/hashicorp/aws"))), None)


TERRAFORM = """
version: 0.2
env: {exported-variables: [VPC_ID]}
phases:
  pre_build:
    commands:
      - terraform init -input=false -no-color
  build:
    commands:
      - terraform apply -input=false -no-color -auto-approve
      - VPC_ID="$(terraform output -raw vpc_id)"
"""
MAIN_TF = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
  backend "s3" {
    bucket       = "%s"
    key          = "demo/terraform.tfstate"
    region       = "eu-central-1"
    encrypt      = true
    use_lockfile = true
  }
}
provider "aws" { region = "eu-central-1" }
resource "aws_vpc" "this" { cidr_block = "10.20.0.0/16" }
output "vpc_id" { value = aws_vpc.this.id }
"""


@pytest.mark.skipif(provider_mirror() is None, reason="no provider mirror: set TF_MIRROR")
def test_terraform_applies_as_the_service_role(demo: Demo, local_aws: LocalAws, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "terraformrc").write_text(
        f'provider_installation {{\n  filesystem_mirror {{\n    path = "{provider_mirror()}"\n  }}\n}}\n'
    )
    state = unique("state")
    objects = f"arn:aws:s3:::{state}/demo/terraform.tfstate"
    s3 = local_aws.client("s3")
    s3.create_bucket(Bucket=state, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="s.zip", Body=zipped({"main.tf": MAIN_TF % state, "buildspec.yml": TERRAFORM}))
    project = demo.project(
        "",
        allow("s3:GetObject", f"arn:aws:s3:::{bucket}/s.zip"),
        allow("s3:ListBucket", f"arn:aws:s3:::{state}"),
        allow(["s3:GetObject", "s3:PutObject"], objects),
        allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{objects}.tflock"),
        allow(
            [
                "ec2:CreateVpc",
                "ec2:DescribeVpcs",
                "ec2:DescribeVpcAttribute",
                "ec2:DescribeNetworkAcls",
                "ec2:DescribeRouteTables",
                "ec2:DescribeSecurityGroups",
            ]
        ),
        source={"type": "S3", "location": f"{bucket}/s.zip"},
        environment={
            **ENVIRONMENT,
            "environmentVariables": [{"name": "TF_CLI_CONFIG_FILE", "value": str(tmp_path / "terraformrc")}],
        },
    )
    started = time.time()
    build = demo.ended(demo.start(project), 60)
    assert build["buildStatus"] == "SUCCEEDED", demo.log(build)
    vpc_id = build["exportedEnvironmentVariables"][0]["value"]
    vpcs = local_aws.client("ec2").describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
    assert vpcs[0]["CidrBlock"] == "10.20.0.0/16"
    written = json.loads(s3.get_object(Bucket=state, Key="demo/terraform.tfstate")["Body"].read())
    assert written["resources"][0]["instances"][0]["attributes"]["id"] == vpc_id
    calls = [call for call in local_aws.calls() if call["time"] >= started and "Terraform" in call["user_agent"]]
    assert calls
    assert {call["principal_arn"].rpartition("/")[2] for call in calls} == {
        f"AWSCodeBuild-{build['id'].partition(':')[2]}"
    }
