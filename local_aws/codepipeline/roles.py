# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pipeline's service role at work: credentials that are renewed, and clients that carry them."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from local_aws import identity
from local_aws.aws_json import AwsError, Caller
from local_aws.identity import Credentials

SERVICE_PRINCIPAL = "codepipeline.amazonaws.com"
_MARGIN = timedelta(minutes=10)


class RoleSession:
    """The pipeline's role, or an action's role that the pipeline's role assumes, for one action execution."""

    def __init__(
        self,
        role_arn: str,
        pipeline_arn: str,
        account_id: str,
        region: str,
        session_name: str,
        action_role_arn: str | None = None,
    ) -> None:
        self._role_arn, self._action_role_arn = role_arn, action_role_arn
        self._pipeline_arn, self._account_id, self._region = pipeline_arn, account_id, region
        self._session_name = session_name
        self._lock = threading.Lock()
        self._credentials: Credentials | None = None
        self._clients: dict[str, Any] = {}

    def credentials(self) -> Credentials:
        """Credentials that are good for some minutes more. Raises AwsError when the role cannot be assumed."""
        with self._lock:
            if self._credentials is None or self._credentials.expiration - datetime.now(UTC) < _MARGIN:
                self._credentials = self._assume()
                self._clients.clear()
            return self._credentials

    def client(self, service: str) -> Any:
        """A client of a service with this role's credentials."""
        credentials = self.credentials()
        with self._lock:
            if service not in self._clients:
                self._clients[service] = identity.client(service, credentials, self._region)
            return self._clients[service]

    def caller(self) -> Caller:
        """Who AWS sees in a call of this role."""
        return identity.caller(self.credentials(), self._region)

    def _assume(self) -> Credentials:
        credentials = assume(self._role_arn, self._pipeline_arn, self._account_id, self._session_name)
        if self._action_role_arn is None or self._action_role_arn == self._role_arn:
            return credentials
        answer = identity.client("sts", credentials, self._region).assume_role(
            RoleArn=self._action_role_arn, RoleSessionName=self._session_name
        )["Credentials"]
        return Credentials(
            answer["AccessKeyId"], answer["SecretAccessKey"], answer["SessionToken"], answer["Expiration"]
        )


def assume(role_arn: str, pipeline_arn: str, account_id: str, session_name: str) -> Credentials:
    """Credentials of a pipeline's role. Raises AwsError in CodePipeline's words when the role does not allow it."""
    try:
        return identity.assume_service_role(
            role_arn, SERVICE_PRINCIPAL, session_name, source_arn=pipeline_arn, source_account=account_id
        )
    except AwsError as error:
        raise AwsError(
            "InvalidStructureException", f"CodePipeline is not authorized to perform AssumeRole on role {role_arn}"
        ) from error
