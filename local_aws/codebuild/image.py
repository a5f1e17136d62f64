# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that a build finds on PATH: what the official Terraform image has, and nothing else.

The image is Alpine with busybox, git, the OpenSSH client and Terraform. A build that needs bash, jq, Python, curl or
the AWS CLI fails here as it does there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local_aws.aws_json import AwsError

# Alpine's busybox applets, without those that only make sense for a system's administrator (init, mkfs, ifconfig ...).
APPLETS = (
    "[ [[ arch ash awk base64 basename bc bunzip2 bzcat bzip2 cat chgrp chmod chown cksum clear cmp comm cp cpio cut "
    "date dc dd df diff dirname dos2unix du echo egrep env expand expr factor false fgrep find flock fold free fuser "
    "getopt grep groups gunzip gzip head hexdump hostid hostname id install kill killall less link ln logger ls lsof "
    "md5sum mkdir mkfifo mknod mktemp more mv nc nice nl nohup nproc nslookup od paste pgrep pidof ping pkill printenv "
    "printf ps pstree pwd readlink realpath renice reset rev rm rmdir sed seq setsid sh sha1sum sha256sum sha3sum "
    "sha512sum shred shuf sleep sort split stat strings stty sum sync tac tail tar tee test time timeout top touch tr "
    "traceroute tree true truncate tty uname unexpand uniq unix2dos unlink unlzma unxz unzip uptime usleep uudecode "
    "uuencode vi watch wc wget which whoami xargs xxd xzcat yes zcat"
).split()

_GIT_AND_SSH = ("git", "ssh", "ssh-add", "ssh-agent", "ssh-keygen", "ssh-keyscan", "scp", "sftp")
_TERRAFORM_IMAGES = {"hashicorp/terraform": "terraform", "opentofu/opentofu": "tofu"}
_mapped: dict[tuple[str, str], Path] = {}
_REGISTRIES = ("docker.io/", "index.docker.io/", "registry-1.docker.io/", "public.ecr.aws/", "ghcr.io/")


class ImageError(Exception):
    """The image can't be pulled; message is worded as CodeBuild words it."""


@dataclass(frozen=True)
class Image:
    """An image that local AWS can stand in for: the Terraform image, maybe with the executables of a directory.

    notes are lines for the build's log.
    """

    name: str
    tag: str
    binary: str
    notes: tuple[str, ...] = ()
    directory: Path | None = None


def map_image(image: str, directory: Path) -> None:
    """Let an image, of any tag unless it names one, stand for the Terraform image with the executables of a directory.

    They come before the image's own. Raises AwsError BadRequest when there is no such directory.
    """
    if not directory.is_dir():
        raise AwsError("BadRequest", f"{directory} is not a directory")
    _mapped[_split(image)] = directory


def resolve(image: str) -> Image:
    """Find what stands in for an image name such as hashicorp/terraform:1.11; raises ImageError."""
    name, tag = _split(image)
    directory = _mapped.get((name, tag or "latest")) or _mapped.get((name, ""))
    binary = "terraform" if directory else _TERRAFORM_IMAGES.get(name)
    if binary is None:
        raise ImageError(
            "Unable to pull customer's container image. CannotPullContainerError: Error response from daemon: "
            f"pull access denied for {name}, repository does not exist or may require 'docker login' "
            f"(local AWS stands in for {' and '.join(_TERRAFORM_IMAGES)} and mapped images only)"
        )
    path = _binary_path(binary)
    if path is None:
        raise ImageError(
            f"Unable to pull customer's container image. CannotPullContainerError: local AWS found no {binary} on "
            "this machine: put it on PATH or name it in TERRAFORM_BINARY"
        )
    if directory:
        return Image(name, tag, binary, directory=directory)
    version = _version(path)
    notes = []
    if re.match(r"\d", tag) and version and version != tag and not version.startswith(tag + "."):
        notes.append(f"Image {image} asks for version {tag}; local AWS runs {binary} {version}")
    return Image(name, tag, binary, tuple(notes))


def make_bin_directory(image: Image, directory: Path) -> None:
    """Fill a directory with links to the image's commands; it becomes the whole PATH of a build."""
    directory.mkdir(parents=True, exist_ok=True)
    found: dict[str, str] = {}
    busybox = shutil.which("busybox")
    provided = _busybox_applets(busybox) if busybox else frozenset()
    for applet in APPLETS:
        if busybox and applet in provided:
            found[applet] = busybox
        elif path := shutil.which(_posix_name(applet)):
            found[applet] = os.path.realpath(path) if applet == "sh" else path
    if busybox:
        found["busybox"] = busybox
    for tool in _GIT_AND_SSH:
        if path := shutil.which(tool):
            found[tool] = path
    terraform = _binary_path(image.binary)
    assert terraform is not None  # resolve() has seen it
    found[image.binary] = terraform
    if image.directory is not None:
        found |= {item.name: str(item) for item in image.directory.iterdir() if _is_executable(item)}
    for name, target in found.items():
        (directory / name).symlink_to(target)


def _is_executable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _split(image: str) -> tuple[str, str]:
    """The name of an image without a registry that everybody knows, and its tag, "" if it has none."""
    name, _, _ = image.partition("@")
    head, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        head, tag = name, ""
    for registry in _REGISTRIES:
        head = head.removeprefix(registry)
    return head, tag


def _binary_path(binary: str) -> str | None:
    chosen = os.environ.get("TERRAFORM_BINARY", "")
    if chosen:
        return shutil.which(chosen)
    return shutil.which(binary)


def _version(path: str) -> str:
    """The version of a terraform or tofu binary, "" if it doesn't say."""
    try:
        # An empty environment: nothing of the caller's configuration may change or slow down the answer.
        run = subprocess.run(
            [path, "version"], capture_output=True, text=True, timeout=20, env={"CHECKPOINT_DISABLE": "1"}, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"v(\d+\.\d+\.\d+\S*)", run.stdout)
    return found.group(1) if found else ""


def _busybox_applets(busybox: str) -> frozenset[str]:
    run = subprocess.run([busybox, "--list"], capture_output=True, text=True, timeout=20, check=False)
    return frozenset(run.stdout.split())


def _posix_name(applet: str) -> str:
    # dash is the machine's shell that is closest to busybox's ash.
    if applet in ("sh", "ash"):
        return next((shell for shell in ("dash", "ash", "sh") if shutil.which(shell)), "sh")
    return applet
