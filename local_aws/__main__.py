# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m local_aws: start, stop and look after local AWS."""

from __future__ import annotations

import sys

from local_aws.cli import main

if __name__ == "__main__":
    sys.exit(main())
