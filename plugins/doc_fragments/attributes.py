# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module of the collection promises."""

from __future__ import annotations


class ModuleDocFragment:
    PLATFORM = r"""
options: {}
attributes:
  platform:
    description:
      - The module runs on any POSIX host that has Python and the AWS SDK, usually the controller.
    platforms: posix
    support: full
"""

    GROUP = r"""
options: {}
attributes:
  action_group:
    description:
      - With C(module_defaults) for C(group/gitops.aws.aws), region and credentials are given once for all modules of
        this collection.
    support: full
    membership:
      - gitops.aws.aws
"""

    FILES = r"""
options: {}
attributes:
  check_mode:
    description: A check run writes nothing, and says what it would write.
    support: full
  diff_mode:
    description: With C(--diff) the module shows what differs in the files.
    support: full
  idempotent:
    description: A second run with the same options writes nothing.
    support: full
"""

    READING = r"""
options: {}
attributes:
  check_mode:
    description: It never changes anything.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  idempotent:
    description: It never changes anything.
    support: full
"""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description:
      - A check run reads and compares like a real one, and makes no call that could change anything.
    support: full
  diff_mode:
    description:
      - With C(--diff) the module shows what differs. The same comparison decides whether it reports a change.
      - Secrets are never shown, only that they differ.
    support: full
  idempotent:
    description:
      - A second run with the same options reports no change and makes no call that could change anything.
    support: full
"""
