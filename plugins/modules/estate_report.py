#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes how an estate is doing, for people and programs; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: estate_report
short_description: Write the estate at a glance, for people and for programs
version_added: "0.1.0"
description:
  - Writes the result of M(gitops.aws.estate_status_info) as a page, as JSON and as Markdown.
  - The page is one file that loads nothing. It has the last runs of each stack, what waits, is locked or drifts, and
    what no code explains; its table sorts and filters, at a thousand stacks, too.
  - It calls nothing, and the same result makes the same files. Names and messages are shown as text, whatever is in
    them.
options:
  status:
    description: RV(gitops.aws.estate_status_info#module:status).
    type: dict
    required: true
  dest:
    description: The directory for the files. It is made where it is not there. Without it nothing is written.
    type: path
  name:
    description: What the files are called, without what comes after the full stop.
    type: str
    default: estate
  formats:
    description:
      - Which files to write, V(html) (C(.html)), V(json) (C(.json)) and V(markdown) (C(.md)).
    type: list
    elements: str
    choices: [html, json, markdown]
    default: [html, json, markdown]
extends_documentation_fragment:
  - gitops.aws.attributes.platform
  - gitops.aws.attributes.files
seealso:
  - module: gitops.aws.estate_status_info
author:
  - Contributors to gitops.aws (@gitops-aws)
"""

EXAMPLES = r"""
- name: How all stacks are doing
  gitops.aws.estate_status_info:
    region: eu-central-1
    name: gitops
    account_id: "111122223333"
    stacks:
      - name: network
        pipeline: gitops-network
  register: found

- name: A page of it
  gitops.aws.estate_report:
    status: "{{ found.status }}"
    dest: report
  register: report

- name: Show what calls for somebody
  ansible.builtin.debug:
    msg: "{{ report.text.splitlines() }}"
"""

RETURN = r"""
text:
  description: What calls for somebody, for the terminal.
  returned: success
  type: str
summary:
  description: The estate in a line.
  returned: success
  type: str
  sample: "12 stacks: 1 failing, 2 waiting for approval"
counts:
  description: How many stacks there are, how many are failing, waiting, and so on, and how many findings.
  returned: success
  type: dict
  sample: {stacks: 12, failing: 1, waiting: 2}
files:
  description: The files, by format.
  returned: success
  type: dict
  sample: {html: report/estate.html}
"""

import os

from ansible_collections.gitops.aws.plugins.module_utils._answers import MISFITS, lack
from ansible_collections.gitops.aws.plugins.module_utils._files import Files, is_file_name
from ansible_collections.gitops.aws.plugins.module_utils._module import CheckedModule
from ansible_collections.gitops.aws.plugins.module_utils._status import page, report

FORMATS = {
    "html": ("html", page.page),
    "json": ("json", report.as_json),
    "markdown": ("md", report.markdown),
}
ARGUMENTS = {
    "status": {"type": "dict", "required": True},
    "dest": {"type": "path"},
    "name": {"type": "str", "default": "estate"},
    "formats": {"type": "list", "elements": "str", "choices": list(FORMATS), "default": list(FORMATS)},
}
MODE = 0o640  # a report says what is in the account, and who did what
DIRECTORY_MODE = 0o750


def main() -> None:
    module = CheckedModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    if not is_file_name(params["name"]):
        module.fail_json(msg=f"Nothing was changed. name: {params['name']!r} is not allowed, it must be a file's name")
    try:
        estate = report.of(params["status"])
        texts = {each: FORMATS[each][1](estate) for each in params["formats"]}
        text = report.terminal(estate)
    except MISFITS as error:
        module.fail_json(
            msg=f"Nothing was changed. status: it is not what gitops.aws.estate_status_info returns ({lack(error)})"
        )
    files, paths = Files(module, MODE), {}
    if params["dest"]:
        paths = {each: os.path.join(params["dest"], f"{params['name']}.{FORMATS[each][0]}") for each in texts}
        try:
            files.write_all(params["dest"], DIRECTORY_MODE, {path: texts[each] for each, path in paths.items()})
        except OSError as error:
            module.fail_json(msg=f"The report could not be written: {error}")
    module.exit_json(
        changed=files.changed,
        diff=files.diff,
        text=text,
        summary=report.headline(estate),
        counts=estate["counts"],
        files=paths,
        # Without the status, which would be shown again for each task.
        invocation={"module_args": {name: params[name] for name in ("dest", "name", "formats")}},
    )


if __name__ == "__main__":
    main()
