"""Staff routes of a lot's figures: the figures, the same as a workbook, and the exits opened by hand (D8, D13)."""

import asyncio
from dataclasses import asdict
from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from backend.kernel import workbook
from backend.kernel.days import Day
from backend.kernel.errors import Invalid, NotFound
from backend.kernel.http import Call, Page, Reply, Route, Strict, decode_cursor, encode_cursor, example
from backend.parking import lots, plates, statistics, vehicles
from backend.parking.lanes import hand_openings
from backend.parking.statistics import MAX_DAYS, By, ExitKind, Figures, Line

READ = "parking.figures"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ID = "01991b2a-7c00-7000-8000-000000000001"
EXIT_NAMES = {
    ExitKind.CARD: "停车卡出场", ExitKind.LIST: "白名单出场", ExitKind.FREE: "免费时长内出场",
    ExitKind.PAID: "缴费出场", ExitKind.BY_HAND: "人工放行出场", ExitKind.UNPAID: "未缴费出场",
}  # fmt: skip
_LINE = {
    "first_on": "2026-09-01", "income_fen": 125_000, "refunded_fen": 500, "net_fen": 124_500, "entries": 412,
    "exits": {"card": 260, "list": 3, "free": 41, "paid": 105, "by_hand": 2, "unpaid": 1}, "turnover_percent": 128,
}  # fmt: skip


class FiguresQuery(Strict):
    """From `starts_on` until the day before `ends_on`: 92 days at most by day, 1 100 by month."""

    starts_on: Day
    ends_on: Day
    by: By = By.DAY


class LineView(Strict):
    """A day, a month or all. `turnover_percent`: entries per space of the lot; 100: as many as there are spaces."""

    model_config = example(**_LINE)
    first_on: date
    income_fen: int
    refunded_fen: int
    net_fen: int
    entries: int
    exits: dict[ExitKind, int]
    turnover_percent: int

    @classmethod
    def of(cls, line: Line) -> "LineView":
        return cls(**asdict(line), net_fen=line.income_fen - line.refunded_fen)


class LengthView(Strict):
    """Stays that ended in the period, of at least `from_min` minutes and less than `to_min`."""

    model_config = example(from_min=30, to_min=60, stays=87)
    from_min: int
    to_min: int | None
    stays: int


class HourView(Strict):
    """The most cars inside in an hour of the day: on the fullest day, on which hour, and on average."""

    model_config = example(hour=19, peak=287, peak_at="2026-09-01T11:00:00Z", average=240)
    hour: int
    peak: int
    peak_at: datetime
    average: int


class FiguresAnswer(Strict):
    model_config = example(items=[_LINE], total=_LINE, stay_lengths=[], hours=[])
    items: list[LineView]
    total: LineView
    stay_lengths: list[LengthView]
    hours: list[HourView]


class OpeningsQuery(Page):
    """From `starts_on` until the day before `ends_on`, 1 100 days at most."""

    starts_on: Day
    ends_on: Day


class OpeningView(Strict):
    """An exit that a guard opened. `open_fen`: what was due and not paid; without a stay nobody knows."""

    model_config = example(
        id=_ID, opened_at="2026-09-01T11:00:00Z", lane_name="东门出口", session_id=_ID, plate_masked="粤B***45",
        entered_at="2026-09-01T02:00:00Z", open_fen=1500, staff_id=_ID, staff_name="王强", reason="老人就医，人工放行",
    )  # fmt: skip
    id: UUID
    opened_at: datetime
    lane_name: str
    session_id: UUID | None
    plate_masked: str | None
    entered_at: datetime | None
    open_fen: int
    staff_id: UUID | None
    staff_name: str | None
    reason: str


class OpeningsAnswer(Strict):
    model_config = example(items=[], next_cursor=None)
    items: list[OpeningView]
    next_cursor: str | None = Field(description="null on the last page")


async def _figures(call: Call[None, FiguresQuery]) -> Figures:
    lot = await lots.one(call.res.db, call.ids["lot_id"], communities=call.principal.communities(READ))
    query = call.query
    return await statistics.of_lot(
        call.res.db, lot, starts_on=query.starts_on, ends_on=query.ends_on, by=query.by
    )  # fmt: skip


async def show(call: Call[None, FiguresQuery]) -> FiguresAnswer:
    """GET /admin/v1/parking-lots/{lot_id}/figures."""
    found = await _figures(call)
    return FiguresAnswer(
        items=[LineView.of(line) for line in found.lines],
        total=LineView.of(found.total),
        stay_lengths=[LengthView(**asdict(each)) for each in found.lengths],
        hours=[HourView(**asdict(each)) for each in found.hours],
    )


async def export(call: Call[None, FiguresQuery]) -> Reply:
    """GET /admin/v1/parking-lots/{lot_id}/figures.xlsx."""
    found = await _figures(call)
    headers = [
        "日期", "收入（分）", "退款（分）", "净收入（分）", "入场车次", *EXIT_NAMES.values(), "每百车位入场车次",
    ]  # fmt: skip
    rows = [_cells(line.first_on.isoformat(), line) for line in found.lines] + [_cells("合计", found.total)]
    notes = ["收入和退款按记账日期统计，与总账一致。", "入场按入场日期统计，出场按出场日期统计，人工作废的记录不计。"]
    body = await asyncio.to_thread(workbook.write, "停车统计", headers, rows, notes=notes)
    return Reply(200, body, XLSX, {"Content-Disposition": 'attachment; filename="parking-figures.xlsx"'})


def _cells(name: str, line: Line) -> list[str | int | None]:
    net_fen = line.income_fen - line.refunded_fen
    exits = [line.exits[kind] for kind in EXIT_NAMES]
    return [name, line.income_fen, line.refunded_fen, net_fen, line.entries, *exits, line.turnover_percent]


async def list_openings(call: Call[None, OpeningsQuery]) -> OpeningsAnswer:
    """GET /admin/v1/parking-lots/{lot_id}/hand-openings."""
    query, ring = call.query, call.res.keyring
    lot = await lots.one(call.res.db, call.ids["lot_id"], communities=call.principal.communities(READ))
    starts_at, ends_at = statistics.instants(query.starts_on, query.ends_on, max_days=MAX_DAYS[By.MONTH])
    after = None if query.cursor is None else decode_cursor(query.cursor, (datetime, UUID))
    rows = await hand_openings.exits(
        call.res.db, lot["id"], starts_at=starts_at, ends_at=ends_at,
        after=None if after is None else (after[0], after[1]), limit=query.limit,
    )  # fmt: skip
    items = []
    for row in rows:
        known = {name: row[name] for name in OpeningView.model_fields if name != "plate_masked"}
        plate = None if row["session_id"] is None else vehicles.of_stay(ring, row["session_id"], row["plate_sealed"])
        masked = None if row["session_id"] is None else plates.mask(plate or "")
        items.append(OpeningView(**known, plate_masked=masked))
    last = rows[-1] if len(rows) == query.limit else None
    return OpeningsAnswer(items=items, next_cursor=encode_cursor(last["opened_at"], last["id"]) if last else None)


_LOT = "/admin/v1/parking-lots/{lot_id}"

ROUTES = (
    Route(
        "GET", f"{_LOT}/figures", show, READ, "停车统计：收入、车次、周转、停车时长、高峰", query=FiguresQuery,
        answer=FiguresAnswer, errors=(NotFound, Invalid),
    ),
    Route(
        "GET", f"{_LOT}/figures.xlsx", export, READ, "停车统计导出（.xlsx）", query=FiguresQuery,
        errors=(NotFound, Invalid),
    ),
    Route(
        "GET", f"{_LOT}/hand-openings", list_openings, READ, "人工放行的出场：保安、原因、未收金额",
        query=OpeningsQuery, answer=OpeningsAnswer, errors=(NotFound, Invalid),
    ),
)  # fmt: skip
