# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Buildspec 0.2: what is read, and what CodeBuild refuses."""

from __future__ import annotations

import textwrap

import pytest

from local_aws.codebuild import buildspec
from local_aws.codebuild.buildspec import ArtifactSpec, BuildspecError, Phase, SecretReference


def parse(text: str) -> buildspec.Buildspec:
    return buildspec.parse(textwrap.dedent(text))


def refused(text: str) -> str:
    with pytest.raises(BuildspecError) as caught:
        parse(text)
    assert caught.value.code == "YAML_FILE_ERROR"
    return caught.value.message


FULL = """
    version: 0.2
    env:
      shell: /bin/sh
      git-credential-helper: yes
      variables:
        PLAIN: text
        NUMBER: 010
        SWITCH: yes
      parameter-store:
        KEY: /gitops/key
      secrets-manager:
        PASSWORD: db:password
      exported-variables: [PLAN_ID, COUNTS]
    phases:
      install:
        runtime-versions:
          python: 3.11
      pre_build:
        on-failure: ABORT
        commands:
          - terraform init
      build:
        on-failure: CONTINUE
        commands:
          - |
            echo one
            echo two
          - terraform plan
        finally:
          - rm -f secret
    reports:
      junit:
        files: [report.xml]
    artifacts:
      files: ['**/*']
      base-directory: tf
      discard-paths: no
      exclude-paths: ['.terraform/**/*']
      name: plan
      secondary-artifacts:
        logs:
          files: '*.log'
          discard-paths: yes
    cache:
      paths: [/var/cache/x]
"""


def test_everything_is_read() -> None:
    spec = parse(FULL)
    assert spec.variables == {"PLAIN": "text", "NUMBER": "010", "SWITCH": "yes"}
    assert spec.parameter_store == {"KEY": "/gitops/key"}
    assert spec.secrets_manager == {"PASSWORD": SecretReference("db", "password")}
    assert spec.exported_variables == ("PLAN_ID", "COUNTS")
    assert spec.phases == {
        "INSTALL": Phase(),
        "PRE_BUILD": Phase(("terraform init",), (), "ABORT"),
        "BUILD": Phase(("echo one\necho two\n", "terraform plan"), ("rm -f secret",), "CONTINUE"),
    }
    assert spec.artifacts == ArtifactSpec(("**/*",), "tf", False, (".terraform/**/*",), "plan")
    assert spec.secondary_artifacts == {"logs": ArtifactSpec(("*.log",), discard_paths=True)}
    assert spec.ignored == ("reports", "cache", "env/git-credential-helper", "phases/install/runtime-versions")
    assert spec.shell == "/bin/sh"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("name", SecretReference("name")),
        ("name:key", SecretReference("name", "key")),
        ("name:key:AWSCURRENT:v1", SecretReference("name", "key", "AWSCURRENT", "v1")),
        (
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-a1:key",
            SecretReference("arn:aws:secretsmanager:eu-central-1:123456789012:secret:db-a1", "key"),
        ),
    ],
)
def test_secret_references(text: str, reference: SecretReference) -> None:
    assert buildspec.secret_reference(text) == reference


def test_a_secret_reference_has_four_parts_at_most() -> None:
    with pytest.raises(BuildspecError, match="a:b:c:d:e"):
        buildspec.secret_reference("a:b:c:d:e")


def test_a_command_that_yaml_reads_as_a_mapping_is_refused_with_its_lines() -> None:
    message = refused("""\
        version: 0.2
        phases:
          build:
            commands:
              - echo fine
              - echo a: b
    """)
    assert message == (
        "Expected Commands[1] to be of string type: found subkeys instead at line 6, "
        "value of the key tag on line 5 might be empty"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "YAML file is empty"),
        ("phases: {build: {commands: [x]}}", "Missing required key: version"),
        ("version: 0.3\nphases: {build: {commands: [x]}}", "Unsupported buildspec version: 0.3"),
        ("version: 0.2", "Missing required key: phases"),
        (
            "version: 0.2\nphases: {pre-build: {commands: [x]}}",
            "Invalid buildspec phase name: pre-build. Expecting: build,install,post_build,pre_build",
        ),
        ("version: 0.2\nphases: {build: {}}", "No commands found for phase name: build"),
        ("version: 0.2\nphases: {build: {commands: [x], on-failure: RETRY}}", "Invalid on-failure value"),
        (
            "version: 0.2\nenv: {variables: {a-b: x}}\nphases: {build: {commands: [x]}}",
            "Invalid environment variable name: a-b",
        ),
        (
            "version: 0.2\nenv: {exported-variables: ['$(id)']}\nphases: {build: {commands: [x]}}",
            "Invalid exported variable name",
        ),
        ("version: 0.2\nenv: {shell: zsh}\nphases: {build: {commands: [x]}}", "Invalid shell: zsh"),
        (
            "version: 0.2\nphases: {build: {commands: [x]}}\nartifacts: {name: x}",
            "Missing required key: artifacts/files",
        ),
        ("version: 0.2\nphases: build: x", "mapping values are not allowed"),
        ("- a\n- b", "Expected the buildspec to be a mapping"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    assert message in refused(text)


@pytest.mark.parametrize(
    ("text", "inline"),
    [
        ("version: 0.2\nphases: {}", True),
        ("version: 0.2", True),
        ("{version: 0.2}", True),
        ("buildspec.yml", False),
        ("buildspecs/buildspec_plan.yml", False),
        ("", False),
    ],
)
def test_inline_or_path(text: str, inline: bool) -> None:
    assert buildspec.is_inline(text) is inline
