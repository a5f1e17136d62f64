# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Between Ansible's snake_case and AWS's member names, by botocore's service model.

The model knows which dictionaries are structures (their keys are renamed) and which are maps keyed by users, such as
an action's configuration (their keys are left as they are). Converters that rename blindly cannot know.
"""

from __future__ import annotations

from typing import Any

try:
    from botocore import xform_name
except ImportError:  # AnsibleAWSModule reports the missing library
    pass


def input_shape(client: Any, operation: str) -> Any:
    """The botocore shape of an operation's input, such as `CreateProject`."""
    return client.meta.service_model.operation_model(operation).input_shape


def to_request(shape: Any, value: Any) -> Any:
    """A value in snake_case as AWS's API takes it. Members that are None are left out.

    Raises KeyError for a key that the shape does not have.
    """
    if shape.type_name == "structure":
        names = {xform_name(member): member for member in shape.members}
        return {
            names[key]: to_request(shape.members[names[key]], element)
            for key, element in value.items()
            if element is not None
        }
    if shape.type_name == "list":
        return [to_request(shape.member, element) for element in value]
    if shape.type_name == "map":
        return {key: to_request(shape.value, element) for key, element in value.items()}
    return value


def from_response(shape: Any, value: Any) -> Any:
    """What AWS answered, in snake_case. Members that the shape does not have are dropped: they are not settings."""
    if shape.type_name == "structure":
        return {
            xform_name(member): from_response(member_shape, value[member])
            for member, member_shape in shape.members.items()
            if member in value
        }
    if shape.type_name == "list":
        return [from_response(shape.member, element) for element in value]
    if shape.type_name == "map":
        return {key: from_response(shape.value, element) for key, element in value.items()}
    return value
