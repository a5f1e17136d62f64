# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This code is private to the gitops.aws collection: it may change without notice.

"""What the name of an operation of AWS's tells. Without boto3, for what runs on the controller."""

from __future__ import annotations

import re

READ_ONLY_OPERATION = re.compile(r"^(Get|List|Describe|BatchGet|Head|Lookup|Simulate|Search|Scan)")
