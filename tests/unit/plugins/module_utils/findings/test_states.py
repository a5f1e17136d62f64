# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from states: managed ids, tokens, problems."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._findings import catalogue
from ansible_collections.gitops.aws.plugins.module_utils._findings import states as module
from ansible_collections.gitops.aws.plugins.module_utils._findings.states import (
    AWSCC,
    States,
    Where,
    canonical,
    tokens_of,
)

PROVIDER = 'provider["registry.terraform.io/hashicorp/aws"]'
KEY = "network/terraform.tfstate"
LACKS = "it lacks what a Terraform state of format version 4 has"


def state(*resources: dict[str, Any], **more: Any) -> bytes:
    """A state with these resources."""
    content = {"version": 4, "serial": 7, "lineage": "l-1", "terraform_version": "1.11.4", "resources": resources}
    return json.dumps({**content, **more}).encode()


def resource(kind: str, *instances: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A resource with instances, each given by its attributes."""
    made = [{"attributes": attributes} for attributes in instances]
    return {"mode": "managed", "type": kind, "name": "main", "provider": PROVIDER, "instances": made, **more}


def read(*resources: dict[str, Any], **more: Any) -> States:
    """What is known of a bucket with one state."""
    states = States()
    states.add(KEY, state(*resources, **more), "etag", "version")
    return states


VPC = {"id": "vpc-0123456789abcdef0", "arn": "arn:aws:ec2:eu-central-1:111122223333:vpc/vpc-0123456789abcdef0"}


def test_managed_is_known_by_its_type_and_id_and_by_its_arn() -> None:
    states = read(resource("aws_vpc", VPC))

    (instance,) = states.managed["aws_vpc", VPC["id"]]
    assert instance == states.arns[VPC["arn"]]
    assert states.instances() == [instance]
    assert instance.where.words() == f"aws_vpc.main in {KEY}"
    assert instance.region == "eu-central-1"
    assert states.files[KEY].managed == 1
    assert states.files[KEY].serial == 7
    assert not states.problems


def test_the_same_name_in_another_region_is_another_resource() -> None:
    arn = "arn:aws:logs:eu-west-1:111122223333:log-group:app"
    states = read(resource("aws_cloudwatch_log_group", {"id": "app", "arn": arn}))
    there, here = ("aws_cloudwatch_log_group", "app", "eu-west-1"), ("aws_cloudwatch_log_group", "app", "eu-central-1")

    assert states.manager(*there, "")
    assert states.manager(*here, "") is None
    assert states.manager(*here, arn)
    assert read(resource("aws_cloudwatch_log_group", {"id": "app"})).manager(*here, "")


def test_deposed_and_tainted_are_managed() -> None:
    deposed = {"attributes": VPC, "deposed": "abcd"}
    tainted = {"attributes": {"id": "vpc-0123456789abcdef1"}, "status": "tainted"}
    states = read({**resource("aws_vpc"), "instances": [deposed, tainted]})

    assert ("aws_vpc", VPC["id"]) in states.managed
    assert ("aws_vpc", "vpc-0123456789abcdef1") in states.managed


def test_data_sources_are_mentioned_not_managed() -> None:
    states = read(resource("aws_vpc", VPC, mode="data"))

    assert not states.managed
    assert states.tokens[VPC["id"]].words() == f"data.aws_vpc.main.id in {KEY}"


def test_resources_of_other_providers_are_mentioned_not_managed() -> None:
    states = read(resource("helm_release", VPC, provider='provider["registry.terraform.io/hashicorp/helm"]'))

    assert not states.managed
    assert VPC["id"] in states.tokens


@pytest.mark.parametrize(
    "provider",
    [
        'provider["registry.terraform.io/hashicorp/aws"]',
        'provider["registry.opentofu.org/hashicorp/aws"]',
        'module.a.provider["registry.terraform.io/hashicorp/aws"].west',
        'provider["registry.terraform.io/hashicorp/awscc"]',
    ],
)
def test_aws_by_any_registry_and_alias(provider: str) -> None:
    assert read(resource("aws_vpc", VPC, provider=provider)).managed


def test_every_id_anywhere_in_a_state_is_a_token() -> None:
    policy = json.dumps({"Resource": ["arn:aws:s3:::one/*", "arn:aws:sqs:eu-central-1:111122223333:two"]})
    attributes = {
        "id": "i-0123456789abcdef0",
        "root_block_device": [{"volume_id": "vol-0123456789abcdef0"}],
        "policy": policy,
        "logging_config": [{"log_group": "/aws/lambda/one"}],
        "user_data": "attach eni-0123456789abcdef0 to sg-01234567; not sg-xyz",
    }
    states = read(resource("aws_instance", attributes), outputs={"queue": {"value": "https://sqs.example/1/two"}})

    assert states.tokens["vol-0123456789abcdef0"].attribute == "root_block_device"
    assert {
        "arn:aws:sqs:eu-central-1:111122223333:two",
        "arn:aws:s3:::one/*",
        "/aws/lambda/one",
        "eni-0123456789abcdef0",
        "sg-01234567",
        "https://sqs.example/1/two",
    } <= set(states.tokens)


def test_arn_in_an_arn() -> None:
    function = "arn:aws:lambda:eu-central-1:111122223333:function:one"
    uri = f"arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/{function}/invocations"

    assert tokens_of(uri) == [uri, function]


def test_short_names_are_no_tokens() -> None:
    assert tokens_of("app") == []
    assert tokens_of("default") == []
    assert tokens_of("my-group-name") == []


def test_log_group_of_a_managed_function_is_made_beside_it() -> None:
    states = read(resource("aws_lambda_function", {"id": "one", "function_name": "one"}))

    assert ("aws_cloudwatch_log_group", "/aws/lambda/one") in states.beside


REGION_OF = "eu-central-1:111122223333"
SECRET = f"arn:aws:secretsmanager:{REGION_OF}:secret:db-AbCdEf"
TABLE = f"arn:aws:dynamodb:{REGION_OF}:table/orders"
GROUP = f"arn:aws:logs:{REGION_OF}:log-group:/ecs/app"
BALANCER = f"arn:aws:elasticloadbalancing:{REGION_OF}:loadbalancer/app/web/50dc6c495c0c9188"
QUEUE = f"arn:aws:sqs:{REGION_OF}:app-orders"
SCALING = f"arn:aws:autoscaling:{REGION_OF}:autoScalingGroup:1a2b:autoScalingGroupName/web"


def mentioning(text: str) -> States:
    """A state with a text in a policy, which is in an attribute."""
    return read(resource("aws_iam_policy", {"id": "x", "policy": json.dumps({"Resource": [text]})}))


@pytest.mark.parametrize(
    ("text", "arn"),
    [
        (f"{SECRET}:password::", SECRET),
        (SECRET.removesuffix("-AbCdEf"), SECRET),
        (f"{SECRET[:-6]}??????", SECRET),
        (f"{SECRET[:-6]}*", SECRET),
        (f"{TABLE}/stream/2026-01-01T00:00:00.000", TABLE),
        (f"{TABLE}/index/*", TABLE),
        (f"{GROUP}:log-stream:one", GROUP),
        (f"{GROUP[:-3]}*:*", GROUP),
        ("arn:aws:s3:::data/*", "arn:aws:s3:::data"),
        ("arn:aws:s3:::data/a/key.txt", "arn:aws:s3:::data"),
        ("arn:aws:s3:::da*/key", "arn:aws:s3:::data"),
        ("arn:*:s3:::data/*", "arn:*:s3:::data"),
        ("arn:*:s3:::data*", "arn:aws:s3:::data"),
        (f"arn:aws:sns:{REGION_OF}:alarms:6b0e71bd", f"arn:aws:sns:{REGION_OF}:alarms"),
        (f"{BALANCER.replace(':loadbalancer/', ':listener/')}/f2f7dc8efc522ab2", BALANCER),
        (f"arn:aws:lambda:{REGION_OF}:function:one:live", f"arn:aws:lambda:{REGION_OF}:function:one"),
        ("arn:aws:sqs:*:*:app-*", QUEUE),
        ("arn:aws:sqs:*:111122223333:app-orders", QUEUE),
        ("send to https://sqs.eu-central-1.amazonaws.com/111122223333/app-orders, please", QUEUE),
        (SCALING.replace("1a2b", "*"), SCALING),
        (f"arn:aws:ecr:{REGION_OF}:repository/app/*", f"arn:aws:ecr:{REGION_OF}:repository/app"),
        ("arn:aws:iam::111122223333:role/app-*", "arn:aws:iam::111122223333:role/app-one"),
    ],
)
def test_resource_is_meant_by_more_and_by_less_than_its_arn(text: str, arn: str) -> None:
    assert mentioning("nothing").mention(arn) is None
    assert mentioning(text).mention(arn) == Where("aws_iam_policy.main", KEY, "policy")


@pytest.mark.parametrize(
    ("text", "arn"),
    [
        ("*", QUEUE),
        ("arn:aws:sqs:*:*:*", QUEUE),
        ("arn:aws:*:*:111122223333:app-orders", QUEUE),
        ("arn:aws:s3:::*", "arn:aws:s3:::data"),
        ("arn:aws:s3:::*/*", "arn:aws:s3:::data"),
        (f"{TABLE[:-6]}*", TABLE),
        (f"{SECRET[:-9]}*", SECRET),
        (f"{SECRET[:-7]}b*", SECRET),
        (f"arn:aws:logs:{REGION_OF}:*", GROUP),
        (f"arn:aws:logs:{REGION_OF}:log-group:/aws/lambda/*:*", f"arn:aws:logs:{REGION_OF}:log-group:/aws/lambda/a"),
        (f"arn:aws:elasticloadbalancing:{REGION_OF}:loadbalancer/app/*", BALANCER),
        ("arn:aws:sqs:us-east-1:*:app-*", QUEUE),
        (SCALING.replace("1a2b:autoScalingGroupName/web", "*:autoScalingGroupName/*"), SCALING),
        (f"{SECRET[:-7]}-base-XyZabc", SECRET),
    ],
)
def test_what_means_all_of_a_kind_or_others_explains_nothing(text: str, arn: str) -> None:
    assert mentioning(text).mention(arn) is None


def test_globs_of_all_states_count() -> None:
    states = read()
    for number in range(2):
        states.merge(mentioning(f"arn:aws:sqs:*:*:app{number}-*"))

    assert states.mention(f"arn:aws:sqs:{REGION_OF}:app0-one")
    assert states.mention(f"arn:aws:sqs:{REGION_OF}:app1-one")


def test_thousands_of_globs_are_not_tried_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    states = read(
        resource("aws_iam_policy", {"policy": json.dumps([f"arn:aws:sqs:*:*:app{n}-*" for n in range(10, 1000)])})
    )
    tried: list[str] = []
    real = module._compiled

    def compiled(pattern: str) -> re.Pattern[str]:
        tried.append(pattern)
        return real(pattern)

    monkeypatch.setattr(module, "_compiled", compiled)

    assert states.mention(f"arn:aws:sqs:{REGION_OF}:app500-one")
    assert tried == ["arn:aws:sqs:*:*:app500-*"]


def test_json_in_texts_is_looked_into() -> None:
    options = {"awslogs-group": "/ecs/app", "awslogs-stream-prefix": "web"}
    nested = json.dumps({"inner": json.dumps(["/ecs/inner"])})
    definitions = "\n" + json.dumps([{"logConfiguration": {"options": options}, "environment": [nested]}])
    states = States(wanted=frozenset({"awslogs-stream-prefix"}))
    states.add(KEY, state(resource("aws_ecs_task_definition", {"id": "app", "container_definitions": definitions})))

    place = Where("aws_ecs_task_definition.main", KEY, "container_definitions")
    assert states.tokens["/ecs/app"] == place
    assert states.tokens["/ecs/inner"] == place
    assert states.names["awslogs-stream-prefix", "web"] == place


def test_text_that_only_begins_as_json_is_a_text() -> None:
    assert "vpc-0123456789abcdef0" in read(resource("aws_vpc", {"id": "{vpc-0123456789abcdef0"})).tokens
    deep = read(resource("aws_vpc", {"id": "[" * 9999 + VPC["id"]}))
    assert VPC["id"] in deep.tokens
    assert not deep.problems


def test_state_that_nobody_could_walk_is_a_problem() -> None:
    """What a parser takes may be too deep to be looked through: that depends on the version of Python, and on a limit
    that libraries of other tests raise."""
    states, limit = States(), sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    try:
        add_deep_state(states)
    finally:
        sys.setrecursionlimit(limit)

    assert [problem["what"] for problem in states.problems] == [f"state {KEY}"]
    assert not states.files


def add_deep_state(states: States) -> None:
    states.add(KEY, state(resource("aws_vpc", {"id": "@"})).replace(b'"@"', b"[" * 5000 + b"]" * 5000))


@pytest.mark.parametrize(
    ("kind", "attributes", "name"),
    [
        ("aws_db_instance", {"identifier": "main"}, "/aws/rds/instance/main/postgresql"),
        ("aws_rds_cluster", {"cluster_identifier": "main"}, "/aws/rds/cluster/main/error"),
        ("aws_api_gateway_rest_api", {"id": "abc123"}, "API-Gateway-Execution-Logs_abc123/prod"),
        ("aws_apigatewayv2_api", {"id": "abc123"}, "/aws/apigateway/abc123/prod"),
        ("aws_ecs_cluster", {"name": "main"}, "/aws/ecs/containerinsights/main/performance"),
        ("aws_eks_cluster", {"name": "main"}, "/aws/containerinsights/main/application"),
        ("aws_eks_cluster", {"name": "main"}, "/aws/eks/main/cluster"),
    ],
)
def test_log_groups_that_services_write_for_what_is_managed(kind: str, attributes: dict[str, Any], name: str) -> None:
    states = States()
    states.merge(read(resource(kind, attributes)))

    assert states.made_beside("aws_cloudwatch_log_group", name) == Where(f"{kind}.main", KEY)
    others = {value: f"{value}-other" for value in attributes.values()}
    for value, other in others.items():
        assert states.made_beside("aws_cloudwatch_log_group", name.replace(value, other)) is None
    assert states.made_beside("aws_lambda_function", name) is None


def test_awscc_is_known_by_the_types_of_aws() -> None:
    provider = 'provider["registry.terraform.io/hashicorp/awscc"]'
    states = read(
        resource("awscc_ssm_parameter", {"id": "flat"}, provider=provider),
        resource("awscc_rds_db_instance", {"id": "main"}, provider=provider),
    )

    found = states.manager("aws_ssm_parameter", "flat", "eu-central-1", "")
    assert found
    assert found.where.words() == f"awscc_ssm_parameter.main in {KEY}"
    assert ("aws_db_instance", "main") not in states.managed  # its id is another one in the provider aws
    assert set(AWSCC.values()) <= set(catalogue.ALL)


def test_arns_are_compared_without_what_aws_adds() -> None:
    group = "arn:aws:logs:eu-central-1:111122223333:log-group:/a"
    function = "arn:aws:lambda:eu-central-1:111122223333:function:one"

    assert canonical(f"{group}:*") == group
    assert canonical(f"{function}:7") == function
    assert canonical(function) == function


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "it is not JSON"),
        (json.dumps({"version": 3, "lineage": "x"}).encode(), "its format has version 3; only 4 is understood"),
        (state({"mode": "managed"}), "it lacks what a Terraform state of format version 4 has"),
        (json.dumps({"lineage": "x"}).encode(), "its format has version null; only 4 is understood"),
        (json.dumps({"version": "hunter2"}).encode(), "its format has version of another kind; only 4 is understood"),
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"[]", LACKS),
        (state(serial="hunter2"), LACKS),
        (state(serial=None), LACKS),
        (state(lineage=None), LACKS),
        (state(lineage=["hunter2"]), LACKS),
        (state(outputs=["hunter2"]), LACKS),
        (state(outputs={"a": "hunter2"}), LACKS),
        (state("hunter2"), LACKS),  # type: ignore[arg-type]
        (state(resource("aws_vpc", VPC, provider=None)), LACKS),
        (state(resource("aws_vpc", VPC, type=["hunter2"])), LACKS),
        (state(resource("aws_vpc", ["hunter2"])), LACKS),  # type: ignore[arg-type]
        (state(resource("aws_vpc", [])), LACKS),  # type: ignore[arg-type]
    ],
)
def test_what_is_not_understood_is_a_problem(content: bytes, why: str) -> None:
    """And no value is in the words."""
    states = States()
    states.add(KEY, content)

    assert [problem["why"] for problem in states.problems] == [why]
    assert not states.files


@pytest.mark.parametrize("key", ["prod/network", "prod/network.json", "network.v2", ".tfstate", "prod.d/zip"])
def test_damaged_object_that_may_be_a_state_is_a_problem(key: str) -> None:
    states = States()
    states.add(key, b'{"version":4,"lineage":')

    assert [problem["what"] for problem in states.problems] == [f"state {key}"]


@pytest.mark.parametrize("key", ["source.zip", "a/notes.TXT", "main.tf", "a.b/index.html"])
def test_objects_of_other_kinds_are_no_states(key: str) -> None:
    states = States()
    states.add(key, b"PK\x05\x06\xff")

    assert not states.problems


def test_encrypted_state_cannot_be_understood() -> None:
    states = States()
    states.add("prod/network", json.dumps({"encrypted_data": "aGk=", "encryption_version": "v0"}).encode())

    assert [problem["what"] for problem in states.problems] == ["state prod/network"]


def test_keys_of_maps_are_not_shown() -> None:
    """They may be secrets."""
    value = {"hunter2-key": "vpc-0123456789abcdef0", "json": json.dumps({"hunter2-key": "sg-0123456789abcdef0"})}
    states = read(
        resource("terraform_data", {"output": {"value": value}}),
        resource("aws_vpc", {"tags.hunter2-key": "eni-0123456789abcdef0"}),
        outputs={"all": {"value": {"hunter2-key": "i-0123456789abcdef0"}}},
    )

    assert states.tokens["vpc-0123456789abcdef0"].words() == f"terraform_data.main.output in {KEY}"
    assert states.tokens["sg-0123456789abcdef0"].attribute == "output"
    assert states.tokens["eni-0123456789abcdef0"].attribute == "tags"
    assert states.tokens["i-0123456789abcdef0"].words() == f"output.all in {KEY}"
    assert "hunter2" not in repr(states)


def test_states_are_known_by_what_is_in_them_not_by_their_keys() -> None:
    states = States()
    states.add("anything", state(resource("aws_vpc", VPC)))
    states.add("notes.txt", b"hello")
    states.add("settings.json", b'{"version": 1}')

    assert set(states.files) == {"anything"}
    assert not states.problems


def test_nothing_of_a_value_is_kept() -> None:
    states = read(resource("aws_db_instance", {"id": "db-ABC", "password": "hunter2hunter2", "arn": ""}))

    assert "hunter2" not in repr(states)
