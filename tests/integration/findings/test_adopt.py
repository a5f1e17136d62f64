# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was made by hand is taken into the code by adopt.yml, and then Terraform has nothing to change. baseline.yml
accepts what there is."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_estate import ACCOUNT, REGION, ROOT, LocalAws, Person, Repository

from ansible_collections.gitops.aws.plugins.module_utils._findings.reviewed_file import reviewed_entries
from tests.e2e.estate import Estate, Run, allow
from tests.integration.terraform.client import SETTINGS, Plan, Terraform, environment

ESTATE = "adopting"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
BUCKET = "adopting-old-logs"


@dataclass
class Account:
    """An account with a state that manages a VPC, and resources that people made by hand."""

    estate: Estate
    vpc: str
    arns: dict[str, str]

    @property
    def person(self) -> Person:
        return self.estate.administrator

    def play(self, name: str, *arguments: str, **variables: Any) -> Run:
        run = self.estate.playbook(name, self.person, *arguments, **variables)
        assert run.mutations == []
        return run

    def checkout(self, directory: Path) -> Repository:
        """A checkout of the code of the stack."""
        repository = Repository(directory)
        (repository.clone / "main.tf").write_text(SETTINGS % REGION)
        shutil.copy(ROOT / "tf" / ".terraform.lock.hcl", repository.clone)
        repository.push("Begin")
        return repository


@pytest.fixture(scope="module")
def account(local_aws: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Account:
    aws = LocalAws(local_aws[1])
    aws.endpoint_url = local_aws[0]
    person = aws.person("adopter", allow(["*"], ["*"]))
    settings = {
        "name": ESTATE,
        "region": REGION,
        "connection": ESTATE,
        "installers": ["user/adopter"],
        "locking": ["lockfile"],
        "drift": {},
    }
    stacks: list[dict[str, Any]] = [{"name": "network", "repository": "acme/infrastructure"}]
    estate = Estate(aws, person, tmp_path_factory.mktemp("adopting"), settings, stacks)
    ec2, s3, iam = (person.client(service) for service in ("ec2", "s3", "iam"))
    vpc = ec2.create_vpc(CidrBlock="10.77.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.77.1.0/24")["Subnet"]["SubnetId"]
    bucket = estate.foundation["state_bucket"]
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=bucket, Key="network/terraform.tfstate", Body=json.dumps(state(vpc, subnet)).encode())

    group = ec2.create_security_group(GroupName="by-hand", Description="By hand.", VpcId=vpc)["GroupId"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    run = ec2.run_instances(
        ImageId=image,
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet,
        SecurityGroupIds=[group],
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "Web test"}]}],
    )
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    role = iam.create_role(RoleName="by-hand", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    prefix = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
    arns = {
        "aws_instance": f"{prefix}:instance/{run['Instances'][0]['InstanceId']}",
        "aws_security_group": f"{prefix}:security-group/{group}",
        "aws_s3_bucket": f"arn:aws:s3:::{BUCKET}",
        "aws_iam_role": role,
    }
    return Account(estate, vpc, arns)


def state(vpc: str, subnet: str) -> dict[str, Any]:
    """A state with a VPC and a subnet."""
    ids = {"aws_vpc": ("vpc", vpc), "aws_subnet": ("subnet", subnet)}
    return {
        "version": 4,
        "terraform_version": "1.11.4",
        "serial": 1,
        "lineage": "11111111-2222-3333-4444-555555555555",
        "outputs": {},
        "resources": [
            {
                "mode": "managed",
                "type": kind,
                "name": "main",
                "provider": 'provider["registry.terraform.io/hashicorp/aws"]',
                "instances": [
                    {"attributes": {"id": one, "arn": f"arn:aws:ec2:{REGION}:{ACCOUNT}:{word}/{one}"}},
                ],
            }
            for kind, (word, one) in ids.items()
        ],
        "check_results": None,
    }


@dataclass
class Adopted:
    """What adopt.yml has written, on a branch of its own."""

    run: Run
    repository: Repository


@pytest.fixture(scope="module")
def adopted(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Adopted:
    repository = account.checkout(tmp_path_factory.mktemp("checkout"))
    (repository.clone / "notes.txt").write_text("Not to be committed.\n")
    with identity():
        run = account.play(
            "adopt.yml",
            directory=str(repository.clone),
            arns=",".join(account.arns.values()),
            suffix="by-hand",
            branch="adopt",
            generate=True,
        )
    assert not run.failed, run.output
    return Adopted(run, repository)


def identity() -> Any:
    """Who commits."""
    names = {f"GIT_{who}_{what}": "demo@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    patch = pytest.MonkeyPatch.context()

    class Set:
        def __enter__(self) -> None:
            one = patch.__enter__()
            for name, value in names.items():
                one.setenv(name, value)

        def __exit__(self, *_: Any) -> None:
            patch.__exit__(None, None, None)

    return Set()


def test_the_blocks_are_committed_on_the_branch_and_nothing_else(adopted: Adopted) -> None:
    git = adopted.repository.git

    assert git("branch", "--show-current") == "adopt"
    assert git("show", "--name-only", "--format=%s", "HEAD").split("\n") == [
        "Take 4 resources into the code",
        "",
        "generated_by-hand.tf",
        "imports_by-hand.tf",
    ]
    assert git("status", "--porcelain") == "?? notes.txt"
    assert git("rev-list", "--count", "main..adopt") == "1"


def test_it_is_said_what_comes_next(account: Account, adopted: Adopted) -> None:
    for address in ("aws_instance.web_test", "aws_iam_role.by_hand", "aws_security_group.by_hand"):
        assert f"{address} " in adopted.run.text
    assert "0 to add, to change and to destroy" in adopted.run.text


def test_terraform_imports_them_and_has_nothing_left_to_do(account: Account, adopted: Adopted, tmp_path: Path) -> None:
    one = Terraform(tmp_path, environment(account.person.endpoint_url, keys(account.person)))
    for file in adopted.repository.clone.glob("*.tf"):
        shutil.copy(file, tmp_path)
    shutil.copy(adopted.repository.clone / ".terraform.lock.hcl", tmp_path)
    one.run("init", "-lockfile=readonly", "-no-color")

    plan = one.plan()

    assert {address.partition(".")[0] for address in plan.changes} == set(account.arns)
    assert all(change["importing"] for change in plan.changes.values())
    assert changes(plan) == {}, plan.text
    one.apply()
    (tmp_path / "imports_by-hand.tf").unlink()
    assert "No changes." in one.run("plan", "-no-color")


def changes(plan: Plan) -> dict[str, Any]:
    return {address: change["actions"] for address, change in plan.changes.items() if change["actions"] != ["no-op"]}


def keys(person: Person) -> dict[str, str]:
    return {"AccessKeyId": person.access_key_id, "SecretAccessKey": person.secret_access_key}


def test_a_second_run_changes_nothing(account: Account, adopted: Adopted) -> None:
    before = adopted.repository.git("rev-parse", "HEAD")

    run = account.play(
        "adopt.yml",
        directory=str(adopted.repository.clone),
        arns=list(account.arns.values()),
        suffix="by-hand",
        branch="adopt",
        generate=True,
    )

    assert not run.failed, run.output
    assert run.recap["changed"] == 0
    assert adopted.repository.git("rev-parse", "HEAD") == before


def test_what_somebody_edited_is_not_overwritten(account: Account, tmp_path: Path) -> None:
    clone = account.checkout(tmp_path).clone
    arguments = {"directory": str(clone), "suffix": "mine"}
    assert not account.play("adopt.yml", arns=account.arns["aws_s3_bucket"], **arguments).failed
    file = clone / "imports_mine.tf"
    file.write_text(file.read_text() + "# mine\n")

    run = account.play("adopt.yml", arns=account.arns["aws_iam_role"], **arguments)

    assert run.failed
    assert "somebody has written or edited it, and it is not overwritten" in run.text
    assert file.read_text().endswith("# mine\n")


def test_a_check_run_writes_nothing(account: Account, tmp_path: Path) -> None:
    clone = account.checkout(tmp_path).clone

    run = account.play(
        "adopt.yml",
        "--check",
        "--diff",
        directory=str(clone),
        arns=account.arns["aws_s3_bucket"],
        branch="b",
        generate=True,
    )

    assert not run.failed, run.output
    assert f'+  id = "{BUCKET}"' in run.output
    assert not list(clone.glob("*import*"))
    assert "b" not in account.checkout(tmp_path / "other").git("branch").split()


def test_what_a_state_has_is_refused(account: Account, tmp_path: Path) -> None:
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/{account.vpc}"

    run = account.play("adopt.yml", directory=str(account.checkout(tmp_path).clone), arns=arn)

    assert run.failed
    assert f"{arn}: the scan has not found it, or a state has it already" in run.text


def test_it_must_be_said_what_goes_where(account: Account) -> None:
    run = account.play("adopt.yml", arns="arn:x", directory="/nowhere")

    assert run.failed
    assert "given: '/nowhere', which must be a directory" in run.text


def test_a_baseline_accepts_what_there_is(account: Account, tmp_path: Path) -> None:
    file = tmp_path / "findings.yml"
    account.estate.settings["drift"] = {"min_age_hours": 0, "entries": str(file)}
    said = {"owner": "alice", "reason": "there before", "expires": "2099-12-31"}
    try:
        first = account.play("baseline.yml", **said)
        assert not first.failed, first.output
        once = file.read_text()
        again = account.play("baseline.yml", **said)
    finally:
        account.estate.settings["drift"] = {}

    accepted = {entry["match"]["arn"] for entry in reviewed_entries(once)}
    assert accepted >= set(account.arns.values())
    assert f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/{account.vpc}" not in accepted
    assert yaml.safe_load(once)["entries"][0]["owner"] == "alice"
    assert not again.failed, again.output
    assert again.recap["changed"] == 0
    assert file.read_text() == once


def test_a_baseline_needs_an_owner(account: Account, tmp_path: Path) -> None:
    run = account.play("baseline.yml", reason="x", expires="2099-12-31", entries=str(tmp_path / "f.yml"))

    assert run.failed
    assert "Say who answers for it with -e owner" in run.text
