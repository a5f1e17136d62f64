# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""make demo: from nothing to a VPC that the pipeline built, on local AWS. KEEP=1 leaves it running."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from local_estate import (
    ACCOUNT,
    REGION,
    ROOT,
    LocalAws,
    Person,
    PlaybookFailed,
    Repository,
    execution_of_push,
    people_policies,
    playbook,
)

WORK = ROOT / ".work" / "demo"
DATA = WORK / "local_aws"
REPOSITORY = "acme/infrastructure"
STACK = "network"
INDENT = "    "


def main() -> int:
    """Run the demo; 0 when the VPC is there."""
    started = time.monotonic()
    aws = LocalAws(DATA)
    if WORK.exists():
        aws.command("down")
        shutil.rmtree(WORK)
    WORK.mkdir(parents=True, mode=0o700)
    try:
        step("Local AWS starts on this machine. IAM is enforced as on AWS; nothing leaves the machine.")
        aws.start()
        repository = Repository(WORK)
        aws.command("map-repository", REPOSITORY, str(repository.bare))

        step("The account's owner makes three users: one may install the pipelines, one run them, one test them.")
        vars_file = write_vars()
        people = {name: aws.person(name, policy) for name, policy in policies(vars_file).items()}

        step("ansible-playbook site.yml: state bucket, lock, key, roles, build projects, pipelines.")
        run("site.yml", vars_file, people["installer"])

        step("Somebody completes the connection to the Git host. On AWS that is one click in the console.")
        aws.command("complete-connection", "github")

        step("git push: the Terraform code in tf/ goes to the repository, and that starts the pipeline.")
        shutil.copytree(ROOT / "tf", repository.clone / STACK, ignore=shutil.ignore_patterns(".terraform"))
        commit = repository.push("Add the network")
        execution = execution_of_push(people["operator"], f"gitops-{STACK}", commit)
        print(f"{INDENT}commit {commit[:12]} started execution {execution}")

        step("ansible-playbook run.yml follows the pipeline. It approves what the plan shows.")
        run("run.yml", vars_file, people["operator"], stack=STACK, execution_id=execution, approve="true")

        step("ansible-playbook site.yml again: nothing is left to change.")
        run("site.yml", vars_file, people["installer"])

        step("ansible-playbook verify.yml: would anything get past the pipeline? IAM is asked, nothing is touched.")
        attack(vars_file, people["verifier"])

        summary(aws, people, execution, vars_file, started)
        return 0
    finally:
        if os.environ.get("KEEP") != "1":
            aws.command("down")


def step(text: str) -> None:
    """A heading between two parts."""
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    print(f"\n{bold}==> {text}{plain}", flush=True)


def policies(vars_file: Path) -> dict[str, dict[str, Any]]:
    """The policies of the users, as the collection renders them."""
    run("policies.yml", vars_file, None, quiet=True, account_id=ACCOUNT, directory=str(WORK / "policies"))
    return people_policies(WORK / "policies", "installer", "operator", "verifier")


def write_vars() -> Path:
    """The vars file of the demo: the example that the playbooks bring, unchanged."""
    vars_file = WORK / "estate.yml"
    shutil.copy(ROOT / "playbooks" / "example.yml", vars_file)
    return vars_file


def run(name: str, vars_file: Path, person: Person | None, *, quiet: bool = False, **variables: str) -> None:
    """Runs a playbook as one of the two users, its output indented."""
    settings = {
        # Only what changed, and what a person should read.
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        "ANSIBLE_DISPLAY_OK_HOSTS": "false",
        "ANSIBLE_FORCE_COLOR": "1" if sys.stdout.isatty() else "0",
    }
    try:
        for line in playbook(name, vars_file, person, variables, settings=settings):
            if line.strip() and not quiet:
                print(f"{INDENT}{line.rstrip()}", flush=True)
    except PlaybookFailed:
        raise SystemExit(f"\n{name} failed, see above. Local AWS's log: {DATA / 'server.log'}") from None


SHOWN = 3  # attempts of each who tries


def attack(vars_file: Path, verifier: Person) -> None:
    """Runs verify.yml and shows some lines of its table: of each who tries the first few, and what came of all."""
    try:
        lines = [line.strip().strip('",') for line in playbook("verify.yml", vars_file, verifier, {})]
    except PlaybookFailed:
        raise SystemExit(f"\nverify.yml failed. Local AWS's log: {DATA / 'server.log'}") from None
    table = lines[next(number for number, line in enumerate(lines) if line.startswith("WHO ")) :]
    shown: dict[str, int] = {}
    for line in table:
        who = line[:13].strip()
        shown[who] = shown.get(who, 0) + 1
        if shown[who] == SHOWN + 1:
            print(f"{INDENT}{who:<13}  ...")
        elif shown[who] <= SHOWN:
            print(f"{INDENT}{line}")
        if " attempts with the stack " in line:
            break


ONLOOKER = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["ec2:Describe*", "dynamodb:Scan", "dynamodb:DescribeTable"],
            "Resource": "*",
        }
    ],
}


def summary(aws: LocalAws, people: dict[str, Person], execution: str, vars_file: Path, started: float) -> None:
    """What was built, read from local AWS itself, and what to do next."""
    people["onlooker"] = aws.person("onlooker", ONLOOKER)
    bucket, key = f"gitops-{ACCOUNT}-{REGION}-state", f"{STACK}/terraform.tfstate"
    # The installer is one of the few whom the seal lets read states.
    state = people["installer"].client("s3").get_object(Bucket=bucket, Key=key)
    outputs = json.loads(state["Body"].read())["outputs"]
    ec2 = people["onlooker"].client("ec2")
    vpc = ec2.describe_vpcs(VpcIds=[outputs["vpc_id"]["value"]])["Vpcs"][0]
    subnets = ec2.describe_subnets(SubnetIds=outputs["subnet_ids"]["value"])["Subnets"]
    locks = people["onlooker"].client("dynamodb").scan(TableName="gitops-lock")["Items"]
    held = [item for item in locks if "Info" in item]
    pipelines = people["operator"].client("codepipeline")
    details = pipelines.list_action_executions(
        pipelineName=f"gitops-{STACK}", filter={"pipelineExecutionId": execution}
    )["actionExecutionDetails"]

    step(f"Done in {time.monotonic() - started:.0f} seconds. What was built:")
    print(f"{INDENT}Pipeline gitops-{STACK}, execution {execution}")
    for detail in sorted(details, key=lambda detail: detail["startTime"]):
        seconds = (detail["lastUpdateTime"] - detail["startTime"]).total_seconds()
        print(f"{INDENT}  {detail['actionName']:<10}{detail['status']:<12}{seconds:4.0f} s")
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


def look_around(people: dict[str, Person], vars_file: Path) -> None:
    """How to go on with a local AWS that keeps running."""
    data, vars_path = DATA.relative_to(ROOT), vars_file.relative_to(ROOT)
    print(f"\n{INDENT}Local AWS keeps running. To look around as one of the users, in a shell:")
    for name, person in people.items():
        print(f"\n{INDENT}# {name}")
        print(INDENT + "export " + " ".join(f"{key}={value}" for key, value in person.environment().items()))
    print(f"\n{INDENT}# then, for example (operator, operator, installer):")
    for playbook_and_variables in (
        f"run.yml -e @../{vars_path} -e stack={STACK} -e approve=true",
        f"destroy.yml -e @../{vars_path} -e stack={STACK} -e confirm={STACK} -e approve=true",
        f"teardown.yml -e @../{vars_path} -e confirm=gitops",
    ):
        print(f"{INDENT}cd playbooks && ../.work/venv/bin/ansible-playbook {playbook_and_variables}")
    print(f"\n{INDENT}# to stop it")
    print(f"{INDENT}.work/venv/bin/python -m local_aws down --data {data}")


if __name__ == "__main__":
    raise SystemExit(main())
