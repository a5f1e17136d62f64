# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make docs`: build the documentation as a site in .work/site/, from the pages in Markdown and what plugins document.

The pages are read on Git hosts, too, so they stay as they are; the site is made of copies, in which links lead to the
site's page where it has one, and to the Git host where it has none. antsibull-docs writes the reference. Nothing is
fetched, and every warning is an error.
"""

from __future__ import annotations

import functools
import itertools
import posixpath
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import git_files
import markdown_links
import yaml
from documented import documented

ROOT = git_files.ROOT
WORK = ROOT / ".work"
SITE = WORK / "site"
SOURCES = ROOT / "docs" / "site"
# The environment that the target makes.
TOOLS = WORK / "docs" / "bin"
# Pages of the repository by where the site has them: README.md is the start page, docs/ is beside it.
PAGES = ("*.md", "docs/*.md", "docs/how-to/*.md", "roles/*/README.md", "local_aws/README.md", "scripts/README.md")


def place(name: str) -> str:
    """Where the site has the repository's page NAME."""
    if name == "README.md":
        return "index.md"
    return re.sub(r"(?<=.)/README\.md$", ".md", name.removeprefix("docs/"))


def pages() -> dict[str, str]:
    """The pages of the repository: name, place in the site."""
    found = sorted(str(path.relative_to(ROOT)) for pattern in PAGES for path in ROOT.glob(pattern))
    return {name: place(name) for name in found}


def follow(target: str, name: str, known: dict[str, str], host: str) -> str:
    """The link TARGET of the page NAME as the site has it; KNOWN are the pages, HOST is the repository's address."""
    path, mark, anchor = target.partition("#")
    if not path or ":" in path:
        return target
    file = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
    if file in known:
        return posixpath.relpath(known[file], posixpath.dirname(known[name]) or ".") + mark + anchor
    if file.startswith("docs/images/"):
        return posixpath.relpath(file.removeprefix("docs/"), posixpath.dirname(known[name]) or ".")
    kind = "tree" if (ROOT / file).is_dir() else "blob"
    return f"{host}/{kind}/main/{file}{mark}{anchor}"


def write_pages(source: Path, host: str) -> None:
    """Write copies of the pages into SOURCE; the start page gets the site's table of contents."""
    known = pages()
    for name, target in known.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        text = markdown_links.replace_links(text, functools.partial(follow, name=name, known=known, host=host))
        if name == "README.md":
            text += "\n" + (SOURCES / "contents.md").read_text(encoding="utf-8")
        destination = source / target
        destination.parent.mkdir(parents=True, exist_ok=True)
        destination.write_text(text, encoding="utf-8")
    shutil.copytree(ROOT / "docs" / "images", source / "images")
    shutil.copy2(ROOT / "CHANGELOG.rst", source / "CHANGELOG.rst")


def playbook_page() -> str:
    """The page of the playbooks, of what each says at its head: prose, and indented lines as they are."""
    parts = [
        "# Playbooks\n\nWhat each says at its head. The [start page](../index.md#playbooks) has them in a table.\n"
    ]
    for path in sorted((ROOT / "playbooks").glob("*.yml")):
        head = re.match(r"---\n((?:#.*\n)+)- name: (.*)\n", path.read_text(encoding="utf-8"))
        if head is None:
            if path.name == "example.yml":  # settings
                continue
            sys.exit(f"{path.name} does not begin with what it does and how it is called, and then its one play")
        parts.append(f"## gitops.aws.{path.stem}\n\n{head[2]}.\n")
        lines = [line.removeprefix("#").removeprefix(" ") for line in head[1].splitlines()]
        for indented, some in itertools.groupby(lines, lambda line: line.startswith("  ")):
            text = "\n".join(some)
            if indented:
                parts.append(f"```text\n{textwrap.dedent(text)}\n```")
            else:
                parts.append(re.sub(r"\bdocs/([\w-]+)\.md\b", r"[\1](../\1.md)", text))
    return "\n".join(parts) + "\n"


def trim(reference: Path) -> None:
    """Take out of each page of REFERENCE what the site says elsewhere: contents, and how to install the collection."""
    for path in reference.glob("*.rst"):
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"^\.\. contents::\n(?: +.*\n)+", "", text, flags=re.MULTILINE)
        text = re.sub(r"^\.\. Collection note\n\n\.\. note::\n(?: +.*\n|\n)+", "", text, flags=re.MULTILINE)
        path.write_text(text.replace("Gitops.Aws\n==========", "Reference\n========="), encoding="utf-8")


def run(*command: str | Path) -> None:
    """Run COMMAND; it has said what is wrong, if anything is."""
    subprocess.run(command, cwd=ROOT, check=True)


def main() -> int:
    host = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["repository"]
    source = WORK / "docs-source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.rmtree(SITE, ignore_errors=True)
    reference = source / "reference"
    reference.mkdir(parents=True)
    # antsibull-docs refuses a directory that others may write to.
    reference.chmod(0o755)
    write_pages(source, host)
    (reference / "playbooks.md").write_text(playbook_page(), encoding="utf-8")
    # antsibull-docs' own linter finds nothing that the two do not: unknown references are warnings of Sphinx.
    render = ["--use-current", "--squash-hierarchy", "--no-breadcrumbs", "--no-add-antsibull-docs-version"]
    try:
        run(TOOLS / "antsibull-docs", "collection", *render, "--fail-on-error", "--dest-dir", reference, "gitops.aws")
        trim(reference)
        # Quiet, warnings are errors, all of them, from the beginning.
        options = ["-q", "-W", "--keep-going", "-E", "-d", str(WORK / "docs-doctrees")]
        run(TOOLS / "sphinx-build", *options, "-c", SOURCES, source, SITE)
    except subprocess.CalledProcessError as error:
        return int(error.returncode)
    wanted = ["playbooks", *(f"{name}_{kind}" for kind, names in documented().items() for name in names)]
    missing = [name for name in wanted if not (SITE / "reference" / f"{name}.html").is_file()]
    if missing:
        print(f"no page in the reference: {', '.join(missing)}", file=sys.stderr)
        return 1
    print(f"{SITE.relative_to(ROOT)}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
