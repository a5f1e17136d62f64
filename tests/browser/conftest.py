# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser without a window: Debian's Chromium where it is there, else the one that `playwright install` fetches."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ansible_collections.gitops.aws.plugins.module_utils._status import page, report

CALLED = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all."""
    path = next(filter(None, map(shutil.which, CALLED)), None)
    with sync_playwright() as playwright:
        # Who runs tests as root, as in a container, has no sandbox. The page is our own.
        opened = playwright.chromium.launch(executable_path=path, chromium_sandbox=False)
        yield opened
        opened.close()


@dataclass
class Shown:
    """A page in the browser, and what it did.

    Attributes:
        page: for playwright.
        messages: in the console, and errors.
        requests: whatever it asked for, the file itself first.
    """

    page: Page
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def rows(self) -> list[str]:
        """The names of the stacks that are shown, in their order."""
        names: list[str] = self.page.locator("#stacks tbody tr:visible th .strong").all_text_contents()
        return names


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Shown]]:
    """Shows an estate. Whatever the test does with it, there is nothing in the console and nothing is fetched."""
    opened: list[Shown] = []

    def open_page(estate: dict[str, Any], wait: bool = True, **settings: Any) -> Shown:
        file = tmp_path / "estate.html"
        file.write_text(page.page(report.of(estate)), encoding="utf-8")
        shown = Shown(browser.new_page(**{"viewport": {"width": 1400, "height": 900}, **settings}))
        shown.page.on("console", lambda message: shown.messages.append(message.text))
        shown.page.on("pageerror", lambda error: shown.messages.append(str(error)))
        shown.page.on("request", lambda request: shown.requests.append(request.url))
        opened.append(shown)
        shown.page.goto(file.as_uri())
        shown.page.wait_for_selector("html[data-whole]" if wait else "html[data-ready]", state="attached")
        return shown

    yield open_page
    for shown in opened:
        assert shown.messages == []
        assert shown.requests == [(tmp_path / "estate.html").as_uri()]
        shown.page.close()
