# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide the virtual environment with the pinned development requirements.

uv installs them, as it is several times faster than pip for the tens of thousands of files in PyPI's ansible package.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import venv
from pathlib import Path
from urllib.parse import urljoin

PIP_VERSION = "26.3"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
INDEX = "https://pypi.org/simple/pip/"


class VenvError(Exception):
    """The environment could not be made; the message says what to do."""


def provide(path: Path, requirements: Path) -> None:
    """Make PATH a virtual environment that holds exactly REQUIREMENTS; quick when it already does."""
    wanted = requirements.read_text()
    # Another Python, or another place of the clone (the environment's scripts carry it), needs a new environment;
    # other requirements are installed into the one there is.
    identity = f"{sys.version} {sys.base_prefix} {path}"
    stamp = path / "requirements.sha256"
    digest = hashlib.sha256(wanted.encode()).hexdigest()
    same_place = _read(path / "identity") == identity and _runs(path)
    if same_place and _read(stamp) == digest:
        return
    print(f"Setting up Python {sys.version.split()[0]} in {path.parent.name}/{path.name} ...", flush=True)
    # System certificates: a company's proxy may have extended them.
    environment = os.environ | {"UV_SYSTEM_CERTS": "true", "VIRTUAL_ENV": str(path)}
    environment.pop("PYTHONPATH", None)
    if not os.path.isdir(environment.get("HOME", "")):
        environment["UV_CACHE_DIR"] = str(path.parent / "cache" / "uv")
    if not same_place:
        shutil.rmtree(path, ignore_errors=True)
        _bootstrap_uv(path, pinned_uv(wanted), environment)
    sync = [str(path / "bin" / "python"), "-m", "uv", "pip", "sync", "--quiet", "--no-config", "--require-hashes"]
    _run(
        [*sync, str(requirements)],
        environment,
        f"could not install {requirements.name}",
    )
    (path / "identity").write_text(identity)
    stamp.write_text(digest)


def pinned_uv(requirements: str) -> str:
    """The lines of REQUIREMENTS that pin uv, with its hashes."""
    match = re.search(r"^uv==(?:.*\\\n)+.*\n", requirements, re.MULTILINE)
    if match is None:
        raise VenvError("the requirements do not pin uv with its hashes")
    return match[0]


def _read(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


def _runs(path: Path) -> bool:
    try:
        return subprocess.run([path / "bin" / "python", "-c", ""], check=False).returncode == 0
    except OSError:
        return False


def _bootstrap_uv(path: Path, uv: str, environment: dict[str, str]) -> None:
    """Create the environment at PATH with uv in it.

    Debian and Ubuntu ship Python without ensurepip; there pip runs from its own wheel, checked by its hash.
    """
    pip = [str(path / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    problem = "could not install uv from PyPI"
    with tempfile.TemporaryDirectory() as directory:
        requirements = Path(directory) / "uv.txt"
        requirements.write_text(uv)
        pip += ["--require-hashes", "--requirement", str(requirements)]
        try:
            import ensurepip  # noqa: F401
        except ImportError:
            venv.create(path, with_pip=False, symlinks=True)
            wheel = _download_pip(Path(directory))
            _run(pip, environment | {"PYTHONPATH": str(wheel)}, problem)
        else:
            venv.create(path, with_pip=True, symlinks=True)
            _run(pip, environment, problem)


def _download_pip(directory: Path) -> Path:
    """Download the pinned pip wheel into DIRECTORY and return its path."""
    try:
        with urllib.request.urlopen(INDEX, timeout=60) as response:
            page = response.read().decode()
        link = re.search(rf'href="([^"#]+)#sha256={PIP_SHA256}"', page)
        if link is None:
            raise VenvError(f"pip {PIP_VERSION} with the pinned hash is not on {INDEX}")
        with urllib.request.urlopen(urljoin(INDEX, link[1]), timeout=60) as response:
            content: bytes = response.read()
    except (urllib.error.URLError, ssl.SSLError, TimeoutError) as error:
        raise VenvError(f"this Python has no ensurepip, and pip could not be downloaded: {error}") from error
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        raise VenvError("the downloaded pip has another SHA-256 than the pinned one")
    wheel = directory / f"pip-{PIP_VERSION}-py3-none-any.whl"
    wheel.write_bytes(content)
    return wheel


def _run(command: list[str], environment: dict[str, str], problem: str) -> None:
    try:
        subprocess.run(command, env=environment, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise VenvError(f"{problem}: {error}") from error
