# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who made a resource, from events as CloudTrail writes them, and what that means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ansible_collections.gitops.aws.plugins.module_utils._findings import attribution, catalogue
from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Call, Resource, Type

TERRAFORM = (
    "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 (+https://www.terraform.io) terraform-provider-aws/5.100.0 "
    "(+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.23.8 "
    "md/GOOS#linux md/GOARCH#amd64 api/ec2#1.211.3"
)
BROWSER = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0"
COMMAND_LINE = "aws-cli/2.22.7 md/awscrt#0.23.4 ua/2.0 os/linux#6.8.0 md/arch#x86_64 lang/python#3.12.6"
APPLY = "arn:aws:iam::111122223333:role/gitops/gitops-network-apply"

USER = {
    "type": "IAMUser",
    "principalId": "AIDACKCEVSQ6C2EXAMPLE",
    "arn": "arn:aws:iam::111122223333:user/alice",
    "accountId": "111122223333",
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "userName": "alice",
}
SESSION = {
    "type": "AssumedRole",
    "principalId": "AROACKCEVSQ6C2EXAMPLE:AWSCodeBuild-0123",
    "arn": "arn:aws:sts::111122223333:assumed-role/gitops-network-apply/AWSCodeBuild-0123",
    "accountId": "111122223333",
    "accessKeyId": "ASIAIOSFODNN7EXAMPLE",
    "sessionContext": {
        "sessionIssuer": {
            "type": "Role",
            "principalId": "AROACKCEVSQ6C2EXAMPLE",
            "arn": APPLY,
            "accountId": "111122223333",
            "userName": "gitops-network-apply",
        },
        "attributes": {"creationDate": "2026-11-25T09:00:00Z", "mfaAuthenticated": "false"},
    },
}
PERSON = {
    **SESSION,
    "principalId": "AROAEXAMPLE:alice@example.com",
    "arn": "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/alice@example.com",
    "sessionContext": {
        "sessionIssuer": {
            "type": "Role",
            "arn": "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/"
            "AWSReservedSSO_Admin_0123456789abcdef",
        }
    },
}
FEDERATED = {
    "type": "FederatedUser",
    "principalId": "111122223333:bob",
    "arn": "arn:aws:sts::111122223333:federated-user/bob",
    "accountId": "111122223333",
    "sessionContext": {
        "sessionIssuer": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/broker", "userName": "broker"}
    },
}
ROOT = {
    "type": "Root",
    "principalId": "111122223333",
    "arn": "arn:aws:iam::111122223333:root",
    "accountId": "111122223333",
}
SERVICE = {"type": "AWSService", "invokedBy": "dlm.amazonaws.com"}
SCALING = {
    "type": "AssumedRole",
    "principalId": "AROAEXAMPLE:AutoScaling",
    "arn": "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForAutoScaling/AutoScaling",
    "accountId": "111122223333",
    "sessionContext": {
        "sessionIssuer": {
            "type": "Role",
            "arn": "arn:aws:iam::111122223333:role/aws-service-role/autoscaling.amazonaws.com/"
            "AWSServiceRoleForAutoScaling",
        }
    },
    "invokedBy": "autoscaling.amazonaws.com",
}


def event(who: Any, name: str = "RunInstances", at: str = "2026-11-25T09:30:00Z", **more: Any) -> dict[str, Any]:
    """An event as CloudTrail writes it."""
    return {
        "eventVersion": "1.10",
        "userIdentity": who,
        "eventTime": at,
        "eventSource": "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-central-1",
        "sourceIPAddress": "192.0.2.10",
        "userAgent": COMMAND_LINE,
        "requestParameters": {"instanceType": "t3.micro"},
        "responseElements": None,
        "requestID": "59dec9a6-0b4f-4b0a-9ea8-5ec0d9f5c9a1",
        "eventID": "1a2b3c4d-0b4f-4b0a-9ea8-5ec0d9f5c9a1",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
        **more,
    }


def found(*events: dict[str, Any]) -> list[dict[str, Any]]:
    """Events as LookupEvents gives them: the newest first."""
    newest_first = sorted(events, key=lambda each: str(each["eventTime"]), reverse=True)
    return [{"EventName": each["eventName"], "CloudTrailEvent": json.dumps(each)} for each in newest_first]


# What an event says of who made the call


def test_a_creator_has_everything_that_the_event_says() -> None:
    assert attribution.parse(event(USER)) == {
        "principal": "arn:aws:iam::111122223333:user/alice",
        "session": "",
        "type": "IAMUser",
        "time": "2026-11-25T09:30:00Z",
        "event": "RunInstances",
        "event_id": "1a2b3c4d-0b4f-4b0a-9ea8-5ec0d9f5c9a1",
        "source_ip": "192.0.2.10",
        "user_agent": COMMAND_LINE,
        "console": False,
        "invoked_by": "",
    }


@pytest.mark.parametrize(
    ("who", "kind", "principal", "session", "invoked_by"),
    [
        (USER, "IAMUser", "arn:aws:iam::111122223333:user/alice", "", ""),
        (SESSION, "AssumedRole", APPLY, "AWSCodeBuild-0123", ""),
        ({**SESSION, "sessionContext": {}}, "AssumedRole", APPLY.replace("gitops/", ""), "AWSCodeBuild-0123", ""),
        (FEDERATED, "FederatedUser", "arn:aws:sts::111122223333:federated-user/bob", "bob", ""),
        (ROOT, "Root", "arn:aws:iam::111122223333:root", "", ""),
        (SERVICE, "AWSService", "dlm.amazonaws.com", "", "dlm.amazonaws.com"),
        ({"type": "WebIdentityUser", "userName": "repo:acme/x"}, "WebIdentityUser", "repo:acme/x", "", ""),
        ({"type": "AWSAccount", "principalId": "AROAEXAMPLE:x", "accountId": "444455556666"}, "AWSAccount",
         "AROAEXAMPLE:x", "", ""),
        ({}, "Unknown", "", "", ""),
        (None, "Unknown", "", "", ""),
    ],
)  # fmt: skip
def test_kinds_of_callers(who: Any, kind: str, principal: str, session: str, invoked_by: str) -> None:
    made = attribution.parse(event(who))
    assert (made["type"], made["principal"], made["session"], made["invoked_by"]) == (
        kind,
        principal,
        session,
        invoked_by,
    )


@pytest.mark.parametrize(
    ("more", "console"),
    [
        ({"sessionCredentialFromConsole": "true"}, True),
        ({"sessionCredentialFromConsole": True}, True),
        ({"userAgent": "console.ec2.amazonaws.com"}, True),
        ({"userAgent": BROWSER}, True),
        ({"userAgent": "[S3Console/0.4, aws-internal/3]"}, True),
        ({"sessionCredentialFromConsole": "false"}, False),
        ({"userAgent": TERRAFORM}, False),
        ({}, False),
    ],
)
def test_the_console_is_known(more: dict[str, Any], console: bool) -> None:
    assert attribution.parse(event(PERSON, **more))["console"] is console


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-25T09:30:00Z", "2026-11-25T09:30:00Z"),
        ("2026-11-25T10:30:00+01:00", "2026-11-25T09:30:00Z"),
        ("x", ""),
        ("", ""),
    ],
)
def test_times(text: str, time: str) -> None:
    assert attribution.parse(event(USER, at=text))["time"] == time


# Which event made it


def maker(kind: str, *events: dict[str, Any]) -> str:
    """Who made it, as the name of the call and its time; '' where it is not known."""
    made = attribution.made_by(kind, found(*events))
    return f"{made['event']} {made['time'][8:10]}" if made else ""


def on(day: int, name: str, who: dict[str, Any] = USER, **more: Any) -> dict[str, Any]:
    return event(who, name, f"2026-11-{day:02}T00:00:00Z", **more)


def test_the_earliest_creation_counts() -> None:
    assert maker("aws_glue_job", on(3, "PutResourcePolicy"), on(1, "CreateJob"), on(2, "CreateTrigger")) == (
        "CreateJob 01"
    )


def test_reads_failures_and_changes_make_nothing() -> None:
    assert maker("aws_glue_job", on(1, "GetJob", readOnly=True), on(2, "UpdateJob"), on(4, "DeleteJob")) == ""
    assert maker("aws_glue_job", on(1, "CreateJob", errorCode="AccessDenied"), on(2, "CreateJob")) == "CreateJob 02"
    assert maker("aws_glue_job", on(1, "CreateJob", readOnly="true"), on(2, "CreateJob")) == "CreateJob 02"


@pytest.mark.parametrize(
    "verb", ["Create", "Run", "Allocate", "Request", "Register", "Import", "Copy", "Put", "Restore"]
)
def test_what_makes_things_of_types_that_are_not_listed(verb: str) -> None:
    assert maker("aws_other", on(1, f"{verb}Thing")) == f"{verb}Thing 01"
    assert maker("aws_other", on(1, f"Modify{verb}")) == ""


@pytest.mark.parametrize(
    ("kind", "mentions"),
    [
        ("aws_security_group", ["RunInstances", "CreateTags", "CreateLoadBalancer"]),
        ("aws_subnet", ["RunInstances", "CreateNetworkInterface", "CreateNatGateway"]),
        ("aws_s3_bucket", ["PutBucketPolicy", "PutBucketEncryption"]),
        ("aws_iam_role", ["PutRolePolicy", "CreateInstanceProfile", "RunInstances"]),
        ("aws_kms_key", ["CreateGrant", "CreateAlias", "PutKeyPolicy"]),
        ("aws_iam_user", ["CreateAccessKey", "CreateLoginProfile"]),
        ("aws_instance", ["CreateTags", "CreateImage"]),
        ("aws_ebs_volume", ["CreateSnapshot"]),
    ],
)
def test_who_only_used_an_older_resource_did_not_make_it(kind: str, mentions: list[str]) -> None:
    events = [on(day, name, SESSION) for day, name in enumerate(mentions, 1)]
    assert maker(kind, *events) == ""


def test_a_name_that_is_used_again_has_a_new_creator() -> None:
    first, again = on(1, "CreateBucket", SESSION), on(5, "CreateBucket", USER)
    made = attribution.made_by("aws_s3_bucket", found(first, on(3, "DeleteBucket", SESSION), again))
    assert made is not None
    assert made["principal"] == USER["arn"]
    refused = on(3, "DeleteBucket", errorCode="BucketNotEmpty")
    assert maker("aws_s3_bucket", first, refused, again) == "CreateBucket 01"
    assert maker("aws_s3_bucket", first, on(3, "DeleteBucketPolicy"), again) == "CreateBucket 01"
    assert maker("aws_ssm_parameter", on(1, "PutParameter"), on(2, "PutParameter")) == "PutParameter 01"
    assert maker("aws_ssm_parameter", on(1, "PutParameter"), on(2, "DeleteParameter")) == ""


def test_of_the_same_second_the_newest_is_first() -> None:
    events = [{"CloudTrailEvent": json.dumps(on(1, name))} for name in ("CreateBucket", "DeleteBucket")]
    assert attribution.made_by("aws_s3_bucket", events) is not None
    assert attribution.made_by("aws_s3_bucket", events[::-1]) is None


def test_events_that_are_none() -> None:
    assert attribution.made_by("aws_instance", [{}, {"CloudTrailEvent": "{"}, {"CloudTrailEvent": "[]"}]) is None


def test_it_is_known_what_makes_every_type() -> None:
    assert set(catalogue.ALL) - set(attribution.MAKERS) == set()


# How CloudTrail is asked


class Trail:
    """A region's event history. Only its errors and its pages are made up here; all else is asked of local AWS."""

    def __init__(self, pages: dict[str, list[list[dict[str, Any]]]], error: Exception | None = None) -> None:
        self.pages, self.error = pages, error
        self.asked: list[tuple[str, float]] = []
        self.clock = 0.0

    def client(self, service: str) -> Trail:
        assert service == "cloudtrail"
        return self

    def lookup_events(self, LookupAttributes: Any, MaxResults: int, NextToken: str = "0") -> dict[str, Any]:  # noqa: N803
        assert [each["AttributeKey"] for each in LookupAttributes] == ["ResourceName"]
        assert MaxResults == 50
        name, number = LookupAttributes[0]["AttributeValue"], int(NextToken)
        self.asked.append((name, self.clock))
        if self.error:
            raise self.error
        pages = self.pages.get(name, [[]])
        return {"Events": pages[number], **({"NextToken": str(number + 1)} if number + 1 < len(pages) else {})}

    def now(self) -> float:
        return self.clock

    def pause(self, seconds: float) -> None:
        assert seconds > 0
        self.clock += seconds


KIND = Type("aws_sqs_queue", "sqs", Call("list_queues"), Call("get_queue_attributes"), "id", "arn")


def resource(
    name: str, region: str = "eu-central-1", kind: Type = KIND, partition: str = "aws", **more: Any
) -> Resource:
    arn = f"arn:{partition}:{kind.service}:{region}:111122223333:{name}"
    made = Resource(kind, f"https://sqs/{name}", arn, region, {})
    vars(made).update(title=name, **more)
    return made


def ask(trail: Trail, *resources: Resource, **more: Any) -> attribution.Attribution:
    return attribution.attribute(lambda _region: trail, resources, now=trail.now, pause=trail.pause, **more)


def test_id_then_name_then_arn_are_asked_for_until_one_is_known() -> None:
    trail = Trail({"b": [found(event(USER, "CreateQueue"))]})
    answer = ask(trail, resource("a"), resource("b"))
    assert [name for name, _ in trail.asked] == [
        "https://sqs/a",
        "a",
        "arn:aws:sqs:eu-central-1:111122223333:a",
        "https://sqs/b",
        "b",
    ]
    creators = {arn.rpartition(":")[2]: made and made["principal"] for arn, made in answer.creators.items()}
    assert creators == {"a": None, "b": USER["arn"]}
    assert (answer.calls, answer.not_asked, answer.problems) == (5, [], [])
    assert answer.answered == set(answer.creators)


def test_a_name_that_others_may_have_is_not_asked_for() -> None:
    queue, volume = resource("queue", tags={"Name": "web"}), resource("vol-0123456789abcdef0")
    queue.title, volume.id, volume.title = "web", "vol-0123456789abcdef0", "web"
    trail = Trail({"web": [found(event(USER, "CreateQueue"))]})
    answer = ask(trail, queue, volume)
    assert [name for name, _ in trail.asked] == [queue.id, "queue", queue.arn, volume.id, volume.arn]
    assert list(answer.creators.values()) == [None, None]


def test_all_pages_are_read() -> None:
    later = found(event(SESSION, "CreateQueue", "2026-11-20T00:00:00Z"))
    first = found(event(USER, "CreateQueue", "2026-11-01T00:00:00Z"))
    trail = Trail({"https://sqs/a": [later, first]})
    made = ask(trail, resource("a")).creators
    assert [creator and creator["principal"] for creator in made.values()] == [USER["arn"]]
    assert len(trail.asked) == 2


def test_two_requests_a_second_and_region() -> None:
    trails = {region: Trail({}) for region in ("eu-central-1", "eu-west-1")}
    clock = trails["eu-central-1"]
    candidates = [resource(f"{number}", region) for region in trails for number in range(2)]
    attribution.attribute(trails.__getitem__, candidates, now=clock.now, pause=clock.pause)
    times = [at for _, at in clock.asked]
    assert times == [0, 0.5, 1, 1.5, 2, 2.5]
    # The other region is asked in between, and has its own pace.
    assert clock.clock == 2.5


def test_the_budget_is_not_exceeded_and_what_was_left_is_named() -> None:
    trail = Trail({"https://sqs/a": [found(event(USER, "CreateQueue"))]})
    answer = ask(trail, resource("a"), resource("b"), resource("c"), budget=3)
    assert answer.calls == len(trail.asked) == 3
    assert [arn.rpartition(":")[2] for arn in answer.not_asked] == ["b", "c"]
    assert [bool(made) for made in answer.creators.values()] == [True, False, False]
    assert [arn.rpartition(":")[2] for arn in answer.answered] == ["a"]
    nothing = ask(Trail({}), resource("a"), budget=0)
    assert (nothing.calls, len(nothing.not_asked)) == (0, 1)


def test_half_a_history_is_no_creator() -> None:
    later = found(event(SESSION, "CreateQueue", "2026-11-20T00:00:00Z"))
    trail = Trail({"https://sqs/a": [later, found(event(USER, "CreateQueue", "2026-11-01T00:00:00Z"))]})
    answer = ask(trail, resource("a"), budget=1)
    assert list(answer.creators.values()) == [None]
    assert len(answer.not_asked) == 1
    assert answer.answered == set()


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "said no"}}, "LookupEvents")


@pytest.mark.parametrize(
    ("error", "why", "fix"),
    [
        (client_error("AccessDeniedException"), "denied", "allow cloudtrail:LookupEvents"),
        (client_error("UnsupportedOperationException"), "UnsupportedOperationException", "scan again later"),
        (client_error("ThrottlingException"), "ThrottlingException", "scan again later"),
        (EndpointConnectionError(endpoint_url="https://x"), "Could not connect", "can be reached"),
    ],
)
def test_where_cloudtrail_does_not_answer_creators_are_unknown(error: Exception, why: str, fix: str) -> None:
    trail = Trail({}, error)
    answer = ask(trail, resource("a"), resource("b"), resource("c", "eu-west-1"))
    assert list(answer.creators.values()) == [None, None, None]
    assert len(trail.asked) == 2  # once for each region
    assert len(answer.problems) == 1
    problem = answer.problems[0]
    assert problem["what"].endswith("eu-central-1, eu-west-1")
    assert why in problem["why"]
    assert fix in problem["fix"]
    assert answer.not_asked == []
    assert answer.answered == set()


@pytest.mark.parametrize(
    ("service", "region", "partition", "asked"),
    [
        ("iam", "", "aws", "us-east-1"),
        ("iam", "eu-central-1", "aws", "us-east-1"),
        ("iam", "", "aws-us-gov", "us-gov-west-1"),
        ("iam", "", "aws-cn", "cn-north-1"),
        ("cloudfront", "", "aws", "us-east-1"),
        ("sqs", "eu-west-1", "aws", "eu-west-1"),
    ],
)
def test_where_events_are(service: str, region: str, partition: str, asked: str) -> None:
    regions: list[str] = []

    def trail(of: str) -> Trail:
        regions.append(of)
        return Trail({})

    kind = Type("aws_x", service, Call("list"), Call("get"), "id", "arn")
    attribution.attribute(trail, [resource("a", region, kind, partition)], pause=lambda _seconds: None)
    assert regions == [asked]


# What it means


def judged(who: dict[str, Any], pipeline: str = "", trusted: str = "", **more: Any) -> str:
    creator = attribution.parse(event(who, **more))
    found = attribution.judge(creator, [pipeline] if pipeline else [], [trusted] if trusted else [])
    return found.verdict if found else ""


ANY_APPLY = "arn:aws:iam::111122223333:role/*gitops-*-apply"


def test_what_the_pipeline_made_has_leaked() -> None:
    assert judged(SESSION, ANY_APPLY, userAgent=TERRAFORM) == "leaked_by_pipeline"
    assert judged(SESSION, ANY_APPLY) == "leaked_by_pipeline"


@pytest.mark.parametrize("agent", [TERRAFORM, "APN/1.0 HashiCorp/1.0 OpenTofu/1.10.6", "terraform-provider-awscc/1.0"])
def test_what_another_terraform_made_is_foreign(agent: str) -> None:
    assert judged(USER, ANY_APPLY, userAgent=agent) == "foreign_terraform"
    other = {**SESSION, "sessionContext": {"sessionIssuer": {"arn": f"{APPLY}2"}}}
    assert judged(other, ANY_APPLY, userAgent=agent) == "foreign_terraform"


def test_who_is_trusted_is_ignored_whatever_they_use() -> None:
    assert judged(USER, ANY_APPLY, "*:user/alice") == "ignored"
    assert judged(USER, ANY_APPLY, "*:user/alice", userAgent=TERRAFORM) == "ignored"
    assert judged(SESSION, ANY_APPLY, "*", userAgent=TERRAFORM) == "leaked_by_pipeline"


@pytest.mark.parametrize("who", [SERVICE, SCALING, {**SESSION, "invokedBy": "eks.amazonaws.com"}])
def test_what_a_service_made_is_the_services(who: dict[str, Any]) -> None:
    assert judged(who, ANY_APPLY) == "service_managed"


def test_of_anybody_else_nothing_follows() -> None:
    assert judged(USER, ANY_APPLY) == ""
    assert judged(PERSON, ANY_APPLY, userAgent=BROWSER, sessionCredentialFromConsole="true") == ""
    assert judged(ROOT, ANY_APPLY) == ""
    assert attribution.judge(None, [ANY_APPLY], ["*"]) is None


def test_a_verdict_says_who_and_which_event() -> None:
    verdict = attribution.judge(attribution.parse(event(SESSION)), [ANY_APPLY], [])
    assert verdict is not None
    assert verdict.reason == f"the pipeline's role {APPLY} made it, and no state has it"
    assert verdict.evidence == "RunInstances 1a2b3c4d-0b4f-4b0a-9ea8-5ec0d9f5c9a1 of 2026-11-25T09:30:00Z"
