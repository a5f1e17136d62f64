# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Galaxy would take the artifact: galaxy-importer is what it runs on an upload. `make artifact` installs it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_estate import ROOT

from tests.artifact.conftest import Artifact, clean_environment

ENVIRONMENT = ROOT / ".work" / "importer"
# As on Galaxy, but for ansible-test, which wants containers: `make sanity` runs it.
SETTINGS = """\
[galaxy-importer]
CHECK_CHANGELOG = True
CHECK_REQUIRED_TAGS = True
OFFLINE_ANSIBLE_LINT = True
RUN_ANSIBLE_DOC = True
RUN_ANSIBLE_LINT = True
RUN_ANSIBLE_TEST = False
"""

# The warnings there may be, each with the reason. One that is not there any more has to go from here, too.
WARNINGS = {
    "playbooks/example.yml:3:1: syntax-check[specific][/]: A playbook must be a list of plays": (
        "the file to copy as your.yml, beside the playbooks that take it; .ansible-lint, which says so, is not shipped"
    ),
}


@dataclass(frozen=True)
class Import:
    """What galaxy-importer said, line by line, and what Galaxy would store."""

    code: int
    said: list[str]
    result: dict[str, Any]


@pytest.fixture(scope="module")
def imported(artifact: Artifact, amazon_aws: Path, tmp_path_factory: pytest.TempPathFactory) -> Import:
    """The import, without a network."""
    directory = tmp_path_factory.mktemp("importer")
    if not (ENVIRONMENT / "bin" / "ansible-lint").exists():
        pytest.exit("galaxy-importer is not installed: run make artifact", 1)
    # amazon.aws's fragments document options of our modules. The importer installs no collection beside the one that it
    # looks at, but finds those in Python's path. (Where Galaxy has none there, it shows modules without documentation.)
    [packages] = (ENVIRONMENT / "lib").glob("python*/site-packages")
    link = packages / "ansible_collections" / "amazon" / "aws"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(amazon_aws, target_is_directory=True)
    settings = directory / "galaxy-importer.cfg"
    settings.write_text(SETTINGS)
    run = subprocess.run(
        [str(ENVIRONMENT / "bin" / "python"), "-m", "galaxy_importer.main", str(artifact.path)],
        cwd=directory,
        env={**clean_environment(ENVIRONMENT, directory / "home"), "GALAXY_IMPORTER_CONFIG": str(settings)},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    result = directory / "importer_result.json"
    return Import(run.returncode, run.stdout.splitlines(), json.loads(result.read_text()) if result.exists() else {})


def test_galaxy_would_take_it(imported: Import) -> None:
    assert imported.said[-1] == "Importer processing completed successfully", imported.said
    assert imported.code == 0
    assert "...ansible-lint run complete" in imported.said


def test_it_warns_of_nothing_that_matters(imported: Import) -> None:
    warned = [line.removeprefix("WARNING: ") for line in imported.said if line.startswith("WARNING: ")]
    assert [line for line in warned if not line.startswith(tuple(WARNINGS))] == []
    assert {key for key in WARNINGS if any(line.startswith(key) for line in warned)} == set(WARNINGS)
    assert [line for line in imported.said if line.startswith(("ERROR: ", "CRITICAL: "))] == []


def test_galaxy_would_show_all_there_is(imported: Import) -> None:
    found: dict[str, set[str]] = {}
    for item in imported.result["contents"]:
        found.setdefault(item["content_type"], set()).add(item["name"])
    assert found["module"] == {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    assert found["role"] == {path.name for path in (ROOT / "roles").iterdir()}
    assert found["playbook"] == {path.name for path in (ROOT / "playbooks").glob("*.yml")}
    documented = {
        item["content_name"]
        for item in imported.result["docs_blob"]["contents"]
        if item["content_type"] == "module" and item["doc_strings"]["doc"]["options"]
    }
    assert documented == found["module"]
    assert imported.result["requires_ansible"] == ">=2.17.0"


def test_galaxy_would_say_of_roles_what_ansible_doc_does(imported: Import) -> None:
    shown = {
        item["name"]: item["description"] for item in imported.result["contents"] if item["content_type"] == "role"
    }
    for name, description in shown.items():
        specs = yaml.safe_load((ROOT / "roles" / name / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
        assert description == specs["argument_specs"]["main"]["short_description"], name
