#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes what a scan found, for people and programs; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: findings_report
short_description: Write what a scan found, for people and for programs
version_added: "0.1.0"
description:
  - Writes the result of M(gitops.aws.unmanaged_resources_info), and the drift of managed resources, as one report.
  - It says what was found, who made it, when and from where, what can be done about it, and what is not known.
  - It calls nothing, and the same result makes the same files. Names and tags are escaped, whatever is in them.
  - No value of a state is in a report, only the names of the attributes that differ.
options:
  result:
    description: What M(gitops.aws.unmanaged_resources_info) returned.
    type: dict
    required: true
  changed:
    description: Managed resources that were changed outside the code, from M(gitops.aws.terraform_drift_info).
    type: list
    elements: dict
    default: []
  ghosts:
    description: Managed resources that are gone, beside those of O(result). Each counts once.
    type: list
    elements: dict
    default: []
  stacks:
    description:
      - What M(gitops.aws.terraform_drift_info) returned of the stacks. One that is not C(fresh) is named in the
        report, for nobody knows whether it is as its code says.
    type: list
    elements: dict
    default: []
  dest:
    description: The directory for the files. It is made where it is not there. Without it nothing is written.
    type: path
  name:
    description: What the files are called, without what comes after the full stop.
    type: str
    default: findings
  formats:
    description:
      - Which files to write.
      - V(text) (C(.txt)) is what a terminal shows, V(markdown) (C(.md)) is for pull requests and messages,
        V(junit) (C(.xml)) for test reports, as of CodeBuild, V(json) (C(.json)) for programs.
      - V(html) (C(.html)) is one page that loads nothing.
    type: list
    elements: str
    choices: [text, json, markdown, junit, html]
    default: [text, json, markdown, junit, html]
extends_documentation_fragment:
  - gitops.aws.attributes.platform
  - gitops.aws.attributes.files
seealso:
  - module: gitops.aws.unmanaged_resources_info
author:
  - Contributors to gitops.aws (@gitops-aws)
"""

EXAMPLES = r"""
- name: What the code does not explain
  gitops.aws.unmanaged_resources_info:
    region: eu-central-1
    state_bucket: gitops-111122223333-eu-central-1-state
  register: found

- name: A page and test results
  gitops.aws.findings_report:
    result: "{{ found }}"
    dest: reports
    formats: [html, junit]
  register: report

- name: Show it
  ansible.builtin.debug:
    msg: "{{ report.text.splitlines() }}"
"""

RETURN = r"""
text:
  description: The report for the terminal.
  returned: success
  type: str
summary:
  description: What was found, in a line.
  returned: success
  type: str
  sample: 3 unmanaged, 1 changed, 1 ghost
findings:
  description: How many of each kind there are.
  returned: success
  type: dict
  sample: {unmanaged: 3, changed: 1, ghosts: 1}
files:
  description: The files, by format.
  returned: success
  type: dict
  sample: {html: reports/findings.html}
"""

import os

from ansible_collections.gitops.aws.plugins.module_utils._answers import MISFITS, lack
from ansible_collections.gitops.aws.plugins.module_utils._files import Files, is_file_name
from ansible_collections.gitops.aws.plugins.module_utils._findings import model, report, report_html
from ansible_collections.gitops.aws.plugins.module_utils._module import CheckedModule

FORMATS = {
    "text": ("txt", report.terminal),
    "json": ("json", report.as_json),
    "markdown": ("md", report.markdown),
    "junit": ("xml", report.junit),
    "html": ("html", report_html.page),
}
ARGUMENTS = {
    "result": {"type": "dict", "required": True},
    "changed": {"type": "list", "elements": "dict", "default": []},
    "ghosts": {"type": "list", "elements": "dict", "default": []},
    "stacks": {"type": "list", "elements": "dict", "default": []},
    "dest": {"type": "path"},
    "name": {"type": "str", "default": "findings"},
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
        result = report.of(params["result"], params["changed"], params["ghosts"], params["stacks"])
        texts = {each: FORMATS[each][1](result) for each in params["formats"]}
        text = report.terminal(result)
    except MISFITS as error:
        wrong = f"result: it is not what gitops.aws.unmanaged_resources_info returns ({lack(error)})"
        module.fail_json(msg=f"Nothing was changed. {wrong}")
    files, paths = Files(module, MODE), {}
    if params["dest"]:
        paths = {each: os.path.join(params["dest"], f"{params['name']}.{FORMATS[each][0]}") for each in texts}
        try:
            files.write_all(params["dest"], DIRECTORY_MODE, {path: texts[each] for each, path in paths.items()})
        except OSError as error:
            module.fail_json(msg=f"The report could not be written: {error}")
    found = {group.name: len(group.items) for group in report.groups(result) if group.name != model.INCOMPLETE}
    module.exit_json(
        changed=files.changed,
        diff=files.diff,
        text=text,
        summary=report.summary(result),
        findings=found,
        files=paths,
        # Without the result, which would be shown again for each task.
        invocation={"module_args": {name: params[name] for name in ("dest", "name", "formats")}},
    )


if __name__ == "__main__":
    main()
