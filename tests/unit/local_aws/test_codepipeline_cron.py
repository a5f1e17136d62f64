# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cron expressions and time zones of deployment windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from local_aws.codepipeline import cron


@pytest.mark.parametrize(
    ("expression", "moment", "is_open"),
    [
        ("* * * * * ?", "2026-11-24 21:31", True),
        ("0 0 9-17 ? * MON-FRI", "2026-11-24 17:00", True),  # a Tuesday
        ("0 0 9-17 ? * MON-FRI", "2026-11-24 17:01", False),
        ("0 0 9-17 ? * MON-FRI", "2026-11-24 18:00", False),
        ("* * 9-17 ? * MON-FRI *", "2026-11-28 12:00", False),  # a Saturday
        ("* * * ? * FRI-MON *", "2026-11-29 12:00", True),  # around the end of the week
        ("* * * ? * FRI-MON *", "2026-11-24 12:00", False),
        ("* 0/15 * * * ?", "2026-11-24 12:45", True),
        ("* 5/15 * * * ?", "2026-11-24 12:45", False),
        ("* */20 * * * ?", "2026-11-24 12:40", True),
        ("* 10-30/10 * * * ?", "2026-11-24 12:40", False),
        ("* * * 1,24 nov ?", "2026-11-24 12:00", True),
        ("* * * 1,24 JAN-OCT ?", "2026-11-24 12:00", False),
        ("* * * * * ? 2027-2030", "2026-11-24 12:00", False),
        ("* * * L * ?", "2026-02-28 12:00", True),
        ("* * * L * ?", "2024-02-28 12:00", False),
        ("* * * L-3 * ?", "2026-11-27 12:00", True),
        ("* * * LW * ?", "2026-10-30 12:00", True),  # the 31st is a Saturday
        ("* * * LW * ?", "2026-10-31 12:00", False),
        ("* * * 15W * ?", "2026-11-16 12:00", True),  # the 15th is a Sunday
        ("* * * 1W * ?", "2026-08-03 12:00", True),  # the 1st is a Saturday, and July is another month
        ("* * * 31W * ?", "2026-11-30 12:00", False),
        ("* * * ? * 6L", "2026-11-27 12:00", True),  # the last Friday
        ("* * * ? * FRIL", "2026-11-20 12:00", False),
        ("* * * ? * L", "2026-11-28 12:00", True),
        ("* * * ? * 6#3", "2026-11-20 12:00", True),
        ("* * * ? * FRI#4", "2026-11-20 12:00", False),
    ],
)
def test_windows(expression: str, moment: str, is_open: bool) -> None:
    assert cron.parse(expression).is_open(datetime.fromisoformat(moment).replace(tzinfo=UTC)) is is_open


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *",
        "* * * * * ? * *",
        "60 * * * * ?",
        "* 60 * * * ?",
        "* * 24 * * ?",
        "* * * 0 * ?",
        "* * * 32W * ?",
        "* * * * 13 ?",
        "* * * ? * 8",
        "* * * ? * FRI#6",
        "* * * * * ? 1969",
        "* x * * * ?",
        "* 1,,2 * * * ?",
        "* */0 * * * ?",
        "* 1/ * * * ?",
        "* *-5 * * * ?",
        "* ? * * * ?",
    ],
)
def test_wrong_expressions(expression: str) -> None:
    with pytest.raises(cron.CronError):
        cron.parse(expression)


@pytest.mark.parametrize(
    ("name", "hours"),
    [("UTC", 0), ("Europe/Berlin", 1), ("EST", -5), ("UTC+05:30", 5.5), ("GMT-8", -8), ("UTC+0200", 2)],
)
def test_time_zones(name: str, hours: float) -> None:
    assert datetime(2026, 11, 24, tzinfo=cron.zone(name)).utcoffset() == timedelta(hours=hours)


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "Europe", "../etc/passwd", "UTC+25:00"])
def test_wrong_time_zones(name: str) -> None:
    with pytest.raises(cron.CronError, match="is not known"):
        cron.zone(name)
