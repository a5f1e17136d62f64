# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Zips of a build: globs, modes, and members that lead outside."""

from __future__ import annotations

import io
import itertools
import stat
import zipfile
from pathlib import Path

import pytest

from local_aws.codebuild import artifacts
from local_aws.codebuild.artifacts import ArtifactError
from local_aws.codebuild.buildspec import ArtifactSpec


@pytest.mark.parametrize(
    ("name", "glob", "expected"),
    [
        ("a.txt", "*", True),
        ("d/a.txt", "*", False),
        ("d/a.txt", "d/*", True),
        ("d/e/a.txt", "d/*", False),
        ("a.txt", "**/*", True),
        ("d/e/.hidden", "**/*", True),
        ("d/e/a.txt", "d/**", True),
        ("d/a.txt", "**/a.txt", True),
        ("a.txt", "./a.txt", True),
        ("a.txt", "?.txt", True),
        ("b.txt", "[!a].txt", True),
        ("a.txt", "[!a].txt", False),
        ("a+b", "a+b", True),
        ("aab", "a+b", False),
        ("plan.tfplan", "*.tf", False),
    ],
)
def test_globs(name: str, glob: str, expected: bool) -> None:
    assert artifacts.matches(name, glob) is expected


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("tf/main.tf", "tf/modules/vpc/main.tf", "tf/.terraform/big", "README.md"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "README.md").chmod(0o755)
    return tmp_path


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        (ArtifactSpec(("**/*",)), ["README.md", "tf/.terraform/big", "tf/main.tf", "tf/modules/vpc/main.tf"]),
        (ArtifactSpec(("**/*",), "tf", exclude_paths=(".terraform/**/*",)), ["main.tf", "modules/vpc/main.tf"]),
        (ArtifactSpec(("*.md", "tf/main.tf"), discard_paths=True), ["README.md", "main.tf"]),
        (ArtifactSpec(("*",), "t*"), ["main.tf"]),
        (ArtifactSpec(("*",), "."), ["README.md"]),
    ],
)
def test_collect(tree: Path, spec: ArtifactSpec, names: list[str]) -> None:
    assert list(artifacts.collect(spec, tree)) == names


def test_nothing_to_collect(tree: Path) -> None:
    with pytest.raises(ArtifactError, match=r"^no matching artifact paths found$"):
        artifacts.collect(ArtifactSpec(("*.zip",)), tree)
    with pytest.raises(ArtifactError, match="no matching base directory path found for none"):
        artifacts.collect(ArtifactSpec(("*",), "none"), tree)


def test_modes_survive(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    archive = tmp_path_factory.mktemp("zip") / "a.zip"
    digest = artifacts.pack(artifacts.collect(ArtifactSpec(("**/*",)), tree), archive)
    target = tmp_path_factory.mktemp("target")
    artifacts.unpack(archive, target)
    assert (target / "tf/modules/vpc/main.tf").read_text() == "tf/modules/vpc/main.tf"
    assert stat.S_IMODE((target / "README.md").stat().st_mode) == 0o755
    assert digest == artifacts.digest(archive)


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "a\\..\\..\\evil", "C:evil"])
def test_members_outside_are_refused(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(zipfile.ZipInfo(name), "x")
    with pytest.raises(ArtifactError, match="illegal file path"):
        artifacts.unpack(archive, tmp_path / "target")
    assert not (tmp_path / "evil").exists()


def test_a_link_outside_is_refused_and_one_inside_is_kept(tmp_path: Path) -> None:
    for destination in ("../../evil", "/etc"):
        archive = tmp_path / "a.zip"
        link = zipfile.ZipInfo("d/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr(link, destination)
            file.writestr("d/link/through", "x")
        with pytest.raises(ArtifactError):
            artifacts.unpack(archive, tmp_path / "refused")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("d/file", "content")
        file.writestr(link, "file")
    artifacts.unpack(archive, tmp_path / "kept")
    assert (tmp_path / "kept/d/link").read_text() == "content"


def test_not_a_zip(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("text")
    with pytest.raises(ArtifactError, match="invalid archive"):
        artifacts.unpack(tmp_path / "a.zip", tmp_path / "target")


def test_a_zip_with_a_wrong_bit_is_unpacked_or_refused(tmp_path: Path) -> None:
    """Python's zipfile has many exceptions for that."""
    file = tmp_path / "file"
    file.write_text("".join(map(str, range(200))))
    artifacts.pack({"file": file}, tmp_path / "archive")
    good, refused = (tmp_path / "archive").read_bytes(), 0

    for place, bit in itertools.product(range(len(good)), range(8)):
        wrong = good[:place] + bytes([good[place] ^ 1 << bit]) + good[place + 1 :]
        try:
            artifacts.unpack(io.BytesIO(wrong), tmp_path / "out")
        except ArtifactError:
            refused += 1

    assert refused > len(good) * 8 / 2
