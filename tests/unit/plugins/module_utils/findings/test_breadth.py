# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kind of resource an ARN is of, and which kinds the catalogue judges."""

from __future__ import annotations

import pytest

from ansible_collections.gitops.aws.plugins.module_utils._findings import breadth, catalogue


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        ("arn:aws:ec2:eu-central-1:111122223333:instance/i-0123456789abcdef0", "ec2:instance"),
        ("arn:aws:ec2:eu-central-1::snapshot/snap-0123456789abcdef0", "ec2:snapshot"),
        ("arn:aws:lambda:eu-central-1:111122223333:function:hello", "lambda:function"),
        ("arn:aws:logs:eu-central-1:111122223333:log-group:/aws/lambda/hello", "logs:log-group"),
        ("arn:aws:s3:::a-bucket", "s3"),
        ("arn:aws-cn:sns:cn-north-1:111122223333:alarms", "sns"),
        ("arn:aws:sqs:eu-central-1:111122223333:queue", "sqs"),
        ("arn:aws:elasticloadbalancing:x:1:loadbalancer/app/web/0123", "elasticloadbalancing:loadbalancer/app"),
        ("arn:aws:elasticloadbalancing:x:1:loadbalancer/classic", "elasticloadbalancing:loadbalancer"),
        ("arn:aws:autoscaling:x:1:autoScalingGroup:0a-1b:autoScalingGroupName/web", "autoscaling:autoScalingGroup"),
        ("arn:aws:apigateway:eu-central-1::/restapis/abc", "apigateway:restapis"),
        ("arn:aws:iam::111122223333:role/path/name", "iam:role"),
        ("arn:aws:glue:eu-central-1:111122223333:job/etl", "glue:job"),
        ("arn:aws:dsql:eu-central-1:111122223333:thing", "dsql"),
        ("not an ARN", ""),
    ],
)  # fmt: skip
def test_kinds_of_arns(arn: str, kind: str) -> None:
    assert breadth.kind(arn) == kind


def test_every_type_of_the_catalogue_is_of_a_known_kind() -> None:
    assert [name for name, one in catalogue.ALL.items() if not breadth.kinds_of([one])] == []
