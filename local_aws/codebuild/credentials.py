# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service role as a build uses it: its clients, and the endpoint from which the build's SDKs fetch credentials."""

from __future__ import annotations

import json
import secrets
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local_aws import identity

_RENEW_BEFORE = timedelta(minutes=5)


class RoleSession:
    """A service role assumed for one build; credentials are renewed before they expire.

    The first use assumes the role and raises AwsError when its trust policy does not allow CodeBuild.
    """

    def __init__(self, role_arn: str, session_name: str, *, project_arn: str, account_id: str, region: str) -> None:
        self.role_arn = role_arn
        self.region = region
        self._session_name = session_name
        self._project_arn = project_arn
        self._account_id = account_id
        self._lock = threading.Lock()
        self._credentials: identity.Credentials | None = None
        self._clients: dict[str, Any] = {}

    def credentials(self) -> identity.Credentials:
        """Credentials that are valid for some minutes at least."""
        with self._lock:
            held = self._credentials
            if held is None or held.expiration - datetime.now(UTC) < _RENEW_BEFORE:
                held = self._credentials = identity.assume_service_role(
                    self.role_arn,
                    "codebuild.amazonaws.com",
                    self._session_name,
                    source_arn=self._project_arn,
                    source_account=self._account_id,
                )
                self._clients = {}
            return held

    def client(self, service: str) -> Any:
        """A client of a service, with the role's credentials; ask again for each call, they may be renewed."""
        credentials = self.credentials()
        with self._lock:
            found = self._clients.get(service)
        if found is None:
            found = identity.client(service, credentials, self.region)
            with self._lock:
                if credentials is self._credentials:
                    self._clients[service] = found
        return found


class CredentialsEndpoint:
    """Answers a build's SDKs on loopback, as the container credentials endpoint does on AWS.

    The path is unguessable: on AWS the address is reachable from inside the container only.
    """

    def __init__(self, role: RoleSession) -> None:
        path = "/" + secrets.token_urlsafe(32)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not secrets.compare_digest(self.path.encode(), path.encode()):
                    self._answer(404, {"code": "NotFound", "message": "not found"})
                    return
                try:
                    credentials = role.credentials()
                except Exception as error:
                    self._answer(500, {"code": "InternalError", "message": str(error)})
                    return
                self._answer(
                    200,
                    {
                        "AccessKeyId": credentials.access_key_id,
                        "SecretAccessKey": credentials.secret_access_key,
                        "Token": credentials.session_token,
                        "Expiration": credentials.expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
                        "RoleArn": role.role_arn,
                    },
                )

            def _answer(self, status: int, content: dict[str, str]) -> None:
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing: the path is a secret."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{path}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
