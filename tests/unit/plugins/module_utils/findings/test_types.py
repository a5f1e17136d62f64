# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every type of the catalogue speaks of operations, parameters and members that AWS has."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import botocore.session
import jmespath
import pytest
from botocore import xform_name
from botocore.validate import ParamValidator

from ansible_collections.gitops.aws.plugins.module_utils._findings.catalogue import ALL
from ansible_collections.gitops.aws.plugins.module_utils._findings.expressions import WORD
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Call, Type

SESSION = botocore.session.Session()
TYPES = [pytest.param(kind, id=name) for name, kind in ALL.items()]
NOT_TAGGABLE = ("aws_iam_group",)
each_type = pytest.mark.parametrize("kind", TYPES)


@dataclass(frozen=True)
class Members:
    """What expressions are evaluated on where no service describes it: shapes by name. None is anything."""

    members: dict[str, Any]
    type_name: str = "structure"


@functools.cache
def service(name: str) -> Any:
    """A service's model."""
    return SESSION.get_service_model(name)


def operation(kind: Type, call: Call) -> Any:
    """The model of the operation that a call names."""
    where, _dot, name = call.operation.rpartition(".")
    model = service(where or kind.service)
    known = {xform_name(one): one for one in model.operation_names}
    assert name in known, f"{where or kind.service} has no {name}"
    return model.operation_model(known[name])


def shape_of(expression: str, shape: Any) -> Any:
    """The shape of what an expression finds in a shape; None where that can't be said.

    A member that the shape hasn't is a failure.
    """
    return _found(jmespath.compile(expression).parsed, shape) if expression else None


def _found(node: dict[str, Any], shape: Any) -> Any:
    kind, children = node["type"], node["children"]
    if kind == "field":
        return _member(node["value"], shape)
    if kind in ("subexpression", "pipe", "index_expression"):
        for child in children:
            shape = _found(child, shape)
        return shape
    if kind in ("projection", "value_projection", "filter_projection"):
        inner = _element(_found(children[0], shape))
        if kind == "filter_projection":
            _found(children[2], inner)
        return Each(_found(children[1], inner))
    if kind == "flatten":
        inner = _found(children[0], shape)
        nested = _element(inner)
        return nested if getattr(nested, "type_name", "") == "list" else inner
    if kind in ("index", "slice"):
        return _element(shape)
    if kind in ("identity", "current"):
        return shape
    for child in children:  # functions, comparisons, and, or, not, literals, lists
        _found(child["children"][0] if child["type"] == "key_val_pair" else child, shape)
    return None


@dataclass(frozen=True)
class Each:
    """A list that an expression makes."""

    member: Any
    type_name: str = "list"


def _element(shape: Any) -> Any:
    return shape.member if getattr(shape, "type_name", "") == "list" else None


def _member(name: str, shape: Any) -> Any:
    if shape is None or getattr(shape, "type_name", "") == "map":
        return None
    assert shape.type_name == "structure", f"{name} of {shape}"
    assert name in shape.members, f"{name} is none of {', '.join(shape.members)}"
    return shape.members[name]


def element_of(kind: Type, found: Any) -> Members | None:
    """What a type's expressions are evaluated on: an element of the list, with what further reads give."""
    if found is None:
        return None
    own = found.members if found.type_name == "structure" else {"value": found}
    further = {name: shape_of(call.result, operation(kind, call).output_shape) for name, call in kind.more.items()}
    return Members({**own, **further})


def calls(kind: Type) -> Iterator[tuple[Call, dict[str, Any]]]:
    """The calls of a type that may name {kept...}, with what is kept."""
    kept = dict.fromkeys(kind.quarantine.keep) if kind.quarantine else {}
    for call in (kind.list, kind.read, *kind.more.values(), *kind.copies, *kind.remove):
        yield call, {}
    yield from ((call, {}) for call in ([kind.copied] if kind.copied else []))
    if kind.quarantine:
        yield from ((call, kept) for call in (*kind.quarantine.do, *kind.quarantine.undo))


def filled(template: Any, shape: Any) -> Any:
    """The parameters with something of the right kind for each word that stands alone."""
    if isinstance(template, str) and WORD.fullmatch(template):
        return sample(shape)
    if isinstance(template, dict):
        members = shape.members if shape.type_name == "structure" else dict.fromkeys(template, shape.value)
        return {name: filled(one, members[name]) if name in members else one for name, one in template.items()}
    if isinstance(template, list):
        return [filled(one, shape.member) for one in template]
    return template


def sample(shape: Any) -> Any:
    """A value that a shape allows."""
    if shape.type_name == "structure":
        return {name: sample(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [sample(shape.member)]
    simple = {"integer": 1, "long": 1, "boolean": True, "map": {}, "double": 1.0, "float": 1.0, "timestamp": 1}
    text = "x" * max(1, shape.metadata.get("min", 1)) if shape.type_name in ("string", "blob") else ""
    return simple.get(shape.type_name, text)


def texts(value: Any) -> Iterator[str]:
    """All texts in parameters."""
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(one)


@each_type
def test_what_is_asked_for(kind: Type) -> None:
    for call, kept in calls(kind):
        model = operation(kind, call)
        given = filled(call.parameters, model.input_shape) if model.input_shape else {}
        report = ParamValidator().validate(given, model.input_shape)
        assert not report.has_errors(), f"{call.operation}: {report.generate_report()}"
        for text in texts(call.parameters):
            words = [match[1] for match in WORD.finditer(text)]
            assert "{" not in WORD.sub("", text), text
            assert {word[5:] for word in words if word.startswith("kept.")} <= set(kept), text
            assert "each" not in words or call.each, text


@each_type
def test_what_is_read_from_the_answers(kind: Type) -> None:
    listed = element_of(kind, _element(shape_of(kind.list.result, operation(kind, kind.list).output_shape)))
    read = element_of(kind, shape_of(kind.read.result, operation(kind, kind.read).output_shape))
    quarantine = kind.quarantine
    arn = "" if kind.arn.startswith("arn:") else kind.arn
    for element in (listed, read):
        for expression in (kind.id, arn, kind.title, kind.region, kind.import_id, kind.created, kind.gone, kind.tags):
            shape_of(expression, element)
    # One that is read may have less than one that is listed, and the other way round: IAM's roles and users.
    either = Members({**read.members, **listed.members}) if listed and read else None
    for expression in (kind.default_with, *kind.part_of.values(), *kind.refs, *kind.used_by):
        shape_of(expression, either)
    for reasons in (kind.aws_default, kind.service_managed, kind.guarded):
        for reason, expression in reasons.items():
            shape_of(expression, either)
            assert not reason.endswith("."), reason  # it stands in a sentence
    if quarantine:
        for expression in (quarantine.done, *quarantine.keep.values()):
            shape_of(expression, listed)
    for call, kept in calls(kind):
        around = Members({"element": listed, "kept": Members(kept)})
        shape_of(call.each, around)


@each_type
def test_what_is_said_of_it(kind: Type) -> None:
    if kind.arn.startswith("arn:"):
        assert "{" not in WORD.sub("", kind.arn)
        assert re.match(r"arn:\{partition\}:[a-z0-9-]+:(\{region\})?:(\{account\})?:", kind.arn)
        assert kind.arn.split(":")[4] == "{account}" or kind.name in ("aws_ami", "aws_ebs_snapshot", "aws_s3_bucket")
    assert not kind.remove or kind.recover
    assert not kind.remove or kind.rank
    assert "{" not in kind.recover
    taggable = kind.name not in NOT_TAGGABLE
    assert bool(kind.tags or "tags" in kind.more) == taggable, "a tag may protect it"
    assert set(kind.part_of) <= set(ALL)
    assert not kind.copied or kind.copies
    if kind.quarantine:
        assert kind.quarantine.do
        assert kind.quarantine.undo


@pytest.mark.parametrize("kind", ["role", "user", "group"])
def test_what_denies_everything_is_taken_off_last(kind: str) -> None:
    denies, allows = "arn:aws:iam::aws:policy/AWSDenyAll", "arn:aws:iam::aws:policy/AdministratorAccess"
    remove = ALL[f"aws_iam_{kind}"].remove
    around = {"element": {"attached": [denies, allows], "inline": ["one"]}, "kept": {}}
    detached = {
        number: jmespath.search(call.each, around) for number, call in enumerate(remove) if "detach" in call.operation
    }

    assert list(detached.values()) == [[allows], [denies]]
    assert list(detached)[1] == len(remove) - 2
    assert remove[-1].operation == f"delete_{kind}"


def test_a_member_that_aws_has_not_is_seen() -> None:
    answer = service("ec2").operation_model("DescribeVpcs").output_shape
    vpc = _element(shape_of("Vpcs", answer))
    shape_of("Tags[?Key=='a'].Value | [0]", vpc)
    for wrong in ("VpcID", "Tags[?Name=='a']", "Tags[].Val", "contains(Tags[].Key, Vpc)"):
        with pytest.raises(AssertionError):
            shape_of(wrong, vpc)
