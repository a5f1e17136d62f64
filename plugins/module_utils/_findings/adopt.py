# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Takes resources into the code: Terraform's `import` blocks for what a scan found.

A file of blocks begins with a digest of the rest, which tells whether somebody has edited it: then it is theirs. What
else is in the directory is read as far as names go, so that no block points at a resource of the code.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from ansible_collections.gitops.aws.plugins.module_utils._findings import model

# What may have come into being outside the code and belongs to nobody else.
ALLOWED = (model.UNMANAGED, model.LEAKED, model.IGNORED, model.OUT_OF_SCOPE, model.TOO_YOUNG)
IMPOSSIBLE = {
    "aws_key_pair": "AWS does not tell its public key as it was given, and the next apply would replace it",
    "aws_iam_access_key": "AWS does not tell its secret a second time",
}
HEADER = (
    "# Import blocks of gitops.aws.terraform_import_blocks. Edit it, and it is yours: nothing overwrites it then.\n"
)
DIGEST = re.compile(r"# sha256:([0-9a-f]{64})\n", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
BLOCK = re.compile(
    r'^import\s*\{\s*to\s*=\s*(?P<type>\w+)\.(?P<name>[\w-]+)\s*id\s*=\s*"(?P<id>(?:[^"\\]|\\.)*)"\s*\}', re.MULTILINE
)
RESOURCE = re.compile(r'^\s*resource\s+"(\w+)"\s+"([\w-]+)"', re.MULTILINE)
MOST = 50  # characters of a name


class Refused(Exception):
    """Something is not taken into the code; `problems` says what, why and what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Block:
    """An import block. `id` is what Terraform imports, as it is."""

    type: str
    name: str
    id: str

    @property
    def address(self) -> str:
        """Terraform's address of the resource."""
        return f"{self.type}.{self.name}"


def chosen(result: Mapping[str, Any], arns: Iterable[str], region: str = "") -> list[dict[str, Any]]:
    """The resources with these ARNs, in an order that does not change.

    Args:
        result: of unmanaged_resources_info.
        arns: whose.
        region: that of Terraform's provider; '' where the resources say it: they must then be of one.

    Raises Refused.
    """
    found = {one["arn"]: one for one in result["resources"]}
    problems, taken = [], []
    for arn in dict.fromkeys(arns):
        one = found.get(arn)
        if one is None:
            problems.append(f"{arn}: the scan has not found it, or a state has it already. Fix: look at the report")
        elif one["verdict"] not in ALLOWED:
            problems.append(f"{arn}: it is {one['verdict']} ({one['reason']}). Fix: leave it where it is")
        elif one["type"] in IMPOSSIBLE:
            problems.append(f"{arn}: {one['type']} cannot be imported: {IMPOSSIBLE[one['type']]}. Fix: write it anew")
        elif not one["import_id"]:
            problems.append(f"{arn}: it is not known what Terraform imports it by. Fix: write its block by hand")
        else:
            taken.append(one)
    regions = sorted({one["region"] for one in taken} - {"", region})
    if region and regions:
        wrong = [one for one in taken if one["region"] in regions]
        problems += [f"{one['arn']}: it is in {one['region']}, and the code is for {region}" for one in wrong]
    elif len(regions) > 1:
        problems.append(f"these are of the regions {', '.join(regions)}. Fix: adopt those of one region at a time")
    if problems:
        raise Refused(problems)
    return sorted(taken, key=lambda one: (one["type"], one["region"], one["arn"]))


def local_name(text: str) -> str:
    """A text as a name in Terraform: lower case, digits and underscores, beginning with a letter."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:MOST].strip("_")
    return name if name[:1].isalpha() else f"r_{name}".rstrip("_")


def blocks(
    resources: Iterable[Mapping[str, Any]], kept: Iterable[Block] = (), taken: Iterable[str] = ()
) -> list[Block]:
    """A block for each resource, beside those that are kept.

    Args:
        resources: of chosen().
        kept: blocks that are there already; their names stay.
        taken: addresses that the code has.
    """
    made = list(kept)
    there = {(block.type, block.id) for block in made}
    names = {*taken, *(block.address for block in made)}
    new = [one for one in resources if (one["type"], one["import_id"]) not in there]
    wanted = [f"{one['type']}.{local_name(one['name'] or one['id'])}" for one in new]
    for one, address in zip(new, wanted):
        name = address.partition(".")[2]
        # All that are called alike get their id: what one of them is called does not depend on who comes first.
        if wanted.count(address) > 1 or address in names:
            name = f"{name}_{local_name(one['id'])}"
        number, unique = 2, name
        while f"{one['type']}.{unique}" in names:
            unique, number = f"{name}_{number}", number + 1
        names.add(f"{one['type']}.{unique}")
        made.append(Block(one["type"], unique, one["import_id"]))
    return sorted(made, key=lambda block: block.address)


def text(made: Iterable[Block]) -> str:
    """Blocks as a file."""
    body = "".join(f"\nimport {{\n  to = {each.address}\n  id = {quoted(each.id)}\n}}\n" for each in made)
    return f"{HEADER}# sha256:{_digest(body)}\n{body}"


def quoted(value: str) -> str:
    """A text as HCL writes it."""
    special = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    escaped = "".join(special.get(each) or each for each in value)
    return '"' + re.sub(r"([$%])(?=\{)", r"\1\1", escaped) + '"'


def _unquoted(text: str) -> str:
    special = {"n": "\n", "r": "\r", "t": "\t"}
    plain = re.sub(r"\\(.)", lambda match: special.get(match[1], match[1]), text)
    return re.sub(r"([$%])\1(?=\{)", r"\1", plain)


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def read(file: str | None, path: str) -> list[Block]:
    """The blocks of a file of ours, none where there is no file. Raises Refused where somebody has edited it."""
    if file is None:
        return []
    rest = file[len(HEADER) :] if file.startswith(HEADER) else ""
    match = DIGEST.match(rest)
    body = rest[match.end() :] if match else ""
    if not match or match[1] != _digest(body):
        why = "somebody has written or edited it, and it is not overwritten"
        raise Refused([f"{path}: {why}. Fix: give another name, or move it"])
    return found(body)


def found(code: str) -> list[Block]:
    """The import blocks that stand in Terraform's code as text() writes them."""
    return [Block(match["type"], match["name"], _unquoted(match["id"])) for match in BLOCK.finditer(code)]


def configured(code: str) -> set[str]:
    """The addresses of the resources that Terraform's code has."""
    return {f"{kind}.{name}" for kind, name in RESOURCE.findall(code)}


def addresses(code: str) -> set[str]:
    """The addresses of resources that Terraform's code has, or imports to."""
    return configured(code) | {block.address for block in found(code)}
