# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What community.aws's modules do, what ours do, and the tests that run it: the data of docs/module-comparison.md."""

from __future__ import annotations

from dataclasses import dataclass

BOTH = "Both modules"
PROJECTS = "Build projects: `community.aws.codebuild_project` and `gitops.aws.codebuild_projects`"
PIPELINES = "Pipelines: `community.aws.codepipeline` and `gitops.aws.codepipelines`"

PAIRED = "tests/integration/incumbents/test_behaviour.py::"
LIFECYCLE = "tests/integration/modules/test_lifecycle.py::"
OUR_PROJECTS = "tests/integration/modules/test_codebuild_projects.py::"
OUR_PIPELINES = "tests/integration/modules/test_codepipelines.py::"
CONNECTIONS = "tests/integration/modules/test_codeconnections.py::"
INFO = "tests/integration/modules/test_info.py::"
BUILD = "tests/integration/modules/test_codebuild_build.py::"
EXECUTION = "tests/integration/modules/test_codepipeline_execution.py::"
APPROVAL = "tests/integration/modules/test_codepipeline_approval.py::"
TRANSITION = "tests/integration/modules/test_codepipeline_stage_transition.py::"
KINDS = "tests/unit/plugins/module_utils/test_kinds.py::"
MODELS = "tests/unit/plugins/modules/test_service_models.py::"
REQUESTS = "tests/unit/plugins/modules/test_requests.py::"


@dataclass(frozen=True)
class Behaviour:
    """One line of the behaviour tables.

    Attributes:
        where: the table that it stands in.
        what: the situation.
        theirs: what community.aws's module does.
        ours: what our module does.
        tests: `file::test`; the first runs both modules, unless `by_reading` says how theirs was looked at instead.
        by_reading: for what local AWS cannot show: why, and what was read.
        same: whether there is no difference that a user should know.
    """

    where: str
    what: str
    theirs: str
    ours: str
    tests: tuple[str, ...]
    by_reading: str = ""
    same: bool = False


@dataclass(frozen=True)
class Alone:
    """A module of ours that has no counterpart: what it promises, and the tests that run it."""

    module: str
    promises: tuple[tuple[str, tuple[str, ...]], ...]


BEHAVIOURS = [
    # --- both
    Behaviour(
        BOTH,
        "Second run, nothing differs",
        "Writes: one UpdateProject or UpdatePipeline in every run. Says `changed: false`",
        "Only reads. Says `changed: false`",
        (f"{PAIRED}test_converged_run", f"{LIFECYCLE}test_second_run_changes_nothing"),
    ),
    Behaviour(
        BOTH,
        "Check mode",
        "Not supported: the task is skipped, without a call, whatever would change",
        "Reads, and says what would be created, updated or deleted",
        (
            f"{PAIRED}test_check_mode",
            f"{LIFECYCLE}test_check_mode_of_a_creation_makes_no_mutating_call",
            f"{LIFECYCLE}test_check_mode_of_a_change_tells_the_truth",
        ),
    ),
    Behaviour(
        BOTH,
        "`--diff`",
        "Shows nothing",
        "Shows the settings that change, before and after",
        (f"{PAIRED}test_diff", f"{LIFECYCLE}test_each_option_can_be_changed"),
    ),
    Behaviour(
        BOTH,
        "Several resources",
        "One task and two calls each: one reads, one writes",
        "One task. One call reads up to 100 projects; a pipeline takes one. Only what differs is written",
        (f"{PAIRED}test_several_resources", f"{OUR_PROJECTS}test_hundreds_of_projects_take_few_calls"),
    ),
    Behaviour(
        BOTH,
        "A role that was made a moment ago and cannot be assumed yet",
        "Fails at once with AWS's error",
        "Tries again until it can, two minutes at most",
        (f"{PAIRED}test_fresh_role", f"{KINDS}TestOthers::test_fresh_role"),
    ),
    Behaviour(
        BOTH,
        "A misspelt key inside a dictionary",
        "Reads from AWS first; then botocore refuses the request and lists what it knows, in AWS's spelling",
        "Refused before any call, with the path in the list and the key that was probably meant",
        (f"{PAIRED}test_misspelt_sub_option",),
    ),
    Behaviour(
        BOTH,
        "The returned settings given back as options",
        "Refused: by Ansible where tags are a list, by botocore where keys have another spelling",
        "Accepted, and nothing changes",
        (f"{PAIRED}test_own_result_given_back", f"{LIFECYCLE}test_result_can_be_fed_back"),
    ),
    Behaviour(
        BOTH,
        "Only the name is given, of something that exists",
        "A project is written with its default timeout; a pipeline is refused, as three more options are required",
        "Everything is left alone",
        (f"{PAIRED}test_name_alone", f"{LIFECYCLE}test_name_alone_leaves_everything_alone"),
    ),
    Behaviour(
        BOTH,
        "Deletion",
        "Works, and a second one changes nothing. A pipeline's needs `role_arn`, `artifact_store` and `stages`, which "
        "may be empty. What was deleted is not returned",
        "Works with the name alone, and a second one changes nothing. The diff holds what was deleted",
        (f"{PAIRED}test_deletion", f"{LIFECYCLE}test_deletion"),
    ),
    # --- projects
    Behaviour(
        PROJECTS,
        "The example of the documentation",
        'botocore refuses it: `privilegedMode: "true"` is a text, and nothing converts it',
        "Accepted, as are all our examples; what is a text there becomes true or false",
        (f"{PAIRED}test_documented_example_of_a_project", f"{REQUESTS}test_botocore_accepts_what_the_examples_ask_for"),
    ),
    Behaviour(
        PROJECTS,
        "`timeout_in_minutes` is not given, of a project that has 30",
        "Becomes 60, the option's default",
        "Stays 30",
        (f"{PAIRED}test_timeout_that_is_not_given",),
    ),
    Behaviour(
        PROJECTS,
        "Environment variables, subnets, security groups or cache modes in another order",
        "`changed: true`",
        "The same as before: their order means nothing to AWS",
        (f"{PAIRED}test_list_in_another_order", f"{OUR_PROJECTS}test_sets_in_another_order_are_the_same"),
    ),
    Behaviour(
        PROJECTS,
        "One key of `environment` is given, of a project that exists",
        "botocore refuses it, as the others are missing",
        "That key changes, the others stay",
        (f"{PAIRED}test_dictionary_of_which_one_key_is_given",),
    ),
    Behaviour(
        PROJECTS,
        "A null inside a dictionary",
        "botocore refuses it",
        "The same as not given",
        (f"{PAIRED}test_null_inside_a_dictionary",),
    ),
    Behaviour(
        PROJECTS,
        "Removing a setting",
        "`vpc_config: {}` takes a project out of its VPC, which the documentation does not say",
        "An empty value removes, for every setting, and the documentation says so",
        (f"{PAIRED}test_removal_of_a_setting", f"{LIFECYCLE}test_each_option_can_be_changed"),
    ),
    Behaviour(
        PROJECTS,
        "Settings that are not options there, made by somebody else",
        "Stay",
        "Stay where they are not given",
        (f"{PAIRED}test_settings_of_a_project_that_somebody_else_made",),
        same=True,
    ),
    Behaviour(
        PROJECTS,
        "Logs, limits, batch builds, further sources and artifacts, badge, webhook, visibility, resource policy",
        "No such options: refused",
        "Options",
        (f"{PAIRED}test_setting_of_a_project_that_only_ours_takes", f"{LIFECYCLE}test_each_option_can_be_changed"),
    ),
    Behaviour(
        PROJECTS,
        "Adding tags with `purge_tags: false`",
        "Added",
        "Added",
        (f"{PAIRED}test_tags_of_a_project", f"{LIFECYCLE}test_tags"),
        same=True,
    ),
    Behaviour(
        PROJECTS,
        "Tags in the result",
        "Twice: `tags` is a list, `resource_tags` a dictionary, which the documentation calls `reource_tags`. "
        "`ORIGINAL` holds all of it once more, as AWS answered",
        "Once, as a dictionary",
        (f"{PAIRED}test_tags_of_a_project",),
    ),
    Behaviour(
        PROJECTS,
        "A tag that is `true` in YAML",
        "Becomes `True`",
        "Becomes `true`",
        (f"{PAIRED}test_tag_that_is_no_text",),
    ),
    Behaviour(
        PROJECTS,
        "A plain-text variable named like a secret, such as `API_TOKEN`",
        "Its value is in the result, twice",
        "Its value is hidden in result and diff. A secret under a harmless name is not recognised",
        (
            f"{PAIRED}test_secret_in_a_plain_variable",
            f"{OUR_PROJECTS}test_secret_in_a_variable_is_hidden_and_kept",
        ),
    ),
    Behaviour(
        PROJECTS,
        "A deletion that AWS denies",
        "Says `Unable to update CodeBuild project`, with AWS's error",
        "Names the project and the permission that is missing",
        (f"{PAIRED}test_text_of_a_failed_deletion",),
    ),
    # --- pipelines
    Behaviour(
        PIPELINES,
        "The example of the documentation",
        "Has a GitHub token in the open, in a source of version 1. Its last action takes an artifact that none makes",
        "Uses a connection; botocore accepts what it asks for",
        (
            f"{PAIRED}test_documented_example_of_a_pipeline",
            f"{REQUESTS}test_botocore_accepts_what_the_examples_ask_for",
        ),
        by_reading="Local AWS has no such source. The test reads the example",
    ),
    Behaviour(
        PIPELINES,
        "Type V2, execution mode, variables, triggers, stores in several regions, tags",
        "No such options: refused",
        "Options",
        (f"{PAIRED}test_setting_of_a_pipeline_that_only_ours_takes", f"{LIFECYCLE}test_each_option_can_be_changed"),
    ),
    Behaviour(
        PIPELINES,
        "The same settings, made by somebody else",
        "Stay, as long as the option `version` is not given",
        "Stay where they are not given",
        (f"{PAIRED}test_settings_of_a_pipeline_that_somebody_else_made",),
        same=True,
    ),
    Behaviour(
        PIPELINES,
        "The option `version`, which is documented as a number that AWS counts",
        "Starts from that old version: what was changed since is undone (a V2 pipeline became V1), and every run says "
        "`changed: true`",
        "No such option; the version is returned",
        (f"{PAIRED}test_version_as_an_option", f"{OUR_PIPELINES}test_version_goes_up_with_a_change_only"),
    ),
    Behaviour(
        PIPELINES,
        "A pipeline that has stores in several regions",
        "Cannot be updated: the request has `artifactStore` beside `artifactStores`, which AWS refuses",
        "Can, and the one can become the other",
        (
            f"{PAIRED}test_pipeline_with_stores_in_several_regions",
            f"{OUR_PIPELINES}test_store_can_become_stores_and_back",
        ),
    ),
    Behaviour(
        PIPELINES,
        "Stages in another order",
        "`changed: true`",
        "`changed: true`",
        (f"{PAIRED}test_stages_in_another_order", f"{KINDS}TestPipelines::test_order_of_stages_and_actions_matters"),
        same=True,
    ),
    Behaviour(
        PIPELINES,
        "The comparison behind `changed`",
        "One for IAM policies, to which lists in another order are equal. Moved stages are noticed because AWS counts "
        "the version up",
        "Compares the settings; the version plays no part",
        (
            f"{PAIRED}test_comparison_that_takes_other_stages_for_the_same",
            f"{KINDS}TestPipelines::test_order_of_stages_and_actions_matters",
        ),
        by_reading="AWS counts the version up, so that no run shows it. The test runs the comparison alone",
    ),
    Behaviour(
        PIPELINES,
        "Spelling of options inside `stages`",
        "AWS's (`actionTypeId`); Ansible's is refused",
        "Ansible's (`action_type_id`), with types, choices and defaults",
        (f"{PAIRED}test_options_in_the_spelling_of_ansible",),
    ),
    Behaviour(
        PIPELINES,
        "`DetectChanges: false` in an action's configuration",
        "botocore refuses it: only texts are allowed",
        "Becomes the text `false`",
        (f"{PAIRED}test_configuration_value_that_is_no_text",),
    ),
    Behaviour(
        PIPELINES,
        "Keys of an action's configuration in the result",
        "Renamed: `ConnectionArn` becomes `connection_arn`",
        "As they are",
        (f"{PAIRED}test_keys_of_a_configuration", f"{OUR_PIPELINES}test_keys_of_a_configuration_are_left_as_they_are"),
    ),
    Behaviour(
        PIPELINES,
        "ARN of the pipeline",
        "Not returned",
        "Returned",
        (f"{PAIRED}test_arn_of_a_pipeline",),
    ),
    Behaviour(
        PIPELINES,
        "`OAuthToken` in an action's configuration",
        "Returned as AWS answers it",
        "Hidden in result and diff",
        (f"{PAIRED}test_token_in_an_action", f"{KINDS}TestPipelines::test_token_in_a_configuration_is_hidden"),
        by_reading="Local AWS has no source that takes the token, and does not mask it as AWS does when a pipeline is "
        "read. The test puts it into another action; their module returns the answer to CreatePipeline and "
        "UpdatePipeline unchanged but for the keys",
    ),
    Behaviour(
        PIPELINES,
        "The pipeline's version after a second run, nothing differs",
        "Left to AWS, as UpdatePipeline is called. Its documentation says that the call raises the version; "
        "community.aws's own tests expect that it does not when nothing differs",
        "Not raised, as nothing is called",
        (f"{OUR_PIPELINES}test_version_goes_up_with_a_change_only",),
        by_reading="Only AWS itself can show it; local AWS follows community.aws's tests",
    ),
]

ALONE = [
    Alone(
        "codebuild_projects_info",
        (
            (
                "Gives settings that the bulk module takes, in its own options",
                (f"{INFO}test_what_is_read_can_be_fed_back",),
            ),
            (
                "A hundred projects take one call; all are read where none is named",
                (f"{INFO}test_projects_take_one_call_for_a_hundred", f"{INFO}test_without_names_all_are_read"),
            ),
            ("Webhook and resource policy, too", (f"{INFO}test_project_with_its_policy_and_its_webhook",)),
        ),
    ),
    Alone(
        "codepipelines_info",
        (
            ("Gives settings that the bulk module takes", (f"{INFO}test_what_is_read_can_be_fed_back",)),
            (
                "State of stages, actions and transitions; the last executions",
                (f"{INFO}test_state_and_executions_of_a_pipeline",),
            ),
            ("State and executions cost their calls only where they are wanted", (f"{INFO}test_calls_for_pipelines",)),
        ),
    ),
    Alone(
        "codebuild_build",
        (
            (
                "Starts with overrides, waits, returns the log",
                (f"{BUILD}test_build_with_overrides_to_its_end",),
            ),
            ("A failed build fails the task, and says where", (f"{BUILD}test_failed_build_says_where_and_why",)),
            ("Follows a build that runs", (f"{BUILD}test_following_starts_nothing_and_reads_on",)),
            ("Stops; a second time is no change", (f"{BUILD}test_stop_twice",)),
            (
                "Retries what is over",
                (
                    f"{BUILD}test_retry_of_what_failed",
                    f"{BUILD}test_what_succeeded_can_be_retried",
                    f"{BUILD}test_what_runs_is_not_retried_but_what_was_stopped",
                ),
            ),
            ("Check mode starts nothing", (f"{BUILD}test_check_mode_says_what_it_would_do",)),
        ),
    ),
    Alone(
        "codepipeline_execution",
        (
            (
                "Starts with variables and source revisions, waits to the end",
                (f"{EXECUTION}test_run_to_the_end_with_variables", f"{EXECUTION}test_source_revisions"),
            ),
            ("Names the action that failed", (f"{EXECUTION}test_failed_execution_names_the_action",)),
            ("Ends at an approval, where that is wanted", (f"{EXECUTION}test_waiting_ends_at_an_approval",)),
            ("Stops or abandons", (f"{EXECUTION}test_stop_and_abandon", f"{EXECUTION}test_stop_waits_for_what_runs")),
            ("Retries the stage that failed", (f"{EXECUTION}test_retry_of_the_stage_that_failed",)),
            (
                "Rolls a stage back",
                (
                    f"{EXECUTION}test_rollback_goes_back_one_by_one",
                    f"{EXECUTION}test_rollback_to_a_certain_execution_is_done_once",
                ),
            ),
            ("Check mode starts nothing", (f"{EXECUTION}test_check_mode_starts_nothing",)),
        ),
    ),
    Alone(
        "codepipeline_approval",
        (
            (
                "Answers for the execution that is meant, and for no other",
                (
                    f"{APPROVAL}test_another_execution_than_the_one_that_is_meant",
                    f"{APPROVAL}test_of_two_that_wait_beside_each_other_the_older",
                ),
            ),
            (
                "Of several approvals it answers the one that is named",
                (
                    f"{APPROVAL}test_of_several_approvals_one_must_be_named",
                    f"{APPROVAL}test_two_approvals_in_one_stage",
                ),
            ),
            (
                "The same answer again is no change; another is refused",
                (
                    f"{APPROVAL}test_second_approval_of_the_same_is_no_change",
                    f"{APPROVAL}test_answer_cannot_be_taken_back",
                ),
            ),
            ("Check mode answers nothing", (f"{APPROVAL}test_check_mode_answers_nothing",)),
        ),
    ),
    Alone(
        "codepipeline_stage_transition",
        (
            (
                "A closed transition holds an execution until it is opened",
                (f"{TRANSITION}test_closed_transition_holds_an_execution_until_it_is_opened",),
            ),
            ("Writes only what differs", (f"{TRANSITION}test_only_what_differs_is_written",)),
            ("Check mode", (f"{TRANSITION}test_check_mode",)),
        ),
    ),
    Alone(
        "codeconnections",
        (
            (
                "Idempotent, with check mode and diff",
                (
                    f"{LIFECYCLE}test_second_run_changes_nothing",
                    f"{LIFECYCLE}test_check_mode_of_a_creation_makes_no_mutating_call",
                ),
            ),
            (
                "Says where a person completes a new connection",
                (f"{CONNECTIONS}test_pending_connection_says_where_to_complete_it",),
            ),
            ("Says what AWS cannot change", (f"{CONNECTIONS}test_provider_cannot_be_changed",)),
        ),
    ),
    Alone(
        "codeconnections_info",
        (("Gives settings that the bulk module takes", (f"{INFO}test_what_is_read_can_be_fed_back",)),),
    ),
]
