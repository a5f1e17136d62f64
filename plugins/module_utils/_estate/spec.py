# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The user's input: which settings and stacks there are, their defaults, and what is wrong with them."""

from __future__ import annotations

import difflib
import re
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.gitops.aws.plugins.module_utils._names import bucket_name_problem

TERRAFORM_VERSION = "1.11.4"

SETTINGS: dict[str, Any] = {
    "name": {"type": "str", "default": "gitops"},
    "region": {"type": "str", "required": True},
    "tags": {"type": "dict", "default": {}},
    "state_bucket": {"type": "str"},
    "create_state_bucket": {"type": "bool", "default": True},
    "artifact_bucket": {"type": "str"},
    "create_artifact_bucket": {"type": "bool", "default": True},
    "lock_table": {"type": "str"},
    "create_lock_table": {"type": "bool", "default": True},
    "kms_key_arn": {"type": "str"},
    "log_retention_in_days": {"type": "int", "default": 365},
    "locking": {
        "type": "list",
        "elements": "str",
        "choices": ["dynamodb", "lockfile"],
        "default": ["dynamodb", "lockfile"],
    },
    "state_bucket_policy_statements": {"type": "list", "elements": "dict", "default": []},
    "connection": {"type": "str"},
    "connection_provider": {
        "type": "str",
        "choices": ["Bitbucket", "GitHub", "GitHubEnterpriseServer", "GitLab", "GitLabSelfManaged", "AzureDevOps"],
        "default": "GitHub",
    },
    "connection_arn": {"type": "str"},
    "permissions_boundary": {"type": "str"},
}

STACK: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "repository": {"type": "str", "required": True},
    "branch": {"type": "str", "default": "main"},
    "path": {"type": "str", "default": "."},
    "approval": {"type": "bool", "default": True},
    "trigger": {"type": "bool", "default": True},
    "credentials": {"type": "str", "choices": ["role", "assume_role", "parameter_store"], "default": "role"},
    "access_keys_csv": {"type": "path"},
    "access_key_id_parameter": {"type": "str"},
    "secret_access_key_parameter": {"type": "str", "no_log": False},
    "assume_role_arn": {"type": "str"},
    "assume_role_external_id": {"type": "str"},
    "terraform_version": {"type": "str", "default": TERRAFORM_VERSION},
    "image": {"type": "str"},
    "compute_type": {"type": "str", "default": "BUILD_GENERAL1_SMALL"},
    "timeout_in_minutes": {"type": "int", "default": 60},
    "variables": {"type": "dict", "default": {}},
    "state_key": {"type": "str"},
    "plan_permissions": {"type": "list", "elements": "dict", "default": []},
    "apply_permissions": {"type": "list", "elements": "dict", "default": []},
    "plan_managed_policies": {"type": "list", "elements": "str", "default": []},
    "apply_managed_policies": {"type": "list", "elements": "str", "default": []},
    "plan_role_arn": {"type": "str"},
    "apply_role_arn": {"type": "str"},
    "pipeline_role_arn": {"type": "str"},
    "tags": {"type": "dict", "default": {}},
}

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
NAME_ALLOWED = "a-z, 0-9 and single hyphens, beginning with a letter"
ROLE_NAME_LIMIT = 64  # IAM's, and the tightest of all names made from a stack's
LONGEST_SUFFIX = "-pipeline"
REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)+")
BRANCH = re.compile(r"(?!/)(?!.*(//|\.\.|@\{|\\))[^\s~^:?*\[]+(?<![/.])")
VERSION = re.compile(r"\d+\.\d+\.\d+(-[\w.]+)?")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+")
KEY_ARN = re.compile(r"arn:aws[\w-]*:kms:[a-z0-9-]+:\d{12}:key/[\w-]+")
PARAMETER = re.compile(r"/?[\w.-]+(/[\w.-]+)*")
VARIABLE = re.compile(r"[A-Za-z_]\w*")

Found = list[str]


def known(value: dict[str, Any], options: dict[str, Any], path: str) -> Found:
    """Keys that do not exist, with the nearest that does."""
    found = []
    for key in value:
        if key not in options:
            near = difflib.get_close_matches(str(key), options, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            found.append(f"{path}.{key}: unknown key{hint} Allowed are: {', '.join(sorted(options))}")
    return found


def typed(value: Any, options: dict[str, Any], path: str) -> tuple[dict[str, Any], Found]:
    """The value with Ansible's types and defaults applied, and what does not fit."""
    if not isinstance(value, dict):
        return {}, [f"{path}: {value!r} must be a dictionary"]
    unknown = known(value, options, path)
    answer = ArgumentSpecValidator(options).validate({key: value[key] for key in value if key in options})
    return answer.validated_parameters, unknown + [f"{path}: {message}" for message in answer.error_messages]


def must_match(path: str, value: str | None, pattern: re.Pattern[str], allowed: str) -> Found:
    """One problem if the value is given and does not match."""
    if value is None or pattern.fullmatch(value):
        return []
    return [f"{path}: {value!r} is not allowed; allowed is {allowed}"]


def statements(path: str, given: list[Any]) -> Found:
    """IAM statements as users write them: complete enough not to be refused by AWS."""
    found = []
    for index, statement in enumerate(given):
        where = f"{path}[{index}]"
        if not isinstance(statement, dict):
            found.append(f"{where}: {statement!r} must be an IAM statement, a dictionary")
            continue
        if statement.get("Effect") not in ("Allow", "Deny"):
            found.append(f"{where}.Effect: {statement.get('Effect')!r} must be Allow or Deny")
        for one_of in (("Action", "NotAction"), ("Resource", "NotResource")):
            if not any(key in statement for key in one_of):
                found.append(f"{where}: one of {' and '.join(one_of)} is missing")
    return found


def check_settings(settings: dict[str, Any], regions: list[str]) -> Found:
    """What is wrong with the settings of the estate. `regions` are those that botocore knows."""
    path = "settings"
    found = must_match(f"{path}.name", settings["name"], NAME, NAME_ALLOWED)
    if settings["region"] not in regions:
        near = difflib.get_close_matches(settings["region"], regions, 3)
        hint = f"; near it are {', '.join(near)}" if near else ""
        found.append(
            f"{path}.region: {settings['region']!r} is no AWS region{hint}. Allowed is a name like eu-central-1"
        )
    for key in ("state_bucket", "artifact_bucket"):
        problem = bucket_name_problem(settings[key]) if settings[key] else None
        if problem:
            found.append(f"{path}.{key}: {problem}")
        if not settings[f"create_{key}"] and not settings[key]:
            found.append(f"{path}.{key}: must be given, because create_{key} is false")
    if settings["state_bucket"] and settings["state_bucket"] == settings["artifact_bucket"]:
        found.append(
            f"{path}.artifact_bucket: {settings['artifact_bucket']!r} is also the state bucket; they must differ"
        )
    if not settings["create_lock_table"] and not settings["lock_table"]:
        found.append(f"{path}.lock_table: must be given, because create_lock_table is false")
    if not settings["locking"]:
        found.append(f"{path}.locking: [] leaves the state without a lock; allowed are dynamodb, lockfile or both")
    found += must_match(
        f"{path}.kms_key_arn",
        settings["kms_key_arn"],
        KEY_ARN,
        "the full ARN of a key (an alias is not enough for Terraform's backend)",
    )
    if not settings["connection"] and not settings["connection_arn"]:
        found.append(
            f"{path}.connection: must be given: a name for the connection to the Git host "
            "(or connection_arn, if there is one already)"
        )
    if settings["connection"] and len(settings["connection"]) > 32:
        found.append(f"{path}.connection: {settings['connection']!r} is longer than 32 characters")
    return found + statements(f"{path}.state_bucket_policy_statements", settings["state_bucket_policy_statements"])


def check_stack(stack: dict[str, Any], path: str, prefix: str) -> Found:
    """What is wrong with one stack."""
    found = must_match(f"{path}.name", stack["name"], NAME, NAME_ALLOWED)
    room = ROLE_NAME_LIMIT - len(f"{prefix}-{LONGEST_SUFFIX}")
    if len(stack["name"]) > room:
        found.append(
            f"{path}.name: {stack['name']!r} has {len(stack['name'])} characters; "
            f"with the name {prefix!r} before it at most {room} are allowed"
        )
    found += must_match(f"{path}.repository", stack["repository"], REPOSITORY, "owner/name, as in acme/infrastructure")
    found += must_match(f"{path}.branch", stack["branch"], BRANCH, "a branch name as Git takes it")
    found += must_match(
        f"{path}.terraform_version", stack["terraform_version"], VERSION, "a full version such as 1.11.4"
    )
    if stack["path"].startswith("/") or ".." in stack["path"].split("/"):
        found.append(f"{path}.path: {stack['path']!r} must be a folder inside the repository, relative to its root")
    if not 5 <= stack["timeout_in_minutes"] <= 480:
        found.append(f"{path}.timeout_in_minutes: {stack['timeout_in_minutes']} is not between 5 and 480")
    for key in ("plan_role_arn", "apply_role_arn", "pipeline_role_arn", "assume_role_arn"):
        found += must_match(f"{path}.{key}", stack[key], ROLE_ARN, "a role's ARN, arn:aws:iam::<account>:role/<name>")
    for key, mode in (("assume_role_arn", "assume_role"), ("access_keys_csv", "parameter_store")):
        if stack[key] and stack["credentials"] != mode:
            found.append(f"{path}.{key}: is of no use, because credentials is {stack['credentials']}, not {mode}")
    if stack["credentials"] == "assume_role" and not stack["assume_role_arn"]:
        found.append(f"{path}.assume_role_arn: must be given, because credentials is assume_role")
    for key in ("access_key_id_parameter", "secret_access_key_parameter"):
        found += must_match(f"{path}.{key}", stack[key], PARAMETER, "a parameter's name such as /gitops/network/key")
    for name in stack["variables"]:
        found += must_match(f"{path}.variables", str(name), VARIABLE, "a Terraform variable's name as key")
    for key in ("plan_permissions", "apply_permissions"):
        found += statements(f"{path}.{key}", stack[key])
    return found


def fill_in(stack: dict[str, Any], prefix: str) -> None:
    """Defaults that depend on other values."""
    stack["path"] = stack["path"].strip("/") or "."
    stack["state_key"] = stack["state_key"] or f"{stack['name']}/terraform.tfstate"
    stack["image"] = stack["image"] or f"hashicorp/terraform:{stack['terraform_version']}"
    for option, parameter in (
        ("access_key_id_parameter", "AWS_ACCESS_KEY_ID"),
        ("secret_access_key_parameter", "AWS_SECRET_ACCESS_KEY"),
    ):
        stack[option] = stack[option] or f"/{prefix}/{stack['name']}/{parameter}"


def check(settings: Any, stacks: Any, regions: list[str]) -> tuple[dict[str, Any], list[dict[str, Any]], Found]:
    """The whole input.

    Args:
        settings: dictionary, as in SETTINGS.
        stacks: list of dictionaries, as in STACK.
        regions: the names of the regions that exist.

    Returns:
        settings and stacks with defaults filled in, and a list of problems, each with the key, the value and what is
        allowed. The first two are of use only when the list is empty.
    """
    complete, found = typed(settings, SETTINGS, "settings")
    if not found:
        found = check_settings(complete, regions)
    if not isinstance(stacks, list):
        return complete, [], [*found, f"stacks: {stacks!r} must be a list"]
    result = []
    for index, given in enumerate(stacks):
        path = path_of(index, given)
        stack, wrong = typed(given, STACK, path)
        if not wrong:
            wrong = check_stack(stack, path, complete.get("name", ""))
            fill_in(stack, complete.get("name", ""))
        found += wrong
        result.append(stack)
    return complete, result, list(dict.fromkeys(found + check_shared(result)))


def path_of(index: int, stack: Any) -> str:
    """Where a stack stands in the input, with its name to find it by."""
    name = stack.get("name") if isinstance(stack, dict) else None
    return f"stacks[{index}]" + (f" ({name})" if name else "")


def check_shared(stacks: list[dict[str, Any]]) -> Found:
    """Names and states that two stacks share."""
    found = []
    names: dict[str, int] = {}
    keys: dict[str, str] = {}
    for index, stack in enumerate(stacks):
        path, name, key = path_of(index, stack), stack.get("name"), stack.get("state_key")
        if name in names:
            found.append(f"{path}.name: {name!r} is also the name of stacks[{names[name]}]; names must differ")
        elif key in keys:
            found.append(
                f"{path}.state_key: {key!r} is also the state of stack {keys[key]}; two stacks must not share a state"
            )
        if name:
            names.setdefault(name, index)
        if name and key:
            keys.setdefault(key, name)
    return found


VARIABLES = ("gitops_parameters", "gitops_settings", "gitops_stacks")


def misspelt(variables: list[str]) -> Found:
    """Variables that begin like ours and are not: Ansible itself ignores an unknown variable silently."""
    found = []
    for name in sorted(variables):
        if name not in VARIABLES:
            near = difflib.get_close_matches(name, VARIABLES, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            found.append(f"{name}: unknown variable{hint} Allowed are: {', '.join(VARIABLES)}")
    return found
