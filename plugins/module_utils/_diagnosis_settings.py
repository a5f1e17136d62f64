# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Settings that make a run fail, beside the roles': what is missing, keys, buckets, parameters, connections, locks.
Pure."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_findings import (
    NOT_YET,
    SITE,
    Facts,
    Finding,
    role_name,
)
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_policies import (
    DENIED,
    MISSING,
    judge_resource,
    texts,
)
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_roles import Used, known_of, needs

CONNECTION_ACTION = "CodeStarSourceConnection"
AWS_S3_KEY = "alias/aws/s3"  # what encrypts where no key is named; everybody in the account may use it through S3
PAGE = "https://{region}.console.aws.amazon.com/codesuite/settings/{account}/{region}/connections/{id}"


def store(pipeline: dict[str, Any], region: str) -> dict[str, Any]:
    """The artifact store of a pipeline in its own region: location and maybe encryptionKey."""
    stores = pipeline.get("artifactStores")
    return (stores or {}).get(region, {}) if stores else pipeline.get("artifactStore", {})


def connections_of(pipeline: dict[str, Any]) -> list[str]:
    """The ARNs of the connections that a pipeline takes its sources from."""
    return [
        action["configuration"]["ConnectionArn"]
        for stage in pipeline["stages"]
        for action in stage["actions"]
        if action["actionTypeId"]["provider"] == CONNECTION_ACTION
    ]


def used_by(stack: dict[str, Any], foundation: dict[str, Any], facts: Facts) -> Used:
    """The bucket and the keys that a stack uses, as the settings have them and as AWS has them."""
    bucket_arn = f"arn:{foundation['partition']}:s3:::"
    pipelines = [facts.pipelines[name] for name in stack["pipelines"] if facts.pipelines.get(name)]
    stores = [store(pipeline, foundation["region"]) for pipeline in pipelines]
    buckets = {one["location"] for one in stores if one.get("location")} or {foundation["artifact_bucket"]}
    keys = {key for _what, key in keys_of(stack, foundation, facts)}
    keys |= {facts.parameters[name]["key_id"] for name in stack["parameters"] if facts.parameters.get(name)}
    arns = {facts.key_arn(key) for key in keys if key and AWS_S3_KEY not in key and "alias/aws/ssm" not in key}
    return Used(
        bucket_arn + foundation["artifact_bucket"],
        {bucket_arn + bucket for bucket in buckets},
        foundation["kms_key_arn"],
        {foundation["kms_key_arn"], *arns},
    )


def keys_of(stack: dict[str, Any], foundation: dict[str, Any], facts: Facts) -> list[tuple[str, str]]:
    """What encrypts artifacts of a stack with which key: (what, key), '' where no key is named."""
    found = []
    for name in stack["pipelines"]:
        pipeline = facts.pipelines.get(name)
        if pipeline:
            found.append(
                (f"pipeline {name}", store(pipeline, foundation["region"]).get("encryptionKey", {}).get("id", ""))
            )
    for project in stack["projects"]:
        if facts.projects.get(project["name"]) and project["purpose"] != "review":
            found.append((f"build project {project['name']}", facts.projects[project["name"]].get("encryptionKey", "")))
    bucket = facts.buckets.get(foundation["artifact_bucket"])
    if bucket:
        found.append((f"bucket {foundation['artifact_bucket']}", bucket["encryption_key"]))
    return found


def of_estate(foundation: dict[str, Any], facts: Facts) -> list[Finding]:
    """What is wrong with what all stacks share."""
    found = []

    def missing(kind: str, name: str) -> None:
        cause = f"The {kind.replace('-', ' ')} {name} does not exist."
        found.append(Finding(f"{kind}-missing", "", name, cause, "AWS knows none of this name", SITE))

    for bucket, read in facts.buckets.items():
        if read is None:
            missing("bucket", bucket)
    if facts.no_lock_table:
        missing("lock-table", foundation["lock_table"])
    if "log groups" not in facts.unread and foundation["log_group"] not in facts.log_groups:
        missing("log-group", foundation["log_group"])
    if NOT_YET in foundation["kms_key_arn"]:
        missing("key", f"alias/{foundation['name']}")
    for called, key in facts.keys.items():
        if key is None:
            missing("key", called)
        elif key["state"] != "Enabled":
            fix = f"aws kms cancel-key-deletion --key-id {key['arn']} && aws kms enable-key --key-id {key['arn']}"
            cause = f"The key {called} cannot be used, for it is {key['state']}."
            fix = fix if key["state"] == "PendingDeletion" else fix.rpartition("&& ")[2]
            found.append(Finding("key-unusable", "", key["arn"], cause, f"KeyState: {key['state']}", fix))
    if NOT_YET in foundation["connection_arn"]:
        missing("connection", "of gitops_settings")
    found += [
        _connection(arn, one) for arn, one in facts.connections.items() if not one or one["status"] != "AVAILABLE"
    ]
    return found


def _connection(arn: str, connection: dict[str, Any] | None) -> Finding:
    if connection is None:
        cause = "The connection to the Git host, from which pipelines take their source, is gone."
        return Finding("connection-missing", "", arn, cause, "GetConnection: ResourceNotFoundException", SITE)
    status, name = connection["status"], connection["name"]
    _arn, _partition, _service, region, account, resource = arn.split(":", 5)
    page = PAGE.format(region=region, account=account, id=resource.split("/")[-1])
    if status == "PENDING":
        cause = f"Nobody has completed the connection {name} yet, so that no pipeline can fetch code."
        return Finding("connection-pending", "", arn, cause, f"ConnectionStatus: {status}", f"Complete it at {page}")
    cause = f"The connection {name} does not work any more: the Git host may have taken back its permission."
    fix = f"Look at the app's installation at the Git host, then update the connection at {page}"
    return Finding("connection-error", "", arn, cause, f"ConnectionStatus: {status}", fix)


def of_stack(stack: dict[str, Any], foundation: dict[str, Any], facts: Facts) -> list[Finding]:
    """What is wrong with a stack's projects, pipelines, keys, parameters, and with its bucket."""
    used = used_by(stack, foundation, facts)
    return [
        *_missing(stack, facts),
        *_other_roles(stack, facts),
        *_keys_differ(stack, foundation, facts),
        *_key_policies(stack, used, facts),
        *_bucket_policy(stack, foundation, used, facts),
        *_parameters(stack, facts),
    ]


def _missing(stack: dict[str, Any], facts: Facts) -> list[Finding]:
    wanted = [("pipeline", name, facts.pipelines) for name in stack["pipelines"]]
    wanted += [("project", project["name"], facts.projects) for project in stack["projects"]]
    return [
        Finding(f"{kind}-missing", stack["name"], name, f"The {kind} {name} does not exist.", "AWS knows none", SITE)
        for kind, name, there in wanted
        if name in there and there[name] is None
    ]


def _other_roles(stack: dict[str, Any], facts: Facts) -> list[Finding]:
    arns = {role["purpose"]: role["arn"] for role in stack["roles"]}
    wanted = [(name, (facts.pipelines.get(name) or {}).get("roleArn"), arns["pipeline"]) for name in stack["pipelines"]]
    for project in stack["projects"]:
        actual = (facts.projects.get(project["name"]) or {}).get("serviceRole")
        wanted.append((project["name"], actual, arns[project["purpose"]]))
    return [
        Finding(
            "other-role",
            stack["name"],
            name,
            f"{name} acts as another role than the one that has its permissions.",
            f"read: {actual}. The settings say {expected}",
            SITE,
        )
        for name, actual, expected in wanted
        if actual and actual != expected
    ]


def _keys_differ(stack: dict[str, Any], foundation: dict[str, Any], facts: Facts) -> list[Finding]:
    expected = foundation["kms_key_arn"]
    if NOT_YET in expected:
        return []
    every = keys_of(stack, foundation, facts)
    other = [what for what, key in every if facts.key_arn(key) != expected]
    if not other:
        return []
    cause = f"{' and '.join(other)} encrypts with another key than {expected}, with which the others do."
    evidence = "; ".join(f"{what}: {key or 'no key is named'}" for what, key in every)
    return [Finding("encryption-key-mismatch", stack["name"], other[0].split()[-1], cause, evidence, SITE)]


def _key_policies(stack: dict[str, Any], used: Used, facts: Facts) -> list[Finding]:
    keys = {key["arn"]: key for key in facts.keys.values() if key}
    found = []
    for role in stack["roles"]:
        actions: dict[str, list[str]] = {}
        for _policy, _sid, statement, resources in needs(role, used):
            for resource in resources:
                if resource in keys:
                    actions.setdefault(resource, []).extend(texts(statement["Action"]))
        for arn, wanted in actions.items():
            found += _key_policy(stack, role, keys[arn], [action for action in wanted if action.startswith("kms:")])
    return found


def _key_policy(stack: dict[str, Any], role: dict[str, Any], key: dict[str, Any], wanted: list[str]) -> list[Finding]:
    arn, name, known = role["arn"], role_name(role["arn"]), known_of(role["arn"])
    verdicts = {action: judge_resource(key["policy"], arn, action, key["arn"], known) for action in wanted}
    bad = {action: verdict for action, verdict in verdicts.items() if verdict.word in (MISSING, DENIED)}
    if not bad:
        return []
    denying = [verdict.where for verdict in bad.values() if verdict.word == DENIED]
    root = f"arn:{arn.split(':')[1]}:iam::{arn.split(':')[4]}:root"
    if denying:
        cause = f"The key's policy denies {', '.join(bad)} to the role {name} ({denying[0]})."
        fix = f"Take the role out of this statement of the policy of {key['arn']} (aws kms put-key-policy)"
    else:
        cause = f"The key's policy allows {', '.join(bad)} neither to the role {name} nor to the account."
        fix = (
            f'Add to the policy of {key["arn"]} (aws kms put-key-policy): {{"Effect": "Allow", "Principal": '
            f'{{"AWS": "{root}"}}, "Action": "kms:*", "Resource": "*"}}, or the role {arn} with these actions'
        )
    evidence = f"read in KMS, policy default of {key['arn']}"
    return [
        Finding("kms-key-policy", stack["name"], key["arn"], cause, evidence, fix, {(name, action) for action in bad})
    ]


def _bucket_policy(stack: dict[str, Any], foundation: dict[str, Any], used: Used, facts: Facts) -> list[Finding]:
    found = []
    for bucket in ("artifact_bucket", "state_bucket"):
        name = foundation[bucket]
        read, arn = facts.buckets.get(name), f"arn:{foundation['partition']}:s3:::{name}"
        if not read or not read["policy"]:
            continue
        for role in stack["roles"]:
            known, denied = known_of(role["arn"]), {}
            for _policy, _sid, statement, resources in needs(role, used):
                for resource in [one for one in resources if one == arn or one.startswith(f"{arn}/")]:
                    for action in texts(statement["Action"]):
                        verdict = judge_resource(read["policy"], role["arn"], action, resource, known)
                        if verdict.word == DENIED:
                            denied[action] = verdict.where
            if denied:
                where = ", ".join(sorted(set(denied.values())))
                actor = role_name(role["arn"])
                cause = f"The policy of the bucket {name} denies {', '.join(denied)} to the role {actor} ({where})."
                fix = f"Take the statement out of the bucket's policy, or spare the role in it. {SITE} puts back ours"
                refused = {(actor, action) for action in denied}
                evidence = "read in S3, the bucket's policy"
                found.append(Finding("bucket-policy", stack["name"], name, cause, evidence, fix, refused))
    return found


def _parameters(stack: dict[str, Any], facts: Facts) -> list[Finding]:
    return [
        parameter_missing(stack["name"], name, "DescribeParameters does not list it")
        for name in stack["parameters"]
        if name in facts.parameters and facts.parameters[name] is None
    ]


def parameter_missing(stack: str, name: str, evidence: str) -> Finding:
    """A parameter that a build wants does not exist."""
    fix = f"Set access_keys_csv of the stack and run {SITE}; or aws ssm put-parameter --type SecureString --name {name}"
    cause = f"The parameter {name}, from which the builds take their access key, does not exist."
    return Finding("ssm-parameter-missing", stack, name, cause, evidence, fix)


def of_locks(stack: dict[str, Any], facts: Facts, also_running: bool) -> list[Finding]:
    """Locks on the stack's state. One that a build holds while it runs is no fault, unless somebody asks."""
    found = []
    for lock in facts.locks:
        if lock["key"] != stack["state"]["key"] or (lock["state"] == "running" and not also_running):
            continue
        builds = ", ".join(build["id"] for build in lock["builds"]) or "no build of ours"
        look = f"ansible-playbook gitops.aws.unlock -e @your.yml -e stack={stack['name']}"
        fix = {
            "running": "Wait for the end of the build, or stop it",
            "stale": f"Release it: {look}",
            "foreign": f"Ask who holds it, then: {look} -e lock_id={lock['id']}",
        }[lock["state"]]
        cause = (
            f"The state {lock['key']} is locked by {lock['who'] or 'somebody'} ({builds}) since "
            f"{lock['created'] or 'some time'}, and Terraform runs under the lock only."
        )
        evidence = f"lock {lock['id']} for {lock['operation']} in {' and '.join(lock['kinds'])}: {lock['reason']}"
        found.append(Finding("state-locked", stack["name"], lock["key"], cause, evidence, fix))
    return found
