# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Who must get past the seal: asked of IAM before it is attached, and what the answers mean."""

from __future__ import annotations

from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import Foundation, Stack

Check = dict[str, Any]

EXIST = "exist"
AS_IT_IS = "change the state bucket's policy as it is now"


def seal_checks(foundation: Foundation, stacks: list[Stack], policies: dict[str, Any], made: bool) -> list[Check]:
    """The questions, for gitops.aws.iam_access_info.

    Args:
        foundation: kms_key_arn may be empty, where the key is yet to be made.
        stacks: those with roles of their own matter.
        policies: state_bucket, lock_table and key: the policies that are to be attached.
        made: True for the break-glass role that this run makes, False for everybody else.

    Returns:
        questions whose actions must all be allowed, but for those about people who must only exist.
    """
    questions = _Questions(foundation, policies)
    break_glass = foundation["break_glass_role_arn"]
    if made:
        questions.keeps(break_glass)
        return questions.found
    questions.keeps("caller")
    if not foundation["make_break_glass_role"]:
        questions.keeps(break_glass)
    if questions.bucket_is_ours:
        # A seal that is there already may spare others.
        bucket = {"kind": "bucket", "name": foundation["state_bucket"]}
        questions.ask(AS_IT_IS, "caller", "s3:PutBucketPolicy", questions.bucket, policy_of=bucket)
    named = [one for one in names.everybody(foundation) if one != break_glass]
    for one in [*named, *names.named_roles(stacks)]:
        # IAM knows no principals of other accounts, and a name with a wildcard stands for many.
        if "*" not in one and one.split(":")[4] == foundation["account_id"]:
            questions.ask(EXIST, one, "s3:GetBucketPolicy", questions.bucket, only_exists=True, always=True)
    for stack in stacks:
        questions.writes(stack)
    return questions.found


def seal_attachments(foundation: Foundation, policies: dict[str, Any]) -> list[dict[str, Any]]:
    """What the questions are about, for unless_attached of gitops.aws.iam_access_info.

    Where all of this is attached already, the run changes none of it, and who can change it now can do so afterwards:
    nothing needs to be asked about that. The other policies of the seal are those of the stacks' own roles, which
    change none of these. Two things are asked all the same, for they can be wrong without a change of policies: whether
    everybody who is named exists, since a name that nobody has is one that somebody may take, and whether the roles
    that stacks name can write, since another stack may have come to name them.

    Args:
        foundation: kms_key_arn must be that of the key that is there; empty, where it is yet to be made.
        policies: as for seal_checks, as they will be attached.
    """
    table = names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")
    found = []
    if "state_bucket" not in foundation["existing"]:
        found.append({"kind": "bucket", "name": foundation["state_bucket"], "policy": policies["state_bucket"]})
    if "dynamodb" in foundation["locking"] and "lock_table" not in foundation["existing"]:
        found.append({"kind": "table", "name": table, "policy": policies["lock_table"]})
    if not foundation["named_key_arn"]:
        found.append({"kind": "key", "name": foundation["kms_key_arn"], "policy": policies["key"]})
    return found


class _Questions:
    def __init__(self, foundation: Foundation, policies: dict[str, Any]) -> None:
        self.foundation, self.policies = foundation, policies
        self.bucket = names.bucket_arn(foundation, foundation["state_bucket"])
        self.bucket_is_ours = "state_bucket" not in foundation["existing"]
        self.found: list[Check] = []

    def ask(self, what: str, principal: str, action: str, resource: str, **more: Any) -> None:
        """One question; its name is found again in the answer."""
        tags = names.of_estate(self.foundation)
        check = {"name": f"{principal}: {what}", "principal": principal, "actions": [action], "resource": resource}
        self.found.append({**check, "context": tags, **more})

    def keeps(self, keeper: str) -> None:
        """Whether somebody can still change the three policies."""
        foundation, policies = self.foundation, self.policies
        table = names.arn(foundation, "dynamodb", f"table/{foundation['lock_table']}")
        key = foundation["kms_key_arn"] or names.arn(foundation, "kms", "key/made-by-this-run")
        if self.bucket_is_ours:
            policy = {"resource_policy": policies["state_bucket"]}
            self.ask("change the state bucket's policy", keeper, "s3:PutBucketPolicy", self.bucket, **policy)
        if "dynamodb" in foundation["locking"] and "lock_table" not in foundation["existing"]:
            policy = {"resource_policy": policies["lock_table"]}
            self.ask("change the lock table's policy", keeper, "dynamodb:PutResourcePolicy", table, **policy)
        if not foundation["named_key_arn"]:
            policy = {"resource_policy": policies["key"], "policy_of": {"kind": "key", "name": key}}
            self.ask("change the key's policy", keeper, "kms:PutKeyPolicy", key, **policy)

    def writes(self, stack: Stack) -> None:
        """Whether the roles that a stack names can do what they are for."""
        encrypted = {
            "s3:x-amz-server-side-encryption": "aws:kms",
            "s3:x-amz-server-side-encryption-aws-kms-key-id": self.foundation["kms_key_arn"],
        }
        for purpose, suffix in (("apply", ""), ("plan", ".tflock")):
            role = stack[f"{purpose}_role_arn"]
            if role and self.bucket_is_ours:
                state = f"{stack['state_key']}{suffix}"
                policy = {"resource_policy": self.policies["state_bucket"], "context": encrypted, "always": True}
                self.ask(f"write {state}", role, "s3:PutObject", f"{self.bucket}/{state}", **policy)


def refused_checks(answers: list[dict[str, Any]]) -> list[str]:
    """What keeps the seal from being attached: who would be locked out, and who does not exist."""
    found = []
    for one in answers:
        who, what = one["principal"], one["name"].partition(": ")[2]
        denied = "explicitDeny" in one["decisions"].values()
        if what == AS_IT_IS:
            if denied and not one["missing"]:
                found.append(
                    f"{who} is none of those whom the policy of the state bucket spares now: one of them must add "
                    f"{who} to the installers, and run site.yml"
                )
        elif one["missing"]:
            found.append(f"{who} does not exist")
        elif what != EXIST and not one["allowed"]:
            reason = f"{', '.join(one['decided_by'])} denies it" if denied else "no policy of his allows it"
            found.append(f"{who} could not {what}: {reason}")
    return list(dict.fromkeys(found))
