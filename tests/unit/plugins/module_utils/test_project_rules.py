# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of bad build projects, each rule for itself, and that nothing is said of good ones."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.gitops.aws.plugins.module_utils._engine import Settings, prune
from ansible_collections.gitops.aws.plugins.module_utils._kinds._project_rules import (
    conflicts,
    input_problems,
    warnings,
)
from ansible_collections.gitops.aws.plugins.module_utils._kinds.codebuild_project import OPTIONS
from tests.unit.plugins.module_utils.inputs import items

ROLE = "arn:aws:iam::123456789012:role/build"
URL = "https://github.com/acme/infrastructure.git"
GITHUB = {"type": "GITHUB", "location": URL}
NO_ARTIFACTS = {"type": "NO_ARTIFACTS"}
MACHINE = {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "compute_type": "BUILD_GENERAL1_SMALL"}
BUILDSPEC = "version: 0.2\nphases:\n  build:\n    commands: [make]\n"


def texts(number: int) -> list[str]:
    return [f"text{index}" for index in range(number)]


def project(**options: Any) -> Settings:
    """A whole project."""
    whole = {"name": "pp", "source": GITHUB, "artifacts": NO_ARTIFACTS, "environment": MACHINE, "service_role": ROLE}
    return {**whole, **options}


def secondary(identifier: str | None = "one", **options: Any) -> Settings:
    return {**GITHUB, "source_identifier": identifier, **options}


def output(identifier: str | None = "one", **options: Any) -> Settings:
    return {"type": "S3", "location": "bucket", "artifact_identifier": identifier, **options}


def event(pattern: str = "PUSH") -> Settings:
    return {"type": "EVENT", "pattern": pattern}


def hook(*filters: Settings, **options: Any) -> Settings:
    return {"filter_groups": [{"filters": list(filters)}], **options} if filters else options


def actor(pattern: str, **options: Any) -> Settings:
    return {"webhook": hook(event(), {"type": "ACTOR_ACCOUNT_ID", "pattern": pattern, **options})}


FILTER = "webhook.filter_groups[0].filters"

# The input without its name, the path of what is wrong in it, and words of the message.
INPUT: list[tuple[Settings, str, str]] = [
    ({"name": ""}, "name", "must be given"),
    ({"name": "a"}, "name", "'a' is not allowed: 2 or more of"),
    ({"name": "-a"}, "name", "beginning with a letter or digit"),
    ({"name": "a" * 151}, "name", "has 151 characters, at most 150 are allowed"),
    ({"description": "d" * 256}, "description", "has 256 characters, at most 255"),
    ({"service_role": "build"}, "service_role", "the ARN of an IAM role"),
    ({"resource_access_role": "build"}, "resource_access_role", "the ARN of an IAM role"),
    ({"timeout_in_minutes": 4}, "timeout_in_minutes", "4 is not between 5 and 2160"),
    ({"timeout_in_minutes": 2161}, "timeout_in_minutes", "2161 is not between 5 and 2160"),
    ({"queued_timeout_in_minutes": 481}, "queued_timeout_in_minutes", "481 is not between 5 and 480"),
    ({"concurrent_build_limit": 0}, "concurrent_build_limit", "0 is not allowed: 1 or more, or -1 for no limit"),
    ({"auto_retry_limit": -1}, "auto_retry_limit", "-1 is not allowed: 0 or more"),
    # sources
    ({"source": {"type": "GITHUB", "git_clone_depth": -1}}, "source.git_clone_depth", "-1 is not between 0"),
    (
        {"source": {"type": "S3", "report_build_status": True}},
        "source.report_build_status",
        "is allowed for the source types BITBUCKET, GITHUB, GITHUB_ENTERPRISE, GITLAB, GITLAB_SELF_MANAGED only",
    ),
    ({"secondary_sources": [secondary(None)]}, "secondary_sources[0].source_identifier", "must be given"),
    (
        {"secondary_sources": [secondary("a-b")]},
        "secondary_sources[0].source_identifier",
        "'a-b' is not allowed: a-z A-Z",
    ),
    ({"secondary_sources": [secondary("a" * 128)]}, "secondary_sources[0].source_identifier", "at most 127"),
    (
        {"secondary_sources": [secondary(), secondary()]},
        "secondary_sources[1].source_identifier",
        "'one' is also secondary_sources[0].source_identifier; each source_identifier must differ",
    ),
    (
        {"secondary_sources": [secondary(name) for name in texts(13)]},
        "secondary_sources",
        "has 13 elements, at most 12",
    ),
    (
        {"secondary_sources": [secondary(location=None)]},
        "secondary_sources[0].location",
        "must be given for the source type GITHUB",
    ),
    (
        {"secondary_sources": [secondary(type="CODECOMMIT", report_build_status=True)]},
        "secondary_sources[0].report_build_status",
        "is allowed for the source types",
    ),
    (
        {"secondary_sources": [secondary(git_clone_depth=-1)]},
        "secondary_sources[0].git_clone_depth",
        "-1 is not between 0",
    ),
    *(
        ({"secondary_source_versions": versions}, f"secondary_source_versions{at}", words)
        for versions, at, words in (
            ([{"source_identifier": None, "source_version": "a"}], "[0].source_identifier", "must be given"),
            ([{"source_identifier": "a", "source_version": ""}], "[0].source_version", "must be given"),
            (
                [{"source_identifier": "a", "source_version": "b"}] * 2,
                "[1].source_identifier",
                "each source_identifier",
            ),
            ([{"source_identifier": name, "source_version": "b"} for name in texts(13)], "", "has 13 elements"),
        )
    ),
    (
        {
            "secondary_sources": [secondary()],
            "secondary_source_versions": [{"source_identifier": "two", "source_version": "main"}],
        },
        "secondary_source_versions[0].source_identifier",
        "'two' is no secondary source, one are",
    ),
    # artifacts
    (
        {"source": {"type": "CODEPIPELINE"}, "artifacts": NO_ARTIFACTS},
        "artifacts.type",
        "NO_ARTIFACTS does not go with source.type CODEPIPELINE: both must be CODEPIPELINE, or none",
    ),
    ({"source": GITHUB, "artifacts": {"type": "CODEPIPELINE"}}, "artifacts.type", "both must be CODEPIPELINE, or none"),
    (
        {"artifacts": {"type": "NO_ARTIFACTS", "encryption_disabled": True}},
        "artifacts.encryption_disabled",
        "is allowed for the artifacts type S3 only",
    ),
    ({"secondary_artifacts": [output(None)]}, "secondary_artifacts[0].artifact_identifier", "must be given"),
    (
        {"secondary_artifacts": [output(), output()]},
        "secondary_artifacts[1].artifact_identifier",
        "'one' is also secondary_artifacts[0].artifact_identifier",
    ),
    (
        {"secondary_artifacts": [output(name) for name in texts(13)]},
        "secondary_artifacts",
        "has 13 elements, at most 12",
    ),
    ({"secondary_artifacts": [output(location="")]}, "secondary_artifacts[0].location", "the name of a bucket"),
    (
        {"secondary_artifacts": [output(type="CODEPIPELINE")]},
        "secondary_artifacts[0].type",
        "CODEPIPELINE is not allowed",
    ),
    (
        {"secondary_artifacts": [output(type="NO_ARTIFACTS", encryption_disabled=True)]},
        "secondary_artifacts[0].encryption_disabled",
        "type S3 only",
    ),
    *(
        (
            {"source": {"type": kind}, "badge_enabled": True},
            "badge_enabled",
            f"is not allowed for the source type {kind}",
        )
        for kind in ("CODEPIPELINE", "NO_SOURCE", "S3")
    ),
    # environment
    *(
        ({"environment": {"environment_variables": variables}}, f"environment.environment_variables{at}", words)
        for variables, at, words in (
            (
                [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}],
                "[1].name",
                "'A' is also environment.environment",
            ),
            ([{"name": "", "value": "1"}], "[0].name", "must be given"),
        )
    ),
    (
        {"environment": {"docker_server": {"security_group_ids": texts(6)}}},
        "environment.docker_server.security_group_ids",
        "has 6 elements, at most 5",
    ),
    (
        {"environment": {"type": "LINUX_CONTAINER", "compute_type": "BUILD_LAMBDA_1GB"}},
        "environment.compute_type",
        "BUILD_LAMBDA_1GB is not allowed for LINUX_CONTAINER, but for ARM_LAMBDA_CONTAINER, LINUX_LAMBDA_CONTAINER",
    ),
    (
        {"environment": {"type": "ARM_LAMBDA_CONTAINER", "compute_type": "BUILD_GENERAL1_SMALL"}},
        "environment.compute_type",
        "BUILD_GENERAL1_SMALL is not allowed for ARM_LAMBDA_CONTAINER: BUILD_LAMBDA_1GB",
    ),
    *(
        (
            {"environment": {"type": "LINUX_LAMBDA_CONTAINER"}, option: 10},
            option,
            "is not allowed for Lambda compute, and environment.type is LINUX_LAMBDA_CONTAINER",
        )
        for option in ("timeout_in_minutes", "queued_timeout_in_minutes")
    ),
    (
        {"environment": {"registry_credential": {"credential": "c"}, "image_pull_credentials_type": "CODEBUILD"}},
        "environment.image_pull_credentials_type",
        "must be SERVICE_ROLE where registry_credential is given",
    ),
    ({"vpc_config": {"subnets": texts(17)}}, "vpc_config.subnets", "has 17 elements, at most 16"),
    ({"vpc_config": {"security_group_ids": texts(6)}}, "vpc_config.security_group_ids", "has 6 elements, at most 5"),
    # batches
    ({"build_batch_config": {"service_role": "r"}}, "build_batch_config.service_role", "the ARN of an IAM role"),
    (
        {"build_batch_config": {"timeout_in_mins": 4}},
        "build_batch_config.timeout_in_mins",
        "4 is not between 5 and 2160",
    ),
    (
        {"build_batch_config": {"restrictions": {"maximum_builds_allowed": 101}}},
        "build_batch_config.restrictions.maximum_builds_allowed",
        "101 is not between 1 and 100",
    ),
    # webhooks
    (
        {"webhook": hook(event(), branch_filter="main")},
        "webhook.branch_filter",
        "cannot be given together with filter_groups",
    ),
    (
        {"webhook": {"filter_groups": [{"filters": []}]}},
        FILTER,
        "has no filter of type EVENT, each group must have one",
    ),
    ({"webhook": hook({"type": "HEAD_REF", "pattern": "a"})}, FILTER, "has no filter of type EVENT"),
    ({"webhook": hook(event(), {"type": "HEAD_REF", "pattern": ""})}, f"{FILTER}[1].pattern", "must be given"),
    (
        {"webhook": hook(event("PUSH, PULL_REQUEST"))},
        f"{FILTER}[0].pattern",
        "no events are PULL_REQUEST; allowed are, between commas, PUSH, PULL_REQUEST_CREATED,",
    ),
    *(
        (
            {"source": {"type": kind}, "webhook": {"branch_filter": "a", "build_type": "BUILD"}},
            "webhook",
            f"source type {kind}",
        )
        for kind in ("CODECOMMIT", "CODEPIPELINE", "NO_SOURCE", "S3")
    ),
    (
        {"source": GITHUB, "webhook": {"build_type": "RUNNER_BUILDKITE_BUILD"}},
        "webhook.build_type",
        "RUNNER_BUILDKITE_BUILD is allowed for the source type NO_SOURCE only, not for GITHUB",
    ),
    (
        {"source": {"type": "GITLAB"}, "webhook": {"manual_creation": True}},
        "webhook.manual_creation",
        "is allowed for the source types GITHUB, GITHUB_ENTERPRISE only, not for GITLAB",
    ),
    *(
        (
            {"source": {"type": kind}, "webhook": {"scope_configuration": {"scope": scope}}},
            "webhook.scope_configuration",
            f"is not allowed for the source type {kind}, but for {hosts}",
        )
        for kind, scope, hosts in (
            ("GITHUB", "GITLAB_GROUP", "GITLAB, GITLAB_SELF_MANAGED"),
            ("GITLAB", "GITHUB_ORGANIZATION", "GITHUB, GITHUB_ENTERPRISE"),
            ("GITLAB", "GITHUB_GLOBAL", "GITHUB, GITHUB_ENTERPRISE"),
            ("BITBUCKET", "GITHUB_GLOBAL", "GITHUB, GITHUB_ENTERPRISE"),
        )
    ),
    (
        {"source": {"type": "BITBUCKET"}, "webhook": hook(event("PUSH,PULL_REQUEST_REOPENED"))},
        f"{FILTER}[0].pattern",
        "PULL_REQUEST_REOPENED is not allowed for the source type BITBUCKET",
    ),
    # tags
    ({"tags": {"aws:x": "1"}}, "tags.aws:x", "only AWS sets tags that begin with aws:"),
    ({"tags": {"k" * 128: "1"}}, f"tags.{'k' * 128}", "at most 127"),
    ({"tags": {"k": "v" * 256}}, "tags.k", "at most 255"),
    ({"tags": dict.fromkeys(texts(51), "1")}, "tags", "has 51 elements, at most 50"),
]

# The same of a whole project.
WHOLE: list[tuple[Settings, str, str]] = [
    ({"source": {"type": "GITHUB"}}, "source.location", "must be given for the source type GITHUB"),
    (
        {"source": {"type": "NO_SOURCE", "buildspec": "ci/buildspec.yml"}},
        "source.buildspec",
        "must be the text of a buildspec for the source type NO_SOURCE",
    ),
    ({"source": {**GITHUB, "auth": {"resource": "r"}}}, "source.auth.type", "must be given; source.auth needs type"),
    ({"source": {**GITHUB, "type": "S3", "report_build_status": True}}, "source.report_build_status", "is allowed for"),
    ({"source": {"type": "CODEPIPELINE"}}, "artifacts.type", "both must be CODEPIPELINE, or none"),
    ({"artifacts": {"type": "S3"}}, "artifacts.location", "must be given for the artifacts type S3"),
    (
        {"secondary_source_versions": [{"source_identifier": "two", "source_version": "main"}]},
        "secondary_source_versions[0].source_identifier",
        "'two' is no secondary source, none are",
    ),
    ({"cache": {"type": "S3"}}, "cache.location", "must be given; cache needs location"),
    ({"cache": {"type": "LOCAL"}}, "cache.modes", "must be given; cache needs modes"),
    *(
        (
            {"environment": {name: value for name, value in MACHINE.items() if name != lacking}},
            f"environment.{lacking}",
            "must be given; environment needs type, image, compute_type",
        )
        for lacking in MACHINE
    ),
    (
        {"environment": {**MACHINE, "compute_type": "ATTRIBUTE_BASED_COMPUTE"}},
        "environment.compute_configuration",
        "must be given",
    ),
    (
        {"environment": {**MACHINE, "docker_server": {"security_group_ids": ["a"]}}},
        "environment.docker_server.compute_type",
        "must be",
    ),
    (
        {
            "environment": {
                **MACHINE,
                "registry_credential": {"credential_provider": "SECRETS_MANAGER"},
                "image_pull_credentials_type": "SERVICE_ROLE",
            }
        },
        "environment.registry_credential.credential",
        "must be given",
    ),
    (
        {"environment": {**MACHINE, "registry_credential": {"credential": "c"}}},
        "environment.image_pull_credentials_type",
        "must be SERVICE_ROLE",
    ),
    (
        {"vpc_config": {"vpc_id": "v", "subnets": ["s"]}},
        "vpc_config.security_group_ids",
        "vpc_config needs vpc_id, subnets,",
    ),
    ({"vpc_config": {"vpc_id": "v", "security_group_ids": ["s"]}}, "vpc_config.subnets", "must be given"),
    ({"vpc_config": {"subnets": ["v"], "security_group_ids": ["s"]}}, "vpc_config.vpc_id", "must be given"),
    ({"logs_config": {"s3_logs": {"status": "ENABLED"}}}, "logs_config.s3_logs.location", "must be given"),
    (
        {"webhook": {"scope_configuration": {"scope": "GITHUB_GLOBAL"}}},
        "webhook.scope_configuration.name",
        "must be given",
    ),
    ({"webhook": {"scope_configuration": {"name": "n"}}}, "webhook.scope_configuration.scope", "must be given"),
    (
        {
            "source": {**GITHUB, "type": "GITHUB_ENTERPRISE"},
            "webhook": {"scope_configuration": {"name": "n", "scope": "GITHUB_ORGANIZATION"}},
        },
        "webhook.scope_configuration.domain",
        "must be given for the source type GITHUB_ENTERPRISE",
    ),
    (
        {"webhook": {"pull_request_build_policy": {"approver_roles": ["GITHUB_ADMIN"]}}},
        "webhook.pull_request_build_policy.requires_comment_approval",
        "must be given",
    ),
    (
        {"source": {"type": "NO_SOURCE", "buildspec": BUILDSPEC}, "webhook": {"branch_filter": "a"}},
        "webhook",
        "is not allowed for the source type NO_SOURCE",
    ),
    ({"tags": dict.fromkeys(texts(51), "1")}, "tags", "has 51 elements, at most 50"),
]


@pytest.mark.parametrize(("options", "path", "words"), INPUT)
def test_bad_input_is_named_with_its_path(options: Settings, path: str, words: str) -> None:
    (found,) = input_problems({"name": "pp", **options})

    assert found.startswith(f"{path}: ")
    assert words in found


@pytest.mark.parametrize(("options", "path", "words"), WHOLE)
def test_conflicts_of_a_whole_project_are_named_with_their_path(options: Settings, path: str, words: str) -> None:
    (found,) = conflicts(project(**options))

    assert found.startswith(f"{path}: ")
    assert words in found


FULL: Settings = {
    "name": "a-B_1",
    "description": "all of it",
    "source": {
        **GITHUB,
        "git_clone_depth": 0,
        "git_submodules_config": {"fetch_submodules": True},
        "buildspec": "ci/buildspec.yml",
        "auth": {"type": "CODECONNECTIONS", "resource": "arn:aws:codeconnections:x"},
        "report_build_status": True,
        "build_status_config": {"context": "c", "target_url": "https://example.org"},
        "insecure_ssl": False,
        "source_identifier": "primary",
    },
    "secondary_sources": [
        secondary(
            git_clone_depth=1,
            git_submodules_config={"fetch_submodules": False},
            buildspec="b.yml",
            auth={"type": "OAUTH", "resource": "r"},
            report_build_status=True,
            build_status_config={"context": "c", "target_url": "u"},
            insecure_ssl=True,
        ),
        secondary("two", type="S3", location="bucket/source.zip"),
    ],
    "source_version": "main",
    "secondary_source_versions": [{"source_identifier": "one", "source_version": "main"}],
    "artifacts": {
        "type": "S3",
        "location": "bucket",
        "path": "p",
        "namespace_type": "BUILD_ID",
        "name": "n",
        "packaging": "ZIP",
        "override_artifact_name": True,
        "encryption_disabled": True,
        "artifact_identifier": "primary",
        "bucket_owner_access": "FULL",
    },
    "secondary_artifacts": [
        output(
            path="p",
            namespace_type="NONE",
            name="n",
            packaging="NONE",
            override_artifact_name=False,
            encryption_disabled=True,
            bucket_owner_access="NONE",
        )
    ],
    "cache": {"type": "S3", "location": "bucket/cache", "cache_namespace": "n"},
    "environment": {
        **MACHINE,
        "compute_configuration": {"v_cpu": 2, "memory": 4, "disk": 8, "machine_type": "GENERAL", "instance_type": "t"},
        "environment_variables": [
            {"name": "A", "value": "", "type": "PLAINTEXT"},
            {"name": "CODEBUILD_X", "value": "1"},
        ],
        "privileged_mode": True,
        "certificate": "bucket/c.pem",
        "registry_credential": {"credential": "c", "credential_provider": "SECRETS_MANAGER"},
        "image_pull_credentials_type": "SERVICE_ROLE",
        "docker_server": {"compute_type": "BUILD_GENERAL1_SMALL", "security_group_ids": ["sg"]},
        "host_kernel": "LINUX_KERNEL_6",
    },
    "service_role": ROLE,
    "timeout_in_minutes": 2160,
    "queued_timeout_in_minutes": 5,
    "encryption_key": "alias/k",
    "vpc_config": {"vpc_id": "vpc", "subnets": ["s"], "security_group_ids": ["sg"]},
    "badge_enabled": True,
    "logs_config": {
        "cloud_watch_logs": {"status": "ENABLED", "group_name": "g", "stream_name": "s"},
        "s3_logs": {"status": "ENABLED", "location": "b/p", "encryption_disabled": True, "bucket_owner_access": "FULL"},
    },
    "file_system_locations": [
        {"type": "EFS", "location": "fs:/", "mount_point": "/mnt", "identifier": "i", "mount_options": "o"},
    ],
    "build_batch_config": {
        "service_role": ROLE,
        "combine_artifacts": True,
        "restrictions": {"maximum_builds_allowed": 100, "compute_types_allowed": ["x"], "fleets_allowed": ["f"]},
        "timeout_in_mins": 5,
        "batch_report_mode": "REPORT_AGGREGATED_BATCH",
    },
    "concurrent_build_limit": 1,
    "auto_retry_limit": 3,
    "project_visibility": "PUBLIC_READ",
    "resource_access_role": ROLE,
    "resource_policy": {"Version": "2012-10-17"},
    "webhook": {
        **hook(
            event("PUSH, PULL_REQUEST_CREATED,PULL_REQUEST_REOPENED"),
            {"type": "ACTOR_ACCOUNT_ID", "pattern": "^(123|456)$", "exclude_matched_pattern": False},
        ),
        "build_type": "BUILD_BATCH",
        "manual_creation": True,
        "secret_file": "/secret",
        "scope_configuration": {"name": "acme", "domain": "d", "scope": "GITHUB_ORGANIZATION"},
        "pull_request_build_policy": {
            "requires_comment_approval": "FORK_PULL_REQUESTS",
            "approver_roles": ["GITHUB_ADMIN"],
        },
    },
    "tags": {"stack": "network", "empty": ""},
}
PIPELINE = project(
    source={"type": "CODEPIPELINE", "buildspec": "b.yml"},
    artifacts={"type": "CODEPIPELINE"},
    cache={"type": "LOCAL", "modes": ["LOCAL_CUSTOM_CACHE"]},
    environment={**MACHINE, "fleet": {"fleet_arn": "f"}, "compute_type": "ATTRIBUTE_BASED_COMPUTE"},
)
ONE_BRANCH = project(webhook={"branch_filter": "main"})


@pytest.mark.parametrize(
    "pattern", ["123", "^123", "123$", "^123|456$", r"^123\$", "^[|]$|2", "123|^456$", "^(1|2)$|3"]
)
def test_pattern_that_lets_others_in_is_warned_of_and_taken(pattern: str) -> None:
    item = {"name": "pp", **actor(pattern)}

    assert input_problems(item) == []
    assert len(warnings(item)) == 1
    assert warnings(item)[0].startswith(f"{FILTER}[1].pattern: {pattern!r} matches every account whose id contains it")


@pytest.mark.parametrize("pattern", ["^1$|^2$", "^(1|2)$", r"\A1\z", "^[|]$", "^1[0-9]$"])
def test_pattern_that_is_held_at_both_ends_is_not_warned_of(pattern: str) -> None:
    assert warnings({"name": "pp", **actor(pattern)}) == []
    assert warnings({"name": "pp", **actor("123", exclude_matched_pattern=True)}) == []


def paths(value: Any, options: Settings, path: str = "") -> set[str]:
    """The options that a value uses."""
    if isinstance(value, list):
        return set().union(*(paths(element, options, path) for element in value))
    if not isinstance(value, dict):
        return set()
    used = {name for name in value if name in options}
    below = (paths(value[name], options[name].get("options", {}), f"{path}.{name}") for name in used)
    return {f"{path}.{name}" for name in used}.union(*below)


def every(options: Settings, path: str = "") -> set[str]:
    """All options there are."""
    below = (every(option.get("options", {}), f"{path}.{name}") for name, option in options.items())
    return {f"{path}.{name}" for name in options}.union(*below)


def test_the_good_projects_use_every_option() -> None:
    assert every(OPTIONS) == set().union(*(paths(each, OPTIONS) for each in (FULL, PIPELINE, ONE_BRANCH)))


@pytest.mark.parametrize(
    "whole",
    [
        FULL,
        PIPELINE,
        ONE_BRANCH,
        project(source={"type": "NO_SOURCE", "buildspec": BUILDSPEC}),
        project(source={"type": "NO_SOURCE", "buildspec": "version: 0.2"}),
        project(source={"type": "NO_SOURCE", "buildspec": "arn:aws:s3:::bucket/buildspec.yml"}),
        project(source={"type": "NO_SOURCE", "buildspec": BUILDSPEC}, webhook={"build_type": "RUNNER_BUILDKITE_BUILD"}),
        project(environment={**MACHINE, "type": "ARM_LAMBDA_CONTAINER", "compute_type": "BUILD_LAMBDA_2GB"}),
        project(source={"type": "CODECOMMIT", "location": URL}, badge_enabled=True),
        project(concurrent_build_limit=-1, auto_retry_limit=0, project_visibility="PUBLIC_READ"),
    ],
)
def test_nothing_is_said_of_good_projects(whole: Settings) -> None:
    before = copy.deepcopy(whole)

    assert input_problems(whole) == []
    assert conflicts(whole) == []
    assert whole == before


@pytest.mark.parametrize(
    "options",
    [
        dict.fromkeys(OPTIONS),
        {"source": {"type": "GITHUB", "location": None}},
        {"artifacts": {"type": "S3"}, "source": {"type": "NO_SOURCE"}},
        {"environment": {"image": "i"}, "vpc_config": {"subnets": ["s"]}, "cache": {"type": "S3"}},
        {"environment": {"registry_credential": {"credential": "c"}}},
        {"environment": {"type": "ARM_LAMBDA_CONTAINER"}, "timeout_in_minutes": 60, "queued_timeout_in_minutes": 480},
        {"secondary_source_versions": [{"source_identifier": "known_to_aws", "source_version": "v"}]},
        {"vpc_config": {}, "webhook": {}, "build_batch_config": {}, "description": "", "tags": {}},
        {"source": {"type": "NO_SOURCE"}, "webhook": {"branch_filter": "known_to_aws_as_buildkite"}},
        *(actor(pattern) for pattern in ("^1$|^2$", "^(1|2)$", r"\A1\z", "^[|]$", "^1[0-9]$")),
        actor("123", exclude_matched_pattern=True),  # keeps out more than it says, lets nobody in
    ],
)
def test_nothing_is_said_of_what_aws_may_have(options: Settings) -> None:
    assert input_problems({**options, "name": "pp"}) == []


def test_a_kept_webhook_is_not_judged() -> None:
    """What AWS has and the user does not touch cannot stand in the way of another change."""
    whole = project(**actor("123"))

    assert conflicts({**whole, "webhook": {**whole["webhook"], "branch_filter": "main"}}) == []


TEXTS = st.sampled_from(["", "a", "b", "^1|(2$", "PUSH,", "a" * 200, "\\", "[", "\n"])


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(items(OPTIONS, TEXTS))
def test_no_input_makes_the_rules_fail(item: Settings) -> None:
    assert all(": " in problem for problem in input_problems(item))
    # Merged settings lack what is None; whatever else is wrong was said before.
    assert all(": " in problem for problem in conflicts(prune(item, {"options": OPTIONS})))
