"""Staff routes of the calendar (节假日表): what a year is, and entering it (D8)."""

from datetime import date
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from backend.kernel.clock import local_date
from backend.kernel.db import Reader, Tx
from backend.kernel.errors import Invalid, NotFound
from backend.kernel.http import Call, Route, Strict, example
from backend.property import calendars
from backend.property.calendars import MAX_YEAR, MIN_YEAR, Day, DayKind, Source

READ, COMPANY = "property.read", "company.manage"
Year = Annotated[int, Field(ge=MIN_YEAR, le=MAX_YEAR)]
_DAYS = [
    {"day": "2026-10-01", "kind": "holiday", "name": "国庆节"},
    {"day": "2026-10-10", "kind": "working_day", "name": "国庆节"},
]


class DayBody(Strict):
    """A day off of a holiday (weekends within it too), or a weekend on which people work; `name`: of the holiday."""

    model_config = example(**_DAYS[0])
    day: date
    kind: Literal["holiday", "working_day"]
    name: str = Field(min_length=1, max_length=20)


class YearBody(Strict):
    """All days of a year that are not what their weekday says."""

    model_config = example(year=2026, days=_DAYS, reason="国务院办公厅放假通知")
    year: Year
    days: list[DayBody] = Field(min_length=1, max_length=120)
    reason: str = Field(min_length=2, max_length=200)


class YearQuery(Strict):
    """`year`: this one where it is not told."""

    year: Year | None = None


class YearAnswer(Strict):
    """A year and who knows it; `missing_years`: those to enter by now, as their days count by the weekday."""

    model_config = example(year=2026, source="library", days=_DAYS, missing_years=[2027], warning=None)
    year: int
    source: Source
    days: list[DayBody]
    missing_years: list[int]
    warning: str | None


async def show_year(call: Call[None, YearQuery]) -> YearAnswer:
    """GET /admin/v1/calendar."""
    if call.principal.company_id is None:
        raise NotFound
    today = local_date(call.res.clock.now())
    return await _answer(call.res.db, call.principal.company_id, year=call.query.year or today.year, today=today)


async def set_year(call: Call[YearBody, None]) -> YearAnswer:
    """PUT /admin/v1/calendar."""
    company_id, body = call.principal.require_company(COMPANY), call.body

    async def work(tx: Tx) -> YearAnswer:
        days = [Day(each.day, DayKind(each.kind), each.name) for each in body.days]
        await calendars.set_year(
            tx, call.principal.actor, company_id=company_id, year=body.year, days=days, reason=body.reason
        )
        return await _answer(tx, company_id, year=body.year, today=local_date(tx.now))

    return await call.transact(work)


async def _answer(db: Reader, company_id: UUID, *, year: int, today: date) -> YearAnswer:
    calendar = await calendars.of_company(db, company_id, years=(year, today.year, today.year + 1))
    missing = calendars.missing(calendar, today=today)
    years = "、".join(map(str, missing))
    return YearAnswer(
        year=year,
        source=calendar.source(year),
        days=[_shown(each) for each in calendar.days(year)],
        missing_years=missing,
        warning=f"节假日表还没有录入 {years} 年，在录入之前按星期计算。" if missing else None,
    )


def _shown(named: Day) -> DayBody:
    kind: Literal["holiday", "working_day"] = "holiday" if named.kind is DayKind.HOLIDAY else "working_day"
    return DayBody(day=named.day, kind=kind, name=named.name)


ROUTES = (
    Route("GET", "/admin/v1/calendar", show_year, READ, "一年的节假日和调休上班日", query=YearQuery, answer=YearAnswer,
          errors=(NotFound,)),
    Route("PUT", "/admin/v1/calendar", set_year, COMPANY, "录入一年的节假日和调休上班日", body=YearBody,
          answer=YearAnswer, errors=(NotFound, Invalid)),
)  # fmt: skip
