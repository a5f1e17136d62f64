# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An estate under test: its vars file, its two users, playbook runs and executions, with all that they called."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from local_estate import ACCOUNT, ROOT, LocalAws, Person, PlaybookFailed, Repository, people_policies, playbook

from ansible_collections.gitops.aws.plugins.module_utils._estate.names import foundation_of
from ansible_collections.gitops.aws.plugins.module_utils._operations import READ_ONLY_OPERATION
from local_aws.mfa import code
from local_aws.process import ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY

BUILDS = ("Plan", "Apply", "Destroy", "Drift")
REPOSITORY = "acme/infrastructure"
FINAL = ("Succeeded", "Failed", "Stopped", "Superseded", "Cancelled")

Call = dict[str, Any]


def mutations(calls: list[Call]) -> list[str]:
    """The calls that would change something, refused ones too: `kms:CreateKey`, with the resource where it is known."""
    # POST on an S3 bucket is how objects are deleted in bulk; STS and KMS have actions that only read by other names.
    reading = ("sts:GetCallerIdentity", "sts:AssumeRole", "kms:Decrypt", "kms:GenerateDataKey", "tag:GetResources")
    return [
        f"{call['action']} {call['resource']}"
        for call in calls
        if call["action"] not in reading and not READ_ONLY_OPERATION.match(call["action"].partition(":")[2])
    ]


@dataclass(frozen=True)
class Run:
    """A playbook run that has ended. `calls` are those of the person who ran it."""

    output: str
    failed: bool
    calls: list[Call]

    @property
    def recap(self) -> dict[str, int]:
        """Ansible's counts: ok, changed, failed, ..."""
        line = re.search(r"^localhost +: (.*)$", self.output, re.MULTILINE)
        assert line, self.output
        return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", line[1])}

    @property
    def mutations(self) -> list[str]:
        """What it changed, or tried to."""
        return mutations(self.calls)

    @property
    def result(self) -> dict[str, Any]:
        """What the task that failed has returned."""
        result: dict[str, Any] = json.loads(self.output.partition("fatal: [localhost]: FAILED! => ")[2].splitlines()[0])
        return result

    @property
    def text(self) -> str:
        """The output with all white space made single spaces: Ansible wraps and indents messages."""
        return " ".join(self.output.replace("\\n", " ").split())


@dataclass(frozen=True)
class Action:
    """An action of an execution. `variables` are those that it exports."""

    status: str
    summary: str
    build_id: str
    message: str
    variables: dict[str, str]
    artifacts: list[dict[str, str]]


@dataclass(frozen=True)
class Execution:
    """An execution as it was when it was looked at; the actions by name."""

    id: str
    status: str
    actions: dict[str, Action]

    @property
    def waits(self) -> bool:
        """Whether somebody must approve."""
        return "Approve" in self.actions and self.actions["Approve"].status == "InProgress"

    def __str__(self) -> str:
        return f"{self.id} {self.status} " + ", ".join(f"{k} {a.status} {a.summary}" for k, a in self.actions.items())


@dataclass
class Estate:
    """An estate.

    `administrator` is an IAM user who may do everything but what the seal keeps from him: where a test plants or looks
    into states, locks and plans, it is as `keeper`, whom the seal spares.
    """

    aws: LocalAws
    administrator: Person
    directory: Path
    settings: dict[str, Any]
    stacks: list[dict[str, Any]]
    installer: Person | None = None
    operator: Person | None = None
    recovery: Person | None = None
    keeper: Person | None = None
    runs: list[Run] = field(default_factory=list)

    @property
    def foundation(self) -> dict[str, Any]:
        """What the stacks share, by name."""
        return foundation_of({"sealed": True, "locking": ["dynamodb", "lockfile"], **self.settings}, ACCOUNT, "aws")

    @property
    def key_arn(self) -> str:
        """The foundation's key."""
        alias = f"alias/{self.settings['name']}"
        return str(self.administrator.client("kms").describe_key(KeyId=alias)["KeyMetadata"]["Arn"])

    def kept(self, service: str) -> Any:
        """A client for what the seal keeps from the administrator."""
        assert self.keeper is not None
        return self.keeper.client(service)

    def stack(self, name: str) -> dict[str, Any]:
        """The settings of a stack, to be changed in place."""
        return next(stack for stack in self.stacks if stack["name"] == name)

    def playbook(self, name: str, person: Person | None, *arguments: str, **variables: Any) -> Run:
        """Runs a playbook, whether it fails or not, with the vars file as the settings and stacks are now."""
        return self.playbook_with(self.vars_file(), name, person, *arguments, **variables)

    def vars_file(self) -> Path:
        """The vars file as the settings and stacks are now."""
        vars_file = self.directory / "your.yml"
        vars_file.write_text(yaml.safe_dump({"gitops_settings": self.settings, "gitops_stacks": self.stacks}))
        return vars_file

    def playbook_with(
        self, vars_file: Path, name: str, person: Person | None, *arguments: str, **variables: Any
    ) -> Run:
        """Runs a playbook with another vars file."""
        before, lines, failed = len(self.aws.calls()), list[str](), False
        try:
            lines.extend(playbook(name, vars_file, person, variables, *arguments, settings={"ANSIBLE_NOCOLOR": "1"}))
        except PlaybookFailed:
            failed = True
        time.sleep(0.2)  # a call is logged just after it is answered
        own = [call for call in self.aws.calls()[before:] if person and call["access_key_id"] == person.access_key_id]
        run = Run("".join(lines), failed, own)
        self.runs.append(run)
        return run

    def site(self, *arguments: str) -> Run:
        """site.yml as the installer; it must succeed."""
        run = self.playbook("site.yml", self.installer, *arguments)
        assert not run.failed, run.output
        return run

    def start(self, pipeline: str, **variables: str) -> str:
        """Starts a pipeline as the operator; the execution's id."""
        given = [{"name": name, "value": value} for name, value in variables.items()]
        answer = self._pipelines().start_pipeline_execution(name=pipeline, **({"variables": given} if given else {}))
        return str(answer["pipelineExecutionId"])

    def look(self, pipeline: str, execution_id: str) -> Execution:
        """An execution as it is now."""
        execution = self._pipelines().get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=execution_id)
        details = self._pipelines().list_action_executions(
            pipelineName=pipeline, filter={"pipelineExecutionId": execution_id}
        )["actionExecutionDetails"]
        actions = {}
        for detail in details:
            output = detail.get("output", {})
            result = output.get("executionResult", {})
            # Newest first: of an action that ran again, the last try stays.
            if detail["actionName"] in actions:
                continue
            actions[detail["actionName"]] = Action(
                detail["status"],
                result.get("externalExecutionSummary") or result.get("errorDetails", {}).get("message", ""),
                result.get("externalExecutionId", "") if detail["actionName"] in BUILDS else "",
                detail.get("input", {}).get("resolvedConfiguration", {}).get("CustomData", ""),
                output.get("outputVariables", {}),
                [artifact["s3location"] for artifact in output.get("outputArtifacts", [])],
            )
        return Execution(execution_id, execution["pipelineExecution"]["status"], actions)

    def executions(self, pipeline: str) -> list[str]:
        """The ids of all executions of a pipeline, the newest first."""
        answer = self._pipelines().list_pipeline_executions(pipelineName=pipeline)
        return [execution["pipelineExecutionId"] for execution in answer["pipelineExecutionSummaries"]]

    def wait(self, pipeline: str, execution_id: str, *, for_approval: bool = False, seconds: int = 240) -> Execution:
        """Waits for the end of an execution, or until it waits for approval."""
        deadline = time.monotonic() + seconds
        while True:
            execution = self.look(pipeline, execution_id)
            if execution.status in FINAL or (for_approval and execution.waits):
                return execution
            assert time.monotonic() < deadline, f"{pipeline} does not end: {execution}"
            time.sleep(0.5)

    def run(self, pipeline: str, **variables: str) -> Execution:
        """Runs a pipeline that needs no approval to its end."""
        return self.wait(pipeline, self.start(pipeline, **variables))

    def approve(self, pipeline: str, status: str = "Approved", summary: str = "", person: Person | None = None) -> None:
        """Approves (or rejects) what waits, as the operator or somebody else."""
        api = person.client("codepipeline") if person else self._pipelines()
        deadline = time.monotonic() + 60
        while True:
            actions = [
                (stage["stageName"], action["actionName"], action.get("latestExecution", {}).get("token"))
                for stage in api.get_pipeline_state(name=pipeline)["stageStates"]
                for action in stage["actionStates"]
            ]
            waiting = [each for each in actions if each[2]]
            if waiting:
                break
            # An action is in progress a moment before it can be approved.
            assert time.monotonic() < deadline, f"nothing of {pipeline} can be approved: {actions}"
            time.sleep(0.2)
        for stage, action, token in waiting:
            api.put_approval_result(
                pipelineName=pipeline,
                stageName=stage,
                actionName=action,
                result={"summary": summary, "status": status},
                token=token,
            )

    def logs(self, execution: Execution) -> dict[str, str]:
        """The logs of an execution's builds, by build id."""
        builds = [action.build_id for action in execution.actions.values() if action.build_id]
        return {build: self.log(build) for build in builds}

    def story(self, execution: Execution) -> str:
        """What happened in an execution, for the message of a failed test."""
        return "\n".join([str(execution), *self.logs(execution).values()])

    def log(self, build_id: str) -> str:
        """A build's log, without the functions that CodeBuild shows at its beginning."""
        build = self.administrator.client("codebuild").batch_get_builds(ids=[build_id])["builds"][0]
        events = self.administrator.client("logs").get_log_events(
            logGroupName=build["logs"]["groupName"], logStreamName=build["logs"]["streamName"], startFromHead=True
        )["events"]
        log = "".join(event["message"] for event in events)
        return re.sub(r"# Functions: .*?# End of functions\.", "", log, flags=re.DOTALL)

    def state(self, stack: str) -> dict[str, Any] | None:
        """A stack's state, None where there is none yet."""
        s3 = self.kept("s3")
        try:
            answer = s3.get_object(Bucket=self.foundation["state_bucket"], Key=f"{stack}/terraform.tfstate")
        except s3.exceptions.NoSuchKey:
            return None
        state: dict[str, Any] = json.loads(answer["Body"].read())
        return state

    def _pipelines(self) -> Any:
        assert self.operator is not None
        return self.operator.client("codepipeline")


def new_estate(
    aws: LocalAws, directory: Path, stacks: list[dict[str, Any]], **settings: Any
) -> tuple[Estate, Repository]:
    """An estate before the first site.yml: people with exactly the rendered policies, and an empty repository."""
    administrator = aws.person("administrator", EVERYTHING)
    example = yaml.safe_load((ROOT / "playbooks" / "example.yml").read_text())
    estate = Estate(aws, administrator, directory, {**example["gitops_settings"], **settings}, stacks)
    rendered = estate.playbook("policies.yml", None, account_id=ACCOUNT, directory=str(directory / "policies"))
    assert not rendered.failed, rendered.output
    for name, policy in people_policies(directory / "policies", "installer", "operator", "recovery").items():
        setattr(estate, name, new_person(administrator, name, policy))
    repository = Repository(directory / "git")
    aws.command("map-repository", REPOSITORY, str(repository.bare))
    (repository.clone / "README.md").write_text("All stacks\n")
    repository.push("Begin")
    return estate, repository


def new_person(administrator: Person, name: str, policy: dict[str, Any]) -> Person:
    """A user with exactly this policy, made by the administrator."""
    iam = administrator.client("iam")
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Person(name, administrator.endpoint_url, key["AccessKeyId"], key["SecretAccessKey"])


def in_role(person: Person, role_arn: str, device: tuple[str, str] | None = None) -> Person:
    """A session of a role: who a person is who has taken it, with the serial number and seed of an MFA device."""
    mfa = {"SerialNumber": device[0], "TokenCode": code(device[1])} if device else {}
    answer = person.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=person.name, **mfa)["Credentials"]
    return Person(
        f"{role_arn.rpartition('/')[2]}/{person.name}",
        person.endpoint_url,
        answer["AccessKeyId"],
        answer["SecretAccessKey"],
        answer["SessionToken"],
    )


def mfa_device(administrator: Person, name: str) -> tuple[str, str]:
    """A virtual MFA device of a user: serial number and seed."""
    iam = administrator.client("iam")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    serial, seed = device["SerialNumber"], device["Base32StringSeed"].decode()
    codes = {f"AuthenticationCode{number}": code(seed, time.time() + 30 * (number - 2)) for number in (1, 2)}
    iam.enable_mfa_device(UserName=name, SerialNumber=serial, **codes)
    return serial, seed


def helper_in_need(administrator: Person, name: str, role_arn: str) -> Person:
    """A new user who may take the break-glass role, which need not be there yet."""
    return new_person(administrator, name, allow(["sts:AssumeRole"], [role_arn]))


def break_glass(administrator: Person, person: Person, role_arn: str) -> Person:
    """Such a user in an emergency, who has taken the role with MFA."""
    return in_role(person, role_arn, mfa_device(administrator, person.name))


def root(endpoint_url: str) -> Person:
    """The account's owner, to whom local AWS denies nothing, not even what AWS would."""
    return Person("root", endpoint_url, ROOT_ACCESS_KEY_ID, ROOT_SECRET_ACCESS_KEY)


def emergency_role(administrator: Person) -> str:
    """A break-glass role as a user may have it: everything, for the administrator, without MFA. The setting for it."""
    trusted = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    iam = administrator.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    iam.create_role(RoleName="emergency", AssumeRolePolicyDocument=document)
    everything = json.dumps(allow(["*"], ["*"]))
    iam.put_role_policy(RoleName="emergency", PolicyName="everything", PolicyDocument=everything)
    return "role/emergency"


def allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    """A policy of one statement."""
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resources}]}


EVERYTHING = allow(["*"], ["*"])


def _own_policies(administrator: Person) -> list[dict[str, Any]]:
    pages = administrator.client("iam").get_paginator("list_policies").paginate(Scope="Local")
    return [policy for page in pages for policy in page["Policies"]]


def inventory(administrator: Person) -> dict[str, set[str]]:
    """Everything there is in the account, of every kind that the collection or its stacks make; the names by kind."""

    def names(service: str, operation: str, result: str, name: Callable[[Any], str]) -> set[str]:
        client = administrator.client(service)
        if client.can_paginate(operation):
            pages = list(client.get_paginator(operation).paginate())
        else:
            pages = [getattr(client, operation)()]
        return {name(entry) for page in pages for entry in page.get(result, [])}

    kms = administrator.client("kms")
    keys = names("kms", "list_keys", "Keys", lambda key: key["KeyId"])
    return {
        "buckets": names("s3", "list_buckets", "Buckets", lambda bucket: bucket["Name"]),
        "tables": names("dynamodb", "list_tables", "TableNames", str),
        "roles": names("iam", "list_roles", "Roles", lambda role: role["RoleName"]),
        "policies": {policy["PolicyName"] for policy in _own_policies(administrator)},
        "projects": names("codebuild", "list_projects", "projects", str),
        "pipelines": names("codepipeline", "list_pipelines", "pipelines", lambda pipeline: pipeline["name"]),
        "connections": names("codeconnections", "list_connections", "Connections", lambda one: one["ConnectionName"]),
        "parameters": names("ssm", "describe_parameters", "Parameters", lambda parameter: parameter["Name"]),
        "log groups": names("logs", "describe_log_groups", "logGroups", lambda group: group["logGroupName"]),
        "rules": names("events", "list_rules", "Rules", lambda rule: rule["Name"]),
        "topics": names("sns", "list_topics", "Topics", lambda topic: topic["TopicArn"]),
        "queues": names("sqs", "list_queues", "QueueUrls", str),
        "vpcs": names("ec2", "describe_vpcs", "Vpcs", lambda vpc: vpc["VpcId"]),
        "subnets": names("ec2", "describe_subnets", "Subnets", lambda subnet: subnet["SubnetId"]),
        "aliases": names("kms", "list_aliases", "Aliases", lambda alias: alias["AliasName"]),
        "keys": {key for key in keys if kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] != "PendingDeletion"},
    }
