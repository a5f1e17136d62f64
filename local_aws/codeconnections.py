# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CodeConnections: connections to Git providers, and the local bare repositories that stand for what they reach.

The service has two API names, codeconnections and codestar-connections, over the same connections.
"""

from __future__ import annotations

import re
import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from local_aws import git
from local_aws.aws_json import AwsError, Caller, JsonService, authorize

# By service. botocore names the service in full, the SDKs for Go and JavaScript (and Terraform) do not.
TARGET_PREFIXES = {
    "codeconnections": ["com.amazonaws.codeconnections.CodeConnections_20231201.", "CodeConnections_20231201."],
    "codestar-connections": [
        "com.amazonaws.codestar.connections.CodeStar_connections_20191201.",
        "CodeStar_connections_20191201.",
    ],
}

HOSTS = {"GitHub": "github.com", "GitLab": "gitlab.com", "Bitbucket": "bitbucket.org"}
"""Where the repositories behind a connection are, by its provider type."""

_repositories: dict[str, Path] = {}
_refs_when_mapped: dict[str, dict[str, str]] = {}
_pull_requests: dict[tuple[str, int], PullRequest] = {}
_lock = threading.RLock()


@dataclass(frozen=True)
class PullRequest:
    """What is known of a pull request: its branch, the branch's last known commit, and the files it changes."""

    branch: str
    commit: str
    files: tuple[str, ...] = ()


@dataclass
class Connection:
    """One connection; status is PENDING until its owner completes it, then AVAILABLE."""

    name: str
    arn: str
    provider_type: str
    account_id: str
    region: str
    status: str = "PENDING"
    tags: dict[str, str] = field(default_factory=dict)

    def repository_url(self, full_name: str) -> str:
        """The address from which people clone a repository."""
        return f"https://{HOSTS.get(self.provider_type, 'git.invalid')}/{full_name}.git"

    def described(self) -> dict[str, Any]:
        """The connection as GetConnection returns it."""
        return {
            "ConnectionName": self.name,
            "ConnectionArn": self.arn,
            "ProviderType": self.provider_type,
            "OwnerAccountId": self.account_id,
            "ConnectionStatus": self.status,
        }


def map_repository(full_name: str, path: Path) -> None:
    """Let full_name (such as "example/infrastructure") stand for a local bare repository.

    Raises AwsError BadRequest when the name is not owner/name or the path is no Git repository.
    """
    if not re.fullmatch(r"[\w.-]+(/[\w.-]+)+", full_name):
        raise AwsError("BadRequest", f"{full_name!r} is not a repository name such as owner/name")
    try:
        refs = git.refs(path.resolve())
    except git.GitError as error:
        raise AwsError("BadRequest", f"{path} is not a Git repository") from error
    with _lock:
        if _repositories.get(full_name) != path.resolve():
            _repositories[full_name], _refs_when_mapped[full_name] = path.resolve(), refs


def repositories() -> dict[str, Path]:
    """Every mapped repository, by full name."""
    with _lock:
        return dict(_repositories)


def refs_when_mapped(full_name: str) -> dict[str, str]:
    """What a repository held when it was mapped: pushes count from there."""
    with _lock:
        return dict(_refs_when_mapped.get(full_name, {}))


def remember_pull_request(full_name: str, number: int, pull_request: PullRequest) -> None:
    """Let a number stand for a pull request of a repository."""
    with _lock:
        _pull_requests[full_name, number] = pull_request


def pull_request(full_name: str, number: int) -> PullRequest | None:
    """A pull request that was remembered."""
    with _lock:
        return _pull_requests.get((full_name, number))


def authorize_connection(caller: Caller, permission: str, arn: str, context: dict[str, Any]) -> None:
    """Check a permission such as UseConnection; either service prefix may grant it, on an ARN of the same prefix.

    context holds condition keys without their prefix. Raises AwsError AccessDeniedException.
    """
    new, old = "codeconnections", "codestar-connections"
    asked = [(new, arn), (old, arn), (old, arn.replace(f":{new}:", f":{old}:", 1))]
    refused: AwsError | None = None
    for prefix, resource in asked:
        try:
            authorize(
                caller, f"{prefix}:{permission}", resource, {f"{prefix}:{key}": value for key, value in context.items()}
            )
        except AwsError as error:
            # The first refusal names the ARN as the caller knows it.
            refused = refused or error
        else:
            return
    if refused is not None:
        raise refused


def _key(arn: str) -> str:
    """The key of a connection, by either of the ARNs that name it."""
    return arn.replace(":codestar-connections:", ":codeconnections:", 1)


class CodeConnectionsService(JsonService):
    """The service by its new name."""

    service_name: ClassVar[str] = "codeconnections"
    _connections: ClassVar[dict[str, Connection]] = {}  # one store, whatever the name

    def resource_arns(self, operation: str, request: dict[str, Any], caller: Caller) -> list[str]:
        arn = request.get("ConnectionArn", request.get("ResourceArn"))
        return [arn] if isinstance(arn, str) else ["*"]

    def find(self, arn: str, account_id: str, region: str) -> Connection | None:
        """The connection of an ARN (codestar-connections ARNs name the same connection), in one account and region."""
        with _lock:
            found = self._connections.get(_key(arn))
        return found if found and (found.account_id, found.region) == (account_id, region) else None

    def complete(self, name: str) -> list[str]:
        """Do what the owner does in the provider's web site: every connection of this name becomes AVAILABLE."""
        with _lock:
            named = [connection for connection in self._connections.values() if connection.name == name]
            for connection in named:
                connection.status = "AVAILABLE"
        if not named:
            raise AwsError("NotFound", f"There is no connection named {name}", 404)
        return [connection.arn for connection in named]

    def tagged(self) -> list[tuple[str, str, str, dict[str, str]]]:
        """(account, region, ARN, tags) of every connection that was made under this name."""
        with _lock:
            return [
                (item.account_id, item.region, item.arn, dict(item.tags))
                for item in self._connections.values()
                if f":{self.service_name}:" in item.arn
            ]

    def create_connection(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        """A new connection, PENDING; its ARN bears the API's name. Names need not be unique on AWS; ours neither."""
        provider = request.get("ProviderType")
        if request.get("HostArn"):
            raise AwsError("ResourceNotFoundException", f"Host {request['HostArn']} not found")
        if provider is None:
            raise AwsError("InvalidInputException", "Either ProviderType or HostArn must be specified")
        arn = f"arn:aws:{self.service_name}:{caller.region}:{caller.account_id}:connection/{uuid.uuid4()}"
        tags = _tags(request.get("Tags", []))
        connection = Connection(request["ConnectionName"], arn, provider, caller.account_id, caller.region, tags=tags)
        with _lock:
            self._connections[_key(arn)] = connection
        return {"ConnectionArn": arn, "Tags": _tag_list(tags)}

    def get_connection(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return {"Connection": self._existing(request["ConnectionArn"], caller).described()}

    def list_connections(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        provider = request.get("ProviderTypeFilter")
        with _lock:
            found = [
                item
                for item in self._connections.values()
                if (item.account_id, item.region) == (caller.account_id, caller.region)
                and provider in (None, item.provider_type)
                and not request.get("HostArnFilter")
            ]
        start = _offset(request.get("NextToken"))
        end = start + (request.get("MaxResults") or 100)
        return {
            "Connections": [item.described() for item in found[start:end]],
            "NextToken": str(end) if end < len(found) else None,
        }

    def delete_connection(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        with _lock:
            del self._connections[_key(self._existing(request["ConnectionArn"], caller).arn)]
        return {}

    def list_tags_for_resource(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        return {"Tags": _tag_list(self._existing(request["ResourceArn"], caller).tags)}

    def tag_resource(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        connection, tags = self._existing(request["ResourceArn"], caller), _tags(request["Tags"])
        if len(connection.tags | tags) > 200:
            raise AwsError("LimitExceededException", "The tag limit of the resource is exceeded")
        with _lock:
            connection.tags.update(tags)
        return {}

    def untag_resource(self, request: dict[str, Any], caller: Caller) -> dict[str, Any]:
        connection = self._existing(request["ResourceArn"], caller)
        with _lock:
            for key in request["TagKeys"]:
                connection.tags.pop(key, None)
        return {}

    def _existing(self, arn: str, caller: Caller) -> Connection:
        found = self.find(arn, caller.account_id, caller.region)
        if found is None:
            raise AwsError("ResourceNotFoundException", f"Connection {arn} not found")
        return found


def _tags(tags: list[dict[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}


def _tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdigit():
        raise AwsError("InvalidInputException", "The next token is invalid")
    return int(token)


class CodestarConnectionsService(CodeConnectionsService):
    """The service by its old name."""

    service_name: ClassVar[str] = "codestar-connections"


SERVICE = CodeConnectionsService()
OLD_SERVICE = CodestarConnectionsService()
