# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What CodeBuild refuses in a build project, found without a call. Pure functions: `path: what is wrong` each.

A dictionary that is given is merged with what AWS has: that something is missing in it can be said of the whole project
only, that two settings do not fit together of the input, too. What only may be wrong is left to AWS to say.
"""

from __future__ import annotations

import re
from typing import Any, Iterator

from ansible_collections.gitops.aws.plugins.module_utils._engine import Settings, without_empty
from ansible_collections.gitops.aws.plugins.module_utils._kinds._rules import (
    TAGS,
    Form,
    count_problems,
    form_problems,
    length_problems,
    listed,
    numbered,
    range_problems,
    same_problems,
    tag_problems,
)

NAME: Form = (
    r"[A-Za-z0-9][A-Za-z0-9\-_]+",
    150,
    "2 or more of a-z A-Z 0-9 - and _, beginning with a letter or digit",
)
IDENTIFIER: Form = (r"[A-Za-z0-9_]+", 127, "a-z A-Z 0-9 and _")
ROLE: Form = (r"arn:[^:]+:iam::[0-9]*:role/.+", 2048, "the ARN of an IAM role, as arn:aws:iam::123456789012:role/name")

TIMEOUT = (5, 2160)  # minutes, of builds and of batches
QUEUED_TIMEOUT = (5, 480)
SECONDARY = 12  # sources, their versions, artifacts
SUBNETS, GROUPS = 16, 5

GITHUB = ("GITHUB", "GITHUB_ENTERPRISE")
GITLAB = ("GITLAB", "GITLAB_SELF_MANAGED")
GIT_HOSTS = ("BITBUCKET", *GITHUB, *GITLAB)
WITHOUT_LOCATION = ("CODEPIPELINE", "NO_SOURCE")
WITHOUT_BADGE = ("CODEPIPELINE", "NO_SOURCE", "S3")

LAMBDA_ENVIRONMENTS = ("ARM_LAMBDA_CONTAINER", "LINUX_LAMBDA_CONTAINER")
# What Lambda compute does not have, with AWS's defaults for the others, which are the same as unset.
WITHOUT_LAMBDA = {"timeout_in_minutes": 60, "queued_timeout_in_minutes": 480}

EVENTS = (
    "PUSH",
    "PULL_REQUEST_CREATED",
    "PULL_REQUEST_UPDATED",
    "PULL_REQUEST_CLOSED",
    "PULL_REQUEST_REOPENED",
    "PULL_REQUEST_MERGED",
    "RELEASED",
    "PRERELEASED",
    "WORKFLOW_JOB_QUEUED",
)
BUILDKITE = "RUNNER_BUILDKITE_BUILD"


def input_problems(item: Settings) -> list[str]:
    """What is wrong with a project as the user gave it, whatever AWS has."""
    given = _given(item)
    return [*_within(given), *_between(given)]


def conflicts(settings: Settings) -> list[str]:
    """What does not fit together in a whole project, as it would be after the run, and what is missing in it."""
    whole = _given(settings)
    return [*_missing(whole), *_between(whole, whole=True)]


def _given(item: Settings) -> Settings:
    """The options that say something. A tag says something without a value."""
    given = {name: without_empty(value) for name, value in item.items() if value is not None}
    return {**given, "tags": item["tags"]} if item.get("tags") is not None else given


def _within(given: Settings) -> Iterator[str]:
    """Rules within one option."""
    yield from form_problems("name", given.get("name"), NAME, required=True)
    if given.get("description"):
        yield from length_problems("description", given["description"], 255)
    yield from range_problems("source.git_clone_depth", given.get("source", {}).get("git_clone_depth"), (0, 2**31 - 1))
    yield from _secondary_sources(given.get("secondary_sources"))
    yield from _source_versions(given.get("secondary_source_versions"))
    yield from _secondary_artifacts(given.get("secondary_artifacts"))
    for name in ("service_role", "resource_access_role"):
        yield from form_problems(name, given.get(name), ROLE)
    yield from range_problems("timeout_in_minutes", given.get("timeout_in_minutes"), TIMEOUT)
    yield from range_problems("queued_timeout_in_minutes", given.get("queued_timeout_in_minutes"), QUEUED_TIMEOUT)
    limit = given.get("concurrent_build_limit")
    if limit is not None and limit < 1 and limit != -1:
        yield f"concurrent_build_limit: {limit} is not allowed: 1 or more, or -1 for no limit"
    if given.get("auto_retry_limit", 0) < 0:
        yield f"auto_retry_limit: {given['auto_retry_limit']} is not allowed: 0 or more"
    yield from count_problems("vpc_config.subnets", given.get("vpc_config", {}).get("subnets"), SUBNETS)
    yield from count_problems(
        "vpc_config.security_group_ids", given.get("vpc_config", {}).get("security_group_ids"), GROUPS
    )
    yield from _environment(given.get("environment", {}))
    yield from _batch(given.get("build_batch_config", {}))
    yield from _webhook(given.get("webhook", {}))
    # One character less each than most of AWS.
    yield from tag_problems(given.get("tags"), 127, 255)


def _secondary_sources(sources: Any) -> Iterator[str]:
    yield from count_problems("secondary_sources", sources, SECONDARY)
    yield from _identifiers("secondary_sources", sources, "source_identifier")
    for path, source in numbered("secondary_sources", sources):
        yield from _needs_location(path, source)
        yield from _reports(path, source)
        yield from range_problems(f"{path}.git_clone_depth", source.get("git_clone_depth"), (0, 2**31 - 1))


def _source_versions(versions: Any) -> Iterator[str]:
    yield from count_problems("secondary_source_versions", versions, SECONDARY)
    yield from _identifiers("secondary_source_versions", versions, "source_identifier")
    for path, version in numbered("secondary_source_versions", versions):
        if "source_version" not in version:
            yield f"{path}.source_version: must be given"


def _secondary_artifacts(artifacts: Any) -> Iterator[str]:
    yield from count_problems("secondary_artifacts", artifacts, SECONDARY)
    yield from _identifiers("secondary_artifacts", artifacts, "artifact_identifier")
    for path, output in numbered("secondary_artifacts", artifacts):
        if output.get("type") == "CODEPIPELINE":
            yield f"{path}.type: CODEPIPELINE is not allowed for secondary artifacts"
        yield from _bucket(path, output)
        yield from _encryption(path, output)


def _identifiers(path: str, elements: Any, identifier: str) -> Iterator[str]:
    names = ((f"{at}.{identifier}", element.get(identifier)) for at, element in numbered(path, elements))
    yield from same_problems(names, f"each {identifier} must differ")
    for at, element in numbered(path, elements):
        yield from form_problems(f"{at}.{identifier}", element.get(identifier), IDENTIFIER, required=True)


def _environment(environment: Settings) -> Iterator[str]:
    path = "environment.environment_variables"
    variables = environment.get("environment_variables")
    names = ((f"{at}.name", variable.get("name")) for at, variable in numbered(path, variables))
    yield from same_problems(names, "names of environment variables must differ")
    for at, variable in numbered(path, variables):
        if "name" not in variable:
            yield f"{at}.name: must be given"
    groups = environment.get("docker_server", {}).get("security_group_ids")
    yield from count_problems("environment.docker_server.security_group_ids", groups, GROUPS)


def _batch(batch: Settings) -> Iterator[str]:
    yield from form_problems("build_batch_config.service_role", batch.get("service_role"), ROLE)
    yield from range_problems("build_batch_config.timeout_in_mins", batch.get("timeout_in_mins"), TIMEOUT)
    most = batch.get("restrictions", {}).get("maximum_builds_allowed")
    yield from range_problems("build_batch_config.restrictions.maximum_builds_allowed", most, (1, 100))


def _webhook(webhook: Settings) -> Iterator[str]:
    # Of the input only: where AWS has the one and the other is given, that takes its place.
    if webhook.get("branch_filter") and webhook.get("filter_groups"):
        yield "webhook.branch_filter: cannot be given together with filter_groups"
    for path, group in numbered("webhook.filter_groups", webhook.get("filter_groups")):
        filters = group.get("filters", [])
        if not any(entry.get("type") == "EVENT" for entry in filters):
            yield f"{path}.filters: has no filter of type EVENT, each group must have one"
        for at, entry in numbered(f"{path}.filters", filters):
            yield from _filter(at, entry)


def _filter(path: str, entry: Settings) -> Iterator[str]:
    kind, pattern = entry.get("type"), entry.get("pattern")
    if not pattern:
        yield f"{path}.pattern: must be given"
    elif kind == "EVENT":
        unknown = {event.strip() for event in pattern.split(",")} - {"", *EVENTS}
        if unknown:
            yield f"{path}.pattern: no events are {listed(unknown)}; allowed are, between commas, {', '.join(EVENTS)}"


def warnings(item: Settings) -> list[str]:
    """What AWS takes in a project and what lets others in."""
    found = []
    for path, group in numbered("webhook.filter_groups", _given(item).get("webhook", {}).get("filter_groups")):
        for at, entry in numbered(f"{path}.filters", group.get("filters")):
            pattern = entry.get("pattern", "")
            unanchored = entry.get("type") == "ACTOR_ACCOUNT_ID" and not _anchored(pattern)
            if unanchored and not entry.get("exclude_matched_pattern"):
                # It searches in the id, and ids are handed out by number: the hole called CodeBreach.
                found.append(
                    f"{at}.pattern: {pattern!r} matches every account whose id contains it, so that others can start "
                    "builds. Fix: ^ before and $ behind each alternative, as ^(123|456)$"
                )
    return found


def _anchored(pattern: str) -> bool:
    """Whether each alternative of a regular expression is held at both ends. Java's syntax."""
    alternatives: list[list[str]] = [[]]
    depth, in_class = 0, False
    for token in re.findall(r"\\.|.", pattern, re.DOTALL):
        if in_class:
            in_class = token != "]"
        elif token == "|" and depth == 0:
            alternatives.append([])
            continue
        else:
            in_class = token == "["
            depth += {"(": 1, ")": -1}.get(token, 0)
        alternatives[-1].append(token)
    starts, ends = ("^", r"\A"), ("$", r"\z", r"\Z")
    return all(tokens and tokens[0] in starts and tokens[-1] in ends for tokens in alternatives)


def _missing(settings: Settings) -> Iterator[str]:
    """What a whole project must have in the options that it has."""
    yield from _needs_location("source", settings.get("source", {}))
    yield from _needs_buildspec(settings.get("source", {}))
    yield from _bucket("artifacts", settings.get("artifacts", {}))
    yield from _needs("source.auth", settings.get("source", {}).get("auth"), "type")
    cache = settings.get("cache", {})
    yield from _needs("cache", cache, *{"S3": ("location",), "LOCAL": ("modes",)}.get(cache.get("type", ""), ()))
    environment = settings.get("environment", {})
    yield from _needs("environment", environment, "type", "image", "compute_type")
    yield from _needs("environment.registry_credential", environment.get("registry_credential"), "credential")
    yield from _needs("environment.docker_server", environment.get("docker_server"), "compute_type")
    if environment.get("compute_type") == "ATTRIBUTE_BASED_COMPUTE" and "fleet" not in environment:
        yield from _needs("environment", environment, "compute_configuration")
    yield from _needs("vpc_config", settings.get("vpc_config"), "vpc_id", "subnets", "security_group_ids")
    logs = settings.get("logs_config", {}).get("s3_logs", {})
    if logs.get("status") == "ENABLED":
        yield from _needs("logs_config.s3_logs", logs, "location")
    webhook = settings.get("webhook", {})
    yield from _needs("webhook.scope_configuration", webhook.get("scope_configuration"), "name", "scope")
    policy = webhook.get("pull_request_build_policy")
    yield from _needs("webhook.pull_request_build_policy", policy, "requires_comment_approval")
    yield from count_problems("tags", settings.get("tags"), TAGS)


def _needs(path: str, settings: Any, *names: str) -> Iterator[str]:
    """Members of a setting that is there."""
    for name in names:
        if settings and settings.get(name) is None:
            yield f"{path}.{name}: must be given; {path} needs {', '.join(names)}"


def _needs_location(path: str, source: Settings) -> Iterator[str]:
    if source.get("type", "NO_SOURCE") not in WITHOUT_LOCATION and "location" not in source:
        yield f"{path}.location: must be given for the source type {source['type']}"


def _needs_buildspec(source: Settings) -> Iterator[str]:
    # There are no files. An ARN is left to AWS, and so is none, which a Buildkite runner has.
    if source.get("type") == "NO_SOURCE" and re.fullmatch(r"(?!arn:)[^\s{}]+\.ya?ml", source.get("buildspec", "")):
        yield "source.buildspec: must be the text of a buildspec for the source type NO_SOURCE"


def _bucket(path: str, artifacts: Settings) -> Iterator[str]:
    if artifacts.get("type") == "S3" and "location" not in artifacts:
        yield f"{path}.location: must be given for the artifacts type S3, the name of a bucket"


def _encryption(path: str, artifacts: Settings) -> Iterator[str]:
    if artifacts.get("encryption_disabled") and artifacts.get("type") not in (None, "S3"):
        yield f"{path}.encryption_disabled: is allowed for the artifacts type S3 only"


def _reports(path: str, source: Settings) -> Iterator[str]:
    if source.get("report_build_status") and source.get("type") not in (None, *GIT_HOSTS):
        yield f"{path}.report_build_status: is allowed for the source types {listed(GIT_HOSTS)} only"


def _between(settings: Settings, whole: bool = False) -> Iterator[str]:
    """Rules between settings. One that is not there is not known; in a whole project it is AWS's default."""
    source, artifacts = settings.get("source", {}), settings.get("artifacts", {})
    kind = source.get("type")
    yield from _reports("source", source)
    yield from _encryption("artifacts", artifacts)
    kinds = (kind, artifacts.get("type"))
    if None not in kinds and "CODEPIPELINE" in kinds and kinds[0] != kinds[1]:
        yield f"artifacts.type: {kinds[1]} does not go with source.type {kinds[0]}: both must be CODEPIPELINE, or none"
    if settings.get("badge_enabled") and kind in WITHOUT_BADGE:
        yield f"badge_enabled: is not allowed for the source type {kind}"
    yield from _versions(settings, whole)
    yield from _compute(settings)
    environment = settings.get("environment", {})
    pulls = environment.get("image_pull_credentials_type", "CODEBUILD" if whole else None)
    if environment.get("registry_credential") and pulls not in (None, "SERVICE_ROLE"):
        yield "environment.image_pull_credentials_type: must be SERVICE_ROLE where registry_credential is given"
    if kind and settings.get("webhook"):
        yield from _hook(kind, settings["webhook"], whole)


def _versions(settings: Settings, whole: bool) -> Iterator[str]:
    if "secondary_sources" not in settings and not whole:
        return
    known = {source.get("source_identifier") for source in settings.get("secondary_sources", [])} - {None}
    for path, version in numbered("secondary_source_versions", settings.get("secondary_source_versions")):
        name = version.get("source_identifier")
        if name is not None and name not in known:
            yield f"{path}.source_identifier: {name!r} is no secondary source, {listed(known)} are"


def _compute(settings: Settings) -> Iterator[str]:
    environment = settings.get("environment", {})
    kind, compute = environment.get("type"), environment.get("compute_type")
    if kind in LAMBDA_ENVIRONMENTS:
        for option, default in WITHOUT_LAMBDA.items():
            if settings.get(option, default) != default:
                yield f"{option}: is not allowed for Lambda compute, and environment.type is {kind}"
    # A fleet decides about both itself.
    if not kind or not compute or environment.get("fleet"):
        return
    is_lambda = compute.startswith("BUILD_LAMBDA_")
    if is_lambda and kind not in LAMBDA_ENVIRONMENTS:
        yield f"environment.compute_type: {compute} is not allowed for {kind}, but for {listed(LAMBDA_ENVIRONMENTS)}"
    if not is_lambda and kind in LAMBDA_ENVIRONMENTS:
        yield f"environment.compute_type: {compute} is not allowed for {kind}: BUILD_LAMBDA_1GB and its larger ones"


def _hook(source: str, webhook: Settings, whole: bool) -> Iterator[str]:
    """A webhook on a type of source."""
    build = webhook.get("build_type", "BUILD" if whole else None)
    if source == "NO_SOURCE" and build in (None, BUILDKITE):
        return
    if source not in GIT_HOSTS:
        yield f"webhook: is not allowed for the source type {source}: {listed(GIT_HOSTS)}"
        return
    if build == BUILDKITE:
        yield f"webhook.build_type: {BUILDKITE} is allowed for the source type NO_SOURCE only, not for {source}"
    if webhook.get("manual_creation") and source not in GITHUB:
        yield f"webhook.manual_creation: is allowed for the source types {listed(GITHUB)} only, not for {source}"
    scope = webhook.get("scope_configuration", {})
    hosts = {None: (*GITHUB, *GITLAB), "GITLAB_GROUP": GITLAB}.get(scope.get("scope"), GITHUB)
    if scope and source not in hosts:
        yield f"webhook.scope_configuration: is not allowed for the source type {source}, but for {listed(hosts)}"
    if whole and scope and source in ("GITHUB_ENTERPRISE", "GITLAB_SELF_MANAGED") and "domain" not in scope:
        yield f"webhook.scope_configuration.domain: must be given for the source type {source}"
    if source == "BITBUCKET":
        for path, group in numbered("webhook.filter_groups", webhook.get("filter_groups")):
            for at, entry in numbered(f"{path}.filters", group.get("filters")):
                if entry.get("type") == "EVENT" and "PULL_REQUEST_REOPENED" in entry.get("pattern", ""):
                    yield f"{at}.pattern: PULL_REQUEST_REOPENED is not allowed for the source type BITBUCKET"
