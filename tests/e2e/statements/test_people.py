# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No statement and no action of what people may do is superfluous: the whole life of an estate needs every one of them,
from nothing to nothing, each part by the person whose part it is.

What counts are the recorded calls. Where AWS asks for an action behind another call (a key is used by S3, a role is
passed), no call says so: such a statement is taken away for real, or stands in a list.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from local_estate import ACCOUNT, REGION, LocalAws, people_policies

from tests.e2e.conftest import HERE
from tests.e2e.estate import REPOSITORY, Call, Run, allow, new_estate, new_person

NAME = "life"
DOCUMENTS = {
    "installer": ["installer_pipelines", "installer_state"],
    "operator": ["operator"],
    "recovery": ["recovery"],
    "doctor": ["doctor"],
    "verifier": ["verifier"],
}


@dataclass(frozen=True)
class Without:
    """A statement that is taken away for real: the playbook that fails then, and what it says."""

    person: str
    document: str
    sid: str
    says: str


TAKEN = [
    Without("installer", "installer_pipelines", "PassRoles", "iam:PassRole"),
    Without("installer", "installer_state", "UseKey", "kms:Decrypt"),
    Without("recovery", "recovery", "Buckets", "s3:ListBucket"),
    Without("recovery", "recovery", "UseKey", "kms:Decrypt"),
    Without("doctor", "doctor", "ReadLocks", "kms:Decrypt"),
]
SHOWN = {(one.document, one.sid) for one in TAKEN}

# Actions that no run needed, or none but together with another statement, as far as the log can tell.
BOTH = "the log tells no conditions: NewKey is for the key that is made, ManageKey for the one that is ours"
ALIAS = "AWS asks for it on the alias and on the key, and the log names the alias"
OLD_NAME = "of a connection that was made under the service's old name"
PASSED = "AWS asks for it behind calls that name a connection: of pipelines, and of projects with a webhook"
NOT_NEEDED_HERE = {
    **{
        ("installer_pipelines", "Connections", f"codestar-connections:{action}"): OLD_NAME
        for action in (
            "DeleteConnection",
            "ListTagsForResource",
            "PassConnection",
            "TagResource",
            "UntagResource",
            "UseConnection",
        )
    },
    ("installer_pipelines", "Connections", "codeconnections:PassConnection"): PASSED,
    ("installer_pipelines", "Connections", "codeconnections:UseConnection"): PASSED,
    ("installer_pipelines", "ReadLists", "sns:GetSubscriptionAttributes"): "of an e-mail whose reader has confirmed it",
    ("installer_pipelines", "KnowOneself", "iam:GetRole"): "of an installer who is a role; this one is a user",
    ("installer_state", "GrantKey", "kms:CreateGrant"): "AWS asks for it behind CreateTable; local AWS makes no grants",
    ("installer_state", "KnownPipelines", "s3:PutObject"): "from ten pipelines on; tests/integration/estate has them",
    ("installer_state", "ManageKey", "kms:CreateAlias"): ALIAS,
    ("installer_state", "ManageKey", "kms:DeleteAlias"): ALIAS,
    ("installer_state", "ManageKey", "kms:DisableKeyRotation"): "of somebody who turns the rotation off",
    ("installer_state", "ManageKey", "kms:TagResource"): BOTH,
    ("installer_state", "NewKey", "kms:TagResource"): BOTH,
    (
        "doctor",
        "Buckets",
        "s3:ListBucket",
    ): "without it S3 answers 403 where a lock file is missing, and no call says so",
    ("doctor", "Connections", "codestar-connections:GetConnection"): OLD_NAME,
    ("verifier", "Pipelines", "codepipeline:ListTagsForResource"): "of what the Tagging API does not know yet",
}


# Statements of which that is so of every action.
WHOLE = {
    ("installer_pipelines", "KnowOneself"),
    ("installer_state", "GrantKey"),
    ("installer_state", "KnownPipelines"),
}


def arn(call: Call) -> str:
    """The ARN that a call is about; the log has the names of our own services' resources."""
    service, resource = call["action"].partition(":")[0], call["resource"] or "*"
    if resource.startswith("arn:") or resource == "*":
        return str(resource)
    kind = {"codebuild": "project/", "codepipeline": ""}.get(service, "")
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{kind}{resource}"


def allows(statement: dict[str, Any], call: Call) -> bool:
    """Whether the statement is about the call. Of some the log has no resource: the action decides."""
    return any(call["action"].lower() == action.lower() for action in statement["Action"]) and (
        arn(call) == "*" or any(fnmatch.fnmatchcase(arn(call), one) for one in statement["Resource"])
    )


class Life:
    """An estate, what each of its people may do, and what became of it.

    `policies` are the documents of policies.yml by name, `taken` the runs without a statement, by document and Sid.
    """

    def __init__(self, aws: LocalAws, directory: Path) -> None:
        self.aws, self.csv = aws, directory / "accessKeys.csv"
        self.taken: dict[tuple[str, str], Run] = {}
        self.calls: dict[str, list[Call]] = {}
        self.write_key("first")
        common = {"repository": REPOSITORY, "path": "code", "trigger": False}
        parameters = {"credentials": "parameter_store", "access_keys_csv": str(self.csv)}
        stacks = [
            {**common, "name": "first", "pull_requests": True},
            {**common, "name": "keys", "approval": False, **parameters},
        ]
        # The administrator spoils settings that only installers may change.
        known = {"installers": ["user/installer", "user/administrator"], "state_readers": ["user/recovery"]}
        settings = {"name": NAME, "tags": {"owner": "platform"}, "alarm_emails": ["a@example.com"], **known}
        settings["drift"] = {}
        self.estate, self.repository = new_estate(aws, directory, stacks, **settings)
        policies = directory / "policies"
        self.policies = {file.stem: json.loads(file.read_text()) for file in sorted(policies.glob("*.json"))}
        self.rendered = people_policies(policies, *DOCUMENTS)
        self.people = {
            name: getattr(self.estate, name, None) or new_person(self.estate.administrator, name, self.rendered[name])
            for name in DOCUMENTS
        }

    def write_key(self, secret: str) -> None:
        """The file that the IAM console gives."""
        self.csv.write_text(f"Access key ID,Secret access key\r\nAKIAIOSFODNN7EXAMPLE,{(secret * 40)[:40]}\r\n")

    def play(self, name: str, person: str, *, may_fail: bool = False, **variables: Any) -> Run:
        """A playbook as somebody; its calls count."""
        run = self.estate.playbook(name, self.people[person], **variables)
        assert may_fail or not run.failed, run.output
        self.calls.setdefault(person, []).extend(run.calls)
        return run

    def without(self, sid: str, name: str, person: str, **variables: Any) -> None:
        """The playbook without one of the person's statements, which is given back; its calls do not count."""
        (one,) = [one for one in TAKEN if (one.person, one.sid) == (person, sid)]
        everything = self.rendered[person]
        rest = [statement for statement in everything["Statement"] if statement["Sid"] != sid]
        iam = self.estate.administrator.client("iam")
        less = json.dumps({**everything, "Statement": rest})
        iam.put_user_policy(UserName=person, PolicyName="own", PolicyDocument=less)
        self.taken[one.document, sid] = self.estate.playbook(name, self.people[person], **variables)
        iam.put_user_policy(UserName=person, PolicyName="own", PolicyDocument=json.dumps(everything))

    def live(self) -> None:
        """From nothing to nothing."""
        estate, aws = self.estate, self.aws
        self.without("PassRoles", "site.yml", "installer")
        self.play("teardown.yml", "installer", confirm=NAME)
        self.play("site.yml", "installer")
        aws.command("complete-connection", "github")
        code = self.repository.clone / "code"
        shutil.copytree(HERE / "roots" / "value", code, ignore=shutil.ignore_patterns(".terraform"))
        self.repository.push("Begin with it")
        self.play("run.yml", "operator", stack="first", approve=True)
        self.play("run.yml", "operator", stack="first", execution_id="latest")
        self.play("run.yml", "operator", stack="keys")
        self.write_key("second")
        self.without("UseKey", "site.yml", "installer")
        self.spoil()
        self.play("site.yml", "installer")
        self.play("verify.yml", "verifier")
        self.play("doctor.yml", "doctor")

        self.kill(code)
        self.play("doctor.yml", "doctor", may_fail=True, stack="first")
        self.without("ReadLocks", "doctor.yml", "doctor", stack="first")
        self.without("Buckets", "restore_state.yml", "recovery", stack="first")
        self.without("UseKey", "unlock.yml", "recovery")

        # What is sealed, only the break-glass role writes: these are its rights, too.
        estate.settings |= {"sealed": False, "log_retention_in_days": 0, "alarm_emails": []}
        estate.stack("first")["pull_requests"] = False
        self.play("site.yml", "installer")
        self.play("unlock.yml", "recovery", stack="first")
        self.restore()
        self.rescue()
        for stack in ("first", "keys"):
            self.play("destroy.yml", "operator", stack=stack, confirm=stack, approve=True)
        self.play("teardown.yml", "installer", confirm=NAME)

    def spoil(self) -> None:
        """Whatever site.yml can repair is spoilt by the administrator, or changed in the settings."""
        estate, facts = self.estate, self.estate.foundation
        s3, kms, dynamodb, iam, sns, events, codebuild = (
            estate.administrator.client(service)
            for service in ("s3", "kms", "dynamodb", "iam", "sns", "events", "codebuild")
        )
        for bucket in (facts["state_bucket"], facts["artifact_bucket"]):
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
            s3.delete_public_access_block(Bucket=bucket)
            s3.delete_bucket_lifecycle(Bucket=bucket)
            s3.delete_bucket_ownership_controls(Bucket=bucket)
            weaker = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
            s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=weaker)
            s3.delete_bucket_policy(Bucket=bucket)
        key = estate.key_arn
        kms.disable_key_rotation(KeyId=key)
        kms.update_key_description(KeyId=key, Description="Spoilt")
        policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
        weaker = {**policy, "Statement": policy["Statement"][:1]}
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(weaker))
        off = {"PointInTimeRecoveryEnabled": False}
        dynamodb.update_continuous_backups(TableName=facts["lock_table"], PointInTimeRecoverySpecification=off)
        table = dynamodb.describe_table(TableName=facts["lock_table"])["Table"]["TableArn"]
        dynamodb.delete_resource_policy(ResourceArn=table)
        dynamodb.update_table(TableName=facts["lock_table"], DeletionProtectionEnabled=False)

        role, nothing = f"{NAME}-first-plan", json.dumps(allow(["s3:ListBucket"], ["arn:aws:s3:::nowhere"]))
        iam.update_role(RoleName=role, Description="Spoilt")
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "codebuild.amazonaws.com"}}
        trust_policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.update_assume_role_policy(RoleName=role, PolicyDocument=trust_policy)
        iam.put_role_policy(RoleName=role, PolicyName="extra", PolicyDocument=nothing)
        other = iam.create_policy(PolicyName="other", PolicyDocument=nothing)["Policy"]["Arn"]
        iam.attach_role_policy(RoleName=role, PolicyArn=other)
        iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=other)
        seal = f"arn:aws:iam::{ACCOUNT}:policy/{NAME}-seal"
        for _ in range(4):  # as many as there may be
            iam.create_policy_version(PolicyArn=seal, PolicyDocument=nothing, SetAsDefault=True)

        topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{NAME}-alarms"
        publish = json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sns:Publish", "Resource": topic}
                ],
            }
        )
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=publish)
        # Somebody else's, which stays.
        queue = estate.administrator.client("sqs").create_queue(QueueName="listener")["QueueUrl"]
        sns.subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue.rpartition('/')[2]}"
        )
        rule = events.describe_rule(Name=f"{NAME}-break-glass")
        events.put_rule(Name=rule["Name"], EventPattern=rule["EventPattern"], Description="Spoilt")
        events.put_targets(Rule=rule["Name"], Targets=[{"Id": "more", "Arn": topic}])
        created = [[{"type": "EVENT", "pattern": "PULL_REQUEST_CREATED"}]]
        codebuild.update_webhook(projectName=f"{NAME}-first-review", filterGroups=created)

        changed = {"tags": {"team": "platform"}, "alarm_emails": ["b@example.com"], "log_retention_in_days": 30}
        changed |= {"drift": {"schedule": "rate(2 days)"}}
        estate.settings |= changed
        estate.stack("first").update(approval_timeout_in_minutes=60, timeout_in_minutes=30)

    def kill(self, code: Path) -> None:
        """A build of `first` is stopped in the middle of an apply: its lock stays."""
        estate, pipeline = self.estate, f"{NAME}-first"
        main = code / "main.tf"
        slow = '  input = var.content\n\n  provisioner "local-exec" {\n    command = "sleep 120"\n  }\n'
        replace = '  triggers_replace = ["slow"]\n'
        main.write_text(main.read_text().replace("  input = var.content\n", replace + slow))
        self.repository.push("Slow")
        execution = estate.start(pipeline)
        assert estate.wait(pipeline, execution, for_approval=True).waits
        estate.approve(pipeline)
        deadline = time.monotonic() + 120
        build = None
        while build is None or "Provisioning with" not in estate.log(build):
            assert time.monotonic() < deadline
            time.sleep(0.5)
            apply = estate.look(pipeline, execution).actions.get("Apply")
            build = (apply.build_id or None) if apply else None
        estate.administrator.client("codebuild").stop_build(id=build)
        estate.wait(pipeline, execution)
        main.write_text(main.read_text().replace("sleep 120", "sleep 0"))
        self.repository.push("Quick")

    def restore(self) -> None:
        """The state as it was before, in two steps: the versions are listed, one is put back."""
        state = f"{NAME}-{ACCOUNT}-{REGION}-state"
        versions = self.people["recovery"].client("s3").list_object_versions(Bucket=state, Prefix="first/")["Versions"]
        (*_, oldest) = [one["VersionId"] for one in versions if one["Key"] == "first/terraform.tfstate"]
        self.play("restore_state.yml", "recovery", stack="first")
        restored = {"version_id": oldest, "confirm": "first", "force": True}
        self.play("restore_state.yml", "recovery", stack="first", **restored)

    def rescue(self) -> None:
        """Builds could not write the state: first it is beside the artifacts, then beside the state."""
        facts, s3 = self.estate.foundation, self.people["recovery"].client("s3")
        places = [
            (facts["artifact_bucket"], f"{NAME}-first/errored/first.tfstate"),
            (facts["state_bucket"], "first/terraform.tfstate.errored"),
        ]
        for bucket, key in places:
            state = s3.get_object(Bucket=facts["state_bucket"], Key="first/terraform.tfstate")["Body"].read()
            later = json.loads(state)
            later["serial"] += 5
            self.estate.administrator.client("s3").put_object(
                Bucket=bucket,
                Key=key,
                Body=json.dumps(later).encode(),
                ServerSideEncryption="aws:kms",
                SSEKMSKeyId=self.estate.key_arn,
            )
            self.play("restore_state.yml", "recovery", stack="first", rescued=True, confirm="first")


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    """An estate that has lived."""
    with LocalAws(tmp_path_factory.mktemp("local-aws-people")).running() as aws:
        life = Life(aws, tmp_path_factory.mktemp("people"))
        life.live()
        yield life


def alone(life: Life, person: str) -> dict[tuple[str, str, str], bool]:
    """Of each document, Sid and action of a person: whether a call needed it that no other statement allows."""
    statements = [(name, one) for name in DOCUMENTS[person] for one in life.policies[name]["Statement"]]
    found = {(name, one["Sid"], action.lower()): False for name, one in statements for action in one["Action"]}
    for call in life.calls[person]:
        by = [(name, one["Sid"]) for name, one in statements if allows(one, call)]
        if len(by) == 1 and call["error_code"] not in ("AccessDenied", "AccessDeniedException"):
            found[(*by[0], call["action"].lower())] = True
    return {
        (name, one["Sid"], action): found[name, one["Sid"], action.lower()]
        for name, one in statements
        for action in one["Action"]
    }


@pytest.mark.parametrize("person", DOCUMENTS)
def test_every_action_is_needed_or_listed(person: str, life: Life) -> None:
    needed = alone(life, person)
    idle = {one for one, used in needed.items() if not used and one[:2] not in SHOWN}
    listed = {one for one in NOT_NEEDED_HERE if one[0] in DOCUMENTS[person]}
    assert idle == listed


@pytest.mark.parametrize("person", DOCUMENTS)
def test_every_statement_is_needed(person: str, life: Life) -> None:
    needed = alone(life, person)
    used = {one[:2] for one, is_used in needed.items() if is_used}
    assert {one[:2] for one in needed} - used - SHOWN == WHOLE & {one[:2] for one in needed}


@pytest.mark.parametrize("one", TAKEN, ids=lambda one: f"{one.document}-{one.sid}")
def test_playbook_fails_without(one: Without, life: Life) -> None:
    run = life.taken[one.document, one.sid]
    assert run.failed, run.output
    assert re.search(one.says, run.text), run.output


@pytest.mark.parametrize("person", DOCUMENTS)
def test_nobody_was_refused_anything(person: str, life: Life) -> None:
    refused = {c["action"] for c in life.calls[person] if c["error_code"] in ("AccessDenied", "AccessDeniedException")}
    assert refused == set()
