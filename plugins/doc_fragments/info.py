# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that all modules which read a list of resources share."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  names:
    description:
      - Which are read. Unset means all of the account and region.
      - A name that does not exist is no error; it is listed in RV(missing).
    type: list
    elements: str
  concurrency:
    description:
      - How many calls to AWS are in flight at once, from 1 to 100.
    type: int
    default: 10
attributes:
  check_mode:
    description: The module only reads, in check mode as well.
    support: full
  diff_mode:
    description: The module changes nothing, so that there is no difference to show.
    support: none
  idempotent:
    description: The module changes nothing.
    support: full
"""
