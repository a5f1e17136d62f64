# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""CodeBuild build projects."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Iterable

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    ClientError = Exception

from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies

from ansible_collections.gitops.aws.plugins.module_utils._aws import (
    Aws,
    Refused,
    error_code,
    explain,
    read_or_none,
    until_propagated,
)
from ansible_collections.gitops.aws.plugins.module_utils._engine import (
    Kind,
    Resource,
    Settings,
    Step,
    chunks,
    without_empty,
)
from ansible_collections.gitops.aws.plugins.module_utils._kinds import _project_rules, _webhook
from ansible_collections.gitops.aws.plugins.module_utils._same import same_sets
from ansible_collections.gitops.aws.plugins.module_utils._secrets import HIDDEN, hides, secret_values
from ansible_collections.gitops.aws.plugins.module_utils._shapes import from_response, input_shape, to_request
from ansible_collections.gitops.aws.plugins.module_utils._tags import to_dict, to_list

SOURCE: dict[str, Any] = {
    "type": {
        "type": "str",
        "required": True,
        "choices": [
            "BITBUCKET",
            "CODECOMMIT",
            "CODEPIPELINE",
            "GITHUB",
            "GITHUB_ENTERPRISE",
            "GITLAB",
            "GITLAB_SELF_MANAGED",
            "NO_SOURCE",
            "S3",
        ],
    },
    "location": {"type": "str"},
    "git_clone_depth": {"type": "int"},
    "git_submodules_config": {
        "type": "dict",
        "options": {"fetch_submodules": {"type": "bool", "required": True}},
    },
    "buildspec": {"type": "str"},
    "auth": {
        "type": "dict",
        "options": {
            # Not required, here and below, where an empty dictionary removes the setting.
            "type": {"type": "str", "choices": ["OAUTH", "CODECONNECTIONS", "SECRETS_MANAGER"]},
            "resource": {"type": "str"},
        },
    },
    "report_build_status": {"type": "bool"},
    "build_status_config": {
        "type": "dict",
        "options": {"context": {"type": "str"}, "target_url": {"type": "str"}},
    },
    "insecure_ssl": {"type": "bool"},
    "source_identifier": {"type": "str"},
}

ARTIFACTS: dict[str, Any] = {
    "type": {"type": "str", "required": True, "choices": ["CODEPIPELINE", "S3", "NO_ARTIFACTS"]},
    "location": {"type": "str"},
    "path": {"type": "str"},
    "namespace_type": {"type": "str", "choices": ["NONE", "BUILD_ID"]},
    "name": {"type": "str"},
    "packaging": {"type": "str", "choices": ["NONE", "ZIP"]},
    "override_artifact_name": {"type": "bool"},
    "encryption_disabled": {"type": "bool"},
    "artifact_identifier": {"type": "str"},
    "bucket_owner_access": {"type": "str", "choices": ["NONE", "READ_ONLY", "FULL"]},
}

COMPUTE_TYPES = [
    "BUILD_GENERAL1_SMALL",
    "BUILD_GENERAL1_MEDIUM",
    "BUILD_GENERAL1_LARGE",
    "BUILD_GENERAL1_XLARGE",
    "BUILD_GENERAL1_2XLARGE",
    "BUILD_LAMBDA_1GB",
    "BUILD_LAMBDA_2GB",
    "BUILD_LAMBDA_4GB",
    "BUILD_LAMBDA_8GB",
    "BUILD_LAMBDA_10GB",
    "ATTRIBUTE_BASED_COMPUTE",
    "CUSTOM_INSTANCE_TYPE",
]

ENVIRONMENT: dict[str, Any] = {
    "type": {
        "type": "str",
        "choices": [
            "ARM_CONTAINER",
            "ARM_EC2",
            "ARM_LAMBDA_CONTAINER",
            "LINUX_CONTAINER",
            "LINUX_EC2",
            "LINUX_GPU_CONTAINER",
            "LINUX_LAMBDA_CONTAINER",
            "MAC_ARM",
            "WINDOWS_CONTAINER",
            "WINDOWS_EC2",
            "WINDOWS_SERVER_2019_CONTAINER",
            "WINDOWS_SERVER_2022_CONTAINER",
        ],
    },
    "image": {"type": "str"},
    "compute_type": {"type": "str", "choices": COMPUTE_TYPES},
    "compute_configuration": {
        "type": "dict",
        "options": {
            "v_cpu": {"type": "int"},
            "memory": {"type": "int"},
            "disk": {"type": "int"},
            "machine_type": {"type": "str", "choices": ["GENERAL", "NVME"]},
            "instance_type": {"type": "str"},
        },
    },
    "fleet": {"type": "dict", "options": {"fleet_arn": {"type": "str"}}},
    "environment_variables": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "value": {"type": "str", "required": True},
            "type": {
                "type": "str",
                "choices": ["PLAINTEXT", "PARAMETER_STORE", "SECRETS_MANAGER"],
                "default": "PLAINTEXT",
            },
        },
    },
    "privileged_mode": {"type": "bool"},
    "certificate": {"type": "str"},
    "registry_credential": {
        "type": "dict",
        "options": {
            "credential": {"type": "str"},
            "credential_provider": {"type": "str", "choices": ["SECRETS_MANAGER"]},
        },
    },
    "image_pull_credentials_type": {"type": "str", "choices": ["CODEBUILD", "SERVICE_ROLE"]},
    "docker_server": {
        "type": "dict",
        "options": {
            "compute_type": {"type": "str", "choices": COMPUTE_TYPES},
            "security_group_ids": {"type": "list", "elements": "str"},
        },
    },
    "host_kernel": {"type": "str", "choices": ["LINUX_KERNEL_4", "LINUX_KERNEL_6", "LINUX_KERNEL_LATEST"]},
}

LOGS: dict[str, Any] = {
    "cloud_watch_logs": {
        "type": "dict",
        "options": {
            "status": {"type": "str", "required": True, "choices": ["ENABLED", "DISABLED"]},
            "group_name": {"type": "str"},
            "stream_name": {"type": "str"},
        },
    },
    "s3_logs": {
        "type": "dict",
        "options": {
            "status": {"type": "str", "required": True, "choices": ["ENABLED", "DISABLED"]},
            "location": {"type": "str"},
            "encryption_disabled": {"type": "bool"},
            "bucket_owner_access": {"type": "str", "choices": ["NONE", "READ_ONLY", "FULL"]},
        },
    },
}

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "description": {"type": "str"},
    "source": {"type": "dict", "options": SOURCE},
    "secondary_sources": {"type": "list", "elements": "dict", "options": SOURCE},
    "source_version": {"type": "str"},
    "secondary_source_versions": {
        "type": "list",
        "elements": "dict",
        "options": {
            "source_identifier": {"type": "str", "required": True},
            "source_version": {"type": "str", "required": True},
        },
    },
    "artifacts": {"type": "dict", "options": ARTIFACTS},
    "secondary_artifacts": {"type": "list", "elements": "dict", "options": ARTIFACTS},
    "cache": {
        "type": "dict",
        "options": {
            "type": {"type": "str", "required": True, "choices": ["NO_CACHE", "S3", "LOCAL"]},
            "location": {"type": "str"},
            "modes": {
                "type": "list",
                "elements": "str",
                "choices": ["LOCAL_DOCKER_LAYER_CACHE", "LOCAL_SOURCE_CACHE", "LOCAL_CUSTOM_CACHE"],
            },
            "cache_namespace": {"type": "str"},
        },
    },
    "environment": {"type": "dict", "options": ENVIRONMENT},
    "service_role": {"type": "str"},
    "timeout_in_minutes": {"type": "int"},
    "queued_timeout_in_minutes": {"type": "int"},
    "encryption_key": {"type": "str", "no_log": False},
    "vpc_config": {
        "type": "dict",
        "options": {
            "vpc_id": {"type": "str"},
            "subnets": {"type": "list", "elements": "str"},
            "security_group_ids": {"type": "list", "elements": "str"},
        },
    },
    "badge_enabled": {"type": "bool"},
    "logs_config": {"type": "dict", "options": LOGS},
    "file_system_locations": {
        "type": "list",
        "elements": "dict",
        "options": {
            "type": {"type": "str", "choices": ["EFS"], "default": "EFS"},
            "location": {"type": "str"},
            "mount_point": {"type": "str"},
            "identifier": {"type": "str"},
            "mount_options": {"type": "str"},
        },
    },
    "build_batch_config": {
        "type": "dict",
        "options": {
            "service_role": {"type": "str"},
            "combine_artifacts": {"type": "bool"},
            "restrictions": {
                "type": "dict",
                "options": {
                    "maximum_builds_allowed": {"type": "int"},
                    "compute_types_allowed": {"type": "list", "elements": "str"},
                    "fleets_allowed": {"type": "list", "elements": "str"},
                },
            },
            "timeout_in_mins": {"type": "int"},
            "batch_report_mode": {
                "type": "str",
                "choices": ["REPORT_INDIVIDUAL_BUILDS", "REPORT_AGGREGATED_BATCH"],
            },
        },
    },
    "concurrent_build_limit": {"type": "int"},
    "auto_retry_limit": {"type": "int"},
    "project_visibility": {"type": "str", "choices": ["PUBLIC_READ", "PRIVATE"]},
    "resource_access_role": {"type": "str"},
    "resource_policy": {"type": "dict"},
    "webhook": {"type": "dict", "options": _webhook.WEBHOOK},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}

# What has calls of its own; all else goes through CreateProject and UpdateProject.
VISIBILITY = {"project_visibility", "resource_access_role"}
APART = {"webhook", "resource_policy", *VISIBILITY}

# What AWS uses where nothing is set, in the canonical form: such a value is the same as none.
DEFAULTS: Settings = {
    "cache": {"type": "NO_CACHE"},
    "logs_config": {
        "cloud_watch_logs": {"status": "ENABLED"},
        "s3_logs": {"status": "DISABLED", "encryption_disabled": False},
    },
    "timeout_in_minutes": 60,
    "queued_timeout_in_minutes": 480,
    "badge_enabled": False,
    "concurrent_build_limit": -1,
    "auto_retry_limit": 0,
    "encryption_key": "alias/aws/s3",
    "project_visibility": "PRIVATE",
    "resource_policy": {},
}

# The same inside a source and inside artifacts.
SOURCE_DEFAULTS: Settings = {
    "git_clone_depth": 0,
    "insecure_ssl": False,
    "report_build_status": False,
}
ARTIFACTS_DEFAULTS: Settings = {
    "encryption_disabled": False,
    "namespace_type": "NONE",
    "override_artifact_name": False,
    "packaging": "NONE",
}

# The members that each type has; AWS has no use for the others, which may be left over from another type.
SOURCE_MEMBERS = {
    # A pipeline may leave the cloning to the build.
    "CODEPIPELINE": ("type", "buildspec", "source_identifier", "git_clone_depth", "git_submodules_config"),
    "NO_SOURCE": ("type", "buildspec", "source_identifier"),
    "S3": ("type", "location", "buildspec", "source_identifier"),
}
ARTIFACTS_MEMBERS = {
    "CODEPIPELINE": ("type", "artifact_identifier"),
    "NO_ARTIFACTS": ("type", "artifact_identifier"),
}

# The members that each type of cache has; AWS has no use for the others.
CACHE_MEMBERS = {"S3": ("type", "location", "cache_namespace"), "LOCAL": ("type", "modes"), "NO_CACHE": ("type",)}

# How UpdateProject is told to remove a setting, where that is not an empty string, list or structure.
EMPTY: Settings = {
    **DEFAULTS,
    "description": "",
    "source_version": "",
    "secondary_sources": [],
    "secondary_source_versions": [],
    "secondary_artifacts": [],
    "file_system_locations": [],
    "vpc_config": {},
    "build_batch_config": {},
}


def same_key(before: str, after: str) -> bool:
    """Whether two names of a KMS key are the same: AWS answers an alias as the alias's ARN."""
    return before == after or (after.startswith("alias/") and before.endswith(f":{after}"))


def same_sources(before: Any, after: Any) -> bool:
    """Whether sources are the same: not to fetch submodules is AWS's default, but AWS shows whether it was said."""
    return same_sets(_without_submodules_off(before), _without_submodules_off(after))


def _without_submodules_off(sources: Any) -> Any:
    """A source, or several, without a git_submodules_config that says what is so anyway."""
    if isinstance(sources, list):
        return [_without_submodules_off(source) for source in sources]
    off = {"fetch_submodules": False}
    return {name: value for name, value in sources.items() if name != "git_submodules_config" or value != off}


BATCHES = 3  # calls at once: the answer for 100 projects has their buildspecs, 3 MB for those of this collection


class CodebuildProject(Kind):
    noun = "build project"
    service = "codebuild"
    required = ("source", "artifacts", "environment", "service_role")
    equal = {
        "environment": same_sets,
        "cache": same_sets,
        "vpc_config": same_sets,
        "secondary_source_versions": same_sets,
        "secondary_artifacts": same_sets,
        "file_system_locations": same_sets,
        "build_batch_config": same_sets,
        "source": same_sources,
        "secondary_sources": same_sources,
        "webhook": _webhook.same,
        "encryption_key": same_key,
        "resource_policy": lambda before, after: not compare_policies(before, after),
    }

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        self.secret_files: dict[str, str | None] = {}  # by project; where a new webhook's secret goes
        self._texts: dict[str, str] = {}  # buildspecs that were read, each by itself

    def problems(self, item: Settings) -> list[str]:
        return _project_rules.input_problems(item)

    def conflicts(self, step: Step) -> list[str]:
        after, before = step.after or {}, step.before.settings if step.before else {}
        return [
            *_project_rules.conflicts(after),
            *_webhook.conflict(before.get("webhook"), after.get("webhook"), self.secret_files.get(step.name)),
        ]

    def warnings(self, item: Settings) -> list[str]:
        return _project_rules.warnings(item)

    def secrets(self, item: Settings) -> list[str]:
        return secret_values(item["environment"])

    def implied(self, item: Settings) -> Settings:
        return {**item, "webhook": _webhook.implied(item["webhook"])} if item["webhook"] else item

    def normalise(self, settings: Settings) -> Settings:
        result = without_empty(settings)
        # Maps of users' own: what is empty in them means something.
        result.update({name: settings[name] for name in ("tags", "resource_policy") if name in settings})
        _normalise_environment(result.get("environment", {}))
        if "webhook" in result:
            result["webhook"] = _webhook.normalise(result["webhook"])
        cache = result.get("cache", {})
        if cache:
            result["cache"] = {name: cache[name] for name in CACHE_MEMBERS[cache["type"]] if name in cache}
        for one, several, defaults in (
            ("source", "secondary_sources", SOURCE_DEFAULTS),
            ("artifacts", "secondary_artifacts", ARTIFACTS_DEFAULTS),
        ):
            if one in result:
                result[one] = _fold(result[one], defaults, settings["name"])
            if several in result:
                result[several] = [_fold(each, defaults, settings["name"]) for each in result[several]]
        if result.get("environment", {}).get("type") in _project_rules.LAMBDA_ENVIRONMENTS:
            # Lambda compute has no such settings: AWS refuses them, whatever it shows.
            for option in _project_rules.WITHOUT_LAMBDA:
                result.pop(option, None)
        if str(result.get("encryption_key", "")).endswith(":alias/aws/s3"):
            result["encryption_key"] = "alias/aws/s3"
        logs = result.get("logs_config", {})
        if logs:
            result["logs_config"] = {
                place: {**default, **logs.get(place, {})} for place, default in DEFAULTS["logs_config"].items()
            }
        return {name: value for name, value in result.items() if DEFAULTS.get(name) != value}

    def names(self) -> list[str]:
        return self.aws.pages("codebuild", "list_projects", "projects")

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        self.secret_files.update({item["name"]: (item["webhook"] or {}).get("secret_file") for item in items})
        # BatchGetProjects takes 100 names, and says which it does not find.
        batches = self.aws.map(self._batch, chunks([item["name"] for item in items], 100), BATCHES)
        found = {name: project for batch in batches for name, project in batch.items()}
        named = [item["name"] for item in items if item["resource_policy"] is not None]
        self.add_policies([found[name] for name in named if name in found])
        return found

    def _batch(self, names: list[str]) -> dict[str, Resource]:
        answer = self.client.batch_get_projects(names=names)
        self.progress.read(len(names))
        for project in answer["projects"]:
            # Thousands of projects have the same few buildspecs: one of each is enough to hold.
            text = project["source"].get("buildspec", "")
            project["source"].update({"buildspec": self._texts.setdefault(text, text)} if text else {})
        return {project["name"]: self._from_api(project) for project in answer["projects"]}

    def add_policies(self, found: Iterable[Resource]) -> None:
        """Adds to projects' settings their resource policies, {} where there is none; a call for each."""

        def add(project: Resource) -> None:
            with self.failing_alone(project.settings["name"]):
                project.settings["resource_policy"] = self._policy(project.facts["arn"])

        self.aws.map(add, found)

    def _policy(self, arn: str) -> dict[str, Any]:
        answer = read_or_none(self.client.get_resource_policy, ("ResourceNotFoundException",), resourceArn=arn)
        policy: dict[str, Any] = json.loads(answer["policy"]) if answer else {}
        return policy

    def _from_api(self, project: dict[str, Any]) -> Resource:
        settings = from_response(input_shape(self.client, "CreateProject"), project)
        settings["tags"] = to_dict(project.get("tags", []), "key", "value")
        settings["badge_enabled"] = project.get("badge", {}).get("badgeEnabled", False)
        settings["project_visibility"] = project.get("projectVisibility", "PRIVATE")
        settings["resource_access_role"] = project.get("resourceAccessRole", "")
        if "webhook" in project:
            settings["webhook"] = _webhook.from_api(self.client, project["webhook"])
        details = {
            "badge_url": project.get("badge", {}).get("badgeRequestUrl"),
            "created": _iso(project.get("created")),
            "last_modified": _iso(project.get("lastModified")),
            "public_project_alias": project.get("publicProjectAlias"),
            "webhook_url": project.get("webhook", {}).get("url"),
        }
        return Resource(settings, _facts(project), {name: value for name, value in details.items() if value})

    def _request(self, settings: Settings) -> dict[str, Any]:
        settings = {option: value for option, value in settings.items() if option not in APART}
        if "tags" in settings:
            settings["tags"] = to_list(settings["tags"], "key", "value")
        request: dict[str, Any] = to_request(input_shape(self.client, "CreateProject"), settings)
        return request

    def create(self, after: Settings) -> dict[str, Any]:
        facts = _facts(self.client.create_project(**self._request(after))["project"])
        apart = APART.intersection(after)
        try:
            # The project is there now: only what is left is repeated while a role is too new.
            more = until_propagated(lambda: self._write_apart(facts["arn"], {}, after, apart), self.not_yet)
        except ClientError as error:
            raise Refused(explain(error, "it was created, but then")) from error
        return {**facts, **more}

    def update(self, before: Resource, after: Settings, changed: set[str]) -> dict[str, Any]:
        if changed - APART:
            if after.get("environment", {}).get("type") in _project_rules.LAMBDA_ENVIRONMENTS:
                changed = changed - set(_project_rules.WITHOUT_LAMBDA)
            # The tags always: AWS does not say that it keeps those that an update leaves out.
            members = {option: after.get(option, EMPTY.get(option)) for option in changed | {"tags"}}
            self.client.update_project(**self._request({"name": after["name"], **members}))
        return self._write_apart(before.facts["arn"], before.settings, after, changed & APART)

    def _write_apart(self, arn: str, before: Settings, after: Settings, changed: set[str]) -> dict[str, Any]:
        """Writes what has calls of its own; returns the facts that become known by it."""
        name = after["name"]
        facts = {}
        if changed & VISIBILITY:
            members = {option: after.get(option, DEFAULTS.get(option)) for option in VISIBILITY}
            request = to_request(input_shape(self.client, "UpdateProjectVisibility"), {"project_arn": arn, **members})
            self.client.update_project_visibility(**request)
        if "webhook" in changed:
            facts["webhook_payload_url"] = _webhook.save(
                self.client, name, before.get("webhook"), after.get("webhook"), self.secret_files.get(name)
            )
        if "resource_policy" in changed and after.get("resource_policy"):
            self.client.put_resource_policy(resourceArn=arn, policy=json.dumps(after["resource_policy"]))
        elif "resource_policy" in changed:
            self.client.delete_resource_policy(resourceArn=arn)
        return facts

    def delete(self, before: Resource, item: Settings) -> None:
        self.client.delete_project(name=item["name"])

    def not_yet(self, error: BaseException) -> bool:
        # Of a role that is too new: it cannot be assumed, or what it may do in a VPC has not spread.
        return error_code(error) == "InvalidInputException" and "ot authorized to perform" in str(error)

    def public(self, settings: Settings) -> Settings:
        environment = settings.get("environment", {})
        variables = [
            {**variable, "value": HIDDEN} if hides(variable) else variable
            for variable in environment.get("environment_variables", [])
        ]
        if variables == environment.get("environment_variables", []):
            return settings
        return {**settings, "environment": {**environment, "environment_variables": variables}}


def _facts(project: dict[str, Any]) -> dict[str, Any]:
    """What AWS decides about a project; of its webhook where the Git host must send events."""
    facts = {"arn": project["arn"]}
    if project.get("webhook", {}).get("payloadUrl"):
        facts["webhook_payload_url"] = project["webhook"]["payloadUrl"]
    return facts


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _normalise_environment(environment: Settings) -> None:
    variables = environment.get("environment_variables")
    if variables:
        environment["environment_variables"] = [{"type": "PLAINTEXT", "value": "", **each} for each in variables]
    if "registry_credential" in environment:
        environment["registry_credential"].setdefault("credential_provider", "SECRETS_MANAGER")
    environment.get("docker_server", {}).pop("status", None)  # in AWS's answers only


def _fold(value: Settings, defaults: Settings, project: str) -> Settings:
    """A source or artifacts without the members that AWS would fill in; artifacts get their project's name from it."""
    members = (ARTIFACTS_MEMBERS if defaults is ARTIFACTS_DEFAULTS else SOURCE_MEMBERS).get(value["type"], value)
    folded = {n: each for n, each in value.items() if n in members and (n not in defaults or each != defaults[n])}
    if defaults is ARTIFACTS_DEFAULTS and value["type"] == "S3":
        folded.setdefault("name", project)
    return folded
