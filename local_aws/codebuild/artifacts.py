# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Zips of a build: input artifacts are unpacked, output artifacts are collected and packed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import time
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from local_aws.codebuild.buildspec import ArtifactSpec


class ArtifactError(Exception):
    """A zip that can't be unpacked safely, or files that are not there; worded as CodeBuild words it."""


@dataclass(frozen=True)
class Digest:
    """Hex digests of an output artifact."""

    md5: str
    sha256: str


def unpack(archive: Path | IO[bytes], directory: Path) -> None:
    """Extract a zip with its file modes. Raises ArtifactError for a broken zip or a member outside of directory."""
    directory.mkdir(parents=True, exist_ok=True)
    root = directory.resolve()
    links: list[tuple[Path, str]] = []
    try:
        with zipfile.ZipFile(archive) as source:
            for member in source.infolist():
                target = inside(root, member.filename)
                mode = member.external_attr >> 16
                if stat.S_ISLNK(mode):
                    links.append((target, source.read(member).decode("utf-8", "surrogateescape")))
                elif member.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with source.open(member) as content, target.open("wb") as file:
                        shutil.copyfileobj(content, file)
                    if mode & 0o777:
                        target.chmod(mode & 0o777 | stat.S_IRUSR | stat.S_IWUSR)
        # Links come last: no member may be written through one.
        _make_links(root, links)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise ArtifactError(f"invalid archive: {error}") from error


def _make_links(root: Path, links: list[tuple[Path, str]]) -> None:
    """Makes links, unless one leads outside of root. Raises ArtifactError, and leaves none of them then."""
    made: list[Path] = []
    try:
        for target, destination in links:
            # What is on the way may be a link itself.
            if os.path.isabs(destination) or not target.parent.resolve().is_relative_to(root):
                raise _leads_outside(root, target)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.symlink_to(destination)
            made.append(target)
        # Only now: where a link leads depends on those that are made after it.
        for target in made:
            if not target.resolve().is_relative_to(root):
                raise _leads_outside(root, target)
    except BaseException:
        for target in reversed(made):
            target.unlink(missing_ok=True)
        raise


def _leads_outside(root: Path, target: Path) -> ArtifactError:
    return ArtifactError(f"invalid archive: the link {target.relative_to(root)} leads outside")


def inside(root: Path, name: str) -> Path:
    """The path of a relative name below root. Raises ArtifactError for a name that leads outside."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name):
        raise ArtifactError(f"invalid archive: illegal file path {name}")
    return root.joinpath(*path.parts)


def collect(spec: ArtifactSpec, source: Path) -> dict[str, Path]:
    """The files of an output artifact, by their name in the zip. Raises ArtifactError when there are none."""
    found: dict[str, Path] = {}
    bases = _base_directories(spec, source)
    for base in bases:
        names = [name for name in _files(base) if any(matches(name, glob) for glob in spec.files)]
        for name in names:
            if any(matches(name, glob) for glob in spec.exclude_paths):
                continue
            found[PurePosixPath(name).name if spec.discard_paths else name] = base / name
    # A file may also be named by its path from the root of the container, such as a plan below /tmp.
    for glob in spec.files:
        if os.path.isabs(glob) and Path(glob).is_file():
            name = Path(glob).name if spec.discard_paths else glob.lstrip("/")
            found[name] = Path(glob)
    if not found:
        raise ArtifactError("no matching artifact paths found")
    return dict(sorted(found.items()))


def pack(files: dict[str, Path], archive: Path) -> Digest:
    """Write files to a zip with their modes."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as target:
        for name, path in files.items():
            status = path.stat()
            info = zipfile.ZipInfo(name, time.localtime(max(status.st_mtime, 315619200))[:6])
            info.external_attr = (status.st_mode & 0xFFFF) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            with path.open("rb") as content, target.open(info, "w", force_zip64=status.st_size > 2**31) as member:
                shutil.copyfileobj(content, member)
    return digest(archive)


def digest(path: Path) -> Digest:
    """Digests of one file."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as content:
        while block := content.read(1 << 20):
            md5.update(block)
            sha256.update(block)
    return Digest(md5.hexdigest(), sha256.hexdigest())


def matches(name: str, glob: str) -> bool:
    """Whether a relative path matches a buildspec glob: `*` and `?` stay inside one directory, `**` crosses them."""
    return re.fullmatch(_regex(glob), name) is not None


def _regex(glob: str) -> str:
    glob = glob.removeprefix("./")
    result, position = "", 0
    while position < len(glob):
        rest = glob[position:]
        if rest.startswith("**/"):
            result, position = result + "(?:[^/]+/)*", position + 3
        elif rest.startswith("**"):
            result, position = result + ".*", position + 2
        elif rest[0] == "*":
            result, position = result + "[^/]*", position + 1
        elif rest[0] == "?":
            result, position = result + "[^/]", position + 1
        elif rest[0] == "[" and "]" in rest[2:]:
            end = rest.index("]", 2)
            inner = rest[1:end].replace("\\", "\\\\")
            inner = "^" + inner[1:] if inner[0] in "!^" else inner
            result, position = result + f"[{inner}]", position + end + 1
        else:
            result, position = result + re.escape(rest[0]), position + 1
    return result


def _base_directories(spec: ArtifactSpec, source: Path) -> list[Path]:
    if not spec.base_directory:
        return [source]
    if os.path.isabs(spec.base_directory):
        base = Path(spec.base_directory)
        found = [base] if base.is_dir() else []
    else:
        wanted = spec.base_directory.rstrip("/")
        found = [source] if wanted in ("", ".") else []
        if (source / wanted).is_dir():
            found = [source / wanted]
        elif not found:
            found = [source / name for name in _directories(source) if matches(name, wanted)]
    if not found:
        raise ArtifactError(f"no matching base directory path found for {spec.base_directory}")
    return found


def _files(base: Path) -> list[str]:
    names = []
    for directory, _, files in os.walk(base):
        for file in files:
            path = Path(directory, file)
            if path.is_file():
                names.append(path.relative_to(base).as_posix())
    return sorted(names)


def _directories(base: Path) -> list[str]:
    return sorted(Path(d, sub).relative_to(base).as_posix() for d, subs, _ in os.walk(base) for sub in subs)
