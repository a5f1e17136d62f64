# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read from states: managed ids, tokens, problems."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._findings.states import States, canonical, tokens_of

PROVIDER = 'provider["registry.terraform.io/hashicorp/aws"]'
KEY = "network/terraform.tfstate"


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

    assert states.tokens["vol-0123456789abcdef0"].attribute == "root_block_device.volume_id"
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
    ],
)
def test_what_is_not_understood_is_a_problem(content: bytes, why: str) -> None:
    states = States()
    states.add(KEY, content)

    assert [problem["why"] for problem in states.problems] == [why]
    assert not states.files


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
