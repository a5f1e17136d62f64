# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of a run counted: how many cases, faults and kills there were."""

from __future__ import annotations

from collections import Counter

CASES = "generated cases"
FAULTS = "faults injected"
KILLS = "kills survived"

counted: Counter[str] = Counter()


def count(name: str, number: int = 1) -> None:
    """Adds to one of the figures above, or to another one, of which make soak shows the sum, too."""
    counted[name] += number
