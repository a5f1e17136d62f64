# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Instances and what they are made of: EC2 and Auto Scaling."""

from __future__ import annotations

from ansible_collections.gitops.aws.plugins.module_utils._findings.model import COPY_TAG, Call, Quarantine, Type

# With the plan's stamp: a copy that an earlier plan made, of what the disks had then, is another one.
_COPY = "copy of {id} {stamp}"
_COPY_TAGS = [{"Key": COPY_TAG, "Value": "{id}"}, {"Key": "Name", "Value": _COPY}]

INSTANCE = Type(
    name="aws_instance",
    service="ec2",
    list=Call("describe_instances", result="Reservations[].Instances[]"),
    read=Call(
        "describe_instances",
        {"InstanceIds": ["{id}"]},
        "Reservations[0].Instances[0]",
        missing=("InvalidInstanceID.NotFound",),
    ),
    id="InstanceId",
    arn="arn:{partition}:ec2:{region}:{account}:instance/{id}",
    # LaunchTime is that of the last start; the primary interface is as old as the instance.
    created="not_null(NetworkInterfaces[?Attachment.DeviceIndex==`0`] | [0].Attachment.AttachTime, LaunchTime)",
    tags="Tags",
    more={
        "kept_running": Call(
            "describe_instance_attribute",
            {"InstanceId": "{id}", "Attribute": "disableApiTermination"},
            "DisableApiTermination.Value",
        ),
    },
    gone="contains(['terminated', 'shutting-down'], State.Name)",
    service_managed={"an AWS service runs it": "Operator.Managed"},
    guarded={"its termination protection is on": "kept_running"},
    part_of={"aws_autoscaling_group": "Tags[?Key=='aws:autoscaling:groupName'].Value | [0]"},
    refs=(
        "VpcId",
        "SubnetId",
        "SecurityGroups[].GroupId",
        "NetworkInterfaces[].NetworkInterfaceId",
        "NetworkInterfaces[].Groups[].GroupId",
        "BlockDeviceMappings[].Ebs.VolumeId",
        "IamInstanceProfile.Arn",
        "ImageId",
        "KeyName",
    ),
    rank=10,
    quarantine=Quarantine(
        words="stopped",
        keep={"state": "State.Name"},
        do=(Call("stop_instances", {"InstanceIds": ["{id}"]}),),
        undo=(Call("start_instances", {"InstanceIds": ["{id}"]}, each="[kept.state][?@ == 'running']"),),
        done="contains(['stopped', 'stopping'], State.Name)",
    ),
    # An image has all volumes, the root volume with them, which go when the instance goes.
    copies=(
        Call(
            "create_image",
            {
                "InstanceId": "{id}",
                "Name": _COPY,
                "NoReboot": True,
                "TagSpecifications": [{"ResourceType": kind, "Tags": _COPY_TAGS} for kind in ("image", "snapshot")],
            },
            # An earlier attempt to carry out this plan has made it.
            missing=("InvalidAMIName.Duplicate",),
        ),
    ),
    copied=Call(
        "describe_images",
        {"Owners": ["self"], "Filters": [{"Name": "name", "Values": [_COPY]}]},
        "Images[0].State == 'available'",
    ),
    remove=(Call("terminate_instances", {"InstanceIds": ["{id}"]}),),
    recover="Launch an instance from the image whose name begins with `copy of` and its id, the latest one. The new "
    "one has another address.",
)

VOLUME = Type(
    name="aws_ebs_volume",
    service="ec2",
    list=Call("describe_volumes", result="Volumes"),
    read=Call("describe_volumes", {"VolumeIds": ["{id}"]}, "Volumes[0]", missing=("InvalidVolume.NotFound",)),
    id="VolumeId",
    arn="arn:{partition}:ec2:{region}:{account}:volume/{id}",
    created="CreateTime",
    tags="Tags",
    gone="contains(['deleting', 'deleted'], State)",
    service_managed={"an AWS service runs it": "Operator.Managed"},
    part_of={"aws_instance": "Attachments[?DeleteOnTermination].InstanceId | [0]"},
    refs=("SnapshotId", "KmsKeyId"),
    used_by=("Attachments[].InstanceId",),
    rank=30,
    copies=(
        Call(
            "create_snapshot",
            {
                "VolumeId": "{id}",
                "Description": "copy of {id}, made before it was removed because no state had it",
                "TagSpecifications": [{"ResourceType": "snapshot", "Tags": _COPY_TAGS}],
            },
        ),
    ),
    copied=Call(
        "describe_snapshots",
        {
            "OwnerIds": ["self"],
            "Filters": [{"Name": f"tag:{tag['Key']}", "Values": [tag["Value"]]} for tag in _COPY_TAGS],
        },
        "Snapshots[?State=='completed'] | length(@) > `0`",
    ),
    remove=(Call("delete_volume", {"VolumeId": "{id}"}),),
    recover=f"Create a volume from the latest snapshot whose tag {COPY_TAG} is its id.",
)

SNAPSHOT = Type(
    name="aws_ebs_snapshot",
    service="ec2",
    list=Call("describe_snapshots", {"OwnerIds": ["self"]}, "Snapshots"),
    read=Call("describe_snapshots", {"SnapshotIds": ["{id}"]}, "Snapshots[0]", missing=("InvalidSnapshot.NotFound",)),
    id="SnapshotId",
    arn="arn:{partition}:ec2:{region}::snapshot/{id}",  # without an account, as AWS writes it
    created="StartTime",
    tags="Tags",
    refs=("KmsKeyId",),  # not the volume, which may be long gone and needs no snapshot
    rank=30,
    remove=(Call("delete_snapshot", {"SnapshotId": "{id}"}),),
    recover="Not at all, unless a rule of the recycle bin keeps it: restore it from there.",
)

IMAGE = Type(
    name="aws_ami",
    service="ec2",
    list=Call("describe_images", {"Owners": ["self"]}, "Images"),
    read=Call(
        "describe_images",
        {"ImageIds": ["{id}"], "Owners": ["self"]},
        "Images[0]",
        missing=("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"),
    ),
    id="ImageId",
    arn="arn:{partition}:ec2:{region}::image/{id}",  # without an account, as AWS writes it
    title="Name",
    created="CreationDate",
    tags="Tags",
    gone="State == 'deregistered'",
    guarded={"its deregistration protection is on": "starts_with(not_null(DeregistrationProtection, ''), 'enabled')"},
    refs=("BlockDeviceMappings[].Ebs.SnapshotId",),
    rank=20,
    remove=(Call("deregister_image", {"ImageId": "{id}"}),),
    recover="Register an image with its snapshots, while they are there. It gets a new id.",
)

KEY_PAIR = Type(
    name="aws_key_pair",
    service="ec2",
    list=Call("describe_key_pairs", result="KeyPairs"),
    read=Call("describe_key_pairs", {"KeyNames": ["{id}"]}, "KeyPairs[0]", missing=("InvalidKeyPair.NotFound",)),
    id="KeyName",
    arn="arn:{partition}:ec2:{region}:{account}:key-pair/{id}",
    created="CreateTime",
    tags="Tags",
    named_by=("key_name",),
    rank=30,
    remove=(Call("delete_key_pair", {"KeyName": "{id}"}),),
    recover="Import its public key again, by whoever has it. Instances that have the key keep it.",
)

# The versions that are used where none is named. One that a group names by its number is not looked at.
_VERSION = "versions[].LaunchTemplateData"

LAUNCH_TEMPLATE = Type(
    name="aws_launch_template",
    service="ec2",
    list=Call("describe_launch_templates", result="LaunchTemplates"),
    read=Call(
        "describe_launch_templates",
        {"LaunchTemplateIds": ["{id}"]},
        "LaunchTemplates[0]",
        missing=("InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.NotFoundException"),
    ),
    id="LaunchTemplateId",
    arn="arn:{partition}:ec2:{region}:{account}:launch-template/{id}",
    title="LaunchTemplateName",
    created="CreateTime",
    tags="Tags",
    more={
        "versions": Call(
            "describe_launch_template_versions",
            {"LaunchTemplateId": "{id}", "Versions": ["$Default", "$Latest"]},
            "LaunchTemplateVersions[]",
        ),
    },
    service_managed={"an AWS service runs it": "Operator.Managed"},
    refs=(
        f"{_VERSION}.ImageId",
        f"{_VERSION}.KeyName",
        f"{_VERSION}.IamInstanceProfile.[Arn, Name][]",
        f"{_VERSION}.SecurityGroupIds[]",
        f"{_VERSION}.NetworkInterfaces[].[SubnetId, NetworkInterfaceId, Groups][][]",
        f"{_VERSION}.BlockDeviceMappings[].Ebs.[SnapshotId, KmsKeyId][]",
    ),
    named_by=(
        "launch_template_name",
        "launch_template.name",
        "launch_template_specification.name",
        "launch_template_specification.launch_template_name",
    ),
    rank=20,
    remove=(Call("delete_launch_template", {"LaunchTemplateId": "{id}"}),),
    recover="Write it again; its versions are lost.",
)

_SIZES = {"MinSize": "{kept.min}", "MaxSize": "{kept.max}", "DesiredCapacity": "{kept.desired}"}

GROUP = Type(
    name="aws_autoscaling_group",
    service="autoscaling",
    list=Call("describe_auto_scaling_groups", result="AutoScalingGroups"),
    read=Call("describe_auto_scaling_groups", {"AutoScalingGroupNames": ["{id}"]}, "AutoScalingGroups[0]"),
    id="AutoScalingGroupName",
    arn="AutoScalingGroupARN",
    title="AutoScalingGroupName",
    created="CreatedTime",
    tags="Tags",
    gone="starts_with(not_null(Status, ''), 'Delete')",
    guarded={
        "its deletion protection is on": "contains(['prevent-force-deletion', 'prevent-all-deletion'], "
        "not_null(DeletionProtection, ''))",
        "instances are protected from scale-in": "length(Instances[?ProtectedFromScaleIn]) > `0`",
    },
    refs=(
        "VPCZoneIdentifier",
        "TargetGroupARNs",
        "LaunchTemplate.LaunchTemplateId",
        "MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateId",
        "MixedInstancesPolicy.LaunchTemplate.Overrides[].LaunchTemplateSpecification.LaunchTemplateId",
        "Instances[].LaunchTemplate.LaunchTemplateId",
    ),
    named_by=("auto_scaling_group_name", "autoscaling_group_name", "autoscaling_groups"),
    rank=10,
    # Stopped instances would be replaced, and a group that may not terminate would not shrink: it shrinks first, and
    # may then launch nothing. What its instances had on their disks does not come back; it is in no group's promise.
    quarantine=Quarantine(
        words="scaled to no instance, with launching suspended",
        keep={
            "min": "MinSize",
            "max": "MaxSize",
            "desired": "DesiredCapacity",
            "launching": "[!contains(not_null(SuspendedProcesses[].ProcessName, `[]`), 'Launch') && 'Launch'][?@]",
        },
        do=(
            Call(
                "update_auto_scaling_group",
                {"AutoScalingGroupName": "{id}", "MinSize": 0, "MaxSize": 0, "DesiredCapacity": 0},
            ),
            Call("suspend_processes", {"AutoScalingGroupName": "{id}", "ScalingProcesses": ["Launch"]}),
        ),
        undo=(
            # None is named where it was suspended before; without any name AWS would resume all.
            Call(
                "resume_processes",
                {"AutoScalingGroupName": "{id}", "ScalingProcesses": ["{each}"]},
                each="kept.launching",
            ),
            Call("update_auto_scaling_group", {"AutoScalingGroupName": "{id}", **_SIZES}),
        ),
        done="MaxSize == `0` && DesiredCapacity == `0`",
    ),
    # Not by force: instances that are still there are a reason not to.
    remove=(Call("delete_auto_scaling_group", {"AutoScalingGroupName": "{id}", "ForceDelete": False}),),
    recover="Write it again, with the same launch template. Its instances are lost, with their root volumes.",
)

TYPES = (INSTANCE, VOLUME, SNAPSHOT, IMAGE, KEY_PAIR, LAUNCH_TEMPLATE, GROUP)
