# Copyright: Contributors to the gitops.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cron expressions of DeploymentWindow rules: six fields, and a year if wanted. A minute they match is open."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_DAY_OF_MONTH = re.compile(r"L|LW|L-(?:[1-9]|[12]\d|30)|(?:[1-9]|[12]\d|3[01])W")
_DAY_OF_WEEK = re.compile(rf"L|(?:[1-7]|{'|'.join(_DAYS)})(?:L|#[1-5])")
_OFFSET = re.compile(r"(?:UTC|GMT)([+-])(\d{1,2})(?::?([0-5]\d))?")


class CronError(ValueError):
    """An expression or a time zone that is not valid; the text says what is wrong with it."""


@dataclass(frozen=True)
class Window:
    """The minutes an expression matches. Seconds play no part, as AWS says."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days_of_month: tuple[str, ...]
    months: frozenset[int]
    days_of_week: tuple[str, ...]
    years: frozenset[int]

    def is_open(self, moment: datetime) -> bool:
        """Whether the minute of a moment, in the moment's own time zone, is inside the window."""
        day = moment.date()
        return (
            moment.minute in self.minutes
            and moment.hour in self.hours
            and moment.month in self.months
            and moment.year in self.years
            and any(_in_month(item, day) for item in self.days_of_month)
            and any(_in_week(item, day) for item in self.days_of_week)
        )


def parse(expression: str) -> Window:
    """The window of an expression. Raises CronError."""
    fields = expression.upper().split()
    if len(fields) not in (6, 7):
        raise CronError(f"The cron expression '{expression}' does not have 6 or 7 fields")
    seconds, minutes, hours, days_of_month, months, days_of_week = fields[:6]
    _numbers(seconds, 0, 59)
    for field, pattern, low, high, names in (
        (days_of_month, _DAY_OF_MONTH, 1, 31, ()),
        (days_of_week, _DAY_OF_WEEK, 1, 7, _DAYS),
    ):
        for item in field.split(","):
            if item != "?" and not pattern.fullmatch(item):
                _numbers(item, low, high, names)
    return Window(
        _numbers(minutes, 0, 59),
        _numbers(hours, 0, 23),
        tuple(days_of_month.split(",")),
        _numbers(months, 1, 12, _MONTHS),
        tuple(days_of_week.split(",")),
        _numbers(fields[6] if len(fields) == 7 else "*", 1970, 2199),
    )


def zone(name: str) -> tzinfo:
    """A time zone by its name (Europe/Berlin, EST) or as an offset (UTC+01:00). Raises CronError."""
    if match := _OFFSET.fullmatch(name):
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        if offset < timedelta(hours=24):
            return timezone(-offset if sign == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CronError(f"The time zone '{name}' is not known") from None


def _numbers(field: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    """The numbers of a field of values, ranges and increments."""

    def number(text: str) -> int:
        value = low + names.index(text) if text in names else int(text) if text.isdecimal() else -1
        if not low <= value <= high:
            raise CronError(f"'{text}' in the cron field '{field}' is not between {low} and {high}")
        return value

    found: set[int] = set()
    for item in field.split(","):
        values, _, step = item.partition("/")
        first, dash, last = values.partition("-")
        begin, end = (low, high) if first == "*" else (number(first), number(last) if dash else number(first))
        if step and not dash:
            end = high
        if ("/" in item and not (step.isdecimal() and int(step))) or (first == "*" and dash):
            raise CronError(f"'{item}' in the cron field '{field}' is not valid")
        if end < begin:  # FRI-MON: around the end
            end += high - low + 1
        found.update((value - low) % (high - low + 1) + low for value in range(begin, end + 1, int(step or 1)))
    return frozenset(found)


def _in_month(item: str, day: date) -> bool:
    """Whether a day-of-month item matches a day."""
    last = calendar.monthrange(day.year, day.month)[1]
    if item == "?":
        return True
    if item == "LW":
        return day.day == _nearest_weekday(day.replace(day=last))
    if item.startswith("L"):
        return day.day == last - int(item[2:] or 0)
    if item.endswith("W"):
        return int(item[:-1]) <= last and day.day == _nearest_weekday(day.replace(day=int(item[:-1])))
    return day.day in _numbers(item, 1, 31)


def _nearest_weekday(day: date) -> int:
    """The day of the month, in the same month, of the weekday nearest to a day."""
    last = calendar.monthrange(day.year, day.month)[1]
    if day.weekday() == calendar.SATURDAY:
        return day.day - 1 if day.day > 1 else day.day + 2
    if day.weekday() == calendar.SUNDAY:
        return day.day + 1 if day.day < last else day.day - 2
    return day.day


def _in_week(item: str, day: date) -> bool:
    """Whether a day-of-week item matches a day; Sunday is 1."""
    today = day.isoweekday() % 7 + 1
    if item == "?":
        return True
    if item == "L":
        return today == 7
    if item.endswith("L"):
        return today in _numbers(item[:-1], 1, 7, _DAYS) and (day + timedelta(days=7)).month != day.month
    if "#" in item:
        wanted, _, which = item.partition("#")
        return today in _numbers(wanted, 1, 7, _DAYS) and (day.day - 1) // 7 + 1 == int(which)
    return today in _numbers(item, 1, 7, _DAYS)
