# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser without a window: Debian's Chromium where it is there, else the one that `playwright install` fetches."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Error, sync_playwright

CALLED = ("chromium", "chromium-browser", "google-chrome")
HOW_TO_GET_ONE = (
    "make browser needs Chromium: apt install chromium, or .work/venv/bin/playwright install --with-deps chromium"
)


class NoBrowser(Exception):
    """There is none that starts; the text says what to do."""


@contextmanager
def opened() -> Iterator[Browser]:
    """A browser. Raises NoBrowser."""
    path = next(filter(None, map(shutil.which, CALLED)), None)
    with sync_playwright() as playwright:
        try:
            # Who runs tests as root, as in a container, has no sandbox. The page is our own.
            browser = playwright.chromium.launch(executable_path=path, chromium_sandbox=False)
        except Error as error:
            said = next(iter(str(error).splitlines()), "")
            raise NoBrowser(HOW_TO_GET_ONE if path is None else f"{path} does not start: {said}") from error
        yield browser
        browser.close()
