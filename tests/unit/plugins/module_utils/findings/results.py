# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A result as unmanaged_resources_info returns it: forty findings and all that a report has to say beside them."""

from __future__ import annotations

from typing import Any

ACCOUNT, REGION = "111122223333", "eu-central-1"


def resource(kind: str, identity: str, verdict: str = "unmanaged", **more: Any) -> dict[str, Any]:
    """A resource with every key that a result has."""
    return {
        "arn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:{kind.removeprefix('aws_')}/{identity}",
        "type": kind,
        "id": identity,
        "import_id": identity,
        "region": REGION,
        "name": identity,
        "verdict": verdict,
        "reason": "no state has it",
        "evidence": "",
        "created": "2026-11-23T15:12:08Z",
        "first_seen": "2026-11-24T04:00:00Z",
        "age_hours": 60.8,
        "tags": {},
        "refs": [],
        "removable": True,
        "quarantine": "",
        "guarded": "",
        "creator": None,
        "recover": "",
        **more,
    }


ALICE = {
    "principal": f"arn:aws:iam::{ACCOUNT}:role/admin",
    "session": "alice",
    "type": "AssumedRole",
    "time": "2026-11-23T15:12:08Z",
    "event": "RunInstances",
    "event_id": "6f0b5c1e-0001",
    "source_ip": "203.0.113.7",
    "user_agent": "Mozilla/5.0",
    "console": True,
    "invoked_by": "",
}


def result(**changed: Any) -> dict[str, Any]:
    """The whole result, but for what a test changes."""
    web = resource(
        "aws_instance",
        "i-0f1e2d3c4b5a69788",
        name="web-test",
        tags={"Name": "web-test", "team": "shop"},
        refs=["subnet-0a1b2c3d", "sg-0a1b2c3d", "vpc-0a1b2c3d"],
        quarantine="stopped",
        creator=ALICE,
        recover="start it again; once removed, it is gone with the volumes that go with it",
    )
    volumes = [
        resource("aws_ebs_volume", f"vol-{number:017x}", region=("eu-central-1", "us-east-1")[number % 2])
        for number in range(30)
    ]
    groups = [
        resource("aws_security_group", f"sg-{number:017x}", name=f"launch-wizard-{number}", creator=ALICE)
        for number in range(4)
    ]
    role = resource(
        "aws_iam_role",
        "experiment",
        arn=f"arn:aws:iam::{ACCOUNT}:role/experiment",
        region="",
        created="",
        age_hours=None,
        guarded="",
    )
    bucket = resource("aws_s3_bucket", "acme-old-logs", arn="arn:aws:s3:::acme-old-logs", removable=False)
    guarded = resource("aws_instance", "i-0aaaaaaaaaaaaaaaa", guarded="termination protection is on")
    leaked = resource(
        "aws_subnet",
        "subnet-0c0ffee",
        "leaked_by_pipeline",
        reason="the role gitops-network-apply made it, and no state has it",
        evidence="event 6f0b5c1e-0002",
        creator={**ALICE, "principal": f"arn:aws:iam::{ACCOUNT}:role/gitops-network-apply"},
    )
    foreign = resource(
        "aws_vpc",
        "vpc-0f0f0f0f",
        "foreign_terraform",
        reason="a Terraform made it",
        creator={**ALICE, "console": False, "user_agent": "APN/1.0 HashiCorp/1.0 Terraform/1.9.5"},
    )
    protected = resource("aws_kms_key", "11111111-2222", "protected", reason="the foundation")
    whole = {
        "account_id": ACCOUNT,
        "partition": "aws",
        "regions": ["eu-central-1", "us-east-1"],
        "time": "2026-11-26T04:00:00Z",
        "scope": {"tags": {"project": "shop"}},
        "complete": True,
        "problems": [],
        "resources": [web, *volumes, *groups, role, bucket, guarded, leaked, foreign, protected],
        "ghosts": [
            {
                "address": "aws_subnet.private[0]",
                "state": "network/terraform.tfstate",
                "type": "aws_subnet",
                "id": "subnet-0dead",
                "reason": "AWS says InvalidSubnetID.NotFound",
            }
        ],
        "changed": [
            {
                "address": "aws_vpc.main",
                "stack": "network",
                "type": "aws_vpc",
                "id": "vpc-0a1b2c3d",
                "attributes": [
                    {"name": "tags", "sensitive": False, "before": {"k": "value-of-a-state"}, "after": None},
                    {"name": "enable_dns_hostnames", "sensitive": True},
                ],
            }
        ],
        "counts": {"managed": 412, "aws_default": 19, "protected": 1, "unmanaged": 38},
        "coverage": [
            _listing("aws_instance", 14, 2),
            _listing("aws_security_group", 20, 4),
            _listing("aws_s3_bucket", 9, 1, removable=False),
            _listing("aws_lb", 3, 0, removable=False),
            _listing("aws_iam_role", 40, 1, region=""),
            _listing("aws_dynamodb_table", 0, 0, region="us-east-1", status="unsupported", message="OptInRequired"),
        ],
        "breadth": [
            {"arn": "arn:aws:sagemaker:x", "type": "sagemaker:notebook", "source": "resource_explorer", "reported": day}
            for day in ("2026-11-24T10:00:00Z", "2026-11-25T10:00:00Z")
        ],
        "states": [
            {
                "key": "network/terraform.tfstate",
                "lineage": "l",
                "serial": 7,
                "etag": "e",
                "managed": 400,
                "locked": "",
            },
            {"key": "app/terraform.tfstate", "serial": 3, "managed": 12, "locked": "bob"},
        ],
        "api_calls": {"ec2:DescribeInstances": 2, "s3:GetObject": 2},
        "notes": [{"what": "3 resources", "why": "CloudTrail was asked 100 times", "fix": "raise attribution_calls"}],
        "unseen_types": {"sagemaker:notebook": 2, "glue:job": 1},
        "expired_entries": [_entry(0, {"arn": "arn:aws:s3:::acme-old-*"}, "2026-11-01")],
        "unused_entries": [_entry(1, {"tags": {"team": "gone"}}, "2027-11-01")],
    }
    return {**whole, **changed}


INCOMPLETE: dict[str, Any] = {
    "complete": False,
    "problems": [
        {
            "what": "state app/terraform.tfstate",
            "why": "AccessDenied: not authorised to perform kms:Decrypt",
            "fix": "let the role gitops-drift-scan use the key",
        }
    ],
}


def _listing(kind: str, seen: int, findings: int, **more: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "region": REGION,
        "status": "complete",
        "seen": seen,
        "managed": seen - findings,
        "findings": findings,
        "removable": True,
        "message": "",
        **more,
    }


def _entry(index: int, match: dict[str, Any], expires: str) -> dict[str, Any]:
    said = {"kind": "ignore", "owner": "alice", "reason": "an audit needs it", "expires": expires}
    return {"index": index, "match": match, **said}
