# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows estates in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from ansible_collections.gitops.aws.plugins.module_utils._status import page, report
from tests.browser.chromium import NoBrowser, opened


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One for all."""
    try:
        with opened() as found:
            yield found
    except NoBrowser as error:
        pytest.exit(str(error), 1)


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
    pages: list[Shown] = []

    def open_page(estate: dict[str, Any], wait: bool = True, **settings: Any) -> Shown:
        file = tmp_path / "estate.html"
        file.write_text(page.page(report.of(estate)), encoding="utf-8")
        shown = Shown(browser.new_page(**{"viewport": {"width": 1400, "height": 900}, **settings}))
        shown.page.on("console", lambda message: shown.messages.append(message.text))
        shown.page.on("pageerror", lambda error: shown.messages.append(str(error)))
        shown.page.on("request", lambda request: shown.requests.append(request.url))
        pages.append(shown)
        shown.page.goto(file.as_uri())
        shown.page.wait_for_selector("html[data-whole]" if wait else "html[data-ready]", state="attached")
        return shown

    yield open_page
    for shown in pages:
        assert shown.messages == []
        assert shown.requests == [(tmp_path / "estate.html").as_uri()]
        shown.page.close()
