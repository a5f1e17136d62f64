# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Functions, and the log groups that they and others write to."""

from __future__ import annotations

from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Call, Quarantine, Type

_FUNCTION = Type(
    name="aws_lambda_function",
    service="lambda",
    list=Call("list_functions", {}, "Functions[]"),
    read=Call("get_function_configuration", {"FunctionName": "{id}"}, "@", missing=("ResourceNotFoundException",)),
    id="FunctionName",
    arn="FunctionArn",
    title="FunctionName",
    more={
        "reserved": Call("get_function_concurrency", {"FunctionName": "{id}"}, "ReservedConcurrentExecutions"),
        "tags": Call("list_tags", {"Resource": "{arn}"}, "Tags"),
    },
    service_managed={"it is a replica of Lambda@Edge": "MasterArn && MasterArn != FunctionArn"},
    refs=(
        "Role",
        "VpcConfig.SubnetIds[]",
        "VpcConfig.SecurityGroupIds[]",
        "VpcConfig.VpcId",
        "KMSKeyArn",
        "DeadLetterConfig.TargetArn",
    ),
    named_by=("function_name",),
    rank=10,
    quarantine=Quarantine(
        words="allowed no concurrent execution",
        keep={"reserved": "[reserved] | [?type(@) == 'number']"},
        do=(Call("put_function_concurrency", {"FunctionName": "{id}", "ReservedConcurrentExecutions": 0}),),
        undo=(
            Call("delete_function_concurrency", {"FunctionName": "{id}"}),
            Call(
                "put_function_concurrency",
                {"FunctionName": "{id}", "ReservedConcurrentExecutions": "{each}"},
                each="kept.reserved",
            ),
        ),
        done="reserved == `0`",
    ),
    remove=(Call("delete_function", {"FunctionName": "{id}"}),),
    recover="It does not come back: deploy its code again. Versions, aliases, triggers and settings are lost.",
)

_LOG_GROUP = Type(
    name="aws_cloudwatch_log_group",
    service="logs",
    list=Call("describe_log_groups", {}, "logGroups[]"),
    read=Call(
        "describe_log_groups",
        {"logGroupIdentifiers": ["{id}"]},
        "logGroups[0]",
        missing=("ResourceNotFoundException",),
    ),
    id="logGroupName",
    arn="arn:{partition}:logs:{region}:{account}:log-group:{id}",
    title="logGroupName",
    created="creationTime",
    more={"tags": Call("list_tags_for_resource", {"resourceArn": "{arn}"}, "tags")},
    guarded={"it has deletion protection": "deletionProtectionEnabled"},
    refs=("kmsKeyId",),
    named_by=("awslogs-group", "group_name", "log_group", "log_group_name"),
    rank=35,
    remove=(Call("delete_log_group", {"logGroupName": "{id}"}),),
    recover="It does not come back: what was logged is lost. Who logs to it may make it again.",
)

TYPES: tuple[Type, ...] = (_FUNCTION, _LOG_GROUP)
