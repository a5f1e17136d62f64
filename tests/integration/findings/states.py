# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket with states, written as Terraform writes them, for tests that need no Terraform to have run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.integration.modules.harness import REGION, Account, unique

PROVIDER = 'provider["registry.terraform.io/hashicorp/aws"]'


@dataclass
class Bucket:
    """A versioned bucket of states, and a lock table."""

    account: Account
    name: str
    table: str
    serials: dict[str, int] = field(default_factory=dict)

    @classmethod
    def open(cls, account: Account) -> Bucket:
        """A new one."""
        bucket = cls(account, unique("states"), unique("locks"))
        s3 = account.client("s3")
        s3.create_bucket(Bucket=bucket.name, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
        account.client("dynamodb").create_table(
            TableName=bucket.table,
            KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        return bucket

    def put(self, stack: str, *resources: tuple[str, dict[str, Any]] | dict[str, Any], **more: Any) -> str:
        """Writes a stack's state with resources, each (type, attributes), or as a state has it; the key."""
        key = stack if "/" in stack else f"{stack}/terraform.tfstate"
        self.serials[key] = self.serials.get(key, 0) + 1
        state = {
            "version": 4,
            "terraform_version": "1.11.4",
            "serial": self.serials[key],
            "lineage": f"lineage-{key}",
            "outputs": {},
            "resources": [
                one if isinstance(one, dict) else managed(one[0], one[1], f"r{number}")
                for number, one in enumerate(resources)
            ],
            **more,
        }
        self.account.client("s3").put_object(Bucket=self.name, Key=key, Body=json.dumps(state).encode())
        return key

    def arguments(self, **more: Any) -> dict[str, Any]:
        """The options of a scan in which nothing is too young."""
        return {"state_bucket": self.name, "lock_table": self.table, "min_age_hours": 0, **more}


def managed(kind: str, attributes: dict[str, Any], name: str = "main", **more: Any) -> dict[str, Any]:
    """A resource of a state."""
    instances = [{"schema_version": 0, "attributes": attributes}]
    return {"mode": "managed", "type": kind, "name": name, "provider": PROVIDER, "instances": instances, **more}
