# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts MiniStack and the services of local AWS in one process, on a loopback address, with IAM enforced."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from local_aws import process
from local_aws.asgi import App, Message, Receive, Scope, Send


def serve(port: int, data: Path, *, host: str = "127.0.0.1", allow_remote: bool = False) -> None:
    """Run local AWS until SIGTERM or SIGINT. Port 0 takes a free one; data/endpoint.json says where it listens.

    Raises ValueError for an address that other machines reach (unless allow_remote), OSError when the port is taken.
    """
    if not allow_remote and not process.is_loopback(host):
        raise ValueError(
            f"{host} can be reached by other machines, and local AWS has a root key that everybody knows. "
            "Use a loopback address, or say --allow-remote."
        )
    process.use_data_dir(data)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
        listener.set_inheritable(False)
        bound_port = listener.getsockname()[1]
        _prepare_environment(bound_port)
        uvloop.run(_serve(listener, f"http://{f'[{host}]' if ':' in host else host}:{bound_port}"))


def _prepare_environment(port: int) -> None:
    """What MiniStack reads from the environment, set before it is imported; it must see no real credentials."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name in ("PERSIST_STATE", "S3_PERSIST", "LOCALSTACK_PERSISTENCE", "SERVICES"):
            del os.environ[name]
    os.environ.update(
        {
            "AUTH": "true",
            "GATEWAY_PORT": str(port),
            "AWS_ACCESS_KEY_ID": process.ROOT_ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": process.ROOT_SECRET_ACCESS_KEY,
            # Files of the machine's user must not leak into what our services sign with.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
        }
    )
    os.environ.setdefault("MINISTACK_ACCOUNT_ID", process.DEFAULT_ACCOUNT_ID)
    os.environ.setdefault("LOG_LEVEL", "WARNING")


async def _serve(listener: socket.socket, endpoint_url: str) -> None:
    import hypercorn.asyncio.run
    from hypercorn.asyncio import serve as hypercorn_serve
    from hypercorn.config import Config

    from local_aws import admin, clocks, faults, identity, ministack_fixes, services
    from local_aws.codepipeline import pushes
    from local_aws.latency import delayed
    from local_aws.pace import paced
    from local_aws.request_log import RequestLog

    identity.set_endpoint_url(endpoint_url)
    ministack_fixes.apply()
    services.register()
    hypercorn.asyncio.run.TCPServer = faults.Connection
    from ministack.app import app

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def announce() -> None:
        _write_endpoint(endpoint_url)
        pushes.start()
        print(f"Local AWS listens on {endpoint_url} (data in {process.data_dir()})", flush=True)

    log = RequestLog(process.data_dir() / "calls.jsonl")
    hosted = _when_started(
        admin.routes(ministack_fixes.remembering(log.wrap(clocks.checked(faults.faulty(delayed(paced(app))))))),
        announce,
    )
    config = Config()
    config.bind = [f"fd://{os.dup(listener.fileno())}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.5
    config.accesslog = None
    config.loglevel = "WARNING"
    logging.getLogger("hypercorn.error").setLevel(logging.WARNING)
    try:
        await hypercorn_serve(hosted, config, shutdown_trigger=stop.wait)
    finally:
        process.shut_down()
        log.close()
        (process.data_dir() / "endpoint.json").unlink(missing_ok=True)


def _when_started(app: App, announce: Callable[[], None]) -> App:
    """Call announce once the application is ready to take requests."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def seen(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                announce()

        await app(scope, receive, seen if scope["type"] == "lifespan" else send)

    return wrapped


def _write_endpoint(endpoint_url: str) -> None:
    port = int(endpoint_url.rpartition(":")[2])
    content = {"endpoint_url": endpoint_url, "port": port, "pid": os.getpid(), "started": time.time()}
    temporary = process.data_dir() / "endpoint.json.new"
    temporary.write_text(json.dumps(content) + "\n", encoding="utf-8")
    temporary.replace(process.data_dir() / "endpoint.json")
