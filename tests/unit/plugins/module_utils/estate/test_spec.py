# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bad input gets: a message that names the key, the value and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.gitops.aws.plugins.module_utils._estate import drift_settings, spec

REGIONS = ["ap-southeast-1", "eu-central-1", "eu-central-2", "us-east-1"]
ACCOUNT = "111122223333"
SETTINGS = {"region": "eu-central-1", "connection": "github", "installers": ["role/platform"]}
STACK = {"name": "network", "repository": "acme/infrastructure"}
READ = {"Effect": "Allow", "Action": "ec2:Describe*", "Resource": "*"}
DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}


def problems(settings: Any = None, stacks: Any = None) -> list[str]:
    return spec.check(SETTINGS if settings is None else settings, [] if stacks is None else stacks, REGIONS)[2]


def of_settings(**values: Any) -> list[str]:
    return problems({**SETTINGS, **values})


def of_stack(**values: Any) -> list[str]:
    return problems(stacks=[{**STACK, **values}])


# The whole


def test_the_least_input_is_enough_and_gets_every_default() -> None:
    settings, stacks, found = spec.check(SETTINGS, [STACK], REGIONS)

    assert found == []
    assert set(settings) == set(spec.SETTINGS)
    assert set(stacks[0]) == set(spec.STACK)
    assert settings["name"] == "gitops"
    assert settings["locking"] == ["dynamodb", "lockfile"]
    assert settings["create_state_bucket"] is True
    assert stacks[0]["branch"] == "main"
    assert stacks[0]["path"] == "."
    assert stacks[0]["approval"] is True
    assert stacks[0]["credentials"] == "role"
    assert stacks[0]["state_key"] == "network/terraform.tfstate"
    assert stacks[0]["image"] == "hashicorp/terraform:1.11.4"
    assert stacks[0]["access_key_id_parameter"] == "/gitops/network/AWS_ACCESS_KEY_ID"
    assert stacks[0]["secret_access_key_parameter"] == "/gitops/network/AWS_SECRET_ACCESS_KEY"


def test_what_is_given_wins_over_defaults() -> None:
    values = {
        "terraform_version": "1.12.0",
        "image": "registry.example.com/terraform:1.12.0",
        "state_key": "states/network.tfstate",
        "credentials": "parameter_store",
        "access_key_id_parameter": "/keys/id",
        "secret_access_key_parameter": "/keys/secret",
    }
    _settings, stacks, found = spec.check({**SETTINGS, "name": "acme"}, [{**STACK, **values}], REGIONS)

    assert found == []
    assert {key: stacks[0][key] for key in values} == values


def test_the_result_can_be_fed_back() -> None:
    once = spec.check(SETTINGS, [STACK], REGIONS)

    assert spec.check(once[0], once[1], REGIONS) == once


def test_a_key_without_a_value_is_as_if_not_given() -> None:
    assert spec.check(
        {**SETTINGS, "tags": None}, [{**STACK, "branch": None, "variables": None}], REGIONS
    ) == spec.check(SETTINGS, [STACK], REGIONS)


def test_everything_that_is_wrong_is_reported_at_once_and_nothing_twice() -> None:
    found = problems({"regoin": "eu-central-1"}, [{"name": "Network"}, {**STACK, "branch": "a..b"}])

    assert [message.split(": ")[0] for message in found] == [
        "settings.regoin",
        "settings.region",
        "stacks[0] (Network).repository",
        "stacks[1] (network).branch",
    ]


@pytest.mark.parametrize("value", [None, 5, "text", ["a"]])
def test_settings_that_are_no_dictionary(value: Any) -> None:
    assert spec.check(value, [], REGIONS)[2] == [f"settings: {value!r} must be a dictionary"]


@pytest.mark.parametrize("value", [None, 5, "text", {"a": 1}])
def test_stacks_that_are_no_list(value: Any) -> None:
    assert spec.check(SETTINGS, value, REGIONS)[2] == [f"stacks: {value!r} must be a list"]


def test_a_stack_that_is_no_dictionary() -> None:
    assert problems(stacks=["network"]) == ["stacks[0]: 'network' must be a dictionary"]


# Keys


def test_an_unknown_key_is_named_with_the_nearest_that_exists() -> None:
    (found,) = of_stack(branhc="main")

    assert found.startswith("stacks[0] (network).branhc: unknown key; did you mean branch? Allowed are: access_key_id_")
    assert "terraform_version" in found


def test_an_unknown_key_like_no_other_gets_no_suggestion() -> None:
    (found,) = of_settings(zzz=1)

    assert found.startswith("settings.zzz: unknown key. Allowed are: alarm_emails, artifact_bucket, ")


def test_a_key_that_is_no_text() -> None:
    (found,) = problems({**SETTINGS, 5: 1})

    assert found.startswith("settings.5: unknown key.")


@pytest.mark.parametrize("key", ["name", "repository"])
def test_what_a_stack_must_have(key: str) -> None:
    (found,) = problems(stacks=[{name: value for name, value in STACK.items() if name != key}])

    assert found.endswith(f".{key}: must be given, a text")


def test_the_region_must_be_given() -> None:
    assert problems({"connection": "github"}) == ["settings.region: must be given, a text"]


# Types and choices


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("tags", "owner", "a dictionary"),
        ("create_lock_table", "maybe", "true or false"),
        ("name", ["gitops"], "a text"),
        ("connection", {"name": "github"}, "a text"),
        ("locking", ["redis"], "a list of dynamodb, lockfile"),
        ("locking", "redis", "a list of dynamodb, lockfile"),
        ("connection_provider", "Gitea", f"one of {', '.join(spec.SETTINGS['connection_provider']['choices'])}"),
        ("state_bucket_policy_statements", "x", "a list of dictionaries"),
        ("state_bucket_policy_statements", [5], "a list of dictionaries"),
    ],
)
def test_settings_of_a_wrong_type(key: str, value: Any, allowed: str) -> None:
    assert of_settings(**{key: value}) == [f"settings.{key}: {value!r} is not allowed; allowed is {allowed}"]


def test_a_retention_that_cloudwatch_does_not_know() -> None:
    (found,) = of_settings(log_retention_in_days=42)

    assert found.startswith("settings.log_retention_in_days: 42 is not allowed; allowed is one of 0, 1, 3, 5, 7, ")


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("approval", "maybe", "true or false"),
        ("trigger", [], "true or false"),
        ("timeout_in_minutes", "1h", "a whole number"),
        ("variables", ["a"], "a dictionary"),
        ("image", ["hashicorp/terraform"], "a text"),
        ("access_keys_csv", {"a": "b"}, "the path of a file"),
        ("credentials", "vault", "one of role, assume_role, parameter_store"),
        ("plan_permissions", {"Effect": "Allow"}, "a list of dictionaries"),
        ("plan_managed_policies", [{"a": 1}], "a list of texts"),
    ],
)
def test_values_of_a_stack_of_a_wrong_type(key: str, value: Any, allowed: str) -> None:
    assert of_stack(**{key: value}) == [f"stacks[0] (network).{key}: {value!r} is not allowed; allowed is {allowed}"]


def test_a_compute_type_that_cannot_run_the_image() -> None:
    (found,) = of_stack(compute_type="BUILD_LAMBDA_1GB")

    assert found.startswith(
        "stacks[0] (network).compute_type: 'BUILD_LAMBDA_1GB' is not allowed; allowed is one of BUILD_G"
    )


# Values of settings


def test_a_misspelt_region_is_answered_with_those_near_it() -> None:
    (found,) = of_settings(region="eu-centrl-1")

    assert found == (
        "settings.region: 'eu-centrl-1' is no AWS region; near it are eu-central-1, eu-central-2, us-east-1. "
        "Allowed is a name like eu-central-1"
    )


def test_a_region_like_no_other() -> None:
    assert of_settings(region="0") == ["settings.region: '0' is no AWS region. Allowed is a name like eu-central-1"]


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("name", "Gitops", "a-z, 0-9 and single hyphens"),
        ("name", "", "a-z, 0-9 and single hyphens"),
        ("name", "git ops", "a-z, 0-9 and single hyphens"),
        ("name", "git--ops", "a-z, 0-9 and single hyphens"),
        ("name", "gitops\n", "a-z, 0-9 and single hyphens"),
        ("name", "1gitops", "beginning with a letter"),
        ("kms_key_arn", "alias/gitops", "the full ARN of a key"),
        ("kms_key_arn", f"arn:aws:kms:eu-central-1:{ACCOUNT}:alias/gitops", "the full ARN of a key"),
        ("lock_table", "a", "3 to 255 of"),
        ("lock_table", "lock table", "3 to 255 of"),
        ("connection_arn", "github", "a connection's ARN"),
        ("connection_arn", f"arn:aws:codebuild:eu-central-1:{ACCOUNT}:project/x", "a connection's ARN"),
        ("permissions_boundary", "boundary", "a managed policy's ARN"),
        ("permissions_boundary", f"arn:aws:iam::{ACCOUNT}:role/boundary", "a managed policy's ARN"),
        ("tags", {"aws:owner": "x"}, "not aws:"),
        ("tags", {"": "x"}, "a key of up to 128"),
        ("tags", {"k" * 129: "x"}, "a key of up to 128"),
    ],
)
def test_values_of_settings_that_aws_would_refuse(key: str, value: Any, allowed: str) -> None:
    (found,) = of_settings(**{key: value})

    shown = next(iter(value)) if isinstance(value, dict) else value
    assert found.startswith(f"settings.{key}: {shown!r} is not allowed; allowed is ")
    assert allowed in found


@pytest.mark.parametrize("value", ["x" * 257, "a#b", {"a": 1}, ["a"], None])
def test_values_of_tags_that_aws_would_refuse(value: Any) -> None:
    (found,) = of_settings(tags={"owner": value})

    assert found.startswith(f"settings.tags.owner: {value!r} is not allowed; allowed are up to 256 letters, digits")
    assert of_stack(tags={"owner": value})[0].startswith(f"stacks[0] (network).tags.owner: {value!r} is not allowed")


@pytest.mark.parametrize("value", ["", "platform team", 5, True, "größe"])
def test_values_of_tags_that_aws_takes(value: Any) -> None:
    assert of_settings(tags={"owner": value}) == []


@pytest.mark.parametrize("key", ["state_bucket", "artifact_bucket"])
def test_a_bucket_name_that_s3_would_refuse(key: str) -> None:
    (found,) = of_settings(**{key: "My_Bucket"})

    assert found.startswith(f"settings.{key}: 'My_Bucket' is no valid bucket name: 3 to 63 characters")


def test_one_bucket_for_both_purposes() -> None:
    assert of_settings(state_bucket="acme", artifact_bucket="acme") == [
        "settings.artifact_bucket: 'acme' is also the state bucket; they must differ"
    ]


@pytest.mark.parametrize("key", ["state_bucket", "artifact_bucket", "lock_table"])
def test_what_is_not_created_must_be_named(key: str) -> None:
    assert of_settings(**{f"create_{key}": False}) == [f"settings.{key}: must be given, because create_{key} is false"]
    assert of_settings(**{f"create_{key}": False, key: "acme-shared"}) == []


def test_a_state_without_a_lock() -> None:
    assert of_settings(locking=[]) == [
        "settings.locking: [] leaves the state without a lock; allowed are dynamodb, lockfile or both"
    ]


@pytest.mark.parametrize(("region", "longest"), [("eu-central-1", 27), ("ap-southeast-1", 25)])
def test_names_of_buckets_must_fit_what_they_are_made_of(region: str, longest: int) -> None:
    made = f"{'a' * longest}-{ACCOUNT}-{region}-artifacts"
    assert len(made) == 63

    assert of_settings(region=region, name="a" * longest) == []
    too_long = {"region": region, "name": "a" * (longest + 1)}
    (found,) = of_settings(**too_long)
    assert found.startswith(
        f"settings.name: '{'a' * (longest + 1)}' has {longest + 1} characters; at most {longest} are"
    )
    assert of_settings(**too_long, state_bucket="acme-state", artifact_bucket="acme-artifacts") == []


def test_a_connection_must_be_given_by_name_or_arn() -> None:
    (found,) = problems({"region": "eu-central-1", "installers": ["role/platform"]}, [STACK])

    assert found.startswith("settings.connection: must be given")
    arn = f"arn:aws:codestar-connections:eu-central-1:{ACCOUNT}:connection/4dfa8f62"
    assert problems({"region": "eu-central-1", "connection_arn": arn, "sealed": False}, [STACK]) == []


CODECOMMIT = {"name": "network", "source": "codecommit", "repository": "infrastructure"}
PACKED = {"name": "network", "source": "s3", "source_bucket": "acme-code", "source_key": "network/source.zip"}


@pytest.mark.parametrize("stacks", [[CODECOMMIT], [PACKED], [PACKED, {**CODECOMMIT, "name": "dns"}]])
def test_code_in_aws_itself_needs_no_connection(stacks: list[Any]) -> None:
    assert problems({**SETTINGS, "connection": None}, stacks) == []


@pytest.mark.parametrize("stacks", [[], [PACKED, {**STACK, "name": "dns"}], [PACKED, "dns"]])
def test_other_code_needs_one(stacks: list[Any]) -> None:
    assert "settings.connection: must be given" in "; ".join(problems({**SETTINGS, "connection": None}, stacks))


def test_the_branch_is_main_but_of_an_object() -> None:
    branches = [spec.check(SETTINGS, [stack], REGIONS)[1][0]["branch"] for stack in (STACK, CODECOMMIT, PACKED)]

    assert branches == ["main", "main", ""]


@pytest.mark.parametrize(
    ("stack", "changed", "key", "why"),
    [
        (PACKED, {"repository": "acme/infrastructure"}, "repository", "is of no use with source s3"),
        (PACKED, {"branch": "main"}, "branch", "is of no use with source s3"),
        (PACKED, {"trigger_paths": ["modules/**"]}, "trigger_paths", "EventBridge knows no paths"),
        (PACKED, {"pull_requests": True}, "pull_requests", "CodeBuild listens to pull requests at Git hosts only"),
        (PACKED, {"source_bucket": None}, "source_bucket", "must be given"),
        (PACKED, {"source_bucket": "Code"}, "source_bucket", "Code"),
        (PACKED, {"source_key": None}, "source_key", "must be given"),
        (PACKED, {"source_key": "/source.zip"}, "source_key", "a key such as network/source.zip"),
        (PACKED, {"source_key": "*.zip"}, "source_key", "a key such as network/source.zip"),
        (PACKED, {"source_key": "k" * 251}, "source_key", "at most 250"),
        (CODECOMMIT, {"source_key": "source.zip"}, "source_key", "is of no use with source codecommit"),
        (CODECOMMIT, {"trigger_paths": ["modules/**"]}, "trigger_paths", "EventBridge knows no paths"),
        (CODECOMMIT, {"pull_requests": True}, "pull_requests", "CodeBuild listens to pull requests at Git hosts only"),
        (CODECOMMIT, {"repository": "acme/infrastructure"}, "repository", "the name of a repository in CodeCommit"),
        (CODECOMMIT, {"repository": "infrastructure.git"}, "repository", "the name of a repository in CodeCommit"),
        (CODECOMMIT, {"repository": None}, "repository", "must be given"),
        (STACK, {"source_bucket": "acme-code"}, "source_bucket", "is of no use with source connection"),
        (STACK, {"source": "git"}, "source", "one of connection, codecommit, s3"),
    ],
)
def test_what_a_source_cannot_have(stack: dict[str, Any], changed: dict[str, Any], key: str, why: str) -> None:
    (found,) = problems(stacks=[{**stack, **changed}])

    assert found.startswith(f"stacks[0] (network).{key}: ")
    assert why in found


@pytest.mark.parametrize(
    ("bucket", "settings"),
    [
        ("acme-code", {"artifact_bucket": "acme-code"}),
        ("gitops-111122223333-eu-central-1-state", {}),
        ("gitops-444455556666-eu-central-1-artifacts", {"state_bucket": "another"}),
    ],
)
def test_the_source_is_no_bucket_of_the_estate(bucket: str, settings: dict[str, Any]) -> None:
    (found,) = problems({**SETTINGS, **settings}, [{**PACKED, "source_bucket": bucket}])

    assert found == f"stacks[0] (network).source_bucket: {bucket!r} is a bucket of the estate; they must differ"


@pytest.mark.parametrize(
    "bucket",
    [
        "gitops-111122223333-eu-west-1-state",
        "gitops-11112222333-eu-central-1-state",
        "gitops-111122223333-eu-central-1-source",
        "other-111122223333-eu-central-1-state",
        "my-gitops-111122223333-eu-central-1-state",
    ],
)
def test_the_source_may_be_called_nearly_like_a_bucket_of_the_estate(bucket: str) -> None:
    assert problems(stacks=[{**PACKED, "source_bucket": bucket}]) == []


def test_nobody_knows_the_author_of_an_object() -> None:
    settings = {**SETTINGS, "authors": {"alice@acme.com": "user/alice"}}

    assert problems(settings, [CODECOMMIT]) == []
    (found,) = problems(settings, [PACKED])
    assert found.startswith("stacks[0] (network).source: 's3' is not allowed where settings.authors are")


def test_an_object_comes_after_nothing_and_nothing_of_another_source_after_a_repository() -> None:
    found = problems(stacks=[{**PACKED, "after": ["dns"]}, {**PACKED, "name": "dns", "source_key": "dns.zip"}])
    assert "stacks[0] (network).after: is of no use with source s3: no version of an object says" in found[0]

    other = {**STACK, "name": "dns", "repository": "infra/structure"}
    (found_one,) = problems(stacks=[{**CODECOMMIT, "after": ["dns"]}, other])
    assert "is of another repository or branch" in found_one
    assert problems(stacks=[{**CODECOMMIT, "after": ["dns"]}, {**CODECOMMIT, "name": "dns"}]) == []


def test_a_connection_name_that_is_too_long() -> None:
    assert of_settings(connection="c" * 32) == []
    assert of_settings(connection="c" * 33) == [
        f"settings.connection: '{'c' * 33}' has more than 32 characters; at most 32 are allowed"
    ]


@pytest.mark.parametrize("key", ["kms_key_arn", "connection_arn", "permissions_boundary", "lock_table", "state_bucket"])
def test_an_empty_setting_is_none(key: str) -> None:
    assert of_settings(**{key: ""}) == []


# Values of stacks


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("name", "Network", "a-z, 0-9 and single hyphens"),
        ("name", "net work", "a-z, 0-9 and single hyphens"),
        ("name", "net-", "a-z, 0-9 and single hyphens"),
        ("repository", "infrastructure", "owner/name"),
        ("repository", "", "owner/name"),
        ("repository", "https://git.example.com/acme/infrastructure", "owner/name"),
        ("repository", "acme/infrastrüctur", "owner/name"),
        ("branch", "", "a branch name"),
        ("branch", "a..b", "a branch name"),
        ("branch", "a b", "a branch name"),
        ("branch", "feature/", "a branch name"),
        ("branch", "/main", "a branch name"),
        ("branch", "release*", "a branch name"),
        ("branch", "main.lock", "a branch name"),
        ("branch", "-main", "a branch name"),
        ("branch", "a/.b", "a branch name"),
        ("branch", "b" * 256, "a branch name"),
        ("path", "/network", "a folder inside the repository"),
        ("path", "../network", "a folder inside the repository"),
        ("path", "a/../../b", "a folder inside the repository"),
        ("path", "network/..", "a folder inside the repository"),
        ("path", "stacks/*", "a folder inside the repository"),
        ("path", "p" * 251, "a folder inside the repository"),
        ("path", "a|b", "a folder inside the repository"),
        ("policy_path", "../policies", "a folder inside the repository"),
        ("terraform_version", "1.11", "a full version of terraform such as 1.11.4"),
        ("terraform_version", "latest", "a full version of terraform such as 1.11.4"),
        ("terraform_version", "1.9.8", "1.11.0 or newer"),
        ("terraform_version", "0.12.0", "1.11.0 or newer"),
        ("state_key", "/network.tfstate", "an object's key"),
        ("state_key", "network/", "an object's key"),
        ("state_key", "a'b", "an object's key"),
        ("state_key", "a/*", "an object's key"),
        ("plan_role_arn", "plan", "a role's ARN"),
        ("apply_role_arn", f"arn:aws:iam::{ACCOUNT}:user/apply", "a role's ARN"),
        ("pipeline_role_arn", "arn:aws:iam::1111:role/x", "a role's ARN"),
        ("pipeline_role_arn", "arn:aws:iam::１１１１２２２２３３３３:role/x", "a role's ARN"),  # noqa: RUF001
    ],
)
def test_values_of_a_stack_that_cannot_work(key: str, value: str, allowed: str) -> None:
    (found,) = of_stack(**{key: value})

    assert f".{key}: {value!r} is not allowed; allowed is " in found
    assert allowed in found


@pytest.mark.parametrize("branch", ["main", "feature/x-1", "release_1.2", "user@host", "b" * 255])
def test_branches_that_git_takes(branch: str) -> None:
    assert of_stack(branch=branch) == []


@pytest.mark.parametrize("repository", ["acme/infrastructure", "group/sub-group/project.x", "a_b/c-d"])
def test_repositories_as_git_hosts_name_them(repository: str) -> None:
    assert of_stack(repository=repository) == []


@pytest.mark.parametrize(
    "values",
    [
        {
            "plan_role_arn": f"arn:aws:iam::{ACCOUNT}:role/plan",
            "apply_role_arn": f"arn:aws-cn:iam::{ACCOUNT}:role/a/b_c",
        },
        {"pipeline_role_arn": f"arn:aws-us-gov:iam::{ACCOUNT}:role/path/x+=,.@-y"},
        {"variables": {"name": 1, "_a1": 2, "x": 3}},
        {"terraform_version": "1.11.0"},
        {"terraform_version": "2.0.0-beta1"},
        {"state_key": "a/b-c/d_e+f=g@h.tfstate"},
        {"timeout_in_minutes": 5},
        {"timeout_in_minutes": 2160},
        {"path": "p" * 250},
        {"credentials": "parameter_store", "access_key_id_parameter": "id", "secret_access_key_parameter": "/a/b.c_d"},
    ],
)
def test_values_of_a_stack_that_work(values: dict[str, Any]) -> None:
    assert of_stack(**values) == []


@pytest.mark.parametrize(
    "values",
    [
        {"kms_key_arn": f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55"},
        {"kms_key_arn": f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/mrk-1f0b1e7a2a3c4f579a520f2f5d3f1c55"},
        {"permissions_boundary": f"arn:aws:iam::{ACCOUNT}:policy/teams/boundary"},
        {"permissions_boundary": "arn:aws:iam::aws:policy/PowerUserAccess"},
        {"lock_table": "a.b"},
        {"lock_table": "Lock_table-1" + "x" * 243},
        {"state_bucket": "acme.state", "artifact_bucket": "acme-artifacts"},
        {"name": "a"},
        {"name": "a1-b2-3"},
        {"log_retention_in_days": 0},
    ],
)
def test_values_of_settings_that_work(values: dict[str, Any]) -> None:
    assert of_settings(**values) == []


def test_a_version_that_yaml_reads_as_a_number() -> None:
    assert of_stack(terraform_version=1.11)[0].startswith(
        "stacks[0] (network).terraform_version: '1.11' is not allowed"
    )


@pytest.mark.parametrize(("given_path", "path"), [("./network/", "network"), ("a//b", "a/b"), ("", "."), ("./", ".")])
def test_a_path_has_one_spelling(given_path: str, path: str) -> None:
    _settings, stacks, found = spec.check(SETTINGS, [{**STACK, "path": given_path}], REGIONS)

    assert found == []
    assert stacks[0]["path"] == path


@pytest.mark.parametrize("minutes", [4, 2161, -1])
def test_a_timeout_that_codebuild_refuses(minutes: int) -> None:
    assert of_stack(timeout_in_minutes=minutes) == [
        f"stacks[0] (network).timeout_in_minutes: {minutes} is not between 5 and 2160"
    ]


@pytest.mark.parametrize("minutes", [4, 10081])
def test_an_approval_must_not_outlive_the_plan(minutes: int) -> None:
    assert of_stack(approval_timeout_in_minutes=minutes) == [
        f"stacks[0] (network).approval_timeout_in_minutes: {minutes} is not between 5 and 10080"
    ]


@pytest.mark.parametrize("version", ["1.10.1", "1.9.0", "1.10"])
def test_an_opentofu_that_does_not_encrypt_its_lock_file(version: str) -> None:
    assert of_stack(engine="opentofu", terraform_version="1.10.2") == []
    (found,) = of_stack(engine="opentofu", terraform_version=version)
    assert found.endswith("allowed is a full version of opentofu such as 1.10.6, 1.10.2 or newer")


@pytest.mark.parametrize("pattern", ["/shared/**", "../x", "", "a|b", ":(top)x", "a[b]", "a{b,c}"])
def test_paths_that_are_no_patterns(pattern: str) -> None:
    assert of_stack(trigger_paths=["modules/**", pattern])[0].startswith(
        f"stacks[0] (network).trigger_paths: {pattern!r} is not allowed; allowed is a pattern of paths"
    )


def test_the_region_of_a_stack_s_resources() -> None:
    (found,) = of_stack(aws_region="eu-cental-1")
    assert found.startswith("stacks[0] (network).aws_region: 'eu-cental-1' is no AWS region; near it are eu-central-1")


# Pull requests


@pytest.mark.parametrize("provider", ["AzureDevOps"])
def test_a_git_host_whose_pull_requests_codebuild_cannot_hear(provider: str) -> None:
    settings = {**SETTINGS, "connection_provider": provider}
    (found,) = spec.check(settings, [{**STACK, "pull_requests": True}], REGIONS)[2]
    assert f"CodeBuild cannot listen to {provider} there; allowed are GitHub, GitLab, Bitbucket" in found


def test_code_that_nobody_has_looked_at_gets_no_key() -> None:
    (found,) = of_stack(pull_requests=True, credentials="parameter_store")
    assert "a pull request's code could read the access key" in found


def test_code_that_nobody_has_looked_at_acts_as_a_role_of_its_own() -> None:
    writer, reader = (f"arn:aws:iam::111122223333:role/{name}" for name in ("writer", "reader"))
    values = {"pull_requests": True, "credentials": "assume_role", "assume_role_arn": writer}
    (found,) = of_stack(**values)
    assert found.startswith("stacks[0] (network).plan_assume_role_arn: must be given, a role that only reads")
    assert of_stack(**values, plan_assume_role_arn=reader) == []


# The order of stacks


def of_order(**after: list[str]) -> list[str]:
    """What is wrong with stacks that come after others, all of one repository."""
    stacks = [{**STACK, "name": name, "path": name, "after": others} for name, others in after.items()]
    return spec.check(SETTINGS, stacks, REGIONS)[2]


def test_stacks_in_order() -> None:
    assert of_order(network=[], dns=["network"], app=["network", "dns"]) == []


def test_a_stack_after_one_that_is_not_there() -> None:
    assert of_order(network=[], app=["netwrk"]) == [
        "stacks[1] (app).after: there is no stack 'netwrk'. Allowed are: app, network"
    ]


@pytest.mark.parametrize(
    ("after", "circle"),
    [
        ({"a": ["a"]}, "a comes after a"),
        ({"a": ["b"], "b": ["a"]}, "a comes after b comes after a"),
        ({"a": ["c", "b"], "b": ["d"], "c": [], "d": ["a"]}, "a comes after b comes after d comes after a"),
    ],
)
def test_a_circle(after: dict[str, list[str]], circle: str) -> None:
    assert f"stacks[0] (a).after: {circle}, which is a circle" in of_order(**after)


@pytest.mark.parametrize("other", [{"repository": "acme/other"}, {"branch": "next"}])
def test_a_stack_after_one_of_another_history(other: dict[str, str]) -> None:
    stacks = [{**STACK, **other}, {**STACK, "name": "app", "after": ["network"]}]
    (found,) = spec.check(SETTINGS, stacks, REGIONS)[2]
    assert found.startswith("stacks[1] (app).after: 'network' is of another repository or branch")


def test_a_stack_name_that_makes_the_names_of_its_roles_too_long() -> None:
    assert of_stack(name="n" * 48) == []
    (found,) = of_stack(name="n" * 49)
    assert found.endswith(
        f".name: '{'n' * 49}' has 49 characters; with the name 'gitops' before it at most 48 are allowed"
    )


@pytest.mark.parametrize("key", ["plan_managed_policies", "apply_managed_policies"])
def test_managed_policies_are_given_by_arn(key: str) -> None:
    assert of_stack(**{key: ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}) == []
    (found,) = of_stack(**{key: ["ReadOnlyAccess"]})
    assert f".{key}: 'ReadOnlyAccess' is not allowed; allowed is a managed policy's ARN" in found


@pytest.mark.parametrize("name", ["my-variable", "1st", "größe", "a b"])
def test_names_that_terraform_takes_from_no_environment(name: str) -> None:
    (found,) = of_stack(variables={name: 1})

    assert f".variables: {name!r} is not allowed; allowed is a Terraform variable's name as key" in found


# Credentials


def test_the_role_to_assume_must_be_given() -> None:
    assert of_stack(credentials="assume_role") == [
        "stacks[0] (network).assume_role_arn: must be given, because credentials is assume_role"
    ]


@pytest.mark.parametrize(
    ("key", "value", "mode"),
    [
        ("assume_role_arn", f"arn:aws:iam::{ACCOUNT}:role/x", "assume_role"),
        ("access_keys_csv", "/tmp/accessKeys.csv", "parameter_store"),
    ],
)
def test_what_the_mode_of_credentials_has_no_use_for(key: str, value: str, mode: str) -> None:
    assert of_stack(**{key: value}) == [
        f"stacks[0] (network).{key}: is of no use, because credentials is role, not {mode}"
    ]


@pytest.mark.parametrize("name", ["a/b", "/a//b", "/a/", "a b", "/aws/key", "AWS_KEY", "ssm-key", "/größe"])
def test_parameter_names_that_parameter_store_refuses(name: str) -> None:
    (found,) = of_stack(credentials="parameter_store", access_key_id_parameter=name)

    assert f".access_key_id_parameter: {name!r} is not allowed; allowed is a name such as key or /gitops/" in found


def test_parameter_names_that_are_made_of_a_name_that_aws_keeps() -> None:
    stacks = [{**STACK, "credentials": "parameter_store"}]

    found = problems({**SETTINGS, "name": "aws-gitops"}, stacks)

    assert [message.split(": ")[1].split(" ")[0] for message in found] == [
        "'/aws-gitops/network/AWS_ACCESS_KEY_ID'",
        "'/aws-gitops/network/AWS_SECRET_ACCESS_KEY'",
    ]
    assert problems({**SETTINGS, "name": "aws-gitops"}, [STACK]) == []  # no parameter, no problem


def test_one_parameter_cannot_hold_both_parts_of_a_key() -> None:
    values = {"access_key_id_parameter": "/key", "secret_access_key_parameter": "/key"}

    assert of_stack(credentials="parameter_store", **values) == [
        "stacks[0] (network).secret_access_key_parameter: '/key' is also access_key_id_parameter; they must differ"
    ]


# Several stacks


def test_two_stacks_of_one_name() -> None:
    assert problems(stacks=[STACK, {**STACK, "name": "dns"}, STACK]) == [
        "stacks[2] (network).name: 'network' is also the name of stacks[0]; names must differ"
    ]


@pytest.mark.parametrize("turned", [False, True])
def test_two_stacks_must_not_share_a_state(turned: bool) -> None:
    stacks = [STACK, {**STACK, "name": "dns", "state_key": "network/terraform.tfstate"}]
    stacks = stacks[::-1] if turned else stacks

    (found,) = problems(stacks=stacks)

    assert ".state_key: 'network/terraform.tfstate' is also the state of stack " in found
    assert found.endswith("; two stacks must not share a state")


def test_a_stack_must_not_be_called_like_another_ones_second_pipeline() -> None:
    stacks = [{**STACK, "name": "network-destroy"}, STACK]

    (found,) = problems(stacks=stacks)

    assert found == (
        "stacks[0] (network-destroy).name: 'network-destroy' is not allowed beside the stack 'network', whose second "
        "pipeline has this name"
    )
    assert problems(stacks=stacks[:1]) == []


def test_a_key_of_another_region_is_refused() -> None:
    (found,) = of_settings(kms_key_arn=f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55")

    assert found == "settings.kms_key_arn: the key is in eu-west-1; it must be in eu-central-1"


@pytest.mark.parametrize("provider", ["GitHubEnterpriseServer", "GitLabSelfManaged"])
def test_a_git_host_of_ones_own_needs_a_connection_that_exists(provider: str) -> None:
    arn = f"arn:aws:codeconnections:eu-central-1:{ACCOUNT}:connection/1f0b1e7a-2a3c-4f57-9a52-0f2f5d3f1c55"

    (found,) = of_settings(connection_provider=provider)

    assert "connection_arn" in found
    assert of_settings(connection_provider=provider, connection_arn=arn) == []


def test_stacks_must_not_share_a_folder_of_artifacts() -> None:
    stacks = [{**STACK, "name": name} for name in ("production-network", "production-nets")]

    (found,) = problems(stacks=stacks)

    assert found.startswith("stacks[1] (production-nets).name: 'production-nets' and 'production-network' begin alike")
    assert "first 13 characters" in found
    assert problems(stacks=[stacks[0], {**STACK, "name": "prod-nets"}]) == []


def test_a_name_of_the_estate_may_leave_stacks_no_name() -> None:
    (found,) = problems({**SETTINGS, "name": "platform-production"}, [STACK])

    assert "begin alike" in found
    assert found.endswith("Fix: a settings.name of at most 18 characters; 'platform-production' leaves none")


# Statements


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({}, "[0].Effect: None must be Allow or Deny"),
        ({**READ, "Effect": "allow"}, "[0].Effect: 'allow' must be Allow or Deny"),
        ({"Effect": "Allow", "Resource": "*"}, "[0]: must have one of Action and NotAction"),
        ({"Effect": "Allow", "Action": "s3:*"}, "[0]: must have one of Resource and NotResource"),
        ({**READ, "NotAction": "s3:*"}, "[0]: must have one of Action and NotAction"),
        (
            {**READ, "Actions": "s3:*"},
            "[0].Actions: unknown key; did you mean Action? Allowed are: Sid, Effect, Action",
        ),
        ({**READ, "Principal": "*"}, "[0].Principal: unknown key"),
        (
            {**READ, "Action": "DescribeVpcs"},
            "[0].Action: 'DescribeVpcs' is no action; allowed is one like s3:GetObject",
        ),
        ({**READ, "Action": ["ec2:*", 5]}, "[0].Action: 5 must be a text, or a list of texts"),
        ({**READ, "Action": []}, "[0].Action: [] must not be empty"),
        ({**READ, "Resource": {"a": 1}}, "[0].Resource: {'a': 1} must be a text, or a list of texts"),
        ({**READ, "Resource": ""}, "[0].Resource: '' must be a text, or a list of texts"),
        ({**READ, "Sid": "Read all"}, "[0].Sid: 'Read all' is not allowed; allowed are letters and digits"),
        ({**READ, "Condition": "x"}, "[0].Condition: 'x' must be a dictionary such as"),
        ({**READ, "Condition": {"StringEquals": "x"}}, "[0].Condition: {'StringEquals': 'x'} must be a dictionary"),
    ],
)
@pytest.mark.parametrize("key", ["plan_permissions", "apply_permissions"])
def test_statements_that_iam_would_refuse(key: str, statement: dict[str, Any], message: str) -> None:
    found = of_stack(**{key: [statement]})

    assert any(text.startswith(f"stacks[0] (network).{key}{message}") for text in found), found


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (READ, "[0]: must have one of Principal and NotPrincipal"),
        ({**DENY, "NotPrincipal": {"AWS": "x"}}, "[0]: must have one of Principal and NotPrincipal"),
        ({**DENY, "Principal": "root"}, "[0].Principal: 'root' must be '*', or a dictionary such as"),
        ({**DENY, "Principal": {"AWS": [5]}}, "[0].Principal: {'AWS': [5]} must be '*', or a dictionary"),
        ({**DENY, "Principal": {}}, "[0].Principal: {} must be '*', or a dictionary"),
        ({**DENY, "Effect": "No"}, "[0].Effect: 'No' must be Allow or Deny"),
    ],
)
def test_statements_that_s3_would_refuse(statement: dict[str, Any], message: str) -> None:
    found = of_settings(state_bucket_policy_statements=[statement])

    assert any(text.startswith(f"settings.state_bucket_policy_statements{message}") for text in found), found


def test_statements_that_aws_takes() -> None:
    more = {"Sid": "All1", "Effect": "Deny", "NotAction": ["*", "iam:Get?ser"], "NotResource": ["a", "b"]}
    condition = {"StringEquals": {"aws:RequestedRegion": ["eu-central-1"]}}

    assert of_stack(plan_permissions=[READ], apply_permissions=[{**more, "Condition": condition}]) == []
    assert (
        of_settings(state_bucket_policy_statements=[DENY, {**DENY, "Principal": {"AWS": "x", "Service": ["y"]}}]) == []
    )


def test_sids_differ_within_the_policy_that_the_apply_role_gets() -> None:
    named = {**READ, "Sid": "Read"}

    (found,) = of_stack(apply_permissions=[named, named])

    where = "stacks[0] (network).apply_permissions"
    assert found == f"{where}[1].Sid: 'Read' is also that of {where}[0]; within a policy they must differ"
    assert (
        "plan_permissions + apply_permissions[1].Sid"
        in of_stack(plan_permissions=[named], apply_permissions=[named])[0]
    )
    assert of_stack(plan_permissions=[READ, READ], apply_permissions=[READ]) == []


# Authors


@pytest.mark.parametrize(
    "authors",
    [
        {"alice@acme.com": "user/alice"},
        {"alice@acme.com": "user/people/alice", "49699333+dependabot[bot]@users.noreply.github.com": "user/x"},
        {"o'neil+a@acme.com": ["assumed-role/AWSReservedSSO_*/alice@acme.com", "user/al?ce", "root"]},
        {"a@localhost": "federated-user/a"},
        None,
    ],
)
def test_authors_that_can_be_told(authors: Any) -> None:
    assert of_settings(authors=authors) == []


@pytest.mark.parametrize("email", ["alice", "alice@", "a b@acme.com", "<alice@acme.com>", "ä@acme.com", "a@b@c", 5])
def test_keys_of_authors_that_are_no_address(email: Any) -> None:
    (found,) = of_settings(authors={email: "user/alice"})

    assert found == f"settings.authors: {str(email)!r} is not allowed; allowed is an e-mail address as key"


@pytest.mark.parametrize(
    "principal",
    [
        "alice",
        "role/Developers",
        "assumed-role/Developers",
        "user/",
        "user/a[bc]",
        "user/a b",
        "user/a\nb",
        "user/$(id)",
        "user/a\\",
        f"arn:aws:iam::{ACCOUNT}:user/alice",
        "*",
        "",
        None,
        5,
        [],
        ["user/alice", 5],
        {"a": 1},
    ],
)
def test_principals_of_authors_that_aws_never_shows(principal: Any) -> None:
    (found,) = of_settings(authors={"alice@acme.com": principal})

    assert found.startswith(
        f"settings.authors.alice@acme.com: {principal!r} is not allowed; allowed is user/<name> or assumed-role/"
    )


def test_as_many_authors_as_a_build_takes() -> None:
    authors = {f"person{number:03}@acme.com": f"user/person{number:03}" for number in range(119)}

    assert of_settings(authors=authors | {"a@acme.com": f"user/{'a' * 34}"}) == []
    (found,) = of_settings(authors=authors | {"a@acme.com": f"user/{'a' * 35}"})
    assert found.startswith("settings.authors: 120 addresses with their principals have 4097 characters; at most 4096 ")


# Variables of the playbook


def test_misspelt_variables() -> None:
    known = ["gitops_stacks", "gitops_settings", "gitops_parameters", "gitops_notification_secrets"]
    assert spec.misspelt(known) == []
    allowed = "Allowed are: gitops_notification_secrets, gitops_parameters, gitops_settings, gitops_stacks"
    assert spec.misspelt(["gitops_stack", "gitops_zzzzzzzzz"]) == [
        f"gitops_stack: unknown variable; did you mean gitops_stacks? {allowed}",
        f"gitops_zzzzzzzzz: unknown variable. {allowed}",
    ]


# Whatever comes

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def like(options: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Dictionaries with keys that exist, and values of any kind."""
    return st.dictionaries(st.sampled_from(sorted(options)), JSON, max_size=5)


@settings(max_examples=80)
@given(
    JSON
    | like(spec.SETTINGS)
    | like(spec.SETTINGS).map(lambda given: {**SETTINGS, **given})
    | like(drift_settings.DRIFT).map(lambda given: {**SETTINGS, "drift": given})
    | like(drift_settings.SCOPE).map(lambda given: {**SETTINGS, "drift": {"scope": given}}),
    JSON
    | st.lists(like(spec.STACK) | JSON, max_size=2)
    | st.lists(like(spec.STACK).map(lambda given: {**STACK, **given}), max_size=2),
)
def test_no_input_is_too_strange(settings_given: Any, stacks_given: Any) -> None:
    settings_found, stacks_found, found = spec.check(settings_given, stacks_given, REGIONS)

    assert all(isinstance(message, str) and message for message in found)
    if not found:
        assert set(settings_found) == set(spec.SETTINGS)
        assert all(set(stack) == set(spec.STACK) for stack in stacks_found)


@settings(max_examples=40)
@given(st.lists(st.dictionaries(st.sampled_from(["Sid", "Effect", "Action", "Resource", "Condition", "x"]), JSON)))
def test_no_statement_is_too_strange(statements: Any) -> None:
    of_stack(plan_permissions=statements)
    of_settings(state_bucket_policy_statements=statements)


# The seal


def test_a_sealed_estate_must_say_who_installs_it() -> None:
    settings = {"region": "eu-central-1", "connection": "github"}

    (found,) = problems(settings)
    assert found.startswith("settings.installers: must be given, who runs site.yml, such as [role/platform]")
    assert problems({**settings, "sealed": False}) == []


@pytest.mark.parametrize(
    "one",
    [
        "role/platform",
        "user/alice",
        "role/teams/platform",
        "role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Admin_*",
        f"arn:aws:iam::{ACCOUNT}:role/platform",
    ],
)
@pytest.mark.parametrize("key", ["installers", "state_readers", "break_glass_principals"])
def test_principals_that_are_taken(key: str, one: str) -> None:
    assert of_settings(**{key: [one]}) == []


@pytest.mark.parametrize(
    "one", ["platform", "role/", "group/admins", f"arn:aws:sts::{ACCOUNT}:assumed-role/a/b", "*", "role/a b"]
)
@pytest.mark.parametrize("key", ["installers", "state_readers", "break_glass_principals"])
def test_principals_that_iam_does_not_have(key: str, one: str) -> None:
    (found,) = of_settings(**{key: [one]})

    assert found.startswith(f"settings.{key}: {one!r} is not allowed; allowed is user/<name> or role/<name>")


@pytest.mark.parametrize("one", ["role/*", "user/*", "role/*/*", f"arn:aws:iam::{ACCOUNT}:role/*"])
def test_a_seal_that_spares_everybody_is_none(one: str) -> None:
    (found,) = of_settings(installers=[one])

    assert found.startswith(f"settings.installers: {one!r} is everybody")


@pytest.mark.parametrize("role", ["role/emergency-*", "user/alice"])
def test_the_break_glass_role_is_one_role(role: str) -> None:
    assert of_settings(break_glass_role=role) == [
        f"settings.break_glass_role: {role!r} must be one role, without *: role/<name>"
    ]


def test_who_takes_a_role_of_the_user_s_is_said_by_that_role() -> None:
    (found,) = of_settings(break_glass_role="role/emergency", break_glass_principals=["user/alice"])

    assert found.startswith("settings.break_glass_principals: is of no use with break_glass_role")


def test_alarms_go_to_addresses() -> None:
    assert of_settings(alarm_emails=["ops@example.com"]) == []
    assert of_settings(alarm_emails=["ops"]) == [
        "settings.alarm_emails: 'ops' is not allowed; allowed is an e-mail address"
    ]
