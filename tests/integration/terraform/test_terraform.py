# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Terraform makes our modules find converged, what they make Terraform imports without a change; drift is seen."""

from __future__ import annotations

import difflib
from typing import Any

import pytest
import yaml

from tests.integration.terraform.client import PLURALS, Case, Plan, Terraform
from tests.integration.terraform.conftest import Modules

# What the provider has and no case uses, with the reason.
UNUSED = {
    "aws_codebuild_project.secondary_sources.buildspec": "means nothing there",
    "aws_codebuild_webhook.manual_creation": "not read by the provider: importing such a webhook makes it anew",
    "aws_codeconnections_connection.host_arn": "local AWS has no hosts",
    "aws_codeconnections_connection.timeouts.create": "Terraform's own",
    "aws_codeconnections_connection.timeouts.delete": "Terraform's own",
    "aws_codeconnections_connection.timeouts.update": "Terraform's own",
    "aws_codepipeline.stage.before_entry.condition.rule.timeout_in_minutes": "not sent by the provider",
    "aws_codepipeline.stage.on_failure.condition.rule.timeout_in_minutes": "not sent by the provider",
    "aws_codepipeline.stage.on_success.condition.rule.timeout_in_minutes": "not sent by the provider",
    "aws_codestarconnections_connection.host_arn": "local AWS has no hosts",
}


def differences(result: dict[str, Any]) -> str:
    """What a module says that it would change or has changed, line by line."""
    lines: list[str] = []
    for each in result["diff"]:
        before, after = (yaml.safe_dump(each[side]).splitlines() for side in ("before", "after"))
        lines += difflib.unified_diff(before, after, each["before_header"], each["after_header"], lineterm="")
    return "\n".join(lines)


def assert_converged(result: dict[str, Any]) -> None:
    """A module's run that has changed nothing, and tried nothing."""
    assert not result["changed"], differences(result)
    assert result["diff"] == []
    assert result["mutations"] == []


def test_terraform_finds_what_it_has_made(terraform: Terraform) -> None:
    plan = terraform.run("plan", "-no-color")
    assert "No changes." in plan, plan


def test_the_cases_use_everything_that_the_provider_has(terraform: Terraform) -> None:
    assert terraform.unused() == set(UNUSED)


@pytest.mark.usefixtures("terraform")
def test_what_terraform_made_is_converged(case: Case, modules: Modules) -> None:
    for module, items in case.items(modules.values).items():
        assert_converged(modules.run(module, items))


@pytest.mark.usefixtures("terraform")
def test_what_terraform_made_is_left_alone_by_its_name(case: Case, modules: Modules) -> None:
    for module, items in case.items(modules.values).items():
        result = modules.run(module, [{"name": item["name"]} for item in items])
        assert_converged(result)
        assert all(resource["action"] == "unchanged" for resource in result["resources"].values())


def test_what_our_modules_made_is_imported_without_a_change(case: Case, import_plan: Plan) -> None:
    assert not import_plan.differences(case), import_plan.words(case)
    imports = import_plan.imports(case)
    assert imports
    assert all(imports)


@pytest.fixture(scope="module")
def imported(terraform: Terraform, import_plan: Plan) -> Terraform:
    """Terraform, after it has imported what our modules made."""
    assert not import_plan.differences(), import_plan.words()
    terraform.run("apply", "-no-color", "plan")
    return terraform


def test_after_the_import_nobody_has_anything_to_do(imported: Terraform, modules: Modules) -> None:
    assert "No changes." in imported.run("plan", "-no-color")
    for module in PLURALS:
        assert_converged(modules.run(module, modules.items(module)))


def test_what_our_modules_change_is_what_terraform_sees(imported: Terraform, modules: Modules) -> None:
    project = {"name": "tf-plan", "timeout_in_minutes": 45}
    level = {"name": "level", "default_value": "2", "description": "How much."}
    pipeline = {"name": "tf-queued", "variables": [{"name": "mode"}, level]}
    assert modules.run("codebuild_projects", [project])["mutations"] == ["codebuild:UpdateProject"]
    assert modules.run("codepipelines", [pipeline])["mutations"] == ["codepipeline:UpdatePipeline"]

    plan = imported.plan()

    mode = {"name": "mode", "default_value": "", "description": ""}
    assert plan.differences() == {
        "module.builds_of_pipelines.aws_codebuild_project.plan": {"build_timeout": (45, 30)},
        "module.pipelines.aws_codepipeline.queued": {
            "variable": ([mode, level], [mode, {**level, "default_value": "1"}])
        },
    }, plan.words()


def test_what_terraform_changes_is_what_our_modules_see(imported: Terraform, modules: Modules) -> None:
    imported.edit("builds_of_pipelines", "build_timeout          = 30", "build_timeout          = 20")
    imported.edit("builds_of_repositories", 'branch_filter = "^main$"', 'branch_filter = "^dev$"')
    imported.edit("pipelines", 'default_value = "1"', 'default_value = "3"')
    # Neither is said now, and both are as before: rules have one owner and one version.
    window = 'provider = "DeploymentWindow"'
    imported.edit("pipelines", f'owner    = "AWS"\n            {window}\n            version  = "1"', window)
    imported.apply()

    projects = modules.run("codebuild_projects", modules.items("codebuild_projects"))
    pipelines = modules.run("codepipelines", modules.items("codepipelines"))

    assert [(each["before"], each["after"]) for each in projects["diff"]] == [
        ({"timeout_in_minutes": 20}, {"timeout_in_minutes": 30}),
        (
            {"webhook": {"branch_filter": "^dev$", "manual_creation": False}},
            {"webhook": {"branch_filter": "^main$", "manual_creation": False}},
        ),
    ]
    mode, level = {"name": "mode"}, {"name": "level", "description": "How much."}
    assert [(each["before"], each["after"]) for each in pipelines["diff"]] == [
        (
            {"variables": [mode, {**level, "default_value": "3"}]},
            {"variables": [mode, {**level, "default_value": "1"}]},
        )
    ]
    assert sorted(projects["mutations"]) == ["codebuild:UpdateProject", "codebuild:UpdateWebhook"]
    assert pipelines["mutations"] == ["codepipeline:UpdatePipeline"]
