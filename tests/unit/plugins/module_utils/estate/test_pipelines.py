# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build projects and pipelines of a stack."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from ansible_collections.gitops.aws.plugins.module_utils._estate import pipelines

Make = Callable[..., dict[str, Any]]

PARAMETERS = {
    "AWS_ACCESS_KEY_ID": "/gitops/network/AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY": "/gitops/network/AWS_SECRET_ACCESS_KEY",
}
REGION = "eu-central-1"
TARGET = "arn:aws:iam::444455556666:role/terraform"


@pytest.fixture
def made(foundation: Make, stack: Make) -> Callable[..., tuple[dict[str, Any], dict[str, Any]]]:
    """Makes the two pipelines of a stack: the one that applies, and the one that destroys."""

    def make(**values: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        apply, destroy = pipelines.stack_pipelines([stack(**values)], foundation())
        return apply, destroy

    return make


@pytest.fixture
def projects(foundation: Make, stack: Make, buildspecs: dict[str, str]) -> Callable[..., dict[str, dict[str, Any]]]:
    """Makes the build projects of a stack, by step."""

    def make(settings: dict[str, Any] | None = None, **values: Any) -> dict[str, dict[str, Any]]:
        found = pipelines.stack_projects([stack(**values)], foundation(**(settings or {})), buildspecs)
        return {project["name"].rsplit("-", 1)[1]: project for project in found}

    return make


def steps(pipeline: dict[str, Any]) -> list[list[str]]:
    """The stages, each with its actions in the order in which they run."""
    return [
        [stage["name"], *(each["name"] for each in sorted(stage["actions"], key=lambda each: each.get("run_order", 1)))]
        for stage in pipeline["stages"]
    ]


def action(pipeline: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for stage in pipeline["stages"] for each in stage["actions"] if each["name"] == name]
    result: dict[str, Any] = found
    return result


def given(action: dict[str, Any]) -> dict[str, str]:
    """The variables that an action gives to its build."""
    listed = json.loads(action["configuration"]["EnvironmentVariables"])
    assert {each["type"] for each in listed} == {"PLAINTEXT"}
    return {each["name"]: each["value"] for each in listed}


def variables(project: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in project["environment"]["environment_variables"]}


# Pipelines


def test_plan_then_somebody_says_yes_then_apply(made: Any) -> None:
    apply, destroy = made()

    assert (apply["name"], destroy["name"]) == ("gitops-network", "gitops-network-destroy")
    # In one stage: a queue locks stages, and the next execution must not plan before this one has applied.
    assert steps(apply) == [["Source", "Source"], ["Deploy", "Plan", "Approve", "Apply"]]
    assert steps(destroy) == [["Source", "Source"], ["Destroy", "Plan", "Approve", "Destroy"]]
    for pipeline in (apply, destroy):
        orders = [each["run_order"] for each in pipeline["stages"][1]["actions"]]
        assert orders == sorted(set(orders))


def test_a_stack_may_do_without_approval_but_not_when_it_is_destroyed(made: Any) -> None:
    apply, destroy = made(approval=False)

    assert steps(apply) == [["Source", "Source"], ["Deploy", "Plan", "Apply"]]
    assert steps(destroy) == [["Source", "Source"], ["Destroy", "Plan", "Approve", "Destroy"]]
    assert [given(action(each, "Plan"))["APPROVAL"] for each in (apply, destroy)] == ["false", "true"]


def test_no_execution_overtakes_another(made: Any) -> None:
    for pipeline in made():
        assert pipeline["pipeline_type"] == "V2"
        assert pipeline["execution_mode"] == "QUEUED"


def test_a_push_to_the_branch_starts_the_pipeline(made: Any) -> None:
    apply, _destroy = made(branch="release")

    (trigger,) = apply["triggers"]
    assert trigger["git_configuration"] == {
        "source_action_name": "Source",
        "push": [{"branches": {"includes": ["release"]}}],
    }
    assert action(apply, "Source")["configuration"]["DetectChanges"] is True


def test_a_push_elsewhere_in_the_repository_does_not(made: Any) -> None:
    (push,) = made(path="stacks/network")[0]["triggers"][0]["git_configuration"]["push"]

    assert push == {"branches": {"includes": ["main"]}, "file_paths": {"includes": ["stacks/network/**"]}}


def test_a_stack_without_trigger(made: Any) -> None:
    apply, _destroy = made(trigger=False)

    assert apply["triggers"] == []
    assert action(apply, "Source")["configuration"]["DetectChanges"] is False


@pytest.mark.parametrize("trigger", [True, False])
def test_nothing_triggers_the_destruction(made: Any, trigger: bool) -> None:
    _apply, destroy = made(trigger=trigger)

    assert destroy["triggers"] == []
    assert action(destroy, "Source")["configuration"]["DetectChanges"] is False


@pytest.mark.parametrize("approval", [True, False])
def test_artifacts_are_made_before_they_are_used_and_once(made: Any, approval: bool) -> None:
    for pipeline in made(approval=approval):
        there: set[str] = set()
        for stage in pipeline["stages"]:
            for each in stage["actions"]:
                assert {artifact["name"] for artifact in each.get("input_artifacts", [])} <= there
                new = {artifact["name"] for artifact in each.get("output_artifacts", [])}
                assert not new & there
                there |= new
        assert there == {"source", "plan"}


def test_what_is_applied_is_what_was_planned(made: Any) -> None:
    for pipeline, last in zip(made(), ("Apply", "Destroy"), strict=True):
        assert action(pipeline, "Plan")["namespace"] == "Plan"
        assert given(action(pipeline, last)) == {"EXECUTION_ID": "#{codepipeline.PipelineExecutionId}"}
        assert {artifact["name"] for artifact in action(pipeline, last)["input_artifacts"]} == {"source", "plan"}
        assert action(pipeline, last)["configuration"]["PrimarySource"] == "source"


def test_who_destroys_must_say_the_stack_s_name(made: Any) -> None:
    apply, destroy = made()

    assert [(variable["name"], "default_value" in variable) for variable in destroy["variables"]] == [
        ("confirm", False)
    ]
    assert given(action(destroy, "Plan"))["PLAN_MODE"] == "destroy"
    assert given(action(apply, "Plan"))["PLAN_MODE"] == "apply"


@pytest.mark.parametrize("approval", [True, False])
def test_nothing_that_somebody_sets_gets_into_the_builds_variables(made: Any, approval: bool) -> None:
    """CodePipeline puts a variable's quotes into the JSON as they are, so that one could set any other variable."""
    for pipeline in made(approval=approval):
        texts = [
            each["configuration"]["EnvironmentVariables"]
            for stage in pipeline["stages"]
            for each in stage["actions"]
            if "EnvironmentVariables" in each["configuration"]
        ]
        assert len(texts) == 2
        assert {name for text in texts for name in re.findall(r"#\{(.*?)\}", text)} == {
            "codepipeline.PipelineExecutionId"
        }


def test_who_starts_a_pipeline_may_say_what_to_import(made: Any) -> None:
    apply, destroy = made()

    assert [(variable["name"], variable["default_value"]) for variable in apply["variables"]] == [("imports", "none")]
    assert "imports" not in [variable["name"] for variable in destroy["variables"]]


def test_the_message_to_who_approves(made: Any) -> None:
    apply, destroy = made()

    text = (
        "stack network: #{Plan.PLAN_SUMMARY}. #{Plan.PLAN_EFFECTS} Plan #{Plan.PLAN_ID}, "
        "commit #{Source.CommitId} on #{Source.BranchName}."
    )
    assert action(apply, "Approve")["configuration"]["CustomData"] == f"Apply {text}"
    assert action(destroy, "Approve")["configuration"]["CustomData"] == f"DESTROY everything in {text}"
    log = action(apply, "Approve")["configuration"]["ExternalEntityLink"]
    assert log == (
        "https://eu-central-1.console.aws.amazon.com/codesuite/codebuild/111122223333/projects/gitops-network-plan/build/"
        "#{Plan.PLAN_BUILD}/?region=eu-central-1"
    )


def test_variables_that_the_pipelines_use_are_exported(made: Any, buildspecs: dict[str, str]) -> None:
    exported = set(yaml.safe_load(buildspecs["plan"])["env"]["exported-variables"])

    for pipeline in made():
        used = set(json.dumps(pipeline).split("#{Plan.")[1:])
        assert {text.split("}")[0] for text in used} <= exported


def test_variables_are_of_actions_that_ran_before(made: Any) -> None:
    for pipeline in made():
        known = {"codepipeline", "variables"}
        for stage in pipeline["stages"]:
            for each in sorted(stage["actions"], key=lambda each: each.get("run_order", 1)):
                used = {text.split(".")[0] for text in json.dumps(each["configuration"]).split("#{")[1:]}
                assert used <= known
                known |= {each["namespace"]} if "namespace" in each else set()


def test_where_artifacts_are_kept_and_how(made: Any, foundation: Make) -> None:
    for pipeline in made():
        store = pipeline["artifact_store"]
        assert store["location"] == foundation()["artifact_bucket"]
        assert store["encryption_key"]["id"] == foundation()["kms_key_arn"]
        assert pipeline["role_arn"] == "arn:aws:iam::111122223333:role/gitops-network-pipeline"


def test_configuration_values_fit_into_a_pipeline(made: Any) -> None:
    for pipeline in made(name="n" * 48, branch="b" * 255, repository=f"{'a' * 39}/{'r' * 100}"):
        for stage in pipeline["stages"]:
            for each in stage["actions"]:
                assert all(1 <= len(str(value)) <= 1000 for value in each["configuration"].values())


# Projects


def test_three_projects_with_the_role_of_their_step(projects: Any) -> None:
    found = projects()

    role = "arn:aws:iam::111122223333:role/gitops-network"
    assert {step: project["service_role"] for step, project in found.items()} == {
        "plan": f"{role}-plan",
        "apply": f"{role}-apply",
        "destroy": f"{role}-apply",
    }
    for step, project in found.items():
        assert project["concurrent_build_limit"] == 1
        assert project["environment"]["privileged_mode"] is False
        assert project["logs_config"]["cloud_watch_logs"]["stream_name"] == f"gitops-network-{step}"
        assert project["tags"]["gitops:stack"] == "network"


def test_own_roles_image_and_size(projects: Any, foundation: Make) -> None:
    own = "arn:aws:iam::111122223333:role/own"
    found = projects(
        apply_role_arn=own, image="acme/terraform:1", compute_type="BUILD_GENERAL1_LARGE", timeout_in_minutes=90
    )

    assert found["destroy"]["service_role"] == own
    assert found["plan"]["service_role"].endswith("-plan")
    assert found["plan"]["environment"]["image"] == "acme/terraform:1"
    assert found["plan"]["environment"]["compute_type"] == "BUILD_GENERAL1_LARGE"
    assert found["plan"]["timeout_in_minutes"] == 90
    assert found["plan"]["encryption_key"] == foundation()["kms_key_arn"]


def test_buildspecs_are_inlined_with_their_parts(projects: Any, buildspecs: dict[str, str]) -> None:
    for step, project in projects().items():
        assert project["source"]["type"] == "CODEPIPELINE"
        text = project["source"]["buildspec"]
        assert "#include" not in text
        commands = yaml.safe_load(text)["phases"]["pre_build"]["commands"]
        assert commands[0] == buildspecs["functions.sh"]
        assert commands[1].startswith(buildspecs["plan.sh" if step == "plan" else "apply.sh"].partition("#include")[0])
    plan = yaml.safe_load(projects()["plan"]["source"]["buildspec"])["phases"]["pre_build"]["commands"][1]
    assert buildspecs["plan_facts.tf"].rstrip("\n") in plan


def test_a_part_that_is_not_there(foundation: Make, stack: Make, buildspecs: dict[str, str]) -> None:
    without = {name: text for name, text in buildspecs.items() if name != "apply.sh"}
    with pytest.raises(ValueError, match=r"includes apply\.sh, which is not there\. There are: apply, destroy, "):
        pipelines.stack_projects([stack()], foundation(), without)


def test_what_the_buildspecs_read(projects: Any) -> None:
    found = variables(projects(path="stacks/network")["plan"])

    assert {name: value for name, value in found.items() if name != "TF_CLI_ARGS_init"} == {
        "TERRAFORM": "terraform",
        "STACK_NAME": "network",
        "STACK_PATH": "stacks/network",
        "STACK_BRANCH": "main",
        "STATE_BUCKET": "gitops-111122223333-eu-central-1-state",
        "STATE_KEY": "network/terraform.tfstate",
        "TF_IN_AUTOMATION": "1",
    }
    for step in ("apply", "destroy"):
        assert variables(projects()[step])["ARTIFACT_BUCKET"] == "gitops-111122223333-eu-central-1-artifacts"


def test_opentofu(projects: Any) -> None:
    found = projects(engine="opentofu")

    assert {variables(project)["TERRAFORM"] for project in found.values()} == {"tofu"}
    assert {project["environment"]["image"] for project in found.values()} == {"ghcr.io/opentofu/opentofu:1.10.6"}


def test_checks_are_those_of_the_plan(projects: Any) -> None:
    found = projects(checks=["fmt", "conftest"], policy_path="policies/terraform", pull_requests=True)

    for step, project in found.items():
        names = {"STACK_CHECKS", "STACK_POLICY_PATH"} & set(variables(project))
        assert bool(names) is (step in ("plan", "review"))
    assert variables(found["plan"])["STACK_CHECKS"] == "fmt conftest"
    assert variables(found["review"])["STACK_POLICY_PATH"] == "policies/terraform"


def test_the_region_of_the_resources_is_not_that_of_the_state(projects: Any) -> None:
    found = projects(aws_region=REGION)["apply"]

    assert variables(found)["AWS_REGION"] == variables(found)["AWS_DEFAULT_REGION"] == REGION
    assert backend(found)["region"] == REGION


# Pull requests


def test_pull_requests_are_planned_by_a_project_of_their_own(projects: Any, foundation: Make) -> None:
    assert "review" not in projects()
    found = projects(pull_requests=True, path="stacks/a.b", trigger_paths=["modules/*/main.tf"], branch="release/1.x")

    review = found["review"]
    assert review["service_role"].endswith(":role/gitops-network-review")
    assert review["artifacts"] == {"type": "NO_ARTIFACTS"}
    assert review["source"]["type"] == "GITHUB"
    assert review["source"]["location"] == "https://github.com/acme/infrastructure.git"
    assert review["source"]["auth"] == {"type": "CODECONNECTIONS", "resource": foundation()["connection_arn"]}
    assert review["source"]["report_build_status"] is True
    (group,) = review["webhook"]["filter_groups"]
    filters = {each["type"]: each["pattern"] for each in group["filters"]}
    assert filters["EVENT"] == "PULL_REQUEST_CREATED, PULL_REQUEST_UPDATED, PULL_REQUEST_REOPENED"
    assert re.search(filters["BASE_REF"], "refs/heads/release/1.x")
    assert not re.search(filters["BASE_REF"], "refs/heads/release/1yx")
    assert not re.search(filters["BASE_REF"], "refs/heads/release/1.x-2")
    for path, meant in (
        ("stacks/a.b/x/main.tf", True),
        ("stacks/aab/main.tf", False),
        ("other/stacks/a.b/main.tf", False),
        ("modules/vpc/main.tf", True),
        ("modules/vpc/deep/main.tf", False),
    ):
        assert bool(re.search(filters["FILE_PATH"], path)) is meant, path
    assert review["webhook"]["pull_request_build_policy"] == {"requires_comment_approval": "FORK_PULL_REQUESTS"}
    assert "terraform apply" not in review["source"]["buildspec"]


def test_projects_for_pull_requests_that_are_not_wanted_are_named(foundation: Make, stack: Make) -> None:
    stacks = [stack(), stack(name="dns", pull_requests=True)]

    assert pipelines.reviews_not_wanted(stacks, foundation()) == [{"name": "gitops-network-review"}]


# Drift


def test_drift_is_looked_for_by_the_plan_s_project_where_it_is_wanted(foundation: Make, stack: Make) -> None:
    _apply, _destroy, drift = pipelines.stack_pipelines([stack()], foundation(drift={}))

    assert drift["name"] == "gitops-network-drift"
    assert steps(drift) == [["Source", "Source"], ["Drift", "Drift"]]
    assert drift["stages"][0]["actions"][0]["configuration"]["DetectChanges"] is False
    assert (drift["execution_mode"], drift["triggers"], drift["variables"]) == ("SUPERSEDED", [], [])
    look = action(drift, "Drift")
    assert look["configuration"]["ProjectName"] == "gitops-network-plan"
    assert given(look) == {"PLAN_MODE": "drift", "EXECUTION_ID": "#{codepipeline.PipelineExecutionId}"}
    assert (look["input_artifacts"], look["output_artifacts"]) == ([{"name": "source"}], [{"name": "drift"}])


def test_drift_is_not_looked_for_unasked_and_no_pipeline_stays_behind(foundation: Make, stack: Make) -> None:
    stacks = [stack(), stack(name="dns")]

    assert len(pipelines.stack_pipelines(stacks, foundation())) == 4
    assert pipelines.drift_pipelines_not_wanted(stacks, foundation()) == [
        {"name": "gitops-network-drift"},
        {"name": "gitops-dns-drift"},
    ]
    assert pipelines.drift_pipelines_not_wanted(stacks, foundation(drift={})) == []


def test_looking_for_drift_keeps_no_push_from_being_planned(projects: Any) -> None:
    def limits(**settings: Any) -> list[int]:
        return [projects(settings)[step]["concurrent_build_limit"] for step in ("plan", "apply", "destroy")]

    assert limits() == [1, 1, 1]
    assert limits(drift={}) == [2, 1, 1]


# The order of stacks


def test_a_stack_after_others_knows_their_pipelines_and_paths(
    foundation: Make, stack: Make, buildspecs: dict[str, str]
) -> None:
    stacks = [
        stack(path="network", trigger_paths=["modules/vpc/**"]),
        stack(name="all"),
        {**stack(name="app"), "after": ["network", "all"]},
    ]
    found = {each["name"]: variables(each) for each in pipelines.stack_projects(stacks, foundation(), buildspecs)}

    assert found["gitops-app-plan"]["STACK_AFTER"].splitlines() == [
        "gitops-network|:(glob)network/**|:(glob)modules/vpc/**",
        "gitops-all|:(glob)**",
    ]
    dependents = {name: value["STACK_DEPENDENTS"] for name, value in found.items() if "STACK_DEPENDENTS" in value}
    assert dependents == dict.fromkeys(
        ("gitops-network-plan", "gitops-network-apply", "gitops-all-plan", "gitops-all-apply"), "gitops-app"
    )


def test_terraform_s_variables(projects: Any) -> None:
    given = {
        "name": "a b",
        "count": 3,
        "public": False,
        "zones": ["a", "b"],
        "map": {"k": "ü"},
        "empty": "",
        "none": None,
    }

    found = {
        name[7:]: value for name, value in variables(projects(variables=given)["plan"]).items() if name[:7] == "TF_VAR_"
    }

    assert found["name"] == "a b"
    assert found["empty"] == ""
    assert {name: json.loads(found[name]) for name in given if name not in ("name", "empty")} == {
        name: value for name, value in given.items() if name not in ("name", "empty")
    }


def test_variables_are_sorted(projects: Any) -> None:
    names = [
        each["name"] for each in projects(variables={"b": 1, "a": 2})["plan"]["environment"]["environment_variables"]
    ]

    assert names == sorted(names)


def backend(project: dict[str, Any]) -> dict[str, str]:
    """The backend's configuration, as Terraform splits it off its environment variable."""
    arguments = shlex.split(variables(project)["TF_CLI_ARGS_init"])
    assert arguments[:2] == ["-input=false", "-lockfile=readonly"]
    assert all(argument.startswith("-backend-config=") for argument in arguments[2:])
    return dict(argument.removeprefix("-backend-config=").split("=", 1) for argument in arguments[2:])


@pytest.mark.parametrize(
    ("locking", "expected"),
    [
        (["dynamodb"], {"dynamodb_table": "gitops-lock"}),
        (["lockfile"], {"use_lockfile": "true"}),
        (["dynamodb", "lockfile"], {"dynamodb_table": "gitops-lock", "use_lockfile": "true"}),
    ],
)
def test_the_backend_is_locked_and_encrypted(
    projects: Any, foundation: Make, locking: list[str], expected: dict[str, str]
) -> None:
    for project in projects({"locking": locking}).values():
        assert backend(project) == {
            "bucket": "gitops-111122223333-eu-central-1-state",
            "key": "network/terraform.tfstate",
            "region": "eu-central-1",
            "encrypt": "true",
            "kms_key_id": foundation()["kms_key_arn"],
            **expected,
        }


@pytest.mark.parametrize(
    "values", [{"credentials": "parameter_store"}, {"credentials": "assume_role", "assume_role_arn": TARGET}]
)
def test_the_state_is_written_by_the_project_s_role_whatever_the_provider_uses(
    projects: Any, values: dict[str, Any]
) -> None:
    for project in projects(**values).values():
        arguments = backend(project)
        assert arguments["profile"] == "state"
        assert json.loads(arguments["shared_config_files"]) == [pipelines.AWS_CONFIG]
        config = configparser.ConfigParser(interpolation=None)
        config.read_string(variables(project)["STACK_AWS_CONFIG"])
        assert "credential_process" in config["profile state"]


def test_the_role_of_another_account(projects: Any) -> None:
    values = {"credentials": "assume_role", "assume_role_arn": TARGET, "assume_role_external_id": "acme-1"}
    found = variables(projects(**values)["apply"])

    assert (found["AWS_PROFILE"], found["AWS_CONFIG_FILE"]) == ("stack", pipelines.AWS_CONFIG)
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(found["STACK_AWS_CONFIG"])
    assert dict(config["profile stack"]) == {
        "role_arn": TARGET,
        "credential_source": "EcsContainer",
        "external_id": "acme-1",
    }
    without = variables(projects(credentials="assume_role", assume_role_arn=TARGET)["apply"])
    assert "external_id" not in without["STACK_AWS_CONFIG"]


def test_the_configuration_file_is_that_which_the_buildspecs_write(projects: Any) -> None:
    for project in projects(pull_requests=True).values():
        assert f'"$STACK_AWS_CONFIG" > {pipelines.AWS_CONFIG}' in project["source"]["buildspec"]


# Keys from Parameter Store


@pytest.mark.parametrize("step", ["plan", "apply", "destroy"])
def test_parameter_store_goes_into_each_buildspec(projects: Any, buildspecs: dict[str, str], step: str) -> None:
    text = projects(credentials="parameter_store")[step]["source"]["buildspec"]

    result, original = yaml.safe_load(text), yaml.safe_load(pipelines.with_parts(buildspecs[step], buildspecs))
    assert result["env"].pop("parameter-store") == PARAMETERS
    assert result["env"] == original.get("env", {})
    assert {**result, "env": None} == {**original, "env": None}


@pytest.mark.parametrize("name", ["123", "true", "1e3", "/a/b", "~", "null"])
def test_a_parameter_name_that_yaml_takes_for_something_else(name: str, buildspecs: dict[str, str]) -> None:
    stack = {"credentials": "parameter_store", "access_key_id_parameter": name, "secret_access_key_parameter": "/s"}

    result = yaml.safe_load(pipelines.with_credentials(buildspecs["plan"], stack))

    assert result["env"]["parameter-store"]["AWS_ACCESS_KEY_ID"] == name


@pytest.mark.parametrize(
    ("buildspec", "env"),
    [
        ("version: 0.2\nphases: {}\n", {}),
        ("# reads the env:\nversion: 0.2\nphases: {}\n", {}),
        ("env:\n  shell: sh\nversion: 0.2\n", {"shell": "sh"}),
        ("# no env:\nversion: 0.2\nenv:\n  shell: sh\n", {"shell": "sh"}),
    ],
)
def test_parameter_store_goes_into_other_buildspecs(stack: Make, buildspec: str, env: dict[str, str]) -> None:
    result = yaml.safe_load(pipelines.with_credentials(buildspec, stack(credentials="parameter_store")))

    assert result["env"] == {**env, "parameter-store": PARAMETERS}
    assert result["version"] == 0.2


def test_a_buildspec_where_they_cannot_go(stack: Make) -> None:
    with pytest.raises(ValueError, match=r"a buildspec has neither a line `env:` nor a line `version: 0\.2`"):
        pipelines.with_credentials("{version: 0.2, phases: {}}", stack(credentials="parameter_store"))


@pytest.mark.parametrize("values", [{}, {"credentials": "assume_role", "assume_role_arn": TARGET}])
def test_nothing_secret_is_read_without_need(projects: Any, values: dict[str, Any]) -> None:
    for project in projects(**values).values():
        assert "parameter-store" not in project["source"]["buildspec"]


# Authors


@pytest.mark.parametrize(("approval", "asked"), [(True, {"apply", "destroy"}), (False, {"destroy"})])
def test_where_somebody_approves_the_authors_are_known(projects: Any, approval: bool, asked: set[str]) -> None:
    authors = {"Bob@acme.com": ["user/Bob", "assumed-role/Ops/bob"], "alice@acme.com": "assumed-role/*/alice@acme.com"}

    found = projects({"authors": authors}, approval=approval, pull_requests=True)

    lines = "bob@acme.com user/bob\nbob@acme.com assumed-role/ops/bob\nalice@acme.com assumed-role/*/alice@acme.com"
    assert {step: variables(project).get("STACK_AUTHORS") for step, project in found.items()} == {
        step: lines if step in asked else None for step in found
    }


def test_without_authors_nobody_is_compared(foundation: Make, stack: Make, buildspecs: dict[str, str]) -> None:
    for shared in (foundation(), {key: value for key, value in foundation().items() if key != "authors"}):
        for project in pipelines.stack_projects([stack()], shared, buildspecs):
            assert "STACK_AUTHORS" not in variables(project)


@pytest.mark.parametrize("step", ["apply", "destroy"])
def test_who_approved_is_looked_at_before_the_plan_is_used(projects: Any, step: str) -> None:
    commands = yaml.safe_load(projects()[step]["source"]["buildspec"])["phases"]["pre_build"]["commands"]

    places = [commands.index(each) for each in ("same_manifest", "approved_by_another", "same_as_planned")]
    assert places == sorted(places)


# What the builds run


def test_no_build_needs_what_the_image_has_not_or_shows_what_is_secret(projects: Any) -> None:
    """hashicorp/terraform has busybox: no bash, no jq, no aws; and nothing secret may reach a log."""
    for project in projects(pull_requests=True).values():
        for phase in yaml.safe_load(project["source"]["buildspec"])["phases"].values():
            for command in phase["commands"]:
                lines = [line for line in command.splitlines() if not line.lstrip().startswith("#")]
                words = set(re.findall(r"[\w.-]+|\[\[", "\n".join(lines)))
                assert not {"bash", "jq", "curl", "python", "python3", "printenv"} & words
                assert not re.search(r"set -[a-z]*x|(^|[;|&({]\s*)(env|aws)( |$)", command, re.MULTILINE)


# Code in AWS itself

CODECOMMIT = {"source": "codecommit", "repository": "infrastructure", "path": "network"}
PACKED = {"source": "s3", "repository": None, "source_bucket": "acme-code", "source_key": "network.zip"}


def test_a_repository_in_codecommit_is_cloned_and_not_polled(made: Any) -> None:
    for pipeline in made(**CODECOMMIT, branch="release"):
        source = action(pipeline, "Source")
        assert source["action_type_id"] == {"category": "Source", "provider": "CodeCommit"}
        assert source["configuration"] == {
            "RepositoryName": "infrastructure",
            "BranchName": "release",
            "PollForSourceChanges": False,
            "OutputArtifactFormat": "CODEBUILD_CLONE_REF",
        }
        assert pipeline["triggers"] == []


def test_an_object_in_s3_is_not_polled_and_the_builds_know_its_version(made: Any) -> None:
    for pipeline in made(**PACKED):
        source = action(pipeline, "Source")
        assert source["action_type_id"] == {"category": "Source", "provider": "S3"}
        assert source["configuration"] == {
            "S3Bucket": "acme-code",
            "S3ObjectKey": "network.zip",
            "PollForSourceChanges": False,
        }
        assert pipeline["triggers"] == []
        for name in ("Plan", "Apply" if pipeline["name"] == "gitops-network" else "Destroy"):
            given = json.loads(action(pipeline, name)["configuration"]["EnvironmentVariables"])
            assert {"name": "SOURCE_VERSION", "value": "#{Source.VersionId}", "type": "PLAINTEXT"} in given
        assert "version #{Source.VersionId} of s3://acme-code/network.zip." in json.dumps(action(pipeline, "Approve"))


def test_the_longest_approval_of_an_object_fits(made: Any) -> None:
    bucket, key = "b" * 63, "k" * 250
    apply, _destroy = made(name="n" * 48, **{**PACKED, "source_bucket": bucket, "source_key": key})
    message = action(apply, "Approve")["configuration"]["CustomData"]

    # plan.sh cuts the effects so that they, the names and the counts have 850 characters and a few more.
    room = 850 - 48 - len(f"s3://{bucket}/{key}") - 40 + len("... The log says all.")
    values = {"PLAN_SUMMARY": 40, "PLAN_EFFECTS": room, "PLAN_ID": 12, "VersionId": 64}
    for name, length in values.items():
        message = re.sub(rf"#{{\w+\.{name}}}", "x" * length, message)
    assert "#" not in message
    assert len(message) <= 1000


def test_the_projects_of_an_object_know_it_and_no_branch(projects: Any) -> None:
    for project in projects(**PACKED).values():
        variables = {each["name"]: each["value"] for each in project["environment"]["environment_variables"]}
        assert variables["STACK_OBJECT"] == "s3://acme-code/network.zip"
        assert "STACK_BRANCH" not in variables
    for project in projects(**CODECOMMIT).values():
        variables = {each["name"]: each["value"] for each in project["environment"]["environment_variables"]}
        assert "STACK_OBJECT" not in variables
        assert variables["STACK_BRANCH"] == "main"


def test_every_push_to_codecommit_is_the_stack_s(foundation: Make, stack: Make) -> None:
    """EventBridge knows no paths: whoever comes after waits for every commit, which the other applies."""
    first, then = stack(**CODECOMMIT), {**stack(**{**CODECOMMIT, "name": "dns"}), "after": ["network"]}

    assert pipelines.others_first(foundation(), then, [first, then]) == "gitops-network|:(glob)**"


def test_of_a_stack_that_nothing_starts_only_its_own_commits_are_waited_for(foundation: Make, stack: Make) -> None:
    """Nobody would start it for others, and whoever comes after would wait for ever."""
    then = {**stack(**{**CODECOMMIT, "name": "dns"}), "after": ["network"]}

    for path, pattern in (("stacks/network", "stacks/network/**"), (".", "**")):
        first = stack(**{**CODECOMMIT, "path": path}, trigger=False)
        assert pipelines.others_first(foundation(), then, [first, then]) == f"gitops-network|:(glob){pattern}"
        first = stack(**{**CODECOMMIT, "path": path})
        assert pipelines.others_first(foundation(), then, [first, then]) == "gitops-network|:(glob)**"


def test_rules_start_pipelines_as_a_role_of_their_own(foundation: Make, stack: Make) -> None:
    pushed, packed = stack(**CODECOMMIT, branch="release"), stack(name="packed", **PACKED)
    rules = pipelines.source_rules([stack(name="dns"), pushed, packed], foundation())

    assert [rule["name"] for rule in rules] == ["gitops-network-source", "gitops-packed-source"]
    assert rules[0]["event_pattern"] == {
        "source": ["aws.codecommit"],
        "detail-type": ["CodeCommit Repository State Change"],
        "resources": [f"arn:aws:codecommit:{REGION}:111122223333:infrastructure"],
        "detail": {
            "event": ["referenceCreated", "referenceUpdated"],
            "referenceType": ["branch"],
            "referenceName": ["release"],
        },
    }
    assert rules[1]["event_pattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["acme-code"]}, "object": {"key": ["network.zip"]}},
    }
    assert rules[1]["targets"] == [
        {
            "id": "pipeline",
            "arn": f"arn:aws:codepipeline:{REGION}:111122223333:gitops-packed",
            "role_arn": "arn:aws:iam::111122223333:role/gitops-packed-source",
        }
    ]


def test_every_stack_has_a_rule_or_is_among_those_that_must_have_none(foundation: Make, stack: Make) -> None:
    stacks = [stack(), stack(name="quiet", **CODECOMMIT, trigger=False), stack(name="packed", **PACKED)]

    assert pipelines.sources_not_wanted(stacks, foundation()) == [
        {"name": "gitops-network-source"},
        {"name": "gitops-quiet-source"},
    ]
    assert [rule["name"] for rule in pipelines.source_rules(stacks, foundation())] == ["gitops-packed-source"]
