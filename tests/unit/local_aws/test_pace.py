# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers to the SDK for Go do not come at once; those to everybody else do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from local_aws import pace


@pytest.mark.parametrize(
    ("user_agent", "pauses"),
    [(b"APN/1.0 Terraform/1.11.4 aws-sdk-go-v2/1.36.0", [pace.SECONDS]), (b"Boto3/1.43 Botocore/1.43", [])],
)
def test_only_answers_to_the_sdk_for_go_are_held_back(
    monkeypatch: pytest.MonkeyPatch, user_agent: bytes, pauses: list[float]
) -> None:
    happened: list[Any] = []

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start"})
        await send({"type": "http.response.body"})

    async def sleep(seconds: float) -> None:
        happened.append(seconds)

    async def send(message: Any) -> None:
        happened.append(message["type"])

    async def receive() -> Any:
        return {}

    async def call() -> None:
        await pace.paced(app)({"type": "http", "headers": [(b"user-agent", user_agent)]}, receive, send)

    monkeypatch.setattr("local_aws.pace.asyncio.sleep", sleep)
    asyncio.run(call())

    assert happened == [*pauses, "http.response.start", "http.response.body"]
