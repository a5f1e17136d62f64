# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""SNS topics with their subscriptions, found by their name: account, region and name are a topic's ARN."""

from __future__ import annotations

import json
import re
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies

from ansible_collections.gitops.aws.plugins.module_utils._aws import read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings, without_empty
from ansible_collections.gitops.aws.plugins.module_utils._kinds._bulk_tags import add_tags
from ansible_collections.gitops.aws.plugins.module_utils._names import pattern_problem
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list

SUBSCRIPTION: dict[str, Any] = {
    # Those with a consequence of their own are left out: sms costs by the message, firehose needs a role.
    "protocol": {
        "type": "str",
        "required": True,
        "choices": ["email", "email-json", "http", "https", "lambda", "sqs"],
    },
    "endpoint": {"type": "str", "required": True},
    "raw_message_delivery": {"type": "bool"},
    "filter_policy": {"type": "dict"},
    "filter_policy_scope": {"type": "str", "choices": ["MessageAttributes", "MessageBody"]},
    "redrive_policy_target": {"type": "str"},
}

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "display_name": {"type": "str"},
    "kms_key_id": {"type": "str"},
    "policy": {"type": "dict"},
    "purge_subscriptions": {"type": "bool", "default": True},
    "subscriptions": {"type": "list", "elements": "dict", "options": SUBSCRIPTION},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}

ATTRIBUTES = {"display_name": "DisplayName", "kms_key_id": "KmsMasterKeyId", "policy": "Policy"}

RAW = ("http", "https", "sqs")  # protocols with raw_message_delivery
PENDING = "pending"  # in the facts, in the place of an ARN

_LOGIN = re.compile(r"https?://[^/@]*@")


def same_policy(before: Any, after: Any) -> bool:
    """Whether two policies say the same. SNS writes its name in capitals in the actions that it keeps."""
    return not compare_policies(_lower_actions(before), _lower_actions(after))


class SnsTopic(Kind):
    noun = "SNS topic"
    service = "sns"
    equal = {"policy": same_policy}

    def problems(self, item: Settings) -> list[str]:
        found = []
        name = item["name"]
        if name.endswith(".fifo"):
            found.append(f"name: {name!r} is that of a FIFO topic, which this module does not make")
        else:
            problem = pattern_problem(name, r"[A-Za-z0-9_-]+", 256, "a-z A-Z 0-9 _ and -")
            found += [f"name: {problem}"] if problem else []
        if item["display_name"] and len(item["display_name"]) > 100:
            found.append(f"display_name: it has {len(item['display_name'])} characters, at most 100 are allowed")
        if item["policy"] == {}:
            found.append("policy: a topic is never without a policy. Fix: leave it out, or give the one that is wanted")
        seen: dict[tuple[str, str], int] = {}
        for index, each in enumerate(item["subscriptions"] or []):
            path = f"subscriptions[{index}]"
            found += [f"{path}.{problem}" for problem in _subscription_problems(each)]
            if _key(each) in seen:
                found.append(f"{path}: it is also subscriptions[{seen[_key(each)]}]")
            seen.setdefault(_key(each), index)
        return found

    def secrets(self, item: Settings) -> list[str]:
        # Such an endpoint is refused, and must not be shown on that way either.
        return [each["endpoint"] for each in item["subscriptions"] or [] if _LOGIN.match(each.get("endpoint") or "")]

    def normalise(self, settings: Settings) -> Settings:
        # How to deal with others' subscriptions is no setting of the topic.
        settings = {name: value for name, value in settings.items() if name != "purge_subscriptions"}
        if "subscriptions" not in settings:
            return settings
        return {**settings, "subscriptions": sorted(map(_normalised, settings["subscriptions"]), key=_key)}

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        # The account is all that lacks to the ARNs. This is one call, whatever the number of topics, and AWS allows it
        # to everybody; ListTopics would be one for every hundred topics of the region, and a permission on all of them.
        caller = self.aws.identity()
        partition = caller["Arn"].split(":")[1]
        self._arn = f"arn:{partition}:sns:{self.client.meta.region_name}:{caller['Account']}:{{}}".format
        found = self.read_each(self._read, items)
        add_tags(self, found, items, self._tags)
        return found

    def _read(self, item: Settings) -> Resource | None:
        arn = self._arn(item["name"])
        answer = read_or_none(self.client.get_topic_attributes, ("NotFound",), TopicArn=arn)
        if answer is None:
            return None
        attributes = answer["Attributes"]
        settings: Settings = {
            "name": item["name"],
            "display_name": attributes.get("DisplayName", ""),
            "kms_key_id": attributes.get("KmsMasterKeyId", ""),
        }
        facts: dict[str, Any] = {"arn": arn}
        if item["policy"] is not None:
            settings["policy"] = json.loads(attributes["Policy"])
        if item["subscriptions"] is not None:
            wanted = {_key(each): each for each in item["subscriptions"]}
            settings["subscriptions"] = []
            facts.update(subscriptions=[], unwanted_pending=[])
            # AWS lists for some days what was unsubscribed.
            listed = self.aws.pages("sns", "list_subscriptions_by_topic", "Subscriptions", TopicArn=arn)
            listed.sort(key=lambda each: (each["Protocol"], each["Endpoint"]))
            for each in [each for each in listed if each["SubscriptionArn"] != "Deleted"]:
                known = {"protocol": each["Protocol"], "endpoint": each["Endpoint"]}
                if _key(known) not in wanted and not item["purge_subscriptions"]:
                    continue
                if each["SubscriptionArn"].startswith("arn:"):
                    settings["subscriptions"].append({**known, **self._attributes(each["SubscriptionArn"])})
                elif _key(known) in wanted:
                    # AWS tells nothing of it before it is confirmed, and nothing can be done about it.
                    settings["subscriptions"].append(wanted[_key(known)])
                else:
                    facts["unwanted_pending"].append(known)
                    continue
                facts["subscriptions"].append({**known, "arn": _arn_or_pending(each["SubscriptionArn"])})
        return Resource(settings, facts)

    def _tags(self, topic: Resource) -> dict[str, str]:
        return to_dict(self.client.list_tags_for_resource(ResourceArn=topic.facts["arn"])["Tags"])

    def _attributes(self, arn: str) -> Settings:
        """The settings of a subscription."""
        attributes = self.client.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
        return {
            "raw_message_delivery": attributes.get("RawMessageDelivery") == "true",
            "filter_policy": json.loads(attributes.get("FilterPolicy") or "{}"),
            "filter_policy_scope": attributes.get("FilterPolicyScope"),
            "redrive_policy_target": json.loads(attributes.get("RedrivePolicy") or "{}").get("deadLetterTargetArn"),
        }

    def predict(self, after: Settings) -> dict[str, Any]:
        return {"arn": self._arn(after["name"])}

    def create(self, after: Settings) -> dict[str, Any]:
        arguments: dict[str, Any] = {"Name": after["name"]}
        attributes = {member: _text(after[option]) for option, member in ATTRIBUTES.items() if after.get(option)}
        if attributes:
            arguments["Attributes"] = attributes
        if after.get("tags"):
            arguments["Tags"] = to_list(after["tags"])
        facts: dict[str, Any] = {"arn": self.client.create_topic(**arguments)["TopicArn"]}
        if "subscriptions" in after:
            subscriptions = [self._subscribe(facts["arn"], each) for each in after["subscriptions"]]
            facts.update(subscriptions=subscriptions, unwanted_pending=[])
        return facts

    def update(self, before: Resource, after: Settings, changed: set[str]) -> dict[str, Any]:
        arn = before.facts["arn"]
        for option in [option for option in ATTRIBUTES if option in changed]:
            self.client.set_topic_attributes(
                TopicArn=arn, AttributeName=ATTRIBUTES[option], AttributeValue=_text(after[option])
            )
        if "tags" in changed:
            put, remove = tag_changes(before.settings["tags"], after["tags"])
            if remove:
                self.client.untag_resource(ResourceArn=arn, TagKeys=remove)
            if put:
                self.client.tag_resource(ResourceArn=arn, Tags=to_list(put))
        return {"subscriptions": self._write_subscriptions(before, after)} if "subscriptions" in changed else {}

    def _write_subscriptions(self, before: Resource, after: Settings) -> list[dict[str, str]]:
        """Makes the subscriptions what `after` says, the new ones first; returns them for the facts."""
        arns = {_key(each): each["arn"] for each in before.facts["subscriptions"]}
        old = {_key(each): each for each in before.settings["subscriptions"]}
        facts = []
        for each in after["subscriptions"]:
            if _key(each) not in old:
                facts.append(self._subscribe(before.facts["arn"], each))
                continue
            self._write_attributes(arns[_key(each)], old[_key(each)], each)
            facts.append({**_protocol_and_endpoint(each), "arn": arns[_key(each)]})
        for key in sorted(set(old) - {_key(each) for each in after["subscriptions"]}):
            self.client.unsubscribe(SubscriptionArn=arns[key])
        return facts

    def _subscribe(self, topic: str, wanted: Settings) -> dict[str, str]:
        attributes = {name: value for name, value in _written(wanted).items() if value not in ("false", "{}")}
        arguments = {"Attributes": attributes} if attributes else {}
        answer = self.client.subscribe(
            TopicArn=topic, Protocol=wanted["protocol"], Endpoint=wanted["endpoint"], **arguments
        )
        return {**_protocol_and_endpoint(wanted), "arn": _arn_or_pending(answer["SubscriptionArn"])}

    def _write_attributes(self, arn: str, before: Settings, after: Settings) -> None:
        old, new = _written(before), _written(after)
        for name, value in new.items():
            # A filter is written with its scope: AWS may still have that of a filter which was removed.
            if value != old.get(name) or (name == "FilterPolicyScope" and new["FilterPolicy"] != old["FilterPolicy"]):
                self.client.set_subscription_attributes(SubscriptionArn=arn, AttributeName=name, AttributeValue=value)

    def delete(self, before: Resource, item: Settings) -> None:
        # Its subscriptions go with it, those that nobody has confirmed, too.
        self.client.delete_topic(TopicArn=before.facts["arn"])


def _lower_actions(policy: Any) -> Any:
    """The policy with its actions in small letters: for IAM they are the same in any."""
    if isinstance(policy, list):
        return [_lower_actions(each) for each in policy]
    if not isinstance(policy, dict):
        return policy
    result = {}
    for name, value in policy.items():
        if name in ("Action", "NotAction"):
            value = [each.lower() for each in value] if isinstance(value, list) else str(value).lower()
        result[name] = _lower_actions(value) if name == "Statement" else value
    return result


def _subscription_problems(subscription: Settings) -> list[str]:
    found = []
    protocol, endpoint = subscription["protocol"], subscription["endpoint"]
    if not endpoint:
        found.append("endpoint: it is empty")
    if _LOGIN.match(endpoint):
        # AWS answers it with **** in the place of the password, so that no run would find it again.
        found.append("endpoint: a user or password in it is not supported. Fix: an address with a token in its path")
    elif protocol in ("http", "https") and not endpoint.startswith(f"{protocol}://"):
        found.append(f"endpoint: {endpoint!r} does not begin with {protocol}://")
    if protocol in ("lambda", "sqs") and not endpoint.startswith("arn:"):
        found.append(f"endpoint: {endpoint!r} is no ARN, which {protocol} needs")
    if subscription.get("raw_message_delivery") and protocol not in RAW:
        found.append(f"raw_message_delivery: it is only for {', '.join(RAW)}")
    if subscription.get("filter_policy_scope") and not subscription.get("filter_policy"):
        found.append("filter_policy_scope: it is given without a filter_policy")
    return found


def _key(subscription: Settings) -> tuple[str, str]:
    """What identifies a subscription of a topic."""
    return subscription["protocol"], subscription["endpoint"]


def _protocol_and_endpoint(subscription: Settings) -> dict[str, str]:
    return {"protocol": subscription["protocol"], "endpoint": subscription["endpoint"]}


def _normalised(subscription: Settings) -> Settings:
    """A subscription with AWS's defaults; without what means nothing."""
    result = {"raw_message_delivery": False, **without_empty({**subscription, "filter_policy": None})}
    if subscription.get("filter_policy"):
        result["filter_policy"] = subscription["filter_policy"]
        result.setdefault("filter_policy_scope", "MessageAttributes")
    else:
        result.pop("filter_policy_scope", None)
    return result


def _written(subscription: Settings) -> dict[str, str]:
    """The attributes of a normalised subscription as the API takes them, in the order in which they can be written."""
    target = subscription.get("redrive_policy_target")
    policy = {"FilterPolicy": _text(subscription.get("filter_policy") or {})}
    scope = {"FilterPolicyScope": subscription["filter_policy_scope"]} if subscription.get("filter_policy") else {}
    return {
        "RawMessageDelivery": _text(subscription["raw_message_delivery"]),
        # A nested policy is only allowed for bodies: the scope comes before it, and goes after it.
        **({**scope, **policy} if scope.get("FilterPolicyScope") == "MessageBody" else {**policy, **scope}),
        "RedrivePolicy": _text({"deadLetterTargetArn": target} if target else {}),
    }


def _text(value: Any) -> str:
    """A value of an attribute: texts as they are, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def _arn_or_pending(arn: str) -> str:
    """AWS says `PendingConfirmation` in one place and `pending confirmation` in another."""
    return arn if arn.startswith("arn:") else PENDING
