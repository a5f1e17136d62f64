# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""S3 buckets with what makes them safe: versioning, encryption, policy, public access block, lifecycle."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from typing import Any, Callable

try:
    from botocore.exceptions import ClientError
except ImportError:  # AnsibleAWSModule reports the missing library
    ClientError = Exception

from ansible_collections.amazon.aws.plugins.module_utils.policy import compare_policies

from ansible_collections.gitops.aws.plugins.module_utils._aws import (
    NotYet,
    Refused,
    error_code,
    is_not_yet,
    only,
    read_or_none,
    until_propagated,
)
from ansible_collections.gitops.aws.plugins.module_utils._engine import Kind, Resource, Settings, without_empty
from ansible_collections.gitops.aws.plugins.module_utils._kinds._bulk_tags import Tags, add_tags, in_bulk, worth_it
from ansible_collections.gitops.aws.plugins.module_utils._names import bucket_name_problem
from ansible_collections.gitops.aws.plugins.module_utils._shapes import from_response, input_shape, to_request
from ansible_collections.gitops.aws.plugins.module_utils._tags import to_dict, to_list

EMPTYING_TIMEOUT = 15  # seconds that a deleted policy may still deny

BLOCK_EVERYTHING = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}

OPTIONS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "versioning": {"type": "bool"},
    "encryption": {
        "type": "dict",
        "options": {
            "algorithm": {"type": "str", "choices": ["aws:kms", "AES256"], "default": "aws:kms"},
            "kms_key_id": {"type": "str"},
            "bucket_key": {"type": "bool", "default": True},
        },
    },
    "block_public_access": {"type": "bool"},
    "object_ownership": {
        "type": "str",
        "choices": ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"],
    },
    "policy": {"type": "dict"},
    "lifecycle_rules": {
        "type": "list",
        "elements": "dict",
        "options": {
            "id": {"type": "str", "required": True},
            "status": {"type": "str", "choices": ["Enabled", "Disabled"], "default": "Enabled"},
            "filter": {"type": "dict", "options": {"prefix": {"type": "str"}}},
            "expiration": {
                "type": "dict",
                "options": {"days": {"type": "int"}, "expired_object_delete_marker": {"type": "bool"}},
            },
            "noncurrent_version_expiration": {
                "type": "dict",
                "options": {"noncurrent_days": {"type": "int"}, "newer_noncurrent_versions": {"type": "int"}},
            },
            "abort_incomplete_multipart_upload": {
                "type": "dict",
                "options": {"days_after_initiation": {"type": "int"}},
            },
        },
    },
    "force": {"type": "bool", "default": False},
    "tags": {"type": "dict", "aliases": ["resource_tags"]},
}


# Reads a value by the bucket's name; the error codes that say that the bucket has none; what it is then.
Reader = tuple[Callable[[str], Any], tuple[str, ...], Any]


class S3Bucket(Kind):
    noun = "S3 bucket"
    service = "s3"
    equal = {"policy": lambda before, after: not compare_policies(before or {}, after or {})}

    def problems(self, item: Settings) -> list[str]:
        problem = bucket_name_problem(item["name"])
        return [f"name: {problem}"] if problem else []

    def normalise(self, settings: Settings) -> Settings:
        result = {name: value for name, value in settings.items() if name != "force"}
        encryption = result.get("encryption", {})
        if encryption.get("algorithm") == "AES256":
            # A key and a bucket key belong to aws:kms; AWS refuses the one and ignores the other.
            result["encryption"] = {"algorithm": "AES256"}
        rules = result.get("lifecycle_rules")
        if rules:
            result["lifecycle_rules"] = sorted(
                ({**rule, "filter": {"prefix": "", **without_empty(rule.get("filter") or {})}} for rule in rules),
                key=lambda rule: rule["id"],
            )
        return result

    # Each aspect of a bucket is an API of its own, by option.
    def _readers(self) -> dict[str, Reader]:
        s3 = self.client
        rules = input_shape(s3, "PutBucketLifecycleConfiguration").members["LifecycleConfiguration"].members["Rules"]
        return {
            "versioning": (lambda b: s3.get_bucket_versioning(Bucket=b).get("Status") == "Enabled", (), None),
            "encryption": (
                lambda b: _encryption(s3.get_bucket_encryption(Bucket=b)),
                ("ServerSideEncryptionConfigurationNotFoundError",),
                {},
            ),
            "block_public_access": (
                lambda b: s3.get_public_access_block(Bucket=b)["PublicAccessBlockConfiguration"] == BLOCK_EVERYTHING,
                ("NoSuchPublicAccessBlockConfiguration",),
                False,
            ),
            "object_ownership": (
                lambda b: s3.get_bucket_ownership_controls(Bucket=b)["OwnershipControls"]["Rules"][0][
                    "ObjectOwnership"
                ],
                ("OwnershipControlsNotFoundError",),
                "ObjectWriter",
            ),
            "policy": (lambda b: json.loads(s3.get_bucket_policy(Bucket=b)["Policy"]), ("NoSuchBucketPolicy",), {}),
            "lifecycle_rules": (
                lambda b: from_response(rules, s3.get_bucket_lifecycle_configuration(Bucket=b).get("Rules", [])),
                ("NoSuchLifecycleConfiguration",),
                [],
            ),
            "tags": (lambda b: to_dict(s3.get_bucket_tagging(Bucket=b)["TagSet"]), ("NoSuchTagSet",), {}),
        }

    def read(self, items: list[Settings]) -> dict[str, Resource]:
        readers = self._readers()
        found = self.read_each(lambda item: self._look(item, readers), items)
        existing = [item for item in items if item["name"] in found]
        wanted = [
            (item["name"], option)
            for item in existing
            for option in readers
            if option != "tags" and item.get(option) is not None and option not in found[item["name"]].settings
        ]
        # Those of which nothing but the tags is asked for have them already.
        untagged = [item for item in existing if "tags" not in found[item["name"]].settings]
        buckets = [found[item["name"]] for item in untagged if item["tags"] is not None]
        known: dict[str, Tags] = {}

        def read_tags() -> None:
            known.update(in_bulk(self, [bucket.facts["arn"] for bucket in buckets]))

        def read_one(bucket: str, option: str) -> None:
            with self.failing_alone(bucket):
                found[bucket].settings[option] = _value(readers[option], bucket)

        work: list[Callable[[], None]] = [partial(read_one, *one) for one in wanted]
        if worth_it(self, buckets):
            work.insert(0, read_tags)
        self.aws.together(*work)
        add_tags(self, found, untagged, lambda bucket: _value(readers["tags"], bucket.settings["name"]), known)
        for name, bucket in found.items():
            # Only to be set up. To delete what may be somebody else's would be too much.
            if self.owner_tags and self.params.get("state") != "absent" and bucket.settings.get("tags") == {}:
                with self.failing_alone(name):
                    bucket.unfinished = self._is_new(name, readers)
        return found

    def _is_new(self, name: str, readers: dict[str, Reader]) -> bool:
        """Whether a bucket is as CreateBucket leaves it, without tags: a run was interrupted just then."""
        set_up = any(_value(readers[option], name) for option in ("policy", "versioning", "lifecycle_rules"))
        encryption = _value(readers["encryption"], name)
        return not set_up and encryption.get("algorithm") in (None, "AES256") and not self._holds_something(name)

    def _holds_something(self, name: str) -> bool:
        page = self.client.list_object_versions(Bucket=name, MaxKeys=1)
        return bool(page.get("Versions") or page.get("DeleteMarkers"))

    def _look(self, item: Settings, readers: dict[str, Reader]) -> Resource | None:
        """The bucket with the first of the settings that are asked for, None where there is none.

        To read that says as well whether it is there; of what cannot be read HeadBucket tells whose it is, and of a
        bucket that nothing is to be read of.
        """
        name = item["name"]
        settings: Settings = {"name": name}
        options = [option for option in readers if item.get(option) is not None]
        try:
            if options:
                settings[options[0]] = _value(readers[options[0]], name)
            elif not self._exists(name):
                return None
        except ClientError as error:
            if error_code(error) == "NoSuchBucket" or (error_code(error) == "AccessDenied" and not self._exists(name)):
                return None
            raise
        return Resource(settings, self.predict(settings))

    def _exists(self, name: str) -> bool:
        # HeadBucket tells a bucket of somebody else's (403) from one that does not exist (404).
        try:
            return read_or_none(self.client.head_bucket, ("404", "NoSuchBucket"), Bucket=name) is not None
        except ClientError as error:
            if error_code(error) != "403":
                raise
            raise Refused(
                "HeadBucket failed with 403: the bucket exists in another account, or these credentials may not see "
                "it. Fix: choose another name, or allow s3:ListBucket on it"
            ) from error

    def predict(self, after: Settings) -> dict[str, Any]:
        return {"arn": f"arn:{self.client.meta.partition}:s3:::{after['name']}"}

    def create(self, after: Settings) -> dict[str, Any]:
        arguments: dict[str, Any] = {"Bucket": after["name"]}
        if self.client.meta.region_name != "us-east-1":
            arguments["CreateBucketConfiguration"] = {"LocationConstraint": self.client.meta.region_name}
        self.client.create_bucket(**arguments)
        self._write_when_ready(after, {option for option, value in after.items() if value not in ({}, [])})
        return self.predict(after)

    def update(self, before: Resource, after: Settings, changed: set[str]) -> None:
        self._write_when_ready(after, changed)

    def _write_when_ready(self, after: Settings, changed: set[str]) -> None:
        # For some seconds after a creation or deletion S3 answers these; what was written may be written again.
        until_propagated(partial(self._write, after, changed), only("NoSuchBucket", "OperationAborted"))

    def _write(self, after: Settings, changed: set[str]) -> None:
        s3, bucket = self.client, after["name"]
        # In this order: the tags say whose it is, should the run be interrupted, and nothing can be uploaded
        # unprotected between two calls that matter.
        if "tags" in changed:
            if after["tags"]:
                s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": to_list(after["tags"])})
            else:
                s3.delete_bucket_tagging(Bucket=bucket)
        if "block_public_access" in changed:
            if after["block_public_access"]:
                s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=BLOCK_EVERYTHING)
            else:
                s3.delete_public_access_block(Bucket=bucket)
        if "object_ownership" in changed:
            controls = {"Rules": [{"ObjectOwnership": after["object_ownership"]}]}
            s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=controls)
        if "encryption" in changed:
            self._write_encryption(bucket, after["encryption"])
        if "versioning" in changed:
            status = "Enabled" if after["versioning"] else "Suspended"
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})
        if "policy" in changed:
            if after["policy"]:
                s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(after["policy"]))
            else:
                s3.delete_bucket_policy(Bucket=bucket)
        if "lifecycle_rules" in changed:
            if after["lifecycle_rules"]:
                shape = input_shape(s3, "PutBucketLifecycleConfiguration").members["LifecycleConfiguration"]
                rules = to_request(shape, {"rules": after["lifecycle_rules"]})
                s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=rules)
            else:
                s3.delete_bucket_lifecycle(Bucket=bucket)

    def _write_encryption(self, bucket: str, encryption: Settings) -> None:
        if not encryption:
            self.client.delete_bucket_encryption(Bucket=bucket)
            return
        default = {"SSEAlgorithm": encryption["algorithm"]}
        if encryption.get("kms_key_id"):
            default["KMSMasterKeyID"] = encryption["kms_key_id"]
        rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": encryption.get("bucket_key", False)}
        self.client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})

    def check_delete(self, before: Resource, item: Settings) -> None:
        if not item["force"] and self._holds_something(item["name"]):
            raise Refused(
                "it still holds objects and was not deleted. Fix: empty it, or set force: true to delete every "
                "version of every object in it"
            )

    def delete(self, before: Resource, item: Settings) -> None:
        if item["force"]:
            # It may deny the deletion of objects to everybody, to whom it is to be emptied too.
            self.client.delete_bucket_policy(Bucket=item["name"])
            self._empty(item["name"])
        # Without force AWS refuses when an object has arrived since check_delete looked.
        self.client.delete_bucket(Bucket=item["name"])

    def _empty(self, bucket: str) -> None:
        for page in self.client.get_paginator("list_object_versions").paginate(Bucket=bucket):
            versions = [
                {"Key": version["Key"], "VersionId": version["VersionId"]}
                for version in page.get("Versions", []) + page.get("DeleteMarkers", [])
            ]
            if versions:
                self._delete_versions(bucket, versions)

    def _delete_versions(self, bucket: str, versions: list[dict[str, str]]) -> None:
        errors: list[dict[str, str]] = []

        def delete() -> None:
            errors[:] = self.client.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True}).get(
                "Errors", []
            )
            if any(error["Code"] == "AccessDenied" for error in errors):
                raise NotYet

        # A policy that was just deleted is still in force here and there, for a moment.
        with suppress(NotYet):
            until_propagated(delete, is_not_yet, EMPTYING_TIMEOUT)
        for problem in errors:
            raise Refused(f"{problem['Key']} could not be deleted: {problem['Code']}: {problem['Message']}")


def _value(reader: Reader, bucket: str) -> Any:
    """What a reader reads of a bucket."""
    read, missing, default = reader
    value = read_or_none(partial(read, bucket), missing)
    return default if value is None else value


def _encryption(answer: dict[str, Any]) -> Settings:
    """The first rule of GetBucketEncryption (a bucket has one) in the vocabulary of the option."""
    rule = answer["ServerSideEncryptionConfiguration"]["Rules"][0]
    default = rule["ApplyServerSideEncryptionByDefault"]
    result = {"algorithm": default["SSEAlgorithm"], "bucket_key": rule.get("BucketKeyEnabled", False)}
    if default.get("KMSMasterKeyID"):
        result["kms_key_id"] = default["KMSMasterKeyID"]
    return result
