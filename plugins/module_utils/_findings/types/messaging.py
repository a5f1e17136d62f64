# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Queues, topics and event rules."""

from __future__ import annotations

from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Call, Quarantine, Type

_QUEUE = Type(
    name="aws_sqs_queue",
    service="sqs",
    # Without a limit SQS gives no more than 1,000, and does not say that there are others.
    list=Call("list_queues", {"MaxResults": 1000}, "QueueUrls[].{QueueUrl: @}"),
    read=Call(
        "get_queue_url",
        {"QueueName": "{leaf}"},
        "{QueueUrl: QueueUrl}",
        missing=("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"),
    ),
    id="QueueUrl",
    arn="arn:{partition}:sqs:{region}:{account}:{leaf}",
    created="attributes.CreatedTimestamp",
    more={
        "attributes": Call("get_queue_attributes", {"QueueUrl": "{id}", "AttributeNames": ["All"]}, "Attributes"),
        "tags": Call("list_queue_tags", {"QueueUrl": "{id}"}, "Tags"),
    },
    refs=("attributes.KmsMasterKeyId",),
    rank=30,
    remove=(Call("delete_queue", {"QueueUrl": "{id}"}),),
    recover="It does not come back: its messages and settings are lost. A queue of the same name can be made after a "
    "minute.",
)

_TOPIC = Type(
    name="aws_sns_topic",
    service="sns",
    list=Call("list_topics", {}, "Topics[]"),
    read=Call("get_topic_attributes", {"TopicArn": "{id}"}, "{TopicArn: Attributes.TopicArn}", missing=("NotFound",)),
    id="TopicArn",
    arn="TopicArn",
    more={
        "attributes": Call("get_topic_attributes", {"TopicArn": "{id}"}, "Attributes"),
        "tags": Call("list_tags_for_resource", {"ResourceArn": "{id}"}, "Tags"),
    },
    refs=("attributes.KmsMasterKeyId",),
    rank=30,
    remove=(Call("delete_topic", {"TopicArn": "{id}"}),),
    recover="It does not come back: its settings and subscriptions are lost, and subscribers must confirm new ones.",
)

_NAMED = {"Name": "{leaf}", "EventBusName": "{stem}"}
_OF = {"Rule": "{leaf}", "EventBusName": "{stem}"}

_RULE = Type(
    name="aws_cloudwatch_event_rule",
    service="events",
    list=Call("list_rules", {}, "Rules[]"),  # of the default event bus; those of others are only read
    read=Call("describe_rule", _NAMED, "@", missing=("ResourceNotFoundException",)),
    id="(EventBusName && EventBusName != 'default' && join('/', [EventBusName, Name])) || Name",
    arn="Arn",
    title="Name",
    more={
        "tags": Call("list_tags_for_resource", {"ResourceARN": "{arn}"}, "Tags"),
        "targets": Call("list_targets_by_rule", _OF, "Targets[]"),
    },
    service_managed={
        "an AWS service manages it": "ManagedBy",
        "EC2 Auto Scaling manages it": "Name == 'AutoScalingManagedRule'",
    },
    refs=("RoleArn", "targets[].Arn", "targets[].RoleArn"),
    named_by=("rule",),
    rank=5,
    quarantine=Quarantine(
        words="disabled",
        do=(Call("disable_rule", _NAMED),),
        undo=(Call("enable_rule", _NAMED),),
        done="State == 'DISABLED'",
    ),
    remove=(
        Call("remove_targets", {**_OF, "Ids": ["{each}"]}, each="element.targets[].Id"),
        Call("delete_rule", _NAMED),
    ),
    recover="It does not come back: its pattern or schedule and its targets are lost.",
)

TYPES: tuple[Type, ...] = (_QUEUE, _TOPIC, _RULE)
