# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment variables of a build: from the buildspec, the project, the request, and CodeBuild itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local_aws.codebuild import builds
from local_aws.codebuild.buildspec import Buildspec, BuildspecError, SecretReference, secret_reference

_PARAMETERS_PER_CALL = 10  # GetParameters takes no more


class VariableError(Exception):
    """A parameter or secret can't be read; code and message are the context of the phase."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def user_variables(
    spec: Buildspec, environment: dict[str, Any], client: Callable[[str], Any], note: Callable[[str], None]
) -> tuple[dict[str, str], list[str]]:
    """The variables that people defined, and the values among them that are secret.

    A variable of the build request or the project wins over the buildspec's of the same name. environment is the
    build's API member, client gives clients with the service role's credentials, note writes to the build's log.
    Raises VariableError.
    """
    plain = dict(spec.variables)
    parameters = dict(spec.parameter_store)
    secrets = dict(spec.secrets_manager)
    for item in environment["environmentVariables"]:
        name, value = item["name"], item["value"]
        for variables in (plain, parameters, secrets):
            variables.pop(name, None)
        if item.get("type") == "PARAMETER_STORE":
            parameters[name] = value
        elif item.get("type") == "SECRETS_MANAGER":
            try:
                secrets[name] = secret_reference(value)
            except BuildspecError as error:
                raise VariableError("Secrets Manager Error", error.message) from error
        else:
            plain[name] = value
    if parameters:
        note("Decrypting parameter store environment variables")
        fetched = _parameters(parameters, client)
    else:
        fetched = {}
    if secrets:
        note("Decrypting secrets manager environment variables")
        fetched |= _secrets(secrets, client)
    return {**plain, **fetched}, list(fetched.values())


def _parameters(wanted: dict[str, str], client: Callable[[str], Any]) -> dict[str, str]:
    # A set: GetParameters refuses a name that is given twice.
    names = sorted(set(wanted.values()))
    values: dict[str, str] = {}
    for start in range(0, len(names), _PARAMETERS_PER_CALL):
        part = names[start : start + _PARAMETERS_PER_CALL]
        try:
            answer = client("ssm").get_parameters(Names=part, WithDecryption=True)
        except ClientError as error:
            raise VariableError("Decrypted Variables Error", client_error_text(error)) from error
        if answer["InvalidParameters"]:
            missing = ", ".join(answer["InvalidParameters"])
            raise VariableError("Decrypted Variables Error", f"parameter does not exist: {missing}")
        for parameter in answer["Parameters"]:
            values[parameter["Name"]] = parameter["Value"]
            # A parameter that was asked for by its ARN is named by its name in the answer.
            values[parameter.get("ARN", parameter["Name"])] = parameter["Value"]
    return {variable: values[name] for variable, name in wanted.items()}


def _secrets(wanted: dict[str, SecretReference], client: Callable[[str], Any]) -> dict[str, str]:
    values: dict[str, str] = {}
    for variable, reference in wanted.items():
        arguments = {"SecretId": reference.secret_id}
        if reference.version_stage:
            arguments["VersionStage"] = reference.version_stage
        if reference.version_id:
            arguments["VersionId"] = reference.version_id
        try:
            text = client("secretsmanager").get_secret_value(**arguments)["SecretString"]
        except ClientError as error:
            raise VariableError("Secrets Manager Error", client_error_text(error)) from error
        except KeyError as error:
            raise VariableError("Secrets Manager Error", f"secret {reference.secret_id} is binary") from error
        if reference.json_key:
            try:
                value = json.loads(text)[reference.json_key]
            except (ValueError, KeyError, TypeError) as error:
                raise VariableError(
                    "Secrets Manager Error", f"secret {reference.secret_id} has no JSON key {reference.json_key}"
                ) from error
            text = value if isinstance(value, str) else json.dumps(value)
        values[variable] = text
    return values


def client_error_text(error: ClientError) -> str:
    """An AWS error as CodeBuild prints it: code, message, status, request id."""
    answer: Any = error.response
    metadata = answer.get("ResponseMetadata", {})
    host = f", host id: {metadata['HostId']}" if metadata.get("HostId") else ""
    return (
        f"{answer['Error'].get('Code')}: {answer['Error'].get('Message')}\n\t"
        f"status code: {metadata.get('HTTPStatusCode')}, request id: {metadata.get('RequestId', '')}{host}"
    )


def codebuild_variables(
    build: dict[str, Any], region: str, source: Path, secondary_sources: dict[str, Path]
) -> dict[str, str]:
    """The CODEBUILD_ variables of a build."""
    account_id = build["arn"].split(":")[4]
    variables = {
        "CODEBUILD_BUILD_ARN": build["arn"],
        "CODEBUILD_BUILD_ID": build["id"],
        "CODEBUILD_BUILD_IMAGE": build["environment"]["image"],
        "CODEBUILD_BUILD_NUMBER": str(build["buildNumber"]),
        "CODEBUILD_BUILD_SUCCEEDING": "1",
        "CODEBUILD_BUILD_URL": builds.console_url(build),
        "CODEBUILD_CI": "true",
        "CODEBUILD_INITIATOR": build["initiator"],
        "CODEBUILD_KMS_KEY_ID": build["encryptionKey"],
        "CODEBUILD_LOG_PATH": build["logs"].get("streamName", ""),
        "CODEBUILD_PROJECT_ARN": f"arn:aws:codebuild:{region}:{account_id}:project/{build['projectName']}",
        "CODEBUILD_RESOLVED_SOURCE_VERSION": build.get("resolvedSourceVersion") or "",
        "CODEBUILD_SOURCE_REPO_URL": build["source"].get("location", ""),
        "CODEBUILD_SOURCE_VERSION": build.get("sourceVersion") or "",
        "CODEBUILD_SRC_DIR": str(source),
        "CODEBUILD_START_TIME": str(int(build["startTime"] * 1000)),
    }
    variables |= {f"CODEBUILD_SRC_DIR_{name}": str(path) for name, path in secondary_sources.items()}
    return variables


def process_environment(
    user: dict[str, str],
    codebuild: dict[str, str],
    *,
    region: str,
    home: Path,
    temporary: Path,
    path: Path,
    endpoint_url: str,
    credentials_url: str,
) -> dict[str, str]:
    """The whole environment of a build's shell; nothing of this process's own environment is in it."""
    fixed = {
        "PATH": str(path),
        # What the name service and the network are on AWS.
        "AWS_ENDPOINT_URL": endpoint_url,
        # The SDK for Go assumes a profile's role at this one only.
        "AWS_ENDPOINT_URL_STS": endpoint_url,
        # On AWS the agent's own address, AWS_CONTAINER_CREDENTIALS_RELATIVE_URI at 169.254.170.2.
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": credentials_url,
        # No calls home from a machine that may have no network.
        "CHECKPOINT_DISABLE": "1",
    }
    if terraformrc := os.environ.get("LOCAL_AWS_TERRAFORMRC"):
        fixed["TF_CLI_CONFIG_FILE"] = terraformrc
    defaults = {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        # The image has no configuration of git; this machine may.
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    return {**defaults, **user, **codebuild, **fixed}
