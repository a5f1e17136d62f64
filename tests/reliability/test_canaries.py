# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value of its own for each secret that this collection is given: it is where it must be, and nowhere else.

One estate is made, run, broken and looked at, as loudly as Ansible can. Then everything that is left of it is searched.
"""

from __future__ import annotations

import base64
import html
import importlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from ansible.module_utils import basic
from local_estate import ACCOUNT, REGION, ROOT, LocalAws, Person, execution_of_push

from tests.e2e.conftest import parameter_policy
from tests.e2e.estate import REPOSITORY, Estate, Run, emergency_role, in_role, new_estate, new_person
from tests.e2e.runs.conftest import ROOTS
from tests.receivers import Receiver, certificate, receiver
from tests.reliability.figures import count
from tests.reliability.searching import arguments, canary, files, holding, left_open, told, watched

# Each secret input, and the canary that is given for it. `*` is any module.
CANARIES = {
    "*.secret_key": "key of the caller",
    "*.session_token": "token of the caller",
    "estate.notification_secrets": "token of slack",
    "roles.notifications.notifications_secrets": "token of slack",
    "roles.ssm.ssm_parameters": "parameter",
    "roles.ssm.ssm_stacks": "key of terraform",
    "ssm_parameters.parameters.value": "parameter of a module",
    "eventbridge_connections.connections.api_key.value": "api key",
    "eventbridge_connections.connections.basic.password": "password",
    "eventbridge_connections.connections.oauth.client_secret": "client secret",
    **{
        f"eventbridge_connections.connections.{where}.{place}.value": f"{where} {place}"
        for where in ("invocation_http_parameters", "oauth.http_parameters")
        for place in ("header_parameters", "query_string_parameters", "body_parameters")
    },
    "codebuild_projects.projects.environment.environment_variables.value": "variable of a project",
    "codebuild_build.overrides.environment_variables.value": "variable of a build",
    "codepipelines.pipelines.stages.actions.environment_variables.value": "variable of commands",
    "codepipelines.pipelines.stages.actions.configuration": "variable of an action",
}
# What is called a secret, or almost, and is none.
NO_SECRETS = {
    "chooses what is done with a secret": [
        "eventbridge_connections.update_secrets",
        "roles.notifications.notifications_update_secrets",
        "codebuild_projects.projects.environment.registry_credential.credential_provider",
        "codebuild_build.overrides.registry_credential.credential_provider",
        *(
            f"eventbridge_connections.connections.{where}.{place}.is_value_secret"
            for where in ("invocation_http_parameters", "oauth.http_parameters")
            for place in ("header_parameters", "query_string_parameters", "body_parameters")
        ),
    ],
    "says where a secret is": [
        "codebuild_build.overrides.registry_credential.credential",
        "codebuild_build.overrides.secondary_sources.auth.resource",
        "codebuild_build.overrides.source_auth.resource",
        "codebuild_projects.projects.environment.registry_credential.credential",
        "codebuild_projects.projects.secondary_sources.auth.resource",
        "codebuild_projects.projects.source.auth.resource",
        "eventbridge_api_destinations.api_destinations.connection",
        "eventbridge_rules.rules.targets.http_parameters",
        "resources.steps.module",
        "roles.notifications.notifications_foundation",
    ],
    "holds the options with the secrets": [
        "codebuild_build.overrides.environment_variables",
        "codebuild_projects.projects.environment.environment_variables",
        "eventbridge_connections.connections",
        "eventbridge_connections.connections.api_key",
        "eventbridge_connections.connections.basic",
        "eventbridge_connections.connections.oauth",
    ],
    # test_codebuild_projects.py: test_secret_of_a_webhook_made_by_hand_goes_into_its_file_only
    "says where AWS's secret is written to": [
        "codebuild_projects.projects.webhook.manual_creation",
        "codebuild_projects.projects.webhook.secret_file",
    ],
    "holds none: what is with secrets, or in its place, is left out": [
        "resources.known_pipelines",
        "terraform_import_blocks.generate",
    ],
    "is refused": ["sns_topics.topics.subscriptions.endpoint"],
}
SECRET = re.compile(r"\bsecrets?\b|\bpasswords?\b|Vault\b|\bkey pair\b|IAM console downloads", re.IGNORECASE)

Spec = dict[str, Any]


@dataclass
class Scene:
    """What was done, and what each canary is. `places` is all that is left, by where it was found."""

    estate: Estate
    directory: Path
    canaries: dict[str, str]
    places: dict[str, str] = field(default_factory=dict)

    def canary(self, name: str) -> str:
        """A new secret."""
        return self.canaries.setdefault(name, canary())

    def ran(self, name: str, run: Run, *, failed: bool = False) -> None:
        """Notes a run that ended as it should."""
        assert run.failed == failed, run.output
        self.places[f"run {name}"] = run.output

    def playbook(self, label: str, name: str, person: Person | None, *given: str, failed: bool = False) -> None:
        """Runs a playbook with the file of secrets."""
        of_secrets = ("-e", f"@{self.directory / 'secrets.yml'}")
        self.ran(label, self.estate.playbook(name, person, *of_secrets, *given), failed=failed)


def test_all_secret_inputs_have_a_canary() -> None:
    excused = {path for paths in NO_SECRETS.values() for path in paths}
    inputs = dict(_inputs())
    missing = {
        path
        for path, secret in inputs.items()
        if secret and path not in excused and not {path, f"*.{path.partition('.')[2]}"} & CANARIES.keys()
    }

    assert missing == set(), "each needs a canary, or a reason for none"
    # Nothing stays here that is there no more.
    assert [path for path in [*excused, *CANARIES] if path not in inputs and not path.startswith("*")] == []
    assert {"caller_info.secret_key", "ssm_parameters.parameters.value"} <= {path for path in inputs if inputs[path]}


def _inputs() -> Iterator[tuple[str, bool]]:
    """Every option of every module and role by its path, and whether it is hidden or described as secret."""
    for file in sorted((ROOT / "plugins" / "modules").glob("[a-z]*.py")):
        module = importlib.import_module(f"ansible_collections.gitops.aws.plugins.modules.{file.stem}")
        documented = dict(_documented(yaml.safe_load(module.DOCUMENTATION).get("options") or {}, file.stem))
        for path, option in _options(_argument_spec(module), file.stem):
            yield path, bool(option.get("no_log")) or bool(SECRET.search(documented.get(path, "")))
    for file in sorted((ROOT / "roles").glob("*/meta/argument_specs.yml")):
        role = f"roles.{file.parts[-3]}"
        options = yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"]["main"]["options"]
        documented = dict(_documented(options, role))
        for path, option in _options(options, role):
            yield path, bool(option.get("no_log")) or bool(SECRET.search(documented[path]))


def _argument_spec(module: Any) -> Spec:
    """What a module tells Ansible, with what amazon.aws adds."""

    class Told(BaseException):
        pass

    def tell(_self: Any, argument_spec: Spec, **_more: Any) -> None:
        raise Told(argument_spec)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(basic.AnsibleModule, "__init__", tell)
        with pytest.raises(Told) as raised:
            module.main()
    spec: Spec = raised.value.args[0]
    return spec


def _options(spec: Spec, path: str) -> Iterator[tuple[str, Spec]]:
    for name, option in spec.items():
        yield f"{path}.{name}", option
        yield from _options(option.get("options") or {}, f"{path}.{name}")


def _documented(options: Spec, path: str) -> Iterator[tuple[str, str]]:
    for name, option in options.items():
        text = option.get("description", "")
        yield f"{path}.{name}", text if isinstance(text, str) else " ".join(text)
        yield from _documented(option.get("suboptions") or option.get("options") or {}, f"{path}.{name}")


SENSITIVE = """
terraform {
  backend "s3" {}
}

variable "canary" {
  type      = string
  default   = %s
  sensitive = true
}

resource "terraform_data" "this" {
  input = var.canary

  lifecycle {
    precondition {
      condition     = length(var.canary) == 1
      error_message = "It is ${var.canary}."
    }
  }
}

output "file" {
  value     = file(var.canary)
  sensitive = true
}

output "number" {
  value     = tonumber(var.canary)
  sensitive = true
}
"""
SLACK, TEAMS, HOOK, TOKENS = "/api/chat.postMessage", "/workflows/1", "/hook", "/token"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory, soak: bool) -> Scene:
    """Everything has happened."""
    directory = tmp_path_factory.mktemp("canaries")
    home, temporary = directory / "home", directory / "tmp"
    pem = certificate(directory)
    aws = LocalAws(directory / "local-aws")
    with (
        receiver(pem) as receives,
        watched(directory / "open.log", home, temporary) as hook,
        pytest.MonkeyPatch.context() as patch,
    ):
        # What Ansible writes where it is told to, with the modes that it likes.
        loud = {
            "ANSIBLE_CACHE_PLUGIN": "jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(directory / "kept" / "facts"),
        }
        loud |= {"ANSIBLE_RETRY_FILES_ENABLED": "true", "ANSIBLE_RETRY_FILES_SAVE_PATH": str(directory / "kept")}
        places = {"HOME": str(home), "TMPDIR": str(temporary), "ANSIBLE_LOG_PATH": str(directory / "kept.log")}
        for name, value in {**hook, **loud, **places, "SSL_CERT_FILE": str(pem)}.items():
            patch.setenv(name, value)
        patch.setenv("LOCAL_AWS_MINUTE_SECONDS", "4")
        with aws.running(), arguments() as seen:
            scene = played(aws, directory, receives, soak)
            scene.places.update(told(scene.estate))
            scene.places |= {f"arguments {number}": line for number, line in enumerate(sorted(seen))}
    for number, request in enumerate(receives.requests):
        scene.places[f"delivered {number} {request.path}"] = request.body.decode()
    scene.places |= files(home, temporary, directory / "local-aws", directory / "report", directory / "kept")
    scene.places["log of Ansible"] = (directory / "kept.log").read_text(encoding="utf-8")
    return scene


def played(aws: LocalAws, directory: Path, receives: Receiver, soak: bool) -> Scene:
    """All that is done with the estate."""
    url = receives.url
    recipients = [
        {"name": "slack", "slack": {"channel": "#ops", "url": f"{url}{SLACK}"}},
        {"name": "teams", "teams": {"url": f"{url}{TEAMS}?api-version=2016-06-01"}},
        {"name": "hook", "webhook": {"url": f"{url}{HOOK}"}},
        {"sqs": f"arn:aws:sqs:{REGION}:{ACCOUNT}:listens"},
    ]
    csv = directory / "accessKeys.csv"
    common = {"repository": REPOSITORY, "approval": False}
    kept = {"credentials": "parameter_store", "access_keys_csv": str(csv), "variables": {"parameter": "/app/kept"}}
    stacks = [{**common, "name": "kept", "path": "kept", **kept}, {**common, "name": "broken", "path": "broken"}]
    estate, repository = new_estate(
        aws,
        directory,
        stacks,
        notifications={"recipients": recipients},
        drift={"schedule": ""},
        break_glass_role="role/emergency",
    )
    emergency_role(estate.administrator)
    estate.keeper = in_role(estate.administrator, f"arn:aws:iam::{ACCOUNT}:role/emergency")
    terraform = new_person(estate.administrator, "terraform", parameter_policy("/app/kept"))
    assert estate.installer
    scene = Scene(estate, directory, {"key of terraform": terraform.secret_access_key})
    scene.canaries["key of the installer"] = estate.installer.secret_access_key
    scene.canaries["key of the caller"] = estate.keeper.secret_access_key
    scene.canaries["token of the caller"] = estate.keeper.session_token
    csv.write_text(
        f"Access key ID,Secret access key\r\n{terraform.access_key_id},{terraform.secret_access_key}\r\n",
        encoding="utf-8",
    )
    _queue(estate)
    of_notices = {name: scene.canary(f"token of {name}") for name in ("slack", "teams", "hook")}
    parameters = [{"name": "/gitops/own", "value": scene.canary("parameter"), "type": "SecureString"}]

    def secret_files(of_notices: Any = of_notices, parameters: Any = parameters) -> None:
        (directory / "secrets.yml").write_text(
            yaml.safe_dump({"gitops_notification_secrets": of_notices, "gitops_parameters": parameters}),
            encoding="utf-8",
        )

    secret_files()
    scene.playbook("check", "site.yml", estate.installer, "-vvv", "--check", "--diff")
    scene.playbook("site", "site.yml", estate.installer, "-vvv", "--diff")
    aws.command("complete-connection", "github")
    pushed = push(scene, repository)
    # What follows, while the pipelines run.
    _denied(scene, soak=soak)
    secret_files({**of_notices, "nobody": scene.canary("of nobody"), "slack": [scene.canary("in a list")]})
    scene.playbook("wrong secrets", "site.yml", estate.installer, "-vvv", failed=True)
    wrong = [{"name": "/gitops/own", "valeu": scene.canary("misspelt"), "value": {"a": scene.canary("nested")}}]
    secret_files(parameters=[*parameters, *wrong])
    scene.playbook("wrong parameters", "site.yml", estate.installer, "-vvv", "--diff", failed=True)
    if soak:
        _more_wrong_inputs(scene, secret_files, of_notices, parameters)
    secret_files()
    modules(scene, receives.url)
    for stack, execution in pushed.items():
        ended = estate.wait(f"gitops-{stack}", execution)
        assert ended.status == ("Succeeded" if stack == "kept" else "Failed"), estate.story(ended)
    if soak:
        estate.kept("ssm").put_parameter(Name="/app/kept", Value=scene.canary("by hand"), Overwrite=True)
        drifted = estate.run("gitops-kept-drift")
        assert drifted.actions["Drift"].variables["DRIFT_COUNT"] == "1", estate.story(drifted)
        scene.playbook("run", "run.yml", estate.operator, "-vvv", "-e", "stack=broken", failed=True)
        scene.playbook("verify", "verify.yml", estate.administrator, "-vvv")
    scene.playbook("doctor", "doctor.yml", estate.administrator, "-vvv", "-e", "stack=broken", failed=True)
    scene.playbook("notices", "notify_test.yml", estate.installer, "-vvv")
    scene.playbook("report", "report.yml", estate.administrator, "-vvv", "-e", f"directory={directory / 'report'}")
    return scene


def _queue(estate: Estate) -> None:
    """What listens, and keeps all notices."""
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:listens"
    sender = {"Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **sender}]}
    estate.administrator.client("sqs").create_queue(QueueName="listens", Attributes={"Policy": json.dumps(policy)})


def push(scene: Scene, repository: Any) -> dict[str, str]:
    """Pushes the code of both stacks, of which one fails; the executions that this starts."""
    kept, broken = repository.clone / "kept", repository.clone / "broken"
    for folder in (kept, broken):
        folder.mkdir()
    text = (ROOTS / "secret" / "main.tf").read_text(encoding="utf-8")
    value = json.dumps(scene.canary("sensitive"))
    (kept / "main.tf").write_text(text.replace('"canary-5b1f0c6e"', value), encoding="utf-8")
    (kept / ".terraform.lock.hcl").write_bytes((ROOT / "tf" / ".terraform.lock.hcl").read_bytes())
    value = json.dumps(scene.canary("sensitive and wrong"))
    (broken / "main.tf").write_text(SENSITIVE % value, encoding="utf-8")
    commit = repository.push("Begin")
    assert scene.estate.operator
    return {name: execution_of_push(scene.estate.operator, f"gitops-{name}", commit) for name in ("kept", "broken")}


def _denied(scene: Scene, *, soak: bool) -> None:
    """Runs that break off in the call that has the secrets."""
    iam, installer = scene.estate.administrator.client("iam"), scene.estate.installer
    assert installer
    denied: list[tuple[str, tuple[str, ...]]] = [("events:UpdateConnection", ("-e", "update_secrets=true"))]
    if soak:
        denied.append(("ssm:PutParameter", ()))
    for action, given in denied:
        statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        if action.startswith("ssm"):
            file = scene.directory / "secrets.yml"
            changed = yaml.safe_load(file.read_text(encoding="utf-8"))
            changed["gitops_parameters"][0]["value"] = scene.canary("denied parameter")
            file.write_text(yaml.safe_dump(changed), encoding="utf-8")
        iam.put_user_policy(UserName=installer.name, PolicyName="denied", PolicyDocument=policy)
        scene.playbook(f"denied {action}", "site.yml", installer, "-vvv", "--diff", *given, failed=True)
        iam.delete_user_policy(UserName=installer.name, PolicyName="denied")


def _more_wrong_inputs(scene: Scene, secret_files: Any, of_notices: Spec, parameters: list[Spec]) -> None:
    """Secrets in the wrong places and of wrong types, at each level of detail."""
    unlike = [
        [scene.canary("secrets as a list")],
        scene.canary("secrets as a text"),
        {"slack": {"a": scene.canary("deep")}},
    ]
    unlike.append({**of_notices, "teams": f"{scene.canary('of two lines')}\nmore"})
    for number, given in enumerate(unlike):
        secret_files(given)
        scene.playbook(f"unlike {number}", "site.yml", scene.estate.installer, f"-{'v' * (number + 1)}", failed=True)
    wrong: list[Any] = [
        scene.canary("parameters as a text"),
        {"name": "/gitops/own", "value": scene.canary("no list")},
        [*parameters, {"name": "aws/wrong", "value": scene.canary("of a wrong name")}],
        [*parameters, {"name": "/gitops/own", "value": scene.canary("twice"), "type": "Secret"}],
    ]
    for number, given in enumerate(wrong):
        secret_files(parameters=given)
        scene.playbook(f"wrong {number}", "site.yml", scene.estate.installer, "-vvvv", "--diff", failed=True)
    csv = scene.directory / "accessKeys.csv"
    right = csv.read_bytes()
    secret_files()
    for number, content in enumerate(
        (f"Secret,{scene.canary('csv')}\n", f"Access key ID,Secret access key\n{scene.canary('row')}")
    ):
        csv.write_bytes(content.encode())
        scene.playbook(f"csv {number}", "site.yml", scene.estate.installer, "-vvv", failed=True)
    csv.write_bytes(b"Access key ID,Secret access key\n\xff," + scene.canary("no text").encode())
    scene.playbook("csv as no text", "site.yml", scene.estate.installer, "-vvv", failed=True)
    csv.write_bytes(right)


def modules(scene: Scene, url: str) -> None:
    """Modules with the secrets that the roles do not give: made, made again, and refused."""
    keeper = scene.estate.keeper
    assert keeper
    options = {
        "region": REGION,
        "access_key": keeper.access_key_id,
        "secret_key": keeper.secret_access_key,
        "session_token": keeper.session_token,
    }

    def places(where: str) -> dict[str, list[Spec]]:
        kinds = ("header_parameters", "query_string_parameters", "body_parameters")
        return {place: [{"key": "secret", "value": scene.canary(f"{where} {place}")}] for place in kinds}

    oauth = {
        "client_id": "us",
        "client_secret": scene.canary("client secret"),
        "authorization_endpoint": f"{url}{TOKENS}",
        "http_method": "POST",
        "http_parameters": places("oauth.http_parameters"),
    }
    connections: list[Spec] = [
        {
            "name": "with-key",
            "api_key": {"name": "X-Key", "value": scene.canary("api key")},
            "invocation_http_parameters": places("invocation_http_parameters"),
        },
        {"name": "with-password", "basic": {"username": "us", "password": scene.canary("password")}},
        {"name": "with-tokens", "oauth": oauth},
    ]
    parameter = {"name": "/modules/own", "value": scene.canary("parameter of a module"), "type": "SecureString"}

    def variables(canary: str) -> list[Spec]:
        return [{"name": "DB_PASSWORD", "value": scene.canary(canary)}]

    project = {
        "name": "own",
        "source": {"type": "NO_SOURCE", "buildspec": "version: 0.2"},
        "artifacts": {"type": "NO_ARTIFACTS"},
        "environment": {
            "type": "LINUX_CONTAINER",
            "compute_type": "BUILD_GENERAL1_SMALL",
            "image": "own:1",
            "environment_variables": variables("variable of a project"),
        },
        "service_role": f"arn:aws:iam::{ACCOUNT}:role/emergency",
    }
    build = {
        "name": "Build",
        "action_type_id": {"category": "Build", "provider": "CodeBuild"},
        "configuration": {"ProjectName": "own", "EnvironmentVariables": variables("variable of an action")},
        "input_artifacts": [{"name": "source"}],
    }
    commands = {
        "name": "Commands",
        "action_type_id": {"category": "Compute", "provider": "Commands"},
        "commands": ["true"],
        "environment_variables": variables("variable of commands"),
        "input_artifacts": [{"name": "source"}],
    }
    source = {
        "name": "Source",
        "action_type_id": {"category": "Source", "provider": "S3"},
        "configuration": {"S3Bucket": "code", "S3ObjectKey": "code.zip"},
        "output_artifacts": [{"name": "source"}],
    }
    pipeline = {
        "name": "own",
        "role_arn": f"arn:aws:iam::{ACCOUNT}:role/emergency",
        "artifact_store": {"location": scene.estate.foundation["artifact_bucket"]},
        "stages": [{"name": "Source", "actions": [source]}, {"name": "Build", "actions": [build, commands]}],
    }
    refused: list[Spec] = [{**connections[0], "name": "no name"}, {**connections[1], "name": "misspelt"}]
    refused[1]["basic"] = {"usernam": "us", "password": scene.canary("of a refused connection")}
    with_colon = {"name": "with-colon", "api_key": {"name": "X", "value": f"{scene.canary('with a colon')}:"}}
    calls: list[tuple[str, bool, Spec]] = [
        ("ssm_parameters", True, {"parameters": [parameter]}),
        ("ssm_parameters", False, {"parameters": [{**parameter, "type": "Secret"}]}),
        ("ssm_parameters", False, {"parameters": [{**parameter, "values": scene.canary("of no option")}]}),
        ("eventbridge_connections", True, {"connections": connections}),
        ("eventbridge_connections", True, {"connections": connections, "update_secrets": True}),
        *(("eventbridge_connections", False, {"connections": [one]}) for one in [*refused, with_colon]),
        ("codebuild_projects", False, {"projects": [{**project, "source": {"type": "S4"}}]}),
        (
            "codebuild_build",
            False,
            {"project": "none", "overrides": {"environment_variables": variables("variable of a build")}},
        ),
    ]
    # Whoever reads the project or the pipeline reads these, so that none is made.
    checked: list[tuple[str, Spec]] = [
        ("codebuild_projects", {"projects": [project]}),
        ("codepipelines", {"pipelines": [pipeline]}),
    ]
    tasks: list[Spec] = []
    for name, right, given in calls:
        tasks.append({"name": f"{name} {right}", f"gitops.aws.{name}": {**options, **given}, "register": "done"})
        tasks[-1]["failed_when"] = "done is failed" if right else "done is not failed"
    for name, given in checked:
        tasks.append({"name": name, f"gitops.aws.{name}": {**options, **given}, "check_mode": True})
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
    file = scene.directory / "modules.yml"
    file.write_text(yaml.safe_dump([play], sort_keys=False), encoding="utf-8")
    scene.playbook("modules", str(file), keeper, "-vvv", "--diff")


def allowed(place: str) -> bool:
    """Whether secrets may stand there."""
    return (
        # Encrypted with a key: parameters, the state and the plan, and what EventBridge keeps of connections.
        place.startswith(("decrypted SecureString ", "secret events!connection/"))
        or (place.startswith("s3://") and ("/terraform.tfstate " in place or "/plan/" in place))
    )


def test_secrets_are_where_they_must_be_and_nowhere_else(scene: Scene) -> None:
    assert {*CANARIES.values()} <= {*scene.canaries}
    found = holding(scene.places, scene.canaries)
    count("places searched for secrets", len(scene.places))

    assert {place: names for place, names in found.items() if not allowed(place)} == {}
    # The search finds them where they must be.
    there = {place.partition(" ")[0]: set[str]() for place in found}
    for place, names in found.items():
        there[place.partition(" ")[0]] |= names
    assert there["decrypted"] >= {"parameter", "parameter of a module", "key of terraform"}
    assert there["decrypted"] & {"sensitive", "by hand"}
    assert there["secret"] >= {"token of slack", "token of teams", "token of hook", "api key", "password"}
    states = [names for place, names in found.items() if "/terraform.tfstate " in place]
    plans = [names for place, names in found.items() if "/plan/" in place]
    assert {"sensitive"} in states
    assert {"sensitive"} in plans


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("run site", "SecureString"),
        ("run site", "EventBridge connection gitops-slack"),
        ("run denied events:UpdateConnection", "AccessDenied"),
        ("run wrong secrets", "gitops_notification_secrets.slack: must be a text of one line"),
        ("run wrong parameters", "valeu"),
        ("run modules", "with-tokens"),
        ("run doctor", "gitops-broken"),
        ("log /gitops/builds", "(sensitive value)"),
        ("log /gitops/builds", "Apply complete!"),
        ("log /gitops/builds", "Error:"),
        ("codebuild batch_get_projects ['gitops-kept-plan']", "/gitops/kept/AWS_SECRET_ACCESS_KEY"),
        ("codepipeline get_pipeline gitops-kept", "CODEBUILD_CLONE_REF"),
        ("cloudtrail lookup_events", "PutParameter"),
        ("messages", "Error:"),
        (f"delivered * {SLACK}", "Error:"),
        (f"delivered * {TEAMS}", "AdaptiveCard"),
        (f"delivered * {HOOK}", '"failed"'),
        ("/*/report/estate.json", "gitops-broken"),
        ("/*/report/estate.html", "gitops-broken"),
        ("/*/calls.jsonl", "events:CreateConnection"),
        ("log of Ansible", "gitops.aws.ssm"),
        ("arguments", "ansible-playbook site.yml"),
        ("arguments", "terraform apply"),
    ],
)
def test_search_has_looked_where_people_look(scene: Scene, place: str, text: str) -> None:
    pattern = re.compile(re.escape(place).replace(r"\*", ".*"))
    assert any(text in content for name, content in scene.places.items() if pattern.match(name))


def test_what_is_written_meanwhile_is_open_to_nobody(scene: Scene) -> None:
    """With a umask of 0, in a directory for temporary files that is everybody's."""
    ansibles = f"777 {scene.directory / 'home' / '.ansible'}"  # and what is in it is private
    assert left_open(scene.directory / "open.log") - {ansibles} == set()


def test_nothing_is_left_behind(scene: Scene) -> None:
    left = [path for path in (scene.directory / "tmp").rglob("*") if path.is_file()]
    assert left == []


def test_search_finds_every_form() -> None:
    secret = canary()
    for before in ("", "a", "ab", "user:"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(f"{before}{secret} and more".encode()).decode()
            assert holding({"there": text}, {"it": secret}) == {"there": {"it"}}
    for text in (
        json.dumps({"a": secret}),
        f"?a={quote(secret)}",
        html.escape(secret),
        repr(secret),
        secret.encode().hex(),
    ):
        assert holding({"there": text}, {"it": secret}) == {"there": {"it"}}
    assert holding({"nowhere": "canary"}, {"it": secret}) == {}
