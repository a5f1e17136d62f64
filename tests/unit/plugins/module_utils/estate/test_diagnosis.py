# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Findings about settings and runs, over facts as AWS would give them: a healthy estate, and one fault at a time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._diagnosis import diagnose
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_findings import IDS, NOT_YET, Facts, short
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_runs import last_words
from ansible_collections.gitops.aws.plugins.module_utils._estate.observers import stack_expectations
from tests.unit.plugins.module_utils.estate.conftest import ACCOUNT, CONNECTION, KEY, REGION, ROOT

Make = Callable[..., dict[str, Any]]

OWN = f"arn:aws:iam::{ACCOUNT}:role/my-own"
SITE = "ansible-playbook gitops.aws.site -e @your.yml"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/{{}}/x"


class Estate:
    """What is expected of one stack, and facts to be spoilt."""

    def __init__(self, stack: dict[str, Any], shared: dict[str, Any]) -> None:
        self.shared = shared
        self.expected = stack_expectations([stack], shared)
        self.facts = healthy(self.expected, shared)

    def role(self, purpose: str) -> dict[str, Any]:
        found: dict[str, Any] = next(role for role in self.facts.roles.values() if role["RoleName"].endswith(purpose))
        return found

    def policy(self, purpose: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(p for p in self.role(purpose)["RolePolicyList"] if p["PolicyName"] == name)
        return found

    def findings(self, closer: bool = False) -> list[dict[str, str]]:
        return [finding.public() for finding in diagnose(self.expected, self.shared, self.facts, closer)]

    def only(self, closer: bool = False) -> dict[str, str]:
        (finding,) = self.findings(closer)
        return finding

    def failed(self, message: str = "", log: list[str] | None = None, **build: Any) -> None:
        """An execution whose action Plan failed; with a build, where a log or something of a build is given."""
        builds = {}
        if log is not None or build:
            builds["p:1"] = {
                "id": "p:1",
                "project": "gitops-network-plan",
                "status": "FAILED",
                "current_phase": "COMPLETED",
                "phases": [],
                "logs": {"url": "https://log", "stream": "s"},
                "image": "acme/tools:1",
                "role": f"arn:aws:iam::{ACCOUNT}:role/gitops-network-plan",
                "log": log or [],
                **build,
            }
        action = {
            "stage": "Deploy",
            "name": "Plan",
            "status": "Failed",
            "message": message,
            "build_id": "p:1" if builds else "",
            "project": "gitops-network-plan",
            "ended": "2026-11-20T12:00:00+00:00",
        }
        self.facts.runs = [
            {
                "stack": "network",
                "pipeline": "gitops-network",
                "id": "e-1",
                "status": "Failed",
                "actions": [action],
                "builds": builds,
                "others": {},
            }
        ]


def healthy(expected: list[dict[str, Any]], shared: dict[str, Any]) -> Facts:
    """Facts of an estate as it is expected."""
    facts = Facts(
        connections={CONNECTION: {"name": "github", "status": "AVAILABLE"}},
        buckets={shared[part]: {"encryption_key": KEY, "policy": {}} for part in ("artifact_bucket", "state_bucket")},
        keys={KEY: {"arn": KEY, "state": "Enabled", "policy": account_decides()}},
        log_groups={shared["log_group"]},
    )
    for stack in copy.deepcopy(expected):
        for role in stack["roles"]:
            name = role["arn"].rpartition("/")[2]
            facts.roles[name] = {
                "RoleName": name,
                "AssumeRolePolicyDocument": role["assume_role_policy"],
                "RolePolicyList": [
                    {"PolicyName": policy, "PolicyDocument": document}
                    for policy, document in role["inline_policies"].items()
                ],
                "AttachedManagedPolicies": [{"PolicyArn": arn} for arn in role["managed_policies"]],
            }
            facts.policies.update({arn: {"Statement": []} for arn in role["managed_policies"]})
        arns = {role["purpose"]: role["arn"] for role in stack["roles"]}
        for project in stack["projects"]:
            facts.projects[project["name"]] = {"encryptionKey": KEY, "serviceRole": arns[project["purpose"]]}
        for pipeline in stack["pipelines"]:
            store = {"location": shared["artifact_bucket"], "encryptionKey": {"id": KEY}}
            facts.pipelines[pipeline] = {"roleArn": arns["pipeline"], "artifactStore": store, "stages": []}
        facts.parameters.update({name: {"type": "SecureString", "key_id": KEY} for name in stack["parameters"]})
    return facts


def account_decides() -> dict[str, Any]:
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    return {"Statement": [{"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}]}


@pytest.fixture
def estate(stack: Make, foundation: Make) -> Callable[..., Estate]:
    def make(**values: Any) -> Estate:
        return Estate(stack(**values), foundation())

    return make


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"pull_requests": True},
        {"credentials": "parameter_store"},
        {"plan_managed_policies": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]},
        {"plan_role_arn": f"{OWN}-plan", "pipeline_role_arn": f"{OWN}-pipeline"},
    ],
)
def test_healthy(estate: Callable[..., Estate], values: dict[str, Any]) -> None:
    assert estate(**values).findings() == []


# Settings


def test_the_guide_s_first_error_with_a_role_of_one_s_own(estate: Callable[..., Estate]) -> None:
    sick = estate(plan_role_arn=OWN)
    document = sick.policy("my-own", "build")["PolicyDocument"]
    bucket = next(each for each in document["Statement"] if each["Sid"] == "ArtifactBucket")
    bucket["Resource"] = ["arn:aws:s3:::codepipeline-eu-central-1-1"]

    finding = sick.only()
    assert (finding["id"], finding["resource"]) == ("artifact-bucket-access", OWN)
    assert "s3:GetBucketVersioning" in finding["cause"]
    assert finding["fix"].startswith("Add to a policy of the role my-own, which is your own: {")
    assert f'"arn:aws:s3:::{sick.shared["artifact_bucket"]}"' in finding["fix"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Action": "ssm:GetParameter"}, "ssm:GetParameters, the plural"),
        ({"Resource": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter//gitops/network/*"}, "the right form is"),
        ({"Resource": f"arn:aws:ssm:{REGION}:{ACCOUNT}:parametergitops/network/*"}, "the right form is"),
        ({"Resource": "arn:aws:ssm:::parameter/gitops/network/*"}, "the right form is"),
        ({"Resource": "arn:aws:ssm:us-east-1:1:parameter/another"}, "none of its policies"),
    ],
)
def test_the_guide_s_second_error(estate: Callable[..., Estate], change: dict[str, Any], words: str) -> None:
    sick = estate(credentials="parameter_store")
    sick.policy("-plan", "credentials")["PolicyDocument"]["Statement"][0].update(change)

    findings = sick.findings()
    assert {finding["id"] for finding in findings} == {"ssm-parameters-access"}
    assert all(words in finding["cause"] for finding in findings)


def test_a_parameter_under_another_key(estate: Callable[..., Estate]) -> None:
    sick = estate(credentials="parameter_store")
    other = KEY.replace("1f0b", "2f0b")
    sick.facts.keys["alias/other"] = {"arn": other, "state": "Enabled", "policy": account_decides()}
    next(iter(sick.facts.parameters.values()))["key_id"] = "alias/other"

    findings = sick.findings()
    assert {finding["id"] for finding in findings} == {"kms-role-access"}
    assert all(other in finding["cause"] for finding in findings)


def test_a_key_s_policy_that_denies_a_role(estate: Callable[..., Estate]) -> None:
    sick = estate()
    role = {"AWS": f"arn:aws:iam::{ACCOUNT}:role/gitops-network-apply"}
    deny = {"Sid": "No", "Effect": "Deny", "Principal": role, "Action": "kms:Decrypt", "Resource": "*"}
    sick.facts.keys[KEY]["policy"]["Statement"].append(deny)

    finding = sick.only()
    assert finding["id"] == "kms-key-policy"
    assert "kms:Decrypt to the role gitops-network-apply (statement No)" in finding["cause"]


def test_a_key_s_policy_may_name_a_role_of_one_s_own(estate: Callable[..., Estate]) -> None:
    sick = estate(plan_role_arn=OWN)
    document = sick.policy("my-own", "build")["PolicyDocument"]
    document["Statement"] = [each for each in document["Statement"] if each["Sid"] != "Key"]
    assert sick.only()["id"] == "kms-role-access"

    allow = {"Effect": "Allow", "Principal": {"AWS": OWN}, "Action": "kms:*", "Resource": "*"}
    sick.facts.keys[KEY]["policy"]["Statement"].append(allow)
    assert sick.findings() == []


@pytest.mark.parametrize("values", [{}, {"plan_role_arn": OWN}], ids=["ours", "own"])
def test_a_condition_is_the_business_of_who_writes_the_role(
    estate: Callable[..., Estate], values: dict[str, Any]
) -> None:
    sick = estate(**values)
    document = sick.policy("my-own" if values else "-plan", "build")["PolicyDocument"]
    key = next(each for each in document["Statement"] if each["Sid"] == "Key")
    key["Condition"] = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}

    assert [finding["id"] for finding in sick.findings()] == ([] if values else ["kms-role-access"])
    assert all("under a condition" in finding["cause"] for finding in sick.findings())


def test_a_role_that_was_made_before_its_connection(stack: Make, foundation: Make) -> None:
    """The id of a connection that is not there is unknown: nothing is said of statements with it."""
    shared = {**foundation(), "connection_arn": f"arn:aws:codeconnections:::connection/{NOT_YET}"}
    sick = Estate(stack(), shared)
    sick.facts.connections = {}
    for role in sick.facts.roles.values():
        for policy in role["RolePolicyList"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                if statement.get("Sid") == "Connection":
                    statement["Resource"] = CONNECTION

    assert sick.only()["id"] == "connection-missing"


def test_a_bucket_encrypts_with_another_key(estate: Callable[..., Estate]) -> None:
    sick = estate()
    sick.facts.buckets[sick.shared["artifact_bucket"]]["encryption_key"] = ""

    finding = sick.only()
    assert finding["id"] == "encryption-key-mismatch"
    assert finding["resource"] == sick.shared["artifact_bucket"]
    assert "no key is named" in finding["evidence"]


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion"])
def test_a_key_that_cannot_be_used(estate: Callable[..., Estate], state: str) -> None:
    sick = estate()
    sick.facts.keys[KEY]["state"] = state

    finding = sick.only()
    assert finding["id"] == "key-unusable"
    assert f"aws kms enable-key --key-id {KEY}" in finding["fix"]
    assert ("cancel-key-deletion" in finding["fix"]) == (state == "PendingDeletion")


def test_a_bucket_s_policy_that_denies(estate: Callable[..., Estate]) -> None:
    sick = estate()
    bucket = sick.shared["artifact_bucket"]
    spared = {"ArnNotLike": {"aws:PrincipalArn": [f"arn:aws:iam::{ACCOUNT}:role/gitops-network-a*"]}}
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    sick.facts.buckets[bucket]["policy"] = {"Statement": [{**deny, "Condition": spared}]}

    findings = sick.findings()
    assert {finding["id"] for finding in findings} == {"bucket-policy"}
    assert {finding["cause"].split("role ")[1].split()[0] for finding in findings} == {
        "gitops-network-plan",
        "gitops-network-pipeline",
    }


@pytest.mark.parametrize(
    ("connection", "kind"),
    [
        (None, "connection-missing"),
        ({"name": "github", "status": "PENDING"}, "connection-pending"),
        ({"name": "github", "status": "ERROR"}, "connection-error"),
    ],
)
def test_connections(estate: Callable[..., Estate], connection: Any, kind: str) -> None:
    sick = estate()
    sick.facts.connections[CONNECTION] = connection

    finding = sick.only()
    assert (finding["id"], finding["resource"]) == (kind, CONNECTION)


@pytest.mark.parametrize("part", ["bucket", "lock-table", "log-group", "key"])
def test_what_the_stacks_share_is_gone(estate: Callable[..., Estate], part: str) -> None:
    sick = estate()
    if part == "bucket":
        sick.facts.buckets[sick.shared["state_bucket"]] = None
    elif part == "lock-table":
        sick.facts.no_lock_table = True
    elif part == "log-group":
        sick.facts.log_groups = set()
    else:
        sick.facts.keys[KEY] = None

    assert sick.only()["id"] == f"{part}-missing"


def test_what_is_not_made_yet_is_told_once(stack: Make, foundation: Make) -> None:
    """An estate of which nothing exists: one finding for each thing, none about ids that AWS has yet to choose."""
    shared = {**foundation(), "kms_key_arn": f"arn:aws:kms:::key/{NOT_YET}", "connection_arn": f"arn:x/{NOT_YET}"}
    expected = stack_expectations([stack()], shared)
    nothing = Facts(
        projects={project["name"]: None for project in expected[0]["projects"]},
        pipelines=dict.fromkeys(expected[0]["pipelines"]),
        buckets={shared["artifact_bucket"]: None, shared["state_bucket"]: None},
    )

    kinds = [finding.id for finding in diagnose(expected, shared, nothing)]
    assert set(kinds) == {
        f"{kind}-missing" for kind in ("bucket", "connection", "key", "log-group", "pipeline", "project", "role")
    }
    assert len(kinds) == 2 + 1 + 1 + 1 + 2 + 3 + 3


def test_what_cannot_be_read_is_a_finding_and_no_more(estate: Callable[..., Estate]) -> None:
    sick = estate()
    sick.facts.roles, sick.facts.unread = {}, {"roles": "AccessDenied"}

    finding = sick.only()
    assert (finding["id"], finding["evidence"]) == ("not-readable", "AccessDenied")


@pytest.mark.parametrize(
    ("state", "closer", "told"),
    [("stale", False, True), ("foreign", False, True), ("running", False, False), ("running", True, True)],
)
def test_locks(estate: Callable[..., Estate], state: str, closer: bool, told: bool) -> None:
    sick = estate()
    lock: dict[str, Any] = {
        "key": "network/terraform.tfstate",
        "id": "l-1",
        "who": "root@x",
        "created": "then",
        "state": state,
    }
    lock |= {"operation": "OperationTypePlan", "kinds": ["dynamodb"], "reason": "because", "builds": [{"id": "p:1"}]}
    sick.facts.locks = [lock]

    findings = sick.findings(closer)
    assert [finding["id"] for finding in findings] == (["state-locked"] if told else [])
    assert all("root@x (p:1) since then" in finding["cause"] for finding in findings)


def test_a_managed_policy_that_is_not_attached(estate: Callable[..., Estate]) -> None:
    sick = estate(plan_managed_policies=["arn:aws:iam::aws:policy/ReadOnlyAccess"])
    attached = sick.role("-plan")["AttachedManagedPolicies"]
    attached[:] = [each for each in attached if "ReadOnlyAccess" not in each["PolicyArn"]]

    finding = sick.only()
    assert finding["id"] == "role-policy-missing"
    assert "arn:aws:iam::aws:policy/ReadOnlyAccess is not attached" in finding["cause"]


# Runs


def test_what_terraform_may_not_goes_into_the_vars_file(estate: Callable[..., Estate]) -> None:
    sick = estate()
    session = SESSION.format("gitops-network-apply")
    vpc = f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/vpc-1"
    denied = f"User: {session} is not authorized to perform: ec2:DeleteVpc on resource: {vpc} because no identity-based"
    sick.failed(log=["Error: deleting", f"  {denied} policy allows the ec2:DeleteVpc action"])

    finding = sick.only()
    assert (finding["id"], finding["resource"]) == ("access-denied", vpc)
    assert "no identity-based policy allows it" in finding["cause"]
    statement = f'- {{Effect: Allow, Action: "ec2:DeleteVpc", Resource: "arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/*"}}'
    assert f"apply_permissions of the stack network: {statement}" in finding["fix"]


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("with an explicit deny in a service control policy", "organization's policies"),
        ("because no permissions boundary allows the s3:GetObject action", "permissions_boundary of gitops_settings"),
        (
            "with an explicit deny in a resource-based policy",
            "Take the Deny out of the policy of arn:aws:s3:::x itself",
        ),
        ("because no resource-based policy allows the s3:GetObject action", "Allow s3:GetObject to"),
        ("because no session policy allows the s3:GetObject action", "where the role is assumed"),
        ("because no VPC endpoint policy allows the s3:GetObject action", "VPC endpoint"),
        ("with an explicit deny in an identity-based policy", "None of the role's policies denies it any more"),
    ],
)
def test_where_it_is_allowed_again(estate: Callable[..., Estate], why: str, words: str) -> None:
    sick = estate()
    session = SESSION.format("gitops-network-plan")
    sick.failed(log=[f"User: {session} is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::x {why}"])

    assert words in sick.only()["fix"]


def test_the_statement_that_denies_is_named(estate: Callable[..., Estate]) -> None:
    sick = estate()
    deny = {"Sid": "NotHere", "Effect": "Deny", "Action": "ec2:*", "Resource": "*"}
    added = {"PolicyName": "by-hand", "PolicyDocument": {"Statement": [deny]}}
    sick.role("-plan")["RolePolicyList"].append(added)
    session = SESSION.format("gitops-network-plan")
    sick.failed(log=[f"User: {session} is not authorized to perform: ec2:DescribeVpcs with an explicit deny"])

    assert "(inline policy by-hand, statement NotHere)" in sick.only()["fix"]


def test_a_deny_that_is_meant_is_not_to_be_removed(estate: Callable[..., Estate]) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/seal"
    sick = estate(plan_managed_policies=[arn])
    sick.facts.policies[arn] = {"Statement": [{"Sid": "Seal", "Effect": "Deny", "Action": "iam:*", "Resource": "x"}]}
    session = SESSION.format("gitops-network-plan")
    sick.failed(log=[f"User: {session} is not authorized to perform: iam:GetRole with an explicit deny"])

    fix = sick.only()["fix"]
    assert "Remove" not in fix
    assert f"(managed policy {arn}, statement Seal)" in fix


def test_a_caller_that_is_not_ours(estate: Callable[..., Estate]) -> None:
    sick = estate(credentials="parameter_store")
    user = f"arn:aws:iam::{ACCOUNT}:user/terraform"
    sick.failed(log=[f"User: {user} is not authorized to perform: ec2:CreateVpc on resource: *"])

    assert f"Add to a policy of {user}, whom this collection does not make" in sick.only()["fix"]


def test_an_encoded_message_is_not_shown_and_can_be_decoded(estate: Callable[..., Estate]) -> None:
    sick, encoded = estate(), "Yd2kLz_" * 60
    sick.failed(
        log=[f"You are not authorized to perform this operation. Encoded authorization failure message: {encoded}"]
    )

    finding = sick.only()
    assert "aws sts decode-authorization-message" in finding["fix"]
    assert encoded not in str(finding)


def test_a_refusal_that_a_setting_explains_is_its_evidence(estate: Callable[..., Estate]) -> None:
    sick = estate()
    document = sick.policy("-plan", "build")["PolicyDocument"]
    document["Statement"] = [each for each in document["Statement"] if each["Sid"] != "ReadArtifacts"]
    phase = {"name": "DOWNLOAD_SOURCE", "status": "FAILED", "message": "CLIENT_ERROR: AccessDenied: Access Denied"}
    sick.failed(log=[], phases=[phase])

    finding = sick.only()
    assert finding["id"] == "artifact-bucket-access"
    assert "execution e-1 failed with: CLIENT_ERROR: AccessDenied" in finding["evidence"]


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("pull access denied for acme/tools, repository does not exist", "cannot be pulled"),
        ("toomanyrequests: You have reached your pull rate limit", "too many of them"),
    ],
)
def test_an_image_that_cannot_be_pulled(estate: Callable[..., Estate], why: str, words: str) -> None:
    sick = estate()
    message = f"BUILD_CONTAINER_UNABLE_TO_PULL_IMAGE: Unable to pull customer's container image. {why}"
    sick.failed(phases=[{"name": "PROVISIONING", "status": "FAILED", "message": message}])

    finding = sick.only()
    assert (finding["id"], finding["resource"]) == ("image-pull", "acme/tools:1")
    assert words in finding["cause"]


def test_the_account_s_limit(estate: Callable[..., Estate]) -> None:
    sick = estate()
    sick.failed("Error calling startBuild: Cannot have more than 60 builds in queue for the account (Service: x)")

    finding = sick.only()
    assert finding["id"] == "build-limit"
    assert "Service Quotas" in finding["fix"]


def test_a_build_that_waits(estate: Callable[..., Estate]) -> None:
    sick = estate()
    sick.failed(current_phase="QUEUED", status="IN_PROGRESS")
    (run,) = sick.facts.runs
    run["actions"][0]["status"] = "InProgress"
    other = {"id": "p:0", "status": "IN_PROGRESS", "start_time": "then", "end_time": ""}
    over = {"id": "p:9", "status": "SUCCEEDED", "start_time": "then", "end_time": "later"}
    run["others"] = {"gitops-network-plan": [other, over]}

    finding = sick.only()
    assert (finding["id"], finding["resource"]) == ("build-limit", "gitops-network-plan")
    assert "p:0 (IN_PROGRESS, since then)" in finding["cause"]
    assert "p:9" not in finding["cause"]


def test_a_lock_that_is_gone_again(estate: Callable[..., Estate]) -> None:
    sick = estate()
    log = [
        "Error: Error acquiring the state lock",
        "│   ID:        l-1",
        "│   Who:       root@x",
        "│   Created:   then",
    ]
    sick.failed(log=log)

    finding = sick.only()
    assert finding["id"] == "state-locked"
    assert "was locked by root@x since then" in finding["cause"]


@pytest.mark.parametrize(
    "answers",
    [
        ("ConditionalCheckFailedException: The conditional request failed", "unexpected end of JSON input"),
        ("ConditionalCheckFailedException: The conditional request failed", "no lock info found for: a/b"),
        ("api error PreconditionFailed: At least one of the pre-conditions did not hold", "api error NoSuchKey: a/b"),
    ],
)
def test_a_lock_that_is_gone_before_terraform_sees_whose_it_is(
    estate: Callable[..., Estate], answers: tuple[str, str]
) -> None:
    sick = estate()
    sick.failed(log=["Error: Error acquiring the state lock", "", f"Error message: {answers[0]}", answers[1]])

    finding = sick.only()
    assert finding["id"] == "state-locked"
    assert "was released while Terraform asked who holds it" in finding["cause"]
    assert "gitops.aws.run" in finding["fix"]


@pytest.mark.parametrize(
    "answers",
    [
        ("ConditionalCheckFailedException: The conditional request failed", "AccessDeniedException: dynamodb:GetItem"),
        ("AccessDenied: s3:PutObject", "api error NoSuchKey: The specified key does not exist."),
    ],
)
def test_a_lock_that_may_still_be_held_or_never_was(estate: Callable[..., Estate], answers: tuple[str, str]) -> None:
    sick = estate()
    sick.failed(log=["Error: Error acquiring the state lock", *answers])

    assert "was released" not in str(sick.findings())


def test_a_parameter_that_a_build_did_not_find(estate: Callable[..., Estate]) -> None:
    sick = estate()
    message = "Decrypted Variables Error: parameter does not exist: /a, /b"
    sick.failed(log=[], phases=[{"name": "DOWNLOAD_SOURCE", "status": "FAILED", "message": message}])

    assert [(one["id"], one["resource"]) for one in sick.findings()] == [
        ("ssm-parameter-missing", "/a"),
        ("ssm-parameter-missing", "/b"),
    ]


def test_the_last_words_of_a_log() -> None:
    assert last_words(["x", "Plan refused: the state has changed.", "[Container] Phase complete"]) == (
        "Plan refused: the state has changed."
    )
    assert last_words(["│ Error: Unsupported argument", "│ ", "│   on main.tf line 1:", "╵"]) == (
        "Error: Unsupported argument on main.tf line 1:"
    )
    assert last_words(["fatal: no such file", "bye"]) == "fatal: no such file ... bye"
    assert last_words([]) == ""


def test_every_id_has_its_line() -> None:
    lines = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8").splitlines()

    assert [line.split("`")[1] for line in lines if line.startswith("| `")] == sorted(IDS)


def test_long_evidence_is_cut() -> None:
    assert len(short("word " * 1000)) <= 700
