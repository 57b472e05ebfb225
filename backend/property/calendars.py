"""Holidays (节假日) and working weekends (调休上班) of a company, year by year (D8; working days of other nouns too).

Promises: a year that an administrator has entered counts as entered, whole; else the years that the library
chinesecalendar knows (those that the State Council has announced) count by it; in any other year days count by their
weekday, and say that nobody has entered them. Every day off of a holiday is one, the weekend within it too; a weekend
on which people work is a working day.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

import chinese_calendar

from backend.kernel import audit
from backend.kernel.audit import Actor
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import Invalid

_SATURDAY = 5
_DECEMBER = 12
LIBRARY_YEARS = frozenset(day.year for day in chinese_calendar.holidays)
MIN_YEAR, MAX_YEAR = 2000, 2199

OF_COMMUNITY = """
    SELECT y.year, y.days FROM calendar_year y JOIN community c ON c.company_id = y.company_id
     WHERE c.id = $1 AND y.year = ANY ($2::integer[])
"""

OF_COMPANY = "SELECT year, days FROM calendar_year WHERE company_id = $1 AND year = ANY ($2::integer[])"

# The company is held, so that two administrators who enter a year are told apart in the audit.
HOLD = "SELECT id FROM company WHERE id = $1 FOR UPDATE"

SET = """
    INSERT INTO calendar_year (company_id, year, days, changed_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (company_id, year) DO UPDATE SET days = $3, changed_at = $4
"""


class DayKind(StrEnum):
    """工作日, 周末, 节假日: what a date is (D8)."""

    WORKING_DAY = "working_day"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"


class Source(StrEnum):
    """Who knows a year: the company's administrators, the library, nobody."""

    STAFF = "staff"
    LIBRARY = "library"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Day:
    """A day that is not what its weekday says: a holiday, or a weekend on which people work; `name`: of the holiday."""

    day: date
    kind: DayKind
    name: str


def by_weekday(day: date) -> DayKind:
    """What a date is by its weekday alone."""
    return DayKind.WEEKEND if day.weekday() >= _SATURDAY else DayKind.WORKING_DAY


@dataclass(frozen=True, slots=True)
class Calendar:
    """The years that were asked for, as administrators entered them; others count by the library, or by the weekday."""

    entered: Mapping[int, Mapping[date, Day]] = field(default_factory=dict)

    def kind(self, day: date) -> DayKind:
        """What a date is."""
        named = self.named(day)
        return by_weekday(day) if named is None else named.kind

    def named(self, day: date) -> Day | None:
        """The day as its year names it; None for an ordinary day and where the year is not known."""
        entered = self.entered.get(day.year)
        return (_library(day.year) if entered is None else entered).get(day)

    def source(self, year: int) -> Source:
        """Who knows the year."""
        if year in self.entered:
            return Source.STAFF
        return Source.LIBRARY if year in LIBRARY_YEARS else Source.UNKNOWN

    def days(self, year: int) -> list[Day]:
        """What the year names, in order."""
        found = self.entered.get(year, _library(year))
        return [found[day] for day in sorted(found)]


WEEKDAYS = Calendar()


async def of_community(db: Reader, community_id: UUID, *, years: Iterable[int]) -> Calendar:
    """The calendar of the company of a community, for these years; one statement."""
    return _read(await db.fetch(OF_COMMUNITY, community_id, sorted(set(years))))


async def of_company(db: Reader, company_id: UUID, *, years: Iterable[int]) -> Calendar:
    """The calendar of a company, for these years; one statement."""
    return _read(await db.fetch(OF_COMPANY, company_id, sorted(set(years))))


def missing(calendar: Calendar, *, today: date) -> list[int]:
    """The years that administrators should enter by now: this one, and in December the next, where nobody knows it."""
    wanted = [today.year, today.year + 1] if today.month == _DECEMBER else [today.year]
    return [year for year in wanted if calendar.source(year) is Source.UNKNOWN]


async def set_year(tx: Tx, actor: Actor, *, company_id: UUID, year: int, days: Sequence[Day], reason: str) -> None:
    """Enter a year of a company as a whole, in place of what was known of it.

    Raises Invalid, with the place of each day that is of another year, named twice, or works on a working day.
    """
    fields = _problems(year, days)
    if fields:
        raise Invalid(f"节假日表有误，{fields[0]['message']}", fields=fields)
    await tx.execute(HOLD, company_id)
    before = (await of_company(tx, company_id, years=[year])).days(year)
    await tx.execute(SET, company_id, year, _kept(days), tx.now)
    audit.record(
        tx, actor, action="property.calendar_changed", target=f"calendar_year:{company_id}:{year}", reason=reason,
        before={"days": _kept(before)}, after={"days": _kept(days)},
    )  # fmt: skip


def _problems(year: int, days: Sequence[Day]) -> list[dict[str, str]]:
    fields, seen = [], set()
    for number, each in enumerate(days):
        message = None
        if each.day.year != year:
            message = f"{each.day} 不在 {year} 年。"
        elif each.day in seen:
            message = f"{each.day} 出现了两次。"
        elif each.kind is DayKind.WEEKEND:
            message = f"{each.day} 应写明是节假日（holiday）还是调休上班（working_day）。"
        elif each.kind is DayKind.WORKING_DAY and by_weekday(each.day) is DayKind.WORKING_DAY:
            message = f"{each.day} 本来就是工作日，不必列出。"
        seen.add(each.day)
        if message:
            fields.append({"field": f"days.{number}.day", "message": message})
    return fields


def _kept(days: Iterable[Day]) -> list[dict[str, str]]:
    ordered = sorted(days, key=lambda each: each.day)
    return [{"day": each.day.isoformat(), "kind": each.kind.value, "name": each.name} for each in ordered]


def _read(rows: Sequence[Mapping[str, Any] | Any]) -> Calendar:
    return Calendar({row["year"]: {day.day: day for day in map(_day, row["days"])} for row in rows})


def _day(kept: Mapping[str, str]) -> Day:
    return Day(date.fromisoformat(kept["day"]), DayKind(kept["kind"]), kept["name"])


@cache
def _library(year: int) -> Mapping[date, Day]:
    """The year as the library knows it; empty where it does not."""
    if year not in LIBRARY_YEARS:
        return {}
    found = {}
    for kind, named in ((DayKind.HOLIDAY, chinese_calendar.holidays), (DayKind.WORKING_DAY, chinese_calendar.workdays)):
        for day, english in named.items():
            if day.year == year:
                found[day] = Day(day, kind, str(chinese_calendar.Holiday(english).chinese))
    return found
