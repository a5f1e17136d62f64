# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kinds take for the same, what they say of bad input, and what they take for a fresh role. No calls."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any, ClassVar

import boto3
import pytest
from botocore.exceptions import ClientError

from ansible_collections.gitops.aws.plugins.module_utils._aws import Refused
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings, plan_item
from ansible_collections.gitops.aws.plugins.module_utils._kinds import (
    chatbot_slack_channel,
    cloudwatch_alarm,
    codebuild_project,
    codeconnection,
    codepipeline,
    codestar_notification_rule,
    dynamodb_table,
    eventbridge_rule,
    iam_policy,
    iam_role,
    kms_key,
    log_group,
    s3_bucket,
    scheduler_schedule,
    sns_topic,
    sqs_queue,
    ssm_parameter,
    stepfunctions_state_machine,
)
from ansible_collections.gitops.aws.plugins.module_utils._secrets import HIDDEN

REGION = "eu-central-1"
MODULES = {
    "project": (codebuild_project.CodebuildProject, codebuild_project.OPTIONS),
    "connection": (codeconnection.CodeConnection, codeconnection.OPTIONS),
    "pipeline": (codepipeline.Codepipeline, codepipeline.OPTIONS),
    "table": (dynamodb_table.DynamodbTable, dynamodb_table.OPTIONS),
    "role": (iam_role.IamRole, iam_role.OPTIONS),
    "policy": (iam_policy.IamPolicy, iam_policy.OPTIONS),
    "key": (kms_key.KmsKey, kms_key.OPTIONS),
    "log_group": (log_group.LogGroup, log_group.OPTIONS),
    "bucket": (s3_bucket.S3Bucket, s3_bucket.OPTIONS),
    "rule": (eventbridge_rule.EventbridgeRule, eventbridge_rule.OPTIONS),
    "schedule": (scheduler_schedule.SchedulerSchedule, scheduler_schedule.OPTIONS),
    "topic": (sns_topic.SnsTopic, sns_topic.OPTIONS),
    "queue": (sqs_queue.SqsQueue, sqs_queue.OPTIONS),
    "alarm": (cloudwatch_alarm.CloudwatchAlarm, cloudwatch_alarm.OPTIONS),
    "notification_rule": (codestar_notification_rule.CodestarNotificationRule, codestar_notification_rule.OPTIONS),
    "channel": (chatbot_slack_channel.ChatbotSlackChannel, chatbot_slack_channel.OPTIONS),
    "parameter": (ssm_parameter.SsmParameter, ssm_parameter.OPTIONS),
    "machine": (stepfunctions_state_machine.StepfunctionsStateMachine, stepfunctions_state_machine.OPTIONS),
}


@pytest.fixture(scope="module")
def kinds() -> dict[str, Kind]:
    """One of each kind, with a client that nothing is called on."""

    def client(service: str) -> Any:
        return boto3.client(service, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")

    aws: Any = SimpleNamespace(client=client, check_mode=True)
    aws.in_region = lambda region: aws
    return {name: kind(aws) for name, (kind, _options) in MODULES.items()}


@pytest.fixture(scope="module")
def project(kinds: dict[str, Kind]) -> Kind:
    return kinds["project"]


@pytest.fixture(scope="module")
def pipeline(kinds: dict[str, Kind]) -> Kind:
    return kinds["pipeline"]


def item(kind: str, **options: Any) -> Settings:
    """An item as Ansible hands it over."""
    return {**{name: spec.get("default") for name, spec in MODULES[kind][1].items()}, **options}


def changed(kind: Kind, options: dict[str, Any], current: Settings, wanted: Settings) -> set[str]:
    """The options that the engine finds different."""
    return plan_item(kind, options, wanted, Resource(current), True).changed


PROJECT: Settings = {
    "name": "p",
    "source": {"type": "CODEPIPELINE", "buildspec": "b.yml"},
    "artifacts": {"type": "CODEPIPELINE"},
    "environment": {"type": "LINUX_CONTAINER", "image": "i", "compute_type": "BUILD_GENERAL1_SMALL"},
    "service_role": "arn:aws:iam::123456789012:role/r",
}

# The same, as CodeBuild answers it.
ANSWERED: Settings = {
    **PROJECT,
    "source": {"type": "CODEPIPELINE", "buildspec": "b.yml", "insecure_ssl": False},
    "artifacts": {"type": "CODEPIPELINE", "name": "p", "packaging": "NONE", "encryption_disabled": False},
    "secondary_sources": [],
    "cache": {"type": "NO_CACHE"},
    "environment": {**PROJECT["environment"], "environment_variables": [], "privileged_mode": False},
    "timeout_in_minutes": 60,
    "queued_timeout_in_minutes": 480,
    "encryption_key": "arn:aws:kms:eu-central-1:123456789012:alias/aws/s3",
    "badge_enabled": False,
    "tags": {},
}


class TestProjects:
    def test_defaults_of_the_server_are_folded_in(self, project: Kind) -> None:
        normal = project.normalise(ANSWERED)

        assert normal == {
            **PROJECT,
            "artifacts": {"type": "CODEPIPELINE"},
            "environment": {**PROJECT["environment"], "privileged_mode": False},
            "tags": {},
        }

    @pytest.mark.parametrize(
        ("wanted", "different"),
        [
            ({}, set()),
            ({"timeout_in_minutes": 60}, set()),
            ({"timeout_in_minutes": 61}, {"timeout_in_minutes"}),
            ({"encryption_key": "alias/aws/s3"}, set()),
            ({"encryption_key": ""}, set()),
            ({"encryption_key": "alias/mine"}, {"encryption_key"}),
            ({"logs_config": {}}, set()),
            ({"logs_config": {"s3_logs": {"status": "DISABLED"}}}, set()),
            ({"logs_config": {"cloud_watch_logs": {"status": "DISABLED"}}}, {"logs_config"}),
            ({"cache": {"type": "NO_CACHE", "location": "left/over"}}, set()),
            ({"source": {"type": "CODEPIPELINE", "git_submodules_config": {"fetch_submodules": False}}}, set()),
            ({"source": {"type": "CODEPIPELINE", "git_submodules_config": {"fetch_submodules": True}}}, {"source"}),
            ({"vpc_config": {}}, set()),
            ({"concurrent_build_limit": -1}, set()),
            ({"concurrent_build_limit": 1}, {"concurrent_build_limit"}),
        ],
    )
    def test_only_real_differences_count(self, project: Kind, wanted: Settings, different: set[str]) -> None:
        assert changed(project, codebuild_project.OPTIONS, ANSWERED, item("project", name="p", **wanted)) == different

    def test_alias_of_a_key_is_its_arn(self, project: Kind) -> None:
        current = {**ANSWERED, "encryption_key": "arn:aws:kms:eu-central-1:123456789012:alias/mine"}

        def different(key: str) -> set[str]:
            return changed(project, codebuild_project.OPTIONS, current, item("project", name="p", encryption_key=key))

        assert different("alias/mine") == set()
        assert different("alias/not-mine") == {"encryption_key"}
        assert different("mine") == {"encryption_key"}

    @pytest.mark.parametrize(
        "path",
        [
            ("environment", "environment_variables"),
            ("vpc_config", "subnets"),
            ("vpc_config", "security_group_ids"),
            ("cache", "modes"),
            ("secondary_sources",),
            ("secondary_artifacts",),
            ("secondary_source_versions",),
            ("file_system_locations",),
            ("build_batch_config", "restrictions", "compute_types_allowed"),
        ],
    )
    def test_order_of_sets_does_not_matter(self, project: Kind, path: tuple[str, ...]) -> None:
        full: Any = {
            **PROJECT,
            "environment": {"environment_variables": [{"name": "a", "value": ""}, {"name": "b", "value": "2"}]},
            "vpc_config": {"subnets": ["a", "b"], "security_group_ids": ["c", "d"]},
            "cache": {"type": "LOCAL", "modes": ["LOCAL_SOURCE_CACHE", "LOCAL_CUSTOM_CACHE"]},
            "secondary_sources": [{"type": "S3", "source_identifier": each} for each in "ab"],
            "secondary_artifacts": [{"type": "S3", "artifact_identifier": each} for each in "ab"],
            "secondary_source_versions": [{"source_identifier": each, "source_version": "v"} for each in "ab"],
            "file_system_locations": [{"identifier": each} for each in "ab"],
            "build_batch_config": {"restrictions": {"compute_types_allowed": ["a", "b"]}},
        }
        other = copy.deepcopy(full)
        values = other
        for name in path:
            values = values[name]
        values.reverse()

        assert other != full
        wanted = item("project", **{**other, "name": "p"})
        assert changed(project, codebuild_project.OPTIONS, full, wanted) == set()

    def test_type_of_the_cache_decides_what_belongs_to_it(self, project: Kind) -> None:
        everything = {"location": "b/k", "modes": ["LOCAL_SOURCE_CACHE"]}

        assert project.normalise({**PROJECT, "cache": {"type": "S3", **everything}})["cache"] == {
            "type": "S3",
            "location": "b/k",
        }
        assert project.normalise({**PROJECT, "cache": {"type": "LOCAL", **everything}})["cache"] == {
            "type": "LOCAL",
            "modes": ["LOCAL_SOURCE_CACHE"],
        }

    def test_normalise_changes_nothing_of_what_it_is_given(self, project: Kind) -> None:
        full = {
            **ANSWERED,
            "environment": {
                "environment_variables": [{"name": name, "value": ""} for name in "ba"],
                "registry_credential": {"credential": "c"},
                "docker_server": {"compute_type": "BUILD_GENERAL1_SMALL", "status": {"status": "READY"}},
            },
            "vpc_config": {"subnets": ["b", "a"]},
        }
        given = copy.deepcopy(full)
        project.normalise(given)

        assert given == full

    def test_what_aws_needs_is_filled_in(self, project: Kind) -> None:
        artifacts = [{"type": "S3", "location": "b", "artifact_identifier": "a"}]
        environment = {
            "environment_variables": [{"name": "a", "value": ""}],
            "registry_credential": {"credential": "c"},
        }
        normal = project.normalise({**PROJECT, "secondary_artifacts": artifacts, "environment": environment})

        assert normal["secondary_artifacts"] == [{**artifacts[0], "name": "p"}]
        assert normal["environment"] == {
            "environment_variables": [{"name": "a", "value": "", "type": "PLAINTEXT"}],
            "registry_credential": {"credential": "c", "credential_provider": "SECRETS_MANAGER"},
        }

    def test_what_only_aws_says_is_no_setting(self, project: Kind) -> None:
        server = {"compute_type": "BUILD_GENERAL1_SMALL", "status": {"status": "READY"}}
        normal = project.normalise({**PROJECT, "environment": {"docker_server": server}})

        assert normal["environment"]["docker_server"] == {"compute_type": "BUILD_GENERAL1_SMALL"}

    def test_normalise_is_stable(self, project: Kind) -> None:
        once = project.normalise(ANSWERED)

        assert project.normalise(once) == once

    def test_variables_that_sound_secret_are_hidden(self, project: Kind) -> None:
        variables = [
            {"name": "API_TOKEN", "value": "1", "type": "PLAINTEXT"},
            {"name": "db_password", "value": "2"},
            {"name": "SECRET", "value": "/path", "type": "PARAMETER_STORE"},
            {"name": "MODE", "value": "3", "type": "PLAINTEXT"},
        ]
        shown = project.public({"environment": {"image": "i", "environment_variables": variables}})

        assert [each["value"] for each in shown["environment"]["environment_variables"]] == [
            HIDDEN,
            HIDDEN,
            "/path",
            "3",
        ]
        assert shown["environment"]["image"] == "i"


def different(pipeline: Kind, current: Settings, wanted: Settings) -> set[str]:
    """The options of a pipeline that the engine finds different."""
    return changed(pipeline, codepipeline.OPTIONS, {"name": "p", **current}, item("pipeline", name="p", **wanted))


def stage(name: str, **action: Any) -> Settings:
    kind = {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}
    return {"name": name, "actions": [{"name": name, "action_type_id": kind, **action}]}


class TestPipelines:
    def test_defaults_of_the_server_are_folded_in(self, pipeline: Kind) -> None:
        answered = stage("A", run_order=1, configuration={}, input_artifacts=[], output_artifacts=[])

        assert pipeline.normalise({"stages": [answered], "triggers": [], "variables": []}) == pipeline.normalise(
            {"stages": [stage("A")]}
        )

    def test_own_region_may_be_left_out(self, pipeline: Kind) -> None:
        assert different(pipeline, {"stages": [stage("A", region=REGION)]}, {"stages": [stage("A")]}) == set()
        assert different(pipeline, {"stages": [stage("A", region="us-east-1")]}, {"stages": [stage("A")]}) == {"stages"}

    def test_other_region_is_kept(self, pipeline: Kind) -> None:
        kept = pipeline.normalise({"stages": [stage("A", region="us-east-1")]})

        assert kept["stages"][0]["actions"][0]["region"] == "us-east-1"

    def test_order_of_stages_and_actions_matters(self, pipeline: Kind) -> None:
        one, other = [stage("A"), stage("B")], [stage("B"), stage("A")]

        assert pipeline.normalise({"stages": one}) != pipeline.normalise({"stages": other})

    def test_order_of_artifacts_matters(self, pipeline: Kind) -> None:
        artifacts = [{"name": "a"}, {"name": "b"}]

        assert pipeline.normalise({"stages": [stage("A", input_artifacts=artifacts)]}) != pipeline.normalise(
            {"stages": [stage("A", input_artifacts=artifacts[::-1])]}
        )

    def test_order_of_variables_of_an_action_does_not_matter(self, pipeline: Kind) -> None:
        variables = [{"name": name, "value": "1", "type": "PLAINTEXT"} for name in "ab"]

        one, other = ({"stages": [stage("A", environment_variables=variables[::step])]} for step in (1, -1))
        assert different(pipeline, one, other) == set()

    def test_order_of_filters_does_not_matter(self, pipeline: Kind) -> None:
        def triggers(step: int) -> Settings:
            patterns = {"includes": ["a", "b"][::step], "excludes": ["c", "d"][::step]}
            pull = {"events": ["OPEN", "CLOSED"][::step], "branches": copy.deepcopy(patterns)}
            git = {"source_action_name": "S", "push": [{"file_paths": patterns}], "pull_request": [pull]}
            return {"triggers": [{"provider_type": "CodeStarSourceConnection", "git_configuration": git}]}

        assert triggers(1) != triggers(-1)
        assert different(pipeline, triggers(1), triggers(-1)) == set()

    @pytest.mark.parametrize("detect", [None, True, False])
    def test_trigger_that_comes_by_itself_is_none(self, pipeline: Kind, detect: bool | None) -> None:
        configuration = {"BranchName": "main", **({} if detect is None else {"DetectChanges": detect})}
        stages = [stage("A", configuration=configuration)]

        def triggers(**filters: Any) -> Settings:
            git = {"source_action_name": "A", **filters}
            trigger = {"provider_type": "CodeStarSourceConnection", "git_configuration": git}
            return {"stages": stages, "triggers": [trigger]}

        own, other = (triggers(push=[{"branches": {"includes": [name]}}]) for name in ("main", "dev"))
        real = {"triggers"} if detect is False else set()
        assert different(pipeline, own, {"stages": stages, "triggers": []}) == real
        assert different(pipeline, other, {"stages": stages, "triggers": []}) == {"triggers"}

    def test_values_of_a_configuration_are_texts_and_keys_are_kept(self, pipeline: Kind) -> None:
        configuration = {"DetectChanges": False, "some_key": 1, "SomeKey": "x"}
        normal = pipeline.normalise({"stages": [stage("A", configuration=configuration)]})

        assert normal["stages"][0]["actions"][0]["configuration"] == {
            "DetectChanges": "false",
            "some_key": "1",
            "SomeKey": "x",
        }

    def test_types_of_stores_and_keys_are_filled_in(self, pipeline: Kind) -> None:
        store = {"location": "b", "encryption_key": {"id": "k"}}
        full = {"location": "b", "type": "S3", "encryption_key": {"id": "k", "type": "KMS"}}

        assert pipeline.normalise({"artifact_store": store})["artifact_store"] == full
        assert pipeline.normalise({"artifact_stores": {REGION: store}})["artifact_stores"] == {REGION: full}

    def test_token_in_a_configuration_is_hidden(self, pipeline: Kind) -> None:
        shown = pipeline.public({"stages": [stage("A", configuration={"OAuthToken": "s", "Owner": "o"})]})

        assert shown["stages"][0]["actions"][0]["configuration"] == {"OAuthToken": HIDDEN, "Owner": "o"}


class TestOthers:
    def test_encryption_with_aes_has_no_key(self, kinds: dict[str, Kind]) -> None:
        current = {"name": "b", "encryption": {"algorithm": "aws:kms", "kms_key_id": "k", "bucket_key": True}}
        wanted = item("bucket", name="b", encryption={"algorithm": "AES256", "kms_key_id": None, "bucket_key": True})
        step = plan_item(kinds["bucket"], s3_bucket.OPTIONS, wanted, Resource(current), True)

        assert step.after == {"name": "b", "encryption": {"algorithm": "AES256"}}

    def test_lifecycle_filters_beyond_the_prefix_are_a_difference(self, kinds: dict[str, Kind]) -> None:
        def current(filtered: Settings) -> Settings:
            return {"name": "b", "lifecycle_rules": [{"id": "r", "status": "Enabled", "filter": filtered}]}

        rule = {"id": "r", "status": "Enabled", "filter": {"prefix": "a"}}
        wanted = item("bucket", name="b", lifecycle_rules=[rule])

        assert changed(kinds["bucket"], s3_bucket.OPTIONS, current({"prefix": "a"}), wanted) == set()
        assert changed(
            kinds["bucket"], s3_bucket.OPTIONS, current({"prefix": "a", "object_size_less_than": 5}), wanted
        ) == {"lifecycle_rules"}

    def test_tier_that_aws_chooses_is_what_was_asked_for(self, kinds: dict[str, Kind]) -> None:
        current = {"name": "p", "type": "String", "tier": "Standard"}

        def different(tier: str) -> set[str]:
            wanted = item("parameter", name="p", tier=tier)
            return changed(kinds["parameter"], ssm_parameter.OPTIONS, current, wanted)

        assert different("Intelligent-Tiering") == set()
        assert different("Standard") == set()
        assert different("Advanced") == {"tier"}

    def test_managed_policies_are_a_set(self, kinds: dict[str, Kind]) -> None:
        normal = kinds["role"].normalise({"name": "r", "managed_policies": ["b", "a", "b"]})

        assert normal["managed_policies"] == ["a", "b"]

    def test_policies_are_compared_by_what_they_say(self) -> None:
        one = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["a:1", "a:2"], "Resource": "*"}]}
        same = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["a:2", "a:1"], "Resource": ["*"]}}
        other = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": ["a:1", "a:2"], "Resource": "*"}]}

        assert iam_role.policies_equal(one, same)
        assert not iam_role.policies_equal(one, other)
        assert iam_role.named_policies_equal({"x": one}, {"x": same})
        assert not iam_role.named_policies_equal({"x": one}, {"y": one})
        assert not iam_role.named_policies_equal({"x": one}, {})

    @pytest.mark.parametrize(
        ("kind", "code", "message", "fresh"),
        [
            ("project", "InvalidInputException", "CodeBuild is not authorized to perform: sts:AssumeRole on ...", True),
            ("project", "InvalidInputException", "Not authorized to perform DescribeSecurityGroups", True),
            ("project", "InvalidInputException", "Invalid service role", False),
            ("project", "AccessDeniedException", "not authorized to perform: sts:AssumeRole", False),
            ("pipeline", "InvalidStructureException", "CodePipeline is not authorized to perform AssumeRole", True),
            ("pipeline", "InvalidStructureException", "Stages must have an action", False),
            ("role", "MalformedPolicyDocument", "Invalid principal", False),
            ("machine", "AccessDeniedException", "... is authorized to assume the provided role.", True),
            ("machine", "AccessDeniedException", "... not authorized to access the Log Destination", True),
            ("machine", "AccessDeniedException", "not authorized to perform: states:CreateStateMachine", False),
            ("machine", "StateMachineDeleting", "State Machine is being deleted", True),
            ("machine", "InvalidDefinition", "x", False),
        ],
    )
    def test_fresh_role(self, kinds: dict[str, Kind], kind: str, code: str, message: str, fresh: bool) -> None:
        error = ClientError({"Error": {"Code": code, "Message": message}}, "Create")

        assert kinds[kind].not_yet(error) is fresh

    @pytest.mark.parametrize(
        ("kind", "options", "option"),
        [
            ("project", {"name": "x"}, "name"),
            ("project", {"name": "-x"}, "name"),
            ("connection", {"name": "x" * 33}, "name"),
            ("pipeline", {"name": "a/b"}, "name"),
            ("pipeline", {"name": "a", "artifact_stores": {REGION: {"location": ""}}}, f"artifact_stores.{REGION}"),
            (
                "pipeline",
                {"name": "a", "artifact_stores": {REGION: {"location": "b", "encryption_key": {"arn": "k"}}}},
                f"artifact_stores.{REGION}.encryption_key",
            ),
            ("table", {"name": "ab"}, "name"),
            ("log_group", {"name": "a b"}, "name"),
            ("bucket", {"name": "A"}, "name"),
            ("role", {"name": "ä/"}, "name"),
            ("policy", {"name": "ä"}, "name"),
            ("policy", {"name": "p" * 129}, "name"),
            ("policy", {"name": "p", "path": "gitops/"}, "path"),
            ("policy", {"name": "p", "policy": {}}, "policy"),
            ("policy", {"name": "p", "policy": {"Id": "x" * 6136}}, "policy"),
            ("key", {"alias": "x", "pending_window": 7}, "alias"),
            ("parameter", {"name": "/aws/x"}, "name"),
            ("topic", {"name": "x.fifo"}, "name"),
            ("queue", {"name": "x.fifo"}, "name"),
            ("queue", {"name": "x" * 81}, "name"),
            ("alarm", {"name": "", "period": 10}, "name"),
            ("rule", {"name": "a/b"}, "name"),
        ],
    )
    def test_bad_input(self, kinds: dict[str, Kind], kind: str, options: Settings, option: str) -> None:
        problems = kinds[kind].problems(item(kind, **options))

        assert [problem.partition(": ")[0] for problem in problems] == [option]

    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            ("project", {"name": "a-B_1"}),
            ("pipeline", {"name": "a.B@c-d_e", "artifact_stores": {REGION: {"location": "bucket"}}}),
            (
                "pipeline",
                {
                    "name": "a",
                    "artifact_store": {"location": None},
                    "artifact_stores": {REGION: {"location": "bucket"}},
                },
            ),
            ("table", {"name": "a.b-c_d"}),
            ("log_group", {"name": "/aws/code-build/a_b.c#d"}),
            ("bucket", {"name": "a.b-c"}),
            ("role", {"name": "a+b=c,d.e@f_g-h"}),
            ("policy", {"name": "a+b=c,d.e@f_g-h", "path": "/a/b/", "policy": {"Id": "x" * 6135}}),
            ("policy", {"name": "p" * 128, "path": "/", "policy": {"Id": "x " * 6000}}),
            ("key", {"alias": "alias/a", "pending_window": 7}),
            ("parameter", {"name": "/gitops/aws/x"}),
            ("topic", {"name": "a-B_1"}),
            ("queue", {"name": "a-B_1", "dead_letter_target_arn": "arn:x", "max_receive_count": 1}),
            ("alarm", {"name": "A / b: c.", "period": 10, "dimensions": {"a": 1}}),
            ("rule", {"name": "a.B-c_1", "schedule_expression": "rate(1 day)"}),
        ],
    )
    def test_good_input(self, kinds: dict[str, Kind], kind: str, options: Settings) -> None:
        assert kinds[kind].problems(item(kind, **options)) == []


class TestMasked:
    """AWS answers a GitHub token of version 1 as ****."""

    @staticmethod
    def stages(token: str, branch: str = "main") -> list[Settings]:
        kind = {"category": "Source", "owner": "ThirdParty", "provider": "GitHub", "version": "1"}
        configuration = {"Owner": "acme", "Repo": "x", "Branch": branch, "OAuthToken": token}
        action = {"name": "S", "action_type_id": kind, "configuration": configuration}
        return [{"name": "S", "actions": [{**action, "output_artifacts": [{"name": "s"}]}]}, stage("Approve")]

    def plan(self, pipeline: Kind, **wanted: Any) -> Any:
        current = {
            "name": "p",
            "stages": self.stages("****"),
            "artifact_store": {"location": "bucket"},
            "role_arn": "arn:aws:iam::123456789012:role/r",
            "tags": {},
        }
        return plan_item(pipeline, codepipeline.OPTIONS, item("pipeline", name="p", **wanted), Resource(current), True)

    def test_any_token_is_the_one_that_aws_does_not_tell(self, pipeline: Kind) -> None:
        assert self.plan(pipeline, stages=self.stages("ghp_canary")).changed == set()
        assert self.plan(pipeline, stages=self.stages(HIDDEN)).changed == set()

    def test_with_another_change_the_token_is_written(self, pipeline: Kind) -> None:
        step = self.plan(pipeline, stages=self.stages("ghp_canary", branch="dev"))

        assert step.changed == {"stages"}
        assert step.after["stages"][0]["actions"][0]["configuration"]["OAuthToken"] == "ghp_canary"
        assert pipeline.conflicts(step) == []
        assert "canary" not in str(pipeline.public(step.after))

    @pytest.mark.parametrize("wanted", [{"execution_mode": "QUEUED", "pipeline_type": "V2"}, "stages"])
    def test_a_change_that_would_lose_the_token_is_refused(self, pipeline: Kind, wanted: Any) -> None:
        wanted = {"stages": self.stages(HIDDEN, branch="dev")} if wanted == "stages" else wanted

        conflict = pipeline.conflicts(self.plan(pipeline, **wanted))[0]

        assert conflict.startswith("stages[0].actions[0].configuration.OAuthToken: AWS does not tell it, and would")

    def test_tags_alone_can_be_changed(self, pipeline: Kind) -> None:
        assert pipeline.conflicts(self.plan(pipeline, tags={"a": "1"})) == []


class TestLambda:
    """Lambda compute has no timeouts."""

    ENVIRONMENT = {"type": "LINUX_LAMBDA_CONTAINER", "image": "i", "compute_type": "BUILD_LAMBDA_1GB"}

    def test_what_aws_shows_of_timeouts_is_no_setting(self, project: Kind) -> None:
        shown = {**ANSWERED, "environment": self.ENVIRONMENT, "timeout_in_minutes": 15, "queued_timeout_in_minutes": 5}

        assert changed(project, codebuild_project.OPTIONS, shown, item("project", name="p")) == set()

    def test_going_over_to_lambda_sends_none(self, project: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: dict[str, Any] = {}
        monkeypatch.setattr(project.client, "update_project", lambda **request: sent.update(request))
        current = Resource({**ANSWERED, "timeout_in_minutes": 90, "tags": {}}, {"arn": "a"})
        step = plan_item(
            project, codebuild_project.OPTIONS, item("project", name="p", environment=self.ENVIRONMENT), current, True
        )

        assert step.before is not None
        assert step.after is not None
        project.update(step.before, step.after, step.changed)

        assert sent["environment"]["type"] == "LINUX_LAMBDA_CONTAINER"
        assert not {"timeoutInMinutes", "queuedTimeoutInMinutes"} & set(sent)


def test_new_connection_needs_a_provider_or_a_host(kinds: dict[str, Kind]) -> None:
    def conflicts(**options: Any) -> list[str]:
        connection = item("connection", name="c", **options)
        return kinds["connection"].conflicts(
            plan_item(kinds["connection"], codeconnection.OPTIONS, connection, None, True)
        )

    assert conflicts() == ["provider_type: it, or host_arn, must be given to create a connection"]
    assert conflicts(provider_type="GitHub") == []
    assert conflicts(host_arn="arn:aws:codeconnections:eu-central-1:123456789012:host/h") == []


class TestTopic:
    @staticmethod
    def policy(**statement: Any) -> Settings:
        return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*", **statement}]}

    def test_sns_writes_its_name_in_capitals(self) -> None:
        mine = self.policy(Action=["sns:Publish", "sns:Subscribe"])

        assert sns_topic.same_policy(self.policy(Action=["SNS:Subscribe", "SNS:Publish"]), mine)
        assert not sns_topic.same_policy(self.policy(Action="SNS:Publish"), mine)
        assert not sns_topic.same_policy(self.policy(NotAction="sns:Publish"), self.policy(Action="sns:Publish"))

    def test_a_nested_filter_is_only_written_where_it_is_about_bodies(self) -> None:
        flat = {"raw_message_delivery": False, "filter_policy": {"a": ["1"]}}

        for scope, order in (("MessageBody", ["Scope", ""]), ("MessageAttributes", ["", "Scope"])):
            written = sns_topic._written({**flat, "filter_policy_scope": scope})
            assert [name[12:] for name in written if name.startswith("Filter")] == order


class TestQueue:
    CURRENT: ClassVar[dict[str, Any]] = {
        "name": "q",
        "sqs_managed_sse_enabled": True,
        "kms_master_key_id": "",
        "dead_letter_target_arn": "arn:d",
        "max_receive_count": 3,
        "policy": {},
    }

    @pytest.mark.parametrize(
        ("options", "different"),
        [
            ({"dead_letter_target_arn": "arn:d", "max_receive_count": 3, "policy": {}}, set()),
            ({"dead_letter_target_arn": ""}, {"dead_letter_target_arn", "max_receive_count"}),
            ({"kms_master_key_id": ""}, set()),
            ({"kms_master_key_id": "k"}, {"kms_master_key_id", "sqs_managed_sse_enabled"}),
            ({"policy": {"Statement": []}}, {"policy"}),
        ],
    )
    def test_only_real_differences_count(
        self, kinds: dict[str, Kind], options: dict[str, Any], different: set[str]
    ) -> None:
        kind, wanted = kinds["queue"], item("queue", name="q", **options)

        assert changed(kind, sqs_queue.OPTIONS, self.CURRENT, kind.implied(wanted)) == different

    @pytest.mark.parametrize("code", ["QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently"])
    def test_a_name_that_is_not_free_yet(self, kinds: dict[str, Kind], code: str) -> None:
        assert kinds["queue"].not_yet(ClientError({"Error": {"Code": code}}, "CreateQueue"))
        assert not kinds["queue"].not_yet(ClientError({"Error": {"Code": "QueueAlreadyExists"}}, "CreateQueue"))


class TestAlarm:
    def test_defaults_and_spelling(self, kinds: dict[str, Kind]) -> None:
        current = {"name": "a", "evaluation_periods": 2, "threshold": 1.0, "alarm_actions": ["arn:b", "arn:a"]}

        def differs(**options: Any) -> set[str]:
            return changed(kinds["alarm"], cloudwatch_alarm.OPTIONS, current, item("alarm", name="a", **options))

        same = {"description": "", "dimensions": {}, "treat_missing_data": "missing", "actions_enabled": True}
        assert differs(**same, datapoints_to_alarm=0, ok_actions=[], threshold=1) == set()
        assert differs(alarm_actions=["arn:a", "arn:b", "arn:a"]) == set()
        assert differs(alarm_actions=["arn:a"]) == {"alarm_actions"}
        assert differs(datapoints_to_alarm=2, threshold=0) == {"datapoints_to_alarm", "threshold"}


class TestRule:
    MANAGED = Resource(
        {"name": "r", "event_bus_name": "default", "event_pattern": {"source": ["x"]}},
        {"arn": "a", "state": "ENABLED", "managed_by": "codepipeline.amazonaws.com"},
    )

    def test_a_rule_that_aws_made_is_left_alone(self, kinds: dict[str, Kind]) -> None:
        step = plan_item(
            kinds["rule"], eventbridge_rule.OPTIONS, item("rule", name="r", description="x"), self.MANAGED, True
        )

        assert "EventBridge rule r: it belongs to codepipeline.amazonaws.com" in str(step.error)
        with pytest.raises(Refused, match=r"belongs to codepipeline\.amazonaws\.com"):
            kinds["rule"].check_delete(self.MANAGED, item("rule", name="r"))

    def test_a_target_that_failed_is_an_error(self) -> None:
        failed = {"TargetId": "t", "ErrorCode": "ManagedRuleException", "ErrorMessage": "why"}

        eventbridge_rule._check({"FailedEntryCount": 0, "FailedEntries": []}, "PutTargets")
        with pytest.raises(Refused, match="PutTargets failed for target t: ManagedRuleException: why"):
            eventbridge_rule._check({"FailedEntryCount": 1, "FailedEntries": [failed]}, "PutTargets")

    def test_defaults_and_spelling_of_targets(self, kinds: dict[str, Kind]) -> None:
        target = {"id": "t", "arn": "arn:x", "input": '{"a": [1, 2]}'}
        current = {**self.MANAGED.settings, "targets": [target]}

        def differs(**other: Any) -> set[str]:
            wanted = item("rule", name="r", targets=[{**target, **other}])
            return changed(kinds["rule"], eventbridge_rule.OPTIONS, current, wanted)

        assert differs(input={"a": [1, 2]}, maximum_retry_attempts=185, maximum_event_age_in_seconds=86400) == set()
        assert differs(input={"a": [2, 1]}) == {"targets"}
        assert differs(maximum_retry_attempts=0) == {"targets"}


class TestNotificationRule:
    CURRENT: ClassVar[dict[str, Any]] = {
        "name": "r",
        "resource": "arn:aws:codepipeline:eu-central-1:123456789012:p",
        "detail_type": "FULL",
        "event_type_ids": ["codepipeline-b", "codepipeline-a"],
        "enabled": True,
        "targets": [{"target_type": "SNS", "target_address": f"arn:{each}"} for each in ("b", "a")],
    }

    @pytest.mark.parametrize(
        ("options", "different"),
        [
            ({"detail_type": "FULL", "enabled": True}, set()),
            ({"event_type_ids": ["codepipeline-a", "codepipeline-b", "codepipeline-a"]}, set()),
            ({"targets": [{"target_address": "arn:a"}, {"target_address": "arn:b"}]}, set()),
            ({"event_type_ids": ["codepipeline-a"]}, {"event_type_ids"}),
            ({"targets": []}, {"targets"}),
            ({"targets": [{"target_type": "AWSChatbotSlack", "target_address": "arn:a"}]}, {"targets"}),
        ],
    )
    def test_order_and_defaults(self, kinds: dict[str, Kind], options: dict[str, Any], different: set[str]) -> None:
        kind, wanted = kinds["notification_rule"], item("notification_rule", name="r", **options)

        assert changed(kind, codestar_notification_rule.OPTIONS, self.CURRENT, wanted) == different

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"name": "a/b"}, "name: 'a/b' is not allowed"),
            ({"resource": "p"}, "resource: 'p' is no ARN"),
            ({"event_type_ids": []}, "event_type_ids: a rule has at least one"),
            ({"event_type_ids": ["codebuild-x"]}, "event_type_ids[0]: 'codebuild-x' is none of codepipeline"),
            ({"targets": [{"target_address": "a@b"}]}, "targets[0].target_address: 'a@b' is no ARN"),
            (
                {"targets": [{"target_address": "arn:a"}] * 2},
                "targets[1].target_address: it is also that of targets[0]",
            ),
            ({"targets": [{"target_address": f"arn:{n}"} for n in range(11)]}, "targets: there are 11, at most 10 are"),
        ],
    )
    def test_what_aws_would_refuse(self, kinds: dict[str, Kind], options: dict[str, Any], problem: str) -> None:
        (found,) = kinds["notification_rule"].problems(item("notification_rule", **{**self.CURRENT, **options}))

        assert found.startswith(problem)


class TestChannel:
    CURRENT: ClassVar[dict[str, Any]] = {
        "configuration_name": "c",
        "slack_team_id": "T1",
        "slack_channel_id": "C1",
        "iam_role_arn": "arn:r",
        "sns_topic_arns": ["arn:b", "arn:a"],
        "guardrail_policy_arns": [chatbot_slack_channel.GUARDRAIL],
    }

    @pytest.mark.parametrize(
        ("options", "different"),
        [
            (
                {"sns_topic_arns": ["arn:a", "arn:b"], "logging_level": "NONE", "user_authorization_required": False},
                set(),
            ),
            ({"guardrail_policy_arns": [chatbot_slack_channel.GUARDRAIL]}, set()),
            ({"guardrail_policy_arns": ["arn:p"]}, {"guardrail_policy_arns"}),
            ({"sns_topic_arns": []}, {"sns_topic_arns"}),
        ],
    )
    def test_order_and_defaults(self, kinds: dict[str, Kind], options: dict[str, Any], different: set[str]) -> None:
        wanted = item("channel", configuration_name="c", **options)

        assert changed(kinds["channel"], chatbot_slack_channel.OPTIONS, self.CURRENT, wanted) == different

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"configuration_name": "a b"}, "configuration_name: 'a b' is not allowed"),
            ({"slack_team_id": "acme"}, "slack_team_id: 'acme' is not allowed: it is the id of the workspace"),
            (
                {"slack_channel_id": "#ops"},
                "slack_channel_id: '#ops' is not allowed: it is the end of the channel's link",
            ),
            ({"iam_role_arn": "chat"}, "iam_role_arn: 'chat' is no ARN"),
            ({"sns_topic_arns": ["arn:a", "b"]}, "sns_topic_arns[1]: 'b' is no ARN"),
            ({"guardrail_policy_arns": []}, "guardrail_policy_arns: without any AWS takes"),
        ],
    )
    def test_what_aws_would_refuse(self, kinds: dict[str, Kind], options: dict[str, Any], problem: str) -> None:
        (found,) = kinds["channel"].problems(item("channel", **{**self.CURRENT, **options}))

        assert found.startswith(problem)


class TestSchedule:
    CURRENT: ClassVar[dict[str, Any]] = {
        "name": "s",
        "group_name": "g",
        "schedule_expression": "rate(1 day)",
        "target": {"arn": "arn:x", "role_arn": "arn:r", "input": '{"a": [1, 2]}'},
    }

    def test_defaults_and_spelling(self, kinds: dict[str, Kind]) -> None:
        def differs(**options: Any) -> set[str]:
            wanted = item("schedule", name="s", group_name="g", **options)
            return changed(kinds["schedule"], scheduler_schedule.OPTIONS, self.CURRENT, wanted)

        assert differs(enabled=True, schedule_expression_timezone="UTC", maximum_window_in_minutes=0) == set()
        assert (
            differs(target={**self.CURRENT["target"], "input": {"a": [1, 2]}, "maximum_retry_attempts": 185}) == set()
        )
        assert differs(target={**self.CURRENT["target"], "input": {"a": [2, 1]}}) == {"target"}
        assert differs(schedule_expression_timezone="Europe/Berlin") == {"schedule_expression_timezone"}

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({"name": "a b"}, "name: 'a b'"),
            ({"group_name": "x" * 65}, "group_name: "),
            ({"schedule_expression": "daily"}, "schedule_expression: 'daily' is not allowed; allowed are rate(1 day)"),
            ({"schedule_expression": "cron(0 4 * * *)"}, "schedule_expression: 'cron(0 4 * * *)' is not allowed"),
            ({"maximum_window_in_minutes": 1441}, "maximum_window_in_minutes: 1441 is not between 0 and 1440"),
            ({"target": {"arn": "x", "role_arn": "arn:r"}}, "target.arn: 'x' is no ARN"),
            (
                {"target": {"arn": "arn:x", "role_arn": "arn:r", "maximum_retry_attempts": 186}},
                "target.maximum_retry_attempts: 186 is not between 0 and 185",
            ),
        ],
    )
    def test_what_aws_would_refuse(self, kinds: dict[str, Kind], options: dict[str, Any], problem: str) -> None:
        (found,) = kinds["schedule"].problems(item("schedule", **{**self.CURRENT, **options}))

        assert found.startswith(problem)


class TestMachine:
    GROUP: ClassVar[str] = "arn:aws:logs:eu-central-1:123456789012:log-group:/g"
    CURRENT: ClassVar[dict[str, Any]] = {
        "name": "m",
        "definition": {"StartAt": "a", "States": {"a": {"Type": "Succeed"}}},
        "role_arn": "arn:r",
        "type": "STANDARD",
        "logging_configuration": {"level": "ERROR", "include_execution_data": False, "log_group_arn": f"{GROUP}:*"},
    }

    @pytest.mark.parametrize(
        ("options", "different"),
        [
            ({"type": "STANDARD", "tracing_enabled": False}, set()),
            ({"tracing_enabled": True}, {"tracing_enabled"}),
            ({"definition": {"States": {"a": {"Type": "Succeed"}}, "StartAt": "a"}}, set()),
            ({"definition": {"States": {"a": {"Type": "Fail"}}, "StartAt": "a"}}, {"definition"}),
            ({"logging_configuration": {"log_group_arn": GROUP}}, set()),
            ({"logging_configuration": {"level": "ALL"}}, {"logging_configuration"}),
            ({"logging_configuration": {}}, {"logging_configuration"}),
        ],
    )
    def test_only_real_differences_count(
        self, kinds: dict[str, Kind], options: dict[str, Any], different: set[str]
    ) -> None:
        wanted = item("machine", name="m", **options)

        assert changed(kinds["machine"], stepfunctions_state_machine.OPTIONS, self.CURRENT, wanted) == different
