# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""KMS keys used by other services for their caller: on AWS the caller needs the right to use the key.

S3 objects, SSM parameters and secrets under a customer's key are encrypted and decrypted in the caller's name, so the
key's policy and the caller's own policies must allow it. AWS's own keys (aws/s3, aws/ssm, aws/secretsmanager) let
everybody in the account use them through their service, and are not checked.
"""

from __future__ import annotations

import contextvars
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.services import kms, s3, secretsmanager, ssm

from local_aws.aws_json import AwsError, authorize, caller_of

Response = tuple[int, dict[str, str], Any]

request_key: contextvars.ContextVar[str] = contextvars.ContextVar("local_aws_request_key", default="")
"""The access key that signed the request; "" where no request is served."""


_s3_path: contextvars.ContextVar[str] = contextvars.ContextVar("local_aws_s3_path", default="")
"""The path of the request that S3 serves, /bucket/key."""


def apply() -> None:
    """Install the checks in S3, SSM and Secrets Manager, and KMS's own of new key policies."""
    _s3_writes()
    _s3_reads()
    _ssm_parameters()
    _secrets()
    _lockout()


def _check(service: str, action: str, key_id: str, context: dict[str, str]) -> str:
    """The ARN of a key that the caller may use for an action. Raises AwsError with KMS's or IAM's code."""
    key = kms._resolve_key(key_id)
    if key is None:
        raise AwsError("KMS.NotFoundException", f"Invalid keyId '{key_id}'")
    arn = str(key["Arn"])
    if key.get("KeyState") == "PendingDeletion":
        raise AwsError("KMS.KMSInvalidStateException", f"{arn} is pending deletion.")
    if key.get("KeyState") == "Disabled":
        raise AwsError("KMS.DisabledException", f"{arn} is disabled.")
    if access_key := request_key.get():
        authorize(
            caller_of(access_key, get_region()),
            f"kms:{action}",
            arn,
            {
                "kms:ViaService": f"{service}.{get_region()}.amazonaws.com",
                "kms:CallerAccount": get_account_id(),
                **{f"kms:EncryptionContext:{name}": value for name, value in context.items()},
            },
        )
    return arn


def _aws_managed_s3_key() -> str:
    """The ARN that stands for the account's aws/s3 key."""
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"aws/s3:{get_region()}:{get_account_id()}")
    return f"arn:aws:kms:{get_region()}:{get_account_id()}:key/{name}"


def _s3_context(path: str) -> dict[str, str]:
    """The encryption context of an object at /bucket/key: the bucket, where it has a bucket key, else the object."""
    bucket = path.strip("/").partition("/")[0]
    # MiniStack keeps what PutBucketEncryption was given; that an object was written under another setting, it forgets.
    with_bucket_key = "<BucketKeyEnabled>true" in str(s3._bucket_encryption.get(bucket, ""))
    return {"aws:s3:arn": f"arn:aws:s3:::{bucket if with_bucket_key else path.strip('/')}"}


def _s3_writes() -> None:
    """A write under a customer's key needs kms:GenerateDataKey; aws:kms without a key means the bucket's, or aws/s3."""
    original = s3._resolve_sse_write_headers
    algorithm, key_header = "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"

    def resolve(headers: dict[str, str], bucket: str) -> tuple[dict[str, str] | None, Any]:
        if headers.get(algorithm) == "aws:kms" and not headers.get(key_header):
            default = s3._bucket_default_sse_headers(bucket)
            headers = {**headers, key_header: default.get(key_header) or _aws_managed_s3_key()}
        stored, error = original(headers, bucket)
        if error is not None or not stored or stored.get(algorithm) != "aws:kms":
            return stored, error
        key_id = stored.get(key_header) or _aws_managed_s3_key()
        if key_id != _aws_managed_s3_key():
            try:
                key_id = _check("s3", "GenerateDataKey", key_id, _s3_context(_s3_path.get() or f"/{bucket}"))
            except AwsError as failure:
                return None, _s3_error(failure)
        return stored | {key_header: key_id}, None

    s3._resolve_sse_write_headers = resolve


def _s3_reads() -> None:
    """GetObject of an object under a customer's key needs kms:Decrypt; so does a copy or a multipart upload of it."""
    original: Callable[..., Awaitable[Response]] = s3.handle_request

    async def check_source(headers: dict[str, str]) -> None:
        source, _, version = headers["x-amz-copy-source"].partition("?versionId=")
        path = "/" + unquote(source).lstrip("/")
        asking = {name: value for name, value in headers.items() if not name.startswith(("x-amz-", "content-"))}
        answer = await original("HEAD", path, asking, b"", {"versionId": [unquote(version)]} if version else {})
        key_id = {name.lower(): value for name, value in answer[1].items()}.get(
            "x-amz-server-side-encryption-aws-kms-key-id"
        )
        if answer[0] < 300 and key_id and key_id != _aws_managed_s3_key():
            _check("s3", "Decrypt", key_id, _s3_context(path))

    async def handle(
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        query_params: dict[str, Any],
        *arguments: Any,
        **more: Any,
    ) -> Response:
        _s3_path.set(unquote(path))
        if method == "PUT" and "x-amz-copy-source" in headers:
            try:
                await check_source(headers)
            except AwsError as failure:
                refused: Response = _s3_error(failure)
                return refused
        answer = await original(method, path, headers, body, query_params, *arguments, **more)
        encryption = {name.lower(): value for name, value in answer[1].items()}
        key_id = encryption.get("x-amz-server-side-encryption-aws-kms-key-id", "")
        uses_key = method == "GET" or (method == "POST" and "uploads" in query_params)
        if answer[0] >= 300 or not uses_key or not key_id or key_id == _aws_managed_s3_key():
            return answer
        try:
            _check("s3", "Decrypt", key_id, _s3_context(path))
        except AwsError as failure:
            error: Response = _s3_error(failure)
            return error
        return answer

    s3.handle_request = handle


def _s3_error(failure: AwsError) -> Any:
    denied = failure.code == "AccessDeniedException"
    return s3._error("AccessDenied" if denied else failure.code, failure.message, 403 if denied else 400)


def _ssm_parameters() -> None:
    """A SecureString under a customer's key needs kms:Encrypt to write and kms:Decrypt to read with decryption."""
    show, put = ssm._param_out, ssm._put_parameter
    handle_request: Callable[..., Awaitable[Response]] = ssm.handle_request

    def shown(parameter: dict[str, Any], with_decryption: bool, *arguments: Any, **more: Any) -> Any:
        key_id = parameter.get("KeyId")
        if with_decryption and parameter.get("Type") == "SecureString" and key_id and key_id != "alias/aws/ssm":
            _check("ssm", "Decrypt", key_id, {"PARAMETER_ARN": str(parameter.get("ARN", ""))})
        return show(parameter, with_decryption, *arguments, **more)

    def put_parameter(request: dict[str, Any]) -> Any:
        key_id = request.get("KeyId")
        if request.get("Type") == "SecureString" and key_id and key_id != "alias/aws/ssm":
            _check("ssm", "Encrypt", key_id, {"PARAMETER_ARN": str(ssm._param_arn(request.get("Name", "")))})
        return put(request)

    async def handle(*arguments: Any, **more: Any) -> Response:
        try:
            return await handle_request(*arguments, **more)
        except AwsError as failure:
            return _json_error(failure, "InvalidKeyId")

    ssm._param_out, ssm._put_parameter, ssm.handle_request = shown, put_parameter, handle


def _secrets() -> None:
    """A secret under a customer's key needs kms:Decrypt to read, and kms:GenerateDataKey and Decrypt to write."""
    create, put, get = secretsmanager._create_secret, secretsmanager._put_secret_value, secretsmanager._get_secret_value
    handle_request: Callable[..., Awaitable[Response]] = secretsmanager.handle_request

    def key_of(request: dict[str, Any]) -> tuple[str | None, str]:
        _, secret = secretsmanager._resolve(request.get("SecretId"))
        secret = secret or {}
        return secret.get("KmsKeyId"), str(secret.get("ARN", ""))

    def check(actions: tuple[str, ...], key_id: str | None, arn: str) -> None:
        for action in actions if key_id and key_id != "alias/aws/secretsmanager" else ():
            _check("secretsmanager", action, str(key_id), {"SecretARN": arn})

    def create_secret(request: dict[str, Any]) -> Any:
        check(("GenerateDataKey", "Decrypt"), request.get("KmsKeyId"), "")
        return create(request)

    def put_secret_value(request: dict[str, Any]) -> Any:
        check(("GenerateDataKey", "Decrypt"), *key_of(request))
        return put(request)

    def get_secret_value(request: dict[str, Any]) -> Any:
        check(("Decrypt",), *key_of(request))
        return get(request)

    async def handle(*arguments: Any, **more: Any) -> Response:
        try:
            return await handle_request(*arguments, **more)
        except AwsError as failure:
            return _json_error(failure, "EncryptionFailure")

    secretsmanager._create_secret, secretsmanager._put_secret_value = create_secret, put_secret_value
    secretsmanager._get_secret_value, secretsmanager.handle_request = get_secret_value, handle


def _lockout() -> None:
    """A new key policy must let its author change it again, unless the call says BypassPolicyLockoutSafetyCheck."""
    create: Callable[[dict[str, Any]], Any] = kms._create_key
    put: Callable[[dict[str, Any]], Any] = kms._put_key_policy

    def problem(request: dict[str, Any], arn: str) -> Any:
        try:
            json.loads(request["Policy"])
            if request_key.get() and not request.get("BypassPolicyLockoutSafetyCheck"):
                authorize(caller_of(request_key.get(), get_region()), "kms:PutKeyPolicy", arn)
        except AwsError:
            text = "The new key policy will not allow you to update the key policy in the future."
        except ValueError:
            text = "The key policy is not valid JSON."
        else:
            return None
        return error_response_json("MalformedPolicyDocumentException", text, 400)

    def create_key(request: dict[str, Any]) -> Any:
        answer = create(request)
        if answer[0] != 200 or not request.get("Policy"):
            return answer
        made = json.loads(answer[2])["KeyMetadata"]
        if refused := problem(request, made["Arn"]):
            kms._keys.pop(made["KeyId"], None)
            return refused
        return answer

    def put_key_policy(request: dict[str, Any]) -> Any:
        key = kms._resolve_key(request.get("KeyId", ""))
        before = key.get("Policy") if key else None
        answer = put(request)
        if key is not None and (refused := problem(request, str(key["Arn"]))):
            key["Policy"] = before
            return refused
        return answer

    kms._create_key, kms._put_key_policy = create_key, put_key_policy


def _json_error(failure: AwsError, key_error: str) -> Response:
    """The answer of a JSON service; a key that cannot be used has the service's own code for that."""
    code = key_error if failure.code.startswith("KMS.") else failure.code
    return (
        400,
        {"Content-Type": "application/x-amz-json-1.1"},
        json.dumps({"__type": code, "message": failure.message}).encode(),
    )
