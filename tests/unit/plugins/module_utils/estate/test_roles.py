# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles of a stack have the least that each step needs."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate.roles import stack_roles

Make = Callable[..., dict[str, Any]]

ACCOUNT, REGION = "111122223333", "eu-central-1"
STATE = f"arn:aws:s3:::gitops-{ACCOUNT}-{REGION}-state"
ARTIFACTS = f"arn:aws:s3:::gitops-{ACCOUNT}-{REGION}-artifacts"
TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/gitops-lock"
STATE_KEY = "network/terraform.tfstate"


@pytest.fixture
def roles(foundation: Make, stack: Make) -> Callable[..., dict[str, dict[str, Any]]]:
    """Makes the roles of a stack, by purpose."""

    def make(settings: dict[str, Any] | None = None, **values: Any) -> dict[str, dict[str, Any]]:
        made = stack_roles([stack(**values)], foundation(**(settings or {})))
        return {role["name"].rsplit("-", 1)[1]: role for role in made}

    return make


def statements(role: dict[str, Any]) -> list[dict[str, Any]]:
    return [statement for policy in role["inline_policies"].values() for statement in policy["Statement"]]


def may(role: dict[str, Any], action: str, resource: str) -> bool:
    """Whether a statement allows the action on the resource, its conditions left aside."""
    return any(
        fnmatch.fnmatchcase(action, allowed) and fnmatch.fnmatchcase(resource, where)
        for statement in statements(role)
        if statement["Effect"] == "Allow"
        for allowed in statement["Action"]
        for where in statement["Resource"]
    )


def test_three_roles_for_each_stack(foundation: Make, stack: Make) -> None:
    made = stack_roles([stack(), stack(name="dns")], foundation())

    assert [role["name"] for role in made] == [
        f"gitops-{name}-{purpose}" for name in ("network", "dns") for purpose in ("plan", "apply", "pipeline")
    ]


def test_plan_reads_the_state_and_writes_only_its_lock(roles: Any) -> None:
    plan = roles()["plan"]

    assert may(plan, "s3:GetObject", f"{STATE}/{STATE_KEY}")
    for action in ("s3:PutObject", "s3:DeleteObject"):
        assert not may(plan, action, f"{STATE}/{STATE_KEY}")
        assert may(plan, action, f"{STATE}/{STATE_KEY}.tflock")
    assert may(plan, "dynamodb:PutItem", TABLE)


def test_apply_writes_the_state_and_deletes_none(roles: Any) -> None:
    apply = roles()["apply"]

    assert may(apply, "s3:PutObject", f"{STATE}/{STATE_KEY}")
    assert not may(apply, "s3:DeleteObject", f"{STATE}/{STATE_KEY}")
    assert not may(apply, "s3:DeleteObjectVersion", f"{STATE}/{STATE_KEY}")


def test_the_pipeline_never_touches_a_state(roles: Any) -> None:
    for action in ("s3:GetObject", "s3:PutObject", "s3:ListBucket"):
        assert not may(roles()["pipeline"], action, f"{STATE}/{STATE_KEY}")
        assert not may(roles()["pipeline"], action, STATE)
    assert not may(roles()["pipeline"], "dynamodb:PutItem", TABLE)


@pytest.mark.parametrize("purpose", ["plan", "apply", "pipeline"])
def test_nobody_reaches_another_stack(roles: Any, purpose: str) -> None:
    role = roles()[purpose]

    for resource in (
        f"{STATE}/dns/terraform.tfstate",
        f"{STATE}/dns/terraform.tfstate.tflock",
        f"{ARTIFACTS}/gitops-dns/x",
    ):
        assert not may(role, "s3:GetObject", resource)
        assert not may(role, "s3:PutObject", resource)
    assert not may(role, "codebuild:StartBuild", f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/gitops-dns-plan")
    assert not may(
        role, "logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/gitops/builds:log-stream:gitops-dns/x"
    )


@pytest.mark.parametrize("purpose", ["plan", "apply", "pipeline"])
def test_nothing_may_be_done_to_anything(roles: Any, purpose: str) -> None:
    made = roles(credentials="parameter_store")[purpose]
    seal = made["inline_policies"].pop("seal", {"Statement": []})
    assert {statement["Effect"] for statement in seal["Statement"]} <= {"Deny"}
    for statement in statements(made):
        assert statement["Effect"] == "Allow"
        assert "*" not in statement["Resource"]
        assert not any("*" in action for action in statement["Action"])


def test_the_lock_is_the_stack_s_own_item(roles: Any) -> None:
    item = f"gitops-{ACCOUNT}-{REGION}-state/{STATE_KEY}"
    written = {}
    for role in ("plan", "apply"):
        made = roles()[role]
        (no_other,) = [one for one in made["inline_policies"].pop("seal")["Statement"] if one["Sid"] == "NoOtherLock"]
        (lock,) = [statement for statement in statements(made) if "dynamodb:PutItem" in statement["Action"]]
        allowed = lock["Condition"]["ForAllValues:StringEquals"]
        assert no_other["Condition"] == {"ForAnyValue:StringNotEquals": allowed}
        written[role] = lock["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"]
        assert lock["Resource"] == [TABLE]

    # The state's checksum, beside the lock, is read by plan and written by apply.
    assert written == {"plan": [item], "apply": [item, f"{item}-md5"]}
    (digest,) = [statement for statement in statements(roles()["plan"]) if statement["Sid"] == "StateDigest"]
    assert digest["Action"] == ["dynamodb:GetItem"]
    assert digest["Condition"] == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [f"{item}-md5"]}}
    assert "dynamodb:DescribeTable" not in lock["Action"]  # a call without keys: the condition says nothing about it


@pytest.mark.parametrize(
    ("locking", "table", "file"),
    [(["dynamodb"], True, False), (["lockfile"], False, True), (["dynamodb", "lockfile"], True, True)],
)
def test_only_the_locks_that_are_in_use(roles: Any, locking: list[str], table: bool, file: bool) -> None:
    for role in ("plan", "apply"):
        made = roles({"locking": locking})[role]
        assert may(made, "dynamodb:PutItem", TABLE) is table
        assert may(made, "s3:PutObject", f"{STATE}/{STATE_KEY}.tflock") is file


@pytest.mark.parametrize(
    ("role", "read", "write"),
    [
        ("plan", {"source"}, {"plan"}),
        ("apply", {"source", "plan"}, set()),
        ("pipeline", {"source", "plan"}, {"source", "plan"}),
    ],
)
def test_each_role_moves_its_own_artifacts(roles: Any, role: str, read: set[str], write: set[str]) -> None:
    made = roles(name="network-production-west")[role]

    for artifact in ("source", "plan"):
        # CodePipeline shortens the pipeline's name in the key.
        key = f"{ARTIFACTS}/gitops-network-produ/{artifact}/abc"
        assert may(made, "s3:GetObject", key) is (artifact in read)
        assert may(made, "s3:GetObjectVersion", key) is (artifact in read)
        assert may(made, "s3:PutObject", key) is (artifact in write)
        assert not may(made, "s3:DeleteObject", key)
        assert not may(made, "s3:GetObject", f"{ARTIFACTS}/another/{artifact}/abc")
    for action in ("s3:GetBucketVersioning", "s3:ListBucket"):
        assert may(made, action, ARTIFACTS)


def test_what_is_found_of_drift_is_written_by_the_plan_s_role_and_nobody_else(roles: Any) -> None:
    wanted, unwanted = roles({"drift": {}}), roles()
    found, source = (f"{ARTIFACTS}/gitops-network-drift/{kind}/abc" for kind in ("drift", "source"))

    assert may(wanted["plan"], "s3:PutObject", found)
    assert may(wanted["plan"], "s3:GetObject", source)
    for elsewhere in ("gitops-network/drift", "gitops-network-drift/plan", "gitops-network-drift/source"):
        assert not may(wanted["plan"], "s3:PutObject", f"{ARTIFACTS}/{elsewhere}/abc")
    assert not may(wanted["apply"], "s3:PutObject", found)
    (denied,) = [one for one in statements(wanted["apply"]) if one["Sid"] == "NoOtherArtifact"]
    assert found.replace("abc", "*") in denied["Resource"]
    assert may(wanted["pipeline"], "s3:PutObject", source)
    for role in unwanted.values():
        assert not may(role, "s3:PutObject", found)
        assert not may(role, "s3:GetObject", source)
        assert "drift" not in str(role)


def test_drift_takes_nothing_else_of_the_roles(roles: Any) -> None:
    pipeline, own = roles({"drift": {}})["pipeline"], f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:gitops-network"
    (trusted,) = pipeline["assume_role_policy"]["Statement"]
    by_sid = {one["Sid"]: one for one in statements(roles({"drift": {}})["plan"])}

    assert trusted["Condition"]["ArnEquals"]["aws:SourceArn"] == [own, f"{own}-destroy", f"{own}-drift"]
    assert by_sid["LookAtOthers"]["Resource"] == [own]
    assert by_sid["EndWithoutChanges"]["Resource"] == [own, f"{own}-destroy"]
    assert "LookAtOthers" not in {one["Sid"] for one in statements(roles()["plan"])}


def test_an_artifact_bucket_of_the_user_s(roles: Any) -> None:
    role = roles({"artifact_bucket": "acme-artifacts", "create_artifact_bucket": False})["plan"]

    assert may(role, "s3:PutObject", "arn:aws:s3:::acme-artifacts/gitops-network/plan/abc")
    assert not may(role, "s3:PutObject", f"{ARTIFACTS}/gitops-network/plan/abc")


# Who may assume them


@pytest.mark.parametrize(
    ("purpose", "service", "sources"),
    [
        ("plan", "codebuild", ["project/gitops-network-plan"]),
        ("apply", "codebuild", ["project/gitops-network-apply", "project/gitops-network-destroy"]),
        ("pipeline", "codepipeline", ["gitops-network", "gitops-network-destroy"]),
    ],
)
def test_trust_is_for_one_service_acting_for_own_resources(
    roles: Any, purpose: str, service: str, sources: list[str]
) -> None:
    (statement,) = roles()[purpose]["assume_role_policy"]["Statement"]

    assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
        "ArnEquals": {"aws:SourceArn": [f"arn:aws:{service}:{REGION}:{ACCOUNT}:{source}" for source in sources]},
    }


# Credentials


@pytest.mark.parametrize("purpose", ["plan", "apply"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_parameter_store_gives_getparameters_on_the_two_parameters(roles: Any, purpose: str, slash: str) -> None:
    values = {"access_key_id_parameter": f"{slash}id", "secret_access_key_parameter": f"{slash}secret"}

    made = roles(credentials="parameter_store", **values)[purpose]

    # The ARN of /id is ...:parameter/id, that of id too.
    arns = [f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{name}" for name in ("id", "secret")]
    assert made["inline_policies"]["credentials"]["Statement"] == [
        {"Sid": "Credentials", "Effect": "Allow", "Action": ["ssm:GetParameters"], "Resource": arns}
    ]


def test_parameters_in_folders(roles: Any) -> None:
    (statement,) = roles(credentials="parameter_store")["plan"]["inline_policies"]["credentials"]["Statement"]

    assert statement["Resource"][0] == f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/gitops/network/AWS_ACCESS_KEY_ID"


def test_assume_role_gives_that_role(roles: Any) -> None:
    target = "arn:aws:iam::444455556666:role/terraform"
    made = roles(credentials="assume_role", assume_role_arn=target)

    for purpose in ("plan", "apply"):
        (statement,) = made[purpose]["inline_policies"]["credentials"]["Statement"]
        assert (statement["Action"], statement["Resource"]) == (["sts:AssumeRole"], [target])


def test_without_need_no_credentials(roles: Any) -> None:
    for mode, purposes in (("role", ("plan", "apply", "pipeline")), ("parameter_store", ("pipeline",))):
        for purpose in purposes:
            role = roles(credentials=mode)[purpose]
            assert "credentials" not in role["inline_policies"]
            assert not may(
                role, "ssm:GetParameters", f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/gitops/network/AWS_ACCESS_KEY_ID"
            )


# What plans, and what comes before and after


def test_builds_fetch_their_source_through_the_connection_and_no_other(roles: Any, foundation: Make) -> None:
    connection = foundation()["connection_arn"]

    for role in roles(pull_requests=True).values():
        assert may(role, "codeconnections:UseConnection", connection)
        assert not may(role, "codeconnections:UseConnection", connection.replace("4dfa", "5dfa"))


def test_an_object_is_read_from_a_bucket_of_the_account_only(roles: Any) -> None:
    made = roles(source="s3", source_bucket="acme-code", source_key="network.zip", repository=None)
    by_sid = {one["Sid"]: one for one in statements(made["pipeline"])}

    ours = {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}
    assert [by_sid[sid]["Condition"] for sid in ("SourceBucket", "SourceObject")] == [ours, ours]
    assert by_sid["SourceObject"]["Resource"] == ["arn:aws:s3:::acme-code/network.zip"]


def test_what_is_kept_aside_is_the_apply_s(roles: Any) -> None:
    kept = (
        f"{STATE}/{STATE_KEY}.errored",
        f"{ARTIFACTS}/gitops-network/used/abc",
        f"{ARTIFACTS}/gitops-network-destr/used/abc",
        f"{ARTIFACTS}/gitops-network/errored/network.tfstate",
    )
    made = roles(pull_requests=True)

    for resource in kept:
        assert may(made["apply"], "s3:PutObject", resource)
        assert may(made["apply"], "s3:GetObject", resource)
        for role in ("plan", "review"):
            assert not may(made[role], "s3:PutObject", resource)


def test_a_plan_ends_its_own_pipelines_only(roles: Any) -> None:
    pipeline = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:gitops-"
    made = roles(pull_requests=True)

    for name, right in (("network", True), ("network-destroy", True), ("dns", False)):
        assert may(made["plan"], "codepipeline:StopPipelineExecution", f"{pipeline}{name}") is right
    for role in made.values():
        actions = {action for statement in statements(role) for action in statement["Action"]}
        assert {action for action in actions if action.startswith("codepipeline:")} <= {
            "codepipeline:GetPipelineExecution",
            "codepipeline:ListActionExecutions",
            "codepipeline:StopPipelineExecution",
        }
    assert may(made["plan"], "codepipeline:GetPipelineExecution", f"{pipeline}network")
    assert may(made["apply"], "codepipeline:ListActionExecutions", f"{pipeline}network-destroy")
    assert not may(made["apply"], "codepipeline:StopPipelineExecution", f"{pipeline}network")


def test_the_order_of_stacks(foundation: Make, stack: Make) -> None:
    stacks = [stack(), {**stack(name="app"), "after": ["network"]}]
    made = {role["name"]: role for role in stack_roles(stacks, foundation())}
    network, app = (f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:gitops-{name}" for name in ("network", "app"))

    assert may(made["gitops-app-plan"], "codepipeline:ListPipelineExecutions", network)
    for role in ("plan", "apply"):
        assert may(made[f"gitops-network-{role}"], "codepipeline:StartPipelineExecution", app)
        assert not may(made[f"gitops-app-{role}"], "codepipeline:StartPipelineExecution", network)
    assert not may(made["gitops-network-plan"], "codepipeline:ListPipelineExecutions", app)


def test_a_review_reads_and_writes_nothing_but_its_log(roles: Any, foundation: Make) -> None:
    read = {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}
    write = {"Effect": "Allow", "Action": "ec2:CreateVpc", "Resource": "*"}
    assert "review" not in roles()
    role = roles(pull_requests=True, plan_permissions=[read], apply_permissions=[write])["review"]

    assert role["inline_policies"].pop("stack")["Statement"] == [read]
    assert may(role, "s3:GetObject", f"{STATE}/{STATE_KEY}")
    assert {one["Effect"] for one in role["inline_policies"].pop("seal")["Statement"]} == {"Deny"}
    actions = {action for statement in statements(role) for action in statement["Action"]}
    assert actions == {
        "codeconnections:GetConnection",
        "codeconnections:GetConnectionToken",
        "codeconnections:UseConnection",
        "codestar-connections:GetConnection",
        "codestar-connections:GetConnectionToken",
        "codestar-connections:UseConnection",
        "dynamodb:GetItem",
        "kms:Decrypt",
        "kms:DescribeKey",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "s3:GetObject",
        "s3:ListBucket",
    }
    (trusted,) = role["assume_role_policy"]["Statement"]
    assert trusted["Condition"]["ArnEquals"]["aws:SourceArn"] == [
        f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/gitops-network-review"
    ]


def test_plans_may_act_as_another_role_than_the_apply(roles: Any) -> None:
    reader, writer = (f"arn:aws:iam::444455556666:role/{name}" for name in ("reader", "writer"))
    made = roles(credentials="assume_role", assume_role_arn=writer, plan_assume_role_arn=reader, pull_requests=True)

    for role, target in (("plan", reader), ("review", reader), ("apply", writer)):
        (statement,) = made[role]["inline_policies"]["credentials"]["Statement"]
        assert statement["Resource"] == [target]


# What the user adds


def test_permissions_of_a_stack_go_where_they_belong(roles: Any) -> None:
    read = {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}
    write = {"Effect": "Allow", "Action": "ec2:CreateVpc", "Resource": "*"}
    reader, writer = "arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::aws:policy/PowerUserAccess"

    made = roles(
        {"sealed": False},
        plan_permissions=[read],
        apply_permissions=[write],
        plan_managed_policies=[reader],
        apply_managed_policies=[writer],
    )

    assert made["plan"]["inline_policies"]["stack"]["Statement"] == [read]
    assert made["apply"]["inline_policies"]["stack"]["Statement"] == [read, write]
    assert made["plan"]["managed_policies"] == [reader]
    assert made["apply"]["managed_policies"] == [reader, writer]
    assert made["pipeline"]["managed_policies"] == []
    assert "stack" not in made["pipeline"]["inline_policies"]
    assert "stack" not in roles()["plan"]["inline_policies"]


def test_the_seal_is_on_every_build_s_role(roles: Any) -> None:
    seal = f"arn:aws:iam::{ACCOUNT}:policy/gitops-seal"
    made = roles(pull_requests=True)

    assert {name for name, role in made.items() if seal in role["managed_policies"]} == {"plan", "apply", "review"}
    assert {name for name, role in made.items() if "seal" in role["inline_policies"]} == {"plan", "apply", "review"}
    assert not [r for r in roles({"sealed": False}).values() if "seal" in r["inline_policies"] or r["managed_policies"]]


@pytest.mark.parametrize(("purpose", "suffixes"), [("plan", [".tflock"]), ("apply", ["", ".tflock", ".errored"])])
def test_a_build_encrypts_its_own_state_only(roles: Any, purpose: str, suffixes: list[str]) -> None:
    (seal,) = [
        statement
        for statement in roles()[purpose]["inline_policies"]["seal"]["Statement"]
        if statement["Sid"] == "NoOtherState"
    ]

    own = [f"{STATE}/{STATE_KEY}{suffix}" for suffix in suffixes]
    assert seal["Condition"]["StringNotLike"]["kms:EncryptionContext:aws:s3:arn"] == [*own, ARTIFACTS, f"{ARTIFACTS}/*"]
    # In a bucket of the user's, which may have a bucket key, KMS is not told the object.
    existing = roles({"create_state_bucket": False, "state_bucket": "theirs"})[purpose]["inline_policies"]["seal"]
    assert "NoOtherState" not in [statement["Sid"] for statement in existing["Statement"]]


def test_the_boundary_is_on_every_role(roles: Any) -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/boundary"

    assert {role["permissions_boundary"] for role in roles({"permissions_boundary": boundary}).values()} == {boundary}
    assert {role["permissions_boundary"] for role in roles().values()} == {""}  # and is removed where none is wanted


def test_tags_of_all_and_of_the_stack(roles: Any) -> None:
    made = roles({"tags": {"owner": "platform", "env": "x"}}, tags={"env": "prod"})["plan"]

    assert made["tags"] == {"owner": "platform", "env": "prod", "gitops:stack": "network"}


@pytest.mark.parametrize("purpose", ["plan", "apply", "pipeline"])
def test_a_role_that_the_user_names_is_left_out(roles: Any, purpose: str) -> None:
    made = roles(**{f"{purpose}_role_arn": f"arn:aws:iam::{ACCOUNT}:role/own"})

    assert set(made) == {"plan", "apply", "pipeline"} - {purpose}


def test_the_pipeline_fetches_builds_and_nothing_else(roles: Any) -> None:
    role = roles()["pipeline"]

    for step in ("plan", "apply", "destroy"):
        for action in ("codebuild:StartBuild", "codebuild:BatchGetBuilds"):
            assert may(role, action, f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/gitops-network-{step}")
    actions = {action for statement in statements(role) for action in statement["Action"]}
    assert {action for action in actions if action.startswith("code")} == {
        "codeconnections:UseConnection",
        "codestar-connections:UseConnection",
        "codebuild:BatchGetBuilds",
        "codebuild:StartBuild",
    }
    assert not {
        action
        for action in actions
        if action.split(":")[0] not in ("codeconnections", "codestar-connections", "codebuild", "s3", "kms")
    }


# Code in AWS itself

CODE = f"arn:aws:codecommit:{REGION}:{ACCOUNT}:infrastructure"
CODECOMMIT = {"source": "codecommit", "repository": "infrastructure"}
PACKED = {"source": "s3", "repository": None, "source_bucket": "acme-code", "source_key": "network.zip"}


def sids(role: dict[str, Any]) -> set[str]:
    return {statement["Sid"] for statement in statements(role)}


def test_a_repository_in_codecommit_is_read_by_the_pipeline_and_pulled_by_the_builds(roles: Any) -> None:
    made = roles(**CODECOMMIT)

    for action in ("GetBranch", "GetCommit", "GetRepository", "UploadArchive"):
        assert may(made["pipeline"], f"codecommit:{action}", CODE)
        assert not may(made["plan"], f"codecommit:{action}", CODE)
    for purpose in ("plan", "apply"):
        assert may(made[purpose], "codecommit:GitPull", CODE)
        assert not may(made[purpose], "codecommit:GitPull", f"{CODE}2")
    assert not may(made["pipeline"], "codecommit:GitPush", CODE)
    for role in made.values():
        assert "Connection" not in sids(role)
    assert "UploadSource" not in sids(made["pipeline"])


def test_of_an_object_the_pipeline_reads_that_and_the_builds_nothing(roles: Any) -> None:
    made = roles(**PACKED)

    for action in ("s3:GetObject", "s3:GetObjectVersion"):
        assert may(made["pipeline"], action, "arn:aws:s3:::acme-code/network.zip")
        assert not may(made["pipeline"], action, "arn:aws:s3:::acme-code/network.zip2")
        for purpose in ("plan", "apply"):
            assert not may(made[purpose], action, "arn:aws:s3:::acme-code/network.zip")
    assert may(made["pipeline"], "s3:GetBucketVersioning", "arn:aws:s3:::acme-code")
    assert not may(made["pipeline"], "s3:PutObject", "arn:aws:s3:::acme-code/network.zip")
    for role in made.values():
        assert {"Connection", "Repository", "UploadSource"}.isdisjoint(sids(role))


@pytest.mark.parametrize("source", [CODECOMMIT, PACKED])
def test_the_rule_s_role_starts_that_pipeline_and_nothing_else(roles: Any, source: dict[str, Any]) -> None:
    role = roles(**source)["source"]

    assert statements(role) == [
        {
            "Sid": "Start",
            "Effect": "Allow",
            "Action": ["codepipeline:StartPipelineExecution"],
            "Resource": [f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:gitops-network"],
        }
    ]
    (trust,) = role["assume_role_policy"]["Statement"]
    assert trust["Principal"] == {"Service": "events.amazonaws.com"}
    assert trust["Condition"]["ArnEquals"] == {
        "aws:SourceArn": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/gitops-network-source"]
    }


def test_without_a_rule_there_is_no_role_for_one(roles: Any) -> None:
    assert "source" not in roles()
    assert "source" not in roles(**PACKED, trigger=False)
