# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CodeConnections under both of its API names."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.local_aws.support import ACCOUNT, REGION, LocalAws, unique


@pytest.mark.parametrize("service", ["codeconnections", "codestar-connections"])
def test_a_connection_from_pending_to_deleted(service: str, local_aws: LocalAws) -> None:
    api, name = local_aws.client(service), unique("connection")
    made = api.create_connection(ConnectionName=name, ProviderType="GitHub", Tags=[{"Key": "a", "Value": "1"}])
    arn = made["ConnectionArn"]
    assert arn.startswith(f"arn:aws:{service}:{REGION}:{ACCOUNT}:connection/")
    assert made["Tags"] == [{"Key": "a", "Value": "1"}]
    assert api.get_connection(ConnectionArn=arn)["Connection"] == {
        "ConnectionName": name,
        "ConnectionArn": arn,
        "ProviderType": "GitHub",
        "OwnerAccountId": ACCOUNT,
        "ConnectionStatus": "PENDING",
    }
    assert local_aws.command("complete-connection", name) == {"connection_arns": [arn]}
    assert api.get_connection(ConnectionArn=arn)["Connection"]["ConnectionStatus"] == "AVAILABLE"
    api.tag_resource(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    api.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert api.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    api.delete_connection(ConnectionArn=arn)
    with pytest.raises(api.exceptions.ResourceNotFoundException):
        api.get_connection(ConnectionArn=arn)


def test_a_connection_is_the_same_under_both_names(local_aws: LocalAws) -> None:
    new, old = local_aws.client("codeconnections"), local_aws.client("codestar-connections")
    name = unique("connection")
    arn = old.create_connection(ConnectionName=name, ProviderType="GitHub")["ConnectionArn"]

    assert new.get_connection(ConnectionArn=arn)["Connection"]["ConnectionArn"] == arn
    assert (name, arn) in [(c["ConnectionName"], c["ConnectionArn"]) for c in new.list_connections()["Connections"]]
    new.delete_connection(ConnectionArn=arn.replace("codestar-connections", "codeconnections"))
    with pytest.raises(old.exceptions.ResourceNotFoundException):
        old.get_connection(ConnectionArn=arn)


@pytest.mark.parametrize("service", ["codeconnections", "codestar-connections"])
def test_the_service_may_be_named_without_its_namespace(service: str, local_aws: LocalAws) -> None:
    """As the SDKs for Go and JavaScript do it."""

    def shorten(request: Any, **_: Any) -> None:
        target = request.headers["X-Amz-Target"]
        request.headers.replace_header("X-Amz-Target", ".".join(target.rsplit(".", 2)[1:]))

    api = local_aws.client(service)
    api.meta.events.register("before-sign", shorten)
    arn = api.create_connection(ConnectionName=unique("connection"), ProviderType="GitHub")["ConnectionArn"]
    assert arn.startswith(f"arn:aws:{service}:")


def test_connections_are_listed_in_pages(local_aws: LocalAws) -> None:
    api = local_aws.client("codeconnections", region="us-west-2")
    arns = [
        api.create_connection(ConnectionName=unique("c"), ProviderType=provider)["ConnectionArn"]
        for provider in ("GitHub", "GitLab", "GitHub")
    ]
    first = api.list_connections(MaxResults=2)
    rest = api.list_connections(MaxResults=2, NextToken=first["NextToken"])
    assert [item["ConnectionArn"] for item in first["Connections"] + rest["Connections"]] == arns
    assert "NextToken" not in rest
    assert len(api.list_connections(ProviderTypeFilter="GitLab")["Connections"]) == 1


def test_bad_requests(local_aws: LocalAws) -> None:
    api = local_aws.client("codeconnections", parameter_validation=False)
    with pytest.raises(ClientError, match="less than or equal to 32"):
        api.create_connection(ConnectionName="x" * 33, ProviderType="GitHub")
    with pytest.raises(ClientError, match="enum value set"):
        api.create_connection(ConnectionName="x", ProviderType="Nobody")
    with pytest.raises(ClientError, match="ProviderType or HostArn"):
        api.create_connection(ConnectionName="x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"full_name": "no-owner", "path": "/"}, "is not a repository name"),
        ({"full_name": "a/b", "path": "/does/not/exist"}, "is not a Git repository"),
        ({"full_name": "a/b"}, "path is missing"),
    ],
)
def test_bad_repositories_are_refused(content: dict[str, str], message: str, local_aws: LocalAws) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        local_aws.post("/_local/repositories", **content)
    assert message in json.load(caught.value)["message"]


@pytest.mark.parametrize("headers", [{"Host": "evil.example.com"}, {"Origin": "https://evil.example.com"}])
def test_administration_answers_no_web_page(headers: dict[str, str], local_aws: LocalAws) -> None:
    request = urllib.request.Request(local_aws.endpoint_url + "/_local/health", headers=headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5)
    assert caught.value.code == 403
