# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""Which values must not be shown, where only a name tells so."""

from __future__ import annotations

import json
import re
from typing import Any

HIDDEN = "(hidden)"
# Secrets in results: as we write them, and as Ansible does to the value of an option that it must not log.
STANDS_FOR_SECRET = (HIDDEN, "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER")

# Parts of a name, in capitals, between underscores.
SECRET = re.compile(
    r"(?:^|_)(?:\w*SECRET|\w*TOKEN|PASS|PWD|\w*PASSW(?:OR)?D|PASSPHRASE|(?:PRIVATE|API|ACCESS|ENCRYPTION)_KEY|APIKEY"
    r"|CREDENTIALS?|WEBHOOK)S?(?:_|$)"
)
# What such a name ends with when the value only says where the secret is.
REFERENCE = re.compile(r"_(?:ARN|FILE|ID|NAME|PARAMETER|PATH)$")


def looks_secret(name: str) -> bool:
    """Whether the name of a value, such as `DB_PASSWORD` or `OAuthToken`, says that the value should not be shown."""
    capitals = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").upper()
    return bool(SECRET.search(capitals)) and not REFERENCE.search(capitals)


def hides(variable: dict[str, Any]) -> bool:
    """Whether the value of an environment variable (name, value, type) is a secret in plain text."""
    return variable.get("type") in (None, "PLAINTEXT") and looks_secret(str(variable.get("name")))


def secret_values(environment: dict[str, Any] | None) -> list[str]:
    """The values of an environment's variables (`environment_variables`, which may be null) that must not be shown."""
    variables = (environment or {}).get("environment_variables") or []
    return [variable["value"] for variable in variables if variable["value"] and hides(variable)]


def holds_secret(text: Any) -> bool:
    """Whether a text is JSON of environment variables, one of which is a secret in plain text."""
    try:
        variables = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return False
    return isinstance(variables, list) and any(isinstance(each, dict) and hides(each) for each in variables)
