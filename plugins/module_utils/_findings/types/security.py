# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Keys, secrets, parameters and certificates."""

from __future__ import annotations

from ansible_collections.gitops.aws.plugins.module_utils._findings.model import Call, Quarantine, Type

_KEY = Type(
    name="aws_kms_key",
    service="kms",
    list=Call("list_keys", {}, "Keys[]"),
    read=Call(
        "describe_key",
        {"KeyId": "{id}"},
        "{KeyId: KeyMetadata.KeyId, KeyArn: KeyMetadata.Arn, metadata: KeyMetadata}",
        missing=("NotFoundException",),
    ),
    id="KeyId",
    arn="KeyArn",
    created="metadata.CreationDate",
    more={
        "metadata": Call("describe_key", {"KeyId": "{id}"}, "KeyMetadata"),
        "tags": Call("list_resource_tags", {"KeyId": "{id}"}, "Tags"),
        "aliases": Call("list_aliases", {"KeyId": "{id}"}, "Aliases[].[AliasName, AliasArn][]"),
    },
    gone="metadata.DeletionDate",
    aws_default={"AWS manages it, for one of its services": "metadata.KeyManager == 'AWS'"},
    # Of what was listed, only the further read shows it.
    service_managed={"KMS deletes it already": "metadata.DeletionDate"},
    named_by=(
        "key_id",
        "kms_key",
        "kms_key_alias",
        "kms_key_arn",
        "kms_key_id",
        "kms_master_key_id",
        "sse_kms_key_id",
        "target_key_id",
    ),
    other_names="aliases",
    rank=95,
    quarantine=Quarantine(
        words="disabled",
        do=(Call("disable_key", {"KeyId": "{id}"}),),
        undo=(Call("enable_key", {"KeyId": "{id}"}),),
        done="metadata.KeyState == 'Disabled'",
    ),
    remove=(Call("schedule_key_deletion", {"KeyId": "{id}", "PendingWindowInDays": 30}),),
    recover="For 30 days: cancel_key_deletion, then enable_key. After that it does not come back, and what it "
    "encrypted is lost.",
)

_SECRET = Type(
    name="aws_secretsmanager_secret",
    service="secretsmanager",
    list=Call("list_secrets", {}, "SecretList[]"),
    read=Call("describe_secret", {"SecretId": "{id}"}, "@", missing=("ResourceNotFoundException",)),
    id="ARN",
    arn="ARN",
    title="Name",
    created="CreatedDate",
    tags="Tags",
    gone="DeletedDate",
    service_managed={
        "an AWS service owns it": "OwningService",
        "it is a replica of a secret in another region": "PrimaryRegion && "
        "!contains(ARN, join('', [':secretsmanager:', PrimaryRegion, ':']))",
    },
    refs=("KmsKeyId", "RotationLambdaARN"),
    named_by=("secret_id",),
    rank=35,
    remove=(Call("delete_secret", {"SecretId": "{id}", "RecoveryWindowInDays": 30}),),
    recover="For 30 days: restore_secret. After that it does not come back.",
)

_PARAMETER = Type(
    name="aws_ssm_parameter",
    service="ssm",
    list=Call("describe_parameters", {}, "Parameters[]"),
    read=Call(
        "describe_parameters",
        {"ParameterFilters": [{"Key": "Name", "Option": "Equals", "Values": ["{id}"]}]},
        "Parameters[0]",
    ),
    id="Name",
    arn="ARN",
    title="Name",
    # AWS says when a parameter was changed, not when it was made.
    more={
        "tags": Call("list_tags_for_resource", {"ResourceType": "Parameter", "ResourceId": "{id}"}, "TagList"),
    },
    aws_default={"AWS publishes it": "starts_with(Name, '/aws/')"},
    refs=("KeyId",),
    rank=35,
    remove=(Call("delete_parameter", {"Name": "{id}"}),),
    recover="It does not come back: its value is lost, that of all its versions.",
)

_CERTIFICATE = Type(
    name="aws_acm_certificate",
    service="acm",
    # Unless it is asked for others, ACM lists certificates with keys of RSA 1024 and 2048 only.
    list=Call(
        "list_certificates",
        {
            "Includes": {
                "keyTypes": [
                    "RSA_1024",
                    "RSA_2048",
                    "RSA_3072",
                    "RSA_4096",
                    "EC_prime256v1",
                    "EC_secp384r1",
                    "EC_secp521r1",
                ]
            }
        },
        "CertificateSummaryList[]",
    ),
    read=Call(
        "describe_certificate", {"CertificateArn": "{id}"}, "Certificate", missing=("ResourceNotFoundException",)
    ),
    id="CertificateArn",
    arn="CertificateArn",
    title="DomainName",
    created="CreatedAt || ImportedAt",
    more={"tags": Call("list_tags_for_certificate", {"CertificateArn": "{id}"}, "Tags")},
    service_managed={"an AWS service manages it": "ManagedBy"},
    rank=35,
    remove=(Call("delete_certificate", {"CertificateArn": "{id}"}),),  # AWS refuses one that is in use
    recover="Ask for it again, and prove again whose the domain is. One that was imported must be imported again.",
)

TYPES: tuple[Type, ...] = (_KEY, _SECRET, _PARAMETER, _CERTIFICATE)
