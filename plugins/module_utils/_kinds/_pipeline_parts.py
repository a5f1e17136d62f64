# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What is deep in the stages of a pipeline: rules, configurations, and secrets in them. Nothing here calls AWS."""

from __future__ import annotations

from dataclasses import dataclass

from ansible_collections.gitops.aws.plugins.module_utils._engine import Settings, as_text
from ansible_collections.gitops.aws.plugins.module_utils._secrets import HIDDEN, hides, holds_secret, looks_secret

MASKED = "****"  # what AWS answers in the place of a secret in a configuration, such as OAuthToken

Stages = list[Settings]


@dataclass
class Secret:
    """A text that must not be shown, and where it stands."""

    owner: Settings
    name: str

    def texts(self) -> list[str]:
        """What must not be shown: the value, and what is secret in it where it is a list of variables."""
        value = self.owner[self.name]
        inside = value if isinstance(value, list) else []
        return [as_text(value), *(as_text(each.get("value")) for each in inside if isinstance(each, dict))]

    def hide(self) -> None:
        """Puts what stands for a secret in its place."""
        self.owner[self.name] = HIDDEN


def rules(stage: Settings) -> list[tuple[str, Settings]]:
    """The rules of a stage's conditions, with their paths."""
    return [
        (f"{place}.conditions[{number}].rules[{n}]", rule)
        for place in ("before_entry", "on_success", "on_failure")
        for number, condition in enumerate((stage.get(place) or {}).get("conditions") or [])
        for n, rule in enumerate(condition.get("rules") or [])
    ]


def configurations(stages: Stages) -> list[tuple[str, Settings]]:
    """The configurations of actions and rules, with their paths."""
    found = []
    for number, stage in enumerate(stages):
        actions = [(f"actions[{n}]", action) for n, action in enumerate(stage.get("actions") or [])]
        owners = [(path, each) for path, each in (*actions, *rules(stage)) if each.get("configuration")]
        found += [(f"stages[{number}].{path}.configuration", owner["configuration"]) for path, owner in owners]
    return found


def secrets(stages: Stages) -> list[Secret]:
    """Values in configurations and environment variables whose names say that they are secret."""
    found = [
        Secret(configuration, name)
        for _path, configuration in configurations(stages)
        for name, value in configuration.items()
        if looks_secret(name) or holds_secret(value)
    ]
    for action in (action for stage in stages for action in stage.get("actions") or []):
        found += [Secret(each, "value") for each in action.get("environment_variables") or [] if hides(each)]
    return found


def masked(stages: Stages) -> list[str]:
    """The paths of secrets that AWS does not tell."""
    return [
        f"{path}.{name}"
        for path, configuration in configurations(stages)
        for name, value in configuration.items()
        if value == MASKED
    ]


def mask(stages: Stages, like: Stages) -> None:
    """Masks what is masked in stages of the same form: AWS has a value there, and does not tell whether it is this."""
    elsewhere = dict(configurations(like))
    for path, configuration in configurations(stages):
        for name, value in elsewhere.get(path, {}).items():
            if value == MASKED and name in configuration:
                configuration[name] = MASKED
