# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build makes resources with: keys in Parameter Store, or another role. The state is always the build role's."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.conftest import EXTERNAL_ID, Account, Started
from tests.e2e.estate import Call, Estate, Execution

PARAMETERS = ["/gitops/keys/AWS_ACCESS_KEY_ID", "/gitops/keys/AWS_SECRET_ACCESS_KEY"]


@pytest.fixture(scope="session")
def keys(estate: Estate, started: Started) -> Execution:
    """The stack `keys`, built."""
    ended = estate.wait("gitops-keys", started.executions["keys"])
    assert ended.status == "Succeeded", estate.story(ended)
    return ended


@pytest.fixture(scope="session")
def elsewhere(estate: Estate, started: Started) -> Execution:
    """The stack `elsewhere`, built."""
    ended = estate.wait("gitops-elsewhere", started.executions["elsewhere"])
    assert ended.status == "Succeeded", estate.story(ended)
    return ended


def terraform_calls(estate: Estate, namespace: str, name: str) -> list[Call]:
    """Terraform's calls of a service that name this resource."""
    return [
        call
        for call in estate.aws.calls()
        if "Terraform" in call["user_agent"] and call["service"] == namespace and name in call["resource"]
    ]


def test_keys_of_the_csv_are_kept_encrypted_with_the_foundations_key(estate: Estate, account: Account) -> None:
    assert not (estate.directory / "accessKeys.csv").exists()
    ssm = estate.kept("ssm")
    values = ssm.get_parameters(Names=PARAMETERS, WithDecryption=True)["Parameters"]
    assert {value["Name"]: value["Value"] for value in values} == {
        PARAMETERS[0]: account.terraform_user.access_key_id,
        PARAMETERS[1]: account.terraform_user.secret_access_key,
    }
    filters = [{"Key": "Name", "Values": PARAMETERS}]
    for parameter in ssm.describe_parameters(ParameterFilters=filters)["Parameters"]:
        assert (parameter["Type"], parameter["KeyId"]) == ("SecureString", estate.key_arn)
        assert parameter["Version"] == 1


def test_user_of_the_keys_makes_the_resource_and_the_role_writes_the_state(keys: Execution, estate: Estate) -> None:
    assert keys.status == "Succeeded"
    value = estate.kept("ssm").get_parameter(Name="/app/keys")["Parameter"]["Value"]
    assert value == "built by the pipeline"
    users = {call["principal_arn"] for call in terraform_calls(estate, "ssm", "parameter/app/keys")}
    assert users == {"arn:aws:iam::123456789012:user/terraform"}
    writers = {
        call["principal_arn"].rpartition("/")[0]
        for call in terraform_calls(estate, "s3", "-state/keys/terraform.tfstate")
        if call["action"] == "s3:PutObject" and not call["resource"].endswith(".tflock")
    }
    assert writers == {"arn:aws:sts::123456789012:assumed-role/gitops-keys-apply"}


def test_user_of_the_keys_may_not_touch_the_state(keys: Execution, account: Account, estate: Estate) -> None:
    assert keys.status == "Succeeded"
    with pytest.raises(ClientError, match="AccessDenied"):
        account.terraform_user.client("s3").get_object(
            Bucket=estate.foundation["state_bucket"], Key="keys/terraform.tfstate"
        )


def test_secret_is_nowhere_but_in_parameter_store(keys: Execution, account: Account, estate: Estate) -> None:
    assert keys.status == "Succeeded"
    secret = account.terraform_user.secret_access_key
    places: dict[str, str] = {f"playbook run {index}": run.output for index, run in enumerate(estate.runs)}
    for file in account.aws.data.iterdir():
        if file.is_file():
            places[file.name] = file.read_text(errors="replace")
    logs = estate.logs(keys)
    places |= logs
    projects = [f"gitops-keys-{step}" for step in ("plan", "apply", "destroy")]
    codebuild, pipelines = estate.administrator.client("codebuild"), estate.administrator.client("codepipeline")
    places["projects"] = plain(codebuild.batch_get_projects(names=projects))
    places["builds"] = plain(codebuild.batch_get_builds(ids=list(logs)))
    places["pipeline"] = plain(pipelines.get_pipeline(name="gitops-keys"))
    places["actions"] = plain(pipelines.list_action_executions(pipelineName="gitops-keys"))
    places |= objects(estate)
    assert any("Apply complete!" in text for text in logs.values())
    assert [name for name, text in places.items() if secret in text] == []
    # The search would find it: another word of the same kind is found.
    assert [name for name, text in places.items() if PARAMETERS[1] in text] != []


def plain(answer: Any) -> str:
    return json.dumps(answer, default=str)


def objects(estate: Estate) -> dict[str, str]:
    """The content of all states and artifacts, those in archives too."""
    s3, found = estate.kept("s3"), {}
    for bucket in (estate.foundation["state_bucket"], estate.foundation["artifact_bucket"]):
        for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            content = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            found[entry["Key"]] = expanded(content)
    return found


def expanded(content: bytes) -> str:
    """A file as text; of an archive, and of archives in it (a saved plan is one), the members."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content.decode(errors="replace")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return "\n".join(expanded(archive.read(name)) for name in archive.namelist())


def test_assumed_role_makes_the_resource_and_the_build_role_writes_the_state(
    elsewhere: Execution, estate: Estate
) -> None:
    assert elsewhere.status == "Succeeded"
    assert estate.kept("ssm").get_parameter(Name="/app/elsewhere")["Parameter"]["Value"]
    principals = {
        call["principal_arn"].rpartition("/")[0] for call in terraform_calls(estate, "ssm", "parameter/app/elsewhere")
    }
    assert principals == {"arn:aws:sts::123456789012:assumed-role/other-team"}
    writers = {
        call["principal_arn"].rpartition("/")[0]
        for call in terraform_calls(estate, "s3", "-state/elsewhere/terraform.tfstate")
        if call["action"] == "s3:PutObject" and not call["resource"].endswith(".tflock")
    }
    assert writers == {"arn:aws:sts::123456789012:assumed-role/gitops-elsewhere-apply"}


def test_role_cannot_be_assumed_without_the_external_id(elsewhere: Execution, estate: Estate) -> None:
    """What makes the test above worth something."""
    assert elsewhere.status == "Succeeded"
    sts, role = estate.administrator.client("sts"), "arn:aws:iam::123456789012:role/other-team"
    assert sts.assume_role(RoleArn=role, RoleSessionName="friend", ExternalId=EXTERNAL_ID)["Credentials"]
    for arguments in ({}, {"ExternalId": "guessed"}):
        with pytest.raises(ClientError, match="AccessDenied"):
            sts.assume_role(RoleArn=role, RoleSessionName="stranger", **arguments)
