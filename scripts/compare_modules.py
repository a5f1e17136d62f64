# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/module-comparison.md, our modules beside community.aws's: python scripts/compare_modules.py.

The tables of settings come from botocore's service models and from the argument specs of the installed modules; the
tables of behaviour from module_behaviours.py, every line of which names the tests that run it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import botocore
import botocore.session
import git_files
import yaml
from botocore import xform_name
from module_behaviours import ALONE, BEHAVIOURS, BOTH, PIPELINES, PROJECTS, Alone

DOCUMENT = git_files.ROOT / "docs" / "module-comparison.md"

THEIR_PROJECT = "community.aws.codebuild_project"
THEIR_PIPELINE = "community.aws.codepipeline"

# The releases of community.aws that are compared, and the releases of ansible in requirements/dev.txt that carry them.
# Both hold the same two files. A release with others must be looked at, and its tests run, before it is named here.
COMMUNITY_AWS = {"10.0.0": "12.3.0", "11.2.0": "14.5.0"}
DIGESTS = {
    THEIR_PROJECT: "595937fc3ad3bb06a8bc4f86ff1768c42230a0cf56597f0274486891fa9cddf4",
    THEIR_PIPELINE: "cbffb81670cd1fdf321e4574d26b5c933a1860a003fe5ae095ff63c9196f1379",
}

Options = dict[str, Any]

TYPED = "option"
CHECKED = "option, checked"
UNTYPED = "untyped"
DOCUMENTED = "untyped, documented"
NONE = "no"
OUR_STATES = (TYPED, CHECKED, UNTYPED, NONE)
THEIR_STATES = (TYPED, DOCUMENTED, UNTYPED, NONE)

# Maps of structures, which Ansible cannot type: our module's own code checks what is in them.
CHECKED_MAPS = ("artifact_stores",)


class CannotCompare(Exception):
    """The document cannot be written; the text says why, and what to do."""


@dataclass
class Compared:
    """Operations of AWS that write the same settings, and where each module has these settings.

    Attributes:
        title: of the table.
        service: botocore's name of the service.
        operations: whose inputs are looked at, as one.
        module: ours.
        options: our argument spec of one item.
        theirs: the full name of their module, '' where they have none that calls the operations.
        inside: the member of the inputs whose members are settings, '' where they stand at the top.
        under: our option that has the settings below it, '' where they stand at the top.
        renamed: members that have another name as an option of ours.
        reasons: members that are no option of ours, and why.
    """

    title: str
    service: str
    operations: tuple[str, ...]
    module: str
    options: Options
    theirs: str = ""
    inside: str = ""
    under: str = ""
    renamed: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass
class Row:
    """A member: its path in snake_case, and how each module reaches it."""

    path: str
    ours: str
    theirs: str


Found = list[tuple[Compared, list[Row]]]


# --- what is installed


def load(name: str) -> Any:
    """A Python module of a collection, by its name behind `ansible_collections.`."""
    collections = str(git_files.ROOT / ".work" / "collections")
    if collections not in sys.path:
        sys.path.insert(0, collections)
    return importlib.import_module(f"ansible_collections.{name}")


def load_module(name: str) -> Any:
    """An Ansible module by its full name."""
    collection, _, module = name.rpartition(".")
    return load(f"{collection}.plugins.modules.{module}")


class Captured(Exception):
    """Carries an argument spec out of a module."""

    def __init__(self, spec: Options) -> None:
        super().__init__()
        self.spec = spec


def argument_spec(name: str) -> Options:
    """The argument spec that a module of theirs hands to Ansible. It is run up to there."""
    code = load_module(name)

    def capture(argument_spec: Options) -> None:
        raise Captured(argument_spec)

    with mock.patch.object(code, "AnsibleAWSModule", capture):
        try:
            code.main()
        except Captured as captured:
            return captured.spec
    raise CannotCompare(f"{name} hands no argument spec to Ansible")


def documented_options(name: str) -> Options:
    """The options that a module's documentation names, with `suboptions` below them."""
    documented: Options = yaml.safe_load(load_module(name).DOCUMENTATION)["options"]
    return documented


def check_versions() -> None:
    """Raises CannotCompare where another community.aws is installed than the document is about."""
    files = {name: Path(load_module(name).__file__) for name in DIGESTS}
    manifest = json.loads((files[THEIR_PROJECT].parents[2] / "MANIFEST.json").read_text(encoding="utf-8"))
    version = manifest["collection_info"]["version"]
    digests = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}
    if version not in COMMUNITY_AWS or digests != DIGESTS:
        raise CannotCompare(
            f"community.aws {version} is installed, and the comparison is about {' and '.join(COMMUNITY_AWS)}. Look at "
            "what its modules do now (tests/integration/incumbents), then state in scripts/compare_modules.py the "
            f"version and {digests}"
        )


# --- the settings


def comparisons() -> list[Compared]:
    """What is compared with what."""
    project = load("gitops.aws.plugins.module_utils._kinds.codebuild_project").OPTIONS
    pipeline = load("gitops.aws.plugins.module_utils._kinds.codepipeline").OPTIONS
    return [
        Compared(
            title="A build project",
            service="codebuild",
            operations=("CreateProject", "UpdateProject"),
            module="codebuild_projects",
            options=project,
            theirs=THEIR_PROJECT,
            reasons={"environment.docker_server.status": "AWS answers it, and nobody can set it"},
        ),
        Compared(
            title="Its webhook",
            service="codebuild",
            operations=("CreateWebhook", "UpdateWebhook"),
            module="codebuild_projects",
            options=project,
            under="webhook",
            renamed={"project_name": "name"},
            reasons={"rotate_secret": "an act and no setting; a webhook that is made anew has another secret"},
        ),
        Compared(
            title="Its visibility",
            service="codebuild",
            operations=("UpdateProjectVisibility",),
            module="codebuild_projects",
            options=project,
            renamed={"project_arn": "name"},
        ),
        Compared(
            title="Its resource policy",
            service="codebuild",
            operations=("PutResourcePolicy",),
            module="codebuild_projects",
            options=project,
            renamed={"resource_arn": "name", "policy": "resource_policy"},
        ),
        Compared(
            title="A pipeline",
            service="codepipeline",
            operations=("CreatePipeline", "UpdatePipeline"),
            module="codepipelines",
            options=pipeline,
            theirs=THEIR_PIPELINE,
            inside="pipeline",
            reasons={"version": "AWS counts it, and the module returns it"},
        ),
    ]


def members(shape: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every member below a shape, with its path in snake_case; lists are looked through.

    A map's keys are its users' own: they are `*` in the path. Tags are one member, as every module that has them takes
    a dictionary.
    """
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            below = (*path, xform_name(name))
            yield below, member
            if below != ("tags",):
                yield from members(member, below)
    elif shape.type_name == "list":
        yield from members(shape.member, path)
    elif shape.type_name == "map":
        yield from members(shape.value, (*path, "*"))


def scalar(shape: Any) -> bool:
    """Whether no structure is in a shape, so that there are no sub-options to type."""
    if shape.type_name == "list":
        return scalar(shape.member)
    if shape.type_name == "map":
        return scalar(shape.value)
    return bool(shape.type_name != "structure")


def reach(options: Options, path: tuple[str, ...], shape: Any) -> str:
    """How an argument spec reaches the member at a path: TYPED, UNTYPED or NONE."""
    name, *rest = path
    if name not in options:
        return NONE
    option = options[name]
    below = option.get("options")
    if below is not None and set(below) == {"filters"}:
        below = below["filters"]["options"]  # a list of lists at AWS, which Ansible cannot type
    if rest and below is not None:
        return reach(below, tuple(rest), shape)
    if rest:
        return UNTYPED if "dict" in (option.get("type"), option.get("elements")) else NONE
    return TYPED if below is not None or path == ("tags",) or scalar(shape) else UNTYPED


def documents(options: Options, path: tuple[str, ...]) -> bool:
    """Whether a documentation names the member at a path."""
    name, *rest = path
    if name not in options:
        return False
    return documents(options[name].get("suboptions") or {}, tuple(rest)) if rest else True


def rows(compared: Compared) -> list[Row]:
    """Every member of the operations' inputs, once."""
    model = botocore.session.get_session().get_service_model(compared.service)
    spec = argument_spec(compared.theirs) if compared.theirs else {}
    documentation = documented_options(compared.theirs) if compared.theirs else {}
    found: dict[str, Row] = {}
    for operation in compared.operations:
        for full_path, shape in members(model.operation_model(operation).input_shape):
            path = full_path[1:] if full_path[0] == compared.inside else full_path
            if not path:
                continue
            option = (compared.under, *path) if compared.under else path
            if path[0] in compared.renamed:
                option = (compared.renamed[path[0]], *path[1:])
            ours, theirs = reach(compared.options, option, shape), reach(spec, path, shape)
            found[".".join(path)] = Row(
                ".".join(path),
                CHECKED if ours == UNTYPED and path[0] in CHECKED_MAPS else ours,
                DOCUMENTED if theirs == UNTYPED and documents(documentation, path) else theirs,
            )
    return list(found.values())


# --- the document


def table(header: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A table of Markdown. Raises CannotCompare where it would have no line."""
    head, body = list(header), [list(line) for line in lines]
    if not body:
        raise CannotCompare(f"the table of {', '.join(head)} would be empty")
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *body)) + "\n"


def links(tests: Iterable[str]) -> str:
    """Tests' names, each linked to its file."""
    parts = [test.split("::") for test in tests]
    return ", ".join(f"[`{names[-1]}`](../{file})" for file, *names in parts)


def numbers_of_settings(found: Found) -> str:
    """For each group of operations, how many members each module reaches, and how. Ways that none has are left out."""
    ours = [state for state in OUR_STATES if any(row.ours == state for _compared, group in found for row in group)]
    theirs = [
        state for state in THEIR_STATES if any(row.theirs == state for _compared, group in found for row in group)
    ]
    return table(
        ("", "members", *(f"ours: {state}" for state in ours), *(f"theirs: {state}" for state in theirs)),
        (
            (
                compared.title,
                str(len(group)),
                *(str([row.ours for row in group].count(state)) for state in ours),
                *(str([row.theirs for row in group].count(state)) for state in theirs),
            )
            for compared, group in found
        ),
    )


def behaviours(where: str) -> str:
    """The behaviour table of one place."""
    return table(
        ("when", "community.aws", "gitops.aws", "checked by"),
        (
            (
                line.what,
                line.theirs,
                line.ours,
                links(line.tests) + (f"; by reading: {line.by_reading}" if line.by_reading else ""),
            )
            for line in BEHAVIOURS
            if line.where == where
        ),
    )


def modules_alone() -> list[Alone]:
    """Our modules without a counterpart, as far as there are such."""
    return [each for each in ALONE if (git_files.ROOT / "plugins" / "modules" / f"{each.module}.py").is_file()]


def alone() -> str:
    """The table of our modules without a counterpart."""
    return table(
        ("module", "promise", "checked by"),
        (
            (f"`{each.module}`" if number == 0 else "", promise, links(tests))
            for each in modules_alone()
            for number, (promise, tests) in enumerate(each.promises)
        ),
    )


def settings(compared: Compared, found: list[Row]) -> str:
    """The table of one group of operations, with what explains it."""
    notes = [f"Operations: {', '.join(compared.operations)}."]
    if compared.under:
        notes.append(f"Our options for it are below `{compared.under}`.")
    notes += [f"`{member}` is our option `{option}`." for member, option in compared.renamed.items()]
    notes += [f"`{path}`: {reason}." for path, reason in compared.reasons.items()]
    header = (
        "member",
        f"`gitops.aws.{compared.module}`",
        f"`{compared.theirs}`" if compared.theirs else "community.aws",
    )
    lines = table(header, ((f"`{row.path}`", row.ours, row.theirs) for row in found))
    return f"### {compared.title}\n\n{wrapped(' '.join(notes))}\n\n{lines}"


def wrapped(text: str, bullet: str = "") -> str:
    """A paragraph, or an item of a list."""
    return textwrap.fill(
        text,
        width=120,
        initial_indent=bullet,
        subsequent_indent=" " * len(bullet),
        break_long_words=False,
        break_on_hyphens=False,
    )


def numbers(found: Found) -> str:
    """The summary, as a list."""
    every = [row for _compared, group in found for row in group]
    ours = sum(row.ours in (TYPED, CHECKED) for row in every)
    options, no = (sum(row.theirs == state for row in every) for state in (TYPED, NONE))
    read = sum(bool(line.by_reading) for line in BEHAVIOURS)
    same = sum(line.same for line in BEHAVIOURS)
    of_settings = (
        f"Settings: AWS's operations have {len(every)} members. Ours reach {ours} of them as options with a type. "
        f"Theirs reach {options} so, {len(every) - options - no} in dictionaries that they hand on unchecked, and {no} "
        "not at all."
    )
    of_behaviour = (
        f"Behaviour: {len(BEHAVIOURS)} situations, of which {same} end the same. {len(BEHAVIOURS) - read} are run with "
        f"both modules; {read} need AWS itself, and say what was read instead."
    )
    of_modules = f"{len(modules_alone())} modules of ours have no counterpart."
    return "\n".join(wrapped(text, "- ") for text in (of_settings, of_behaviour, of_modules))


def render() -> str:
    """The whole document."""
    check_versions()
    found = [(compared, rows(compared)) for compared in comparisons()]
    releases = " and ".join(f"{version} (in ansible {ansible})" for version, ansible in COMMUNITY_AWS.items())
    compared_with = wrapped(
        f"Compared with community.aws {releases}, whose two modules are the same files, and with the service models of "
        f"botocore {botocore.__version__}. For reading, starting, stopping, approving and rolling back, and for "
        "connections to Git hosts, no collection in the package `ansible` has a module."
    )
    of_behaviour = "\n".join(f"### {where}\n\n{behaviours(where)}" for where in (BOTH, PROJECTS, PIPELINES))
    of_settings = "\n".join(settings(compared, group) for compared, group in found)
    return f"""\
<!-- Written by scripts/compare_modules.py: change that, or scripts/module_behaviours.py, and run it. -->

# Our modules beside community.aws's

For CodeBuild and CodePipeline, Ansible users have two modules already, in the collection community.aws:
`codebuild_project` and `codepipeline`. Both create, update and delete, they come with the package `ansible`, and one
task is one resource. This page says what ours do differently, line by line, and which test shows it, so that you can
choose, or move.

{compared_with}

## In numbers

{numbers(found)}

## How it was checked

The tests in [`tests/integration/incumbents`](../tests/integration/incumbents/test_behaviour.py) run their module and
ours in the same situation against local AWS, and look at the result, at what AWS has afterwards and at the calls that
it logged. They fail when either module does something else than this page says. Local AWS is not AWS:
[its README](../local_aws/README.md) says what it proves. A role that is too new is stood for by one that does not exist
yet, for which local AWS has the same error.

The tables of settings are made from what each module hands to Ansible as its argument spec.

## Behaviour

{of_behaviour}
## Modules without a counterpart

{alone()}
## Settings

Every member of the operations' input, in snake_case; a full stop is one level down, `*` a key of your own choice.

- `{TYPED}`: an option or sub-option with a type and, where AWS has such, choices. Ansible refuses a wrong one before
  any call.
- `{CHECKED}`: below a key of your own choice, where Ansible has no types; the module's own code checks it.
- `{UNTYPED}`: in a dictionary that is handed on as it is, so that botocore or AWS refuses what is wrong;
  `{DOCUMENTED}`: the module's documentation names it.
- `{NONE}`: cannot be set.

{numbers_of_settings(found)}
{of_settings}"""


def main() -> int:
    try:
        text = render()
    except CannotCompare as error:
        sys.exit(str(error))
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
