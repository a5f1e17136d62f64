# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provide Terraform and a CLI configuration that takes the AWS provider from a mirror on this machine, if there is one.

Terraform on PATH is used when it is new enough, else a pinned release is downloaded and checked.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

MINIMUM = (1, 11)
VERSION = "1.11.4"
# SHA-256 of HashiCorp's release archives, by platform.
ARCHIVES = {
    "darwin_amd64": "a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b",
    "darwin_arm64": "867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18",
    "linux_amd64": "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
    "linux_arm64": "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
}
RELEASES = "https://releases.hashicorp.com/terraform"
REGISTRY = "registry.terraform.io"
PROVIDER = f"{REGISTRY}/hashicorp/aws"
# Where packages and administrators put things for all users; searched this many levels deep.
SHARED_ROOTS = (Path("/opt"), Path("/usr"))
SHARED_DEPTH = 4


class TerraformError(Exception):
    """Terraform could not be provided; the message says what to do."""


def provide(work: Path) -> None:
    """Write WORK/terraform.rc, and WORK/terraform/terraform unless Terraform on PATH is new enough."""
    binaries = work / "terraform"
    binaries.mkdir(exist_ok=True)
    name = machine_platform()
    if not _new_enough("terraform") and not _new_enough(str(binaries / "terraform")):
        if name not in ARCHIVES:
            raise TerraformError(f"no Terraform {VERSION} is pinned for {name}: put Terraform 1.11 or newer on PATH")
        download(f"{RELEASES}/{VERSION}/terraform_{VERSION}_{name}.zip", ARCHIVES[name], binaries / "terraform")

    mirror = find_mirror(os.environ, work.parent, name, locked_version(work.parent / "tf" / ".terraform.lock.hcl"))
    cache = work / "terraform" / "providers"
    if mirror is None:
        cache.mkdir(exist_ok=True)
    (work / "terraform.rc").write_text(cli_configuration(mirror, cache))


def machine_platform() -> str:
    """This machine in Terraform's terms, such as linux_amd64."""
    machine = platform.machine().lower()
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
    return f"{sys.platform}_{architecture}"


def _new_enough(command: str) -> bool:
    """Whether COMMAND runs and is Terraform of at least the minimum version."""
    # TF_CLI_CONFIG_FILE may name a file that does not exist, of which Terraform would complain in its output.
    environment = os.environ | {"CHECKPOINT_DISABLE": "1", "TF_CLI_CONFIG_FILE": os.devnull}
    try:
        result = subprocess.run(
            [command, "version", "-json"], env=environment, capture_output=True, check=True, timeout=60
        )
        version = json.loads(result.stdout)["terraform_version"]
        return tuple(int(part) for part in re.findall(r"\d+", version)[:2]) >= MINIMUM
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return False


def download(url: str, sha256: str, target: Path) -> None:
    """Download the archive at URL, check its SHA256, and put the terraform binary in it at TARGET."""
    print(f"Downloading {url} ...", flush=True)
    try:
        with urllib.request.urlopen(url, timeout=300) as response:
            archive: bytes = response.read()
    except (urllib.error.URLError, TimeoutError) as error:
        raise TerraformError(
            f"{url} could not be downloaded ({error}); put Terraform 1.11 or newer on PATH instead"
        ) from error
    if (found := hashlib.sha256(archive).hexdigest()) != sha256:
        raise TerraformError(f"{url} has SHA-256 {found}, expected {sha256}: not installed")
    # Written under another name first: an interrupted run must not leave half a binary.
    part = target.with_suffix(".part")
    part.write_bytes(zipfile.ZipFile(io.BytesIO(archive)).read("terraform"))
    part.chmod(0o755)
    part.replace(target)


def locked_version(lock_file: Path) -> str | None:
    """The version of the AWS provider that LOCK_FILE names, or None without one."""
    if not lock_file.is_file():
        return None
    match = re.search(rf'provider "{re.escape(PROVIDER)}" {{\s*version\s*=\s*"([^"]+)"', lock_file.read_text())
    return match[1] if match else None


def find_mirror(environment: Mapping[str, str], directory: Path, name: str, version: str | None) -> Path | None:
    """The first directory that mirrors the AWS provider for platform NAME (in VERSION, if given), or None.

    TF_MIRROR in ENVIRONMENT names one and must then be right. Otherwise Terraform's own places are searched (those of
    DIRECTORY first, then the user's), then those where packages and administrators put things for all users.
    """
    if chosen := environment.get("TF_MIRROR"):
        path = directory / chosen
        if not _has_provider(path, name, version):
            wanted = f"{PROVIDER} {version or ''}".strip()
            raise TerraformError(f"TF_MIRROR={chosen} does not hold {wanted} for {name}")
        return path
    for path in _usual_places(environment, directory):
        if _has_provider(path, name, version):
            return path
    return None


def _usual_places(environment: Mapping[str, str], directory: Path) -> Iterator[Path]:
    yield directory / "terraform.d" / "plugins"
    home = environment.get("HOME")
    if home:
        yield Path(home, ".terraform.d", "plugins")
        yield Path(home, "Library", "Application Support", "io.terraform", "plugins")
    data = environment.get("XDG_DATA_HOME") or (f"{home}/.local/share" if home else "")
    dirs = environment.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    for base in [data, *dirs.split(":")]:
        if base:
            yield Path(base, "terraform", "plugins")
    for root in SHARED_ROOTS:
        yield from _mirrors_below(root, SHARED_DEPTH)


def _mirrors_below(root: Path, depth: int) -> Iterator[Path]:
    """Directories that hold one named after the registry, at most DEPTH levels below ROOT."""
    if depth == 0:
        return
    try:
        children = sorted(entry.path for entry in os.scandir(root) if entry.is_dir(follow_symlinks=False))
    except OSError:
        return
    if str(root / REGISTRY) in children:
        yield root
        return
    for child in children:
        yield from _mirrors_below(Path(child), depth - 1)


def _has_provider(mirror: Path, name: str, version: str | None) -> bool:
    """Whether MIRROR holds the provider for platform NAME, in Terraform's unpacked or packed layout."""
    provider = mirror / PROVIDER
    pattern = version or "*"
    unpacked = provider.glob(f"{pattern}/{name}/terraform-provider-aws*")
    packed = provider.glob(f"terraform-provider-aws_{pattern}_{name}.zip")
    return any(unpacked) or any(packed)


def cli_configuration(mirror: Path | None, cache: Path) -> str:
    """Terraform's CLI configuration: the provider from MIRROR, or from the registry and kept in CACHE."""
    if mirror is None:
        return f"plugin_cache_dir = {json.dumps(str(cache))}\n"
    return (
        "provider_installation {\n"
        "  filesystem_mirror {\n"
        f"    path    = {json.dumps(str(mirror))}\n"
        f"    include = [{json.dumps(PROVIDER)}]\n"
        "  }\n"
        "  direct {\n"
        f"    exclude = [{json.dumps(PROVIDER)}]\n"
        "  }\n"
        "}\n"
    )
