# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""CodePipeline pipelines, types V1 and V2."""

from __future__ import annotations

import copy
import threading
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Tuple

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    ClientError = Exception

from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, error_code, read_or_none
from ansible_collections.gitops.aws.plugins.module_utils._engine import (
    Kind,
    Resource,
    Settings,
    Step,
    as_spelled,
    as_text,
    wanted_tags,
    without_empty,
)
from ansible_collections.gitops.aws.plugins.module_utils._kinds import _pipeline_parts, _pipeline_rules
from ansible_collections.gitops.aws.plugins.module_utils._kinds._bulk_tags import Tags, add_tags, in_bulk
from ansible_collections.gitops.aws.plugins.module_utils._known_versions import KnownVersions, digest
from ansible_collections.gitops.aws.plugins.module_utils._same import same_sets, unordered
from ansible_collections.gitops.aws.plugins.module_utils._shapes import from_response, input_shape, to_request
from ansible_collections.gitops.aws.plugins.module_utils._tags import tag_changes, to_dict, to_list

ENCRYPTION_KEY: dict[str, Any] = {
    "type": "dict",
    "no_log": False,
    "options": {
        # Nothing is required, so that an empty dictionary can remove the setting.
        "id": {"type": "str"},
        "type": {"type": "str", "choices": ["KMS"]},
    },
}

INPUT_ARTIFACTS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {"name": {"type": "str", "required": True}},
}

RULE: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "rule_type_id": {
        "type": "dict",
        "required": True,
        "options": {
            "category": {"type": "str", "choices": ["Rule"], "default": "Rule"},
            "owner": {"type": "str", "choices": ["AWS"], "default": "AWS"},
            "provider": {"type": "str", "required": True},
            "version": {"type": "str", "default": "1"},
        },
    },
    "configuration": {"type": "dict"},
    "commands": {"type": "list", "elements": "str"},
    "input_artifacts": INPUT_ARTIFACTS,
    "role_arn": {"type": "str"},
    "region": {"type": "str"},
    "timeout_in_minutes": {"type": "int"},
}

RESULTS = ["ROLLBACK", "FAIL", "RETRY", "SKIP"]

CONDITIONS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "result": {"type": "str", "choices": RESULTS},
        "rules": {"type": "list", "elements": "dict", "options": RULE},
    },
}

ACTION: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "action_type_id": {
        "type": "dict",
        "required": True,
        "options": {
            "category": {
                "type": "str",
                "required": True,
                "choices": ["Source", "Build", "Deploy", "Test", "Invoke", "Approval", "Compute"],
            },
            "owner": {"type": "str", "choices": ["AWS", "ThirdParty", "Custom"], "default": "AWS"},
            "provider": {"type": "str", "required": True},
            "version": {"type": "str", "default": "1"},
        },
    },
    "run_order": {"type": "int"},
    "configuration": {"type": "dict"},
    "commands": {"type": "list", "elements": "str"},
    "output_artifacts": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "str"},
        },
    },
    "input_artifacts": INPUT_ARTIFACTS,
    "output_variables": {"type": "list", "elements": "str"},
    "role_arn": {"type": "str"},
    "region": {"type": "str"},
    "namespace": {"type": "str"},
    "timeout_in_minutes": {"type": "int"},
    "environment_variables": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "value": {"type": "str", "required": True},
            "type": {"type": "str", "choices": ["PLAINTEXT", "SECRETS_MANAGER"], "default": "PLAINTEXT"},
        },
    },
}

PATTERNS: dict[str, Any] = {
    "type": "dict",
    "options": {
        "includes": {"type": "list", "elements": "str"},
        "excludes": {"type": "list", "elements": "str"},
    },
}

STAGE: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "blockers": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "type": {"type": "str", "choices": ["Schedule"], "default": "Schedule"},
        },
    },
    "actions": {"type": "list", "elements": "dict", "required": True, "options": ACTION},
    "on_failure": {
        "type": "dict",
        "options": {
            "result": {"type": "str", "choices": RESULTS},
            "retry_configuration": {
                "type": "dict",
                "options": {"retry_mode": {"type": "str", "choices": ["FAILED_ACTIONS", "ALL_ACTIONS"]}},
            },
            "conditions": CONDITIONS,
        },
    },
    "on_success": {"type": "dict", "options": {"conditions": CONDITIONS}},
    "before_entry": {"type": "dict", "options": {"conditions": CONDITIONS}},
}

ARTIFACT_STORE: dict[str, Any] = {
    "type": {"type": "str", "choices": ["S3"]},
    "location": {"type": "str"},
    "encryption_key": ENCRYPTION_KEY,
}

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "role_arn": {"type": "str"},
    "artifact_store": {"type": "dict", "options": ARTIFACT_STORE},
    "artifact_stores": {"type": "dict"},
    "stages": {"type": "list", "elements": "dict", "options": STAGE},
    "execution_mode": {"type": "str", "choices": ["QUEUED", "SUPERSEDED", "PARALLEL"]},
    "pipeline_type": {"type": "str", "choices": ["V1", "V2"]},
    "variables": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "default_value": {"type": "str"},
            "description": {"type": "str"},
        },
    },
    "triggers": {
        "type": "list",
        "elements": "dict",
        "options": {
            "provider_type": {
                "type": "str",
                "choices": ["CodeStarSourceConnection"],
                "default": "CodeStarSourceConnection",
            },
            "git_configuration": {
                "type": "dict",
                "required": True,
                "options": {
                    "source_action_name": {"type": "str", "required": True},
                    "push": {
                        "type": "list",
                        "elements": "dict",
                        "options": {"tags": PATTERNS, "branches": PATTERNS, "file_paths": PATTERNS},
                    },
                    "pull_request": {
                        "type": "list",
                        "elements": "dict",
                        "options": {
                            "events": {
                                "type": "list",
                                "elements": "str",
                                "choices": ["OPEN", "UPDATED", "CLOSED"],
                            },
                            "branches": PATTERNS,
                            "file_paths": PATTERNS,
                        },
                    },
                },
            },
        },
    },
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}

# As many are listed before they are read. Those that nobody wants are mostly not there, the others mostly are, and then
# the list is in vain.
LIST_FROM_ABSENT = 2
LIST_FROM = 10

# Which definition of a pipeline it is: its version, and when it was made (milliseconds since 1970), for who deletes a
# pipeline and makes it again can bring it to any version.
Mark = Tuple[int, int]


class Codepipeline(Kind):
    noun = "pipeline"
    service = "codepipeline"
    required = ("role_arn", "stages")
    chunk = 500

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.known: KnownVersions | None = None
        self._digests: dict[str, str] = {}  # of the items that may be known, by name
        self._made: dict[str, Mark] = {}  # of those that were made, the version, and when AWS has answered that
        self._listed: dict[str, Mark] | None = None
        self._listing = threading.Lock()
        self.equal = {"stages": self._same_stages, "triggers": same_sets}

    def problems(self, item: Settings) -> list[str]:
        return _pipeline_rules.input_problems(item, region=self.client.meta.region_name)

    def conflicts(self, step: Step) -> list[str]:
        after = step.after or {}
        found = _pipeline_rules.conflicts(after, region=self.client.meta.region_name)
        if step.changed - {"tags"}:
            fix = "AWS does not tell it, and would lose it. Fix: give the stages, with the secret itself"
            found += [f"{path}: {fix}" for path in _pipeline_parts.masked(after.get("stages", []))]
        return found

    def secrets(self, item: Settings) -> list[str]:
        secrets = _pipeline_parts.secrets(item["stages"] or [])
        return [text for secret in secrets for text in secret.texts()]

    def normalise(self, settings: Settings) -> Settings:
        result: Settings = without_empty(settings)
        if "tags" in settings:
            result["tags"] = settings["tags"]
        for store in (result.get("artifact_store", {}), *result.get("artifact_stores", {}).values()):
            if store:
                store.setdefault("type", "S3")
            if "encryption_key" in store:
                store["encryption_key"].setdefault("type", "KMS")
        for stage in result.get("stages", []):
            for action in stage["actions"]:
                action.setdefault("run_order", 1)
                _configuration_as_texts(action)
            for _path, rule in _pipeline_parts.rules(stage):
                _configuration_as_texts(rule)
        if "triggers" in result:
            result["triggers"] = [trigger for trigger in result["triggers"] if not _comes_by_itself(trigger, result)]
            if not result["triggers"]:
                del result["triggers"]
        return result

    def _same_stages(self, before: list[Settings], after: list[Settings]) -> bool:
        """Whether stages are the same: the pipeline's own region, and the only owner and version that rules have, may
        be left out; the order of an action's environment variables means nothing.
        """
        spelled = [copy.deepcopy(stages) for stages in (before, after)]
        _pipeline_parts.mask(spelled[1], like=before)
        for stage in (stage for stages in spelled for stage in stages):
            rules = [rule for _path, rule in _pipeline_parts.rules(stage)]
            for each in (*stage["actions"], *rules):
                if each.get("region") == self.client.meta.region_name:
                    del each["region"]
                if "environment_variables" in each:
                    each["environment_variables"] = unordered(each["environment_variables"])
            for rule in rules:
                rule["rule_type_id"] = {"owner": "AWS", "version": "1", **rule["rule_type_id"]}
        return bool(spelled[0] == spelled[1])

    def names(self) -> list[str]:
        return list(self._list())

    def _list(self) -> dict[str, Mark]:
        """All pipelines, by name."""
        found = self.aws.pages("codepipeline", "list_pipelines", "pipelines")
        return {
            each["name"]: (each.get("version", 0), _milliseconds(each["created"]) if "created" in each else 0)
            for each in found
        }

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        there = self._there(items)
        known, others, tags = self._known(there)
        answers = {**known, **self.read_each(self._get, others)}
        add_tags(self, answers, items, self._tags, tags)
        return answers

    def _there(self, items: list[Settings]) -> list[Settings]:
        """The items that are worth reading: GetPipeline reads one pipeline, ListPipelines names a thousand.

        All of them where too few are asked for to list first, or who asks may not list.
        """
        if len(items) < (LIST_FROM_ABSENT if self.params.get("state") == "absent" else LIST_FROM):
            return items
        try:
            listed = self._listed_once()
        except ClientError as error:
            if error_code(error) != "AccessDeniedException":
                raise
            return items
        if self.known is not None and self.params.get("state") != "absent":
            digests = ((item["name"], self._digest(item)) for item in items)
            self._digests.update((name, found) for name, found in digests if found)
        there = [item for item in items if item["name"] in listed]
        self.progress.read(len(items) - len(there))
        return there

    def _listed_once(self) -> dict[str, Mark]:
        """All pipelines, as they were when they were first asked for."""
        with self._listing:
            if self._listed is None:
                self._listed = self._list()
            return self._listed

    # What is known of versions

    def _digest(self, item: Settings) -> str:
        """What stands for an item; '' for one that must be read.

        Such is one with what AWS does not tell, and one without a role, which alone names the account.
        """
        if not item["role_arn"] or self.secrets(item):
            return ""
        try:
            return digest(self._arn(item), item)
        except TypeError:  # keys of several types: botocore says it better
            return ""

    def _known(self, items: list[Settings]) -> tuple[dict[str, Resource], list[Settings], dict[str, Tags] | None]:
        """The pipelines that are known to be as their items say, for nobody has changed them since; and other items.

        With what the Tagging API says, if it was asked. What it does not confirm is among the others.
        """
        known = {item["name"] for item in items if self._is_known(item["name"])}
        if not known:
            return {}, items, None
        arns = {item["name"]: self._arn(item) for item in items if item["role_arn"]}
        tags = in_bulk(self, list(arns.values()))
        found, others = {}, []
        for item in items:
            name = item["name"]
            said = item["tags"]
            if name in known and (said is None or tags.get(arns[name]) == wanted_tags({}, said, True)):
                settings = {option: value for option, value in item.items() if value is not None and option != "tags"}
                found[name] = Resource(settings, {"arn": arns[name], "version": (self._listed or {})[name][0]})
            else:
                others.append(item)
        self.progress.read(len(found))
        return found, others, tags

    def _is_known(self, name: str) -> bool:
        mark = (self._listed or {}).get(name, (0, 0))
        return bool(self.known and all(mark) and self.known.holds(name, mark, self._digests.get(name, "")))

    def compared(self, steps: list[Step]) -> None:
        for step in steps:
            if step.action in ("unchanged", "updated") and not step.changed - {"tags"} and not step.error:
                self._learn(step.name, step.facts.get("version"))

    def _learn(self, name: str, version: int | None) -> None:
        """A pipeline that was there before is, at this version, as its item says."""
        if self.known and self._listed and name in self._listed and name in self._digests and version:
            self.known.learn(name, (version, self._listed[name][1]), self._digests[name])

    def _is_as_said(self, answer: dict[str, Any], after: Settings) -> bool:
        """Whether AWS has kept what it was sent."""
        kept = self.normalise(self._settings(answer))
        sent = as_spelled(self, kept, after)
        return all(kept.get(option) == sent.get(option) for option in {*kept, *sent} - {"tags", "version"})

    def remember(self) -> None:
        """When all is done: notes what was made, of which only the list tells when.

        Something else may have been made in its place since. That is younger than the answer to who made it.
        """
        if not self.known or self._listed is None:
            return
        made = {name: version for name, version in self._made.items() if name in self._digests}
        self.known.there.update(self._listed, made)
        listed = self._list() if made else {}
        for name, (version, answered) in made.items():
            mark = listed.get(name, (0, 0))
            if mark[0] == version and 0 < mark[1] <= answered:
                self.known.learn(name, mark, self._digests[name])

    def _get(self, item: Settings) -> Resource | None:
        answer = read_or_none(self.client.get_pipeline, ("PipelineNotFoundException",), name=item["name"])
        if answer is None:
            return None
        settings = self._settings(answer["pipeline"])
        metadata = answer["metadata"]
        facts = {"arn": metadata["pipelineArn"], "version": settings.pop("version", None)}
        details = {moment: metadata[moment].isoformat() for moment in ("created", "updated") if moment in metadata}
        return Resource(settings, facts, details)

    def _settings(self, pipeline: dict[str, Any]) -> Settings:
        settings: Settings = from_response(input_shape(self.client, "CreatePipeline").members["pipeline"], pipeline)
        return settings

    def _tags(self, pipeline: Resource) -> dict[str, str]:
        tags = self.aws.pages("codepipeline", "list_tags_for_resource", "tags", resourceArn=pipeline.facts["arn"])
        return to_dict(tags, "key", "value")

    def _declaration(self, settings: Settings) -> dict[str, Any]:
        shape = input_shape(self.client, "CreatePipeline").members["pipeline"]
        declared = {name: value for name, value in settings.items() if name != "tags"}
        request: dict[str, Any] = to_request(shape, declared)
        return request

    def create(self, after: Settings) -> dict[str, Any]:
        arguments: dict[str, Any] = {"pipeline": self._declaration(after)}
        if after.get("tags"):
            arguments["tags"] = to_list(after["tags"], "key", "value")
        answered = self.client.create_pipeline(**arguments)
        answer = answered["pipeline"]
        # CreatePipeline answers no ARN, and the account's number stands only in the role's.
        if self.known and self._is_as_said(answer, after):
            self._made[after["name"]] = (answer.get("version", 0), _answered(answered))
        return {"arn": self._arn(after), "version": answer.get("version")}

    def _arn(self, settings: Settings) -> str:
        account = settings["role_arn"].split(":")[4]
        partition, region = self.client.meta.partition, self.client.meta.region_name
        return f"arn:{partition}:codepipeline:{region}:{account}:{settings['name']}"

    def update(self, before: Resource, after: Settings, changed: set[str]) -> dict[str, Any]:
        facts = {}
        if changed - {"tags"}:
            answer = self.client.update_pipeline(pipeline=self._declaration(after))["pipeline"]
            facts["version"] = answer["version"]
            if self.known and self._is_as_said(answer, after):
                self._learn(after["name"], facts["version"])
        if "tags" in changed:
            put, remove = tag_changes(before.settings["tags"], after["tags"])
            if remove:
                self.client.untag_resource(resourceArn=before.facts["arn"], tagKeys=remove)
            if put:
                self.client.tag_resource(resourceArn=before.facts["arn"], tags=to_list(put, "key", "value"))
        return facts

    def delete(self, before: Resource, item: Settings) -> None:
        self.client.delete_pipeline(name=item["name"])

    def not_yet(self, error: BaseException) -> bool:
        return error_code(error) == "InvalidStructureException" and "AssumeRole" in str(error)

    def public(self, settings: Settings) -> Settings:
        stages = copy.deepcopy(settings.get("stages", []))
        for secret in _pipeline_parts.secrets(stages):
            secret.hide()
        return {**settings, "stages": stages} if stages != settings.get("stages", []) else settings


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _answered(answer: dict[str, Any]) -> int:
    """When AWS answered by its own clock: milliseconds since 1970, to the end of that second; 0 where it says not."""
    date = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    return _milliseconds(parsedate_to_datetime(date)) + 999 if date else 0


def _comes_by_itself(trigger: Settings, pipeline: Settings) -> bool:
    """Whether AWS shows a trigger for a source action that detects changes and has no other: pushes to its branch."""
    git = trigger["git_configuration"]
    for action in pipeline.get("stages", [{"actions": []}])[0]["actions"]:
        configuration = action.get("configuration", {})
        if action["name"] == git["source_action_name"] and configuration.get("DetectChanges", "true") != "false":
            own = {"push": [{"branches": {"includes": [configuration.get("BranchName")]}}]}
            return {name: value for name, value in git.items() if name != "source_action_name"} in ({}, own)
    return False


def _configuration_as_texts(owner: Settings) -> None:
    """The configuration of an action or a rule is a map of texts."""
    if "configuration" in owner:
        owner["configuration"] = {name: as_text(value) for name, value in owner["configuration"].items()}
