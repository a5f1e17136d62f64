# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What a stack's resources are called. The only place where a name is put together."""

from __future__ import annotations

from typing import Any

Stack = dict[str, Any]
Foundation = dict[str, Any]

STACK_TAG = "gitops:stack"  # of what belongs to one stack
OWNER_TAG = "gitops:estate"  # of every foundation, and of what is made for its stacks' pipelines
PROTECT_TAG = "gitops:protect"  # of what is never a finding
ARTIFACT_FOLDER = 20  # characters of a pipeline's name that CodePipeline keeps in the keys of its artifacts
CONNECTION_SERVICES = ("codeconnections", "codestar-connections")  # each name acts on ARNs of its own
MADE = ("state_bucket", "artifact_bucket", "lock_table")  # each may exist and be named instead of made
PURPOSES = ("plan", "apply", "pipeline")  # of a stack's roles
ALL_PURPOSES = (*PURPOSES, "review")  # where it plans pull requests
DRIFT_PREFIX = "gitops-drift/"  # of the keys in the state bucket that are no states: ledger, reports and plans
DRIFT_SOURCE = f"{DRIFT_PREFIX}source/source.zip"  # what the pipeline runs; only installers write it
KNOWN_PREFIX = "gitops-known/"  # of the keys in the state bucket under which is what installers have seen
NO_STATES = (DRIFT_PREFIX, KNOWN_PREFIX)
CONNECTION, CODECOMMIT, S3 = "connection", "codecommit", "s3"  # where the code of a stack comes from
SOURCES = (CONNECTION, CODECOMMIT, S3)


def foundation_of(settings: dict[str, Any], account_id: str, partition: str) -> Foundation:
    """What the stacks share, by name: the names that the user gave, and ours where none was given.

    Args:
        settings: name, region, tags, locking, and what may be empty or missing: state_bucket, artifact_bucket,
            lock_table, kms_key_arn, and of the seal: sealed, installers, state_readers, break_glass_role,
            break_glass_principals, permissions_boundary, connection_arn; and drift and notifications as
            gitops.aws.estate returns them.
        account_id: the account's number.
        partition: aws, aws-cn or aws-us-gov.
    """
    name, region = settings["name"], settings["region"]
    iam = f"arn:{partition}:iam::{account_id}"
    return {
        "name": name,
        "region": region,
        "partition": partition,
        "account_id": account_id,
        "tags": settings.get("tags") or {},
        "locking": settings["locking"],
        "state_bucket": state_bucket(settings, account_id),
        "artifact_bucket": settings.get("artifact_bucket") or f"{name}-{account_id}-{region}-artifacts",
        "lock_table": settings.get("lock_table") or f"{name}-lock",
        "kms_key_arn": settings.get("kms_key_arn") or "",
        "log_group": f"/{name}/builds",
        "existing": [part for part in MADE if settings.get(f"create_{part}") is False],
        "sealed": bool(settings.get("sealed")),
        "installers": principals(iam, settings.get("installers")),
        "state_readers": principals(iam, settings.get("state_readers")),
        "break_glass_principals": principals(iam, settings.get("break_glass_principals")),
        "break_glass_role_arn": principals(iam, [settings.get("break_glass_role") or f"role/{name}-break-glass"])[0],
        "make_break_glass_role": bool(settings.get("sealed")) and not settings.get("break_glass_role"),
        "permissions_boundary": settings.get("permissions_boundary") or "",
        "named_key_arn": settings.get("kms_key_arn") or "",
        "named_connection_arn": settings.get("connection_arn") or "",
        "drift": settings.get("drift") or None,
        "notifications": settings.get("notifications") or None,
    }


def state_bucket(settings: dict[str, Any], account_id: str) -> str:
    """The bucket with the states: the one that the user named, or ours, by the settings' name and region."""
    return settings.get("state_bucket") or f"{settings['name']}-{account_id}-{settings['region']}-state"


def state_key(stack: dict[str, Any]) -> str:
    """Where a stack's state is in the bucket: at the key that the user gave, or at ours."""
    return stack.get("state_key") or f"{stack['name']}/terraform.tfstate"


def principals(iam: str, given: list[str] | None) -> list[str]:
    """Users and roles as ARNs: an ARN stays, `user/alice` and `role/platform` are of the account.

    Args:
        iam: the beginning of the account's IAM ARNs, such as arn:aws:iam::111122223333.
        given: the principals; `*` may stand in them.
    """
    return [one if one.startswith("arn:") else f"{iam}:{one}" for one in given or []]


def known_pipelines(foundation: Foundation, read_all: bool | None = None) -> dict[str, Any]:
    """Where it is kept which versions of pipelines are known, as gitops.aws.resources takes it.

    Args:
        foundation: the estate's.
        read_all: whether to read every pipeline all the same.
    """
    return {
        "bucket": foundation["state_bucket"],
        "key": f"{KNOWN_PREFIX}{foundation['name']}-{foundation['account_id']}-{foundation['region']}-pipelines.json",
        "kms_key_id": foundation["kms_key_arn"],
        "read_all": bool(read_all),
    }


def owner_tags(foundation: Foundation) -> dict[str, str]:
    """The tags that mark a resource as made for this estate. Without them nothing is changed or deleted."""
    return {OWNER_TAG: foundation["name"]}


def stack_tags(foundation: Foundation, stack: Stack) -> dict[str, str]:
    """The tags of what belongs to a stack."""
    return {**foundation["tags"], **stack["tags"], STACK_TAG: stack["name"]}


def project(foundation: Foundation, stack: Stack, step: str) -> str:
    """The build project of a step: plan, apply, destroy or review."""
    return f"{foundation['name']}-{stack['name']}-{step}"


def pipeline(foundation: Foundation, stack: Stack) -> str:
    """The pipeline that plans and applies."""
    return f"{foundation['name']}-{stack['name']}"


def destroy_pipeline(foundation: Foundation, stack: Stack) -> str:
    """The pipeline that destroys what the stack built."""
    return f"{foundation['name']}-{stack['name']}-destroy"


def drift_pipeline(foundation: Foundation, stack: Stack) -> str:
    """The pipeline that looks whether what the stack built has changed."""
    return f"{foundation['name']}-{stack['name']}-drift"


def central(foundation: Foundation, part: str = "") -> str:
    """What looks for drift in the whole account: the pipeline, or its part.

    Parts are `scan` and `act`, a build project and its role, and the roles `pipeline` and `schedule`.
    """
    return f"{foundation['name']}-drift" + (f"-{part}" if part else "")


def deploying_pipelines(foundation: Foundation, stack: Stack) -> list[str]:
    """The pipelines of a stack that change something: the one that applies and the one that destroys."""
    return [pipeline(foundation, stack), destroy_pipeline(foundation, stack)]


def pipelines(foundation: Foundation, stack: Stack) -> list[str]:
    """All pipelines of a stack."""
    looking = [drift_pipeline(foundation, stack)] if foundation.get("drift") else []
    return deploying_pipelines(foundation, stack) + looking


def artifact_folders(called: list[str]) -> list[str]:
    """Where CodePipeline keeps the artifacts of pipelines in their bucket: it shortens the names."""
    return list(dict.fromkeys(name[:ARTIFACT_FOLDER] for name in called))


def predecessors(stack: Stack, stacks: list[Stack]) -> list[Stack]:
    """The stacks that a stack comes after."""
    return [other for other in stacks if other["name"] in stack["after"]] if stack["after"] else []


def paths(stack: Stack) -> list[str]:
    """The paths whose change matters to the stack, as patterns; empty where every change does."""
    return [] if stack["path"] == "." else [f"{stack['path']}/**", *stack["trigger_paths"]]


def trigger_paths(stack: Stack) -> list[str]:
    """The paths whose change deploys the stack, as patterns; empty where every change does.

    EventBridge, which tells of what is in AWS itself, knows no paths.
    """
    return paths(stack) if stack["source"] == CONNECTION else []


def source(foundation: Foundation, stack: Stack) -> str:
    """The EventBridge rule that hears of new code in AWS itself, and the role with which it starts the pipeline."""
    return f"{foundation['name']}-{stack['name']}-source"


def has_rule(stack: Stack) -> bool:
    """Whether a rule starts the stack's pipeline. Of a connection, CodePipeline itself hears of pushes."""
    return stack["source"] != CONNECTION and bool(stack["trigger"])


def source_of(stack: Stack) -> str:
    """Where the stack's code is, for people."""
    return f"s3://{stack['source_bucket']}/{stack['source_key']}" if stack["source"] == S3 else str(stack["repository"])


def repositories(foundation: Foundation, stacks: list[Stack]) -> list[str]:
    """The ARNs of the repositories in CodeCommit where the stacks' code is."""
    return sorted(
        {arn(foundation, "codecommit", one["repository"]) for one in stacks if one.get("source") == CODECOMMIT}
    )


def source_buckets(foundation: Foundation, stacks: list[Stack]) -> list[str]:
    """The ARNs of the buckets where the stacks' code is, as objects in S3."""
    return sorted({bucket_arn(foundation, one["source_bucket"]) for one in stacks if one.get("source") == S3})


def role(foundation: Foundation, stack: Stack, purpose: str) -> str:
    """The role for a purpose: plan, apply, pipeline or review."""
    return f"{foundation['name']}-{stack['name']}-{purpose}"


def role_arn(foundation: Foundation, stack: Stack, purpose: str) -> str:
    """The ARN of that role; the user's own where one is named."""
    return stack.get(f"{purpose}_role_arn") or arn(foundation, "iam", f"role/{role(foundation, stack, purpose)}", "")


def everybody(foundation: Foundation) -> list[str]:
    """The ARNs of all users and roles that the settings name."""
    groups = ("installers", "state_readers", "break_glass_principals")
    return sorted({foundation["break_glass_role_arn"], *(one for group in groups for one in foundation[group])})


def named_roles(stacks: list[Stack], purposes: tuple[str, ...] = PURPOSES) -> list[str]:
    """The ARNs of the roles that stacks name for these purposes, instead of having them made."""
    keys = [f"{purpose}_role_arn" for purpose in purposes]
    return sorted({stack[key] for stack in stacks for key in keys if stack.get(key)})


def arn(foundation: Foundation, service: str, resource: str, region: str | None = None) -> str:
    """An ARN in the foundation's account; in its region unless another, or '' for global services, is given."""
    where = foundation["region"] if region is None else region
    return f"arn:{foundation['partition']}:{service}:{where}:{foundation['account_id']}:{resource}"


def policy_arn(foundation: Foundation, purpose: str) -> str:
    """The managed policy for a purpose: seal or boundary."""
    return arn(foundation, "iam", f"policy/{foundation['name']}-{purpose}", "")


def buckets(foundation: Foundation) -> list[str]:
    """The ARNs of the state bucket and the artifact bucket, in this order."""
    return [bucket_arn(foundation, foundation[f"{kind}_bucket"]) for kind in ("state", "artifact")]


def keys(foundation: Foundation) -> list[str]:
    """The key that the user names, or every key: then the condition is needed that it carries of_estate()."""
    return [foundation["named_key_arn"] or arn(foundation, "kms", "key/*")]


def connections(foundation: Foundation) -> list[str]:
    """Connections of any id, by either of their services' names."""
    return [arn(foundation, service, "connection/*") for service in CONNECTION_SERVICES]


def of_estate(foundation: Foundation) -> dict[str, str]:
    """The condition key, and its value, that a resource carries the tag of this estate."""
    return {f"aws:ResourceTag/{OWNER_TAG}": foundation["name"]}


def bucket_arn(foundation: Foundation, bucket: str) -> str:
    """A bucket's ARN."""
    return f"arn:{foundation['partition']}:s3:::{bucket}"
