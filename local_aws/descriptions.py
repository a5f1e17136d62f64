# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lists say of resources, and what an account has without having made it: AWS's policies and keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.services import acm, cloudwatch_logs, iam, kms, rds, s3

Handler = Callable[..., Any]

DENY_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Sid": "DenyAll", "Effect": "Deny", "Action": "*", "Resource": "*"}],
}


def apply() -> None:
    """Install it in MiniStack."""
    policy_that_denies_all()
    details_of_users_and_policies()
    regions_of_buckets()
    log_groups_by_name()
    databases_by_resource_id()
    keys_of_aws()
    certificates_in_lists()


def policy_that_denies_all() -> None:
    """AWS has the managed policy AWSDenyAll."""
    arn = f"{iam._AWS_MANAGED_POLICY_PREFIX}AWSDenyAll"
    iam._aws_managed_policies[arn] = iam._make_aws_managed_record(
        "AWSDenyAll", json.dumps(DENY_ALL), "Deny all access."
    )


def details_of_users_and_policies() -> None:
    """GetAccountAuthorizationDetails says which boundary a user has, and when a policy was made and is used."""
    original = iam._IAM_HANDLERS["GetAccountAuthorizationDetails"]

    def details(request: dict[str, Any]) -> Any:
        status, headers, body = original(request)
        text = body.decode()
        for name, user in iam._users.items():
            if user.get("PermissionsBoundary"):
                own = f"<member><UserName>{name}</UserName>"
                text = text.replace(
                    own,
                    f"{own}<PermissionsBoundary><PermissionsBoundaryType>PermissionsBoundaryPolicy"
                    "</PermissionsBoundaryType><PermissionsBoundaryArn>"
                    f"{user['PermissionsBoundary']}</PermissionsBoundaryArn></PermissionsBoundary>",
                )
        uses = iam._boundary_usage_counts()
        for arn, policy in iam._policies.items():
            own = f"<member><PolicyName>{policy['PolicyName']}</PolicyName><PolicyId>{policy['PolicyId']}</PolicyId>"
            text = text.replace(
                own,
                f"{own}<AttachmentCount>{policy.get('AttachmentCount', 0)}</AttachmentCount>"
                f"<PermissionsBoundaryUsageCount>{uses.get(arn, 0)}</PermissionsBoundaryUsageCount>"
                "<IsAttachable>true</IsAttachable>"
                f"<CreateDate>{policy['CreateDate']}</CreateDate>"
                f"<UpdateDate>{policy.get('UpdateDate', policy['CreateDate'])}</UpdateDate>",
            )
        return status, headers, text.encode()

    iam._IAM_HANDLERS["GetAccountAuthorizationDetails"] = details


def regions_of_buckets() -> None:
    """ListBuckets says where buckets are only to a request with a parameter."""
    original: Handler = s3._list_buckets

    def list_buckets(query: dict[str, Any] | None = None, signed_region: str | None = None) -> Any:
        status, headers, body = original(query, signed_region)
        asked = any(name in (query or {}) for name in ("prefix", "max-buckets", "continuation-token", "bucket-region"))
        if status != 200 or asked:
            return status, headers, body
        root = s3.fromstring(body)
        for bucket in root.iter(f"{{{s3.S3_NS}}}Bucket"):
            for region in bucket.findall(f"{{{s3.S3_NS}}}BucketRegion"):
                bucket.remove(region)
        return status, headers, s3._xml_body(root)

    s3._list_buckets = list_buckets


def log_groups_by_name() -> None:
    """DescribeLogGroups finds the groups whose names it is given."""
    original: Handler = cloudwatch_logs._describe_log_groups

    def describe(request: dict[str, Any]) -> Any:
        identifiers = request.get("logGroupIdentifiers")
        if not identifiers:
            return original(request)
        names = {each.removesuffix(":*").partition(":log-group:")[2] or each for each in identifiers}
        groups: list[dict[str, Any]] = []
        for name in sorted(names):
            status, headers, body = original({"logGroupNamePrefix": name})
            groups += [each for each in json.loads(body)["logGroups"] if each["logGroupName"] == name]
        return status, headers, json.dumps({"logGroups": groups}).encode()

    cloudwatch_logs._describe_log_groups = describe


def databases_by_resource_id() -> None:
    """DescribeDBInstances knows the filter dbi-resource-id."""
    original: Handler = rds._apply_instance_filters

    def apply_filters(instances: list[dict[str, Any]], filters: dict[str, list[str]]) -> Any:
        ids = filters.get("dbi-resource-id")
        return original([one for one in instances if ids is None or one["DbiResourceId"] in ids], filters)

    rds._apply_instance_filters = apply_filters


def keys_of_aws() -> None:
    """DescribeKey by one of AWS's aliases, such as alias/aws/s3, makes that key where there is none yet."""
    describe: Handler = kms._describe_key
    metadata: Handler = kms._key_metadata

    def describe_key(request: dict[str, Any]) -> Any:
        name = request.get("KeyId", "").rpartition(":")[2]
        if name.startswith("alias/aws/") and kms._resolve_key(name) is None:
            made = json.loads(kms._create_key({"Description": f"Default key for {name.rpartition('/')[2]}"})[2])
            key = kms._keys[made["KeyMetadata"]["KeyId"]]
            key["_of_aws"] = True
            kms._aliases[kms._alias_arn(name)] = key["KeyId"]
        return describe(request)

    def key_metadata(key: dict[str, Any]) -> Any:
        return {**metadata(key), "KeyManager": "AWS" if key.get("_of_aws") else "CUSTOMER"}

    kms._describe_key, kms._key_metadata = describe_key, key_metadata


def certificates_in_lists() -> None:
    """ListCertificates says what is known of each, and has those of other algorithms than RSA 2048 only when asked."""
    request_certificate: Handler = acm._request_certificate
    shape: Handler = acm._cert_shape
    original: Handler = acm._list_certificates

    def request(data: dict[str, Any]) -> Any:
        answer = request_certificate(data)
        arn = json.loads(answer[2]).get("CertificateArn")
        if arn:
            acm._certificates[arn]["_algorithm"] = data.get("KeyAlgorithm", "RSA_2048")
        return answer

    def shape_with_algorithm(certificate: dict[str, Any]) -> Any:
        return {**shape(certificate), "KeyAlgorithm": certificate.get("_algorithm", "RSA_2048")}

    def list_certificates(data: dict[str, Any]) -> Any:
        status, headers, body = original(data)
        wanted = (data.get("Includes") or {}).get("keyTypes") or ["RSA_1024", "RSA_2048"]
        found = []
        for summary in json.loads(body)["CertificateSummaryList"]:
            whole = shape_with_algorithm(acm._certificates[summary["CertificateArn"]])
            if whole["KeyAlgorithm"] in wanted:
                more = {name: whole[name] for name in ("Type", "KeyAlgorithm", "CreatedAt", "NotBefore", "NotAfter")}
                found.append({**summary, **more, "InUse": bool(whole["InUseBy"])})
        return status, headers, json.dumps({"CertificateSummaryList": found}).encode()

    acm._request_certificate, acm._cert_shape, acm._list_certificates = request, shape_with_algorithm, list_certificates
