# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The user's input: which settings and stacks there are, their defaults, and what is wrong with them."""

from __future__ import annotations

import difflib
import posixpath
import re
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate.between import (
    check_folders,
    check_order,
    check_shared,
    path_of,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.drift_settings import DRIFT, check_drift
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import (
    CODECOMMIT,
    CONNECTION,
    NO_STATES,
    S3,
    SOURCES,
    state_key,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.options import (
    EMAIL,
    KEY_ARN,
    must_match,
    region_problems,
    typed,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.pipelines import GIT_HOSTS, author_lines
from ansible_collections.gitops.aws.plugins.module_utils._estate.statements import Found, statement_problems
from ansible_collections.gitops.aws.plugins.module_utils._kinds.codebuild_project import COMPUTE_TYPES
from ansible_collections.gitops.aws.plugins.module_utils._kinds.log_group import RETENTION_DAYS
from ansible_collections.gitops.aws.plugins.module_utils._names import bucket_name_problem
from ansible_collections.gitops.aws.plugins.module_utils._notices.settings import (
    NOTIFICATIONS,
    STACK_NOTIFICATIONS,
    check_between,
    check_notifications,
    check_of_stack,
)

# By engine: the version that builds run unless told otherwise, the oldest that is supported, and the image. Terraform
# 1.11 is the first with the lock file as a full replacement of the table; OpenTofu writes it encrypted since 1.10.2.
ENGINES: dict[str, dict[str, Any]] = {
    "terraform": {"version": "1.11.4", "oldest": (1, 11, 0), "image": "hashicorp/terraform"},
    "opentofu": {"version": "1.10.6", "oldest": (1, 10, 2), "image": "ghcr.io/opentofu/opentofu"},
}
CHECKS = ["fmt", "validate", "tflint", "trivy", "checkov", "conftest"]

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
    "log_retention_in_days": {"type": "int", "choices": RETENTION_DAYS, "default": 365},
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
    "authors": {"type": "dict", "default": {}},
    "sealed": {"type": "bool", "default": True},
    "installers": {"type": "list", "elements": "str", "default": []},
    "state_readers": {"type": "list", "elements": "str", "default": []},
    "break_glass_role": {"type": "str"},
    "break_glass_principals": {"type": "list", "elements": "str", "default": []},
    "alarm_emails": {"type": "list", "elements": "str", "default": []},
    "drift": {"type": "dict"},  # see DRIFT; without it nothing looks for drift
    "notifications": {"type": "dict"},  # see NOTIFICATIONS; without it nobody is told
}

STACK: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "source": {"type": "str", "choices": list(SOURCES), "default": CONNECTION},
    "repository": {"type": "str"},  # needed, but for a source in S3
    "branch": {"type": "str"},
    "source_bucket": {"type": "str"},
    "source_key": {"type": "str"},
    "path": {"type": "str", "default": "."},
    "approval": {"type": "bool", "default": True},
    "approval_timeout_in_minutes": {"type": "int", "default": 10080},
    "trigger": {"type": "bool", "default": True},
    "trigger_paths": {"type": "list", "elements": "str", "default": []},
    "pull_requests": {"type": "bool", "default": False},
    "after": {"type": "list", "elements": "str", "default": []},
    "checks": {"type": "list", "elements": "str", "choices": CHECKS, "default": []},
    "policy_path": {"type": "str", "default": "policy"},
    "credentials": {"type": "str", "choices": ["role", "assume_role", "parameter_store"], "default": "role"},
    "access_keys_csv": {"type": "path"},
    "access_key_id_parameter": {"type": "str"},
    "secret_access_key_parameter": {"type": "str", "no_log": False},
    "assume_role_arn": {"type": "str"},
    "assume_role_external_id": {"type": "str"},
    "plan_assume_role_arn": {"type": "str"},
    "aws_region": {"type": "str"},
    "engine": {"type": "str", "choices": list(ENGINES), "default": "terraform"},
    "terraform_version": {"type": "str"},
    "image": {"type": "str"},
    "compute_type": {
        "type": "str",
        # The others take no Docker image of the user's, or need a fleet.
        "choices": [name for name in COMPUTE_TYPES if name.startswith("BUILD_GENERAL1_")],
        "default": "BUILD_GENERAL1_SMALL",
    },
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
    "notifications": {"type": "dict"},  # see STACK_NOTIFICATIONS
    "tags": {"type": "dict", "default": {}},
}

SELF_HOSTED = ("GitHubEnterpriseServer", "GitLabSelfManaged")

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
NAME_ALLOWED = "a-z, 0-9 and single hyphens, beginning with a letter"
ROLE_NAME_LIMIT = 64  # IAM's, and the tightest of all names made from a stack's
LONGEST_SUFFIX = "-pipeline"
BUCKET_NAME_LIMIT = 63
TIMEOUTS = {  # minutes: CodeBuild's bounds, and for an approval those of CodePipeline and of the saved plan's life
    "timeout_in_minutes": (5, 2160),
    "approval_timeout_in_minutes": (5, 10080),
}
BRANCH_DEFAULT = "main"
REPOSITORY = re.compile(r"[\w.-]+(/[\w.-]+)+", re.ASCII)
CODECOMMIT_REPOSITORY = re.compile(r"(?!.*\.git$)[\w.-]{1,100}", re.ASCII)
# What stands in the text of an approval, which has 1,000 characters, and in IAM, where * ? and $ mean something else.
SOURCE_KEY = re.compile(r"[\w.+=@-]+(/[\w.+=@-]+)*", re.ASCII)
SOURCE_KEY_LIMIT = 250
BRANCH = re.compile(r"(?![/-])(?!.*(//|\.\.|@\{|\\|/\.|\.lock(/|$)))[^\s~^:?*\[\x00-\x1f\x7f]{1,255}(?<![/.])")
PATH = re.compile(r"(?!/)(?!(.*/)?\.\.(/|$))[^*?\[\]{}\\|\x00-\x1f\x7f]{0,250}")
PATTERN = re.compile(r"(?![/:])(?!(.*/)?\.\.(/|$))[^\[\]{}\\|\x00-\x1f\x7f]{1,250}")
STATE_KEY = re.compile(r"[\w.+=@-]+(/[\w.+=@-]+)*", re.ASCII)
VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})(-[\w.]+)?", re.ASCII)
TABLE = re.compile(r"[\w.-]{3,255}", re.ASCII)
ROLE_ARN = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII)
# Who a Deny spares. The wildcard stands for the ids that AWS puts into the names of its own roles.
PRINCIPAL = re.compile(r"(arn:aws[\w-]*:iam::\d{12}:)?(role|user)/[\w+=,.@/*-]+", re.ASCII)
EVERYBODY = re.compile(r"(arn:aws[\w-]*:iam::\d{12}:)?(role|user)/[*/]+")
POLICY_ARN = re.compile(r"arn:aws[\w-]*:iam::(\d{12}|aws):policy/[\w+=,.@/-]+", re.ASCII)
CONNECTION_ARN = re.compile(
    r"arn:aws[\w-]*:(codeconnections|codestar-connections):[a-z0-9-]+:\d{12}:connection/[\w-]+", re.ASCII
)
# As commits have it, dependabot[bot]'s too, and who approves as CodePipeline shows it.
AUTHOR_EMAIL = re.compile(r"[!-;=?A-~]+@[\w.-]+", re.ASCII)
AUTHOR_PRINCIPAL = re.compile(
    r"root|user/([\w+=,.@*?-]+/)*[\w+=,.@*?-]+|(assumed-role/[\w+=,.@*?-]+|federated-user)/[\w+=,.@*?-]+", re.ASCII
)
VARIABLE_LIMIT = 4096  # CodeBuild's, of the characters of an environment variable
# Parameter Store keeps names that begin with aws or ssm for itself; a name with a slash must begin with one.
PARAMETER = re.compile(r"(?!/?(aws|ssm))((/[\w.-]+)+|[\w.-]+)", re.ASCII | re.IGNORECASE)
VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
TAG_KEY = re.compile(r"(?!aws:)[\w\s.:/=+@-]{1,128}", re.IGNORECASE)
TAG_VALUE = re.compile(r"[\w\s.:/=+@-]{0,256}")


def tag_problems(path: str, tags: dict[Any, Any]) -> Found:
    """Tags that AWS would refuse."""
    found = []
    for key, value in tags.items():
        found += must_match(
            path, str(key), TAG_KEY, "a key of up to 128 letters, digits and _ . : / = + - @, not aws:..."
        )
        if isinstance(value, (dict, list)) or value is None or not TAG_VALUE.fullmatch(str(value)):
            allowed = "up to 256 letters, digits, spaces and _ . : / = + - @"
            found.append(f"{path}.{key}: {value!r} is not allowed; allowed are {allowed}")
    return found


def author_problems(path: str, authors: dict[Any, Any]) -> Found:
    """E-mail addresses and principals that could never be what Git and AWS show, and too many of them."""
    found = []
    allowed = "user/<name> or assumed-role/<role>/<session>, with * and ? as wildcards, or a list of these"
    for email, value in authors.items():
        found += must_match(path, str(email), AUTHOR_EMAIL, "an e-mail address as key")
        principals = value if isinstance(value, list) else [value]
        if not principals or not all(isinstance(one, str) and AUTHOR_PRINCIPAL.fullmatch(one) for one in principals):
            found.append(f"{path}.{email}: {value!r} is not allowed; allowed is {allowed}")
    size = 0 if found else len(author_lines(authors))
    if size > VARIABLE_LIMIT:
        found.append(
            f"{path}: {len(authors)} addresses with their principals have {size} characters; at most {VARIABLE_LIMIT} "
            "are allowed, because a build takes them as an environment variable"
        )
    return found


def check_settings(settings: dict[str, Any], regions: list[str]) -> Found:
    """What is wrong with the settings of the estate. `regions` are those that botocore knows."""
    path = "settings"
    found = must_match(f"{path}.name", settings["name"], NAME, NAME_ALLOWED)
    if not (settings["state_bucket"] and settings["artifact_bucket"]):
        room = BUCKET_NAME_LIMIT - len(f"-111122223333-{settings['region']}-artifacts")
        if settings["region"] in regions and len(settings["name"]) > room:
            found.append(
                f"{path}.name: {settings['name']!r} has {len(settings['name'])} characters; at most {room} are "
                "allowed, because the names of the buckets are made of it (or name both buckets)"
            )
    found += region_problems(f"{path}.region", settings["region"], regions)
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
        settings["kms_key_arn"] or None,
        KEY_ARN,
        "the full ARN of a key (an alias is not enough for Terraform's backend)",
    )
    for key, pattern, allowed in (
        ("lock_table", TABLE, "3 to 255 of a-z A-Z 0-9 and . _ -"),
        (
            "connection_arn",
            CONNECTION_ARN,
            "a connection's ARN, arn:aws:codeconnections:<region>:<account>:connection/<id>",
        ),
        ("permissions_boundary", POLICY_ARN, "a managed policy's ARN, arn:aws:iam::<account>:policy/<name>"),
    ):
        found += must_match(f"{path}.{key}", settings[key] or None, pattern, allowed)
    if settings["kms_key_arn"] and KEY_ARN.fullmatch(settings["kms_key_arn"]):
        where = settings["kms_key_arn"].split(":")[3]
        if where != settings["region"]:
            found.append(f"{path}.kms_key_arn: the key is in {where}; it must be in {settings['region']}")
    if settings["connection_provider"] in SELF_HOSTED and not settings["connection_arn"]:
        found.append(
            f"{path}.connection_provider: {settings['connection_provider']!r} needs a host of your own; make the "
            "connection in the console and name it with connection_arn"
        )
    if settings["connection"] and len(settings["connection"]) > 32:
        found.append(
            f"{path}.connection: {settings['connection']!r} has more than 32 characters; at most 32 are allowed"
        )
    key = "state_bucket_policy_statements"
    found += seal_problems(path, settings)
    if settings["drift"] is not None:
        drift, wrong = typed(settings["drift"], DRIFT, f"{path}.drift")
        settings["drift"] = drift
        found += wrong or check_drift(drift, f"{path}.drift", settings, regions)
    if settings["notifications"] is not None:
        notifications, wrong = typed(settings["notifications"], NOTIFICATIONS, f"{path}.notifications")
        settings["notifications"] = notifications
        found += wrong or check_notifications(notifications, f"{path}.notifications", settings)
    return (
        found
        + tag_problems(f"{path}.tags", settings["tags"])
        + author_problems(f"{path}.authors", settings["authors"])
        + statement_problems(f"{path}.{key}", settings[key], of_resource=True)
    )


def seal_problems(path: str, settings: dict[str, Any]) -> Found:
    """What is wrong with those who may do what nobody else may."""
    allowed = "user/<name> or role/<name> of the account, or its ARN, such as role/platform"
    found = []
    for key in ("installers", "state_readers", "break_glass_principals"):
        for one in settings[key]:
            found += must_match(f"{path}.{key}", one, PRINCIPAL, allowed)
            if EVERYBODY.fullmatch(one):
                found.append(f"{path}.{key}: {one!r} is everybody; allowed is {allowed}")
    found += must_match(f"{path}.break_glass_role", settings["break_glass_role"] or None, PRINCIPAL, allowed)
    if any(mark in (settings["break_glass_role"] or "") for mark in ("*", "user/")):
        found.append(
            f"{path}.break_glass_role: {settings['break_glass_role']!r} must be one role, without *: role/<name>"
        )
    if settings["break_glass_role"] and settings["break_glass_principals"]:
        found.append(
            f"{path}.break_glass_principals: is of no use with break_glass_role, whose trust policy is not ours"
        )
    for email in settings["alarm_emails"]:
        found += must_match(f"{path}.alarm_emails", email, EMAIL, "an e-mail address")
    if settings["sealed"] and not settings["installers"]:
        found.append(
            f"{path}.installers: must be given, who runs site.yml, such as [role/platform]: nobody else will be able "
            "to change what it makes (aws sts get-caller-identity shows who you are; sealed: false leaves it open)"
        )
    return found


def connection_problems(settings: dict[str, Any], stacks: list[Any]) -> Found:
    """Whether a connection is needed that is not given: stacks, as they were given, whose code is in AWS need none."""
    of_aws = [stack for stack in stacks if isinstance(stack, dict) and stack.get("source") in (CODECOMMIT, S3)]
    if settings["connection"] or settings["connection_arn"] or (stacks and len(of_aws) == len(stacks)):
        return []
    wanted = "a name for the connection to the Git host (or connection_arn, if there is one already)"
    return [
        f"settings.connection: must be given, but where the source of every stack is {CODECOMMIT} or {S3}: {wanted}"
    ]


def source_problems(stack: dict[str, Any], path: str, settings: dict[str, Any]) -> Found:
    """What is wrong with where the code comes from, and what that source cannot give."""
    source, found = stack["source"], []
    not_of = {
        S3: ("repository", "branch", "trigger_paths", "after", "pull_requests"),
        CODECOMMIT: ("source_bucket", "source_key", "trigger_paths", "pull_requests"),
        CONNECTION: ("source_bucket", "source_key"),
    }
    why = {
        "after": "no version of an object says which stack comes first",
        "pull_requests": "CodeBuild listens to pull requests at Git hosts only",
        "trigger_paths": "EventBridge knows no paths, and every change starts the pipeline",
    }
    for key in not_of[source]:
        if stack[key]:
            found.append(f"{path}.{key}: is of no use with source {source}" + (f": {why[key]}" if key in why else ""))
    if source != S3:
        pattern, allowed = {
            CONNECTION: (REPOSITORY, "owner/name, as in acme/infrastructure"),
            CODECOMMIT: (CODECOMMIT_REPOSITORY, "the name of a repository in CodeCommit, without owner and .git"),
        }[source]
        return found + must_match(f"{path}.repository", stack["repository"], pattern, allowed)
    for key, allowed in (("source_bucket", "a bucket with versions"), ("source_key", "the key of a zip in it")):
        if not stack[key]:
            found.append(f"{path}.{key}: must be given, {allowed}")
    problem = bucket_name_problem(stack["source_bucket"]) if stack["source_bucket"] else None
    if problem:
        found.append(f"{path}.source_bucket: {problem}")
    # The account is not known here: of any.
    made = rf"{re.escape(settings.get('name', ''))}-\d{{12}}-{re.escape(settings.get('region', ''))}-(state|artifacts)"
    named = (settings.get("state_bucket"), settings.get("artifact_bucket"))
    bucket = stack["source_bucket"] or ""
    if bucket and (bucket in named or re.fullmatch(made, bucket, re.ASCII)):
        found.append(f"{path}.source_bucket: {stack['source_bucket']!r} is a bucket of the estate; they must differ")
    allowed = "a key such as network/source.zip, of a-z A-Z 0-9 and . _ - + = @, with single slashes inside"
    found += must_match(f"{path}.source_key", stack["source_key"] or None, SOURCE_KEY, allowed)
    if len(stack["source_key"] or "") > SOURCE_KEY_LIMIT:
        found.append(
            f"{path}.source_key: has {len(stack['source_key'])} characters; at most {SOURCE_KEY_LIMIT} are allowed"
        )
    if settings.get("authors"):
        found.append(
            f"{path}.source: {S3!r} is not allowed where settings.authors are: nobody can tell who wrote an object, so "
            f"that its author could approve it; allowed are {CONNECTION} and {CODECOMMIT}"
        )
    return found


def pull_request_problems(stack: dict[str, Any], path: str, settings: dict[str, Any]) -> Found:
    """Where pull requests cannot be planned, or their code, which nobody has looked at, would get too much."""
    found = []
    if settings.get("connection_provider", "GitHub") not in GIT_HOSTS:
        found.append(
            f"{path}.pull_requests: CodeBuild cannot listen to {settings['connection_provider']} there; allowed are "
            f"{', '.join(GIT_HOSTS)}"
        )
    if stack["credentials"] == "parameter_store":
        found.append(
            f"{path}.pull_requests: with credentials parameter_store a pull request's code could read the access key; "
            "allowed are role and assume_role"
        )
    if stack["credentials"] == "assume_role" and not stack["plan_assume_role_arn"]:
        found.append(
            f"{path}.plan_assume_role_arn: must be given, a role that only reads: a pull request's code must not "
            "act as assume_role_arn"
        )
    return found


def check_stack(stack: dict[str, Any], path: str, settings: dict[str, Any]) -> Found:
    """What is wrong with one stack, with settings that may be wrong themselves."""
    prefix = settings.get("name", "")
    found = must_match(f"{path}.name", stack["name"], NAME, NAME_ALLOWED)
    if stack["name"] == "drift" or stack["name"].endswith("-drift"):
        found.append(
            f"{path}.name: {stack['name']!r} is not allowed: drift, and what ends in -drift, are names of the "
            "pipelines that look for drift"
        )
    room = ROLE_NAME_LIMIT - len(f"{prefix}-{LONGEST_SUFFIX}")
    if len(stack["name"]) > room:
        found.append(
            f"{path}.name: {stack['name']!r} has {len(stack['name'])} characters; "
            f"with the name {prefix!r} before it at most {room} are allowed"
        )
    found += source_problems(stack, path, settings)
    found += must_match(f"{path}.branch", stack["branch"], BRANCH, "a branch name as Git takes it")
    allowed = "a folder inside the repository, relative to its root, without * ? [ ] { } | \\"
    for key in ("path", "policy_path"):
        found += must_match(f"{path}.{key}", stack[key], PATH, allowed)
    allowed = "a pattern of paths relative to the repository's root, such as modules/vpc/**; * and ** are wildcards"
    for pattern in stack["trigger_paths"]:
        found += must_match(f"{path}.trigger_paths", pattern, PATTERN, allowed)
    found += check_version(stack, path)
    for key, (least, most) in TIMEOUTS.items():
        if not least <= stack[key] <= most:
            found.append(f"{path}.{key}: {stack[key]} is not between {least} and {most}")
    allowed = (
        "an object's key such as network/terraform.tfstate, of a-z A-Z 0-9 and . _ - + = @, with single slashes inside"
    )
    found += must_match(f"{path}.state_key", stack["state_key"] or None, STATE_KEY, allowed)
    if (stack["state_key"] or "").startswith(NO_STATES):
        found.append(f"{path}.state_key: {stack['state_key']!r} is among what is no state: {', '.join(NO_STATES)}")
    if (stack["state_key"] or "").endswith((".tflock", ".errored")):
        found.append(f"{path}.state_key: {stack['state_key']!r} ends like a lock file, or a state that was saved aside")
    for key in ("plan_role_arn", "apply_role_arn", "pipeline_role_arn", "assume_role_arn", "plan_assume_role_arn"):
        found += must_match(
            f"{path}.{key}", stack[key] or None, ROLE_ARN, "a role's ARN, arn:aws:iam::<account>:role/<name>"
        )
    for key, mode in (
        ("assume_role_arn", "assume_role"),
        ("plan_assume_role_arn", "assume_role"),
        ("access_keys_csv", "parameter_store"),
    ):
        if stack[key] and stack["credentials"] != mode:
            found.append(f"{path}.{key}: is of no use, because credentials is {stack['credentials']}, not {mode}")
    if stack["pull_requests"] and stack["source"] == CONNECTION:
        found += pull_request_problems(stack, path, settings)
    if stack["notifications"] is not None:
        notifications, wrong = typed(stack["notifications"], STACK_NOTIFICATIONS, f"{path}.notifications")
        stack["notifications"] = notifications
        found += wrong or check_of_stack(notifications, f"{path}.notifications", settings)
    if stack["credentials"] == "assume_role" and not stack["assume_role_arn"]:
        found.append(f"{path}.assume_role_arn: must be given, because credentials is assume_role")
    for key in ("plan_managed_policies", "apply_managed_policies"):
        for arn in stack[key]:
            found += must_match(
                f"{path}.{key}", arn, POLICY_ARN, "a managed policy's ARN, arn:aws:iam::aws:policy/<name>"
            )
    for name in stack["variables"]:
        found += must_match(f"{path}.variables", str(name), VARIABLE, "a Terraform variable's name as key")
    found += tag_problems(f"{path}.tags", stack["tags"])
    for key in ("plan_permissions", "apply_permissions"):
        found += statement_problems(f"{path}.{key}", stack[key])
    if not found:
        # The apply role has both in one policy: their Sids must differ, too.
        key = "plan_permissions + apply_permissions"
        found = statement_problems(f"{path}.{key}", stack["plan_permissions"] + stack["apply_permissions"])
    return found


def check_version(stack: dict[str, Any], path: str) -> Found:
    """The version of Terraform or OpenTofu: a whole one, since the plan's must be the apply's, and not too old."""
    engine, given = ENGINES[stack["engine"]], stack["terraform_version"]
    version = VERSION.fullmatch(given or engine["version"])
    if version and tuple(int(part) for part in version.groups()[:3]) >= engine["oldest"]:
        return []
    oldest = ".".join(map(str, engine["oldest"]))
    allowed = f"a full version of {stack['engine']} such as {engine['version']}, {oldest} or newer"
    return [f"{path}.terraform_version: {given!r} is not allowed; allowed is {allowed}"]


def check_parameters(stack: dict[str, Any], path: str) -> Found:
    """The names of the parameters with the stack's access key, given or made of names."""
    if stack["credentials"] != "parameter_store":
        return []
    allowed = "a name such as key or /gitops/network/key that does not begin with aws or ssm"
    keys = ("access_key_id_parameter", "secret_access_key_parameter")
    found = [problem for key in keys for problem in must_match(f"{path}.{key}", stack[key], PARAMETER, allowed)]
    if stack[keys[0]] == stack[keys[1]]:
        found.append(f"{path}.{keys[1]}: {stack[keys[1]]!r} is also {keys[0]}; they must differ")
    return found


def fill_in(stack: dict[str, Any], prefix: str) -> None:
    """Defaults that depend on other values."""
    stack["path"] = posixpath.normpath(stack["path"] or ".")
    stack["repository"] = stack["repository"] or ""
    stack["branch"] = stack["branch"] or ("" if stack["source"] == S3 else BRANCH_DEFAULT)
    stack["state_key"] = state_key(stack)
    stack["policy_path"] = posixpath.normpath(stack["policy_path"] or ".")
    engine = ENGINES[stack["engine"]]
    stack["terraform_version"] = stack["terraform_version"] or engine["version"]
    stack["image"] = stack["image"] or f"{engine['image']}:{stack['terraform_version']}"
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
        if not wrong and stack["source"] != S3 and stack["repository"] is None:
            stack, wrong = {}, [f"{path}.repository: must be given, a text"]
        if not wrong:
            wrong = check_stack(stack, path, complete)
            if stack["aws_region"]:
                wrong += region_problems(f"{path}.aws_region", stack["aws_region"], regions)
            fill_in(stack, complete.get("name", ""))
            wrong += check_parameters(stack, path) if complete else []
        found += wrong
        result.append(stack)
    if complete:
        found += connection_problems(complete, stacks)
    found += check_shared(result) or check_folders(result, complete.get("name", ""))
    found = found or check_between(complete, result)
    return complete, result, list(dict.fromkeys(found + check_order(result)))


VARIABLES = ("gitops_notification_secrets", "gitops_parameters", "gitops_settings", "gitops_stacks")


def misspelt(variables: list[str]) -> Found:
    """Variables that begin like ours and are not: Ansible itself ignores an unknown variable silently."""
    found = []
    for name in sorted(variables):
        if name not in VARIABLES:
            near = difflib.get_close_matches(name, VARIABLES, 1)
            hint = f"; did you mean {near[0]}?" if near else "."
            found.append(f"{name}: unknown variable{hint} Allowed are: {', '.join(VARIABLES)}")
    return found
