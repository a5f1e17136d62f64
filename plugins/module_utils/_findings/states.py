# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What Terraform's states say about an account: which resources they manage, and every id and ARN that stands in them.

An opaque id or ARN that occurs anywhere in a state belongs to something that is managed: root volumes, the default
security group of a VPC, what a data source refers to. That one rule spares what no list of special cases would cover.
States hold secrets: what is kept of them is ids, ARNs, paths and addresses, and none of it is shown but addresses.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Iterator

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils import _terraform_locks
from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, error_code, explain
from ansible_collections.gitops.aws.plugins.module_utils._terraform_state import address

# EC2's and its neighbours' opaque ids: unique in all of AWS.
_OPAQUE = re.compile(
    r"\b(?:acl|ami|dopt|eipalloc|eipassoc|eni|fl|fs|fsmt|i|igw|lt|nat|pcx|rtb|sg|sgr|snap|subnet|tgw|vgw|vol|vpc|vpce)"
    r"-[0-9a-f]{8,17}\b"
)
# One ARN may stand in another: a function's in that of an API's integration.
_ARN = re.compile(r"(?=(arn:aws[\w-]*:[^\"\s,\\]+))")
_WHOLE = re.compile(r"(?:/|https?://)\S{4,}")  # names of log groups, of parameters, and queues' URLs

AWS_PROVIDER = re.compile(r"/hashicorp/aws(?:cc)?\"\]")

# What a managed resource makes beside itself, under a name that follows from its own: the type, and the name.
MADE_BESIDE = {
    "aws_lambda_function": ("aws_cloudwatch_log_group", "/aws/lambda/{function_name}"),
    "aws_codebuild_project": ("aws_cloudwatch_log_group", "/aws/codebuild/{name}"),
    "aws_eks_cluster": ("aws_cloudwatch_log_group", "/aws/eks/{name}/cluster"),
}

PROBLEM_FIX = "look at the object and its versions (gitops.aws.restore_state); a state that is not needed has to go"


@dataclass(frozen=True)
class Where:
    """A place in a state: the address, the object's key, and the attribute, '' for the resource itself."""

    address: str
    key: str
    attribute: str = ""

    def words(self) -> str:
        """As a person reads it."""
        return f"{self.address}{'.' if self.attribute else ''}{self.attribute} in {self.key}"


@dataclass(frozen=True)
class Instance:
    """A resource of AWS that a state manages."""

    type: str
    id: str
    arn: str
    region: str
    where: Where


@dataclass(frozen=True)
class StateFile:
    """A state as it was read: what identifies it and its version."""

    key: str
    lineage: str
    serial: int
    etag: str
    version_id: str
    managed: int


@dataclass
class States:
    """All states of a bucket.

    Attributes:
        files: by key.
        managed: by type and id; a name may be managed in several regions.
        arns: the same by ARN, of what has one.
        tokens: ids, ARNs and paths that occur anywhere, each with the first place.
        beside: (type, name) of what managed resources make beside themselves.
        wanted: attributes whose texts are kept as names, such as key_name.
        names: by (attribute, text), each with the first place.
        locked: who holds a state, in words, by key.
        problems: {what, why, fix} of what could not be read or understood.
    """

    files: dict[str, StateFile] = field(default_factory=dict)
    managed: dict[tuple[str, str], list[Instance]] = field(default_factory=dict)
    arns: dict[str, Instance] = field(default_factory=dict)
    tokens: dict[str, Where] = field(default_factory=dict)
    beside: dict[tuple[str, str], Where] = field(default_factory=dict)
    wanted: frozenset[str] = frozenset()
    names: dict[tuple[str, str], Where] = field(default_factory=dict)
    locked: dict[str, str] = field(default_factory=dict)
    problems: list[dict[str, str]] = field(default_factory=list)

    def add(self, key: str, content: bytes, etag: str = "", version_id: str = "") -> None:
        """One object of the bucket. What is no state is left out; what cannot be understood becomes a problem."""
        try:
            state = json.loads(content)
        except (ValueError, RecursionError):
            if key.endswith(".tfstate"):
                self.problem(key, "it is not JSON")
            return
        if not isinstance(state, dict) or not ("lineage" in state or key.endswith(".tfstate")):
            return
        if state.get("version") != 4:
            self.problem(key, f"its format has version {json.dumps(state.get('version'))[:20]}; only 4 is understood")
            return
        try:
            instances = list(_instances(key, state))
        except (KeyError, TypeError, AttributeError):
            self.problem(key, "it lacks what a Terraform state of format version 4 has")
            return
        managed = 0
        for resource, where, attributes in instances:
            self._tokens(where, attributes)
            if resource["mode"] == "managed" and AWS_PROVIDER.search(resource.get("provider", "")):
                managed += 1
                self._managed(resource["type"], where, attributes)
        for name, output in (state.get("outputs") or {}).items():
            self._tokens(Where(f"output.{name}", key), output.get("value"))
        self.files[key] = StateFile(
            key, str(state.get("lineage", "")), int(state.get("serial", 0)), etag, version_id, managed
        )

    def problem(self, key: str, why: str, fix: str = PROBLEM_FIX) -> None:
        """Something that makes what is known incomplete."""
        self.problems.append({"what": f"state {key}", "why": why, "fix": fix})

    def merge(self, other: States) -> None:
        """Adds what another reading found."""
        self.files.update(other.files)
        for name, instances in other.managed.items():
            self.managed.setdefault(name, []).extend(instances)
        self.arns.update(other.arns)
        for token, where in other.tokens.items():
            self.tokens.setdefault(token, where)
        self.beside.update(other.beside)
        for name, where in other.names.items():
            self.names.setdefault(name, where)
        self.problems += other.problems

    def instances(self) -> list[Instance]:
        """What is managed, each once."""
        return [instance for instances in self.managed.values() for instance in instances]

    def manager(self, kind: str, identity: str, region: str, arn: str) -> Instance | None:
        """The instance in a state that is this resource. Where one of the two has no region, none tells them apart."""
        named = self.managed.get((kind, identity), [])
        here = (one for one in named if not one.region or not region or one.region == region)
        return self.arns.get(canonical(arn)) or next(here, None)

    def _managed(self, kind: str, where: Where, attributes: dict[str, Any]) -> None:
        def text(name: str) -> str:
            found = attributes.get(name)
            return found if isinstance(found, str) else ""

        arn = canonical(text("arn"))
        instance = Instance(kind, text("id"), arn, text("region") or _region(arn, attributes), where)
        self.managed.setdefault((kind, instance.id), []).append(instance)
        if arn:
            self.arns[arn] = instance
        if kind in MADE_BESIDE:
            beside, name = MADE_BESIDE[kind]
            known = {key: value for key, value in attributes.items() if isinstance(value, str)}
            self.beside[beside, name.format_map(_Known(known))] = where

    def _tokens(self, where: Where, value: Any) -> None:
        for path, text in _strings(value):
            attribute = path.rpartition(".")[2]
            if attribute in self.wanted:
                self.names.setdefault((attribute, text), Where(where.address, where.key, path))
            for token in tokens_of(text):
                self.tokens.setdefault(token, Where(where.address, where.key, path))


class _Known(dict):  # type: ignore[type-arg]  # of Any, which Python 3.9 cannot say here
    def __missing__(self, _key: str) -> str:
        return ""


def read(aws: Aws, bucket: str, table: str | None, ignored_prefix: str, wanted: frozenset[str]) -> States:
    """All states of the bucket, whatever their keys: workspaces and other tools' layouts, too.

    A call to list, one for each object, one for each lock file, and a Scan of the lock table. Whatever cannot be read
    is a problem in the result, never an exception and never silently left out.
    """
    states = States(wanted=wanted)
    client = aws.client("s3")
    try:
        objects = aws.pages("s3", "list_objects_v2", "Contents", Bucket=bucket)
    except (ClientError, BotoCoreError) as error:
        states.problems.append(
            {
                "what": f"state bucket {bucket}",
                "why": explain(error, "listing it"),
                "fix": "name the bucket of the states, and let who runs this list it",
            }
        )
        return states
    suffix = _terraform_locks.SUFFIX
    keys = [
        entry["Key"]
        for entry in objects
        if entry["Size"] and not entry["Key"].endswith(suffix) and not entry["Key"].startswith(ignored_prefix)
    ]

    def one(key: str) -> States:
        found = States(wanted=wanted)
        try:
            answer = client.get_object(Bucket=bucket, Key=key)
            found.add(key, answer["Body"].read(), answer.get("ETag", ""), answer.get("VersionId", ""))
        except (ClientError, BotoCoreError) as error:
            why = "it went away while this was reading" if error_code(error) == "NoSuchKey" else explain(error, key)
            found.problem(key, why, "let who runs this read it: s3:GetObject, and kms:Decrypt on its key")
        return found

    for found in aws.map(one, keys):
        states.merge(found)
    if not states.files and not states.problems:
        states.problems.append(
            {
                "what": f"state bucket {bucket}",
                "why": "there is no state in it, so that everything in the account would seem unmanaged",
                "fix": "name the bucket of the states; a new estate has its first state after its first run",
            }
        )
    _locks(aws, bucket, table, states, [entry["Key"] for entry in objects if entry["Key"].endswith(suffix)])
    return states


def _locks(aws: Aws, bucket: str, table: str | None, states: States, lock_files: list[str]) -> None:
    """Who holds which state: lock files are read where they are, items of the table for all states."""
    try:
        with_file = [key[: -len(_terraform_locks.SUFFIX)] for key in lock_files]
        found = _terraform_locks.all_of_bucket(aws, bucket, table, with_file)
        states.locked = {key: "; ".join(lock.words() for lock in locks) for key, locks in found.items()}
    except (ClientError, BotoCoreError, Refused) as error:
        states.problems.append(
            {
                "what": f"locks of the states in {bucket}",
                "why": explain(error, "reading them"),
                "fix": "let who runs this read the lock files (s3:GetObject) and the lock table (dynamodb:Scan)",
            }
        )


def _instances(key: str, state: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Where, dict[str, Any]]]:
    """Every instance of every resource and data source, deposed ones too: (resource, place, attributes)."""
    for resource in state.get("resources") or []:
        for instance in resource["instances"]:
            attributes = instance.get("attributes") or instance.get("attributes_flat") or {}
            identity = instance.get("identity")
            name = address(resource, instance)
            if resource["mode"] == "data":
                name = f"data.{name}"
            yield resource, Where(name, key), {**attributes, **({"identity": identity} if identity else {})}


def _strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value, with the attribute that it stands in."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for name, element in value.items():
            yield from _strings(element, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for element in value:
            yield from _strings(element, path)


def tokens_of(text: str) -> list[str]:
    """The ids, ARNs and paths in a text, be it one of them or a policy that names some."""
    if len(text) < 5:
        return []
    found = [text] if _WHOLE.fullmatch(text) else []
    if "-" in text:
        found += _OPAQUE.findall(text)
    if "arn:aws" in text:
        found += [canonical(arn) for arn in _ARN.findall(text)]
    return found


def canonical(arn: str) -> str:
    """An ARN without what AWS adds to it now and then: the `:*` of a log group, version or call of a function."""
    arn = arn.removesuffix(":*")
    parts = arn.split(":")
    if len(parts) >= 7 and parts[2] == "lambda" and parts[5] == "function":
        return ":".join([*parts[:6], parts[6].partition("/")[0]])
    return arn


def _region(arn: str, attributes: dict[str, Any]) -> str:
    parts = arn.split(":")
    if len(parts) > 3 and parts[3]:
        return parts[3]
    zone = attributes.get("availability_zone")
    match = re.fullmatch(r"([a-z]{2}(?:-[a-z]+)+-\d)[a-z]?", zone) if isinstance(zone, str) else None
    return match[1] if match else ""
