# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whom the Deny statements spare; and that stacks come and go without a change of them."""

from __future__ import annotations

import fnmatch
import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._estate import (
    attempts,
    break_glass,
    guardrails,
    lockout,
    names,
    organisation,
    seal,
    verdicts,
)
from ansible_collections.gitops.aws.plugins.module_utils._estate.drift import acting, protected_arns
from tests.unit.plugins.module_utils.estate.conftest import KEY

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses what setuptools will give up
    from parliament import iam_definition  # type: ignore[import-untyped]

Make = Callable[..., dict[str, Any]]
IAM = "arn:aws:iam::111122223333"
BREAK_GLASS = f"{IAM}:role/gitops-break-glass"


def all_policies(shared: dict[str, Any], stacks: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    return {
        "state_bucket": seal.state_bucket(shared, stacks),
        "artifact_bucket": seal.artifact_bucket(shared, stacks),
        "lock_table": seal.lock_table(shared, stacks)["Statement"],
        "key": seal.key(shared, stacks)["Statement"][1:],
    }


def spared(statement: dict[str, Any]) -> list[str]:
    return [*statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"]]


def test_every_statement_spares_the_break_glass_role_and_aws_itself(foundation: Make) -> None:
    for statements in all_policies(foundation(), []).values():
        for statement in statements:
            assert statement["Effect"] == "Deny"
            assert spared(statement)[-1] == BREAK_GLASS
            assert statement["Condition"]["Bool"] == {"aws:PrincipalIsAWSService": "false"}


def test_settings_are_the_installers_and_writing_is_not(foundation: Make) -> None:
    for kind, statements in all_policies(foundation(), []).items():
        by_sid = {statement["Sid"]: statement for statement in statements}
        assert spared(by_sid["OnlyInstallersChange"]) == [f"{IAM}:role/platform", f"{IAM}:root", BREAK_GLASS]
        writing = [s for sid, s in by_sid.items() if sid in ("OnlyBuildsWrite", "OnlyBuildsLock", "OnlyPipelinesWrite")]
        assert writing or kind == "key"
        assert not [one for one in writing if f"{IAM}:role/platform" in spared(one)]


def test_states_are_written_by_applies_and_locks_by_plans_too(foundation: Make) -> None:
    by_sid = {statement["Sid"]: statement for statement in seal.state_bucket(foundation(), [])}

    builds = [f"{IAM}:role/gitops-*-apply", f"{IAM}:role/gitops-*-plan"]
    assert spared(by_sid["OnlyBuildsWrite"]) == [*builds, BREAK_GLASS]
    assert spared(by_sid["PlansOnlyLock"]) == [builds[0], BREAK_GLASS]
    bucket = names.bucket_arn(foundation(), foundation()["state_bucket"])
    assert by_sid["OnlyBuildsWrite"]["NotResource"] == [bucket, f"{bucket}/gitops-known/*"]
    assert by_sid["PlansOnlyLock"]["NotResource"] == [f"{bucket}/*.tflock", f"{bucket}/gitops-known/*"]
    assert spared(by_sid["NothingIsLost"]) == [BREAK_GLASS]


def test_a_stack_more_changes_nothing_unless_it_brings_roles(foundation: Make, stack: Make) -> None:
    shared = foundation()
    own = f"{IAM}:role/theirs"

    assert all_policies(shared, [stack(), stack(name="dns")]) == all_policies(shared, [])
    assert own in json.dumps(all_policies(shared, [stack(apply_role_arn=own)]))


def test_who_reads_states_reads_them_and_does_no_more(foundation: Make) -> None:
    reader = f"{IAM}:user/auditor"
    policies = all_policies(foundation(state_readers=["user/auditor"]), [])

    sparing = {s["Sid"] for statements in policies.values() for s in statements if reader in spared(s)}
    assert sparing == {"OnlyKnownRead", "OnlyKnownUse"}


@pytest.mark.parametrize("drift", [None, {}])
def test_what_is_known_of_pipelines_is_written_by_installers(foundation: Make, drift: dict[str, Any] | None) -> None:
    shared = foundation(drift=drift)
    by_sid = {statement["Sid"]: statement for statement in seal.state_bucket(shared, [])}
    known = names.known_pipelines(shared)

    assert (known["bucket"], known["kms_key_id"]) == (shared["state_bucket"], shared["kms_key_arn"])
    assert known["key"] == "gitops-known/gitops-111122223333-eu-central-1-pipelines.json"
    kept = by_sid["OnlyInstallersKnow"]
    assert kept["Resource"] == f"{names.bucket_arn(shared, shared['state_bucket'])}/gitops-known/*"
    assert spared(kept) == [f"{IAM}:role/platform", BREAK_GLASS]
    assert kept["NotAction"] == seal.READING_S3


def test_what_was_found_of_drift_is_read_by_who_reads_states(foundation: Make) -> None:
    shared = foundation(state_readers=["user/auditor"], drift={})
    by_sid = {statement["Sid"]: statement for statement in seal.artifact_bucket(shared, [])}
    bucket = names.bucket_arn(shared, shared["artifact_bucket"])
    drift = f"{bucket}/*/drift/*"

    builds = [f"{IAM}:role/gitops-*-{purpose}" for purpose in ("apply", "plan", "pipeline")]
    assert by_sid["OnlyPipelinesRead"]["NotResource"] == [drift, f"{bucket}/gitops-drift/*"]
    assert by_sid["OnlyKnownReadDrift"]["Resource"] == drift
    assert "Resource" not in by_sid["OnlyPipelinesRead"]
    assert spared(by_sid["OnlyPipelinesRead"]) == [*builds, BREAK_GLASS]
    assert spared(by_sid["OnlyKnownReadDrift"]) == [
        *builds,
        f"{IAM}:role/gitops-drift-scan",
        f"{IAM}:role/platform",
        f"{IAM}:user/auditor",
        BREAK_GLASS,
    ]
    assert all("drift" not in json.dumps(statement) for statement in seal.artifact_bucket(foundation(), []))


OWNING = {"removal": True, "scope": {"account": True}, "types": ["aws_instance", "aws_iam_role"]}
SCAN, ACT, MOVE = (f"{IAM}:role/gitops-drift-{part}" for part in ("scan", "act", "pipeline"))


def test_what_looks_for_drift_writes_what_is_kept_about_it_and_no_state(foundation: Make) -> None:
    shared = foundation(drift=OWNING)
    by_sid = {statement["Sid"]: statement for statement in seal.state_bucket(shared, [])}
    bucket = names.bucket_arn(shared, shared["state_bucket"])
    kept, source = f"{bucket}/gitops-drift/*", f"{bucket}/gitops-drift/source/source.zip"
    known = f"{bucket}/gitops-known/*"

    builds = [f"{IAM}:role/gitops-*-apply", f"{IAM}:role/gitops-*-plan"]
    # Its locks are taken by who acts; nobody but applies writes anything else.
    assert by_sid["OnlyBuildsWrite"]["NotResource"] == [bucket, known, kept]
    assert spared(by_sid["OnlyBuildsWrite"]) == [*builds, ACT, BREAK_GLASS]
    assert by_sid["PlansOnlyLock"]["NotResource"] == [f"{bucket}/*.tflock", known, kept]
    assert spared(by_sid["PlansOnlyLock"]) == [builds[0], BREAK_GLASS]
    assert spared(by_sid["OnlyKnownRead"])[-4:] == [f"{IAM}:role/platform", SCAN, ACT, BREAK_GLASS]
    assert by_sid["OnlyKnownRead"]["NotResource"] == [f"{bucket}/*.tflock", source]
    assert (by_sid["OnlyDriftWrites"]["Resource"], by_sid["OnlyInstallersSource"]["Resource"]) == (kept, source)
    assert spared(by_sid["OnlyDriftWrites"]) == [SCAN, ACT, f"{IAM}:role/platform", BREAK_GLASS]
    assert spared(by_sid["OnlyInstallersSource"]) == [f"{IAM}:role/platform", BREAK_GLASS]


def test_no_build_of_a_stack_exchanges_what_the_pipeline_for_drift_runs(foundation: Make) -> None:
    shared = foundation(drift=OWNING, state_readers=["user/auditor"])
    by_sid = {statement["Sid"]: statement for statement in seal.artifact_bucket(shared, [])}
    bucket = names.bucket_arn(shared, shared["artifact_bucket"])

    central = f"{bucket}/gitops-drift/*"
    assert by_sid["OnlyPipelinesWrite"]["NotResource"] == [bucket, central]
    assert by_sid["OnlyDriftMoves"]["Resource"] == by_sid["OnlyKnownReadCentral"]["Resource"] == central
    assert spared(by_sid["OnlyDriftMoves"]) == [SCAN, ACT, MOVE, BREAK_GLASS]
    readers = [f"{IAM}:role/platform", f"{IAM}:user/auditor"]
    assert spared(by_sid["OnlyKnownReadCentral"]) == [SCAN, ACT, MOVE, *readers, BREAK_GLASS]


def test_locks_and_key_are_for_who_acts_only_where_removal_is_on(foundation: Make) -> None:
    for drift, roles in ((None, []), ({}, [SCAN]), (OWNING, [SCAN, ACT])):
        shared = foundation(drift=drift)
        (lock,) = [s for s in seal.lock_table(shared, [])["Statement"] if s["Sid"] == "OnlyBuildsLock"]
        (use,) = [s for s in seal.key(shared, [])["Statement"] if s["Sid"] == "OnlyKnownUse"]
        assert [one for one in spared(lock) if "drift" in one] == [one for one in roles if one == ACT]
        assert [one for one in spared(use) if "drift" in one] == roles


def test_locks_can_be_read_by_whom_iam_lets(foundation: Make) -> None:
    shared = foundation()
    (read,) = [s for s in seal.state_bucket(shared, []) if s["Sid"] == "OnlyKnownRead"]
    (use,) = [s for s in seal.key(shared, [])["Statement"] if s["Sid"] == "OnlyKnownUse"]

    bucket = names.bucket_arn(shared, shared["state_bucket"])
    assert read["NotResource"] == f"{bucket}/*.tflock"
    assert use["Condition"]["StringNotLike"] == {
        "kms:EncryptionContext:aws:s3:arn": f"{bucket}/*.tflock",
        "kms:EncryptionContext:aws:dynamodb:tableName": shared["lock_table"],
    }


# The break-glass role


def test_the_break_glass_role_takes_mfa_and_lasts_an_hour(foundation: Make) -> None:
    (role,) = break_glass.break_glass_roles(foundation(break_glass_principals=["user/alice"]))
    (trusted,) = role["assume_role_policy"]["Statement"]

    assert role["max_session_duration"] == 3600
    assert trusted["Principal"] == {"AWS": f"{IAM}:root"}
    assert trusted["Condition"] == {
        "Bool": {"aws:MultiFactorAuthPresent": "true"},
        "StringEquals": {"aws:RequestedRegion": "eu-central-1"},
        "ArnLike": {"aws:PrincipalArn": [f"{IAM}:user/alice"]},
    }


def test_a_break_glass_role_of_the_user_s_is_used_and_not_made(foundation: Make) -> None:
    shared = foundation(break_glass_role="role/emergency")

    assert break_glass.break_glass_roles(shared) == []
    assert spared(seal.state_bucket(shared, [])[0])[-1] == f"{IAM}:role/emergency"


@pytest.mark.parametrize("key", ["", "arn:aws:kms:eu-central-1:111122223333:key/made"])
def test_what_is_made_before_the_key_is_the_same_after_it(foundation: Make, key: str) -> None:
    before = foundation(kms_key_arn="")
    shared = {**before, "kms_key_arn": key}

    assert break_glass.break_glass_roles(shared) == break_glass.break_glass_roles(before)
    assert break_glass.managed_policies(shared, []) == break_glass.managed_policies(before, [])


# The build roles, people and organisations


def test_our_boundary_is_made_unless_the_user_has_one(foundation: Make) -> None:
    own = f"{IAM}:policy/theirs"

    assert [one["name"] for one in break_glass.managed_policies(foundation(), [])] == ["gitops-seal", "gitops-boundary"]
    assert [one["name"] for one in break_glass.managed_policies(foundation(permissions_boundary=own), [])] == [
        "gitops-seal"
    ]
    (bounded,) = [s for s in guardrails.seal_policy(foundation(), [])["Statement"] if s["Sid"] == "OnlyBounded"]
    assert bounded["Condition"] == {"StringNotEquals": {"iam:PermissionsBoundary": f"{IAM}:policy/gitops-boundary"}}
    (bounded,) = [
        s
        for s in guardrails.seal_policy(foundation(permissions_boundary=own), [])["Statement"]
        if s["Sid"] == "OnlyBounded"
    ]
    assert bounded["Condition"] == {"StringNotEquals": {"iam:PermissionsBoundary": own}}


def test_statements_that_are_put_together_deny_what_they_denied_apart(foundation: Make) -> None:
    shared = foundation()
    apart = guardrails.own_things(shared, [], guardrails.CHANGE_PIPELINES)
    policies = organisation.service_control_policies(shared, [])
    together = [one for name in ("scp_pipeline", "scp_identities") for one in json.loads(policies[name])["Statement"]]

    def denied(statements: list[dict[str, Any]]) -> set[tuple[str, str]]:
        return {
            (action, resource)
            for statement in statements
            for action in statement.get("Action", [])
            for resource in statement["Resource"]
            if action.split(":")[0].replace("sts", "iam") == resource.split(":")[2]
        }

    assert denied(together) == denied(apart)
    others = organisation.spared(shared)
    for statement in together:
        for operator, keys in others.items():
            assert statement["Condition"][operator].items() >= keys.items()


# Code in AWS itself

CODE = "arn:aws:codecommit:eu-central-1:111122223333:infrastructure"
OTHER = "arn:aws:codecommit:eu-central-1:111122223333:other"
BUCKET = "arn:aws:s3:::acme-code"
PUSHED = {"name": "pushed", "source": "codecommit", "repository": "infrastructure"}
PACKED = {
    "name": "packed",
    "source": "s3",
    "repository": None,
    "source_bucket": "acme-code",
    "source_key": "packed.zip",
}
OF_REPOSITORIES = {
    privilege["privilege"]: privilege["access_level"]
    for definition in iam_definition
    if definition["prefix"] == "codecommit"
    for privilege in definition["privileges"]
    if any(kind["resource_type"].startswith("repository") for kind in privilege["resource_types"])
}
# What changes a repository itself, not the code in it, and what pipelines read it with.
ADMINISTRATION = (
    "*Associate*",
    "*Template*",
    "*PullRequestApprovalRule",
    "*agResource*",
    "*UploadArchive",
    "CreateRepository",
    "DeleteRepository",
    "ListTagsForResource",
    "OverridePullRequestApprovalRules",
    "PutRepositoryTriggers",
    "TestRepositoryTriggers",
    "UpdateDefaultBranch",
    "UpdatePullRequestApprovalRuleContent",
    "UpdateRepository*",
)


def like(text: str, patterns: Any) -> bool:
    return any(fnmatch.fnmatchcase(text, one) for one in ([patterns] if isinstance(patterns, str) else patterns))


def said(document: dict[str, Any], effect: str, action: str, resource: str) -> bool:
    """Whether a statement of the policy says so of the action on the resource, its conditions left aside."""
    return any(
        (like(action, one["Action"]) if "Action" in one else not like(action, one["NotAction"]))
        and (like(resource, one["Resource"]) if "Resource" in one else not like(resource, one["NotResource"]))
        for one in document["Statement"]
        if one["Effect"] == effect
    )


@pytest.mark.parametrize("telling", [None, {"recipients": [{"email": "a@example.com"}]}])
@pytest.mark.parametrize("policy", [guardrails.seal_policy, guardrails.boundary_policy])
def test_code_in_aws_is_read_by_builds_and_written_by_none(
    policy: Any, telling: dict[str, Any] | None, foundation: Make, stack: Make
) -> None:
    shared = foundation(notifications=telling)
    document = policy(shared, [stack(), stack(**PUSHED), stack(**PACKED)])

    for action, level in OF_REPOSITORIES.items():
        reads = level in ("Read", "List") or action == "UploadArchive"
        read = reads and not action.startswith("Evaluate")  # which the shortness of the policy leaves out
        assert said(document, "Deny", f"codecommit:{action}", CODE) != read, action
        assert not said(document, "Deny", f"codecommit:{action}", OTHER)
    for action in ("PutObject", "PutObjectTagging", "DeleteObject", "DeleteObjectVersion", "ReplicateObject"):
        assert said(document, "Deny", f"s3:{action}", f"{BUCKET}/packed.zip")
        assert not said(document, "Deny", f"s3:{action}", f"{BUCKET}2/packed.zip")
    for action in ("PutBucketPolicy", "PutBucketVersioning", "PutReplicationConfiguration", "DeleteBucket"):
        assert said(document, "Deny", f"s3:{action}", BUCKET)
    for action, resource in (("GetObject", f"{BUCKET}/packed.zip"), ("ListBucket", BUCKET)):
        assert not said(document, "Deny", f"s3:{action}", resource)


@pytest.mark.parametrize("policy", [guardrails.seal_policy, guardrails.boundary_policy])
def test_stacks_that_share_their_source_lengthen_nothing(policy: Any, foundation: Make, stack: Make) -> None:
    shared = foundation()
    one = [stack(**PUSHED), stack(**PACKED)]
    more = [stack(**{**PUSHED, "name": "second"}), stack(**{**PACKED, "name": "third", "source_key": "third.zip"})]

    assert policy(shared, one) == policy(shared, [*one, *more])
    assert "Sources" not in [statement["Sid"] for statement in policy(shared, [stack()])["Statement"]]


def test_people_work_with_the_code_of_stacks_and_not_with_their_repositories(foundation: Make, stack: Make) -> None:
    shared, stacks = foundation(), [stack(), stack(**PUSHED), stack(**PACKED)]
    developer = guardrails.developer_policy(shared, stacks)
    people = json.loads(organisation.service_control_policies(shared, stacks)["scp_people"])

    for name in OF_REPOSITORIES:
        action, works = f"codecommit:{name}", not like(name, ADMINISTRATION)
        assert said(developer, "Allow", action, CODE) == works, name
        assert said(people, "Deny", action, CODE) != works, name
        assert not said(developer, "Allow", action, OTHER)
        assert said(people, "Deny", action, OTHER)
        assert not said(developer, "Deny", action, CODE)
    # Of an object the bucket's owner says who writes it.
    for action, resource in (("GetObject", f"{BUCKET}/packed.zip"), ("PutObject", f"{BUCKET}/packed.zip")):
        assert not said(developer, "Allow", f"s3:{action}", resource)
        assert not said(developer, "Deny", f"s3:{action}", resource)
    assert said(developer, "Allow", "codecommit:ListRepositories", "*")
    assert not said(people, "Deny", "codecommit:ListRepositories", "*")


def test_without_code_in_codecommit_people_push_nowhere(foundation: Make, stack: Make) -> None:
    shared, stacks = foundation(), [stack(), stack(**PACKED)]
    people = json.loads(organisation.service_control_policies(shared, stacks)["scp_people"])

    assert not said(guardrails.developer_policy(shared, stacks), "Allow", "codecommit:GitPush", CODE)
    assert said(people, "Deny", "codecommit:GitPush", CODE)
    assert len(people["Statement"]) == 1


def test_code_in_aws_is_never_a_finding_that_is_acted_on(foundation: Make, stack: Make) -> None:
    shared = foundation(drift={**OWNING, "types": ["aws_s3_bucket"]})
    stacks = [stack(**PUSHED), stack(**PACKED)]

    assert {CODE, BUCKET} <= set(protected_arns(shared, stacks))
    act = {"Statement": acting(shared, stacks)}
    for action in ("DeleteBucket", "PutBucketPolicy"):
        assert said(act, "Deny", f"s3:{action}", BUCKET)
        assert not said(act, "Deny", f"s3:{action}", f"{BUCKET}2")


def test_builds_are_tried_on_the_code_of_all_stacks_that_is_in_aws(foundation: Make, stack: Make) -> None:
    stacks = [stack(), stack(**{**PUSHED, "name": "a", "repository": "first"}), stack(**PUSHED), stack(**PACKED)]

    def tried(attacked: dict[str, Any], *all_stacks: dict[str, Any]) -> set[tuple[str, str, str]]:
        found = attempts.attempts(foundation(), attacked, stacks=list(all_stacks))
        return {
            (one["name"].partition(":")[0], one["actions"][0], one["resource"])
            for one in found
            if "that a stack r" in one["name"] and one["actions"][0] in ("codecommit:GitPush", "s3:PutObject")
        }

    def both(action: str, resource: str) -> set[tuple[str, str, str]]:
        return {(who, action, resource) for who in ("plan role", "apply role")}

    first, zipped = CODE.replace("infrastructure", "first"), both("s3:PutObject", f"{BUCKET}/packed.zip")
    assert tried(stacks[0], *stacks) == both("codecommit:GitPush", first) | zipped
    assert tried(stacks[2], *stacks) == both("codecommit:GitPush", CODE) | zipped  # its own before that of others
    assert tried(stacks[3]) == zipped
    assert tried(stacks[0], stacks[0]) == set()


def test_every_attempt_has_a_name_of_its_own(foundation: Make, stack: Make) -> None:
    stacks = [stack(**PUSHED), stack(**PACKED)]
    found = [one["name"] for one in attempts.attempts(foundation(), stack(pull_requests=True), stacks=stacks)]

    assert len(found) == len(set(found)) > 25


def test_real_developers_are_tried_with_what_they_have(foundation: Make, stack: Make) -> None:
    found = attempts.attempts(foundation(), stack(), ["role/Developers"])
    tried = [one for one in found if one["principal"] == f"{IAM}:role/Developers"]

    assert len(tried) > 10
    assert {one["hypothetical"] for one in tried} == {False}
    assert {one["permissions_boundary"] for one in tried} == {None}
    assert not [one for one in found if one["name"].startswith("developer: ")]


@pytest.mark.parametrize(
    ("answer", "observed"),
    [
        ({"allowed": [], "missing": False}, "refused"),
        ({"allowed": ["s3:PutObject"], "missing": False}, "GOT THROUGH"),
        ({"allowed": [], "missing": True}, "NOT THERE"),
    ],
)
def test_what_came_of_an_attempt(answer: dict[str, Any], observed: str) -> None:
    (line,) = verdicts.simulated([{"name": "plan role: write the state", "decided_by": ["x"], **answer}])

    assert (line["who"], line["what"], line["observed"]) == ("plan role", "write the state", observed)


@pytest.mark.parametrize(("allowed", "observed"), [(["s3:PutObject"], "allowed"), ([], "REFUSED")])
def test_own_work_must_be_allowed(allowed: list[str], observed: str) -> None:
    name = f"apply role: {attempts.OWN_WORK}write the state"
    (line,) = verdicts.simulated([{"name": name, "decided_by": [], "allowed": allowed, "missing": False}])

    assert (line["expected"], line["observed"]) == ("allowed", observed)


def test_what_a_refusal_may_hang_on_is_said() -> None:
    answer = {"name": "a: b", "decided_by": ["x"], "allowed": [], "missing": False, "unknown_keys": ["aws:SourceVpce"]}

    assert verdicts.simulated([answer])[0]["by"] == "x (which also asks for aws:SourceVpce)"


@pytest.mark.parametrize(
    ("authors", "approval", "differing", "observed"),
    [
        ({"a@example.com": "user/a"}, True, [], ["refused", "refused"]),
        ({}, True, [], ["refused", "open"]),
        ({"a@example.com": "user/a"}, False, [], ["refused", "open"]),
        ({"a@example.com": "user/a"}, True, ["gitops-network-apply"], ["GOT THROUGH", "GOT THROUGH"]),
        ({}, True, ["gitops-network"], ["GOT THROUGH", "open"]),
    ],
)
def test_what_the_builds_refuse(
    foundation: Make, stack: Make, authors: dict[str, str], approval: bool, differing: list[str], observed: list[str]
) -> None:
    lines = verdicts.settled({**foundation(), "authors": authors}, stack(approval=approval), differing)

    assert [lines[0]["observed"], lines[-1]["observed"]] == observed
    assert all(name in lines[0]["by"] for name in differing)


def test_what_belongs_to_others_is_left_open_and_not_tried(foundation: Make, stack: Make) -> None:
    shared = foundation(state_bucket="theirs", create_state_bucket=False, kms_key_arn="")
    made = {**shared, "kms_key_arn": "arn:aws:kms:eu-central-1:111122223333:key/made"}

    tried = [one for one in attempts.attempts(made, stack()) if one.get("policy_of", {}).get("name") == "theirs"]
    assert {one["name"].partition(":")[0] for one in tried} <= {"plan role", "apply role"}
    assert [line["what"] for line in verdicts.left_open(made)][2:] == ["get at theirs"]
    assert {line["observed"] for line in verdicts.left_open(made)} == {"open"}


def test_who_would_be_locked_out_is_told_with_the_reason() -> None:
    refused = lockout.refused_checks(
        [
            {
                "name": "caller: change the state bucket's policy",
                "principal": "a",
                "allowed": ["x"],
                "missing": False,
                "decisions": {"x": "allowed"},
            },
            {
                "name": "caller: change the key's policy",
                "principal": "a",
                "allowed": [],
                "missing": False,
                "decisions": {"kms:PutKeyPolicy": "explicitDeny"},
                "decided_by": ["the resource's policy"],
            },
            {"name": "b: exist", "principal": "b", "allowed": [], "missing": True, "decisions": {}},
            {"name": "c: exist", "principal": "c", "allowed": [], "missing": False, "decisions": {}},
        ]
    )

    assert refused == [
        "a could not change the key's policy: the resource's policy denies it",
        "b does not exist",
    ]


def test_who_is_not_spared_yet_is_told_who_must_add_him() -> None:
    answer = {
        "name": f"caller: {lockout.AS_IT_IS}",
        "principal": "b",
        "allowed": [],
        "decided_by": [],
        "missing": False,
    }

    (told,) = lockout.refused_checks([{**answer, "decisions": {"s3:PutBucketPolicy": "explicitDeny"}}])
    assert "one of them must add b to the installers" in told
    # On the first run there is no bucket, and without a policy there is nothing to be spared by.
    for other in ({"missing": True}, {"decisions": {"s3:PutBucketPolicy": "implicitDeny"}}):
        assert lockout.refused_checks([{**answer, "decisions": {"x": "explicitDeny"}, **other}]) == []


def test_everybody_who_is_named_must_be_there(foundation: Make, stack: Make) -> None:
    shared = foundation(
        installers=["role/platform", "role/aws-reserved/*/Admin_*"],
        state_readers=["user/auditor", "arn:aws:iam::444455556666:role/other"],
        break_glass_principals=["user/alice"],
    )
    named = stack(pipeline_role_arn=f"{IAM}:role/theirs")
    policies: dict[str, Any] = {"state_bucket": {}, "lock_table": {}, "key": {}}
    asked = [
        check["principal"]
        for check in lockout.seal_checks(shared, [named], policies, False)
        if check["name"].endswith(f": {lockout.EXIST}")
    ]

    assert sorted(asked) == [f"{IAM}:role/platform", f"{IAM}:role/theirs", f"{IAM}:user/alice", f"{IAM}:user/auditor"]


def test_what_is_asked_whatever_is_attached(foundation: Make, stack: Make) -> None:
    """Who is missing, and roles that may not write: neither needs a policy to change."""
    shared = foundation(installers=["role/platform"])
    named = stack(apply_role_arn=f"{IAM}:role/theirs", plan_role_arn=f"{IAM}:role/theirs")
    policies: dict[str, Any] = {"state_bucket": {}, "lock_table": {}, "key": {}}
    checks = lockout.seal_checks(shared, [named], policies, False)

    always = [check["name"].partition(": ")[2] for check in checks if check.get("always")]
    state = named["state_key"]
    assert always == [lockout.EXIST, lockout.EXIST, f"write {state}", f"write {state}.tflock"]
    assert all(check.get("only_exists", False) == check["name"].endswith(lockout.EXIST) for check in checks)
    made = lockout.seal_checks(shared, [named], policies, True)
    assert not any(check.get("always") for check in made)


@pytest.mark.parametrize(
    ("settings", "kinds"),
    [
        ({}, ["bucket", "table", "key"]),
        ({"locking": ["lockfile"]}, ["bucket", "key"]),
        ({"state_bucket": "theirs", "create_state_bucket": False}, ["table", "key"]),
        ({"lock_table": "theirs", "create_lock_table": False}, ["bucket", "key"]),
        ({"kms_key_arn": KEY}, ["bucket", "table"]),
    ],
)
def test_every_policy_that_is_asked_about_is_compared(foundation: Make, settings: Any, kinds: list[str]) -> None:
    shared = {**foundation(**{"kms_key_arn": None, **settings})}
    shared["kms_key_arn"] = shared["named_key_arn"] or "arn:aws:kms:eu-central-1:111122223333:key/found"
    policies = {part: {"Sid": part} for part in ("state_bucket", "lock_table", "key")}

    found = lockout.seal_attachments(shared, policies)

    assert [one["kind"] for one in found] == kinds
    asked = [check["resource_policy"] for check in lockout.seal_checks(shared, [], policies, True)]
    assert [one["policy"] for one in found] == asked
    on = [check["resource"] for check in lockout.seal_checks(shared, [], policies, True)]
    assert [one["name"] for one in found] == [arn.removeprefix("arn:aws:s3:::") for arn in on]


def test_a_key_that_is_yet_to_be_made_has_no_name(foundation: Make) -> None:
    policies: dict[str, Any] = {"state_bucket": {}, "lock_table": {}, "key": {}}
    shared = {**foundation(kms_key_arn=None), "kms_key_arn": ""}

    assert lockout.seal_attachments(shared, policies)[-1] == {"kind": "key", "name": "", "policy": {}}


def test_a_policy_that_organisations_do_not_take_is_refused(foundation: Make) -> None:
    with pytest.raises(ValueError, match=r"scp_[a-z]+ has \d+ characters, and AWS Organizations takes 5120"):
        organisation.service_control_policies(foundation(installers=[f"role/{'x' * 60}-{n}" for n in range(40)]), [])


def test_who_is_named_in_the_settings_may_take_the_break_glass_role_as_a_developer(foundation: Make) -> None:
    named = guardrails.developer_policy(foundation(break_glass_principals=["user/alice"]), [])

    assert [s["Action"] for s in named["Statement"] if s["Effect"] == "Allow" and "sts:AssumeRole" in s["Action"]]
    denied = [s for s in named["Statement"] if s["Effect"] == "Deny" and "sts:AssumeRole" in s.get("Action", [])]
    assert not [one for s in denied for one in s["Resource"] if one == BREAK_GLASS]
