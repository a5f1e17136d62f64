# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWS makes beside a resource of EC2, and what goes with it.

An instance has a network interface and volumes, a subnet has a network ACL, an account has a set of DHCP options.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import autoscaling, ec2

Request = dict[str, Any]
Answer = tuple[int, dict[str, str], bytes]
Handler = Callable[[Request], Answer]
Record = dict[str, Any]

DEFAULT_OPTIONS = "dopt-00000001"
GONE = ("terminated", "shutting-down")


def apply() -> None:
    """Install it in MiniStack."""
    default_options()
    interfaces_in_words()
    interfaces_are_found()
    instances_have_interfaces()
    instances_are_launched_as_asked()
    volumes_of_instances()
    instances_take_their_parts_along()
    instance_attributes()
    addresses()
    images_of_instances()
    key_pairs()
    subnets_have_an_acl()
    groups_in_rules()
    flow_logs()


def around(table: dict[str, Handler], action: str, handler: Callable[[Handler, Request], Answer]) -> None:
    """Let the handler answer an action; it is given MiniStack's own first."""
    original = table[action]
    table[action] = lambda request: handler(original, request)


def inserted(answer: Answer, element: str, texts: dict[str, str]) -> Answer:
    """The answer with a text behind each element of this name; the texts are by what is in the element."""
    status, headers, body = answer

    def longer(match: re.Match[str]) -> str:
        return match[0] + texts.get(match[1], "")

    return status, headers, re.sub(f"<{element}>([^<]*)</{element}>", longer, body.decode()).encode()


def new_of(store: Any, call: Callable[[], Any]) -> list[Record]:
    """What a call adds to one of MiniStack's stores."""
    before = set(store)
    call()
    return [record for key, record in store.items() if key not in before]


def said(action: str, text: str, service: Any = ec2) -> Answer:
    """The answer to an action."""
    answer: Answer = service._xml(200, f"{action}Response", text)
    return answer


def error(code: str, message: str, service: Any = ec2, status: int = 400) -> Answer:
    """An error of a service."""
    answer: Answer = service._error(code, message, status)
    return answer


def missing(code: str, what: str, name: str) -> Answer:
    """AWS's words for an id that it does not know."""
    return error(code, f"The {what} '{name}' does not exist")


def elements(tag: str, texts: Iterable[Any]) -> str:
    """<tag><item>text</item>...</tag>"""
    return f"<{tag}>{''.join(f'<item>{text}</item>' for text in texts)}</{tag}>"


def default_options() -> None:
    """An account has a set of DHCP options in each region, which its VPCs use."""
    original: Callable[[], None] = ec2._ensure_defaults_initialized

    def ensure() -> None:
        original()
        if DEFAULT_OPTIONS not in ec2._dhcp_options:
            region = get_region()
            domain = "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"
            says = {"domain-name": domain, "domain-name-servers": "AmazonProvidedDNS"}
            ec2._dhcp_options[DEFAULT_OPTIONS] = {
                "DhcpOptionsId": DEFAULT_OPTIONS,
                "DhcpConfigurations": [{"Key": key, "Values": [text]} for key, text in says.items()],
                "OwnerId": get_account_id(),
                "Tags": [],
            }

    ec2._ensure_defaults_initialized = ensure


def group_of_vpc(vpc_id: str) -> str:
    """The id of a VPC's default security group."""
    return str(ec2._vpcs.get(vpc_id, {}).get("DefaultSecurityGroupId", ec2._DEFAULT_SG_ID))


def attachment(device: int = 0, instance_id: str = "", owner: str = "", delete: bool = True) -> Record:
    """What an interface says of the place where it is attached."""
    return {
        "AttachmentId": "eni-attach-" + ec2.new_uuid().replace("-", "")[:17],
        "InstanceId": instance_id,
        "InstanceOwnerId": owner or get_account_id(),
        "DeviceIndex": device,
        "Status": "attached",
        "AttachTime": ec2._now_ts(),
        "DeleteOnTermination": delete,
    }


def add_interface(subnet_id: str, groups: list[str], description: str, **members: Any) -> Record:
    """A network interface in use, made by AWS."""
    request = {"SubnetId": [subnet_id], "Description": [description]}
    request |= {f"SecurityGroupId.{number}": [group] for number, group in enumerate(groups, 1)}
    made = new_of(ec2._network_interfaces, lambda: ec2._create_network_interface(request))[0]
    made.update(Status="in-use", **members)
    return made


def of_aws(kind: str, requester: str, owner: str) -> Record:
    """The members of an interface that a service of AWS has made for itself."""
    return {
        "InterfaceType": kind,
        "RequesterManaged": True,
        "RequesterId": requester,
        "Attachment": attachment(1, owner=owner, delete=False),
    }


def remove_interfaces(description: str) -> None:
    """What AWS has made under this description goes, and its addresses are free."""
    for key, one in list(ec2._network_interfaces.items()):
        if one.get("RequesterManaged") and one["Description"] == description:
            del ec2._network_interfaces[key]
            free_addresses(key)


def free_addresses(interface_id: str) -> None:
    """The elastic addresses of an interface are associated no more."""
    for address in ec2._addresses.values():
        if address.get("NetworkInterfaceId") == interface_id:
            address.update(AssociationId=None, InstanceId=None, NetworkInterfaceId=None)


def associate(allocation_id: str, interface_id: str, instance_id: str | None = None) -> None:
    """An elastic address is that of an interface."""
    ec2._addresses[allocation_id].update(
        AssociationId="eipassoc-" + ec2.new_uuid().replace("-", "")[:17],
        InstanceId=instance_id,
        NetworkInterfaceId=interface_id,
    )


class Index:
    """What is attached where, built once for an answer that may show thousands."""

    def __init__(self) -> None:
        self.interfaces: dict[str, list[Record]] = {}
        self.addresses = {one["NetworkInterfaceId"]: one for one in ec2._addresses.values()}
        for one in ec2._network_interfaces.values():
            self.interfaces.setdefault((one["Attachment"] or {}).get("InstanceId", ""), []).append(one)


_index: Index | None = None


def indexed(original: Handler, request: Request) -> Answer:
    """Answers with an index at hand."""
    global _index
    _index = Index()
    try:
        return original(request)
    finally:
        _index = None


def interfaces_of(instance_id: str) -> list[Record]:
    """The interfaces that are attached to an instance, the primary one first."""
    own = (_index or Index()).interfaces.get(instance_id, [])
    return sorted(own, key=lambda one: int(one["Attachment"]["DeviceIndex"]))


def interfaces_in_words() -> None:
    """An interface says who asked for it, what goes with it, and which address it has; an instance, its interfaces."""
    of_interface: Callable[..., str] = ec2._eni_fields_xml
    of_instance: Callable[[Record], str] = ec2._instance_xml

    def interface(record: Record, tag: str = "item") -> str:
        text = of_interface(record, tag).replace("<instanceId></instanceId>", "")
        attached = record.get("Attachment") or {}
        more = f"<deleteOnTermination>{str(attached.get('DeleteOnTermination', False)).lower()}</deleteOnTermination>"
        more += f"<instanceOwnerId>{attached.get('InstanceOwnerId', get_account_id())}</instanceOwnerId>"
        text = text.replace("</attachment>", f"{more}</attachment>")
        own = f"<requesterManaged>{str(record.get('RequesterManaged', False)).lower()}</requesterManaged>"
        if record.get("RequesterId"):
            own += f"<requesterId>{record['RequesterId']}</requesterId>"
        address = (_index or Index()).addresses.get(record["NetworkInterfaceId"])
        if address:
            own += (
                f"<association><allocationId>{address['AllocationId']}</allocationId>"
                f"<associationId>{address['AssociationId']}</associationId>"
                f"<publicIp>{address['PublicIp']}</publicIp></association>"
            )
        return text.removesuffix(f"</{tag}>") + f"{own}</{tag}>"

    def instance(record: Record) -> str:
        items = "".join(ec2._eni_fields_xml(one) for one in interfaces_of(record["InstanceId"]))
        text = of_instance(record).removesuffix("</item>")
        return f"{text}<networkInterfaceSet>{items}</networkInterfaceSet></item>"

    ec2._eni_fields_xml, ec2._instance_xml = interface, instance


def interfaces_are_found() -> None:
    """DescribeNetworkInterfaces filters, and says that an interface is not there; a new one has its tags and group."""

    def describe(_original: Handler, request: Request) -> Answer:
        ids, filters = ec2._parse_member_list(request, "NetworkInterfaceId"), ec2._parse_filters(request)
        for each in ids:
            if each not in ec2._network_interfaces:
                return missing("InvalidNetworkInterfaceID.NotFound", "networkInterface ID", each)
        found = [
            record
            for key, record in ec2._network_interfaces.items()
            if (not ids or key in ids)
            and ec2._resource_matches_tag_filters(key, filters)
            and all(set(values) & _filtered(record, name) for name, values in filters.items() if name in _FILTERS)
        ]
        items = "".join(ec2._eni_fields_xml(record) for record in found)
        return said("DescribeNetworkInterfaces", f"<networkInterfaceSet>{items}</networkInterfaceSet>")

    def create(original: Handler, request: Request) -> Answer:
        if not ec2._p(request, "SecurityGroupId.1"):
            subnet = ec2._subnets.get(ec2._p(request, "SubnetId"), {})
            request = {**request, "SecurityGroupId.1": [group_of_vpc(subnet.get("VpcId", ""))]}
        answers: list[Answer] = []
        made = new_of(ec2._network_interfaces, lambda: answers.append(original(request)))
        for each in made:
            ec2._parse_tag_specs(request, "network-interface", each["NetworkInterfaceId"])
        return answers[0]

    def attach(original: Handler, request: Request) -> Answer:
        answer = original(request)
        record = ec2._network_interfaces.get(ec2._p(request, "NetworkInterfaceId"))
        if record and record["Attachment"]:
            record["Attachment"]["DeleteOnTermination"] = False
        return answer

    around(ec2._ACTION_MAP, "DescribeNetworkInterfaces", describe)
    for action in ("DescribeInstances", "DescribeNetworkInterfaces"):
        around(ec2._ACTION_MAP, action, indexed)
    around(ec2._ACTION_MAP, "CreateNetworkInterface", create)
    around(ec2._ACTION_MAP, "AttachNetworkInterface", attach)


_FILTERS: dict[str, Callable[[Record], Any]] = {
    "attachment.attachment-id": lambda one: (one["Attachment"] or {}).get("AttachmentId"),
    "attachment.instance-id": lambda one: (one["Attachment"] or {}).get("InstanceId"),
    "description": lambda one: one["Description"],
    "group-id": lambda one: [group["GroupId"] for group in one["Groups"]],
    "interface-type": lambda one: one["InterfaceType"],
    "network-interface-id": lambda one: one["NetworkInterfaceId"],
    "owner-id": lambda one: one["OwnerId"],
    "requester-managed": lambda one: str(one.get("RequesterManaged", False)).lower(),
    "status": lambda one: one["Status"],
    "subnet-id": lambda one: one["SubnetId"],
    "vpc-id": lambda one: one["VpcId"],
}


def _filtered(record: Record, name: str) -> set[str]:
    found = _FILTERS[name](record)
    return set(found) if isinstance(found, list) else {found}


def instances_have_interfaces() -> None:
    """An instance is launched with its primary network interface."""
    original: Callable[..., list[Record]] = ec2._launch_instances_internal

    def launch(*arguments: Any, **named: Any) -> list[Record]:
        made = original(*arguments, **named)
        for one in made:
            groups = [group["GroupId"] for group in one["SecurityGroups"]]
            place = attachment(0, one["InstanceId"])
            add_interface(one["SubnetId"], groups, "", Attachment=place, PrivateIpAddress=one["PrivateIpAddress"])
        return made

    ec2._launch_instances_internal = launch


def instances_are_launched_as_asked() -> None:
    """RunInstances knows protection, the first interface's subnet and groups, and volumes' tags.

    An instance without a group has the default one of its VPC.
    """

    def run(original: Handler, request: Request) -> Answer:
        request = dict(request)
        for name in [name for name in request if name.startswith("NetworkInterface.1.")]:
            request.setdefault(name.removeprefix("NetworkInterface.1."), request[name])
        if not ec2._p(request, "SecurityGroupId.1"):
            subnet = ec2._subnets.get(ec2._p(request, "SubnetId") or ec2._DEFAULT_SUBNET_ID, {})
            request["SecurityGroupId.1"] = [group_of_vpc(subnet.get("VpcId", ""))]
        answers: list[Answer] = []
        for one in new_of(ec2._instances, lambda: answers.append(original(request))):
            one["DisableApiTermination"] = ec2._p(request, "DisableApiTermination") == "true"
            for mapping in one["BlockDeviceMappings"]:
                ec2._parse_tag_specs(request, "volume", mapping["Ebs"]["VolumeId"])
        return answers[0]

    around(ec2._ACTION_MAP, "RunInstances", run)


def volumes_of(instance_id: str) -> list[Record]:
    """The volumes that are attached to an instance."""
    return [one for one in ec2._volumes.values() if any(a["InstanceId"] == instance_id for a in one["Attachments"])]


def volumes_of_instances() -> None:
    """An instance names the volumes that are attached to it later, too."""

    def mappings(instance_id: str) -> list[Record]:
        return [
            {
                "DeviceName": place["Device"],
                "Ebs": {
                    "VolumeId": volume["VolumeId"],
                    "Status": "attached",
                    "AttachTime": place["AttachTime"],
                    "DeleteOnTermination": place["DeleteOnTermination"],
                },
            }
            for volume in volumes_of(instance_id)
            for place in volume["Attachments"]
        ]

    def changed(original: Handler, request: Request) -> Answer:
        before = ec2._volumes.get(ec2._p(request, "VolumeId"), {}).get("Attachments", [])
        answer = original(request)
        for instance_id in {ec2._p(request, "InstanceId"), *(place["InstanceId"] for place in before)}:
            if instance_id in ec2._instances:
                ec2._instances[instance_id]["BlockDeviceMappings"] = mappings(instance_id)
        return answer

    around(ec2._ACTION_MAP, "AttachVolume", changed)
    around(ec2._ACTION_MAP, "DetachVolume", changed)


def take_parts_along(instance_id: str) -> None:
    """What belongs to an instance goes with it, the rest is free: volumes, interfaces, addresses."""
    for volume in volumes_of(instance_id):
        if all(place["DeleteOnTermination"] for place in volume["Attachments"]):
            del ec2._volumes[volume["VolumeId"]]
        else:
            volume.update(Attachments=[], State="available")
    for one in interfaces_of(instance_id):
        if one["Attachment"]["DeleteOnTermination"]:
            del ec2._network_interfaces[one["NetworkInterfaceId"]]
            free_addresses(one["NetworkInterfaceId"])
        else:
            one.update(Attachment=None, Status="available")
    ec2._instances[instance_id]["BlockDeviceMappings"] = []


def instances_take_their_parts_along() -> None:
    """TerminateInstances refuses protected instances; root volume and primary interface go with an instance.

    An Auto Scaling group replaces what it loses.
    """

    def terminate(original: Handler, request: Request) -> Answer:
        ids = ec2._parse_member_list(request, "InstanceId")
        for each in ids:
            if ec2._instances.get(each, {}).get("DisableApiTermination"):
                message = (
                    f"The instance '{each}' may not be terminated. "
                    "Modify its 'disableApiTermination' instance attribute and try again."
                )
                return error("OperationNotPermitted", message)
        answer = original(request)
        if answer[0] == 200:
            for each in ids:
                take_parts_along(each)
            for group in autoscaling._asgs.values():
                lost = [one for one in group["Instances"] if one["InstanceId"] in ids]
                if lost:
                    group["Instances"] = [one for one in group["Instances"] if one not in lost]
                    autoscaling._reconcile_instances(group)
        return answer

    around(ec2._ACTION_MAP, "TerminateInstances", terminate)


def instance_attributes() -> None:
    """ModifyInstanceAttribute changes protection, type, groups and source check; DescribeInstanceAttribute tells."""

    def describe(original: Handler, request: Request) -> Answer:
        answer = original(request)
        protected = ec2._instances.get(ec2._p(request, "InstanceId"), {}).get("DisableApiTermination")
        if protected and ec2._p(request, "Attribute") == "disableApiTermination":
            status, headers, body = answer
            answer = status, headers, body.replace(b"<value>false</value>", b"<value>true</value>")
        return answer

    def modify(request: Request) -> Answer:
        instance_id = ec2._p(request, "InstanceId")
        one = ec2._instances.get(instance_id)
        if not one:
            return missing("InvalidInstanceID.NotFound", "instance ID", instance_id)
        for name, kept in (("DisableApiTermination", "DisableApiTermination"), ("SourceDestCheck", "SourceDestCheck")):
            if ec2._p(request, f"{name}.Value"):
                one[kept] = ec2._p(request, f"{name}.Value") == "true"
        if ec2._p(request, "InstanceType.Value"):
            one["InstanceType"] = ec2._p(request, "InstanceType.Value")
        groups = ec2._parse_member_list(request, "GroupId")
        if groups:
            named = [{"GroupId": g, "GroupName": ec2._security_groups.get(g, {}).get("GroupName", g)} for g in groups]
            one["SecurityGroups"] = interfaces_of(instance_id)[0]["Groups"] = named
        return said("ModifyInstanceAttribute", "<return>true</return>")

    around(ec2._ACTION_MAP, "DescribeInstanceAttribute", describe)
    ec2._ACTION_MAP["ModifyInstanceAttribute"] = modify


def addresses() -> None:
    """An elastic address is an interface's, of an instance or not; DescribeAddresses says so, and what is not there."""

    def on(original: Handler, request: Request) -> Answer:
        instance_id = ec2._p(request, "InstanceId") or None
        interface_id = ec2._p(request, "NetworkInterfaceId")
        answer = original(request)
        address = ec2._addresses.get(ec2._p(request, "AllocationId"))
        if answer[0] == 200 and address:
            if instance_id and not interface_id:
                interface_id = interfaces_of(instance_id)[0]["NetworkInterfaceId"]
            attached = (ec2._network_interfaces.get(interface_id) or {}).get("Attachment") or {}
            address.update(NetworkInterfaceId=interface_id, InstanceId=attached.get("InstanceId") or None)
        return answer

    def off(original: Handler, request: Request) -> Answer:
        association = ec2._p(request, "AssociationId")
        own = [one for one in ec2._addresses.values() if one["AssociationId"] == association]
        answer = original(request)
        for one in own:
            one["NetworkInterfaceId"] = None
        return answer

    def describe(_original: Handler, request: Request) -> Answer:
        ids, filters = ec2._parse_member_list(request, "AllocationId"), ec2._parse_filters(request)
        for each in ids:
            if each not in ec2._addresses:
                return missing("InvalidAllocationID.NotFound", "allocation ID", each)
        ips = ec2._parse_member_list(request, "PublicIp")
        items = ""
        for key, one in ec2._addresses.items():
            known = {"allocation-id": key, "association-id": one["AssociationId"], "public-ip": one["PublicIp"]}
            known |= {"instance-id": one["InstanceId"], "network-interface-id": one["NetworkInterfaceId"]}
            if any(known[name] not in values for name, values in filters.items() if name in known):
                continue
            if (ids and key not in ids) or (ips and one["PublicIp"] not in ips):
                continue
            if not ec2._resource_matches_tag_filters(key, filters):
                continue
            says = {
                "allocationId": key,
                "publicIp": one["PublicIp"],
                "domain": one["Domain"],
                "associationId": one["AssociationId"],
                "instanceId": one["InstanceId"],
                "networkInterfaceId": one["NetworkInterfaceId"],
            }
            text = "".join(f"<{name}>{value}</{name}>" for name, value in says.items() if value)
            items += f"<item>{text}{ec2._tag_set_xml(key)}</item>"
        return said("DescribeAddresses", f"<addressesSet>{items}</addressesSet>")

    around(ec2._ACTION_MAP, "AssociateAddress", on)
    around(ec2._ACTION_MAP, "DisassociateAddress", off)
    around(ec2._ACTION_MAP, "DescribeAddresses", describe)


def images_of_instances() -> None:
    """CreateImage makes an image of an instance and snapshots of its volumes.

    Images say when they were made, and nothing that nobody said when they were registered.

    Such an image has nothing that could run, so that it asks for no containers.
    """

    original_view: Callable[[Record], Record] = ec2._image_view

    def create(request: Request) -> Answer:
        instance_id, name = ec2._p(request, "InstanceId"), ec2._p(request, "Name")
        one = ec2._instances.get(instance_id)
        if not one or one["State"]["Name"] in GONE:
            return missing("InvalidInstanceID.NotFound", "instance ID", instance_id)
        if any(image["Name"] == name for image in ec2._images.values()):
            message = f"AMI name {name} is already in use by AMI"
            return error("InvalidAMIName.Duplicate", message)
        image_id, mappings = ec2._new_image_id(), []
        for mapping in one["BlockDeviceMappings"]:
            volume = {"VolumeId": [mapping["Ebs"]["VolumeId"]]}
            volume["Description"] = [f"Created by CreateImage({instance_id}) for {image_id}"]
            tags = {key: value for key, value in request.items() if key.startswith("TagSpecification.")}
            for snapshot in new_of(ec2._snapshots, functools.partial(ec2._create_snapshot, volume | tags)):
                ebs = {"SnapshotId": snapshot["SnapshotId"], "VolumeSize": str(snapshot["VolumeSize"])}
                mappings.append({"DeviceName": mapping["DeviceName"], "Ebs": ebs})
        ec2._images[image_id] = {
            "ImageId": image_id,
            "Name": name,
            "ImageLocation": "",
            "Description": ec2._p(request, "Description"),
            "Architecture": one["Architecture"],
            "RootDeviceType": "ebs",
            "RootDeviceName": one["RootDeviceName"],
            "BlockDeviceMappings": mappings,
            "VirtualizationType": "hvm",
            "CreationDate": ec2._now_ts(),
            "OwnerId": get_account_id(),
        }
        ec2._parse_tag_specs(request, "image", image_id)
        return said("CreateImage", f"<imageId>{image_id}</imageId>")

    def describe(original: Handler, request: Request) -> Answer:
        texts = {}
        for key, image in ec2._images.items():
            texts[key] = f"<creationDate>{image['CreationDate']}</creationDate>"
            if image.get("SriovNetSupport"):
                texts[key] += f"<sriovNetSupport>{image['SriovNetSupport']}</sriovNetSupport>"
        return inserted(original(request), "imageId", texts)

    def register(original: Handler, request: Request) -> Answer:
        answers: list[Answer] = []
        for one in new_of(ec2._images, lambda: answers.append(original(request))):
            one["SriovNetSupport"] = ec2._p(request, "SriovNetSupport")
        return answers[0]

    def view(image: Record) -> Record:
        return {**original_view(image), "Description": image["Description"]}

    ec2._image_view = view
    ec2._ACTION_MAP["CreateImage"] = create
    around(ec2._ACTION_MAP, "RegisterImage", register)
    ec2._any_image_registered = lambda: any(image.get("ImageLocation") for image in ec2._images.all_values())
    around(ec2._ACTION_MAP, "DescribeImages", describe)


def key_pairs() -> None:
    """Key pairs have a time, a type and tags, and go by their id as by their name; a name is there once."""

    def made(original: Handler, request: Request) -> Answer:
        name = ec2._p(request, "KeyName")
        if name in ec2._key_pairs:
            message = f"The keypair already exists: {name}"
            return error("InvalidKeyPair.Duplicate", message)
        answer = original(request)
        if answer[0] == 200:
            ec2._key_pairs[name]["CreateTime"] = ec2._now_ts()
            ec2._parse_tag_specs(request, "key-pair", ec2._key_pairs[name]["KeyPairId"])
        return answer

    def describe(_original: Handler, request: Request) -> Answer:
        names, ids = (ec2._parse_member_list(request, member) for member in ("KeyName", "KeyPairId"))
        filters = ec2._parse_filters(request)
        known_ids = [one["KeyPairId"] for one in ec2._key_pairs.values()]
        for each in [*(n for n in names if n not in ec2._key_pairs), *(i for i in ids if i not in known_ids)]:
            return missing("InvalidKeyPair.NotFound", "key pair", each)
        items = ""
        for name, one in ec2._key_pairs.items():
            if (names and name not in names) or (ids and one["KeyPairId"] not in ids):
                continue
            if not ec2._resource_matches_tag_filters(one["KeyPairId"], filters):
                continue
            items += (
                f"<item><keyName>{name}</keyName><keyPairId>{one['KeyPairId']}</keyPairId><keyType>rsa</keyType>"
                f"<keyFingerprint>{one['KeyFingerprint']}</keyFingerprint><createTime>{one['CreateTime']}</createTime>"
                f"{ec2._tag_set_xml(one['KeyPairId'])}</item>"
            )
        return said("DescribeKeyPairs", f"<keySet>{items}</keySet>")

    def delete(original: Handler, request: Request) -> Answer:
        wanted = ec2._p(request, "KeyPairId")
        name = next((name for name, one in ec2._key_pairs.items() if one["KeyPairId"] == wanted), None)
        return original({**request, "KeyName": [name]} if name else request)

    around(ec2._ACTION_MAP, "CreateKeyPair", made)
    around(ec2._ACTION_MAP, "ImportKeyPair", made)
    around(ec2._ACTION_MAP, "DescribeKeyPairs", describe)
    around(ec2._ACTION_MAP, "DeleteKeyPair", delete)


def subnets_have_an_acl() -> None:
    """Each subnet is associated with one network ACL, the default one of its VPC until it is replaced."""
    original_ensure: Callable[[], None] = ec2._ensure_defaults_initialized
    begun: set[tuple[str, str]] = set()

    def ensure() -> None:
        original_ensure()
        if (get_account_id(), get_region()) not in begun:
            begun.add((get_account_id(), get_region()))
            associate_all()

    def create(original: Handler, request: Request) -> Answer:
        answer = original(request)
        associate_all()
        return answer

    def associate_all() -> None:
        of_acls = {one["SubnetId"] for acl in ec2._network_acls.values() for one in acl["Associations"]}
        for subnet_id, subnet in ec2._subnets.items():
            acl = ec2._vpcs.get(subnet["VpcId"], {}).get("DefaultNetworkAclId")
            if acl in ec2._network_acls and subnet_id not in of_acls:
                add(acl, subnet_id)

    def add(acl: str, subnet_id: str) -> str:
        association: str = "aclassoc-" + ec2.new_uuid().replace("-", "")[:17]
        ec2._network_acls[acl]["Associations"].append(
            {"NetworkAclAssociationId": association, "SubnetId": subnet_id},
        )
        return association

    def replace(_original: Handler, request: Request) -> Answer:
        association, acl = ec2._p(request, "AssociationId"), ec2._p(request, "NetworkAclId")
        if acl not in ec2._network_acls:
            return missing("InvalidNetworkAclID.NotFound", "networkAcl ID", acl)
        for one in ec2._network_acls.values():
            for each in one["Associations"]:
                if each["NetworkAclAssociationId"] == association:
                    one["Associations"].remove(each)
                    new = add(acl, each["SubnetId"])
                    return said("ReplaceNetworkAclAssociation", f"<newAssociationId>{new}</newAssociationId>")
        return missing("InvalidAssociationID.NotFound", "association ID", association)

    def delete(original: Handler, request: Request) -> Answer:
        answer = original(request)
        if answer[0] == 200:
            gone = ec2._p(request, "SubnetId")
            for one in [*ec2._network_acls.values(), *ec2._route_tables.values()]:
                one["Associations"] = [each for each in one["Associations"] if each.get("SubnetId") != gone]
        return answer

    ec2._ensure_defaults_initialized = ensure
    for action in ("CreateSubnet", "CreateDefaultVpc"):
        around(ec2._ACTION_MAP, action, create)
    around(ec2._ACTION_MAP, "ReplaceNetworkAclAssociation", replace)
    around(ec2._ACTION_MAP, "DeleteSubnet", delete)


def groups_in_rules() -> None:
    """A rule that is revoked names groups by their ids, however it tells whose they are and what they are for."""
    original: Callable[[Record], Record] = ec2._strip_descriptions

    def stripped(rule: Record) -> Record:
        pairs = [{"GroupId": pair.get("GroupId")} for pair in rule.get("UserIdGroupPairs", [])]
        return {**original(rule), "UserIdGroupPairs": pairs}

    ec2._strip_descriptions = stripped


def flow_logs() -> None:
    """A flow log says over how many seconds it sums up: 600 unless it was told."""

    def create(original: Handler, request: Request) -> Answer:
        answers: list[Answer] = []
        for one in new_of(ec2._flow_logs, lambda: answers.append(original(request))):
            one["MaxAggregationInterval"] = ec2._p(request, "MaxAggregationInterval") or "600"
        return answers[0]

    def describe(original: Handler, request: Request) -> Answer:
        tag = "maxAggregationInterval"
        texts = {key: f"<{tag}>{one['MaxAggregationInterval']}</{tag}>" for key, one in ec2._flow_logs.items()}
        return inserted(original(request), "flowLogId", texts)

    around(ec2._ACTION_MAP, "CreateFlowLogs", create)
    around(ec2._ACTION_MAP, "DescribeFlowLogs", describe)
