# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup stack_outputs on states that Terraform has written into a sealed estate, and the page that explains it."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_estate import ACCOUNT, REGION, Person

from tests.e2e.estate import allow, new_person
from tests.integration.seal.conftest import ESTATE, SETTINGS, STATE_BUCKET, Sealed
from tests.integration.terraform.client import environment

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "outputs.md"
ELSEWHERE = "us-east-1"  # what the environment says
SECRET = "hunter2-of-outputs"
TEMPLATE = "{{ lookup('pipe', 'false') }}"
# The stacks of the page, at keys that no other test writes.
KEYS = {name: f"outputs/{name}/terraform.tfstate" for name in ("network", "shop")}
STACKS = [{"name": name, "state_key": key} for name, key in KEYS.items()]
CODE: dict[str, dict[str, Any]] = {
    "network": {"vpc_id": {"value": "vpc-1"}, "subnets": {"value": ["subnet-1", "subnet-2"]}},
    "shop": {
        "addresses": {"value": ["192.0.2.10", "192.0.2.11"]},
        "url": {"value": "https://shop.example"},
        "ports": {"value": {"http": 80, "tls": True, "none": None}},
        "odd": {"value": TEMPLATE},
        "password": {"value": SECRET, "sensitive": True},
    },
}
SHOWN: dict[str, dict[str, Any]] = {
    "network": {"vpc_id": "vpc-1", "subnets": ["subnet-1", "subnet-2"]},
    "shop": {
        "addresses": ["192.0.2.10", "192.0.2.11"],
        "url": "https://shop.example",
        "ports": {"http": 80, "tls": True, "none": None},
        "odd": TEMPLATE,
    },
}


def blocks(language: str) -> list[str]:
    """The page's examples."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def page_policy() -> dict[str, Any]:
    """The page's policy of who reads, for this estate."""
    (text,) = blocks("json")
    policy: dict[str, Any] = json.loads(
        text.replace("gitops-111122223333-eu-central-1-state", STATE_BUCKET)
        .replace("111122223333", ACCOUNT)
        .replace('"gitops"', f'"{ESTATE}"')
    )
    return policy


@dataclass
class Reading:
    """The estate, with states in it, and who reads them: with the page's policy, spared by the seal or not."""

    sealed: Sealed
    reader: Person
    outsider: Person
    process: subprocess.Popen[str]  # of lookups.py

    def ask(self, terms: tuple[Any, ...], person: Person | None = None, **options: Any) -> dict[str, Any]:
        """Looks something up, with the estate's variables there, as with -e @your.yml."""
        person = person or self.reader
        options |= {
            "endpoint_url": person.endpoint_url,
            "access_key": person.access_key_id,
            "secret_key": person.secret_access_key,
        }
        variables = {"gitops_settings": "{{ theirs }}", "theirs": SETTINGS, "gitops_stacks": STACKS}
        assert self.process.stdin
        assert self.process.stdout
        asked = {"terms": terms, "options": options, "variables": variables}
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told

    def __call__(self, *terms: Any, **options: Any) -> list[Any]:
        """What a lookup returns."""
        told = self.ask(terms, **options)
        assert "found" in told, told
        found: list[Any] = told["found"]
        return found

    def refused(self, *terms: Any, **options: Any) -> str:
        """The error of a lookup that must fail."""
        told = self.ask(terms, **options)
        assert "error" in told, told
        assert SECRET not in told["error"]
        return str(told["error"])

    @contextmanager
    def calls(self, person: Person | None = None) -> Iterator[Counter[str]]:
        """Counts what somebody calls meanwhile."""
        aws, key = self.sealed.estate.aws, (person or self.reader).access_key_id
        counted: Counter[str] = Counter()
        before = len(aws.calls())
        yield counted
        time.sleep(0.2)  # a call is logged just after it is answered
        counted.update(call["action"] for call in aws.calls()[before:] if call["access_key_id"] == key)

    @contextmanager
    def reader_policy(self, policy: dict[str, Any]) -> Iterator[None]:
        """The reader with another policy."""
        iam = self.sealed.client("iam")
        put(iam, self.reader, policy)
        try:
            yield
        finally:
            put(iam, self.reader, page_policy())


def put(iam: Any, person: Person, policy: dict[str, Any]) -> None:
    iam.put_user_policy(UserName=person.name, PolicyName="own", PolicyDocument=json.dumps(policy))


@pytest.fixture(scope="module")
def reading(sealed: Sealed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reading]:
    """Terraform has applied both stacks; who reads has the page's policy."""
    for stack, outputs in CODE.items():
        directory = tmp_path_factory.mktemp(stack)
        code = {"terraform": {"backend": {"s3": {}}}, "output": outputs}
        (directory / "main.tf.json").write_text(json.dumps(code))
        root = {"AccessKeyId": sealed.root.access_key_id, "SecretAccessKey": sealed.root.secret_access_key}
        backend = {"bucket": STATE_BUCKET, "key": KEYS[stack], "region": REGION, "encrypt": "true"}
        backend["kms_key_id"] = sealed.key_arn
        settings = [f"-backend-config={name}={value}" for name, value in backend.items()]
        for command in (["init", *settings], ["apply", "-auto-approve"]):
            subprocess.run(
                ["terraform", *command, "-no-color", "-input=false"],
                cwd=directory,
                env=environment(sealed.root.endpoint_url, root),
                check=True,
                stdout=subprocess.DEVNULL,
            )
    put(sealed.client("iam"), sealed.reader, page_policy())
    outsider = new_person(sealed.administrator, "seal-outsider", page_policy())
    with subprocess.Popen(
        [sys.executable, Path(__file__).with_name("lookups.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "AWS_REGION": ELSEWHERE},
    ) as process:
        yield Reading(sealed, sealed.reader, outsider, process)


# What is returned, and what it costs


def test_all_outputs_of_some_stacks_with_one_call_each(reading: Reading) -> None:
    with reading.calls() as calls:
        assert reading("shop", "network") == [SHOWN["shop"], SHOWN["network"]]

    assert calls == {"sts:GetCallerIdentity": 1, "s3:GetObject": 2}


def test_names_may_be_a_list_and_come_twice(reading: Reading) -> None:
    assert reading(["network", "network"], output="vpc_id") == ["vpc-1", "vpc-1"]


def test_one_output_where_the_bucket_is_named(reading: Reading) -> None:
    with reading.calls() as calls:
        settings = {**SETTINGS, "state_bucket": STATE_BUCKET}
        assert reading("network", output="subnets", settings=settings) == [["subnet-1", "subnet-2"]]

    assert calls == {"s3:GetObject": 1}


def test_a_bucket_and_a_key_are_enough(reading: Reading) -> None:
    options = {"bucket": STATE_BUCKET, "state_key": KEYS["shop"], "region": REGION}

    with reading.calls() as calls:
        assert reading(output="url", **options) == ["https://shop.example"]

    assert calls == {"s3:GetObject": 1}


def test_with_a_bucket_the_estate_s_own_stacks_do_not_count(reading: Reading) -> None:
    # There is no such stack, and that of another estate may be called so.
    assert "there is no state" in reading.refused("dns", bucket=STATE_BUCKET, region=REGION)
    assert "there is no state" in reading.refused("shop", bucket=STATE_BUCKET, region=REGION)


def test_the_region_is_that_of_the_settings_or_of_the_option(reading: Reading) -> None:
    policy = page_policy()
    policy["Statement"][0]["Condition"] = {"StringEquals": {"aws:RequestedRegion": REGION}}

    with reading.reader_policy(policy):
        assert reading("network", output="vpc_id") == ["vpc-1"]  # the environment says another
        assert "no identity-based policy allows" in reading.refused("network", aws_region=ELSEWHERE)


# What is sensitive


def test_sensitive_outputs_only_on_request(reading: Reading) -> None:
    assert SECRET not in json.dumps(reading("shop", "network"))
    assert reading("shop", sensitive=True) == [{**SHOWN["shop"], "password": SECRET}]
    assert reading("shop", output="password", sensitive=True) == [SECRET]


def test_a_sensitive_output_by_its_name_is_refused(reading: Reading) -> None:
    assert reading.refused("shop", output="password").endswith(
        "Output password of stack shop is sensitive. Fix: give sensitive=true, and no_log: true to every task that "
        "sees the value"
    )


# Errors


def test_an_output_that_there_is_not(reading: Reading) -> None:
    assert reading.refused("shop", output="adresses").endswith(
        "stack shop has no output 'adresses' (did you mean addresses?). It has: addresses, odd, ports, url, password"
    )


def test_a_stack_that_there_is_not(reading: Reading) -> None:
    with reading.calls() as calls:
        told = reading.refused("netwrk")

    assert told.endswith("'netwrk' (did you mean network?) is not among the stacks. Allowed are: network, shop")
    assert not calls


def test_an_option_that_there_is_not(reading: Reading) -> None:
    assert reading.refused("shop", outputs="url").endswith("'outputs' (did you mean output?) is not among the options")


def test_a_state_that_there_is_not(reading: Reading) -> None:
    stacks = [{"name": "later"}]

    told = reading.refused("later", stacks=stacks)

    assert f"State of stack later, s3://{STATE_BUCKET}/later/terraform.tfstate: there is no state. Fix: " in told


@pytest.mark.parametrize("how", ["skip", "warn"])
def test_a_state_that_may_be_missing(reading: Reading, how: str) -> None:
    stacks = [{"name": "later"}, {"name": "network", "state_key": KEYS["network"]}]

    assert reading("later", stacks=stacks, on_missing=how) == [{}]
    assert reading(["later", "network"], stacks=stacks, on_missing=how, output="vpc_id") == [None, "vpc-1"]
    # All else is an error as ever.
    assert "no such bucket" in reading.refused("later", stacks=stacks, on_missing=how, bucket="no-such", region=REGION)


def test_a_bucket_that_there_is_not(reading: Reading) -> None:
    told = reading.refused("network", settings={**SETTINGS, "name": "unheard-of"})

    assert f"s3://unheard-of-{ACCOUNT}-{REGION}-state/{KEYS['network']}: there is no such bucket. Fix:" in told


@pytest.mark.parametrize("content", [SECRET.encode(), b'{"version": 3, "a": "%s"}' % SECRET.encode()])
def test_what_is_no_state(reading: Reading, content: bytes) -> None:
    key = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": reading.sealed.key_arn}
    reading.sealed.client("s3").put_object(Bucket=STATE_BUCKET, Key="broken/terraform.tfstate", Body=content, **key)

    told = reading.refused("broken", stacks=[])

    assert re.search(
        r"s3://\S+/broken/terraform.tfstate: it is not (JSON|a Terraform state of format version 4)$", told
    )


# Who may read


def test_who_is_not_spared_by_the_seal_is_told_so(reading: Reading) -> None:
    told = reading.refused("network", person=reading.outsider)

    assert "AccessDenied" not in told
    assert "OnlyKnownRead" in told
    assert "Fix: add the user or role to state_readers in gitops_settings, and have an installer run site.yml" in told


def test_who_has_no_policy_is_told_what_it_takes(reading: Reading) -> None:
    nothing = allow(["sts:GetCallerIdentity"], ["*"])

    with reading.reader_policy(nothing):
        told = reading.refused("network")

    assert "s3:GetObject" in told
    assert "kms:Decrypt" in told


@pytest.mark.parametrize("index", [0, 1, 2])
def test_no_statement_of_the_page_s_policy_is_too_many(reading: Reading, index: int) -> None:
    policy = copy.deepcopy(page_policy())
    action = policy["Statement"].pop(index)["Action"]

    with reading.reader_policy(policy):
        if action == "s3:ListBucket":
            assert reading("network", output="vpc_id") == ["vpc-1"]
            told = reading.refused("later", stacks=[])
        else:
            told = reading.refused("network")

    assert action in told


def test_a_state_under_a_key_that_one_may_not_use(reading: Reading) -> None:
    other = reading.sealed.client("kms").create_key()["KeyMetadata"]["Arn"]
    content = reading.sealed.client("s3").get_object(Bucket=STATE_BUCKET, Key=KEYS["network"])["Body"].read()
    reading.sealed.client("s3").put_object(
        Bucket=STATE_BUCKET,
        Key="foreign/terraform.tfstate",
        Body=content,
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=other,
    )

    told = reading.refused("foreign", stacks=[])

    assert "kms:Decrypt" in told


# The page, as a person follows it


def test_the_page_s_examples(reading: Reading, tmp_path: Path) -> None:
    one_value, later_plays, _settings, sensitive = map(yaml.safe_load, blocks("yaml"))
    digest = sha256(SECRET.encode()).hexdigest()
    used = {"ansible.builtin.assert": {"that": f"database_password | hash('sha256') == '{digest}'"}, "no_log": True}
    refused = {
        "ansible.builtin.debug": {"msg": "{{ lookup('gitops.aws.stack_outputs', 'shop', output='password') }}"},
        "ignore_errors": True,
    }
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [*one_value, *sensitive, used, refused]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([*later_plays, play], sort_keys=False))
    (tmp_path / "your.yml").write_text(yaml.safe_dump({"gitops_settings": SETTINGS, "gitops_stacks": STACKS}))

    estate = reading.sealed.estate
    run = estate.playbook_with(tmp_path / "your.yml", str(tmp_path / "play.yml"), reading.reader, "-vvv")

    assert not run.failed, run.output
    for address in SHOWN["shop"]["addresses"]:
        assert f"{address} is in vpc-1, behind https://shop.example" in run.output
    assert '"msg": "vpc-1"' in run.output
    assert "Output password of stack shop is sensitive" in run.text
    assert TEMPLATE in run.output
    assert SECRET not in run.output
    # One for each stack, however many hosts use what was read; then the three tasks that read by themselves.
    assert Counter(call["action"] for call in run.calls) == {"sts:GetCallerIdentity": 4, "s3:GetObject": 5}
