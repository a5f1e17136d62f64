# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What a kind of AWS resource is to us, and a resource that was found. A kind is data: types/ has one entry for each.

Expressions are JMESPath on what AWS answers about one resource. In the texts of a call's parameters {id}, {arn},
{name}, {region}, {account} and {partition} stand for the resource's; {kept.<name>} for what quarantine wrote down
before it acted, and {each} for one element of Call.each. A text that is nothing but such a word becomes the value
itself, be it a number or a list. {leaf} is what follows the last / of the id, {stem} what is before it, or `default`.
{stamp} is the plan's that is carried out, in digits: what one plan makes is never taken for what another has made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._findings import expressions

# How a resource is judged. The first that applies, in this order.
INCOMPLETE = "incomplete"  # it was not possible to know enough
MANAGED = "managed"  # a state has it
AWS_DEFAULT = "aws_default"  # AWS makes it in every account
SERVICE_MANAGED = "service_managed"  # an AWS service made it for its own use, and removes it
REFERENCED = "referenced"  # a state mentions it: a child, a data source, an attribute
OTHER_IAC = "other_iac"  # CloudFormation, an EKS cluster and the like made it
PROTECTED = "protected"  # the foundation, who runs the scan, or what somebody protects
IGNORED = "ignored"  # an entry of the reviewed file, or the baseline
OUT_OF_SCOPE = "out_of_scope"  # not what the estate claims to own
TOO_YOUNG = "too_young"  # perhaps a build is making it
FOREIGN_TERRAFORM = "foreign_terraform"  # a Terraform made it that is not the pipeline's
LEAKED = "leaked_by_pipeline"  # the pipeline made it, and no state has it
UNMANAGED = "unmanaged"  # none of these: a candidate
VERDICTS = (
    INCOMPLETE,
    MANAGED,
    AWS_DEFAULT,
    SERVICE_MANAGED,
    REFERENCED,
    OTHER_IAC,
    PROTECTED,
    IGNORED,
    OUT_OF_SCOPE,
    TOO_YOUNG,
    FOREIGN_TERRAFORM,
    LEAKED,
    UNMANAGED,
)
FINDINGS = (FOREIGN_TERRAFORM, LEAKED, UNMANAGED)  # what the code does not explain

# The tag of a copy that was made before a removal; its value is the id of what it is a copy of.
COPY_TAG = "gitops:copy-of"

# How far a listing of one type in one region came.
COMPLETE, DENIED, THROTTLED, UNSUPPORTED, FAILED = "complete", "denied", "throttled", "unsupported", "failed"


@dataclass(frozen=True)
class Call:
    """One operation.

    Attributes:
        operation: of the type's service, as boto3 names it; `sts.get_caller_identity` is that of another service.
        parameters: its parameters, with words such as {id} in the texts.
        result: what of the answer counts, as JMESPath; of every page, where there are pages. {stamp} may be in it.
        missing: AWS's error codes that mean: there is none. Then the result is None.
        each: the call is made for each element of this JMESPath, on {element, kept}; once where it is ''.
    """

    operation: str
    parameters: dict[str, Any] = field(default_factory=dict)
    result: str = "@"
    missing: tuple[str, ...] = ()
    each: str = ""


@dataclass(frozen=True)
class Quarantine:
    """How a resource is made harmless, and how that is undone.

    Attributes:
        words: what happened to it, in the past tense: "stopped".
        keep: what is written into the ledger before anything is done, name to JMESPath on the element.
        do: the calls.
        undo: the calls that bring back what was, from {kept.<name>}.
        done: JMESPath on the element that is true where it is harmless already; then nothing is done.
    """

    words: str
    do: tuple[Call, ...]
    undo: tuple[Call, ...]
    keep: dict[str, str] = field(default_factory=dict)
    done: str = ""


@dataclass(frozen=True)
class Type:
    """A kind of resource.

    Attributes:
        name: Terraform's, such as aws_instance.
        service: boto3's, such as ec2.
        list: the call that lists all of one region, or of the account.
        read: the call that reads one by its id; its result is as an element of the list, or None.
        id: JMESPath of what Terraform keeps as the id.
        arn: JMESPath of the ARN, or a text with words: "arn:{partition}:ec2:{region}:{account}:instance/{id}".
        title: JMESPath of what people call it, where that is not its Name tag or its id.
        region: JMESPath of its region, where the list is of the account: then the type is asked for once.
        account_wide: one list for the account, asked for in the first region only (us-east-1 for IAM by botocore).
        created: JMESPath of when it was made; '' where AWS does not say.
        tags: JMESPath of its tags, a list of {Key, Value} or {key, value} or a dictionary; '' where they take a call.
        more: further reads, by the name that their result gets in the element; made only for what no state explains,
            and where refs need them for what a state only mentions. A result named `tags` is the tags.
        gone: JMESPath, true of what is listed and no longer exists, such as a terminated instance.
        aws_default, service_managed, guarded: reasons, each with its JMESPath. Guarded is what somebody protects in
            AWS itself: deletion or termination protection. Made for all elements; those that need `more` are evaluated
            again with it.
        default_with: JMESPath of the id of what it belongs to: where that is an AWS default, this is one, too.
        part_of: type to JMESPath of an id: it is a part of that resource and goes with it, such as a root volume. It is
            judged as that resource is, never removed by itself, and blocks nothing that its whole does not block.
            Anything but a text means that it is no part.
        refs: JMESPaths of the ids and ARNs of what it stands on, and what therefore goes after it. A text with commas
            names several. A resource may name itself.
        used_by: JMESPaths of the ids and ARNs of what stands on it, and what therefore goes before it: it is removed
            only where none is left.
        named_by: attributes of states that mean it by a name: it is referenced where one of them has its id, its title
            or one of its other names. `a.name` is the name in a block a.
        other_names: JMESPath of further names and ARNs, such as a key's aliases. What refers to one refers to it.
        rank: the order of removal where refs say nothing: 10 compute, 20 load balancers, gateways, endpoints, 30
            interfaces, addresses, volumes, 40 security groups, 50 subnets, 60 route tables and ACLs, 70 internet
            gateways, 80 VPCs, 90 identities, 95 keys.
        quarantine: None: it is only marked in the ledger.
        copies: the calls that make a copy before it is removed. What they make has the tag COPY_TAG.
        copied: the call that is repeated until its result is true: the copy is complete.
        remove: the calls that remove it; () where we only report.
        recover: how somebody gets it back, in a sentence.
        import_id: JMESPath of what `terraform import` takes, where that is not the id.
    """

    name: str
    service: str
    list: Call
    read: Call
    id: str
    arn: str
    title: str = ""
    region: str = ""
    account_wide: bool = False
    created: str = ""
    tags: str = ""
    more: dict[str, Call] = field(default_factory=dict)
    gone: str = ""
    aws_default: dict[str, str] = field(default_factory=dict)
    service_managed: dict[str, str] = field(default_factory=dict)
    guarded: dict[str, str] = field(default_factory=dict)
    default_with: str = ""
    part_of: dict[str, str] = field(default_factory=dict)
    refs: tuple[str, ...] = ()
    used_by: tuple[str, ...] = ()
    named_by: tuple[str, ...] = ()
    other_names: str = ""
    rank: int = 0
    quarantine: Quarantine | None = None
    copies: tuple[Call, ...] = ()
    copied: Call | None = None
    remove: tuple[Call, ...] = ()
    recover: str = ""
    import_id: str = ""


@dataclass
class Resource:
    """A resource that AWS has.

    Attributes:
        element: what AWS says about it, as botocore gives it. It may hold secrets: it is never shown.
        completed: whether the reads of Type.more were made.

    What follows from the element is worked out when it is asked for: of most resources nobody asks more than the id.
    """

    type: Type
    id: str
    arn: str
    region: str
    element: dict[str, Any]
    completed: bool = False

    @cached_property
    def created(self) -> datetime | None:
        """When it was made, None where AWS does not say."""
        return expressions.moment(expressions.value(self.type.created, self.element))

    @cached_property
    def tags(self) -> dict[str, str]:
        """Its tags; none, where reading them is one of the further reads and was not made."""
        of_call = "tags" in self.type.more
        return expressions.tags(
            self.element.get("tags") if of_call else expressions.value(self.type.tags, self.element)
        )

    @cached_property
    def title(self) -> str:
        """What people call it; of an ARN or a URL the end."""
        leaf = re.split("[/:]", self.id)[-1] if self.id.startswith(("arn:", "https:", "http:")) else self.id
        return expressions.value(self.type.title, self.element) or self.tags.get("Name") or leaf

    @cached_property
    def refs(self) -> tuple[str, ...]:
        """Ids and ARNs of what it stands on."""
        return self._named(self.type.refs)

    @cached_property
    def used_by(self) -> tuple[str, ...]:
        """Ids and ARNs of what stands on it."""
        return self._named(self.type.used_by)

    @cached_property
    def part_of(self) -> tuple[str, str] | None:
        """Type and id of what it is a part of."""
        found = ((name, expressions.value(path, self.element)) for name, path in self.type.part_of.items())
        return next(((name, one) for name, one in found if isinstance(one, str) and one), None)

    @property
    def names(self) -> tuple[str, ...]:
        """By what states may mean it where an attribute is for names. A tag is no name."""
        kind = self.type
        further = (*expressions.texts(kind.title, self.element), *expressions.texts(kind.other_names, self.element))
        return tuple(dict.fromkeys((self.id, *further)))

    @property
    def needs_more(self) -> bool:
        """Whether some of what it stands on shows only in the further reads, which were not made."""
        roots = {re.split(r"[.\[]", path, maxsplit=1)[0] for path in self.type.refs}
        return not self.completed and any(name in roots and name not in self.element for name in self.type.more)

    def learn(self, more: dict[str, Any]) -> None:
        """Takes the results of the further reads."""
        self.element.update(more)
        self.completed = True
        for name in ("created", "tags", "title", "refs", "used_by", "part_of"):
            vars(self).pop(name, None)

    def _named(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        """The ids and ARNs that the element has there, each once; a text with commas has several."""
        found = (one for path in paths for text in expressions.texts(path, self.element) for one in text.split(","))
        return tuple(dict.fromkeys(one for one in found if one not in (self.id, self.arn)))


@dataclass(frozen=True)
class Verdict:
    """What a resource is to us, why, and what shows it: an attribute, a tag, an address in a state."""

    verdict: str
    reason: str
    evidence: str = ""


@dataclass(frozen=True)
class Listing:
    """How the listing of a type in a region ended: COMPLETE, or why not and what AWS said."""

    type: str
    region: str
    status: str
    seen: int = 0
    message: str = ""
