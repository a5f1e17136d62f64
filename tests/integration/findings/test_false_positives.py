# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must never pass for unmanaged, each beside a twin that is: what explains the one is all that the other lacks.

One scan sees all of them, and finds the twins and nothing else.
"""

from __future__ import annotations

import io
import json
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._findings import attribution
from tests.integration.findings.callers import TERRAFORM, Region, session, user
from tests.integration.findings.states import Bucket, managed
from tests.integration.modules.harness import ACCOUNT, REGION, Account, unique

IMAGE = "ami-0123456789abcdef0"
SERVICE_TRUST = '{"Version": "2012-10-17", "Statement": []}'


@dataclass
class Scene:
    """The account that is scanned, the states beside it, and what people have decided.

    Attributes:
        others: ids of what cases had to make, and that is a finding, too.
        elsewhere: ids and ARNs of what another region has.
    """

    account: Account
    bucket: Bucket
    vpc: str = ""
    subnet: str = ""
    others: set[str] = field(default_factory=set)
    elsewhere: list[str] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    protected: list[str] = field(default_factory=list)

    @property
    def ec2(self) -> Any:
        return self.account.client("ec2")

    def state(self, kind: str, attributes: dict[str, Any], **more: Any) -> None:
        """Notes a resource in the stack's state."""
        self.resources.append(managed(kind, attributes, unique("r").replace("-", "_"), **more))

    def entry(self, **members: Any) -> None:
        self.entries.append({"owner": "alice", "reason": "agreed", "expires": "2099-01-01", **members})

    def new_vpc(self) -> str:
        made: str = self.ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
        return made

    def new_group(self, *tags: tuple[str, str], vpc: str = "") -> str:
        made: str = self.ec2.create_security_group(GroupName=unique("group"), Description="x", VpcId=vpc or self.vpc)[
            "GroupId"
        ]
        if tags:
            self.ec2.create_tags(Resources=[made], Tags=[{"Key": key, "Value": value} for key, value in tags])
        return made

    def new_bucket(self, prefix: str = "bucket") -> str:
        name = unique(prefix)
        self.account.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    def new_role(self, name: str = "", **more: Any) -> str:
        name = name or unique("role")
        self.account.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=SERVICE_TRUST, **more)
        return name

    def new_queue(self, by: Region | None = None) -> str:
        client = by.client("sqs") if by else self.account.client("sqs")
        url: str = client.create_queue(QueueName=unique("queue"))["QueueUrl"]
        return url

    def new_instance(self) -> dict[str, Any]:
        """An instance, with its root volume and its interface."""
        made = self.ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=self.subnet)["Instances"][0]
        found = self.ec2.describe_instances(InstanceIds=[made["InstanceId"]])["Reservations"][0]["Instances"]
        instance: dict[str, Any] = found[0]
        return instance

    def new_volume(self) -> str:
        made: str = self.ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"]
        return made

    def new_interface(self) -> str:
        made: str = self.ec2.create_network_interface(SubnetId=self.subnet)["NetworkInterface"]["NetworkInterfaceId"]
        return made

    def of_service(self, arn: str, service: str) -> None:
        """Lets an AWS service own it."""
        request = urllib.request.Request(
            f"{self.account.endpoint_url}/_local/service-owned",
            data=json.dumps({"arn": arn, "service": service}).encode(),
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10):
            pass


@dataclass(frozen=True)
class Case:
    """What the kept one must be called, and why; how both are made: (kept, twin), as ids."""

    verdict: str
    reason: str
    plant: Callable[[Scene], tuple[str, str]]
    twin: str = "unmanaged"


CASES: dict[str, Case] = {}
Plant = Callable[[Scene], tuple[str, str]]


def case(verdict: str, reason: str, twin: str = "unmanaged") -> Callable[[Plant], Plant]:
    def add(plant: Plant) -> Plant:
        CASES[plant.__name__] = Case(verdict, reason, plant, twin)
        return plant

    return add


def volume_of(instance: dict[str, Any]) -> str:
    found: str = instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    return found


def interface_of(instance: dict[str, Any]) -> str:
    found: str = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
    return found


def arn_of(kind: str, identity: str) -> str:
    return f"arn:aws:ec2:{REGION}:{ACCOUNT}:{kind}/{identity}"


# What AWS makes in every account


def of_default_vpc(scene: Scene, operation: str, result: str, identity: str, **wanted: Any) -> str:
    """The id of a part of the default VPC, which has these members."""
    vpc = default_vpc_of(scene)
    name = "attachment.vpc-id" if operation == "describe_internet_gateways" else "vpc-id"
    found = getattr(scene.ec2, operation)(Filters=[{"Name": name, "Values": [vpc]}])[result]
    return str(next(one[identity] for one in found if wanted.items() <= one.items()))


def default_vpc_of(scene: Scene) -> str:
    return str(next(one["VpcId"] for one in scene.ec2.describe_vpcs()["Vpcs"] if one["IsDefault"]))


@case("aws_default", "it is the default VPC")
def default_vpc(scene: Scene) -> tuple[str, str]:
    return default_vpc_of(scene), scene.new_vpc()


@case("aws_default", "it is the default subnet of its zone")
def default_subnet(scene: Scene) -> tuple[str, str]:
    kept = of_default_vpc(scene, "describe_subnets", "Subnets", "SubnetId", DefaultForAz=True)
    subnet = scene.ec2.create_subnet(VpcId=default_vpc_of(scene), CidrBlock="172.31.200.0/24")["Subnet"]
    return kept, subnet["SubnetId"]


@case("aws_default", "it is the default security group of its VPC")
def default_security_group(scene: Scene) -> tuple[str, str]:
    kept = of_default_vpc(scene, "describe_security_groups", "SecurityGroups", "GroupId", GroupName="default")
    return kept, scene.new_group(vpc=default_vpc_of(scene))


@case("aws_default", "it is the default ACL of its VPC")
def default_network_acl(scene: Scene) -> tuple[str, str]:
    kept = of_default_vpc(scene, "describe_network_acls", "NetworkAcls", "NetworkAclId", IsDefault=True)
    return kept, scene.ec2.create_network_acl(VpcId=default_vpc_of(scene))["NetworkAcl"]["NetworkAclId"]


@case("aws_default", "it is the main route table of its VPC")
def main_route_table(scene: Scene) -> tuple[str, str]:
    kept = of_default_vpc(scene, "describe_route_tables", "RouteTables", "RouteTableId")
    return kept, scene.ec2.create_route_table(VpcId=default_vpc_of(scene))["RouteTable"]["RouteTableId"]


@case("aws_default", "which AWS makes in every account")
def default_internet_gateway(scene: Scene) -> tuple[str, str]:
    kept = of_default_vpc(scene, "describe_internet_gateways", "InternetGateways", "InternetGatewayId")
    twin = scene.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    scene.ec2.attach_internet_gateway(InternetGatewayId=twin, VpcId=scene.vpc)
    return kept, twin


@case("aws_default", "it says what AWS's own set says")
def default_dhcp_options(scene: Scene) -> tuple[str, str]:
    kept = next(one["DhcpOptionsId"] for one in scene.ec2.describe_vpcs()["Vpcs"] if one["IsDefault"])
    options = [{"Key": "domain-name-servers", "Values": ["192.0.2.53"]}]
    return kept, scene.ec2.create_dhcp_options(DhcpConfigurations=options)["DhcpOptions"]["DhcpOptionsId"]


@case("aws_default", "it is the default security group of its VPC")
def default_group_of_a_vpc_that_is_a_finding(scene: Scene) -> tuple[str, str]:
    vpc = scene.new_vpc()
    found = scene.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
    return found[0]["GroupId"], vpc


@case("aws_default", "AWS Organizations made it")
def role_of_organizations(scene: Scene) -> tuple[str, str]:
    return scene.new_role("OrganizationAccountAccessRole"), scene.new_role("organization-account-access")


@case("aws_default", "AWS manages it, for one of its services")
def key_of_aws(scene: Scene) -> tuple[str, str]:
    kms = scene.account.client("kms")
    kept = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"]
    return kept, kms.create_key()["KeyMetadata"]["KeyId"]


# What AWS services make for their own use


@case("service_managed", "it is linked to an AWS service")
def service_linked_role(scene: Scene) -> tuple[str, str]:
    made = scene.account.client("iam").create_service_linked_role(AWSServiceName="batch.amazonaws.com")
    return made["Role"]["RoleName"], scene.new_role(Path="/service-role/")


@case("service_managed", "IAM Identity Center manages it")
def role_of_identity_center(scene: Scene) -> tuple[str, str]:
    path = "/aws-reserved/sso.amazonaws.com/eu-central-1/"
    kept = scene.new_role("AWSReservedSSO_Admin_0123456789abcdef", Path=path)
    return kept, scene.new_role("ReservedSSO_Admin", Path="/sso/")


@case("service_managed", "AWS Control Tower manages it")
def role_of_control_tower(scene: Scene) -> tuple[str, str]:
    return scene.new_role("AWSControlTowerExecution"), scene.new_role("ControlTowerExecution")


@case("service_managed", "AWS Control Tower manages it")
def another_role_of_control_tower(scene: Scene) -> tuple[str, str]:
    return scene.new_role("aws-controltower-ConfigRecorderRole"), scene.new_role("my-aws-controltower-role")


@case("service_managed", "CloudFormation StackSets manage it")
def role_of_stack_sets(scene: Scene) -> tuple[str, str]:
    return scene.new_role("stacksets-exec-0123456789abcdef"), scene.new_role("stacksets-admin")


def auto_scaling_group(scene: Scene) -> tuple[str, str, str]:
    """A group with an instance: its name, its ARN and the instance."""
    name, scaling = unique("group"), scene.account.client("autoscaling")
    template = scene.ec2.create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "t3.micro"}
    )["LaunchTemplate"]["LaunchTemplateId"]
    scaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=1,
        MaxSize=1,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "$Latest"},
        VPCZoneIdentifier=scene.subnet,
    )
    group = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]
    scene.state("aws_launch_template", {"id": template, "arn": arn_of("launch-template", template)})
    return name, group["AutoScalingGroupARN"], group["Instances"][0]["InstanceId"]


@case("service_managed", "an Auto Scaling group made it")
def instance_of_a_managed_auto_scaling_group(scene: Scene) -> tuple[str, str]:
    name, arn, instance = auto_scaling_group(scene)
    scene.state("aws_autoscaling_group", {"id": name, "arn": arn})
    return instance, scene.new_instance()["InstanceId"]


@case("service_managed", "an Auto Scaling group made it")
def instance_of_an_auto_scaling_group_that_is_a_finding(scene: Scene) -> tuple[str, str]:
    name, _arn, instance = auto_scaling_group(scene)
    return instance, name


@case("referenced", "it is a part of i-")
def root_volume_of_an_instance_of_a_group(scene: Scene) -> tuple[str, str]:
    name, arn, instance = auto_scaling_group(scene)
    scene.state("aws_autoscaling_group", {"id": name, "arn": arn})
    found = scene.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return volume_of(found), scene.new_volume()


@case("service_managed", "an AWS service made it")
def interface_of_a_nat_gateway(scene: Scene) -> tuple[str, str]:
    address = scene.ec2.allocate_address(Domain="vpc")["AllocationId"]
    gateway = scene.ec2.create_nat_gateway(SubnetId=scene.subnet, AllocationId=address)["NatGateway"]["NatGatewayId"]
    scene.state("aws_nat_gateway", {"id": gateway, "allocation_id": address})
    return requested(scene, gateway), scene.new_interface()


@case("service_managed", "an AWS service made it")
def interface_of_a_load_balancer(scene: Scene) -> tuple[str, str]:
    name = unique("lb")
    made = scene.account.client("elbv2").create_load_balancer(Name=name, Subnets=[scene.subnet], Type="network")
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]
    scene.state("aws_lb", {"id": arn, "arn": arn})
    return requested(scene, name), scene.new_interface()


@case("service_managed", "an AWS service made it")
def interface_of_an_endpoint(scene: Scene) -> tuple[str, str]:
    endpoint = scene.ec2.create_vpc_endpoint(
        VpcId=scene.vpc,
        ServiceName=f"com.amazonaws.{REGION}.ssm",
        VpcEndpointType="Interface",
        SubnetIds=[scene.subnet],
    )["VpcEndpoint"]["VpcEndpointId"]
    scene.state("aws_vpc_endpoint", {"id": endpoint})
    return requested(scene, endpoint), scene.new_interface()


def requested(scene: Scene, text: str) -> str:
    """The interface that AWS has made, with this in its description."""
    found = scene.ec2.describe_network_interfaces()["NetworkInterfaces"]
    return str(next(one["NetworkInterfaceId"] for one in found if text in one["Description"]))


@case("service_managed", "an AWS service runs it")
def instance_that_a_service_runs(scene: Scene) -> tuple[str, str]:
    kept, twin = scene.new_instance()["InstanceId"], scene.new_instance()["InstanceId"]
    scene.of_service(arn_of("instance", kept), "eks.amazonaws.com")
    return kept, twin


@case("service_managed", "an AWS service runs it")
def volume_that_a_service_runs(scene: Scene) -> tuple[str, str]:
    kept, twin = scene.new_volume(), scene.new_volume()
    scene.of_service(arn_of("volume", kept), "eks.amazonaws.com")
    return kept, twin


@case("service_managed", "an AWS service owns it")
def secret_of_a_service(scene: Scene) -> tuple[str, str]:
    secrets = scene.account.client("secretsmanager")
    kept, twin = (secrets.create_secret(Name=unique(name), SecretString="x")["ARN"] for name in ("rds!db", "db"))
    scene.of_service(kept, "rds.amazonaws.com")
    return kept, twin


@case("service_managed", "an AWS service manages it")
def rule_of_a_service(scene: Scene) -> tuple[str, str]:
    events, names = scene.account.client("events"), [unique("rule") for _ in range(2)]
    arns = [events.put_rule(Name=name, ScheduleExpression="rate(1 day)")["RuleArn"] for name in names]
    scene.of_service(arns[0], "securityhub.amazonaws.com")
    return arns[0], arns[1]


@case("service_managed", "EC2 Auto Scaling manages it")
def rule_of_auto_scaling(scene: Scene) -> tuple[str, str]:
    events = scene.account.client("events")
    pattern = json.dumps({"source": ["aws.ec2"]})
    kept, twin = (
        events.put_rule(Name=name, EventPattern=pattern)["RuleArn"]
        for name in ("AutoScalingManagedRule", "AutoScalingMyRule")
    )
    return kept, twin


@case("service_managed", "AWS Backup made it")
def snapshot_of_backup(scene: Scene) -> tuple[str, str]:
    volume = scene.new_volume()
    scene.state("aws_ebs_volume", {"id": volume})
    kept, twin = (scene.ec2.create_snapshot(VolumeId=volume)["SnapshotId"] for _ in range(2))
    tag = {"Key": "aws:backup:source-resource", "Value": arn_of("volume", volume)}
    scene.ec2.create_tags(Resources=[kept], Tags=[tag])
    return kept, twin


# What states have, or mention


@case("referenced", "a state mentions it")
def root_volume_of_a_managed_instance(scene: Scene) -> tuple[str, str]:
    instance = scene.new_instance()
    volume = volume_of(instance)
    scene.state("aws_instance", {"id": instance["InstanceId"], "root_block_device": [{"volume_id": volume}]})
    return volume, scene.new_volume()


@case("referenced", "a state mentions it")
def interface_of_a_managed_instance(scene: Scene) -> tuple[str, str]:
    instance = scene.new_instance()
    interface = interface_of(instance)
    scene.state("aws_instance", {"id": instance["InstanceId"], "primary_network_interface_id": interface})
    return interface, scene.new_interface()


@case("referenced", "it is a part of i-")
def volume_that_no_attribute_of_the_instance_names(scene: Scene) -> tuple[str, str]:
    instance = scene.new_instance()
    scene.state("aws_instance", {"id": instance["InstanceId"]})
    return volume_of(instance), scene.new_volume()


@case("referenced", "it is a part of i-")
def interface_that_no_attribute_of_the_instance_names(scene: Scene) -> tuple[str, str]:
    instance = scene.new_instance()
    scene.state("aws_instance", {"id": instance["InstanceId"]})
    return interface_of(instance), scene.new_interface()


@case("referenced", "it is a part of i-")
def root_volume_of_an_instance_that_is_a_finding(scene: Scene) -> tuple[str, str]:
    instance = scene.new_instance()
    return volume_of(instance), instance["InstanceId"]


@case("referenced", "a state mentions it")
def what_a_data_source_reads(scene: Scene) -> tuple[str, str]:
    kept, twin = scene.new_vpc(), scene.new_vpc()
    scene.state("aws_vpc", {"id": kept}, mode="data")
    return kept, twin


@case("referenced", "a state mentions it")
def what_an_attribute_names(scene: Scene) -> tuple[str, str]:
    kept, twin = scene.new_group(), scene.new_group()
    instance = scene.new_instance()["InstanceId"]
    scene.state("aws_instance", {"id": instance, "vpc_security_group_ids": [kept]})
    return kept, twin


@case("referenced", "a state mentions it")
def what_a_policy_names(scene: Scene) -> tuple[str, str]:
    kept, twin = scene.new_role(), scene.new_role()
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{ACCOUNT}:role/{kept}"}
    queue = scene.new_queue()
    scene.state("aws_sqs_queue", {"id": queue, "policy": json.dumps({"Statement": [statement]})})
    return kept, twin


@case("referenced", "a state names it")
def key_pair_of_a_managed_instance(scene: Scene) -> tuple[str, str]:
    names = [unique("key") for _ in range(2)]
    for name in names:
        scene.ec2.create_key_pair(KeyName=name)
    scene.state("aws_instance", {"id": scene.new_instance()["InstanceId"], "key_name": names[0]})
    return names[0], names[1]


@case("referenced", "something that a state manages makes it")
def log_group_of_a_managed_function(scene: Scene) -> tuple[str, str]:
    names, content = [unique("function") for _ in range(2)], io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): pass")
    logs, role = scene.account.client("logs"), scene.new_role()
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    scene.state("aws_iam_role", {"id": role, "arn": arn})
    made = scene.account.client("lambda").create_function(
        FunctionName=names[0],
        Runtime="python3.13",
        Handler="index.handler",
        Role=arn,
        Code={"ZipFile": content.getvalue()},
    )
    scene.state("aws_lambda_function", {"id": names[0], "arn": made["FunctionArn"], "function_name": names[0]})
    for name in names:
        logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
    return f"/aws/lambda/{names[0]}", f"/aws/lambda/{names[1]}"


@case("managed", "a state manages it")
def what_a_state_of_a_workspace_has(scene: Scene) -> tuple[str, str]:
    kept, twin = scene.new_vpc(), scene.new_vpc()
    scene.bucket.put("env:/staging/network/terraform.tfstate", ("aws_vpc", {"id": kept}))
    return kept, twin


@case("managed", "a state manages it")
def what_is_deposed(scene: Scene) -> tuple[str, str]:
    kept, twin = scene.new_volume(), scene.new_volume()
    instances = [{"schema_version": 0, "deposed": "0a1b2c3d", "attributes": {"id": kept}}]
    scene.state("aws_ebs_volume", {}, instances=instances)
    return kept, twin


@case("managed", "a state manages it")
def what_is_tainted(scene: Scene) -> tuple[str, str]:
    kept, twin = scene.new_volume(), scene.new_volume()
    instances = [{"schema_version": 0, "status": "tainted", "attributes": {"id": kept}}]
    scene.state("aws_ebs_volume", {}, instances=instances)
    return kept, twin


@case("managed", "a state manages it")
def what_a_module_has(scene: Scene) -> tuple[str, str]:
    kept, twin = scene.new_role(), scene.new_role()
    instances = [{"schema_version": 0, "index_key": "a", "attributes": {"id": kept}}]
    scene.state("aws_iam_role", {}, module='module.roles["x"]', instances=instances)
    return kept, twin


@case("managed", "a state manages it")
def what_shares_its_name_with_another_type(scene: Scene) -> tuple[str, str]:
    name = unique("shared")
    scene.new_role(name)
    scene.state("aws_iam_role", {"id": name, "name": name})
    arn = scene.account.client("sns").create_topic(Name=name)["TopicArn"]
    return name, arn


# What other tools make


@case("other_iac", "a CloudFormation stack made it")
def resource_of_a_cloudformation_stack(scene: Scene) -> tuple[str, str]:
    template = {"Resources": {"Group": {"Type": "AWS::EC2::SecurityGroup", "Properties": {
        "GroupDescription": "x", "VpcId": scene.vpc}}}}  # fmt: skip
    cloudformation, name = scene.account.client("cloudformation"), unique("stack")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps(template))
    cloudformation.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})
    kept = cloudformation.describe_stack_resources(StackName=name)["StackResources"][0]["PhysicalResourceId"]
    return kept, scene.new_group(("cloudformation:stack-name", name))


@case("other_iac", "an EKS cluster made it")
def resource_of_an_eks_cluster(scene: Scene) -> tuple[str, str]:
    return scene.new_group(("aws:eks:cluster-name", "one")), scene.new_group(("cluster-name", "one"))


@case("other_iac", "a Kubernetes cluster made it or uses it")
def resource_of_a_controller_in_a_cluster(scene: Scene) -> tuple[str, str]:
    return scene.new_group(("kubernetes.io/cluster/one", "owned")), scene.new_group(("kubernetes.io/role/elb", "1"))


@case("other_iac", "Elastic Beanstalk made it")
def resource_of_beanstalk(scene: Scene) -> tuple[str, str]:
    return scene.new_group(("elasticbeanstalk:environment-name", "a")), scene.new_group(("beanstalk", "a"))


@case("other_iac", "Service Catalog made it")
def resource_of_service_catalog(scene: Scene) -> tuple[str, str]:
    tag = "aws:servicecatalog:provisioningPrincipalArn"
    return scene.new_group((tag, "arn:aws:iam::1:user/a")), scene.new_group(("servicecatalog", "a"))


@case("foreign_terraform", "a Terraform that is not the pipeline's made it")
def resource_of_another_terraform(scene: Scene) -> tuple[str, str]:
    keys = user(scene.account, "*", name="by-hand")
    scene.others.add("by-hand")
    kept = scene.new_queue(Region(scene.account, keys, agent=TERRAFORM))
    return kept, scene.new_queue(Region(scene.account, keys))


@case("leaked_by_pipeline", "made it, and no state has it")
def resource_of_an_apply_that_failed(scene: Scene) -> tuple[str, str]:
    # The other role's name only resembles the pipeline's.
    keys = {name: session(scene.account, name) for name in ("gitops-network-apply", "gitops-network-applier")}
    scene.others.update(keys)
    kept, twin = (scene.new_queue(Region(scene.account, one)) for one in keys.values())
    return kept, twin


@case("ignored", "made by a trusted creator")
def resource_of_a_trusted_creator(scene: Scene) -> tuple[str, str]:
    made = []
    for name in ("trusted-alice", "alice"):
        made.append(scene.new_queue(Region(scene.account, user(scene.account, "*", name=name))))
        scene.others.add(name)
    return made[0], made[1]


# What people protect, or have decided


@case("protected", "it is of the foundation of estate gitops")
def foundation_by_tag(scene: Scene) -> tuple[str, str]:
    return scene.new_group(("gitops:estate", "gitops")), scene.new_group(("gitops", "estate"))


@case("protected", "the pipelines, or who runs them, need it")
def foundation_by_arn(scene: Scene) -> tuple[str, str]:
    scene.protected.append("arn:aws:s3:::gitops-artifacts-*")
    return scene.new_bucket("gitops-artifacts"), scene.new_bucket("my-gitops-artifacts")


@case("protected", "somebody protects it")
def protected_by_a_tag(scene: Scene) -> tuple[str, str]:
    return scene.new_group(("gitops:protect", "")), scene.new_group(("protect", "true"))


@case("protected", "somebody protects it")
def protected_until_a_day(scene: Scene) -> tuple[str, str]:
    return scene.new_group(("gitops:protect", "2099-01-01")), scene.new_group(("gitops:protect", "2020-01-01"))


@case("protected", "agreed (protect until 2099-01-01, alice)")
def protected_by_an_entry(scene: Scene) -> tuple[str, str]:
    kept, twin = scene.new_bucket("kept"), scene.new_bucket("not-kept")
    scene.entry(kind="protect", match={"arn": "arn:aws:s3:::kept-*"})
    return kept, twin


@case("ignored", "agreed (ignore until 2099-01-01, alice)")
def ignored_by_an_entry(scene: Scene) -> tuple[str, str]:
    kept, twin = scene.new_bucket("ignored"), scene.new_bucket("ignored-no-more")
    scene.entry(kind="ignore", match={"type": "aws_s3_bucket", "name": kept})
    scene.entry(kind="ignore", match={"arn": f"arn:aws:s3:::{twin}"}, expires="2020-01-01")
    return kept, twin


@case("ignored", "agreed (baseline until 2099-01-01, alice)")
def accepted_by_the_baseline(scene: Scene) -> tuple[str, str]:
    kept, twin = scene.new_queue(), scene.new_queue()
    queue = kept.rpartition("/")[2]
    scene.entry(kind="baseline", match={"arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}", "region": REGION})
    return kept, twin


@case("protected", "the pipelines, or who runs them, need it")
def bucket_of_the_states(scene: Scene) -> tuple[str, str]:
    return scene.bucket.name, scene.new_bucket("states-of-nobody")


@dataclass
class Scanned:
    """What the scan said, and which case made what."""

    scene: Scene
    result: dict[str, Any]
    made: dict[str, tuple[str, str]]

    def one(self, identity: str) -> dict[str, Any]:
        resources: list[dict[str, Any]] = self.result["resources"]
        found = [each for each in resources if identity in (each["id"], each["arn"])]
        assert len(found) == 1, (identity, found)
        return found[0]


@pytest.fixture(scope="module")
def scanned(account: Account) -> Scanned:
    """All cases planted, and one scan of them."""
    scene = Scene(account, Bucket.open(account))
    scene.others.update({"onlooker"})
    scene.vpc = scene.new_vpc()
    scene.subnet = scene.ec2.create_subnet(VpcId=scene.vpc, CidrBlock="10.20.1.0/24")["Subnet"]["SubnetId"]
    scene.state("aws_vpc", {"id": scene.vpc})
    scene.state("aws_subnet", {"id": scene.subnet})
    made = {name: one.plant(scene) for name, one in CASES.items()}
    there, name = Region(account, account.onlooker, "eu-west-1"), unique("elsewhere")
    there.client("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    topic = there.client("sns").create_topic(Name=name)["TopicArn"]
    scene.elsewhere += [name, topic, there.client("ec2").create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]]
    scene.bucket.put("network", *scene.resources)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attribution, "REQUESTS_PER_SECOND", 10**6)
        found = account.run(
            "unmanaged_resources_info",
            **scene.bucket.arguments(
                entries=scene.entries,
                protected_arns=scene.protected,
                pipeline_roles=[f"arn:aws:iam::{ACCOUNT}:role/gitops/gitops-*-apply"],
                trusted_creators=[f"arn:aws:iam::{ACCOUNT}:user/trusted-*"],
                attribution_calls=1000,
                breadth=False,
                verdicts=["managed", *OTHERS],
            ),
        )
    return Scanned(scene, found, made)


OTHERS = (
    "incomplete aws_default service_managed referenced other_iac protected ignored out_of_scope too_young "
    "foreign_terraform leaked_by_pipeline unmanaged"
).split()


@pytest.mark.parametrize("name", CASES)
def test_what_is_explained_is_not_unmanaged(scanned: Scanned, name: str) -> None:
    seen = scanned.one(scanned.made[name][0])
    assert (seen["verdict"], seen["reason"]) == (CASES[name].verdict, seen["reason"])
    assert CASES[name].reason in seen["reason"]
    assert seen["evidence"]


@pytest.mark.parametrize("name", CASES)
def test_its_twin_is(scanned: Scanned, name: str) -> None:
    seen = scanned.one(scanned.made[name][1])
    assert (seen["verdict"], seen["reason"]) == (CASES[name].twin, "no state has it, and nothing explains it")


def test_other_regions_are_not_looked_at(scanned: Scanned) -> None:
    shown = {identity for each in scanned.result["resources"] for identity in (each["id"], each["arn"])}
    assert set(scanned.scene.elsewhere).isdisjoint(shown)


def test_nothing_else_is_found(scanned: Scanned) -> None:
    twins = {twin for _kept, twin in scanned.made.values()} | scanned.scene.others
    found = [each for each in scanned.result["resources"] if each["verdict"] == "unmanaged"]
    assert [each for each in found if not {each["id"], each["arn"]} & twins] == []
    assert (scanned.result["complete"], scanned.result["problems"]) == (True, [])
    assert scanned.result["ghosts"] == []
