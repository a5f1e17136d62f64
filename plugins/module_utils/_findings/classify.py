# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What a resource is to us: the first rule that applies decides. Pure: resource and context in, verdict out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._estate.names import OWNER_TAG, PROTECT_TAG
from ansible_collections.gitops.aws.plugins.module_utils._findings import expressions
from ansible_collections.gitops.aws.plugins.module_utils._findings.entries import PROTECT, Entries, glob, words
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import (
    AWS_DEFAULT,
    COPY_TAG,
    IGNORED,
    MANAGED,
    OTHER_IAC,
    OUT_OF_SCOPE,
    PROTECTED,
    REFERENCED,
    SERVICE_MANAGED,
    TOO_YOUNG,
    UNMANAGED,
    Resource,
    Verdict,
)
from ansible_collections.gitops.aws.plugins.module_utils._findings.states import States, canonical

# Tags that only AWS, or the tool itself, puts on what it makes. A guess by name is not evidence.
TAGS_OF_SERVICES = {
    "aws:autoscaling:groupName": "an Auto Scaling group made it",
    "aws:ec2:fleet-id": "an EC2 fleet made it",
    "aws:ec2spot:fleet-request-id": "a spot fleet made it",
    "aws:backup:source-resource": "AWS Backup made it",
    "aws:dlm:lifecycle-policy-id": "Data Lifecycle Manager made it",
    "aws:elasticmapreduce:job-flow-id": "an EMR cluster made it",
    "aws:ecs:clusterName": "ECS made it",
}
TAGS_OF_IAC = {
    "aws:cloudformation:stack-name": "a CloudFormation stack made it",
    "aws:servicecatalog:provisioningPrincipalArn": "Service Catalog made it",
    "elasticbeanstalk:environment-name": "Elastic Beanstalk made it",
    "aws:eks:cluster-name": "an EKS cluster made it",
    "eks:cluster-name": "an EKS cluster made it",
}
CLUSTER_TAG = "kubernetes.io/cluster/"  # with the cluster's name, on what a controller in the cluster makes
UNEXPLAINED = "no state has it, and nothing explains it"


@dataclass(frozen=True)
class Context:
    """What resources are judged by.

    Attributes:
        scope: what the estate claims to own: {account, tags, vpc_ids, name_prefix}; None claims nothing, and leaves
            nothing out.
        protected: globs of ARNs.
        defaults: ids of what AWS makes in every account.
        present: (type, id) of all that was listed.
        first_seen: by ARN, from the ledger.
    """

    states: States
    now: datetime
    entries: Entries
    scope: dict[str, Any] | None = None
    protected: tuple[str, ...] = ()
    min_age: timedelta = timedelta(0)
    first_seen: dict[str, datetime] = field(default_factory=dict)
    defaults: frozenset[str] = frozenset()
    present: frozenset[tuple[str, str]] = frozenset()


def by_itself(resource: Resource, context: Context) -> Verdict | None:
    """The verdict that needs no more than the list gave: managed, a default, a service's, or mentioned in a state."""
    states, kind = context.states, resource.type
    instance = states.manager(kind.name, resource.id, resource.region, resource.arn)
    if instance:
        return Verdict(MANAGED, "a state manages it", instance.where.words())
    return of_aws(resource, context) or mentioned(resource, states) or _part(resource, context)


def _part(resource: Resource, context: Context) -> Verdict | None:
    """A part goes with its whole, unless somebody has decided about the part: that counts for the whole, too."""
    whole = resource.part_of
    if whole and whole in context.present:
        part = Verdict(REFERENCED, f"it is a part of {whole[1]}, and goes with it", resource.type.part_of[whole[0]])
        return _protected(resource, context) or _decided(resource, context) or part
    return None


def of_aws(resource: Resource, context: Context) -> Verdict | None:
    """Whether AWS made it, in every account or for a service of its own."""
    kind = resource.type
    reason, expression = expressions.first_reason(kind.aws_default, resource.element)
    if reason:
        return Verdict(AWS_DEFAULT, reason, expression)
    parent = expressions.value(kind.default_with, resource.element)
    if parent in context.defaults:
        return Verdict(AWS_DEFAULT, f"it belongs to {parent}, which AWS makes in every account", kind.default_with)
    reason, expression = expressions.first_reason(kind.service_managed, resource.element)
    if reason:
        return Verdict(SERVICE_MANAGED, reason, expression)
    for tag, reason in TAGS_OF_SERVICES.items():
        if tag in resource.tags:
            return Verdict(SERVICE_MANAGED, reason, f"tag {tag}: {resource.tags[tag]}")
    return None


def mentioned(resource: Resource, states: States) -> Verdict | None:
    """Whether its id or ARN stands in a state, or a managed resource makes it beside itself."""
    for token in (
        resource.id,
        canonical(resource.arn),
        *expressions.texts(resource.type.other_names, resource.element),
    ):
        # A short name says nothing: only ids that are unique in AWS, ARNs, paths and URLs are in the tokens.
        where = states.mention(token)
        if where:
            return Verdict(REFERENCED, "a state mentions it", where.words())
    for attribute in resource.type.named_by:
        for name in resource.names:
            where = states.names.get((attribute, name))
            if where:
                return Verdict(REFERENCED, "a state names it", where.words())
    beside = states.made_beside(resource.type.name, resource.id)
    if beside:
        return Verdict(REFERENCED, "something that a state manages makes it", beside.words())
    return None


def verdict(resource: Resource, context: Context) -> Verdict:
    """The verdict of a resource whose further reads have been made. Who made it is judged later."""
    return (
        by_itself(resource, context)
        or _other_iac(resource)
        or _protected(resource, context)
        or _decided(resource, context)
        or _out_of_scope(resource, context)
        or too_young(resource.created or context.first_seen.get(resource.arn), context)
        or Verdict(UNMANAGED, UNEXPLAINED)
    )


def _other_iac(resource: Resource) -> Verdict | None:
    for tag, reason in TAGS_OF_IAC.items():
        if tag in resource.tags:
            return Verdict(OTHER_IAC, reason, f"tag {tag}: {resource.tags[tag]}")
    for tag in resource.tags:
        if tag.startswith(CLUSTER_TAG):
            return Verdict(OTHER_IAC, "a Kubernetes cluster made it or uses it", f"tag {tag}: {resource.tags[tag]}")
    return None


def _protected(resource: Resource, context: Context) -> Verdict | None:
    if OWNER_TAG in resource.tags:
        return Verdict(PROTECTED, f"it is of the foundation of estate {resource.tags[OWNER_TAG]}", f"tag {OWNER_TAG}")
    if COPY_TAG in resource.tags:
        return Verdict(PROTECTED, f"it is a copy of {resource.tags[COPY_TAG]}, made before that was removed", COPY_TAG)
    for pattern in context.protected:
        if glob(pattern).fullmatch(resource.arn):
            return Verdict(PROTECTED, "the pipelines, or who runs them, need it", f"ARN {pattern}")
    until = resource.tags.get(PROTECT_TAG)
    if until is not None and not _over(until, context.now):
        return Verdict(PROTECTED, "somebody protects it", f"tag {PROTECT_TAG}: {until}")
    return None


def _over(until: str, now: datetime) -> bool:
    """Whether a day, YYYY-MM-DD, is over. Any other text protects for good."""
    try:
        return re.fullmatch(r"\d{4}-\d\d-\d\d", until) is not None and date.fromisoformat(until) < now.date()
    except ValueError:
        return False


def _decided(resource: Resource, context: Context) -> Verdict | None:
    entry = context.entries.match(
        arn=resource.arn,
        type=resource.type.name,
        name=resource.title,
        tags=resource.tags,
        region=resource.region,
    )
    if entry is None:
        return None
    return Verdict(PROTECTED if entry["kind"] == PROTECT else IGNORED, words(entry), f"entries[{entry['index']}]")


def _out_of_scope(resource: Resource, context: Context) -> Verdict | None:
    """Out of scope is also what a criterion cannot be seen of: an unknown filter lets nothing through."""
    scope = context.scope
    if scope is None or scope.get("account"):
        return None
    for key, text in (scope.get("tags") or {}).items():
        if resource.tags.get(key) != text:
            return Verdict(OUT_OF_SCOPE, f"it has no tag {key}: {text}", "scope.tags")
    vpcs = scope.get("vpc_ids")
    if vpcs and not {resource.id, *resource.refs}.intersection(vpcs):
        return Verdict(OUT_OF_SCOPE, f"it is not in {', '.join(vpcs)}", "scope.vpc_ids")
    prefix = scope.get("name_prefix")
    if prefix and not resource.title.startswith(prefix):
        return Verdict(OUT_OF_SCOPE, f"its name does not begin with {prefix}", "scope.name_prefix")
    return None


def too_young(made: datetime | None, context: Context) -> Verdict | None:
    """Whether a build that still runs could be making it. What AWS gives no time for is as old as we have known it."""
    if not context.min_age:
        return None
    if made is None:
        return Verdict(TOO_YOUNG, "AWS does not say when it was made, and this scan is the first that sees it")
    age = context.now - made
    if age >= context.min_age:
        return None
    hours = age.total_seconds() / 3600
    return Verdict(TOO_YOUNG, f"it is {hours:.1f} hours old; {context.min_age.total_seconds() / 3600:.0f} are needed")
