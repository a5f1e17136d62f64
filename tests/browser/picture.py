# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the picture of the report's page that README.md and docs/report.md show: make picture."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ansible_collections.gitops.aws.plugins.module_utils._status import page, report
from tests import estates
from tests.browser.chromium import NoBrowser, opened

KEPT = Path(__file__).resolve().parents[2] / "docs" / "images" / "report.png"
WINDOW = {"width": 1400, "height": 770}  # cuts no row


def main() -> None:
    with opened() as browser, tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "estate.html"
        file.write_text(page.page(report.of(estates.estate(estates.twelve()))), encoding="utf-8")
        shown = browser.new_page(viewport=WINDOW)
        shown.goto(file.as_uri())
        shown.wait_for_selector("html[data-whole]", state="attached")
        KEPT.parent.mkdir(exist_ok=True)
        shown.screenshot(path=KEPT)


if __name__ == "__main__":
    try:
        main()
    except NoBrowser as error:
        sys.exit(str(error))
