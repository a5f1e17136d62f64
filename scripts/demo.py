# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make demo: from nothing to a VPC that the pipeline built, on local AWS. KEEP=1 leaves it running."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local_aws.cli import put_user

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".work" / "demo"
DATA = WORK / "local_aws"
REGION = "eu-central-1"
ACCOUNT = "123456789012"
REPOSITORY = "acme/infrastructure"
STACK = "network"
INDENT = "    "


def main() -> int:
    """Run the demo; 0 when the VPC is there."""
    started = time.monotonic()
    if WORK.exists():
        local_aws("down")
        shutil.rmtree(WORK)
    WORK.mkdir(parents=True, mode=0o700)
    try:
        step("Local AWS starts on this machine. IAM is enforced as on AWS; nothing leaves the machine.")
        endpoint = json.loads(local_aws("up", "--port", "0", "--detach"))["endpoint_url"]
        repository = make_repository()
        local_aws("map-repository", REPOSITORY, str(repository))

        step("The account's owner makes two users: one may install the pipelines, one may run them. No more.")
        vars_file = write_vars()
        people = {name: make_user(endpoint, name, policy) for name, policy in policies(vars_file).items()}

        step("ansible-playbook site.yml: state bucket, lock, key, roles, build projects, pipelines.")
        playbook("site.yml", vars_file, people["installer"])

        step("Somebody completes the connection to the Git host. On AWS that is one click in the console.")
        local_aws("complete-connection", "github")

        step("git push: the Terraform code in tf/ goes to the repository, and that starts the pipeline.")
        commit = push(repository)
        execution = wait_for_push(people["operator"], commit)

        step("ansible-playbook run.yml follows the pipeline. It approves what the plan shows.")
        playbook(
            "run.yml", vars_file, people["operator"], f"stack={STACK}", f"execution_id={execution}", "approve=true"
        )

        step("ansible-playbook site.yml again: nothing is left to change.")
        playbook("site.yml", vars_file, people["installer"])

        summary(endpoint, people, execution, vars_file, started)
        return 0
    finally:
        if os.environ.get("KEEP") != "1":
            local_aws("down")


def step(text: str) -> None:
    """A heading between two parts."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}==> {text}{plain}", flush=True)


def local_aws(*arguments: str) -> str:
    """A command of local AWS; what it printed."""
    command = [sys.executable, "-m", "local_aws", arguments[0], "--data", str(DATA), *arguments[1:]]
    return subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout


def git(*arguments: str, cwd: Path) -> str:
    """A git command, independent of the caller's configuration."""
    identity = ["-c", "user.name=Demo", "-c", "user.email=demo@example.com", "-c", "commit.gpgsign=false"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    clean |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", *identity, *arguments]
    return subprocess.run(command, check=True, cwd=cwd, env=clean, stdout=subprocess.PIPE, text=True).stdout.strip()


def make_repository() -> Path:
    """An empty bare repository: it stands for the one at the Git host."""
    repository = WORK / "repository.git"
    git("init", "--quiet", "--bare", "--initial-branch=main", str(repository), cwd=WORK)
    return repository


def push(repository: Path) -> str:
    """Commits tf/ and pushes it; the commit's id."""
    clone = WORK / "clone"
    git("init", "--quiet", "--initial-branch=main", str(clone), cwd=WORK)
    shutil.copytree(ROOT / "tf", clone / STACK, ignore=shutil.ignore_patterns(".terraform"))
    git("add", "--all", cwd=clone)
    git("commit", "--quiet", "--message=Add the network", cwd=clone)
    git("push", "--quiet", str(repository), "main", cwd=clone)
    return git("rev-parse", "HEAD", cwd=clone)


def policies(vars_file: Path) -> dict[str, dict[str, Any]]:
    """The policies of the two users, as the collection renders them."""
    playbook("policies.yml", vars_file, {}, f"account_id={ACCOUNT}", f"directory={WORK / 'policies'}", quiet=True)
    return {name: json.loads((WORK / "policies" / f"{name}.json").read_text()) for name in ("installer", "operator")}


def make_user(endpoint: str, name: str, policy: dict[str, Any]) -> dict[str, str]:
    """A user with this policy; the environment of a process that acts as this user."""
    key = put_user(endpoint, name, policy)
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        "AWS_REGION": REGION,
    }


def write_vars() -> Path:
    """The vars file of the demo: the example that the playbooks bring, unchanged."""
    vars_file = WORK / "estate.yml"
    shutil.copy(ROOT / "playbooks" / "example.yml", vars_file)
    return vars_file


def playbook(name: str, vars_file: Path, person: dict[str, str], *variables: str, quiet: bool = False) -> None:
    """Runs a playbook as one of the two users, its output indented."""
    pairs = dict(variable.split("=", 1) for variable in variables)
    command = ["ansible-playbook", name, "-e", f"@{vars_file}", "-e", json.dumps(pairs)]
    environment = {
        **os.environ,
        **person,
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        "ANSIBLE_FORCE_COLOR": "1" if sys.stdout.isatty() else "0",
        "PYTHONUNBUFFERED": "1",
    }
    process = subprocess.Popen(
        command, cwd=ROOT / "playbooks", env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() and not quiet:
            print(f"{INDENT}{line.rstrip()}", flush=True)
    if process.wait() != 0:
        raise SystemExit(f"\n{name} failed, see above. Local AWS's log: {DATA / 'server.log'}")


def client(service: str, person: dict[str, str]) -> Any:
    """A boto3 client that acts as one of the users."""
    return boto3.client(
        service,
        endpoint_url=person["AWS_ENDPOINT_URL"],
        region_name=REGION,
        aws_access_key_id=person["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=person["AWS_SECRET_ACCESS_KEY"],
        config=Config(proxies={}),
    )


def wait_for_push(operator: dict[str, str], commit: str) -> str:
    """The id of the execution that the push started."""
    pipelines = client("codepipeline", operator)
    for _second in range(60):
        for execution in pipelines.list_pipeline_executions(pipelineName=f"gitops-{STACK}")["pipelineExecutionSummaries"]:
            revisions = [revision.get("revisionId") for revision in execution.get("sourceRevisions", [])]
            if commit in revisions:
                print(f"{INDENT}commit {commit[:12]} started execution {execution['pipelineExecutionId']}")
                return str(execution["pipelineExecutionId"])
        time.sleep(1)
    raise SystemExit("The push started no execution within a minute.")


ONLOOKER = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["ec2:Describe*", "s3:GetObject", "kms:Decrypt", "dynamodb:Scan", "dynamodb:DescribeTable"],
            "Resource": "*",
        }
    ],
}


def summary(
    endpoint: str, people: dict[str, dict[str, str]], execution: str, vars_file: Path, started: float
) -> None:
    """What was built, read from local AWS itself, and what to do next."""
    people["onlooker"] = make_user(endpoint, "onlooker", ONLOOKER)
    bucket, key = f"gitops-{ACCOUNT}-{REGION}-state", f"{STACK}/terraform.tfstate"
    state = client("s3", people["onlooker"]).get_object(Bucket=bucket, Key=key)
    outputs = json.loads(state["Body"].read())["outputs"]
    ec2 = client("ec2", people["onlooker"])
    vpc = ec2.describe_vpcs(VpcIds=[outputs["vpc_id"]["value"]])["Vpcs"][0]
    subnets = ec2.describe_subnets(SubnetIds=outputs["subnet_ids"]["value"])["Subnets"]
    locks = client("dynamodb", people["onlooker"]).scan(TableName="gitops-lock")["Items"]
    held = [item for item in locks if "Info" in item]
    details = client("codepipeline", people["operator"]).list_action_executions(
        pipelineName=f"gitops-{STACK}", filter={"pipelineExecutionId": execution}
    )["actionExecutionDetails"]

    step(f"Done in {time.monotonic() - started:.0f} seconds. What was built:")
    print(f"{INDENT}Pipeline gitops-{STACK}, execution {execution}")
    for detail in sorted(details, key=lambda detail: detail["startTime"]):
        seconds = (detail["lastUpdateTime"] - detail["startTime"]).total_seconds()
        print(f"{INDENT}  {detail['stageName']:<10}{detail['status']:<12}{seconds:4.0f} s")
    print(f"{INDENT}VPC     {vpc['VpcId']}  {vpc['CidrBlock']}")
    for subnet in subnets:
        print(f"{INDENT}Subnet  {subnet['SubnetId']}  {subnet['CidrBlock']}  {subnet['AvailabilityZone']}")
    print(f"{INDENT}State   s3://{bucket}/{key}")
    print(f"{INDENT}        encrypted with {state['SSEKMSKeyId']} ({state['ServerSideEncryption']})")
    print(f"{INDENT}        version {state['VersionId']}, lock {'HELD' if held else 'released'}")
    if os.environ.get("KEEP") == "1":
        look_around(people, vars_file)
    else:
        print(f"\n{INDENT}Next: KEEP=1 make demo   leaves local AWS running, to look around")
        print(f"{INDENT}      README.md          the same on a real account: your vars file, one command")


def look_around(people: dict[str, dict[str, str]], vars_file: Path) -> None:
    """How to go on with a local AWS that keeps running."""
    data, vars_path = DATA.relative_to(ROOT), vars_file.relative_to(ROOT)
    print(f"\n{INDENT}Local AWS keeps running. To look around as one of the users, in a shell:")
    for name, person in people.items():
        print(f"\n{INDENT}# {name}")
        print(INDENT + "export " + " ".join(f"{key}={value}" for key, value in person.items()))
    print(f"\n{INDENT}# then, for example (operator, operator, installer):")
    for command in (
        f"cd playbooks && ../.work/venv/bin/ansible-playbook run.yml -e @../{vars_path} -e stack={STACK} -e approve=true",
        f"cd playbooks && ../.work/venv/bin/ansible-playbook destroy.yml -e @../{vars_path} -e stack={STACK} "
        f"-e confirm={STACK} -e approve=true",
        f"cd playbooks && ../.work/venv/bin/ansible-playbook teardown.yml -e @../{vars_path} -e confirm=gitops",
    ):
        print(f"{INDENT}{command}")
    print(f"\n{INDENT}# to stop it")
    print(f"{INDENT}.work/venv/bin/python -m local_aws down --data {data}")


if __name__ == "__main__":
    raise SystemExit(main())
