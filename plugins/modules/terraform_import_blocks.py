#!/usr/bin/python
# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes import blocks for resources that a scan found; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: terraform_import_blocks
short_description: Write Terraform's import blocks for resources that a scan found
version_added: "0.1.0"
description:
  - Writes a file with an C(import) block for each of the resources, with a name made from the resource's.
  - Blocks that the file has already stay, with their names. A resource that another file of the directory imports
    already is left out. No block gets the address of a resource in the code.
  - A file that somebody has edited is not overwritten; that is an error.
  - With O(generate) Terraform writes the configuration, too. Without it nothing is called.
options:
  result:
    description: What M(gitops.aws.unmanaged_resources_info) returned.
    type: dict
    required: true
  arns:
    description:
      - The resources. Those that a state has, that AWS or another tool made, that are protected or of another Terraform
        are refused, and so are types that Terraform cannot import.
    type: list
    elements: str
    required: true
  region:
    description:
      - That of the provider in the code. Resources of other regions are refused.
      - Without it, all resources must be of one region.
    type: str
  dest:
    description: The directory with the Terraform code. It must be there.
    type: path
    required: true
  name:
    description: What comes after C(imports_) in the file's name. The default is the day of the scan.
    type: str
  generate:
    description:
      - Whether Terraform writes the configuration of what is imported and what the code does not have yet, into a file
        beside that of the blocks. One that is there already is not overwritten.
      - Terraform runs in a directory of its own, with a local state, and reads AWS with the credentials in the
        environment. Neither state nor lock of the code is touched. It wants O(region).
      - What says nothing is left out where Terraform does not accept what it has written itself. Secrets that Terraform
        knows to be secret are not written; others may be. Read the file before it is committed.
    type: bool
    default: false
  terraform:
    description: The program, by its name or path; C(tofu) for OpenTofu.
    type: str
    default: terraform
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

- name: Take an instance into the code
  gitops.aws.terraform_import_blocks:
    result: "{{ found }}"
    arns:
      - arn:aws:ec2:eu-central-1:111122223333:instance/i-0abc1234def567890
    region: eu-central-1
    dest: infrastructure/network
    generate: true
"""

RETURN = r"""
imports:
  description: The file with the blocks.
  returned: success
  type: str
  sample: infrastructure/network/imports_2026-11-26.tf
blocks:
  description: The blocks in the file.
  returned: success
  type: list
  elements: dict
  sample:
    - address: aws_instance.web_test
      id: i-0abc1234def567890
generated:
  description: The file with the configuration, empty where there is none.
  returned: success
  type: str
  sample: infrastructure/network/generated_2026-11-26.tf
complaint:
  description: What Terraform does not accept in it, for people to mend; empty where it accepts all.
  returned: success
  type: str
present:
  description: Addresses to which another file of the directory imports some of the resources already.
  returned: success
  type: list
  elements: str
"""

import os
from typing import Any

from ansible_collections.gitops.aws.plugins.module_utils._answers import MISFITS, lack
from ansible_collections.gitops.aws.plugins.module_utils._files import Files, read
from ansible_collections.gitops.aws.plugins.module_utils._findings import adopt, generating
from ansible_collections.gitops.aws.plugins.module_utils._module import CheckedModule, nothing_changed

ARGUMENTS = {
    "result": {"type": "dict", "required": True},
    "arns": {"type": "list", "elements": "str", "required": True},
    "region": {"type": "str"},
    "dest": {"type": "path", "required": True},
    "name": {"type": "str"},
    "generate": {"type": "bool", "default": False},
    "terraform": {"type": "str", "default": "terraform"},
}
MODE = 0o644  # as code is


def others(directory: str, path: str) -> str:
    """The code in the other files of a directory. Raises OSError."""
    names = sorted(name for name in os.listdir(directory) if name.endswith(".tf"))
    paths = [os.path.join(directory, name) for name in names]
    return "\n".join(read(each) or "" for each in paths if each != path)


def write(module: Any, name: str) -> dict[str, Any]:
    """All that the module does; its result. Raises adopt.Refused, generating.Failed and OSError."""
    params, files = module.params, Files(module, MODE)
    path = os.path.join(params["dest"], f"imports_{name}.tf")
    generated = os.path.join(params["dest"], f"generated_{name}.tf")
    wanted = adopt.chosen(params["result"], params["arns"], params["region"] or "")
    kept, code = adopt.read(read(path), path), others(params["dest"], path)
    elsewhere = {(block.type, block.id): block.address for block in adopt.found(code)}
    keys = [(one["type"], one["import_id"]) for one in wanted]
    new = [one for one, key in zip(wanted, keys) if key not in elsewhere]
    blocks = adopt.blocks(new, kept, adopt.addresses(code))
    bare = [block for block in blocks if block.address not in adopt.configured(code)]
    complaint = ""
    if params["generate"] and bare:
        if os.path.exists(generated):
            without = ", ".join(block.address for block in bare)
            raise adopt.Refused([f"{generated}: it is there, without {without}. Fix: give another name, or write them"])
        configuration = ""
        if not module.check_mode:
            configuration, complaint = generating.generate(
                module, params["terraform"], bare, params["region"], params["dest"]
            )
        files.write(generated, configuration)
    if blocks:
        files.write(path, adopt.text(blocks))
    return {
        "changed": files.changed,
        "diff": files.diff,
        "imports": path,
        "blocks": [{"address": block.address, "id": block.id} for block in blocks],
        "generated": generated if os.path.exists(generated) else "",
        "complaint": complaint,
        "present": [elsewhere[key] for key in keys if key in elsewhere],
        # Without the result, which would be shown again for each task.
        "invocation": {"module_args": {each: params[each] for each in ARGUMENTS if each != "result"}},
    }


def main() -> None:
    module = CheckedModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    name = module.params["name"] or str(module.params["result"].get("time", ""))[:10]
    if not adopt.NAME.fullmatch(name):
        module.fail_json(msg=nothing_changed([f"name: {name!r} is not allowed, it must be of letters, digits and ._-"]))
    if module.params["generate"] and not module.params["region"]:
        module.fail_json(msg=nothing_changed(["region: it is required with generate, and missing"]))
    try:
        result = write(module, name)
    except adopt.Refused as refused:
        module.fail_json(msg=nothing_changed(refused.problems))
    except generating.Failed as failed:
        module.fail_json(
            msg=f"Nothing was changed. {module.params['terraform']} cannot write the configuration: {failed}"
        )
    except OSError as error:
        module.fail_json(msg=f"dest: {error}. Fix: name the directory with the Terraform code")
    except MISFITS as error:
        module.fail_json(
            msg=nothing_changed([f"result: it is not what gitops.aws.unmanaged_resources_info returns ({lack(error)})"])
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
