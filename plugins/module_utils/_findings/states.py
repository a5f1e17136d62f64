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
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Collection, Iterator, TypeVar

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils import _terraform_locks
from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, error_code, explain
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import NO_STATES
from ansible_collections.gitops.aws.plugins.module_utils._findings.entries import glob
from ansible_collections.gitops.aws.plugins.module_utils._terraform_state import address

T = TypeVar("T")

# EC2's and its neighbours' opaque ids: unique in all of AWS.
_OPAQUE = re.compile(
    r"\b(?:acl|ami|dopt|eipalloc|eipassoc|eni|fl|fs|fsmt|i|igw|lt|nat|pcx|rtb|sg|sgr|snap|subnet|tgw|vgw|vol|vpc|vpce)"
    r"-[0-9a-f]{8,17}\b"
)
# One ARN may stand in another: a function's in that of an API's integration.
_ARN = re.compile(r"(?=(arn:(?:aws[\w-]*|\*):[^\"'\s,\\<>;)\]]+))")
_WHOLE = re.compile(r"(?:/|https?://)\S{4,}")  # names of log groups, of parameters, and queues' URLs
_QUEUE = re.compile(r"https://(?:sqs\.([\w-]+)|([\w-]+)\.queue)\.amazonaws\.com(?:\.cn)?/(\d{12})/([\w.-]+)")

# How what is in a resource is named, by service: the last part of its ARN, and that of the resource's.
_PARTS = {
    service: (re.compile(pattern), whole)
    for service, pattern, whole in (
        ("dynamodb", r"(table/[^/]+)/", r"\1"),  # indexes, streams, backups
        ("elasticloadbalancing", r"listener(?:-rule)?/((?:app|net|gwy)/[^/]+/[^/]+)/", r"loadbalancer/\1"),
        ("logs", r"(log-group:[^:]+):", r"\1"),
        ("s3", r"([^/:]+)/", r"\1"),  # objects
        ("secretsmanager", r"(secret:[^:]+):", r"\1"),  # a key in it, and its version
        ("sns", r"([^:]+):", r"\1"),  # subscriptions
    )
}
_WILD = re.compile(r"[*?]")
_SUFFIX = re.compile(r"-\w{6}")  # what Secrets Manager adds to a secret's name; people leave it out
# What the last part of an ARN begins with in all resources of a kind: a glob that is fixed no further says nothing.
_KIND = re.compile(
    r"autoScalingGroup:[^:]*:autoScalingGroupName/|loadbalancer/(?:(?:app|net|gwy)/)?|[A-Za-z-]+[:/](?:/?aws/(?:[\w-]+/)?)?"
)

AWS_PROVIDER = re.compile(r"/hashicorp/aws(?:cc)?\"\]")

# Types of the provider awscc whose id is the same as that of the type of the provider aws. Those of others differ, such
# as a database's: they are only mentioned.
AWSCC = {
    f"awscc_{other}": f"aws_{name}"
    for other, name in {
        "autoscaling_auto_scaling_group": "autoscaling_group",
        "certificatemanager_certificate": "acm_certificate",
        "dynamodb_table": "dynamodb_table",
        "ec2_dhcp_options": "vpc_dhcp_options",
        "ec2_flow_log": "flow_log",
        "ec2_instance": "instance",
        "ec2_internet_gateway": "internet_gateway",
        "ec2_key_pair": "key_pair",
        "ec2_launch_template": "launch_template",
        "ec2_nat_gateway": "nat_gateway",
        "ec2_network_acl": "network_acl",
        "ec2_network_interface": "network_interface",
        "ec2_route_table": "route_table",
        "ec2_security_group": "security_group",
        "ec2_subnet": "subnet",
        "ec2_volume": "ebs_volume",
        "ec2_vpc": "vpc",
        "ec2_vpc_endpoint": "vpc_endpoint",
        "ec2_vpc_peering_connection": "vpc_peering_connection",
        "ecr_repository": "ecr_repository",
        "efs_file_system": "efs_file_system",
        "elasticloadbalancingv2_load_balancer": "lb",
        "elasticloadbalancingv2_target_group": "lb_target_group",
        "iam_group": "iam_group",
        "iam_instance_profile": "iam_instance_profile",
        "iam_managed_policy": "iam_policy",
        "iam_role": "iam_role",
        "iam_user": "iam_user",
        "kms_key": "kms_key",
        "lambda_function": "lambda_function",
        "logs_log_group": "cloudwatch_log_group",
        "s3_bucket": "s3_bucket",
        "secretsmanager_secret": "secretsmanager_secret",
        "sns_topic": "sns_topic",
        "sqs_queue": "sqs_queue",
        "ssm_parameter": "ssm_parameter",
    }.items()
}

# What a managed resource makes beside itself, under names that follow from its own: by the type of what is made. All
# names that begin so where it ends in /*.
MADE_BESIDE = {
    "aws_cloudwatch_log_group": {
        "aws_api_gateway_account": ("/aws/apigateway/welcome",),
        "aws_api_gateway_rest_api": ("API-Gateway-Execution-Logs_{id}/*",),
        "aws_apigatewayv2_api": ("/aws/apigateway/{id}/*",),
        "aws_appsync_graphql_api": ("/aws/appsync/apis/{id}",),
        "aws_codebuild_project": ("/aws/codebuild/{name}",),
        "aws_db_instance": ("/aws/rds/instance/{identifier}/*",),
        "aws_docdb_cluster": ("/aws/docdb/{cluster_identifier}/*",),
        "aws_ecs_cluster": ("/aws/ecs/containerinsights/{name}/*",),
        "aws_eks_cluster": ("/aws/eks/{name}/cluster", "/aws/containerinsights/{name}/*"),
        "aws_lambda_function": ("/aws/lambda/{function_name}",),
        "aws_neptune_cluster": ("/aws/neptune/{cluster_identifier}/*",),
        "aws_rds_cluster": ("/aws/rds/cluster/{cluster_identifier}/*",),
    },
}

STATE = ".tfstate"
_STATE_ONLY = {"lineage", "encrypted_data"}  # the second is of states that are encrypted, and cannot be understood
BACKUP = ".tfstate.backup"  # what Terraform leaves beside a local state, and `terraform state` writes
# An object that is not JSON and whose key ends in none of these may be a state that is damaged.
_OTHERS = frozenset(
    "bz2 conf csv env gif gz hcl htm html ini jpeg jpg jsonl log md out parquet pdf pem plan png pub py rego rst sh "
    "svg tar tf tfplan tfvars tgz toml tsv txt xml xz yaml yml zip zst".split()
)

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
        globs: the ARNs among them that have wildcards and mean not all of a kind: by service, and then by how the last
            part of the ARN begins.
        beside: (type, name) of what managed resources make beside themselves; names may end in /*.
        wanted: attributes whose texts are kept as names, such as key_name.
        names: by (attribute, text), each with the first place.
        locked: who holds a state, in words, by key.
        problems: {what, why, fix} of what could not be read or understood.
    """

    files: dict[str, StateFile] = field(default_factory=dict)
    managed: dict[tuple[str, str], list[Instance]] = field(default_factory=dict)
    arns: dict[str, Instance] = field(default_factory=dict)
    tokens: dict[str, Where] = field(default_factory=dict)
    globs: dict[str, dict[str, dict[str, Where]]] = field(default_factory=dict)
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
            _stem, dot, ending = key.rpartition("/")[2].rpartition(".")
            # A state that was cut off begins like one; an access log does not.
            begins = content.lstrip()[:1] == b"{" and not (dot and ending.lower() in _OTHERS)
            if begins or key.endswith(STATE):
                self.problem(key, "it is not JSON" if content.strip() else "it is empty")
            return
        if not key.endswith(STATE) and not (isinstance(state, dict) and _STATE_ONLY & set(state)):
            return
        try:
            self._add(key, state, etag, version_id)
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
            # Nothing of the error: it may have a value of the state.
            self.problem(key, "it lacks what a Terraform state of format version 4 has")

    def _add(self, key: str, state: dict[str, Any], etag: str, version_id: str) -> None:
        version = state.get("version")
        if version != 4:
            shown = json.dumps(version) if version is None or isinstance(version, int) else "of another kind"
            self.problem(key, f"its format has version {shown}; only 4 is understood")
            return
        file = StateFile(key, _typed(state["lineage"], str), _typed(state["serial"], int), etag, version_id, 0)
        instances = list(_instances(key, state))
        outputs = [
            (Where(f"output.{name}", key), {"": output["value"]})
            for name, output in (state.get("outputs") or {}).items()
        ]
        managed = 0
        for resource, where, attributes in instances:
            self._tokens(where, attributes)
            if resource["mode"] == "managed" and AWS_PROVIDER.search(resource["provider"]):
                managed += 1
                self._managed(resource["type"], where, attributes)
        for where, values in outputs:
            self._tokens(where, values)
        self.files[key] = replace(file, managed=managed)

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
        for service, beginnings in other.globs.items():
            for beginning, patterns in beginnings.items():
                for pattern, where in patterns.items():
                    self.globs.setdefault(service, {}).setdefault(beginning, {}).setdefault(pattern, where)
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

    def mention(self, token: str) -> Where | None:
        """Where an id, an ARN, a path or a URL stands, be it without what AWS adds to it, or meant by a wildcard."""
        parts = token.split(":", 5)
        if len(parts) < 6 or parts[0] != "arn":
            return self.tokens.get(token)
        found = self.tokens.get(token)
        if not found and parts[2] == "secretsmanager" and _SUFFIX.fullmatch(token[-7:]):
            found = self.tokens.get(token[:-7])
        beginnings = self.globs.get(parts[2])
        if found or not beginnings:
            return found
        for end in range(1, len(parts[5]) + 1):
            for pattern, where in beginnings.get(parts[5][:end], {}).items():
                if _compiled(pattern).fullmatch(token):
                    return where
        return None

    def made_beside(self, kind: str, name: str) -> Where | None:
        """What is managed and makes a resource of this type and name beside itself."""
        found = self.beside.get((kind, name))
        if found or kind not in MADE_BESIDE:
            return found
        prefixes = (f"{name[: slash.end()]}*" for slash in re.finditer("/", name))
        return next((self.beside[kind, prefix] for prefix in prefixes if (kind, prefix) in self.beside), None)

    def _managed(self, kind: str, where: Where, attributes: dict[str, Any]) -> None:
        def text(name: str) -> str:
            found = attributes.get(name)
            return found if isinstance(found, str) else ""

        kind = AWSCC.get(kind, kind)
        arn = canonical(text("arn"))
        instance = Instance(kind, text("id"), arn, text("region") or _region(arn, attributes), where)
        self.managed.setdefault((kind, instance.id), []).append(instance)
        if arn:
            self.arns[arn] = instance
        known = _Known((key, value) for key, value in attributes.items() if isinstance(value, str))
        for beside, makers in MADE_BESIDE.items():
            for name in makers.get(kind, ()):
                self.beside[beside, name.format_map(known)] = where

    def _tokens(self, where: Where, values: dict[str, Any]) -> None:
        """Of a place only the attribute is kept: keys of maps, or in JSON, may be secrets."""
        for attribute, part in values.items():
            place = Where(where.address, where.key, attribute.partition(".")[0])
            for name, text in _strings(part, attribute.rpartition(".")[2]):
                for one in {name, name.rpartition(".")[2]} & self.wanted:  # `name` says nothing, `a.name` may
                    self.names.setdefault((one, text), place)
                for token in tokens_of(text):
                    self.tokens.setdefault(token, place)
                    if token.startswith("arn:") and ("*" in token or "?" in token):
                        self._glob(token, place)

    def _glob(self, pattern: str, where: Where) -> None:
        """Takes an ARN with wildcards, of one service; not one that means all of that, or of a kind."""
        parts = pattern.split(":", 5)
        if len(parts) < 6:
            return
        kind = _KIND.match(parts[5])
        name = parts[5][kind.end() if kind else 0 :]
        if re.match(r"[^*?]*?[^\W_]", name):
            beginning = _WILD.split(parts[5], maxsplit=1)[0]
            self.globs.setdefault(parts[2], {}).setdefault(beginning, {}).setdefault(pattern, where)


class _Known(dict):  # type: ignore[type-arg]  # of Any, which Python 3.9 cannot say here
    def __missing__(self, _key: str) -> str:
        return ""


def read(aws: Aws, bucket: str, table: str | None, ours: Collection[str], wanted: frozenset[str]) -> States:
    """All states of the bucket, whatever their keys: workspaces and other tools' layouts, too.

    A call to list, one for each object, one for each lock file, and a Scan of the lock table. Whatever cannot be read
    is a problem in the result, never an exception and never silently left out.

    Args:
        aws: the connection.
        bucket: its name.
        table: of the locks.
        ours: the keys of ledger and plan. With what is under NO_STATES they are all that is known to be no state.
        wanted: see States.
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
        if (entry["Size"] or entry["Key"].endswith(STATE))
        and not entry["Key"].endswith((suffix, BACKUP))
        and not entry["Key"].startswith(NO_STATES)
        and entry["Key"] not in ours
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
            attributes = instance.get("attributes")
            if attributes is None:
                attributes = instance.get("attributes_flat") or {}
            identity = instance.get("identity")
            name = address(resource, instance)
            if resource["mode"] == "data":
                name = f"data.{name}"
            yield resource, Where(name, key), {**attributes, **({"identity": identity} if identity else {})}


def _typed(value: Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _strings(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Every text in a value, with the name that it has there; JSON in a text, such as a policy, is looked into, too.

    In a block the name is with that of the block: `a.name`.
    """
    if isinstance(value, str):
        yield name, value
        if value.lstrip()[:1] in ("[", "{"):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return
    if isinstance(value, dict):
        for key, element in value.items():
            yield from _strings(element, f"{name.rpartition('.')[2]}.{key}")
    elif isinstance(value, list):
        for element in value:
            yield from _strings(element, name)


def tokens_of(text: str) -> list[str]:
    """The ids, ARNs and paths in a text, be it one of them or a policy that names some.

    Of what is in a resource, such as an object in a bucket, also the ARN of the resource; of a queue's URL its ARN.
    """
    if len(text) < 5:
        return []
    found = [text] if _WHOLE.fullmatch(text) else []
    if "-" in text:
        found += _OPAQUE.findall(text)
    if "arn:" in text:
        for arn in _ARN.findall(text):
            found += [canonical(arn), *_wholes(arn)]
    if ".amazonaws.com" in text:
        for region, old, account, name in _QUEUE.findall(text):
            found.append(f"arn:{_partition(region or old)}:sqs:{region or old}:{account}:{name}")
    return found


def _wholes(arn: str) -> list[str]:
    """The ARNs of what an ARN is in, with their wildcards."""
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return []
    pattern, whole = _PARTS.get(parts[2], (None, ""))
    match = pattern.match(parts[5]) if pattern else None
    found = {match.expand(whole)} if match else set()
    if "/*" in parts[5]:
        found.add(parts[5].partition("/*")[0])
    return [":".join([*parts[:5], one]) for one in sorted(found) if one]


def _partition(region: str) -> str:
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


@lru_cache(maxsize=None)
def _compiled(pattern: str) -> re.Pattern[str]:
    return glob(pattern)


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
