# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What CodePipeline refuses in a pipeline, found without a call. Pure functions: `path: what is wrong` each.

Rules within one option need only the input, for lists are taken exactly as given. Rules between options need both:
they are asked of the input for those that it gives, and of the whole pipeline for those that it leaves to AWS.
What only may be wrong is left to AWS to say.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Iterator

from ansible_collections.gitops.aws.plugins.module_utils._engine import Settings, as_text, without_empty
from ansible_collections.gitops.aws.plugins.module_utils._kinds._rules import (
    TAGS,
    Form,
    count_problems,
    form_problems,
    length_problems,
    listed,
    numbered,
    range_problems,
    same_problems,
    tag_problems,
)
from ansible_collections.gitops.aws.plugins.module_utils._secrets import STANDS_FOR_SECRET

NAME: Form = (r"[A-Za-z0-9.@\-_]+", 100, "a-z A-Z 0-9 . @ - and _")
ARTIFACT: Form = (r"[A-Za-z0-9_\-]+", 100, "a-z A-Z 0-9 _ and -")
NAMESPACE: Form = (r"[A-Za-z0-9@\-_]+", 100, "a-z A-Z 0-9 @ - and _")
VARIABLE: Form = (r"[A-Za-z0-9@\-_]+", 128, "a-z A-Z 0-9 @ - and _")
PROVIDER: Form = (r"[A-Za-z0-9_\-]+", 35, "a-z A-Z 0-9 _ and -")
VERSION: Form = (r"[A-Za-z0-9_\-]+", 9, "a-z A-Z 0-9 _ and -")
ENVIRONMENT_VARIABLE: Form = (r"[A-Za-z0-9_]+", 128, "a-z A-Z 0-9 and _")
BUCKET: Form = (r"[A-Za-z0-9\-.]{3,}", 63, "3 to 63 of a-z A-Z 0-9 - and .")
REGION: Form = (r"[a-z0-9\-]{4,}", 30, "the name of a region, as eu-central-1")
ROLE: Form = (
    r"arn:aws(-\w+)*:iam::[0-9]{12}:role/.+",
    1024,
    "the ARN of an IAM role, as arn:aws:iam::123456789012:role/name",
)

STAGES = (2, 50)
ACTIONS = 50  # in a stage
VARIABLES = 50
TRIGGERS = 50
ENTRIES = 3  # in push and in pull_request of a trigger
PATTERNS = 8  # in includes and in excludes
RUN_ORDER = (1, 999)
TIMEOUT = (5, 86400)  # minutes, of actions and of rules
ACTION_VALUE, RULE_VALUE, CONFIGURATION_KEY = 1000, 10000, 50  # characters


@dataclass(frozen=True)
class Provider:
    """What AWS fixes for the actions of a provider; None where it fixes nothing that is sure."""

    inputs: tuple[int, int] | None = None
    outputs: tuple[int, int] | None = None
    required: tuple[str, ...] = ()


def _source(*required: str) -> Provider:
    return Provider((0, 0), (1, 1), required)


def _deploy(*required: str) -> Provider:
    return Provider((1, 1), (0, 0), required)


# By category and provider.
PROVIDERS = {
    ("Source", "CodeStarSourceConnection"): _source("ConnectionArn", "FullRepositoryId", "BranchName"),
    ("Source", "CodeCommit"): _source("RepositoryName", "BranchName"),
    ("Source", "ECR"): _source("RepositoryName"),
    ("Source", "GitHub"): _source("Owner", "Repo", "Branch"),
    ("Source", "S3"): _source("S3Bucket", "S3ObjectKey"),
    ("Build", "CodeBuild"): Provider((1, 5), (0, 5), ("ProjectName",)),
    ("Test", "CodeBuild"): Provider((1, 5), (0, 5), ("ProjectName",)),
    ("Test", "DeviceFarm"): Provider((1, 1), (0, 0)),
    ("Approval", "Manual"): Provider((0, 0), (0, 0)),
    ("Deploy", "CloudFormation"): Provider((0, 10), (0, 1), ("ActionMode", "StackName")),
    ("Deploy", "CodeDeploy"): _deploy("ApplicationName", "DeploymentGroupName"),
    ("Deploy", "ECS"): _deploy("ClusterName", "ServiceName"),
    ("Deploy", "ElasticBeanstalk"): _deploy("ApplicationName", "EnvironmentName"),
    ("Deploy", "S3"): _deploy("BucketName", "Extract"),
    ("Deploy", "ServiceCatalog"): _deploy(),
    ("Invoke", "Lambda"): Provider((0, 5), (0, 5), ("FunctionName",)),
    ("Invoke", "StepFunctions"): Provider(required=("StateMachineArn",)),
}
CUSTOM = Provider((0, 5), (0, 5))

# The providers of rules, with what their configuration needs.
RULES: dict[str, tuple[str, ...]] = {
    "CloudWatchAlarm": ("AlarmName",),
    "CodeBuild": ("ProjectName",),
    "Commands": (),
    "DeploymentWindow": ("Cron",),
    "LambdaInvoke": ("FunctionName",),
    "VariableCheck": ("Operator", "Value", "Variable"),
}
MAY_SKIP = ("LambdaInvoke", "VariableCheck")

# Where a stage has conditions, with the results that they can have there.
RESULTS = {"before_entry": ("FAIL", "SKIP"), "on_success": ("ROLLBACK", "FAIL"), "on_failure": ("ROLLBACK",)}

# Namespaces that are there without an action.
RESERVED = ("codepipeline", "variables")
REFERENCE = re.compile(r"#\{([A-Za-z0-9@\-_]+)\.([^{}]+)\}")

V2_PROVIDERS = ("Commands", "ECRBuildAndPublish")

Place = tuple[int, int]  # in the order of a run: the stage's number and the run_order in it
BEFORE_ACTIONS, AFTER_ACTIONS = RUN_ORDER[0] - 1, RUN_ORDER[1] + 1

# What a whole pipeline that lacks these has.
NONE: Settings = {
    "artifact_store": {},
    "artifact_stores": {},
    "stages": [],
    "variables": [],
    "triggers": [],
    "tags": {},
}


def input_problems(item: Settings, *, region: str | None = None) -> list[str]:
    """What is wrong with a pipeline as the user gave it, whatever AWS has; `region` is the pipeline's own."""
    given = _given(item)
    return [*_within(given), *_between(given, region)]


def conflicts(settings: Settings, *, region: str | None = None) -> list[str]:
    """What does not fit together in a whole pipeline, as it would be after the run."""
    return list(_between({**NONE, **_given(settings)}, region, whole=True))


def _given(item: Settings) -> Settings:
    """The options that say something. A tag says something without a value, and an empty store is a mistake."""
    given = {name: without_empty(value) for name, value in item.items() if value is not None}
    if item.get("tags") is not None:
        given["tags"] = item["tags"]
    if item.get("artifact_stores") is not None:
        given["artifact_stores"] = {name: without_empty(store) for name, store in item["artifact_stores"].items()}
    return given


# Within one option.


def _within(given: Settings) -> Iterator[str]:
    yield from form_problems("name", given.get("name"), NAME, required=True)
    yield from form_problems("role_arn", given.get("role_arn"), ROLE)
    yield from _store("artifact_store", given.get("artifact_store", {}))
    yield from _stores(given.get("artifact_stores", {}))
    if "stages" in given:
        yield from _stages(given["stages"])
    yield from _variables(given.get("variables"))
    yield from _triggers(given.get("triggers"))
    yield from tag_problems(given.get("tags"), 128, 256)


def _store(path: str, store: Settings) -> Iterator[str]:
    yield from form_problems(f"{path}.location", store.get("location"), BUCKET)
    yield from length_problems(f"{path}.encryption_key.id", store.get("encryption_key", {}).get("id"), 400)


def _stores(stores: Settings) -> Iterator[str]:
    # Its keys are regions, so Ansible cannot check what is below them.
    for region, store in stores.items():
        path = f"artifact_stores.{region}"
        yield from form_problems(path, region, REGION)
        if not isinstance(store, dict) or not isinstance(store.get("location"), str) or not store["location"]:
            yield f"{path}: must be a dictionary with location, the name of a bucket"
            continue
        for name in store:
            if name not in ("type", "location", "encryption_key"):
                yield f"{path}.{name}: unknown, allowed are type, location, encryption_key"
        if store.get("type", "S3") != "S3":
            yield f"{path}.type: {store['type']!r} is not allowed: S3"
        key = store.get("encryption_key")
        if key is not None and (
            not isinstance(key, dict) or not isinstance(key.get("id"), str) or set(key) - {"id", "type"}
        ):
            yield f"{path}.encryption_key: must be a dictionary with id, and nothing else but type"
            continue
        if key is not None and key.get("type", "KMS") != "KMS":
            yield f"{path}.encryption_key.type: {key['type']!r} is not allowed: KMS"
        yield from _store(path, store)


def _stages(stages: list[Settings]) -> Iterator[str]:
    if not STAGES[0] <= len(stages) <= STAGES[1]:
        yield f"stages: has {len(stages)}, a pipeline must have {STAGES[0]} to {STAGES[1]} stages"
    names = ((f"{path}.name", stage.get("name")) for path, stage in numbered("stages", stages))
    yield from same_problems(names, "names of stages must differ")
    for number, (path, stage) in enumerate(numbered("stages", stages)):
        yield from form_problems(f"{path}.name", stage.get("name"), NAME, required=True)
        for blocker_path, blocker in numbered(f"{path}.blockers", stage.get("blockers")):
            yield from length_problems(f"{blocker_path}.name", blocker.get("name", ""), 100)
        yield from _actions(path, stage, first=number == 0)
        for place in RESULTS:
            yield from _conditions(place, f"{path}.{place}", stage.get(place, {}))
    yield from _artifacts(stages)
    yield from _namespaces(stages)


def _actions(stage_path: str, stage: Settings, first: bool) -> Iterator[str]:
    path, actions = f"{stage_path}.actions", stage.get("actions")
    if not actions:
        yield f"{path}: is empty, a stage must have 1 to {ACTIONS} actions"
        return
    yield from count_problems(path, actions, ACTIONS)
    names = ((f"{action_path}.name", action.get("name")) for action_path, action in numbered(path, actions))
    yield from same_problems(names, "names of actions must differ within a stage")
    for action_path, action in numbered(path, actions):
        category = action.get("action_type_id", {}).get("category")
        if first and category != "Source":
            yield f"{action_path}.action_type_id.category: {category} is not allowed: the first stage has only Source"
        if not first and category == "Source":
            yield f"{action_path}.action_type_id.category: Source is allowed in the first stage only"
        yield from _action(action_path, action)


def _action(path: str, action: Settings) -> Iterator[str]:
    kind = action.get("action_type_id", {})
    yield from form_problems(f"{path}.name", action.get("name"), NAME, required=True)
    yield from form_problems(f"{path}.action_type_id.provider", kind.get("provider"), PROVIDER, required=True)
    yield from form_problems(f"{path}.action_type_id.version", kind.get("version"), VERSION)
    yield from range_problems(f"{path}.run_order", action.get("run_order"), RUN_ORDER)
    yield from form_problems(f"{path}.role_arn", action.get("role_arn"), ROLE)
    yield from form_problems(f"{path}.region", action.get("region"), REGION)
    yield from form_problems(f"{path}.namespace", action.get("namespace"), NAMESPACE)
    if action.get("namespace") in RESERVED:
        yield f"{path}.namespace: {action['namespace']!r} is not allowed: AWS has a namespace of that name"
    if action.get("timeout_in_minutes") is not None and kind.get("category") != "Approval":
        yield f"{path}.timeout_in_minutes: is allowed for manual approvals only"
    else:
        yield from range_problems(f"{path}.timeout_in_minutes", action.get("timeout_in_minutes"), TIMEOUT)
    yield from _compute(path, action, kind)
    yield from _environment(f"{path}.environment_variables", action.get("environment_variables"))
    yield from _values(f"{path}.configuration", action.get("configuration", {}), ACTION_VALUE)
    if kind.get("owner") == "Custom":
        yield from _provider(path, action, kind, CUSTOM)
    else:
        key = (kind.get("category", ""), kind.get("provider", ""))
        yield from _provider(path, action, kind, PROVIDERS.get(key, Provider()))
        if key in (("Build", "CodeBuild"), ("Test", "CodeBuild")):
            yield from _code_build(path, action)
        if key == ("Deploy", "S3"):
            yield from _s3_deploy(f"{path}.configuration", action.get("configuration", {}))


def _compute(path: str, action: Settings, kind: Settings) -> Iterator[str]:
    """What only actions of category Compute have."""
    members = [(f"{path}.{name}", action.get(name)) for name in ("commands", "output_variables")]
    for artifact_path, artifact in numbered(f"{path}.output_artifacts", action.get("output_artifacts")):
        members.append((f"{artifact_path}.files", artifact.get("files")))
    if kind.get("category") != "Compute":
        yield from (f"{member}: is allowed for actions of category Compute only" for member, value in members if value)
        return
    if kind.get("provider") == "Commands" and not action.get("commands"):
        yield f"{path}.commands: must be given, 1 to 50; a Commands action needs them"
    for (member, value), (most, longest) in zip(members, [(50, 1000), (15, 128), *[(10, 128)] * len(members)]):
        yield from _texts(member, value, most, longest)


def _texts(path: str, texts: Any, most: int, longest: int) -> Iterator[str]:
    yield from count_problems(path, texts, most)
    for text_path, text in numbered(path, texts):
        yield from length_problems(text_path, text, longest)


def _environment(path: str, variables: Any) -> Iterator[str]:
    yield from count_problems(path, variables, 10)
    names = ((f"{at}.name", variable.get("name")) for at, variable in numbered(path, variables))
    yield from same_problems(names, "names of environment variables must differ within an action")
    for at, variable in numbered(path, variables):
        yield from form_problems(f"{at}.name", variable.get("name"), ENVIRONMENT_VARIABLE, required=True)
        yield from length_problems(f"{at}.value", variable.get("value", ""), 2000)


def _values(path: str, configuration: Settings, longest: int) -> Iterator[str]:
    """A map of texts."""
    for key, value in configuration.items():
        yield from length_problems(f"{path}.{key}", key, CONFIGURATION_KEY)
        if len(as_text(value)) > longest:
            yield f"{path}.{key}: the value has {len(as_text(value))} characters, at most {longest} are allowed"


def _provider(path: str, action: Settings, kind: Settings, fixed: Provider) -> Iterator[str]:
    """What the provider of an action fixes."""
    name = kind.get("provider")
    for option, bounds in (("input_artifacts", fixed.inputs), ("output_artifacts", fixed.outputs)):
        number = len(action.get(option, []))
        if bounds and not bounds[0] <= number <= bounds[1]:
            allowed = f"{bounds[0]}" if bounds[0] == bounds[1] else f"{bounds[0]} to {bounds[1]}"
            yield f"{path}.{option}: has {number}, a {name} action of category {kind.get('category')} has {allowed}"
    yield from _required(f"{path}.configuration", action, f"a {name} action", fixed.required)


def _required(path: str, owner: Settings, what: str, required: tuple[str, ...]) -> Iterator[str]:
    for key in required:
        if key not in owner.get("configuration", {}):
            yield f"{path}.{key}: must be given; {what} needs {', '.join(required)}"


def _code_build(path: str, action: Settings) -> Iterator[str]:
    configuration = action.get("configuration", {})
    inputs = [artifact.get("name") for artifact in action.get("input_artifacts", [])]
    primary = configuration.get("PrimarySource")
    if primary is None and len(inputs) > 1:
        yield f"{path}.configuration.PrimarySource: must be given with several input artifacts, one of {listed(inputs)}"
    if primary is not None and primary not in inputs and not REFERENCE.search(as_text(primary)):
        yield f"{path}.configuration.PrimarySource: {primary!r} is no input artifact; those are {listed(inputs)}"
    variables = configuration.get("EnvironmentVariables")
    if variables is not None and variables not in STANDS_FOR_SECRET:
        yield from _build_variables(f"{path}.configuration.EnvironmentVariables", as_text(variables))


def _build_variables(path: str, text: str) -> Iterator[str]:
    try:
        variables = json.loads(text)
    except ValueError as error:
        # A reference may stand for more than a text in the list.
        if not REFERENCE.search(text):
            yield f"{path}: is no JSON ({error}), must be a JSON list of objects with name, value and type"
        return
    if not isinstance(variables, list):
        yield f"{path}: must be a JSON list of objects with name, value and type"
        return
    types = ("PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER")
    for at, variable in numbered(path, variables):
        if not isinstance(variable, dict) or not {"name", "value"} <= set(variable):
            yield f"{at}: must be an object with name, value and, optionally, type"
        elif variable.get("type", "PLAINTEXT") not in types:
            yield f"{at}.type: {variable['type']!r} is not allowed: {', '.join(types)}"


def _s3_deploy(path: str, configuration: Settings) -> Iterator[str]:
    if as_text(configuration.get("Extract")).lower() == "false" and "ObjectKey" not in configuration:
        yield f"{path}.ObjectKey: must be given where Extract is false"


def _conditions(place: str, path: str, settings: Settings) -> Iterator[str]:
    result, conditions = settings.get("result"), settings.get("conditions", [])
    if result == "SKIP":
        yield f"{path}.result: SKIP is not allowed: only conditions of before_entry can skip a stage"
    if "retry_configuration" in settings and result != "RETRY":
        yield f"{path}.retry_configuration: is allowed with the result RETRY only"
    if conditions and result == "RETRY":
        yield f"{path}.conditions: cannot be given together with the result RETRY"
    yield from count_problems(f"{path}.conditions", conditions, 1)
    for condition_path, condition in numbered(f"{path}.conditions", conditions):
        found = condition.get("result")
        if found is not None and found not in RESULTS[place]:
            yield f"{condition_path}.result: {found} is not allowed in {place}: {', '.join(RESULTS[place])}"
        rules = condition.get("rules")
        yield from count_problems(f"{condition_path}.rules", rules, 5)
        names = ((f"{at}.name", rule.get("name")) for at, rule in numbered(f"{condition_path}.rules", rules))
        yield from same_problems(names, "names of rules must differ within a condition")
        for at, rule in numbered(f"{condition_path}.rules", rules):
            yield from _rule(at, rule, skips=found == "SKIP")


def _rule(path: str, rule: Settings, skips: bool) -> Iterator[str]:
    kind = rule.get("rule_type_id", {})
    provider = kind.get("provider")
    yield from form_problems(f"{path}.name", rule.get("name"), NAME, required=True)
    yield from form_problems(f"{path}.rule_type_id.version", kind.get("version"), VERSION)
    yield from form_problems(f"{path}.role_arn", rule.get("role_arn"), ROLE)
    yield from form_problems(f"{path}.region", rule.get("region"), REGION)
    yield from range_problems(f"{path}.timeout_in_minutes", rule.get("timeout_in_minutes"), TIMEOUT)
    yield from _values(f"{path}.configuration", rule.get("configuration", {}), RULE_VALUE)
    if provider not in RULES:  # a new one, which AWS knows
        return
    if skips and provider not in MAY_SKIP:
        yield f"{path}.rule_type_id.provider: {provider} cannot lead to the result SKIP, {' and '.join(MAY_SKIP)} can"
    yield from _required(f"{path}.configuration", rule, f"a {provider} rule", RULES[provider])
    if provider == "Commands" and not rule.get("commands"):
        yield f"{path}.commands: must be given, 1 to 50; a Commands rule needs them"
    if provider != "Commands" and rule.get("commands"):
        yield f"{path}.commands: is allowed for Commands rules only"
    else:
        yield from _texts(f"{path}.commands", rule.get("commands"), 50, 1000)


def _users(stages: list[Settings]) -> Iterator[tuple[str, Settings, Place]]:
    """Every action and every rule, with its path and its place in the order of a run."""
    for number, (path, stage) in enumerate(numbered("stages", stages)):
        for action_path, action in numbered(f"{path}.actions", stage.get("actions")):
            yield action_path, action, (number, action.get("run_order", 1))
        for place in RESULTS:
            order = BEFORE_ACTIONS if place == "before_entry" else AFTER_ACTIONS
            for at, condition in numbered(f"{path}.{place}.conditions", stage.get(place, {}).get("conditions")):
                for rule_path, rule in numbered(f"{at}.rules", condition.get("rules")):
                    yield rule_path, rule, (number, order)


def _artifacts(stages: list[Settings]) -> Iterator[str]:
    outputs = [
        (f"{at}.name", artifact.get("name"), place)
        for path, user, place in _users(stages)
        for at, artifact in numbered(f"{path}.output_artifacts", user.get("output_artifacts"))
    ]
    for path, name, _place in outputs:
        yield from form_problems(path, name, ARTIFACT, required=True)
    names = ((path, name) for path, name, _place in outputs)
    yield from same_problems(names, "names of output artifacts must differ within a pipeline")
    for path, user, place in _users(stages):
        for at, artifact in numbered(f"{path}.input_artifacts", user.get("input_artifacts")):
            yield from _input(f"{at}.name", artifact.get("name"), place, outputs)


def _input(path: str, name: Any, place: Place, outputs: list[tuple[str, Any, Place]]) -> Iterator[str]:
    if name is None:
        yield f"{path}: must be given"
        return
    known = {output for _path, output, produced in outputs if output is not None and produced < place}
    later = [at for at, output, _produced in outputs if output == name]
    if name in known:
        return
    if later:
        yield f"{path}: {name!r} is {later[0]}, which is not before; known here are {listed(known)}"
    else:
        yield f"{path}: no action has an output artifact {name!r}; known here are {listed(known)}"


def _namespaces(stages: list[Settings]) -> Iterator[str]:
    spaces = [(path, user["namespace"], place) for path, user, place in _users(stages) if "namespace" in user]
    names = ((f"{path}.namespace", name) for path, name, _place in spaces)
    yield from same_problems(names, "namespaces must differ within a pipeline")
    for path, reference, namespace, _key, place in _references(stages):
        known = {name for _path, name, produced in spaces if produced < place}
        if namespace not in known and namespace not in RESERVED:
            yield (
                f"{path}: {reference} has a namespace that no earlier action has; "
                f"known here are {listed(known | set(RESERVED))}"
            )


def _references(stages: list[Settings]) -> Iterator[tuple[str, str, str, str, Place]]:
    """Every `#{namespace.key}` in a configuration: its path, itself, its namespace, its key, its place."""
    for path, user, place in _users(stages):
        for key, value in user.get("configuration", {}).items():
            for found in REFERENCE.finditer(as_text(value)):
                yield f"{path}.configuration.{key}", found[0], found[1], found[2], place


def _variables(variables: Any) -> Iterator[str]:
    yield from count_problems("variables", variables, VARIABLES)
    names = ((f"{path}.name", variable.get("name")) for path, variable in numbered("variables", variables))
    yield from same_problems(names, "names of variables must differ")
    for path, variable in numbered("variables", variables):
        yield from form_problems(f"{path}.name", variable.get("name"), VARIABLE, required=True)
        yield from length_problems(f"{path}.default_value", variable.get("default_value"), 1000)
        yield from length_problems(f"{path}.description", variable.get("description"), 200)


def _triggers(triggers: Any) -> Iterator[str]:
    yield from count_problems("triggers", triggers, TRIGGERS)
    sources = [
        (f"{path}.git_configuration", t.get("git_configuration", {})) for path, t in numbered("triggers", triggers)
    ]
    names = ((f"{path}.source_action_name", git.get("source_action_name")) for path, git in sources)
    yield from same_problems(names, "a source action has one trigger at most")
    for path, git in sources:
        if "source_action_name" not in git:
            yield f"{path}.source_action_name: must be given"
        for event in ("push", "pull_request"):
            yield from count_problems(f"{path}.{event}", git.get(event), ENTRIES)
            for at, entry in numbered(f"{path}.{event}", git.get(event)):
                yield from _filters(at, entry)


def _filters(path: str, entry: Settings) -> Iterator[str]:
    # A combination that AWS does not allow; file_paths alone are not in its list either, but nobody says it refuses.
    if "tags" in entry and ("branches" in entry or "file_paths" in entry):
        yield f"{path}.tags: cannot be combined with branches or file_paths; another entry of push can have them"
    for name in ("tags", "branches", "file_paths"):
        for kind in ("includes", "excludes"):
            yield from _texts(f"{path}.{name}.{kind}", entry.get(name, {}).get(kind), PATTERNS, 255)


# Between options. An option that is not in `given` is not known.


def _between(given: Settings, region: str | None, whole: bool = False) -> Iterator[str]:
    if whole:
        yield from _whole(given)
    if given.get("artifact_store", {}).get("location") and given.get("artifact_stores"):
        yield "artifact_stores: cannot be given together with artifact_store" + ("; {} removes one" if whole else "")
    yield from _regions(given, region)
    yield from _declared(given)
    yield from _triggered(given)
    if given.get("pipeline_type") == "V1":
        yield from _only_v2(given)
    if given.get("execution_mode") == "PARALLEL":
        yield from _rollbacks(given.get("stages"))


def _whole(settings: Settings) -> Iterator[str]:
    """What a whole pipeline must have, and how many tags it can have with those that are kept."""
    store = settings["artifact_store"]
    if not store and not settings["artifact_stores"]:
        yield "artifact_store: must be given, or artifact_stores"
    if store and "location" not in store:
        yield "artifact_store.location: must be given, the name of a bucket"
    if "encryption_key" in store and "id" not in store["encryption_key"]:
        yield "artifact_store.encryption_key.id: must be given, the ARN, id or alias of a key"
    yield from count_problems("tags", settings["tags"], TAGS)


def _regions(given: Settings, region: str | None) -> Iterator[str]:
    """There must be a store for the pipeline's own region and for each that an action has."""
    stores = given.get("artifact_stores")
    if region and stores and region not in stores:
        yield f"artifact_stores: has no store for {region}, the pipeline's own region"
    for path, stage in numbered("stages", given.get("stages")):
        for at, action in numbered(f"{path}.actions", stage.get("actions")):
            there = action.get("region")
            if not there or there == region:
                continue
            if stores and there not in stores:
                yield f"{at}.region: artifact_stores has no store for {there}, it has {listed(stores)}"
            elif region and not stores and (stores is not None or given.get("artifact_store", {}).get("location")):
                yield f"{at}.region: {there} is not the pipeline's, {region}; that needs artifact_stores for both"


def _declared(given: Settings) -> Iterator[str]:
    """References to variables of the pipeline."""
    if "variables" not in given:
        return
    known = {variable.get("name") for variable in given["variables"]}
    for path, reference, namespace, key, _place in _references(given.get("stages", [])):
        if namespace == "variables" and key not in known:
            yield f"{path}: {reference} is no variable of the pipeline; variables has {listed(known - {None})}"


def _triggered(given: Settings) -> Iterator[str]:
    """The source actions that triggers name."""
    stages = given.get("stages")
    if not stages:
        return
    connected = {
        action.get("name")
        for action in stages[0].get("actions", [])
        if action.get("action_type_id", {}).get("provider") == "CodeStarSourceConnection"
    } - {None}
    for path, trigger in numbered("triggers", given.get("triggers")):
        name = trigger.get("git_configuration", {}).get("source_action_name")
        if name is not None and name not in connected:
            yield (
                f"{path}.git_configuration.source_action_name: {name!r} is no source action with the provider "
                f"CodeStarSourceConnection; allowed are {listed(connected)}"
            )


def _only_v2(given: Settings) -> Iterator[str]:
    # A pipeline whose type nobody said is left alone: AWS may make it a V2 for such a setting.
    only = "is allowed for pipelines of type V2 only, and pipeline_type is V1"
    for name in ("variables", "triggers"):
        if given.get(name):
            yield f"{name}: {only}"
    if given.get("execution_mode") in ("QUEUED", "PARALLEL"):
        yield f"execution_mode: {given['execution_mode']} {only}"
    for path, stage in numbered("stages", given.get("stages")):
        for place in RESULTS:
            if stage.get(place):
                yield f"{path}.{place}: {only}"
        for at, action in numbered(f"{path}.actions", stage.get("actions")):
            kind = action.get("action_type_id", {})
            if kind.get("owner", "AWS") == "AWS" and kind.get("provider") in V2_PROVIDERS:
                yield f"{at}.action_type_id.provider: {kind['provider']} {only}"


def _rollbacks(stages: Any) -> Iterator[str]:
    why = "ROLLBACK is not allowed where execution_mode is PARALLEL"
    for path, stage in numbered("stages", stages):
        failure = stage.get("on_failure", {})
        if failure.get("result") == "ROLLBACK":
            yield f"{path}.on_failure.result: {why}"
        for at, condition in numbered(f"{path}.on_failure.conditions", failure.get("conditions")):
            if condition.get("result") == "ROLLBACK":
                yield f"{at}.result: {why}"
