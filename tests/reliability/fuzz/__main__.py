# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fuzzes what reads files that others write, guided by coverage: make fuzz.

    python -m tests.reliability.fuzz state|buildspec [libFuzzer's options]

What breaks a reader lies in .work/fuzz/<target>/ then, and its bytes are shown; it becomes an example in
tests/reliability/test_states.py or test_buildspecs.py.
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
WORK = ROOT / ".work" / "fuzz"

try:
    import atheris
except ImportError:
    here = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"
    sys.exit(
        "make fuzz needs Atheris, of which there are wheels for CPython 3.11 to 3.13 on Linux (x86_64) and macOS; "
        f"this is {here}. Fix: PYTHON=/path/to/python3.11 make fuzz, on such a machine"
    )

with atheris.instrument_imports(include=["ansible_collections.gitops", "local_aws", "yaml", "json"]):
    from tests.reliability.fuzz import readers

# Words of the formats, which nothing but luck would put together out of bytes.
STATE_WORDS = (
    *("version", "serial", "lineage", "terraform_version", "outputs", "value", "sensitive", "resources", "mode"),
    *("managed", "data", "module", "type", "name", "instances", "index_key", "deposed", "attributes", "provider", "id"),
    *("attributes_flat", "identity", "arn:aws:s3:::", "NaN", "-Infinity", "true", "null", "[", "{", "]", "}", '\\"'),
)
BUILDSPEC_WORDS = (
    *("version: 0.2", "env:", "variables:", "parameter-store:", "secrets-manager:", "exported-variables:", "shell:"),
    *("phases:", "install:", "build:", "commands:", "finally:", "on-failure: ABORT", "artifacts:", "files:", "- "),
    *("secondary-artifacts:", "discard-paths: yes", "&a", "*a", "<<:", "!!int", "!!set", "!!binary", "? ", "| ", "> "),
)


def state(content: bytes) -> None:
    """Readers of states."""
    readers.state(content)


def buildspec(content: bytes) -> None:
    """The parser of buildspecs, which is given texts."""
    readers.buildspec_of(content.decode("utf-8", "replace"))


TARGETS = {
    "state": (state, STATE_WORDS, ROOT / "tests" / "reliability" / "fuzz" / "states"),
    "buildspec": (buildspec, BUILDSPEC_WORDS, ROOT / "buildspecs"),
}


def main() -> None:
    name, *options = sys.argv[1:]
    target, words, seeds = TARGETS[name]
    found = WORK / name
    found.mkdir(parents=True, exist_ok=True)
    dictionary = WORK / f"{name}.dict"
    dictionary.write_text("".join(f"{json.dumps(word)}\n" for word in words), encoding="utf-8")
    # New inputs are kept in the first directory; those of the second are where it begins.
    fixed = [f"-artifact_prefix={found}/", f"-dict={dictionary}", "-timeout=20", "-rss_limit_mb=2048", "-max_len=8192"]
    corpus = found / "corpus"
    corpus.mkdir(exist_ok=True)
    atheris.Setup([sys.argv[0], *fixed, *options, str(corpus), str(seeds)], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
