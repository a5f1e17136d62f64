# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What the diagnosis reads from AWS, in as few calls as AWS allows, and nothing secret: no state, no value of a
parameter."""

from __future__ import annotations

import json
from typing import Any, Callable, TypeVar

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    BotoCoreError = ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, Refused, error_code, explain, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_findings import NOT_YET, Facts, role_name
from ansible_collections.gitops.aws.plugins.module_utils._diagnosis_settings import connections_of, keys_of
from ansible_collections.gitops.aws.plugins.module_utils._engine import chunks
from ansible_collections.gitops.aws.plugins.module_utils._lock_holders import look

T = TypeVar("T")

SERVICES = ("codebuild", "codeconnections", "codepipeline", "dynamodb", "iam", "kms", "logs", "s3", "ssm")
AWS_OWN = ":alias/aws/"
ROLES_AND_POLICIES = ["Role", "LocalManagedPolicy", "AWSManagedPolicy"]


class Reader:
    """Reads facts; what cannot be read is noted, and the rest is read all the same."""

    def __init__(self, aws: Aws, foundation: dict[str, Any], stacks: list[dict[str, Any]]) -> None:
        self.aws, self.foundation, self.stacks = aws, foundation, stacks
        self.facts = Facts()
        for service in SERVICES:
            aws.client(service)  # boto3 makes clients in one thread only

    def read(self) -> Facts:
        """Everything but the runs."""
        facts = self.facts
        self._try("roles", self._roles)
        self._try("build projects", self._projects)
        names = [name for stack in self.stacks for name in stack["pipelines"]]
        facts.pipelines = self._each("pipeline", names, self._pipeline)
        arns = {arn for pipeline in facts.pipelines.values() if pipeline for arn in connections_of(pipeline)}
        if self.foundation["connection_arn"] and NOT_YET not in self.foundation["connection_arn"]:
            arns.add(self.foundation["connection_arn"])
        facts.connections = self._each("connection", sorted(arns), self._connection)
        buckets = sorted({self.foundation["artifact_bucket"], self.foundation["state_bucket"]})
        facts.buckets = self._each("bucket", buckets, self._bucket)
        self._try("parameters", self._parameters)
        facts.keys = self._each("KMS key", self._key_names(), self._key)
        self._try("log groups", self._log_groups)
        if facts.buckets.get(self.foundation["state_bucket"]) is not None:
            self._try("locks", self._locks)
        return facts

    def _try(self, what: str, function: Callable[[], None]) -> None:
        try:
            function()
        except (ClientError, BotoCoreError, Refused) as error:
            self.facts.unread[what] = explain(error, what)

    def _each(self, what: str, names: list[str], function: Callable[[str], T]) -> dict[str, T]:
        """What a function reads, by name; those that it cannot read are left out, and noted."""

        def one(name: str) -> list[tuple[str, T]]:
            try:
                return [(name, function(name))]
            except (ClientError, BotoCoreError, Refused) as error:
                self.facts.unread[f"{what} {name}"] = explain(error, f"{what} {name}")
                return []

        return dict(pair for pairs in self.aws.map(one, names) for pair in pairs)

    def _roles(self) -> None:
        wanted = {role_name(role["arn"]) for stack in self.stacks for role in stack["roles"]}
        pages = self.aws.client("iam").get_paginator("get_account_authorization_details")
        policies: dict[str, Any] = {}
        for page in pages.paginate(Filter=ROLES_AND_POLICIES, PaginationConfig={"PageSize": 1000}):
            self.facts.roles.update(
                {r["RoleName"]: r for r in page.get("RoleDetailList", []) if r["RoleName"] in wanted}
            )
            policies.update({policy["Arn"]: policy for policy in page.get("Policies", [])})
        for role in self.facts.roles.values():
            arns = [each["PolicyArn"] for each in role["AttachedManagedPolicies"]]
            for arn in [*arns, role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")]:
                for version in policies.get(arn, {}).get("PolicyVersionList", []):
                    if version["IsDefaultVersion"]:
                        self.facts.policies[arn] = version["Document"]

    def _projects(self) -> None:
        names = [project["name"] for stack in self.stacks for project in stack["projects"]]
        batches = self.aws.map(
            lambda some: self.aws.client("codebuild").batch_get_projects(names=some), chunks(names, 100)
        )
        there = {project["name"]: project for batch in batches for project in batch["projects"]}
        self.facts.projects = {name: there.get(name) for name in names}

    def _pipeline(self, name: str) -> Any:
        get = self.aws.client("codepipeline").get_pipeline
        answer = read_or_none(get, ("PipelineNotFoundException",), name=name)
        return answer and answer["pipeline"]

    def _connection(self, arn: str) -> Any:
        get = self.aws.client("codeconnections").get_connection
        answer = read_or_none(get, ("ResourceNotFoundException",), ConnectionArn=arn)
        found = answer and answer["Connection"]
        return found and {"name": found.get("ConnectionName", ""), "status": found["ConnectionStatus"]}

    def _bucket(self, name: str) -> Any:
        s3 = self.aws.client("s3")
        try:
            rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
        except ClientError as error:
            if error_code(error) == "NoSuchBucket":
                return None
            if error_code(error) != "ServerSideEncryptionConfigurationNotFoundError":
                raise
            rules = []
        default = rules[0].get("ApplyServerSideEncryptionByDefault", {}) if rules else {}
        policy = read_or_none(s3.get_bucket_policy, ("NoSuchBucketPolicy",), Bucket=name)
        return {
            "encryption_key": default.get("KMSMasterKeyID", ""),
            "policy": json.loads(policy["Policy"]) if policy else {},
        }

    def _parameters(self) -> None:
        names = list(dict.fromkeys(name for stack in self.stacks for name in stack["parameters"]))

        def describe(some: list[str]) -> list[dict[str, Any]]:
            filters = [{"Key": "Name", "Option": "Equals", "Values": some}]
            pages = {"PageSize": 50}
            return self.aws.pages(
                "ssm", "describe_parameters", "Parameters", ParameterFilters=filters, PaginationConfig=pages
            )

        there = {one["Name"]: one for some in self.aws.map(describe, chunks(names, 50)) for one in some}
        for name in names:
            found = there.get(name)
            self.facts.parameters[name] = found and {"type": found["Type"], "key_id": found.get("KeyId", "")}

    def _key_names(self) -> list[str]:
        named = {key for stack in self.stacks for _what, key in keys_of(stack, self.foundation, self.facts)}
        named |= {one["key_id"] for one in self.facts.parameters.values() if one}
        named.add(self.foundation["kms_key_arn"])
        return sorted(key for key in named if key and NOT_YET not in key and AWS_OWN not in f":{key}")

    def _key(self, called: str) -> Any:
        kms = self.aws.client("kms")
        answer = read_or_none(kms.describe_key, ("NotFoundException",), KeyId=called)
        if answer is None:
            return None
        key = answer["KeyMetadata"]
        policy = kms.get_key_policy(KeyId=key["Arn"], PolicyName="default")["Policy"]
        return {"arn": key["Arn"], "state": key["KeyState"], "policy": json.loads(policy)}

    def _log_groups(self) -> None:
        name = self.foundation["log_group"]
        groups = self.aws.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
        self.facts.log_groups = {group["logGroupName"] for group in groups}

    def _locks(self) -> None:
        table = self.foundation["lock_table"] if "dynamodb" in self.foundation["locking"] else None
        bucket, states = self.foundation["state_bucket"], [stack["state"] for stack in self.stacks]
        try:
            holders = look(self.aws, bucket, table, states, leftovers=False)
        except ClientError as error:
            if table is None or error_code(error) != "ResourceNotFoundException":
                raise
            self.facts.no_lock_table = True
            holders = look(self.aws, bucket, None, states, leftovers=False)
        self.facts.locks = [holder.public() for holder in holders]
