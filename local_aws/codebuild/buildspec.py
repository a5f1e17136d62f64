# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Buildspec, version 0.2: parsing and checks. Pure functions.

Errors carry the code and message that CodeBuild shows in the context of the phase DOWNLOAD_SOURCE.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

PHASES = ("INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD")
ON_FAILURE = ("ABORT", "CONTINUE")
SHELLS = ("bash", "/bin/sh", "sh")
_SURROGATE = re.compile("[\ud800-\udfff]")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class BuildspecError(Exception):
    """A buildspec that CodeBuild refuses; code is the phase context's statusCode."""

    def __init__(self, message: str, code: str = "YAML_FILE_ERROR") -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Phase:
    """Commands of one phase. on_failure is "ABORT", "CONTINUE" or None (CodeBuild's own transition)."""

    commands: tuple[str, ...] = ()
    finally_commands: tuple[str, ...] = ()
    on_failure: str | None = None


@dataclass(frozen=True)
class ArtifactSpec:
    """Which files make up an output artifact. files and exclude_paths are globs relative to base_directory."""

    files: tuple[str, ...]
    base_directory: str = ""
    discard_paths: bool = False
    exclude_paths: tuple[str, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class SecretReference:
    """A value of env.secrets-manager: secret-id:json-key:version-stage:version-id; the last three may be ""."""

    secret_id: str
    json_key: str = ""
    version_stage: str = ""
    version_id: str = ""


@dataclass(frozen=True)
class Buildspec:
    """A parsed buildspec. phases has an entry for each phase that the text names, keyed as in PHASES.

    ignored names the parts that are legal but have no effect in local AWS.
    """

    phases: dict[str, Phase]
    variables: dict[str, str] = field(default_factory=dict)
    parameter_store: dict[str, str] = field(default_factory=dict)
    secrets_manager: dict[str, SecretReference] = field(default_factory=dict)
    exported_variables: tuple[str, ...] = ()
    shell: str = ""
    artifacts: ArtifactSpec | None = None
    secondary_artifacts: dict[str, ArtifactSpec] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


class _Loader(yaml.SafeLoader):
    """Keeps every plain scalar as the text that was written (`0.2`, `yes`, `010`), as CodeBuild does."""

    def construct_scalar(self, node: Any) -> Any:
        """A scalar in which two escapes that are one character, as JSON has it, have become that."""
        value = super().construct_scalar(node)
        if isinstance(value, str) and _SURROGATE.search(value):
            try:
                return value.encode("utf-16", "surrogatepass").decode("utf-16")
            except UnicodeDecodeError:
                problem = "invalid Unicode character escape code"
                raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None
        return value


_Loader.yaml_implicit_resolvers = {
    "<": [("tag:yaml.org,2002:merge", re.compile(r"^<<$"))],
}


def is_inline(buildspec: str) -> bool:
    """Whether a project's buildspec is a buildspec's text; else it is the path of one."""
    return "\n" in buildspec or re.match(r"\s*(version\s*:|\{)", buildspec) is not None


def parse(text: str) -> Buildspec:
    """Parse a buildspec's text; raises BuildspecError."""
    document = _load(text)
    version = document.get("version")
    if version is None:
        raise BuildspecError("Missing required key: version")
    if version not in ("0.1", "0.2"):
        raise BuildspecError(f"Unsupported buildspec version: {version}")
    if version == "0.1":
        raise BuildspecError("Buildspec version 0.1 is not part of local AWS; use 0.2")

    env = _mapping(document.get("env"), "env")
    ignored: list[str] = [key for key in ("reports", "cache", "proxy", "batch") if key in document]
    if env.get("git-credential-helper") == "yes":
        ignored.append("env/git-credential-helper")
    if "run-as" in document:
        ignored.append("run-as")
    artifacts, secondary = _artifacts(document.get("artifacts"))
    shell = _text(env.get("shell", ""), "env/shell")
    if shell and shell not in SHELLS:
        raise BuildspecError(f"Invalid shell: {shell}. Expecting: bash,/bin/sh")
    exported = _strings(env.get("exported-variables"), "env/exported-variables")
    for name in exported:
        if not _VARIABLE_NAME.match(name):
            raise BuildspecError(f"Invalid exported variable name: {name}")
    return Buildspec(
        phases=_phases(document.get("phases"), ignored),
        variables=_variables(env, "variables"),
        parameter_store=_variables(env, "parameter-store"),
        secrets_manager={k: secret_reference(v) for k, v in _variables(env, "secrets-manager").items()},
        exported_variables=exported,
        shell=shell,
        artifacts=artifacts,
        secondary_artifacts=secondary,
        ignored=tuple(ignored),
    )


def secret_reference(text: str) -> SecretReference:
    """Split secret-id:json-key:version-stage:version-id, where secret-id is a name or an ARN."""
    parts = text.split(":")
    # arn:aws:secretsmanager:region:account:secret:name has seven parts of its own.
    id_parts = 7 if text.startswith("arn:") else 1
    secret_id, rest = ":".join(parts[:id_parts]), parts[id_parts:]
    if not secret_id or len(rest) > 3:
        raise BuildspecError(f"Invalid Secrets Manager reference: {text}")
    json_key, version_stage, version_id = (*rest, "", "", "")[:3]
    return SecretReference(secret_id, json_key, version_stage, version_id)


def _load(text: str) -> dict[str, Any]:
    loader = None
    try:
        loader = _Loader(text)  # looks for characters that YAML does not allow
        node = loader.get_single_node()
        if node is None:
            raise BuildspecError("YAML file is empty")
        _check_commands(node)
        document = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line if error.problem_mark else 0
        raise BuildspecError(f"{error.problem} at line {line}") from error
    except yaml.YAMLError as error:
        raise BuildspecError(str(error)) from error
    except RecursionError as error:
        raise BuildspecError("exceeded max depth") from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise BuildspecError("a value is not what its tag says") from error  # such as !!int a
    finally:
        if loader is not None:
            loader.dispose()
    if not isinstance(document, dict):
        raise BuildspecError("Expected the buildspec to be a mapping")
    return document


def _check_commands(node: Any) -> None:
    """Refuse a command that YAML reads as a mapping (`- echo a: b`), with the lines, as CodeBuild does."""
    for _, phase in _pairs(_child(node, "phases")):
        for key in ("commands", "finally"):
            commands = _child(phase, key)
            if not isinstance(commands, yaml.SequenceNode):
                continue
            for index, command in enumerate(commands.value):
                if isinstance(command, yaml.ScalarNode):
                    continue
                line = command.start_mark.line + 1
                raise BuildspecError(
                    f"Expected Commands[{index}] to be of string type: found subkeys instead at line {line}, "
                    f"value of the key tag on line {line - 1} might be empty"
                )


def _pairs(node: Any) -> list[tuple[str, Any]]:
    if not isinstance(node, yaml.MappingNode):
        return []
    return [(str(key.value), value) for key, value in node.value]


def _child(node: Any, name: str) -> Any:
    return dict(_pairs(node)).get(name)


def _phases(value: Any, ignored: list[str]) -> dict[str, Phase]:
    phases: dict[str, Phase] = {}
    for name, body in _mapping(value, "phases").items():
        if name.upper() not in PHASES or name != name.lower():
            raise BuildspecError(f"Invalid buildspec phase name: {name}. Expecting: build,install,post_build,pre_build")
        phase = _mapping(body, f"phases/{name}")
        commands = _strings(phase.get("commands"), f"phases/{name}/commands")
        finally_commands = _strings(phase.get("finally"), f"phases/{name}/finally")
        if not commands and "runtime-versions" not in phase:
            raise BuildspecError(f"No commands found for phase name: {name}")
        on_failure = phase.get("on-failure")
        if on_failure is not None and on_failure not in ON_FAILURE:
            # RETRY is CodeBuild's third answer; it would need a second build and is not part of local AWS.
            raise BuildspecError(f"Invalid on-failure value in phase {name}: {on_failure}. Expecting: ABORT,CONTINUE")
        ignored.extend(f"phases/{name}/{key}" for key in ("runtime-versions", "run-as") if key in phase)
        phases[name.upper()] = Phase(commands, finally_commands, on_failure)
    if not phases:
        raise BuildspecError("Missing required key: phases")
    return phases


def _artifacts(value: Any) -> tuple[ArtifactSpec | None, dict[str, ArtifactSpec]]:
    if value is None:
        return None, {}
    body = _mapping(value, "artifacts")
    where = "artifacts/secondary-artifacts"
    secondary = {
        name: _artifact(_mapping(spec, f"{where}/{name}"), f"{where}/{name}")
        for name, spec in _mapping(body.get("secondary-artifacts"), where).items()
    }
    # With secondary artifacts the primary `files` block may be left out.
    primary = None if secondary and "files" not in body else _artifact(body, "artifacts")
    return primary, secondary


def _artifact(body: dict[str, Any], where: str) -> ArtifactSpec:
    files = _strings(body.get("files"), f"{where}/files")
    if not files:
        raise BuildspecError(f"Missing required key: {where}/files")
    discard = _text(body.get("discard-paths", "no"), f"{where}/discard-paths").lower()
    if discard not in ("yes", "no", "true", "false"):
        raise BuildspecError(f"Invalid value of {where}/discard-paths: {discard}. Expecting: yes,no")
    return ArtifactSpec(
        files=files,
        base_directory=_text(body.get("base-directory", ""), f"{where}/base-directory"),
        discard_paths=discard in ("yes", "true"),
        exclude_paths=_strings(body.get("exclude-paths"), f"{where}/exclude-paths"),
        name=_text(body.get("name", ""), f"{where}/name"),
    )


def _variables(env: dict[str, Any], key: str) -> dict[str, str]:
    variables = _mapping(env.get(key), f"env/{key}")
    for name, value in variables.items():
        if not _VARIABLE_NAME.match(name):
            raise BuildspecError(f"Invalid environment variable name: {name}")
        _text(value, f"env/{key}/{name}")
    return variables


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise BuildspecError(f"Expected {where} to be a mapping")
    return {str(key): item for key, item in value.items()}


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list):
        raise BuildspecError(f"Expected {where} to be a list of strings")
    return tuple(_text(item, f"{where}[{index}]") for index, item in enumerate(value))


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise BuildspecError(f"Expected {where} to be of string type")
    return value
