# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""drift.yml, adopt.yml and baseline.yml as people and builds call them: from a directory of their own, with relative
paths, with a reviewed file that looks like a template, and where something is missing or fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_estate import ACCOUNT, REGION, ROOT, LocalAws, Person

from ansible_collections.gitops.aws.plugins.module_utils._estate.drift import drift_settings
from ansible_collections.gitops.aws.plugins.module_utils._estate.names import foundation_of
from tests.e2e.estate import allow

ESTATE = "looking"
BUCKET = "looking-old-logs"
ARN = f"arn:aws:s3:::{BUCKET}"
STATE_KEY = "network/terraform.tfstate"
# A template that would leave a file behind.
HOSTILE = "{{ lookup('ansible.builtin.pipe', 'touch EXECUTED') }}"
SAID = {"owner": "alice", "reason": "there before", "expires": "2099-12-31"}


@dataclass
class Played:
    """A run of a playbook that has ended."""

    text: str
    failed: bool


@dataclass
class Account:
    """An account with a state whose VPC is gone, a bucket and an instance that somebody made by hand."""

    person: Person
    instance: str
    key: str
    settings: dict[str, Any]
    stacks: list[dict[str, Any]]

    @property
    def state_bucket(self) -> str:
        return str(foundation_of(self.settings, ACCOUNT, "aws")["state_bucket"])

    def play(self, name: str, where: Path, *arguments: str, drift: dict[str, Any] | None, **variables: Any) -> Played:
        """A playbook of the collection, as somebody calls it who is in the directory `where`."""
        told = {"gitops_settings": {**self.settings, "drift": drift}, "gitops_stacks": self.stacks}
        (where / "your.yml").write_text(yaml.safe_dump(told))
        return self.run(name, where, "-e", "@your.yml", "-e", json.dumps(variables), *arguments)

    def run(self, name: str, where: Path, *arguments: str) -> Played:
        environment = {
            **{key: value for key, value in os.environ.items() if key != "PWD"},
            "ANSIBLE_CONFIG": str(ROOT / "playbooks" / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            **self.person.environment(),
        }
        line = ["ansible-playbook", f"gitops.aws.{name}", *arguments]
        ended = subprocess.run(
            line, cwd=where, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return Played(" ".join(ended.stdout.replace("\\n", " ").split()), ended.returncode != 0)


@pytest.fixture(scope="module")
def account(local_aws: tuple[str, Path]) -> Account:
    aws = LocalAws(local_aws[1])
    aws.endpoint_url = local_aws[0]
    policy = allow(["*"], ["*"])
    policy["Statement"].append({"Effect": "Deny", "Action": "ec2:StopInstances", "Resource": "*"})
    person = aws.person("looker", policy)
    ec2, s3 = person.client("ec2"), person.client("s3")
    settings = {
        "name": ESTATE,
        "region": REGION,
        "connection": ESTATE,
        "installers": ["user/looker"],
        "locking": ["lockfile"],
        "drift": None,
    }
    stacks: list[dict[str, Any]] = [{"name": name, "repository": "acme/infrastructure"} for name in ("network", "web")]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    run = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    key = person.client("kms").create_key()["KeyMetadata"]
    person.client("kms").create_alias(AliasName=f"alias/{ESTATE}", TargetKeyId=key["KeyId"])
    made = Account(person, run["Instances"][0]["InstanceId"], key["Arn"], settings, stacks)
    for name in (BUCKET, made.state_bucket):
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=made.state_bucket, Key=STATE_KEY, Body=json.dumps(state()).encode())
    return made


def state() -> dict[str, Any]:
    """A state with a VPC that is there, and one that is gone."""
    return {
        "version": 4,
        "terraform_version": "1.11.4",
        "serial": 1,
        "lineage": "11111111-2222-3333-4444-555555555555",
        "outputs": {},
        "resources": [
            {
                "mode": "managed",
                "type": "aws_vpc",
                "name": "gone",
                "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
                "instances": [{"attributes": {"id": "vpc-0123456789abcdef0"}}],
            }
        ],
        "check_results": None,
    }


def reviewed(file: Path) -> Path:
    """A reviewed file whose texts look like templates: an entry that matches, and one that has expired."""
    entry = {"match": {"arn": ARN}, "kind": "protect", "owner": HOSTILE, "reason": HOSTILE, "expires": "2099-12-31"}
    gone = {**entry, "match": {"name": HOSTILE}, "expires": "2020-01-01"}
    file.write_text(yaml.safe_dump({"entries": [entry, gone]}))
    return file


def left_behind(*directories: Path) -> list[Path]:
    places = [*directories, ROOT / "playbooks", ROOT]
    return [place / "EXECUTED" for place in places if (place / "EXECUTED").exists()]


def test_the_reviewed_file_is_text_and_relative_paths_are_where_one_is(account: Account, tmp_path: Path) -> None:
    reviewed(tmp_path / "reviewed.yml")
    drift = {"entries": "reviewed.yml", "min_age_hours": 0}

    found = account.play("drift", tmp_path, drift=drift, directory="reports")
    explained = account.play("drift", tmp_path, drift=drift, explain=ARN)

    assert not found.failed, found.text
    assert HOSTILE in " ".join((tmp_path / "reports" / "findings.txt").read_text().split())
    assert not (ROOT / "playbooks" / "reports").exists()
    assert f"{ARN} is protected" in explained.text
    assert HOSTILE in explained.text
    assert left_behind(tmp_path) == []


def test_a_build_is_told_by_a_file_that_is_text(account: Account, tmp_path: Path) -> None:
    foundation = {**foundation_of(account.settings, ACCOUNT, "aws"), "drift": None, "kms_key_arn": account.key}
    entries = yaml.safe_load(reviewed(tmp_path / "reviewed.yml").read_text())["entries"]
    told = json.loads(json.dumps(drift_settings(foundation, [], entries), default=str))
    told["foundation"]["drift"]["min_age_hours"] = 0
    (tmp_path / "settings.json").write_text(json.dumps({"drift_told": told}))

    found = account.run(
        "drift", tmp_path, *("-e", f"drift_settings_file={tmp_path}/settings.json"), *("-e", "directory=made")
    )

    assert not found.failed, found.text
    assert HOSTILE in found.text
    exports = exported(tmp_path)
    assert exports["PLAN_COUNT"] == "0"
    assert exports["UNMANAGED_SUMMARY"] == "1 unmanaged, 1 ghost"
    assert left_behind(tmp_path) == []


def test_a_build_says_by_another_id_that_something_else_was_found(account: Account, tmp_path: Path) -> None:
    foundation = {**foundation_of(account.settings, ACCOUNT, "aws"), "drift": None, "kms_key_arn": account.key}
    instance = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{account.instance}"
    entry = {"kind": "protect", "owner": "alice", "reason": "wanted", "expires": "2099-12-31"}
    found = []
    for arn in (ARN, instance):
        told = json.loads(json.dumps(drift_settings(foundation, [], [{**entry, "match": {"arn": arn}}]), default=str))
        told["foundation"]["drift"]["min_age_hours"] = 0
        (tmp_path / "settings.json").write_text(json.dumps({"drift_told": told}))
        arguments = ("-e", f"drift_settings_file={tmp_path}/settings.json", "-e", "directory=made")
        assert not account.run("drift", tmp_path, *arguments).failed
        found.append(exported(tmp_path))

    assert found[0]["UNMANAGED_SUMMARY"] == found[1]["UNMANAGED_SUMMARY"] == "1 unmanaged, 1 ghost"
    assert all(re.fullmatch("[0-9a-f]{12}", one["UNMANAGED_ID"]) for one in found)
    assert found[0]["UNMANAGED_ID"] != found[1]["UNMANAGED_ID"]


def exported(directory: Path) -> dict[str, str]:
    """What drift.yml has written for the pipeline."""
    return dict(line.split("=", 1) for line in (directory / "made" / "exports").read_text().splitlines())


def test_a_baseline_keeps_text_that_looks_like_a_template(account: Account, tmp_path: Path) -> None:
    file = reviewed(tmp_path / "reviewed.yml")
    before = file.read_text()

    ran = account.play("baseline", tmp_path, drift={"min_age_hours": 0}, entries="reviewed.yml", **SAID)

    assert not ran.failed, ran.text
    assert file.read_text().startswith(before)
    assert f"instance/{account.instance}" in file.read_text()
    assert not (ROOT / "playbooks" / "reviewed.yml").exists()
    assert left_behind(tmp_path) == []


def test_the_first_baseline_makes_the_file_where_one_is(account: Account, tmp_path: Path) -> None:
    ran = account.play("baseline", tmp_path, drift={"entries": "new.yml", "min_age_hours": 0}, **SAID)

    assert not ran.failed, ran.text
    assert ARN in (tmp_path / "new.yml").read_text()


def test_a_baseline_needs_no_drift_settings(account: Account, tmp_path: Path) -> None:
    ran = account.play("baseline", tmp_path, drift=None, entries="new.yml", **SAID)

    assert not ran.failed, ran.text
    assert "Look at " in ran.text


def test_adopt_writes_where_one_is_and_needs_no_drift_settings(account: Account, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()

    ran = account.play("adopt", tmp_path, drift=None, directory="code", arns=ARN, suffix="mine")

    assert not ran.failed, ran.text
    assert BUCKET in (tmp_path / "code" / "imports_mine.tf").read_text()


def test_what_the_reviewed_file_protects_is_not_adopted(account: Account, tmp_path: Path) -> None:
    reviewed(tmp_path / "reviewed.yml")

    ran = account.play("adopt", tmp_path, drift={"entries": "reviewed.yml"}, directory=".", arns=ARN)

    assert ran.failed
    assert "protect" in ran.text
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("playbook", ["drift", "adopt"])
def test_a_reviewed_file_that_is_not_there_is_no_empty_one(account: Account, tmp_path: Path, playbook: str) -> None:
    ran = account.play(playbook, tmp_path, drift={"entries": "misspelt.yml"}, directory=".", arns=ARN)

    assert ran.failed
    assert f"there is no file {tmp_path}/misspelt.yml" in ran.text


def test_with_a_lock_nothing_is_adopted_and_what_is_explained_is_not_certain(account: Account, tmp_path: Path) -> None:
    s3, lock = account.person.client("s3"), {"Bucket": account.state_bucket, "Key": f"{STATE_KEY}.tflock"}
    s3.put_object(**lock, Body=json.dumps({"ID": "1", "Who": "ada", "Operation": "apply"}).encode())
    try:
        adopted = account.play("adopt", tmp_path, drift={}, directory=".", arns=ARN)
        explained = account.play("drift", tmp_path, drift={}, explain=ARN)
    finally:
        s3.delete_object(**lock)

    assert adopted.failed
    assert "Nothing is written, because the scan is incomplete" in adopted.text
    assert not list(tmp_path.glob("*.tf"))
    assert explained.failed
    assert f"{ARN} is " in explained.text
    assert "The scan is incomplete: " in explained.text


@pytest.mark.parametrize("name", ["aws_vpc.gone", "vpc-0123456789abcdef0"])
def test_a_ghost_is_explained(account: Account, tmp_path: Path, name: str) -> None:
    ran = account.play("drift", tmp_path, drift={}, explain=name)

    assert not ran.failed, ran.text
    assert f"aws_vpc.gone of {STATE_KEY} (aws_vpc vpc-0123456789abcdef0) is a ghost: " in ran.text


def test_stacks_that_cannot_look_are_reported(account: Account, tmp_path: Path) -> None:
    """None of them has a pipeline here."""
    reports = {"directory": "reports", "start_drift": True}

    shown = account.play("drift", tmp_path, drift={}, **reports)
    strict = account.play("drift", tmp_path, drift={"entries": baseline(account, tmp_path)}, fail_on_findings=True)

    assert not shown.failed, shown.text
    report = json.loads((tmp_path / "reports" / "findings.json").read_text())
    assert {one["stack"]: one["status"] for one in report["stacks"]} == {"network": "failed", "web": "failed"}
    assert all(f"{ESTATE}-{one['stack']}-drift" in one["message"] for one in report["stacks"])
    assert strict.failed
    assert "Not known is what has changed of network, web" in strict.text, strict.text[-900:]


def baseline(account: Account, where: Path) -> str:
    """A reviewed file that accepts everything; its name."""
    ran = account.play("baseline", where, drift={"entries": "accepted.yml", "min_age_hours": 0}, **SAID)
    assert not ran.failed, ran.text
    return "accepted.yml"


def test_what_became_of_each_is_kept_where_one_fails(account: Account, tmp_path: Path) -> None:
    drift = {"scope": {"account": True}, "types": ["aws_instance"], "min_age_hours": 0, "max_percent": 100}
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{account.instance}"

    checked = account.play("drift", tmp_path, "--check", drift=drift, drift_action="plan", plan_file="plan.json")
    planned = account.play("drift", tmp_path, drift=drift, drift_action="plan", plan_file="plan.json")
    assert not planned.failed, planned.text
    plan = json.loads((tmp_path / "plan.json").read_text())
    applying = {"drift_action": "apply", "confirm": ACCOUNT, "plan_file": "plan.json"}
    refused = account.play("drift", tmp_path, drift=drift, digest="0" * 64, directory="refused", **applying)
    applied = account.play("drift", tmp_path, drift=drift, digest=plan["digest"], directory="done", **applying)

    assert not checked.failed, checked.text
    assert "quarantine arn:" in checked.text
    assert "drift_action=apply" not in checked.text
    assert f"-e digest={plan['digest']} -e confirm={ACCOUNT} -e plan_file={tmp_path}/plan.json" in planned.text
    assert refused.failed
    assert "Nothing was done" in refused.text
    assert json.loads((tmp_path / "refused" / "results.json").read_text()) == []
    assert applied.failed
    results = {one["arn"]: one["result"] for one in json.loads((tmp_path / "done" / "results.json").read_text())}
    assert results[arn] == "failed"
    assert f"{arn}: failed. " in applied.text
