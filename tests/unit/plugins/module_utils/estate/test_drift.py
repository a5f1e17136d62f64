# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks for drift in the account: its pipeline, roles and schedules, and what is not wanted of them."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.gitops.aws.plugins.module_utils._estate import drift, names
from tests.unit.plugins.module_utils.estate.conftest import ROOT

Make = Callable[..., dict[str, Any]]
IAM = "arn:aws:iam::111122223333"
STATE = "arn:aws:s3:::gitops-111122223333-eu-central-1-state"
ARTIFACTS = "arn:aws:s3:::gitops-111122223333-eu-central-1-artifacts"
OWNING = {"removal": True, "scope": {"account": True}, "types": ["aws_instance", "aws_iam_role"]}


@pytest.fixture(scope="session")
def texts() -> dict[str, str]:
    """The buildspecs that the collection brings, by step, and the part that they include."""
    files = {
        "scan": "buildspec_drift_scan.yml",
        "act": "buildspec_drift_act.yml",
        "drift_python.sh": "parts/drift_python.sh",
    }
    return {name: (ROOT / "buildspecs" / file).read_text(encoding="utf-8") for name, file in files.items()}


def roles_of(shared: dict[str, Any], stacks: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {role["name"]: role for role in drift.drift_roles(shared, stacks)}


def statements(role: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["Sid"]: one for policy in role["inline_policies"].values() for one in policy["Statement"]}


def allowed(role: dict[str, Any], action: str, resource: str) -> bool:
    """Whether a statement allows it, and none without a condition denies it."""

    def matches(statement: dict[str, Any]) -> bool:
        resources = statement["Resource"]
        actions = statement["Action"]
        return any(
            fnmatch.fnmatchcase(action, one) for one in (actions if isinstance(actions, list) else [actions])
        ) and any(
            fnmatch.fnmatchcase(resource, one) for one in (resources if isinstance(resources, list) else [resources])
        )

    found = statements(role).values()
    denied = any(matches(one) for one in found if one["Effect"] == "Deny" and "Condition" not in one)
    return not denied and any(matches(one) for one in found if one["Effect"] == "Allow")


def test_without_the_setting_there_is_nothing(foundation: Make, stack: Make, texts: dict[str, str]) -> None:
    shared, stacks = foundation(), [stack()]

    assert drift.drift_roles(shared, stacks) == []
    assert drift.drift_projects(shared, texts) == []
    assert drift.drift_pipelines(shared) == []
    assert drift.drift_schedules(shared, stacks) == []
    assert drift.drift_policies(shared, stacks) == {}
    unwanted = drift.drift_not_wanted(shared, stacks)
    assert [one["name"] for one in unwanted["schedules"]] == ["gitops-network-drift", "gitops-drift"]
    assert {kind: [one["name"] for one in items] for kind, items in unwanted.items() if kind != "schedules"} == {
        "pipelines": ["gitops-drift"],
        "projects": ["gitops-drift-scan", "gitops-drift-act"],
        "roles": [f"gitops-drift-{part}" for part in ("scan", "act", "pipeline", "schedule")],
    }


def test_what_only_reports_has_nothing_that_acts(foundation: Make, stack: Make, texts: dict[str, str]) -> None:
    shared, stacks = foundation(drift={}), [stack()]

    assert list(roles_of(shared, stacks)) == [f"gitops-drift-{part}" for part in ("scan", "pipeline", "schedule")]
    (project,) = drift.drift_projects(shared, texts)
    variables = {one["name"]: one["value"] for one in project["environment"]["environment_variables"]}
    assert (project["name"], variables["DRIFT_ACTION"]) == ("gitops-drift-scan", "report")
    (pipeline,) = drift.drift_pipelines(shared)
    assert [stage["name"] for stage in pipeline["stages"]] == ["Source", "Scan"]
    unwanted = drift.drift_not_wanted(shared, stacks)
    assert unwanted == {
        "schedules": [],
        "pipelines": [],
        "projects": [{"name": "gitops-drift-act"}],
        "roles": [{"name": "gitops-drift-act"}],
    }


def test_somebody_approves_unless_there_is_nothing_to_do(foundation: Make) -> None:
    (pipeline,) = drift.drift_pipelines(foundation(drift=OWNING))
    source, scan, act = pipeline["stages"]

    assert pipeline["execution_mode"] == "SUPERSEDED"
    configuration = source["actions"][0]["configuration"]
    assert configuration["S3Bucket"] == "gitops-111122223333-eu-central-1-state"
    assert configuration["S3ObjectKey"] == "gitops-drift/source/source.zip"
    assert configuration["PollForSourceChanges"] is False
    assert scan["actions"][0]["output_artifacts"] == [{"name": "scan"}]
    (condition,) = act["before_entry"]["conditions"]
    assert condition["result"] == "SKIP"
    assert condition["rules"][0]["configuration"] == {
        "Variable": "#{Scan.PLAN_COUNT}",
        "Operator": "NE",
        "Value": "0",
    }
    approve, carry_out = act["actions"]
    assert (approve["run_order"], carry_out["run_order"]) == (1, 2)
    assert "#{Scan.PLAN_EFFECTS}" in approve["configuration"]["CustomData"]
    # What is carried out is the plan that was approved.
    (given,) = json.loads(carry_out["configuration"]["EnvironmentVariables"])
    assert (given["name"], given["value"]) == ("PLAN_DIGEST", "#{Scan.PLAN_DIGEST}")


def test_the_builds_run_no_code_of_a_commit(foundation: Make, texts: dict[str, str]) -> None:
    for project in drift.drift_projects(foundation(drift=OWNING), texts):
        assert project["source"]["type"] == "CODEPIPELINE"
        assert "#include" not in project["source"]["buildspec"]
        assert "ansible-playbook gitops.aws.drift" in project["source"]["buildspec"]
        assert project["environment"]["image"] == "aws/codebuild/amazonlinux-x86_64-standard:5.0"


@pytest.mark.parametrize("step", ["scan", "act"])
def test_nothing_that_the_settings_say_is_a_template(texts: dict[str, str], step: str) -> None:
    """All that `-e` gives is one to Ansible, a file's texts, too."""
    buildspec = yaml.safe_load(texts[step].replace("#include", "include"))
    (command,) = [one for one in buildspec["phases"]["build"]["commands"] if one.startswith("ansible-playbook")]
    given = re.findall(r'-e "?([^" ]+)', command)

    assert [one for one in given if one.startswith("@")] == []
    names_given = ["drift_settings_file", "drift_action", *(["digest", "plan_file"] if step == "act" else [])]
    assert [one.partition("=")[0] for one in given] == [*names_given, "directory"]


@pytest.mark.parametrize("digest", ["", "{{ lookup('pipe', 'touch made') }}", "ABC", "0123 x=y"])
def test_a_digest_that_is_none_ends_it(texts: dict[str, str], digest: str) -> None:
    commands = yaml.safe_load(texts["act"].replace("#include", "include"))["phases"]["build"]["commands"]
    (check,) = [one for one in commands if one.startswith("case $PLAN_DIGEST")]

    for given, code in ((digest, 1), ("0123456789abcdef" * 4, 0)):
        run = subprocess.run(["sh", "-c", check], env={"PLAN_DIGEST": given}, check=False, capture_output=True)
        assert run.returncode == code, given


def requirements(file: str) -> dict[str, str]:
    """The versions in a file of requirements that this Python is for, by name."""
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    found = [re.match(r"([\w-]+)==([^\s;]+)(?: ; (.*?))?(?: \\)?$", line) for line in lines]
    return {one[1]: one[2] for one in found if one and ">= '3.12'" not in (one[3] or "")}


def test_what_is_installed_is_what_is_tested() -> None:
    installed, tested = requirements("roles/drift/files/requirements.txt"), requirements("requirements/dev.txt")

    assert {"ansible-core", "boto3", "botocore", "jmespath", "pyyaml", "cryptography"} <= set(installed)
    assert {name: version for name, version in installed.items() if tested.get(name) != version} == {}


def test_what_is_installed_is_known_by_its_hashes() -> None:
    text = (ROOT / "roles/drift/files/requirements.txt").read_text(encoding="utf-8")
    for one in re.split(r"\n(?=\w)", text.partition("\nansible-core")[2]):
        assert "--hash=sha256:" in one, one


@pytest.mark.parametrize(
    ("pip", "said"),
    [("exit 1", "pip could not install Ansible with python3"), ("exit 0", "")],
)
def test_a_build_installs_what_is_locked_or_says_that_pip_failed(
    texts: dict[str, str], tmp_path: Path, pip: str, said: str
) -> None:
    """A Python that makes environments with a pip which only notes how it is called."""
    python = (
        "#!/bin/sh\ncase $1 in -c) exit 0 ;; esac\n"
        'if [ "$2" = venv ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; exit; fi\n'
        f'echo "$@" > {tmp_path}/called\n{pip}\n'
    )
    (tmp_path / "bin").mkdir()
    for name in ("mkdir", "cp", "mktemp", "sed"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    (tmp_path / "bin" / "python3").write_text(python, encoding="utf-8")
    (tmp_path / "bin" / "python3").chmod(0o755)
    run = subprocess.run(
        ["/bin/sh", "-c", f"{texts['drift_python.sh']}\nprovide_ansible"],
        env={"PATH": str(tmp_path / "bin"), "CODEBUILD_SRC_DIR": "/src", "TMPDIR": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )

    assert (run.returncode != 0, said in run.stderr) == (bool(said), True), run.stderr
    called = (tmp_path / "called").read_text(encoding="utf-8")
    locked = "/src/collections/ansible_collections/gitops/aws/roles/drift/files/requirements.txt"
    assert f"--require-hashes --requirement {locked}" in called
    assert "no Python 3.11" not in run.stderr


def test_each_role_is_for_one_thing_of_this_estate(foundation: Make, stack: Make) -> None:
    trusted = {
        name.rpartition("-")[2]: role["assume_role_policy"]["Statement"][0]
        for name, role in roles_of(foundation(drift=OWNING), [stack()]).items()
    }

    arn = "arn:aws:{}:eu-central-1:111122223333:{}"
    for part, service, source in (
        ("scan", "codebuild", arn.format("codebuild", "project/gitops-drift-scan")),
        ("act", "codebuild", arn.format("codebuild", "project/gitops-drift-act")),
        ("pipeline", "codepipeline", arn.format("codepipeline", "gitops-drift")),
        ("schedule", "scheduler", arn.format("scheduler", "schedule-group/gitops")),
    ):
        assert trusted[part]["Principal"] == {"Service": f"{service}.amazonaws.com"}
        assert trusted[part]["Condition"]["ArnEquals"] == {"aws:SourceArn": [source]}
        assert trusted[part]["Condition"]["StringEquals"] == {"aws:SourceAccount": "111122223333"}


def test_roles_have_the_boundary_and_the_tags(foundation: Make) -> None:
    bound = f"{IAM}:policy/bounded"

    for role in drift.drift_roles(foundation(drift=OWNING, permissions_boundary=bound, tags={"a": "1"}), []):
        assert (role["permissions_boundary"], role["tags"]) == (bound, {"a": "1"})


def test_who_scans_reads_and_writes_only_what_it_remembers(foundation: Make) -> None:
    scan = roles_of(foundation(drift=OWNING), [])["gitops-drift-scan"]

    writing = {
        action
        for one in statements(scan).values()
        if one["Effect"] == "Allow"
        for action in one["Action"]
        if not action.partition(":")[2].startswith(("BatchGet", "Describe", "Get", "List", "Lookup", "Scan", "Search"))
    }
    # The key is that of state and artifacts.
    assert writing == {
        "kms:Decrypt",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "s3:PutObject",
    }
    assert allowed(scan, "s3:PutObject", f"{STATE}/gitops-drift/ledger.json")
    assert allowed(scan, "s3:PutObject", f"{ARTIFACTS}/gitops-drift/scan/x")
    for place in (
        f"{STATE}/network/terraform.tfstate",
        f"{STATE}/network/terraform.tfstate.tflock",
        f"{STATE}/gitops-drift/source/source.zip",
        f"{ARTIFACTS}/gitops-drift/source/x",
    ):
        assert not allowed(scan, "s3:PutObject", place), place
    assert allowed(scan, "s3:GetObject", f"{STATE}/network/terraform.tfstate")
    assert allowed(scan, "s3:GetObject", f"{ARTIFACTS}/gitops-network-drift/drift/x")
    assert not allowed(scan, "s3:GetObject", f"{ARTIFACTS}/gitops-network/plan/x")


def test_who_acts_does_so_to_the_named_types_and_never_to_the_estate(foundation: Make, stack: Make) -> None:
    act = roles_of(foundation(drift=OWNING), [stack()])["gitops-drift-act"]
    found = statements(act)

    assert "ec2:TerminateInstances" in found["Act"]["Action"]
    assert not {"ec2:DeleteVolume", "s3:DeleteBucket"}.intersection(found["Act"]["Action"])
    assert found["Act"]["Condition"] == {
        "Null": {"aws:ResourceTag/gitops:estate": "true", "aws:ResourceTag/gitops:protect": "true"}
    }
    assert not allowed(act, "iam:DeleteRole", f"{IAM}:role/gitops-network-apply")
    assert allowed(act, "iam:DeleteRole", f"{IAM}:role/somebody-s")
    # An identity is quarantined by one policy, and no other can be attached.
    assert found["OnlyDenyAll"]["Condition"] == {
        "ArnNotEquals": {"iam:PolicyARN": "arn:aws:iam::aws:policy/AWSDenyAll"}
    }
    # Locks, and no states.
    assert allowed(act, "s3:PutObject", f"{STATE}/network/terraform.tfstate.tflock")
    assert not allowed(act, "s3:PutObject", f"{STATE}/network/terraform.tfstate")
    assert not allowed(act, "s3:PutObject", f"{STATE}/gitops-drift/source/source.zip")
    assert not allowed(act, "s3:PutObject", f"{ARTIFACTS}/gitops-drift/scan/x")


def test_nothing_is_denied_of_services_that_are_not_touched(foundation: Make) -> None:
    act = roles_of(foundation(drift={**OWNING, "types": ["aws_instance"]}), [])["gitops-drift-act"]

    assert "OnlyDenyAll" not in statements(act)
    assert not [sid for sid in statements(act) if sid.startswith("OwnThings")]


def test_schedules_start_pipelines_that_only_look(foundation: Make, stack: Make) -> None:
    shared = foundation(drift={**OWNING, "schedule": "cron(0 4 * * ? *)", "timezone": "Europe/Berlin"})
    one, central = drift.drift_schedules(shared, [stack()])

    assert (one["name"], central["name"], one["group_name"]) == ("gitops-network-drift", "gitops-drift", "gitops")
    assert (one["schedule_expression"], one["schedule_expression_timezone"]) == ("cron(0 4 * * ? *)", "Europe/Berlin")
    assert one["target"]["role_arn"] == f"{IAM}:role/gitops-drift-schedule"
    role = roles_of(shared, [stack()])["gitops-drift-schedule"]
    start = "codepipeline:StartPipelineExecution"
    assert allowed(role, start, one["target"]["arn"])
    assert allowed(role, start, central["target"]["arn"])
    assert not allowed(role, start, "arn:aws:codepipeline:eu-central-1:111122223333:gitops-network")
    assert not allowed(role, start, "arn:aws:codepipeline:eu-central-1:111122223333:gitops-network-destroy")


def test_without_a_schedule_it_is_only_looked_on_demand(foundation: Make, stack: Make) -> None:
    shared = foundation(drift={"schedule": ""})

    assert drift.drift_schedules(shared, [stack()]) == []
    assert "gitops-drift-schedule" not in roles_of(shared, [stack()])
    assert len(drift.drift_not_wanted(shared, [stack()])["schedules"]) == 2
    assert {"name": "gitops-drift-schedule"} in drift.drift_not_wanted(shared, [stack()])["roles"]


def test_what_the_playbook_has_to_know_holds_no_secret(foundation: Make, stack: Make) -> None:
    stacks = [stack(), stack(name="keys", credentials="parameter_store", variables={"password": "hunter2"})]
    told = drift.drift_settings(foundation(drift=OWNING), stacks, [{"kind": "ignore"}])

    assert told["pipelines"] == [
        {"name": "gitops-network-drift", "stack": "network"},
        {"name": "gitops-keys-drift", "stack": "keys"},
    ]
    assert told["pipeline_roles"] == [f"{IAM}:role/gitops-{name}-apply" for name in ("keys", "network")]
    assert told["entries"] == [{"kind": "ignore"}]
    assert "hunter2" not in json.dumps(told)


@pytest.mark.parametrize(
    ("schedule", "hours"),
    [
        ("rate(15 minutes)", 26),
        ("rate(12 hours)", 26),
        ("rate(20 hours)", 40),
        ("rate(1 day)", 48),
        ("rate(7 days)", 336),
        ("cron(0 4 ? * MON *)", 170),
        ("", 170),
    ],
)
def test_answers_of_the_stacks_count_as_long_as_their_schedule_says(
    foundation: Make, stack: Make, schedule: str, hours: int
) -> None:
    assert drift.drift_settings(foundation(drift={"schedule": schedule}), [stack()], [])["max_age_hours"] == hours


def test_copies_are_tagged_and_nothing_that_is_there(foundation: Make, stack: Make) -> None:
    found = statements(roles_of(foundation(drift=OWNING), [stack()])["gitops-drift-act"])

    tagging = [one for one in found.values() if "ec2:CreateTags" in one["Action"] and one["Effect"] == "Allow"]
    assert [one["Condition"] for one in tagging] == [
        {"StringEquals": {"ec2:CreateAction": ["CreateImage", "CreateSnapshot"]}}
    ]
    only_roles = roles_of(foundation(drift={**OWNING, "types": ["aws_iam_role"]}), [stack()])["gitops-drift-act"]
    assert "TagCopies" not in statements(only_roles)


def test_an_estate_that_does_not_look_for_drift_can_be_looked_at_on_demand(foundation: Make, stack: Make) -> None:
    told = drift.drift_settings(foundation(), [stack()], [])

    assert told["pipelines"] == []
    assert told["foundation"]["drift"]["regions"] == ["eu-central-1"]
    assert (told["foundation"]["drift"]["types"], told["foundation"]["drift"]["scope"]) == ([], None)


def test_what_is_the_estate_s_is_protected_by_name_too(foundation: Make, stack: Make) -> None:
    named = f"{IAM}:role/platform/theirs"
    shared = foundation(drift={}, state_bucket="platform-states", create_state_bucket=False)
    patterns = drift.protected_arns(shared, [stack(apply_role_arn=named)])

    for arn in (
        "arn:aws:s3:::platform-states",
        named,
        shared["kms_key_arn"],
        f"{IAM}:role/gitops-network-plan",
        f"{IAM}:role/platform",
        f"{IAM}:role/gitops-break-glass",
        "arn:aws:dynamodb:eu-central-1:111122223333:table/gitops-lock",
        "arn:aws:logs:eu-central-1:111122223333:log-group:/gitops/builds",
    ):
        assert any(fnmatch.fnmatchcase(arn, pattern) for pattern in patterns), arn
    assert not any(fnmatch.fnmatchcase(f"{IAM}:role/somebody-s", pattern) for pattern in patterns)


def test_people_look_without_what_acts(foundation: Make, stack: Make) -> None:
    assert list(drift.drift_policies(foundation(drift={}), [stack()])) == ["drift_scan"]
    policies = drift.drift_policies(foundation(drift=OWNING), [stack()])
    assert list(policies) == ["drift_scan", "drift_act"]
    # On demand, whether or not the pipeline goes on to act.
    assert drift.drift_policies(foundation(drift={**OWNING, "removal": False}), [stack()]) == policies
    actions = {action for one in policies["drift_scan"]["Statement"] for action in one["Action"]}
    assert not [one for one in actions if one.startswith("ec2:") and not one.startswith("ec2:Describe")]


def test_names_of_the_roles_are_those_that_the_seal_spares(foundation: Make) -> None:
    shared = foundation(drift=OWNING)

    assert [names.central(shared, part) for part in ("scan", "act")] == ["gitops-drift-scan", "gitops-drift-act"]
    assert set(roles_of(shared, [])) >= {"gitops-drift-scan", "gitops-drift-act"}
