# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Who made a resource, when and from where: CloudTrail's event history, which goes back 90 days.

The history takes two requests per second and region, so that only candidates are asked for, and within a budget. A
creator that is not known is no error: CloudTrail is late by minutes, forgets after 90 days, and may be denied.
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Callable, Generator, Iterable

from ansible_collections.gitops.aws.plugins.module_utils._aws import error_code
from ansible_collections.gitops.aws.plugins.module_utils._findings.expressions import moment, written
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import (
    FOREIGN_TERRAFORM,
    IGNORED,
    LEAKED,
    SERVICE_MANAGED,
    Resource,
    Verdict,
)

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

# {principal, session, type, time, event, event_id, source_ip, user_agent, console, invoked_by}
Creator = dict[str, Any]

REQUESTS_PER_SECOND = 2
PER_PAGE = 50

# Where the events of services are that are of no region, by partition.
_HOME = {"aws": "us-east-1", "aws-us-gov": "us-gov-west-1", "aws-cn": "cn-north-1"}
_GLOBAL_SERVICES = ("iam", "sts", "cloudfront", "route53", "organizations")

_MAKES = re.compile(r"(Create|Run|Allocate|Request|Register|Import|Copy|Put|Restore)")
_TERRAFORM = re.compile(r"terraform|opentofu", re.IGNORECASE)
_OPAQUE = re.compile(r"[a-z]+-[0-9a-f]{8,17}")
_CONSOLE = re.compile(r"(console\.|signin\.|\[?S3Console|Mozilla/)")

# The events that make a resource of a type. A call also names what it only uses (RunInstances a security group,
# CreateTags anything), which for older resources is all that the history has: without these names its caller would
# pass for the creator. A type that is not here is made by whatever begins as _MAKES says.
MAKERS: dict[str, tuple[str, ...]] = {
    "aws_acm_certificate": ("RequestCertificate", "ImportCertificate"),
    "aws_ami": ("CreateImage", "RegisterImage", "CopyImage", "CreateRestoreImageTask"),
    "aws_autoscaling_group": ("CreateAutoScalingGroup",),
    "aws_cloudwatch_event_rule": ("PutRule",),
    "aws_cloudwatch_log_group": ("CreateLogGroup",),
    "aws_db_instance": (
        "CreateDBInstance",
        "CreateDBInstanceReadReplica",
        "RestoreDBInstanceFromDBSnapshot",
        "RestoreDBInstanceFromS3",
        "RestoreDBInstanceToPointInTime",
    ),
    "aws_dynamodb_table": ("CreateTable", "ImportTable", "RestoreTableFromBackup", "RestoreTableToPointInTime"),
    "aws_ebs_snapshot": ("CreateSnapshot", "CreateSnapshots", "CopySnapshot", "ImportSnapshot", "CreateImage"),
    "aws_ebs_volume": ("CreateVolume", "RunInstances"),
    "aws_ecr_repository": ("CreateRepository",),
    "aws_efs_file_system": ("CreateFileSystem",),
    "aws_eip": ("AllocateAddress",),
    "aws_flow_log": ("CreateFlowLogs",),
    "aws_iam_group": ("CreateGroup",),
    "aws_iam_instance_profile": ("CreateInstanceProfile",),
    "aws_iam_policy": ("CreatePolicy",),
    "aws_iam_role": ("CreateRole", "CreateServiceLinkedRole"),
    "aws_iam_user": ("CreateUser",),
    "aws_instance": ("RunInstances", "CreateFleet", "RunScheduledInstances"),
    "aws_internet_gateway": ("CreateInternetGateway",),
    "aws_key_pair": ("CreateKeyPair", "ImportKeyPair"),
    "aws_kms_key": ("CreateKey", "ReplicateKey"),
    "aws_lambda_function": ("CreateFunction20150331", "CreateFunction"),
    "aws_launch_template": ("CreateLaunchTemplate",),
    "aws_lb": ("CreateLoadBalancer",),
    "aws_lb_target_group": ("CreateTargetGroup",),
    "aws_nat_gateway": ("CreateNatGateway",),
    "aws_network_acl": ("CreateNetworkAcl", "CreateVpc"),
    "aws_network_interface": ("CreateNetworkInterface", "RunInstances"),
    "aws_route_table": ("CreateRouteTable", "CreateVpc"),
    "aws_s3_bucket": ("CreateBucket",),
    "aws_secretsmanager_secret": ("CreateSecret",),
    "aws_security_group": ("CreateSecurityGroup", "CreateVpc"),
    "aws_sns_topic": ("CreateTopic",),
    "aws_sqs_queue": ("CreateQueue",),
    "aws_ssm_parameter": ("PutParameter",),
    "aws_subnet": ("CreateSubnet", "CreateDefaultSubnet", "CreateDefaultVpc"),
    "aws_vpc": ("CreateVpc", "CreateDefaultVpc"),
    "aws_vpc_dhcp_options": ("CreateDhcpOptions",),
    "aws_vpc_endpoint": ("CreateVpcEndpoint",),
    "aws_vpc_peering_connection": ("CreateVpcPeeringConnection",),
}


@dataclass
class Attribution:
    """What CloudTrail knew.

    Attributes:
        creators: by ARN; None where it has no such event.
        answered: ARNs that it was asked for to the end.
        not_asked: ARNs that it was not asked for, or not to the end, because the budget was spent.
        problems: {what, why, fix} each; at most one for each reason. They make no scan incomplete.
        calls: how often it was asked.
    """

    creators: dict[str, Creator | None] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    not_asked: list[str] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)
    calls: int = 0


class _NoAnswer(Exception):
    """CloudTrail does not answer in this region; the text says why, `fix` what to do."""

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(why)
        self.fix = fix


def attribute(
    aws_of_region: Callable[[str], Any],
    candidates: Iterable[Resource],
    *,
    budget: int = 100,
    now: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Attribution:
    """Asks CloudTrail for the creators of candidates, the first first, the regions in turns.

    Args:
        aws_of_region: from a region to what has client("cloudtrail"), such as an Aws.
        candidates: whose creators are wanted.
        budget: requests at most.
        now: a clock in seconds that never goes back.
        pause: waits that many seconds.
    """
    waiting: dict[str, deque[Resource]] = {}
    for candidate in candidates:
        waiting.setdefault(_region(candidate), deque()).append(candidate)
    found = Attribution()
    silent: dict[tuple[str, str], list[str]] = {}
    histories = {region: _History(aws_of_region(region).client("cloudtrail"), now, pause) for region in waiting}
    asking: dict[str, Generator[None, None, Creator | None]] = {}
    while waiting:
        # A request to each region in turn: while one makes us wait, the others answer.
        for region in list(waiting):
            arn = waiting[region][0].arn
            if found.calls >= budget:
                found.not_asked.append(arn)
            try:
                if region not in asking:
                    asking[region] = histories[region].creator(waiting[region][0])
                    next(asking[region])
                if found.calls < budget:
                    next(asking[region])
                    continue
                found.creators[arn] = None
            except StopIteration as end:
                found.creators[arn] = end.value
                found.answered.add(arn)
            except _NoAnswer as error:
                silent.setdefault((str(error), error.fix), []).append(region)
                found.creators.update(dict.fromkeys(left.arn for left in waiting[region]))
                waiting[region].clear()
            finally:
                found.calls = sum(history.calls for history in histories.values())
            asking.pop(region, None)
            if waiting[region]:
                waiting[region].popleft()
            if not waiting[region]:
                del waiting[region]
    found.problems = [
        {"what": f"CloudTrail's event history in {', '.join(sorted(regions))}", "why": why, "fix": fix}
        for (why, fix), regions in silent.items()
    ]
    return found


class _History:
    """The event history of one region, asked no quicker than it allows."""

    def __init__(self, client: Any, now: Callable[[], float], pause: Callable[[float], None]) -> None:
        self._client, self._now, self._pause = client, now, pause
        self._next = 0.0
        self.calls = 0

    def creator(self, candidate: Resource) -> Generator[None, None, Creator | None]:
        """Who made it, yielding before each request. Raises _NoAnswer where CloudTrail does not answer."""
        for name in _names(candidate):
            events: list[dict[str, Any]] = []
            more: dict[str, str] = {}
            while True:
                yield
                answer = self._look_up(name, more)
                events += answer.get("Events", [])
                if not answer.get("NextToken"):
                    break
                more = {"NextToken": answer["NextToken"]}
            if made := made_by(candidate.type.name, events):
                return made
        return None

    def _look_up(self, name: str, more: dict[str, str]) -> dict[str, Any]:
        wait = self._next - self._now()
        if wait > 0:
            self._pause(wait)
        self._next = self._now() + 1 / REQUESTS_PER_SECOND
        self.calls += 1
        try:
            return self._client.lookup_events(
                LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": name}],
                MaxResults=PER_PAGE,
                **more,
            )
        except (ClientError, BotoCoreError) as error:
            code = error_code(error)
            if not code:
                raise _NoAnswer(
                    f"LookupEvents failed: {error}", "see whether CloudTrail can be reached from where this runs"
                ) from error
            if "Denied" in code or "Unauthorized" in code:
                raise _NoAnswer(
                    "LookupEvents is denied, so that it is not known who made what was found",
                    "allow cloudtrail:LookupEvents on * for who scans",
                ) from error
            raise _NoAnswer(
                f"LookupEvents failed with {code}, so that it is not known who made what was found",
                "scan again later; where CloudTrail is not there, nothing can be done",
            ) from error


def _region(candidate: Resource) -> str:
    """Where the events of a resource are."""
    if candidate.region and candidate.type.service not in _GLOBAL_SERVICES:
        return candidate.region
    return _HOME.get(candidate.arn.split(":")[1] if ":" in candidate.arn else "aws", "us-east-1")


def _names(candidate: Resource) -> list[str]:
    """What CloudTrail may call it, the likeliest first.

    What has an id that is unique in AWS has no other name: two security groups may be called the same, and a Name tag
    is anything's.
    """
    if _OPAQUE.fullmatch(candidate.id):
        return [candidate.id, candidate.arn]
    title = candidate.title if candidate.title not in ("", candidate.id, candidate.tags.get("Name")) else ""
    name = title or re.split(r"[:/]", candidate.arn)[-1]
    return [name for name in dict.fromkeys([candidate.id, name, candidate.arn]) if name]


def made_by(type_name: str, events: list[dict[str, Any]]) -> Creator | None:
    """Who made the resource that all these events name, as LookupEvents gives them; None where none of them did.

    The earliest event that made it counts, since it was last removed: a bucket's name can be used again.
    """
    makers = MAKERS.get(type_name)
    removers = {re.sub(_MAKES, "Delete", name, count=1) for name in makers or ()}
    made: Creator | None = None
    for event in sorted(_details(events), key=_event_time):
        name = event.get("eventName", "")
        if event.get("errorCode") or event.get("readOnly") in (True, "true"):
            continue
        if name in removers:
            made = None
        elif made is None and (name in makers if makers is not None else _MAKES.match(name)):
            made = parse(event)
    return made


def _details(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events themselves, the oldest of the same second first: LookupEvents gives the newest first."""
    found = []
    for event in reversed(events):
        try:
            detail = json.loads(event.get("CloudTrailEvent") or "{}")
        except ValueError:
            continue
        if isinstance(detail, dict):
            found.append(detail)
    return found


def _event_time(event: dict[str, Any]) -> str:
    return str(event.get("eventTime", ""))


def parse(event: dict[str, Any]) -> Creator:
    """A creator from CloudTrail's event (the JSON in CloudTrailEvent).

    Its principal is the user's ARN, the role's (the session has a key of its own), the service's name for a service.
    """
    who = _dict(event.get("userIdentity"))
    kind = str(who.get("type", "") or "Unknown")
    arn, invoked_by = str(who.get("arn") or ""), str(who.get("invokedBy") or "")
    issuer = str(_dict(_dict(who.get("sessionContext")).get("sessionIssuer")).get("arn") or "")
    principal, session = arn, ""
    if assumed := re.fullmatch(r"(arn:[\w-]+):sts::(\d*):assumed-role/([^/]+)/(.*)", arn):
        partition, account, role, session = assumed.groups()
        principal = issuer or f"{partition}:iam::{account}:role/{role}"
    elif federated := re.fullmatch(r"arn:[\w-]+:sts::\d*:federated-user/(.*)", arn):
        session = federated.group(1)
    if not principal:
        principal = invoked_by or str(who.get("userName") or who.get("principalId") or who.get("accountId") or "")
    agent = str(event.get("userAgent") or "")
    return {
        "principal": principal,
        "session": session,
        "type": kind,
        "time": written(moment(event.get("eventTime"))),
        "event": str(event.get("eventName") or ""),
        "event_id": str(event.get("eventID") or ""),
        "source_ip": str(event.get("sourceIPAddress") or ""),
        "user_agent": agent,
        "console": str(event.get("sessionCredentialFromConsole")).lower() == "true" or bool(_CONSOLE.match(agent)),
        "invoked_by": invoked_by,
    }


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def judge(creator: Creator | None, pipeline_roles: list[str], trusted: list[str]) -> Verdict | None:
    """What the creator makes of a candidate; None where it says nothing.

    Args:
        creator: as parse() gives it.
        pipeline_roles: globs of the ARNs of the roles that the pipelines apply with.
        trusted: globs of the ARNs of those who may make what they like; also of what Terraform of theirs makes.
    """
    if creator is None:
        return None
    evidence = f"{creator['event']} {creator['event_id']} of {creator['time']}"
    principal, agent = creator["principal"], creator["user_agent"]
    # First, for a service may act with the session of who asked it: EKS makes a cluster's security group so.
    if service := _service(creator):
        return Verdict(SERVICE_MANAGED, f"the service {service} made it", evidence)
    if any(fnmatchcase(principal, glob) for glob in pipeline_roles):
        return Verdict(LEAKED, f"the pipeline's role {principal} made it, and no state has it", evidence)
    if any(fnmatchcase(principal, glob) for glob in trusted):
        return Verdict(IGNORED, f"made by a trusted creator, {principal}", evidence)
    if _TERRAFORM.search(agent):
        return Verdict(FOREIGN_TERRAFORM, f"a Terraform that is not the pipeline's made it, as {principal}", evidence)
    return None


def _service(creator: Creator) -> str:
    """The AWS service that made the call, for itself or for somebody; '' where it was none."""
    by = creator["invoked_by"]
    if by.endswith((".amazonaws.com", ".amazonaws.com.cn", ".amazon.com")) or by == "AWS Internal":
        return str(by)
    return str(creator["principal"]) if creator["type"] == "AWSService" else ""
