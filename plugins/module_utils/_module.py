# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""The module object: amazon.aws's, with errors in the input that say where in a list the error is.

Ansible's own message about a wrong sub-option names the options around it, but not which of a hundred items is meant.
"""

from __future__ import annotations

import copy
from difflib import get_close_matches
from typing import Any, Iterable

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.gitops.aws.plugins.module_utils._secrets import HIDDEN

ERRORS_SHOWN = 20

TYPES = {
    "bool": "true or false",
    "dict": "a dictionary",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "str": "a text",
}

# Where Ansible's check of the arguments fails, it may not have come to note which of them are secret: show none.
UNSHOWN: dict[str, Any] = {}

# What is said of one option at a time, and then goes down to its sub-options.
OF_ONE_OPTION = ("type", "elements", "choices", "no_log")


class CheckedModule(AnsibleModule):
    """AnsibleModule whose complaint about its arguments names each by its path, and what is allowed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().__init__(*args, **kwargs)
        except TypeError:
            # Ansible's check breaks at a number or null in the place of a dictionary with sub-options.
            wrong = input_problems(self.argument_spec, self._given)
            if not wrong:
                raise
            super().fail_json(msg=nothing_changed(wrong), invocation=UNSHOWN)
        nulls = null_problems(self.argument_spec, self._given)
        if nulls:
            super().fail_json(msg=nothing_changed(nulls))

    def _set_internal_properties(self, *args: Any, **kwargs: Any) -> None:
        super()._set_internal_properties(*args, **kwargs)
        self.no_log = True  # not to syslog: only the names of some values, deep in lists, tell that they are secret
        self._given = copy.deepcopy(self.params)  # what the user gave, before Ansible's check changes it
        self._hidden: set[str] = set()

    def hide(self, values: Iterable[str]) -> None:
        """Keeps texts out of what a result shows of the arguments, wherever one of them stands there as a whole."""
        self._hidden.update(values)

    def exit_json(self, **kwargs: Any) -> Any:
        """As AnsibleModule's, without what was hidden."""
        super().exit_json(**{**self._invocation(), **kwargs})

    def _invocation(self) -> dict[str, Any]:
        return {"invocation": {"module_args": _without(self.params, self._hidden)}} if self._hidden else {}

    def fail_json(self, msg: str, **kwargs: Any) -> Any:
        """As AnsibleModule's. While arguments are checked (and only then are there errors) the message is ours."""
        checked = getattr(self, "validation_result", None)
        if checked is not None and checked.error_messages:
            msg = nothing_changed(input_problems(self.argument_spec, self._given)) or msg
            kwargs["invocation"] = UNSHOWN
        super().fail_json(**{**self._invocation(), **kwargs, "msg": msg})


def aws_module(argument_spec: dict[str, Any], **kwargs: Any) -> AnsibleAWSModule:
    """amazon.aws's module object, with check mode and with our messages about wrong arguments."""
    # The one way that AnsibleAWSModule leaves open: it reads the class from here, not from its arguments.
    AnsibleAWSModule.default_settings["module_class"] = CheckedModule
    return AnsibleAWSModule(argument_spec=argument_spec, supports_check_mode=True, **kwargs)


def null_problems(spec: dict[str, Any], arguments: dict[str, Any], path: str = "") -> list[str]:
    """Required options that are null, which Ansible takes for given, each as `path: what is wrong`."""
    found = []
    for name, option in spec.items():
        value, options = arguments.get(name), option.get("options")
        if value is None and option.get("required"):
            found.append(f"{path}{name}: it is required and null")
        elif options and isinstance(value, dict):
            found += null_problems(options, value, f"{path}{name}.")
        elif options and isinstance(value, list):
            dictionaries = [(index, element) for index, element in enumerate(value) if isinstance(element, dict)]
            for index, element in dictionaries:
                found += null_problems(options, element, f"{path}{name}[{index}].")
    return found


def _without(value: Any, hidden: set[str]) -> Any:
    """The value with every text that is hidden replaced."""
    if isinstance(value, dict):
        return {name: _without(element, hidden) for name, element in value.items()}
    if isinstance(value, list):
        return [_without(element, hidden) for element in value]
    return HIDDEN if isinstance(value, str) and value in hidden else value


def nothing_changed(problems: list[str]) -> str:
    """Problems of the input as one message, '' where there are none."""
    if not problems:
        return ""
    shown = "; ".join(problems[:ERRORS_SHOWN])
    more = f"; and {len(problems) - ERRORS_SHOWN} more" if len(problems) > ERRORS_SHOWN else ""
    return f"Nothing was changed. {shown}{more}"


def refuse(module: AnsibleAWSModule, problems: list[str], **result: Any) -> None:
    """Ends the module, with this result, where there are problems with its input."""
    if problems:
        module.fail_json(msg=nothing_changed(problems), **result)


def input_problems(spec: dict[str, Any], given: dict[str, Any], path: str = "") -> list[str]:
    """What an argument spec says is wrong with arguments, each as `path: what is wrong, what is allowed`.

    Args:
        spec: Ansible's argument spec, with sub-options.
        given: the arguments as the user gave them.
        path: of the dictionary that `given` is, with a full stop at its end.
    """
    names = {alias: name for name, option in spec.items() for alias in (name, *option.get("aliases", []))}
    found = [f"{path}{name}: {_unknown(name, names)}" for name in given if name not in names]
    given = {names[name]: value for name, value in given.items() if name in names}
    for name, option in spec.items():
        value = given.get(name)
        if value is not None or (name in given and ("choices" in option or option.get("default") is not None)):
            found += _option_problems(option, value, f"{path}{name}")
        elif option.get("required"):
            # Before ansible-core 2.19 what is null is missing to Ansible, too.
            found.append(f"{path}{name}: it is required and {'null' if name in given else 'missing'}")
    return found


def _unknown(name: str, names: dict[str, str]) -> str:
    near = get_close_matches(name, names, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    return f"there is no such option. {meant}Allowed are {', '.join(sorted(set(names.values())))}"


def _option_problems(option: dict[str, Any], value: Any, path: str) -> list[str]:
    options = option.get("options")
    if option.get("type") == "list" and isinstance(value, list) and option.get("elements"):
        element = {**{k: v for k, v in option.items() if k != "elements"}, "type": option["elements"]}
        return [each for i, item in enumerate(value) for each in _option_problems(element, item, f"{path}[{i}]")]
    if value is None and "choices" not in option:
        return [f"{path}: null is not allowed, it must be {TYPES.get(option.get('type', 'str'), 'given')}"]
    if options is not None and isinstance(value, dict) and option.get("type") == "dict":
        return input_problems(options, value, f"{path}.")
    one = {key: option[key] for key in OF_ONE_OPTION if key in option}
    checked = ArgumentSpecValidator({"value": one}).validate({"value": value})
    if not checked.error_messages:
        converted = checked.validated_parameters["value"]
        # Ansible takes texts for lists and dictionaries, too.
        return _option_problems(option, converted, path) if options is not None and converted != value else []
    shown = TYPES[type(value).__name__] if isinstance(value, (list, dict)) else repr(value)
    if option.get("no_log"):
        shown = "the value"
    choices = option.get("choices")
    allowed = f"one of {', '.join(map(str, choices))}" if choices else TYPES.get(option.get("type", "str"), "valid")
    return [f"{path}: {shown} is not allowed, it must be {allowed}"]
