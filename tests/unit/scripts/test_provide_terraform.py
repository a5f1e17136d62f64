# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mirror finder, the download of Terraform, and the CLI configuration."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zipfile
from pathlib import Path

import provide_terraform
import pytest
from provide_terraform import TerraformError, cli_configuration, download, find_mirror, locked_version

PLATFORM = "linux_amd64"
BINARY = "terraform-provider-aws_v5.100.0_x5"


@pytest.fixture(autouse=True)
def shared_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place that is searched for all users: not this machine's."""
    root = tmp_path / "shared"
    root.mkdir()
    monkeypatch.setattr(provide_terraform, "SHARED_ROOTS", (root,))
    return root


def unpacked(mirror: Path, version: str = "5.100.0", platform: str = PLATFORM) -> Path:
    """Make MIRROR hold the provider in Terraform's unpacked layout."""
    provider = mirror / "registry.terraform.io" / "hashicorp" / "aws" / version / platform
    provider.mkdir(parents=True)
    (provider / BINARY).touch()
    return mirror


def packed(mirror: Path, version: str = "5.100.0") -> Path:
    """Make MIRROR hold the provider in Terraform's packed layout."""
    provider = mirror / "registry.terraform.io" / "hashicorp" / "aws"
    provider.mkdir(parents=True)
    (provider / f"terraform-provider-aws_{version}_{PLATFORM}.zip").touch()
    return mirror


def found(directory: Path, version: str | None = None, **environment: str) -> Path | None:
    # Of the caller's machine nothing is searched but what a test names.
    return find_mirror({"XDG_DATA_DIRS": "/nonexistent", **environment}, directory, PLATFORM, version)


def test_without_a_mirror_there_is_none(tmp_path: Path) -> None:
    assert found(tmp_path, HOME=str(tmp_path)) is None


@pytest.mark.parametrize("layout", [unpacked, packed])
def test_both_layouts_are_known(tmp_path: Path, layout) -> None:
    mirror = layout(tmp_path / "terraform.d" / "plugins")

    assert found(tmp_path) == mirror


def test_places_of_terraform_s_own(tmp_path: Path) -> None:
    home = unpacked(tmp_path / "home" / ".terraform.d" / "plugins")
    data = unpacked(tmp_path / "data" / "terraform" / "plugins")

    assert found(tmp_path, HOME=str(tmp_path / "home")) == home
    assert found(tmp_path, XDG_DATA_HOME=str(tmp_path / "data")) == data
    assert found(tmp_path, XDG_DATA_DIRS=f"/nonexistent:{tmp_path / 'data'}") == data


def test_an_empty_home_is_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked(tmp_path / ".terraform.d" / "plugins")
    monkeypatch.chdir(tmp_path)

    assert found(tmp_path, HOME="") is None


def test_a_registry_tree_for_all_users_is_found(tmp_path: Path, shared_root: Path) -> None:
    mirror = unpacked(shared_root / "vendor" / "plugins")

    assert found(tmp_path) == mirror


def test_the_search_has_a_bounded_depth(tmp_path: Path, shared_root: Path) -> None:
    unpacked(shared_root / "a" / "b" / "c" / "d" / "e")

    assert found(tmp_path) is None


def test_a_mirror_for_another_platform_or_version_is_of_no_use(tmp_path: Path, shared_root: Path) -> None:
    unpacked(shared_root / "one", platform="darwin_arm64")
    unpacked(shared_root / "two", version="4.67.0")

    assert found(tmp_path, version="5.100.0") is None


def test_the_named_mirror_comes_first(tmp_path: Path) -> None:
    unpacked(tmp_path / "terraform.d" / "plugins")
    named = unpacked(tmp_path / "my mirror")

    assert found(tmp_path, TF_MIRROR=str(named)) == named
    assert found(tmp_path, TF_MIRROR="my mirror") == named


def test_a_named_mirror_without_the_provider_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        TerraformError, match=r"TF_MIRROR=/nowhere does not hold .*hashicorp/aws 5\.100\.0 for linux_amd64"
    ):
        found(tmp_path, version="5.100.0", TF_MIRROR="/nowhere")


def test_the_locked_version_is_read(tmp_path: Path) -> None:
    lock_file = tmp_path / ".terraform.lock.hcl"
    assert locked_version(lock_file) is None

    lock_file.write_text(
        'provider "registry.terraform.io/hashicorp/random" {\n  version = "3.6.0"\n}\n'
        'provider "registry.terraform.io/hashicorp/aws" {\n  version     = "5.100.0"\n  constraints = "~> 5.0"\n}\n'
    )

    assert locked_version(lock_file) == "5.100.0"


@pytest.mark.parametrize("name", [None, 'a "quoted" mirror'])
def test_terraform_accepts_the_configuration(tmp_path: Path, name: str | None) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    configuration = tmp_path / "terraform.rc"
    configuration.write_text(cli_configuration(tmp_path / name if name else None, cache))
    environment = os.environ | {"TF_CLI_CONFIG_FILE": str(configuration), "CHECKPOINT_DISABLE": "1"}

    result = subprocess.run(["terraform", "version"], env=environment, capture_output=True, text=True, check=True)

    assert "problem" not in result.stdout + result.stderr


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A release archive of Terraform."""
    path = tmp_path / "terraform.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("LICENSE.txt", "...")
        archive.writestr("terraform", '#!/bin/sh\necho \'{"terraform_version": "1.11.4"}\'\n')
    return path


def test_a_download_with_the_right_hash_is_installed(tmp_path: Path, archive: Path) -> None:
    target = tmp_path / "terraform"

    download(archive.as_uri(), hashlib.sha256(archive.read_bytes()).hexdigest(), target)

    assert "1.11.4" in subprocess.run([target], capture_output=True, text=True, check=True).stdout


def test_a_download_with_another_hash_is_refused(tmp_path: Path, archive: Path) -> None:
    target = tmp_path / "terraform"

    with pytest.raises(TerraformError, match="not installed"):
        download(archive.as_uri(), "0" * 64, target)

    assert not target.exists()


def test_a_failed_download_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TerraformError, match=r"put Terraform 1\.11 or newer on PATH"):
        download((tmp_path / "missing.zip").as_uri(), "0" * 64, tmp_path / "terraform")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('echo \'{"terraform_version": "1.11.0"}\'', True),
        ('echo \'{"terraform_version": "1.12.0-beta1"}\'', True),
        ('echo \'{"terraform_version": "1.9.8"}\'', False),
        ("echo Terraform v0.11.14", False),
        ("echo no version is set >&2; exit 126", False),
    ],
)
def test_terraform_on_path_must_be_new_enough(tmp_path: Path, answer: str, expected: bool) -> None:
    command = tmp_path / "terraform"
    command.write_text(f"#!/bin/sh\n{answer}\n")
    command.chmod(0o755)

    assert provide_terraform._new_enough(str(command)) is expected
