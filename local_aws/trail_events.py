# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What CloudTrail writes down of a call: its name, its parameters and answer without secrets, and what it is about.

Parameters have the names and the nesting of the request, beginning with a small letter; CloudTrail gives some of them
other names (EC2's lists are sets with items).
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import parse_qs, unquote

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
_LONGEST = 64 * 1024
_LONGEST_TEXT = 4 * 1024

_SECRET = re.compile(
    r"secret|passw|token|plaintext|privatekey|keymaterial|userdata|credential|authorization|signature|tokencode"
    r"|authenticationcode|seed|qrcode|zipfile|ciphertext",
    re.IGNORECASE,
)
_NO_SECRET = frozenset({"secretid", "secretarn", "nexttoken", "passwordresetrequired"})
# Members that are secret in one service only.
_SECRET_OF = {
    "ssm": frozenset({"value"}),
    "lambda": frozenset({"environment", "variables"}),
    "codebuild": frozenset({"value"}),
    "kms": frozenset({"message", "mac"}),
    "ecs": frozenset({"environment"}),
    "cloudformation": frozenset({"parametervalue"}),
    "events": frozenset({"authparameters"}),
    "states": frozenset({"input", "output", "cause"}),
}

# Calls about data, which no trail has unless it is asked to.
_DATA = {
    "s3": re.compile(r"ListBucket|(?!.*Bucket|.*Configuration|.*AccessPoint|.*PublicAccessBlock)"),
    "dynamodb": re.compile(r".*Item|Query$|Scan$|Execute|PartiQL|Transact|GetRecords"),
    "lambda": re.compile(r"Invoke"),
    "sqs": re.compile(r"(SendMessage|ReceiveMessage|DeleteMessage|ChangeMessageVisibility)"),
    "sns": re.compile(r"Publish"),
    "logs": re.compile(r"PutLogEvents|GetLogEvents|FilterLogEvents"),
    "cloudwatch": re.compile(r"PutMetricData|GetMetric"),
    "monitoring": re.compile(r"PutMetricData|GetMetric"),
    "events": re.compile(r"PutEvents"),
}
# S3's calls by the actions that allow them, where the two have other names; Lambda's have dates.
_CALLS = {
    "s3:ListAllMyBuckets": "ListBuckets",
    "s3:PutEncryptionConfiguration": "PutBucketEncryption",
    "s3:GetEncryptionConfiguration": "GetBucketEncryption",
    "s3:PutLifecycleConfiguration": "PutBucketLifecycle",
    "s3:GetLifecycleConfiguration": "GetBucketLifecycle",
    "s3:PutReplicationConfiguration": "PutBucketReplication",
    "lambda:CreateFunction": "CreateFunction20150331",
    "lambda:DeleteFunction": "DeleteFunction20150331",
}
_READS = re.compile(
    r"Get|List|Describe|BatchGet|Head|Lookup|Simulate|Search|Select|Filter|Check|View|Validate|Preview|Test|Poll"
    r"|AssumeRole|Encrypt|Decrypt|ReEncrypt|GenerateDataKey|GenerateRandom|Verify|Sign"
)

_SOURCES = {"monitoring": "monitoring", "cloudwatch": "monitoring", "tag": "tagging", "states": "states"}

# Ids that are unique in AWS, and what they are of.
_IDS = {
    "i": "AWS::EC2::Instance",
    "vol": "AWS::EC2::Volume",
    "snap": "AWS::EC2::Snapshot",
    "ami": "AWS::EC2::Ami",
    "sg": "AWS::EC2::SecurityGroup",
    "eni": "AWS::EC2::NetworkInterface",
    "vpc": "AWS::EC2::VPC",
    "subnet": "AWS::EC2::Subnet",
    "rtb": "AWS::EC2::RouteTable",
    "igw": "AWS::EC2::InternetGateway",
    "acl": "AWS::EC2::NetworkAcl",
    "nat": "AWS::EC2::NatGateway",
    "eipalloc": "AWS::EC2::EIP",
    "vpce": "AWS::EC2::VPCEndpoint",
    "lt": "AWS::EC2::LaunchTemplate",
    "key": "AWS::EC2::KeyPair",
    "pcx": "AWS::EC2::VPCPeeringConnection",
    "fl": "AWS::EC2::FlowLog",
    "dopt": "AWS::EC2::DHCPOptions",
    "tgw": "AWS::EC2::TransitGateway",
    "eigw": "AWS::EC2::EgressOnlyInternetGateway",
    "fleet": "AWS::EC2::EC2Fleet",
}
_ID = re.compile(rf"({'|'.join(_IDS)})-[0-9a-f]{{8,17}}")
# Members whose value is the name of what a call is about.
_NAMES = {
    "bucketName": "AWS::S3::Bucket",
    "roleName": "AWS::IAM::Role",
    "userName": "AWS::IAM::User",
    "policyName": "AWS::IAM::Policy",
    "instanceProfileName": "AWS::IAM::InstanceProfile",
    "roleId": "AWS::IAM::Role",
    "keyName": "AWS::EC2::KeyPair",
    "launchTemplateName": "AWS::EC2::LaunchTemplate",
    "groupName": "AWS::EC2::SecurityGroup",
    "autoScalingGroupName": "AWS::AutoScaling::AutoScalingGroup",
    "logGroupName": "AWS::Logs::LogGroup",
    "tableName": "AWS::DynamoDB::Table",
    "queueName": "AWS::SQS::Queue",
    "queueUrl": "AWS::SQS::Queue",
    "functionName": "AWS::Lambda::Function",
    "dBInstanceIdentifier": "AWS::RDS::DBInstance",
    "keyId": "AWS::KMS::Key",
    "secretId": "AWS::SecretsManager::Secret",
}


def call_of(action: str) -> tuple[str, str]:
    """The service's prefix and the call's name, from the IAM action that allows it."""
    service = action.partition(":")[0]
    return service, _CALLS.get(action, action.partition(":")[2])


def is_about_data(service: str, action: str) -> bool:
    """Whether a call is a data event, such as s3:GetObject, and no management event."""
    data = _DATA.get(service)
    return data is not None and data.match(action.partition(":")[2]) is not None


def is_read_only(name: str) -> bool:
    """Whether CloudTrail calls it so."""
    return _READS.match(name) is not None


def source_of(service: str) -> str:
    """The eventSource of a service."""
    return f"{_SOURCES.get(service, service)}.amazonaws.com"


def parameters_of(
    service: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
) -> dict[str, Any] | None:
    """The parameters of a request, without secrets; None where there are none, or too many."""
    if len(body) > _LONGEST:
        return None
    if "x-www-form-urlencoded" in headers.get("content-type", ""):
        form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
        found: Any = _nested({name: values[-1] for name, values in form.items()})
    elif service == "s3":
        bucket, _slash, key = unquote(path).lstrip("/").partition("/")
        found = {"bucketName": bucket, **({"key": key} if key else {})} if bucket else {}
    else:
        found = _json(body)
        found = found if isinstance(found, dict) else {}
    if "Action" in query or service == "s3":
        given = {name: value[-1] if isinstance(value, list) else value for name, value in query.items()}
        found = {**_nested({k: v for k, v in given.items() if not k.startswith(("X-Amz-", "x-id"))}), **found}
    for name in ("Action", "Version"):
        found.pop(name, None)
    cleaned = without_secrets(service, found)
    return cleaned or None


def answer_of(service: str, answer: bytes) -> Any:
    """What an answer says, without secrets; None where it says nothing, or too much."""
    if not answer or len(answer) > _LONGEST:
        return None
    if answer.lstrip().startswith(b"<"):
        try:
            root = ET.fromstring(answer)  # noqa: S314 - our own answer
        except ET.ParseError:
            return None
        found = _element(root)
        if isinstance(found, dict):
            found.pop("ResponseMetadata", None)
            results = [value for name, value in found.items() if name.endswith("Result")]
            found = results[0] if len(results) == 1 else found
    else:
        found = _json(answer)
    return without_secrets(service, found) if isinstance(found, dict) else None


def without_secrets(service: str, value: Any, name: str = "") -> Any:
    """A request or an answer as CloudTrail shows it: names begin with small letters, and secrets are hidden."""
    plain = name.lower()
    if plain not in _NO_SECRET and (_SECRET.search(name) or plain in _SECRET_OF.get(service, ())):
        return HIDDEN
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: without_secrets(service, item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [without_secrets(service, item, "") for item in value]
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return value[:_LONGEST_TEXT]
    return value


def resources_of(account_id: str, *parts: Any) -> dict[str, str]:
    """What a call is about, from its parameters and its answer: names, ids and ARNs, each with its type or ''."""
    found: dict[str, str] = {}
    for part in parts:
        _collect(part, "", account_id, found)
        # Further down a name may be anything's, such as that of an instance's state.
        for each in (part, *part.values()) if isinstance(part, dict) else ():
            if isinstance(each, dict) and isinstance(each.get("name"), str):
                found.setdefault(each["name"], "")
    return found


def _collect(value: Any, name: str, account_id: str, found: dict[str, str]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            _collect(item, key, account_id, found)
    elif isinstance(value, list):
        for item in value:
            _collect(item, name, account_id, found)
    elif isinstance(value, str) and value and value != HIDDEN:
        if match := _ID.fullmatch(value):
            found.setdefault(value, _IDS[match.group(1)])
        elif value.startswith("arn:") and (f":{account_id}:" in value or value.startswith("arn:aws:s3:::")):
            found.setdefault(value, "")
        elif name in _NAMES:
            found.setdefault(value, _NAMES[name])


def _json(text: bytes) -> Any:
    try:
        return json.loads(text or b"{}")
    except ValueError:
        return None


def _nested(flat: dict[str, str]) -> dict[str, Any]:
    """Tag.1.Key=a as {Tag: [{Key: a}]}."""
    found: dict[str, Any] = {}
    for name, value in flat.items():
        at: Any = found
        *path, last = name.split(".")
        for step in path:
            at = at.setdefault(step, {})
            if not isinstance(at, dict):
                break
        if isinstance(at, dict):
            at[last] = value
    return {name: _listed(value) for name, value in found.items()}


def _listed(value: Any) -> Any:
    """Numbered members as lists."""
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_listed(value[key]) for key in sorted(value, key=int)]
    if set(value) == {"member"}:
        return _listed(value["member"])
    return {key: _listed(item) for key, item in value.items()}


def _element(element: ET.Element) -> Any:
    children = list(element)
    if not children:
        return (element.text or "").strip()
    found: dict[str, Any] = {}
    for child in children:
        name, value = child.tag.rpartition("}")[2], _element(child)
        if name in ("member", "item"):
            found.setdefault("items", []).append(value)
        elif name in found:
            found[name] = [*(found[name] if isinstance(found[name], list) else [found[name]]), value]
        else:
            found[name] = value
    return found["items"] if set(found) == {"items"} else found
