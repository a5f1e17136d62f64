# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds that clone a repository: full clones in pipelines, projects whose source is a repository, commit statuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.local_aws.support import (
    ACCOUNT,
    ENVIRONMENT,
    LOGS,
    REGION,
    Demo,
    LocalAws,
    Repository,
    Running,
    allow,
    eventually,
    git,
    source_action,
    unique,
)

# Everything that a build sees of its clone, one exported variable each.
LOOK = {
    "HEAD": "git rev-parse HEAD",
    "SHORT": "git symbolic-ref -q --short HEAD || echo detached",
    "BRANCHES": "git for-each-ref --format='%(refname:lstrip=2)' refs/remotes refs/heads | sort | tr '\\n' ' '",
    "TAGS": "git tag | tr '\\n' ' '",
    "COUNT": "git rev-list --count HEAD",
    "URL": "git remote get-url --push origin",
    "CHANGES": "git status --porcelain",
    "RESOLVED": "printf %s $CODEBUILD_RESOLVED_SOURCE_VERSION",
    "VERSION": "printf %s $CODEBUILD_SOURCE_VERSION",
}


def look(**more: str) -> str:
    """A buildspec that exports what it sees; it stops at the first thing that fails."""
    return json.dumps(
        {
            "version": 0.2,
            "env": {"exported-variables": list(LOOK | more)},
            "phases": {"build": {"commands": [f'{name}="$({command})"' for name, command in (LOOK | more).items()]}},
        }
    )


def seen(build: dict[str, Any]) -> dict[str, str]:
    assert build["buildStatus"] == "SUCCEEDED", build["phases"]
    return {item["name"]: item["value"].strip() for item in build["exportedEnvironmentVariables"]}


@pytest.fixture
def history(repository: Repository) -> dict[str, str]:
    """Commits of the repository: the first and the last of main, and one on another branch; main has a tag."""
    first = git("rev-parse", "HEAD", cwd=repository.clone)
    last = repository.push({"main.tf": "# second\n"})
    git("tag", "-a", "v1", "-m", "one", cwd=repository.clone)
    git("push", "-q", "origin", "v1", cwd=repository.clone)
    feature = repository.push({"feature.tf": "# feature\n"}, branch="feature/x")
    git("checkout", "-q", "main", cwd=repository.clone)
    return {"first": first, "last": last, "feature": feature}


# --- full clones ------------------------------------------------------------------------------------------------------


class FullClone:
    """A pipeline whose source action stores a reference, and a build of it; test replaces what the build role may."""

    def __init__(self, local_aws: LocalAws, connection: str, bucket: str) -> None:
        self.aws, self.connection, self.bucket = local_aws, connection, bucket
        self.project, self.role = unique("clone"), unique("build")
        self.objects = allow(["s3:GetObject*", "s3:PutObject*"], f"arn:aws:s3:::{bucket}/*")
        self.enough = [LOGS, self.objects, allow("codeconnections:UseConnection", connection)]
        arn = local_aws.role(self.role, "codebuild.amazonaws.com", *self.enough)
        local_aws.client("codebuild").create_project(
            name=self.project,
            serviceRole=arn,
            source={"type": "CODEPIPELINE", "buildspec": look()},
            artifacts={"type": "CODEPIPELINE"},
            environment=ENVIRONMENT,
        )

    def pipeline(self, create: Callable[..., Running], full_name: str, *sources: str) -> Running:
        """The pipeline; the first source is the primary one."""
        names = sources or ("SourceOutput",)
        actions = [
            source_action(self.connection, full_name, OutputArtifactFormat="CODEBUILD_CLONE_REF")
            | {"name": f"Get{name}", "namespace": f"ns{name}", "outputArtifacts": [{"name": name}]}
            for name in names
        ]
        build = {
            "name": "Look",
            "inputArtifacts": [{"name": name} for name in names],
            "actionTypeId": {"category": "Build", "owner": "AWS", "provider": "CodeBuild", "version": "1"},
            "configuration": {"ProjectName": self.project, "PrimarySource": names[0]},
        }
        may_build = allow(["codebuild:StartBuild", "codebuild:BatchGetBuilds"])
        return create(
            [allow("codeconnections:UseConnection", self.connection), self.objects, may_build],
            stages=[{"name": "Source", "actions": actions}, {"name": "Look", "actions": [build]}],
        )

    def build(self, running: Running, execution: str) -> dict[str, Any]:
        """The build of an execution, once it has ended."""
        running.ends(execution)
        build_id = running.actions(execution)["Look"]["output"]["executionResult"]["externalExecutionId"]
        found: dict[str, Any] = self.aws.client("codebuild").batch_get_builds(ids=[build_id])["builds"][0]
        return found


@pytest.fixture
def full_clone(local_aws: LocalAws, connection: str, artifact_bucket: str) -> FullClone:
    return FullClone(local_aws, connection, artifact_bucket)


def test_a_full_clone(
    full_clone: FullClone, create: Callable[..., Running], repository: Repository, history: dict[str, str]
) -> None:
    running = full_clone.pipeline(create, repository.full_name)
    first = running.first()
    build = full_clone.build(running, first)
    where = running.actions(first)["GetSourceOutput"]["output"]["outputArtifacts"][0]["s3location"]
    assert seen(build) == {
        "HEAD": history["last"],
        "SHORT": "detached",
        "BRANCHES": "origin/HEAD origin/feature/x origin/main",
        "TAGS": "v1",
        "COUNT": "2",
        "URL": f"https://github.com/{repository.full_name}.git",
        "CHANGES": "",
        "RESOLVED": history["last"],
        "VERSION": f"arn:aws:s3:::{where['bucket']}/{where['key']}",
    }
    assert build["resolvedSourceVersion"] == history["last"]
    stored = full_clone.aws.client("s3").get_object(Bucket=where["bucket"], Key=where["key"])
    assert stored["ServerSideEncryption"] == "aws:kms"
    assert json.load(stored["Body"]) == {
        "ConnectionArn": full_clone.connection,
        "FullRepositoryName": repository.full_name,
        "CommitId": history["last"],
        "BranchName": "main",
    }


def test_a_clone_leads_nowhere(
    full_clone: FullClone, create: Callable[..., Running], repository: Repository, history: dict[str, str]
) -> None:
    """Neither to the repository's place on this machine, nor to its objects, nor can the build push."""
    bare = repository.bare
    commands = {
        "PATHS": f"grep -rlF '{bare.parent.name}' .git || true",
        "LINKS": "find .git/objects -type f -links +1; cat .git/objects/info/alternates 2>/dev/null || true",
        "PUSHED": "git push origin HEAD:refs/heads/evil 2>/dev/null && echo yes || echo no",
    }
    full_clone.aws.client("codebuild").update_project(
        name=full_clone.project, source={"type": "CODEPIPELINE", "buildspec": look(**commands)}
    )
    running = full_clone.pipeline(create, repository.full_name)
    found = seen(full_clone.build(running, running.first()))
    assert (found["PATHS"], found["LINKS"], found["PUSHED"]) == ("", "", "no")
    assert "evil" not in git("branch", cwd=bare)


def test_a_full_clone_needs_the_connection(
    full_clone: FullClone, create: Callable[..., Running], repository: Repository, history: dict[str, str]
) -> None:
    running = full_clone.pipeline(create, repository.full_name)
    running.ends(running.first())

    def outcome() -> tuple[str, str]:
        build = full_clone.build(running, running.start())
        phase = next(item for item in build["phases"] if item["phaseType"] == "DOWNLOAD_SOURCE")
        return phase["contexts"][0]["statusCode"], phase["contexts"][0]["message"]

    refused = ("CLIENT_ERROR", f"authorization failed for primary source and source version {history['last']}")
    full_clone.aws.policy(full_clone.role, LOGS, full_clone.objects)
    assert outcome() == refused
    for full_name, expected in (("another/repository", refused), (repository.full_name, ("", ""))):
        condition = {"StringEquals": {"codeconnections:FullRepositoryId": full_name}}
        statement = allow("codeconnections:UseConnection", full_clone.connection, Condition=condition)
        full_clone.aws.policy(full_clone.role, LOGS, full_clone.objects, statement)
        assert outcome() == expected
    old_name = allow("codestar-connections:UseConnection", full_clone.connection)
    full_clone.aws.policy(full_clone.role, LOGS, full_clone.objects, old_name)
    assert outcome() == ("", "")


def test_a_replaced_reference_is_what_is_built(
    full_clone: FullClone, create: Callable[..., Running], repository: Repository, history: dict[str, str]
) -> None:
    running = full_clone.pipeline(create, repository.full_name)
    running.ends(running.first())
    stage = {"pipelineName": running.name, "stageName": "Look", "transitionType": "Inbound"}
    running.api.disable_stage_transition(**stage, reason="tamper")

    def tampered(**members: str) -> dict[str, Any]:
        execution = running.start()
        location = held(running, execution)
        s3 = full_clone.aws.client("s3")
        reference = json.load(s3.get_object(**location)["Body"]) | members
        s3.put_object(**location, Body=json.dumps(reference).encode())
        running.api.enable_stage_transition(**stage)
        build = full_clone.build(running, execution)
        running.api.disable_stage_transition(**stage, reason="tamper")
        return build

    build = tampered(CommitId=history["feature"])
    assert seen(build)["HEAD"] == seen(build)["RESOLVED"] == history["feature"]
    for name in ("feature/x", "origin/main", "--detach", "refs/heads/main", "f" * 40):
        context = full_clone_context(tampered(CommitId=name))
        assert context == f"reference not found for primary source and source version {name}"
    assert full_clone_context(tampered(FullRepositoryName="no/such")).startswith("repository not found for primary")


def held(running: Running, execution: str) -> dict[str, str]:
    """Where the source artifact of an execution is, once the source action is done."""

    def location() -> dict[str, str] | None:
        action = running.actions(execution).get("GetSourceOutput", {})
        if action.get("status") != "Succeeded":
            return None
        where = action["output"]["outputArtifacts"][0]["s3location"]
        return {"Bucket": where["bucket"], "Key": where["key"]}

    found: dict[str, str] = eventually(location)
    return found


def full_clone_context(build: dict[str, Any]) -> str:
    phase = next(item for item in build["phases"] if item["phaseType"] == "DOWNLOAD_SOURCE")
    return str(phase["contexts"][0]["message"])


def test_a_secondary_source_is_cloned_too(
    full_clone: FullClone, create: Callable[..., Running], repository: Repository, history: dict[str, str]
) -> None:
    commands = {"SECOND": "cd $CODEBUILD_SRC_DIR_Other && git rev-list --count origin/feature/x"}
    full_clone.aws.client("codebuild").update_project(
        name=full_clone.project, source={"type": "CODEPIPELINE", "buildspec": look(**commands)}
    )
    running = full_clone.pipeline(create, repository.full_name, "Main", "Other")
    assert seen(full_clone.build(running, running.first()))["SECOND"] == "3"


def test_an_unknown_artifact_format_is_refused(create: Callable[..., Running], connection: str) -> None:
    with pytest.raises(Exception, match="OutputArtifactFormat"):
        create(source=source_action(connection, "a/b", OutputArtifactFormat="TARBALL"))


# --- projects whose source is a repository ----------------------------------------------------------------------------


def token(connection: str, service: str = "codeconnections") -> dict[str, Any]:
    """What AWS's documentation lets a project's role do with a connection."""
    return allow([f"{service}:GetConnectionToken", f"{service}:GetConnection"], connection)


def source(connection: str, repository: Repository, spec: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "type": "GITHUB",
        "location": f"https://github.com/{repository.full_name}.git",
        "auth": {"type": "CODECONNECTIONS", "resource": connection},
        "buildspec": look() if spec is None else spec,
    } | more


@pytest.mark.parametrize(
    ("version", "commit"),
    [
        (None, "last"),
        ("main", "last"),
        ("feature/x", "feature"),
        ("refs/heads/feature/x", "feature"),
        ("v1", "last"),
        ("first", "first"),
    ],
)
def test_a_project_checks_its_source_version_out(
    version: str | None,
    commit: str,
    demo: Demo,
    connection: str,
    repository: Repository,
    history: dict[str, str],
) -> None:
    project = demo.project("", token(connection), source=source(connection, repository))
    version = history.get(version or "", version)
    build = demo.build(project, **({"sourceVersion": version} if version else {}))
    found = seen(build)
    assert found["HEAD"] == found["RESOLVED"] == build["resolvedSourceVersion"] == history[commit]
    assert found["VERSION"] == (version or "")
    assert found["BRANCHES"] == "origin/HEAD origin/feature/x origin/main"
    assert (found["TAGS"], found["SHORT"]) == ("v1", "detached")
    assert found["URL"] == f"https://github.com/{repository.full_name}.git"


@pytest.mark.parametrize("version", ["main", "v1", "last"])
def test_a_shallow_clone(
    version: str, demo: Demo, connection: str, repository: Repository, history: dict[str, str]
) -> None:
    project = demo.project("", token(connection), source=source(connection, repository, gitCloneDepth=1))
    found = seen(demo.build(project, sourceVersion=history.get(version, version)))
    assert (found["HEAD"], found["COUNT"]) == (history["last"], "1")


def test_other_providers_and_secondary_sources(
    demo: Demo, local_aws: LocalAws, repository: Repository, history: dict[str, str]
) -> None:
    connections = {}
    for provider in ("GitLab", "Bitbucket"):
        name = unique(provider.lower())
        made = local_aws.client("codestar-connections", region="us-west-1").create_connection(
            ConnectionName=name, ProviderType=provider
        )
        connections[provider] = made["ConnectionArn"]
        local_aws.post("/_local/connections/complete", connection_name=name)
    gitlab = source(connections["GitLab"], repository, look(OTHER="git -C $CODEBUILD_SRC_DIR_other rev-parse HEAD"))
    gitlab |= {"type": "GITLAB", "location": f"https://gitlab.com/{repository.full_name}"}
    other = source(connections["Bitbucket"], repository, "") | {
        "type": "BITBUCKET",
        "location": f"https://bitbucket.org/{repository.full_name}.git",
        "sourceIdentifier": "other",
    }
    project = demo.project(
        "",
        *[token(arn, "codestar-connections") for arn in connections.values()],
        source=gitlab,
        secondarySources=[other],
        secondarySourceVersions=[{"sourceIdentifier": "other", "sourceVersion": "feature/x"}],
    )
    found = seen(demo.build(project))
    assert found["URL"] == f"https://gitlab.com/{repository.full_name}.git"
    assert (found["HEAD"], found["OTHER"]) == (history["last"], history["feature"])


def test_what_a_project_may_not_clone(
    demo: Demo, local_aws: LocalAws, connection: str, repository: Repository, history: dict[str, str]
) -> None:
    def message(*statements: dict[str, Any], version: str = "main", **members: Any) -> str:
        project = demo.project("", *statements, source=source(connection, repository, **members))
        context = demo.context(demo.build(project, sourceVersion=version), "DOWNLOAD_SOURCE")
        assert context["statusCode"] == "CLIENT_ERROR"
        return context["message"]

    denied = f"Failed to get access token from {connection}: Access denied to connection {connection} for primary"
    assert message().startswith(denied)
    # UseConnection is what pipelines and full clones need; a project needs the token.
    assert message(allow("codeconnections:UseConnection", connection)).startswith(denied)
    assert message(allow("codeconnections:GetConnectionToken", connection)).startswith(denied)
    for version in ("nothing", "main~1", "pr/99", "-x"):
        text = message(token(connection), version=version)
        assert text == f"reference not found for primary source and source version {version}"
    unmapped = message(token(connection), location="https://github.com/nobody/nothing.git")
    assert unmapped.startswith("repository not found for primary source")
    pending = local_aws.client("codeconnections").create_connection(
        ConnectionName=unique("pending"), ProviderType="GitHub"
    )["ConnectionArn"]
    auth = {"type": "CODECONNECTIONS", "resource": pending}
    assert f"Connection {pending} is not available" in message(token(pending), auth=auth)


def test_submodules_are_not_left_out_silently(
    demo: Demo, connection: str, repository: Repository, history: dict[str, str]
) -> None:
    submodules = source(connection, repository, gitSubmodulesConfig={"fetchSubmodules": True})
    project = demo.project("", token(connection), source=submodules)
    assert demo.build(project)["buildStatus"] == "SUCCEEDED"
    repository.push({".gitmodules": "[submodule]\n"})
    assert "submodules are not part of local AWS" in demo.context(demo.build(project), "DOWNLOAD_SOURCE")["message"]


# --- commit statuses --------------------------------------------------------------------------------------------------


def test_commit_statuses(demo: Demo, connection: str, repository: Repository, history: dict[str, str]) -> None:
    def posted(spec: str, version: str = "feature/x", **members: Any) -> tuple[str, list[dict[str, Any]]]:
        members = {"reportBuildStatus": True} | members
        project = demo.project("", token(connection), source=source(connection, repository, spec, **members))
        build = demo.build(project, sourceVersion=version)
        found = [item for item in demo.aws.commit_statuses(repository.full_name) if project["name"] in str(item)]
        return build["id"], found

    build_id, statuses = posted(look())
    name = build_id.partition(":")[0]
    shown = {
        "repository": repository.full_name,
        "commit": history["feature"],
        "context": f"AWS CodeBuild {REGION} ({name})",
        "target_url": f"https://{REGION}.console.aws.amazon.com/codesuite/codebuild/{ACCOUNT}/projects/{name}/build/"
        f"{build_id}/?region={REGION}",
    }
    assert statuses == [
        shown | {"state": "pending", "description": f"Build started for project {name}"},
        shown | {"state": "success", "description": f"Build succeeded for project {name}"},
    ]
    failing = "version: 0.2\nphases: {build: {commands: ['false']}}"
    assert [status["state"] for status in posted(failing)[1]] == ["pending", "failure"]
    config = {"context": "ci/plan", "targetUrl": "https://ci.example.com"}
    own = posted(failing, buildStatusConfig=config)[1]
    assert {(status["context"], status["target_url"]) for status in own} == {("ci/plan", "https://ci.example.com")}
    assert posted(look(), reportBuildStatus=False)[1] == []
    assert posted(look(), version="nothing")[1] == []


def test_a_stopped_build_is_an_error_to_its_commit(
    demo: Demo, connection: str, repository: Repository, history: dict[str, str]
) -> None:
    spec = "version: 0.2\nphases: {build: {commands: [sleep 60]}}"
    project = demo.project("", token(connection), source=source(connection, repository, spec, reportBuildStatus=True))
    build_id = demo.start(project)
    demo.codebuild.stop_build(id=build_id)
    demo.ended(build_id)
    states = [status["state"] for status in demo.aws.commit_statuses(repository.full_name)]
    assert states in (["pending", "error"], ["error"])
