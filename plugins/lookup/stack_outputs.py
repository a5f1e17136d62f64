# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the outputs of stacks from their Terraform states; see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: stack_outputs
author: Contributors to the gitops.aws project (@gitops-aws)
version_added: "0.1.0"
short_description: Read the outputs of what pipelines have built
description:
  - Reads the Terraform outputs of stacks from their states in the state bucket, with one C(s3:GetObject) for each.
  - It needs no Terraform, no checkout and no backend configuration, as C(cloud.terraform.tf_output) does.
  - Outputs that are marked as sensitive are left out, unless O(sensitive) asks for them.
  - In a sealed estate only C(installers) and C(state_readers) of the settings read states.
options:
  _terms:
    description:
      - Names of stacks.
      - Needed without O(state_key), and not allowed with it.
    type: list
    elements: str
  output:
    description:
      - The name of one output. Its value is returned instead of the dictionary of all.
      - A state without such an output is an error.
    type: str
  sensitive:
    description:
      - Whether to return sensitive outputs, too. Give every task that sees them C(no_log), which a lookup cannot do.
      - Without it an O(output) that is sensitive is an error.
    type: bool
    default: false
  on_missing:
    description:
      - What to do where there is no state, because nothing was applied yet.
      - V(error) is an error. V(warn) and V(skip) give an empty dictionary in its place, with O(output) V(none).
      - Where the caller may not list the bucket, AWS says of a missing state that access is denied, which is an error.
    type: str
    choices: [error, warn, skip]
    default: error
  settings:
    description:
      - What C(gitops_settings) says, or RV(gitops.aws.estate#module:settings). They name the bucket, and the region.
      - Where they name no bucket its name is made from C(name), the caller's account and C(region); to know the account
        takes one call of C(sts:GetCallerIdentity).
      - The default is the variable C(gitops_settings), unless O(bucket) is given.
    type: dict
  stacks:
    description:
      - What C(gitops_stacks) says, or RV(gitops.aws.estate#module:stacks). They say at which C(state_key) a state is,
        and a name that is not among them is an error.
      - The default is the variable C(gitops_stacks), unless O(bucket) is given.
      - Without any, each state is at C(<name>/terraform.tfstate).
    type: list
    elements: dict
  bucket:
    description:
      - The bucket with the states, such as that of an estate in another account.
      - Unset, that of O(settings).
    type: str
  state_key:
    description: The key of a state in the bucket, instead of names of stacks.
    type: str
  region:
    description:
      - The region of the bucket.
      - Where O(settings) name the bucket, their region is the default, whatever the environment says.
extends_documentation_fragment:
  - amazon.aws.boto3
  - amazon.aws.common.plugins
  - amazon.aws.region.plugins
notes:
  - A variable whose value is a lookup is read anew each time it is used. Keep what was read with
    M(ansible.builtin.set_fact) or M(ansible.builtin.add_host).
  - It runs where Ansible runs, with the credentials of that environment or of its own options. C(module_defaults) do
    not count for lookups.
seealso:
  - module: gitops.aws.terraform_states_info
    description: Which resources the states of a bucket hold, and their outputs that are not sensitive.
"""

EXAMPLES = r"""
- name: One output of a stack
  ansible.builtin.debug:
    msg: "{{ lookup('gitops.aws.stack_outputs', 'network', output='vpc_id') }}"

- name: All outputs of a stack
  ansible.builtin.debug:
    msg: "{{ lookup('gitops.aws.stack_outputs', 'network').subnet_ids | first }}"

- name: All outputs of all stacks, for later plays
  ansible.builtin.set_fact:
    built: "{{ dict(names | zip(query('gitops.aws.stack_outputs', names))) }}"
  vars:
    names: "{{ gitops_stacks | map(attribute='name') | list }}"

- name: A stack of another estate
  ansible.builtin.debug:
    msg: "{{ lookup('gitops.aws.stack_outputs', 'dns', bucket='shared-444455556666-eu-central-1-state') }}"

- name: Nothing where nothing was applied yet
  ansible.builtin.debug:
    msg: "{{ lookup('gitops.aws.stack_outputs', 'network', on_missing='skip') }}"

- name: A sensitive output
  ansible.builtin.set_fact:
    database_password: "{{ lookup('gitops.aws.stack_outputs', 'shop', output='password', sensitive=true) }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description:
    - For each stack, in the order of the names, a dictionary of outputs by name; with O(output) its value.
    - Values are as Terraform wrote them, strings, numbers, lists and dictionaries, and are never templated.
  type: list
  elements: raw
  sample: [{vpc_id: vpc-0f1e2d3c4b5a69788, subnet_ids: [subnet-0a1b2c3d4e5f60718]}]
"""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AWSLookupBase reports it

from ansible.errors import AnsibleLookupError
from ansible_collections.amazon.aws.plugins.plugin_utils.lookup import AWSLookupBase

from ansible_collections.gitops.aws.plugins.module_utils import _diagnosis_denials as denials
from ansible_collections.gitops.aws.plugins.module_utils._aws import Aws, error_code, explain
from ansible_collections.gitops.aws.plugins.module_utils._estate import names
from ansible_collections.gitops.aws.plugins.module_utils._terraform_state import Unreadable, outputs
from ansible_collections.gitops.aws.plugins.plugin_utils._plain import plain

DENIED = ("AccessDenied", "AccessDeniedException", "403")
SHOWN = 30  # names in an error


class Wrong(ValueError):
    """What was asked for cannot be had. The text is for the user, and holds no value of an output."""


@dataclass(frozen=True)
class State:
    """Where a state is. `name` is what errors call it."""

    name: str
    bucket: str
    key: str


def refuse_unknown(given: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Raises Wrong for an option that there is not. Ansible itself passes over it, and `outputs` would give all."""
    known = {"wantlist": None}  # which ansible-core 2.18 and older hand over, too
    for name, definition in definitions.items():
        known.update(dict.fromkeys([name, *definition.get("aliases", [])]))
    for name in given:
        if name not in known:
            raise Wrong(f"{name_with_near(name, known)} is not among the options")


def wanted(terms: list[Any], stacks: Any, state_key: str | None) -> list[tuple[str, str]]:
    """Which states are meant: for each how errors call it, and its key in the bucket.

    Args:
        terms: names of stacks.
        stacks: all that are known, as gitops_stacks has them; None or empty where none is.
        state_key: a key instead of names.

    Raises:
        Wrong: neither names nor a key, both, or a stack that is not known.
    """
    if state_key and not terms:
        return [("the stack", state_key)]
    if state_key or not terms:
        raise Wrong("Which state is meant? Fix: give either names of stacks, or state_key")
    if stacks is not None and not (
        isinstance(stacks, list)
        and all(isinstance(stack, dict) and isinstance(stack.get("name"), str) and stack["name"] for stack in stacks)
    ):
        raise Wrong("stacks must be a list of dictionaries with a name each, a text, as gitops_stacks is")
    known = {stack["name"]: stack for stack in stacks or []}
    found = []
    for name in terms:
        if not isinstance(name, str) or not name:
            raise Wrong(f"{name!r} is no name of a stack")
        if known and name not in known:
            raise Wrong(f"{name_with_near(name, known)} is not among the stacks. Allowed are: {listed(known)}")
        found.append((f"stack {name}", names.state_key(known.get(name, {"name": name}))))
    return found


def checked_settings(settings: Any) -> dict[str, Any]:
    """The settings as far as they matter here, defaults filled in. Raises Wrong."""
    if settings is None:
        raise Wrong("In which bucket are the states? Fix: define gitops_settings, or give settings or bucket")
    if not isinstance(settings, dict) or not settings.get("region"):
        raise Wrong("settings must be a dictionary with a region, as gitops_settings is")
    return {**settings, "name": settings.get("name") or "gitops"}


def chosen(state: State, content: bytes, output: str | None, sensitive: bool) -> Any:
    """What is asked for of a state: all outputs by name, or the value of one. Raises Wrong."""
    try:
        shown, hidden = outputs(content)
    except Unreadable as error:
        raise Wrong(f"{place(state)}: {error}") from None
    found = {**shown, **hidden} if sensitive else shown
    if output is None:
        return found
    if output in found:
        return found[output]
    if output in hidden:
        raise Wrong(
            f"Output {output} of {state.name} is sensitive. Fix: give sensitive=true, and no_log: true to every task "
            "that sees the value"
        )
    have = {**shown, **hidden}
    raise Wrong(
        f"{state.name} has no output {name_with_near(output, have)}. "
        + (f"It has: {listed(have)}" if have else "It has none: the code has no output blocks, or nothing is applied")
    )


def name_with_near(name: str, known: dict[str, Any]) -> str:
    """A name that is not known, with the one that may be meant."""
    near = get_close_matches(name, known, n=1)
    return f"{name!r} (did you mean {near[0]}?)" if near else repr(name)


def listed(known: dict[str, Any]) -> str:
    """Names for an error, not too many."""
    return ", ".join(list(known)[:SHOWN]) + (f" and {len(known) - SHOWN} more" if len(known) > SHOWN else "")


def place(state: State) -> str:
    """A state in words."""
    return f"State of {state.name}, s3://{state.bucket}/{state.key}"


def why(error: Exception, state: State) -> str:
    """Why a state could not be read, and what to do."""
    code = error_code(error)
    if code == "NoSuchBucket":
        return (
            f"{place(state)}: there is no such bucket. Fix: see whether name, region and state_bucket of the settings "
            "are those that site.yml ran with, and the credentials are for that account; else give bucket"
        )
    if code == "NoSuchKey":
        return (
            f"{place(state)}: there is no state. Fix: run the stack's pipeline to its end, or see whether state_key "
            "is right"
        )
    if code in DENIED:
        return f"{place(state)}: {denied(str(getattr(error, 'response', {})['Error'].get('Message', '')), state)}"
    return explain(error, place(state))


def denied(said: str, state: State) -> str:
    """Why AWS has refused a state, and what to do.

    Args:
        said: AWS's message. S3 puts quotation marks around ARNs, and may say nothing but that access is denied.
        state: the state.
    """
    told = denials.parse(said.replace('"', ""))
    refusal = told[0] if told else denials.Denial("", "", "*")
    who, action = refusal.principal or "who runs this", refusal.action
    of_key = action.startswith("kms:")
    takes = f"Reading takes s3:GetObject on the state and kms:Decrypt on its key, in a policy of {who}"
    spared = "OnlyKnownUse of the key's policy" if of_key else "OnlyKnownRead of the bucket's policy"
    reader = "Fix: add the user or role to state_readers in gitops_settings, and have an installer run site.yml"
    if action == "s3:ListBucket":
        return (
            f"there is no state, it seems. To {who}, who is not allowed {action}, AWS does not say so. Fix: run the "
            "stack's pipeline to its end, or see whether state_key is right"
        )
    if refusal.explicit and refusal.kind == denials.RESOURCE:
        return (
            f"{who} is denied {action} by a resource's policy. In a sealed estate that is the statement {spared}: it "
            f"spares only installers and state_readers. {reader}"
        )
    if refusal.explicit:
        policy = f"{refusal.kind or 'policy'} {refusal.policy}".strip()
        return f"{who} is denied {action} by a {policy}. Fix: see to that policy"
    if action:
        on = refusal.resource if refusal.resource != "*" else f"s3://{state.bucket}/{state.key}"
        encrypted = "the state is encrypted with a key that may not be used: " if of_key else ""
        return (
            f"{encrypted}no {refusal.kind or 'policy'} allows {who} {action} on {on}. Fix: allow it. {takes}; in a "
            "sealed estate the user or role must be among installers or state_readers of gitops_settings, too"
        )
    return (
        f"AWS refuses s3:GetObject and does not say why. {takes}; in a sealed estate also being spared by the "
        f"statements OnlyKnownRead of the bucket's policy and OnlyKnownUse of the key's. {reader}. Where s3:ListBucket "
        "is not allowed either, AWS says the same of a state that there is not"
    )


class LookupModule(AWSLookupBase):
    """The lookup. For the connection to AWS it stands in a module's place: it has options, and only reads."""

    check_mode = True
    _name = "gitops.aws.stack_outputs"

    @property
    def params(self) -> dict[str, Any]:
        """The options' values."""
        return self.get_options()

    def fail_json(self, msg: str, **_more: Any) -> NoReturn:
        """Ends the lookup."""
        raise AnsibleLookupError(msg)

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """The outputs; see DOCUMENTATION."""
        super().run(terms, variables, **kwargs)
        try:
            refuse_unknown(kwargs, self.option_definitions)
            # Of the environment's region the settings' bucket knows nothing.
            own_region = not {"region", *self.option_definitions["region"].get("aliases", [])}.isdisjoint(kwargs)
            return self._read(plain(self._flatten(terms)), variables or {}, own_region)
        except Wrong as error:
            raise AnsibleLookupError(str(error)) from None

    def _read(self, terms: list[Any], variables: dict[str, Any], own_region: bool) -> list[Any]:
        states = wanted(terms, self._given("stacks", variables), self.get_option("state_key"))
        bucket, aws = self.get_option("bucket"), Aws(self)
        if not bucket:
            settings = checked_settings(self._given("settings", variables))
            if not own_region:
                self.set_option("region", settings["region"])
            bucket = self._bucket(aws, settings)
        output, sensitive = self.get_option("output"), self.get_option("sensitive")
        on_missing = self.get_option("on_missing")

        def read(state: State) -> Any:
            try:
                content = aws.client("s3").get_object(Bucket=bucket, Key=state.key)["Body"].read()
            except (ClientError, BotoCoreError) as error:
                if error_code(error) == "NoSuchKey" and on_missing != "error":
                    if on_missing == "warn":
                        self._display.warning(why(error, state))
                    return {} if output is None else None
                raise Wrong(why(error, state)) from None
            return chosen(state, content, output, sensitive)

        return aws.map(read, [State(name, bucket, key) for name, key in states])

    def _bucket(self, aws: Aws, settings: dict[str, Any]) -> str:
        """The settings' bucket. Only where they do not name one must the account be known."""
        if settings.get("state_bucket"):
            return names.state_bucket(settings, "")
        try:
            return names.state_bucket(settings, aws.identity()["Account"])
        except (ClientError, BotoCoreError) as error:
            raise Wrong(explain(error, "The account whose state bucket is meant")) from None

    def _given(self, option: str, variables: dict[str, Any]) -> Any:
        """The value of an option, or of the variable that stands for it where no bucket is named."""
        value = self.get_option(option)
        if value is None and not self.get_option("bucket"):
            value = self._templar.template(variables.get(f"gitops_{option}"))
        return plain(value)
