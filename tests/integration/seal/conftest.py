# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sealed estate as site.yml makes it, with three stacks, and the people around it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from local_estate import ACCOUNT, REGION, LocalAws, Person, people_policies

from ansible_collections.gitops.aws.plugins.module_utils._access_checks import answer
from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws
from ansible_collections.gitops.aws.plugins.module_utils._estate.attempts import attempts
from ansible_collections.gitops.aws.plugins.module_utils._estate.guardrails import seal_policy
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import foundation_of
from ansible_collections.gitops.aws.plugins.module_utils._estate.spec import check
from ansible_collections.gitops.aws.plugins.module_utils._estate.verdicts import simulated
from local_aws.process import ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY
from tests.e2e.estate import Estate, allow, new_person

Document = dict[str, Any]

ESTATE = "sealed"
IAM = f"arn:aws:iam::{ACCOUNT}"
SETTINGS: dict[str, Any] = {
    "name": ESTATE,
    "region": REGION,
    "connection": ESTATE,
    "authors": {"ada@example.com": "user/ada"},
    "installers": ["user/seal-installer"],
    "state_readers": ["user/seal-reader"],
    "break_glass_principals": ["user/seal-breaker"],
}
STACKS: list[dict[str, Any]] = [
    {"name": name, "repository": "acme/infrastructure", "path": name} for name in ("network", "second")
]
STACKS.append({"name": "pushed", "source": "codecommit", "repository": "infrastructure"})
CHECKED_SETTINGS, CHECKED_STACKS, _problems = check(SETTINGS, STACKS, [REGION])
# A stack of S3, which the estate cannot have beside its authors: the seal is put in place as if it had.
_settings, (PACKED,), _problems = check(
    {**SETTINGS, "authors": {}},
    [{"name": "packed", "source": "s3", "source_bucket": "seal-code", "source_key": "packed.zip"}],
    [REGION],
)
# Without the key, whose id is AWS's choice.
FOUNDATION = foundation_of(CHECKED_SETTINGS, ACCOUNT, "aws")
STATE_BUCKET, ARTIFACT_BUCKET = FOUNDATION["state_bucket"], FOUNDATION["artifact_bucket"]
TABLE_ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{FOUNDATION['lock_table']}"
SEAL_ARN = f"{IAM}:policy/{ESTATE}-seal"
STATE_KEY = "network/terraform.tfstate"
# The parameters of iam_access_info, whatever is attached.
ASKED_ALL: dict[str, Any] = {"fresh": False, "caller_arn": None, "unless_attached": None}


def without(document: Document, *sids: str) -> Document:
    """A policy without these statements, which must be there."""
    left = [statement for statement in document["Statement"] if statement.get("Sid") not in sids]
    assert len(left) == len(document["Statement"]) - len(sids), (sids, document)
    return {**document, "Statement": left}


class Asking(Aws):
    """The module's connection as a person; one for all questions, since making clients is slow."""

    def __init__(self, person: Person) -> None:
        super().__init__(SimpleNamespace(check_mode=False), 4)
        self._clients = {name: person.client(name) for name in ("dynamodb", "iam", "kms", "s3", "sts")}


@dataclass
class Sealed:
    """The estate, and who is around. `root` is allowed everything: it breaks what it puts back."""

    estate: Estate
    root: Person
    verifier: Person
    breaker: Person
    reader: Person  # one of state_readers, whom no policy of IAM allows anything
    key_arn: str
    _asking: Asking | None = None
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def administrator(self) -> Person:
        """May do everything, says his policy, and is unknown to the estate."""
        return self.estate.administrator

    def through(self) -> set[str]:
        """The attempts that do not end as they must."""
        return {name for name, what in self.observed().items() if what not in ("refused", "allowed")}

    @property
    def foundation(self) -> dict[str, Any]:
        """As verify.yml has it."""
        return {**FOUNDATION, "kms_key_arn": self.key_arn}

    def client(self, service: str) -> Any:
        """A boto3 client of root, made once."""
        if service not in self._clients:
            self._clients[service] = self.root.client(service)
        return self._clients[service]

    def observed(self, asked: list[str] | None = None, *more: Document) -> dict[str, str]:
        """What comes of each attempt by its name, or of these: asked as verify.yml asks, as who runs it.

        The estate's stacks are its own, and more.
        """
        self._asking = self._asking or Asking(self.verifier)
        nothing: dict[str, Any] = {"policy_of": None, "permissions_boundary": None, "resource_policy": None}
        nothing |= {"only_exists": False, "always": False}
        found = attempts(self.foundation, CHECKED_STACKS[0], stacks=[*CHECKED_STACKS, *more])
        checks = [{**nothing, **one} for one in found if not asked or one["name"] in asked]
        answers = answer(self._asking, {**ASKED_ALL, "checks": checks})["checks"]
        return {f"{line['who']}: {line['what']}": line["observed"] for line in simulated(answers)}

    # What protects the estate, with something taken out of it for a while

    @contextmanager
    def bucket(self, bucket: str, *sids: str) -> Iterator[None]:
        """A bucket's policy without these statements."""
        s3 = self.client("s3")
        before = s3.get_bucket_policy(Bucket=bucket)["Policy"]
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(without(json.loads(before), *sids)))
        try:
            yield
        finally:
            s3.put_bucket_policy(Bucket=bucket, Policy=before)

    @contextmanager
    def table(self, *sids: str) -> Iterator[None]:
        """The lock table's policy without these statements."""
        dynamodb = self.client("dynamodb")
        before = dynamodb.get_resource_policy(ResourceArn=TABLE_ARN)["Policy"]
        dynamodb.put_resource_policy(ResourceArn=TABLE_ARN, Policy=json.dumps(without(json.loads(before), *sids)))
        try:
            yield
        finally:
            dynamodb.put_resource_policy(ResourceArn=TABLE_ARN, Policy=before)

    @contextmanager
    def key(self, *sids: str) -> Iterator[None]:
        """The key's policy without these statements."""
        kms = self.client("kms")
        before = kms.get_key_policy(KeyId=self.key_arn, PolicyName="default")["Policy"]
        kms.put_key_policy(
            KeyId=self.key_arn, PolicyName="default", Policy=json.dumps(without(json.loads(before), *sids))
        )
        try:
            yield
        finally:
            kms.put_key_policy(KeyId=self.key_arn, PolicyName="default", Policy=before)

    @contextmanager
    def trust(self, role: str, principal: str = f"{IAM}:root") -> Iterator[None]:
        """A role's trust policy that lets in whoever may take roles."""
        iam = self.client("iam")
        before = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
        open_to_all = {"Version": "2012-10-17", "Statement": [statement]}
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(open_to_all))
        try:
            yield
        finally:
            iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(before))

    @contextmanager
    def seal(self, *sids: str, stack: Document | None = None) -> Iterator[None]:
        """The build roles' seal without these statements; or that of an estate with a stack more."""
        iam = self.client("iam")
        before = iam.get_policy(PolicyArn=SEAL_ARN)["Policy"]["DefaultVersionId"]
        document = iam.get_policy_version(PolicyArn=SEAL_ARN, VersionId=before)["PolicyVersion"]["Document"]
        whole = seal_policy(self.foundation, [*CHECKED_STACKS, stack]) if stack else document
        other = iam.create_policy_version(
            PolicyArn=SEAL_ARN, PolicyDocument=json.dumps(without(whole, *sids)), SetAsDefault=True
        )["PolicyVersion"]["VersionId"]
        try:
            yield
        finally:
            # Local AWS has no SetDefaultPolicyVersion.
            iam.create_policy_version(PolicyArn=SEAL_ARN, PolicyDocument=json.dumps(document), SetAsDefault=True)
            for version in (before, other):
                iam.delete_policy_version(PolicyArn=SEAL_ARN, VersionId=version)

    @contextmanager
    def inline(self, purpose: str, *sids: str) -> Iterator[None]:
        """The inline policy `seal` of a build role without these statements."""
        iam, role = self.client("iam"), f"{ESTATE}-network-{purpose}"
        before = iam.get_role_policy(RoleName=role, PolicyName="seal")["PolicyDocument"]
        iam.put_role_policy(RoleName=role, PolicyName="seal", PolicyDocument=json.dumps(without(before, *sids)))
        try:
            yield
        finally:
            iam.put_role_policy(RoleName=role, PolicyName="seal", PolicyDocument=json.dumps(before))

    @contextmanager
    def denied(self, purpose: str, action: str) -> Iterator[None]:
        """A build role that is denied an action."""
        iam, role = self.client("iam"), f"{ESTATE}-network-{purpose}"
        statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName=role, PolicyName="mistake", PolicyDocument=document)
        try:
            yield
        finally:
            iam.delete_role_policy(RoleName=role, PolicyName="mistake")

    @contextmanager
    def project(self, step: str, **variables: str) -> Iterator[None]:
        """A build project with other values of variables."""
        codebuild, name = self.client("codebuild"), f"{ESTATE}-network-{step}"
        before = codebuild.batch_get_projects(names=[name])["projects"][0]
        environment = copy.deepcopy(before["environment"])
        for one in environment["environmentVariables"]:
            one["value"] = variables.get(one["name"], one["value"])
        codebuild.update_project(name=name, environment=environment)
        try:
            yield
        finally:
            codebuild.update_project(name=name, environment=before["environment"])

    @contextmanager
    def pipeline(self) -> Iterator[None]:
        """The pipeline with another branch."""
        codepipeline = self.client("codepipeline")
        before = codepipeline.get_pipeline(name=f"{ESTATE}-network")["pipeline"]
        other = copy.deepcopy(before)
        other["stages"][0]["actions"][0]["configuration"]["BranchName"] = "other"
        codepipeline.update_pipeline(pipeline=other)
        try:
            yield
        finally:
            codepipeline.update_pipeline(pipeline=before)


@pytest.fixture(scope="session")
def sealed(local_aws: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """The estate, made by the installer with the policies that are rendered for him."""
    directory = tmp_path_factory.mktemp("sealed")
    aws = LocalAws(local_aws[1])
    aws.endpoint_url = local_aws[0]
    administrator = aws.person("seal-administrator", allow(["*"], ["*"]))
    estate = Estate(aws, administrator, directory, copy.deepcopy(SETTINGS), copy.deepcopy(STACKS))
    rendered = estate.playbook("policies.yml", None, account_id=ACCOUNT, directory=str(directory / "policies"))
    assert not rendered.failed, rendered.output
    policies = people_policies(directory / "policies", "installer", "verifier", "operator")
    estate.installer = new_person(administrator, "seal-installer", policies["installer"])
    estate.operator = new_person(administrator, "seal-operator", policies["operator"])
    # Whoever the settings name must be there.
    breaker = new_person(administrator, "seal-breaker", allow(["sts:AssumeRole"], [f"{IAM}:role/*"]))
    reader = new_person(administrator, "seal-reader", allow(["sts:GetCallerIdentity"], ["*"]))
    estate.site()
    return Sealed(
        estate,
        Person("root", aws.endpoint_url, ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY),
        new_person(administrator, "seal-verifier", policies["verifier"]),
        breaker,
        reader,
        estate.key_arn,
    )
