# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What somebody may try to get past the pipeline, as questions for gitops.aws.iam_access_info.

Who tries has every permission but what the installation itself denies: an attempt that only the narrowness of
somebody's policies prevents is one that the next policy lets through.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._access import EVERYTHING
from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.guardrails import developer_policy
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack

Check = dict[str, Any]

# What must be allowed: where all is refused, it may be the question that is wrong.
OWN_WORK = "do its own work: "
ADMINISTRATOR, DEVELOPER = "administrator", "developer"
PLAN, APPLY = "plan role", "apply role"
HIDE = "hide that a pipeline was changed"  # where site.yml keeps what it knows of pipelines


class Attempts:
    """Makes the list, for one stack of an estate; of its other stacks, only the code is attacked."""

    def __init__(self, foundation: Foundation, stack: Stack, developers: list[str], stacks: list[Stack]) -> None:
        self.foundation, self.stack, self.developers = foundation, stack, developers
        self.stacks = [stack, *stacks]  # its own code first
        self.state_arn = names.bucket_arn(foundation, foundation["state_bucket"])
        self.artifact_arn = names.bucket_arn(foundation, foundation["artifact_bucket"])
        self.state = f"{self.state_arn}/{stack['state_key']}"
        self.known = f"{self.state_arn}/{names.known_pipelines(foundation)['key']}"
        self.plan = f"{self.artifact_arn}/{names.pipeline(foundation, stack)[: names.ARTIFACT_FOLDER]}/plan/saved-plan"
        self.table = names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")
        self.key = foundation["kms_key_arn"]
        self.pipeline = names.arn(foundation, "codepipeline", names.pipeline(foundation, stack))
        self.approval = f"{self.pipeline}/Deploy/Approve"
        self.project = names.arn(foundation, "codebuild", f"project/{names.project(foundation, stack, 'apply')}")
        self.encrypted = {
            "s3:x-amz-server-side-encryption": "aws:kms",
            "s3:x-amz-server-side-encryption-aws-kms-key-id": self.key,
        }
        self.bucket_policy = {"kind": "bucket", "name": foundation["state_bucket"]}
        self.artifact_policy = {"kind": "bucket", "name": foundation["artifact_bucket"]}
        self.table_policy = {"kind": "table", "name": self.table}
        self.key_policy = {"kind": "key", "name": self.key}
        # Only what is made here has the policies that are tried.
        whose = {
            "state_bucket": self.bucket_policy,
            "artifact_bucket": self.artifact_policy,
            "lock_table": self.table_policy,
        }
        self.theirs = [policy for part, policy in whose.items() if part in foundation["existing"]]
        if foundation["named_key_arn"]:
            self.theirs.append(self.key_policy)
        self.found: list[Check] = []

    def add(self, who: str, what: str, action: str, resource: str, **more: Any) -> None:
        """One attempt: who, in words what, the action on the resource; `policy_of` and `context`, where they count."""
        foundation = self.foundation
        if who == ADMINISTRATOR and more.get("policy_of") in self.theirs:
            return
        nobody = names.arn(foundation, "iam", "user/nobody-that-the-estate-knows", "")
        tags = names.of_estate(foundation)
        check: Check = {
            "name": f"{who}: {what}",
            "principal": nobody,
            "hypothetical": True,
            "actions": [action],
            "resource": resource,
            "policies": [EVERYTHING],
            "context": {**tags, **more.pop("context", {})},
            **more,
        }
        if who == DEVELOPER:
            check["permissions_boundary"] = developer_policy(foundation, [self.stack])
            for developer in self.developers:
                real = {"principal": developer, "hypothetical": False, "policies": [], "permissions_boundary": None}
                short = developer.partition(":")[2].rpartition(":")[2]
                self.found.append({**check, **real, "name": f"{short}: {what}"})
            if self.developers:
                return
        elif who in (PLAN, APPLY):
            role = names.role_arn(foundation, self.stack, who.partition(" ")[0])
            check.update(principal=role, hypothetical=False)
        self.found.append(check)

    def all(self) -> list[Check]:
        """The whole list."""
        self.administrator()
        self.settings()
        self.roles()
        self.developer()
        for who in (PLAN, APPLY):
            self.build(who)
            self.sources(who)
        self.plan_only()
        self.apply_only()
        self.own_work()
        return self.found

    def administrator(self) -> None:
        """Somebody with AdministratorAccess, whom the estate does not know: state, lock, plan and secrets."""
        state = {"policy_of": self.bucket_policy}
        written = {"context": self.encrypted, **state}
        for what, action, resource, more in (
            ("terraform apply from a laptop: write the state", "s3:PutObject", self.state, written),
            ("delete the state", "s3:DeleteObject", self.state, state),
            ("delete a version of the state", "s3:DeleteObjectVersion", self.state, state),
            ("read the state", "s3:GetObject", self.state, state),
            (HIDE, "s3:PutObject", self.known, written),
            ("take the lock file", "s3:PutObject", f"{self.state}.tflock", written),
            ("remove the lock file", "s3:DeleteObject", f"{self.state}.tflock", state),
            ("read the saved plan", "s3:GetObject", self.plan, {"policy_of": self.artifact_policy}),
            ("exchange the saved plan", "s3:PutObject", self.plan, {"policy_of": self.artifact_policy}),
        ):
            self.add(ADMINISTRATOR, what, action, resource, **more)
        if "dynamodb" in self.foundation["locking"]:
            for what, action in (
                ("terraform apply from a laptop: take the lock", "dynamodb:PutItem"),
                ("terraform force-unlock from a laptop", "dynamodb:DeleteItem"),
            ):
                self.add(ADMINISTRATOR, what, action, self.table, policy_of=self.table_policy)
        for what, action in (
            ("decrypt states, plans and parameters", "kms:Decrypt"),
            ("encrypt a state of his own", "kms:GenerateDataKey"),
        ):
            context = {"kms:EncryptionContext:aws:s3:arn": self.state}
            self.add(ADMINISTRATOR, what, action, self.key, policy_of=self.key_policy, context=context)

    def settings(self) -> None:
        """The same person: what protects state and lock."""
        for what, action in (
            ("delete the state bucket's policy", "s3:DeleteBucketPolicy"),
            ("replace the state bucket's policy", "s3:PutBucketPolicy"),
            ("suspend the versions of the state", "s3:PutBucketVersioning"),
            ("let a lifecycle rule delete versions", "s3:PutLifecycleConfiguration"),
            ("change the state bucket's encryption", "s3:PutEncryptionConfiguration"),
            ("open the state bucket to the public", "s3:PutBucketPublicAccessBlock"),
            ("delete the state bucket", "s3:DeleteBucket"),
        ):
            self.add(ADMINISTRATOR, what, action, self.state_arn, policy_of=self.bucket_policy)
        what = "delete the artifact bucket's policy"
        self.add(ADMINISTRATOR, what, "s3:DeleteBucketPolicy", self.artifact_arn, policy_of=self.artifact_policy)
        if "dynamodb" in self.foundation["locking"]:
            for what, action in (
                ("delete the lock table's policy", "dynamodb:DeleteResourcePolicy"),
                ("delete the lock table", "dynamodb:DeleteTable"),
            ):
                self.add(ADMINISTRATOR, what, action, self.table, policy_of=self.table_policy)
        for what, action in (
            ("replace the key's policy", "kms:PutKeyPolicy"),
            ("delete the key", "kms:ScheduleKeyDeletion"),
            ("give the key away", "kms:CreateGrant"),
        ):
            self.add(ADMINISTRATOR, what, action, self.key, policy_of=self.key_policy)

    def roles(self) -> None:
        """The same person: being one of the roles."""
        purposes = [*names.PURPOSES, *(["review"] if self.stack["pull_requests"] else [])]
        arns = {f"the {purpose} role": names.role_arn(self.foundation, self.stack, purpose) for purpose in purposes}
        if self.foundation["make_break_glass_role"]:
            arns["the break-glass role without MFA"] = self.foundation["break_glass_role_arn"]
        for what, arn in arns.items():
            policy = {"kind": "role", "name": arn.rpartition("/")[2]}
            region = {"aws:RequestedRegion": self.foundation["region"]}
            self.add(ADMINISTRATOR, f"be {what}", "sts:AssumeRole", arn, policy_of=policy, context=region)

    def developer(self) -> None:
        """Who deploys through Git: somebody whom developer.json bounds, or real people with what they have in AWS."""
        foundation = self.foundation
        apply_role = names.role_arn(foundation, self.stack, "apply")
        logs = names.arn(foundation, "logs", f"log-group:{foundation['log_group']}:log-stream:apply/1")
        rule = names.arn(foundation, "events", f"rule/{foundation['name']}-break-glass")
        # It is known by its tag, whatever its id.
        connection = foundation["named_connection_arn"] or names.arn(foundation, "codeconnections", "connection/any")
        parameter = names.arn(
            foundation, "ssm", f"parameter/{foundation['name']}/{self.stack['name']}/AWS_ACCESS_KEY_ID"
        )
        for what, action, resource in (
            ("start the apply build with a buildspec of his own", "codebuild:StartBuild", self.project),
            ("repeat a build", "codebuild:RetryBuild", self.project),
            ("change the apply project", "codebuild:UpdateProject", self.project),
            ("change the pipeline", "codepipeline:UpdatePipeline", self.pipeline),
            ("start the pipeline with another commit", "codepipeline:StartPipelineExecution", self.pipeline),
            ("approve", "codepipeline:PutApprovalResult", self.approval),
            ("override a stage's condition", "codepipeline:OverrideStageCondition", f"{self.pipeline}/Deploy"),
            ("roll a stage back", "codepipeline:RollbackStage", f"{self.pipeline}/Deploy"),
            ("delete the builds' logs", "logs:DeleteLogStream", logs),
            ("silence the alarm", "events:DisableRule", rule),
            ("exchange the access key", "ssm:PutParameter", parameter),
            ("read the access key", "ssm:GetParameter", parameter),
            ("cut the connection to the Git host", "codeconnections:DeleteConnection", connection),
            ("make something in AWS himself", "ec2:RunInstances", names.arn(foundation, "ec2", "instance/*")),
        ):
            self.add(DEVELOPER, what, action, resource)
        if not self.stack["apply_role_arn"]:  # our seal covers no role that the user has made
            for what, action in (
                ("give the apply role more", "iam:PutRolePolicy"),
                ("let himself be the apply role", "iam:UpdateAssumeRolePolicy"),
                ("pass the apply role to a project of his own", "iam:PassRole"),
            ):
                self.add(DEVELOPER, what, action, apply_role)
        seal_arn = names.policy_arn(foundation, "seal")
        self.add(DEVELOPER, "rewrite the build roles' seal", "iam:CreatePolicyVersion", seal_arn)

    def build(self, who: str) -> None:
        """A build whose stack has every permission: the pipeline, its roles, settings and logs."""
        foundation = self.foundation
        role = names.role_arn(foundation, self.stack, who.partition(" ")[0])
        logs = names.arn(foundation, "logs", f"log-group:{foundation['log_group']}:log-stream:apply/1")
        other = names.arn(foundation, "iam", "role/made-by-terraform", "")
        for what, action, resource, more in (
            ("change the pipeline", "codepipeline:UpdatePipeline", self.pipeline, {}),
            ("approve", "codepipeline:PutApprovalResult", self.approval, {}),
            ("start the apply build with another buildspec", "codebuild:StartBuild", self.project, {}),
            ("change the apply project", "codebuild:UpdateProject", self.project, {}),
            ("give itself more", "iam:PutRolePolicy", role, {}),
            ("throw off its seal", "iam:DetachRolePolicy", role, {}),
            ("make a role without the boundary", "iam:CreateRole", other, {}),
            ("take the boundary off a role", "iam:DeleteRolePermissionsBoundary", other, {}),
            (
                "make an access key for somebody",
                "iam:CreateAccessKey",
                names.arn(foundation, "iam", "user/somebody", ""),
                {},
            ),
            (
                "replace the state bucket's policy",
                "s3:PutBucketPolicy",
                self.state_arn,
                {"policy_of": self.bucket_policy},
            ),
            ("delete the builds' logs", "logs:DeleteLogStream", logs, {}),
        ):
            self.add(who, what, action, resource, **more)
        if "dynamodb" in foundation["locking"]:
            other_lock = {"dynamodb:LeadingKeys": [f"{foundation['state_bucket']}/another-stack/terraform.tfstate"]}
            self.add(
                who,
                "steal another stack's lock",
                "dynamodb:DeleteItem",
                self.table,
                context=other_lock,
                policy_of=self.table_policy,
            )
        if "state_bucket" not in foundation["existing"]:
            context = {"kms:EncryptionContext:aws:s3:arn": f"{self.state_arn}/another-stack/terraform.tfstate"}
            what = "overwrite another stack's state"
            self.add(who, what, "kms:GenerateDataKey", self.key, context=context, policy_of=self.key_policy)
        if self.bucket_policy not in self.theirs:
            self.add(who, HIDE, "s3:PutObject", self.known, context=self.encrypted, policy_of=self.bucket_policy)
        source = self.plan.replace("/plan/", "/source/")
        self.add(who, "exchange the source", "s3:PutObject", source, policy_of=self.artifact_policy)
        if self.artifact_policy not in self.theirs:
            mark, what = self.plan.replace("/plan/", "/used/"), "remove the mark of a plan that was used"
            self.add(who, what, "s3:DeleteObject", mark, policy_of=self.artifact_policy)
        what = "lift a group of people"
        self.add(who, what, "iam:PutGroupPolicy", names.arn(foundation, "iam", "group/people", ""))
        secret = names.arn(foundation, "ssm", f"parameter/{foundation['name']}/another-stack/AWS_SECRET_ACCESS_KEY")
        context = {"kms:EncryptionContext:PARAMETER_ARN": secret}
        what = "read another stack's access key"
        self.add(who, what, "kms:Decrypt", self.key, context=context, policy_of=self.key_policy)

    def sources(self, who: str) -> None:
        """The same build: the code of stacks where that is in AWS, of each kind that which comes first."""
        sources = {one["source"]: one for one in reversed(self.stacks)}
        if names.CODECOMMIT in sources:
            repository = names.arn(self.foundation, "codecommit", sources[names.CODECOMMIT]["repository"])
            for what, action in (
                ("push code that a stack runs", "codecommit:GitPush"),
                ("commit a file that a stack runs", "codecommit:PutFile"),
                ("merge code into what a stack runs", "codecommit:MergeBranchesByFastForward"),
                ("exchange the repository of a stack", "codecommit:DeleteRepository"),
            ):
                self.add(who, what, action, repository)
        if names.S3 in sources:
            bucket = names.bucket_arn(self.foundation, sources[names.S3]["source_bucket"])
            code = f"{bucket}/{sources[names.S3]['source_key']}"
            for what, action, resource in (
                ("exchange the zip that a stack runs", "s3:PutObject", code),
                ("bring back an older zip that a stack ran", "s3:DeleteObjectVersion", code),
                ("let others write the zip that a stack runs", "s3:PutBucketPolicy", bucket),
            ):
                self.add(who, what, action, resource)

    def plan_only(self) -> None:
        """What the plan must not do and the apply must."""
        if self.bucket_policy in self.theirs:
            return
        written = {"context": self.encrypted, "policy_of": self.bucket_policy}
        self.add(PLAN, "write the state", "s3:PutObject", self.state, **written)

    def apply_only(self) -> None:
        """What the apply role may do in no other way."""
        if self.bucket_policy in self.theirs:
            return
        key_header = "s3:x-amz-server-side-encryption-aws-kms-key-id"
        other_key = {**self.encrypted, key_header: names.arn(self.foundation, "kms", "key/another")}
        policy = {"policy_of": self.bucket_policy}
        for what, action, context in (
            ("write the state unencrypted", "s3:PutObject", {}),
            ("write the state with another key", "s3:PutObject", other_key),
            ("write the state over plain HTTP", "s3:PutObject", {**self.encrypted, "aws:SecureTransport": "false"}),
            ("delete the state", "s3:DeleteObject", {}),
            ("delete a version of the state", "s3:DeleteObjectVersion", {}),
        ):
            self.add(APPLY, what, action, self.state, context=context, **policy)

    def own_work(self) -> None:
        """What the pipelines do every day, with what the roles really have."""
        locking = self.foundation["locking"]
        lock_file = {"kms:EncryptionContext:aws:s3:arn": f"{self.state}.tflock"}
        lock = {"dynamodb:LeadingKeys": [f"{self.foundation['state_bucket']}/{self.stack['state_key']}"]}
        state = {"kms:EncryptionContext:aws:s3:arn": self.state}
        bucket, key = {"policy_of": self.bucket_policy}, {"policy_of": self.key_policy}
        work = [
            (APPLY, "write the state", "s3:PutObject", self.state, self.encrypted, bucket),
            (APPLY, "encrypt the state", "kms:GenerateDataKey", self.key, state, key),
            (PLAN, "read the state", "s3:GetObject", self.state, {}, bucket),
        ]
        if "lockfile" in locking:
            work += [
                (PLAN, "take the lock file", "s3:PutObject", f"{self.state}.tflock", self.encrypted, bucket),
                (PLAN, "encrypt the lock file", "kms:GenerateDataKey", self.key, lock_file, key),
            ]
        if "dynamodb" in locking:
            work.append((PLAN, "take the lock", "dynamodb:PutItem", self.table, lock, {"policy_of": self.table_policy}))
        for who, what, action, resource, context, more in work:
            self.add(who, OWN_WORK + what, action, resource, context=context, **more)
            self.found[-1]["policies"] = []


def attempts(
    foundation: Foundation, stack: Stack, developers: list[str] | None = None, stacks: list[Stack] | None = None
) -> list[Check]:
    """The attempts on an installation, with one of its stacks, as questions for gitops.aws.iam_access_info.

    Args:
        foundation: with kms_key_arn as it is in AWS.
        stack: as gitops.aws.estate returns it.
        developers: users and roles whose own rights are tried in the place of developer.json.
        stacks: all of the estate, whose code in CodeCommit or S3 is attacked, too; without them, this stack's is.
    """
    account = names.arn(foundation, "iam", "", "").rstrip(":")
    return Attempts(foundation, stack, names.principals(account, developers), stacks or []).all()
