"""Staff routes of the figures of tickets (工单统计), and the same as a workbook (D13, S7)."""

import asyncio
from datetime import date
from uuid import UUID

from backend.kernel import workbook
from backend.kernel.errors import Invalid, NotFound
from backend.kernel.http import Call, Reply, Route, Strict, example
from backend.tickets.dispatch import figures
from backend.tickets.dispatch.figures import By, Line, permille
from backend.tickets.states import CLOCK_TEXT, ClockKind

READ = "ticket.figures"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ID = "01991b2a-7c00-7000-8000-000000000001"
_PROMISE = {"kind": "respond", "kept": 118, "broken": 4, "on_time_permille": 967}
_LINE = {
    "key": _ID, "name": "赵大勇", "promises": [_PROMISE], "assigned": 130, "done": 121, "in_hand": 9, "finished": 119,
    "fixed": 110, "first_fix_permille": 924, "reopened": 3, "reopen_permille": 25, "ratings": 80, "stars": 386,
    "stars_permille": 4825,
}  # fmt: skip


class FiguresQuery(Strict):
    """From `starts_on` until the day before `ends_on`, 366 days at most; `community_id` null: all of the caller's."""

    starts_on: date
    ends_on: date
    by: By = By.ENGINEER
    community_id: UUID | None = None


class PromiseView(Strict):
    """Promises of a kind that were kept and broken in the period."""

    model_config = example(**_PROMISE)
    kind: ClockKind
    kept: int
    broken: int
    on_time_permille: int | None


class LineView(Strict):
    """The figures of an engineer, a category or a building (`key`; null: of nobody, of no building).

    `finished`: tickets first finished in the period, of these `fixed` at the first time, and `reopened` up to now.
    `in_hand`: as it is now. `stars`: their sum; `stars_permille`: 4825 is 4.825 on average.
    """

    model_config = example(**_LINE)
    key: UUID | None
    name: str
    promises: list[PromiseView]
    assigned: int
    done: int
    in_hand: int
    finished: int
    fixed: int
    first_fix_permille: int | None
    reopened: int
    reopen_permille: int | None
    ratings: int
    stars: int
    stars_permille: int | None

    @classmethod
    def of(cls, line: Line) -> "LineView":
        counts = {name: getattr(line, name) for name in ("key", "name", *figures.COUNTS)}
        return cls(
            **counts,
            promises=[
                PromiseView(
                    kind=kind, kept=line.kept[kind], broken=line.broken[kind], on_time_permille=_on_time(line, kind)
                )
                for kind in ClockKind
            ],
            first_fix_permille=permille(line.fixed, line.finished),
            reopen_permille=permille(line.reopened, line.finished),
            stars_permille=permille(line.stars, line.ratings),
        )


class FiguresAnswer(Strict):
    model_config = example(items=[_LINE], total=_LINE)
    items: list[LineView]
    total: LineView


async def _lines(call: Call[None, FiguresQuery]) -> list[Line]:
    query = call.query
    communities = call.principal.communities(READ)
    if query.community_id is not None:
        call.principal.require_community(READ, query.community_id)
        communities = (query.community_id,)
    return await figures.lines(
        call.res.db, communities, starts_on=query.starts_on, ends_on=query.ends_on, by=query.by,
        now=call.res.clock.now(),
    )  # fmt: skip


async def show(call: Call[None, FiguresQuery]) -> FiguresAnswer:
    """GET /admin/v1/ticket-figures."""
    found = await _lines(call)
    return FiguresAnswer(items=[LineView.of(line) for line in found], total=LineView.of(figures.total(found)))


async def export(call: Call[None, FiguresQuery]) -> Reply:
    """GET /admin/v1/ticket-figures.xlsx."""
    found = await _lines(call)
    headers = [
        "名称", *[f"{text}{what}" for text in CLOCK_TEXT.values() for what in ("按时", "超时", "及时率")],
        "派单", "完工", "在手", "首次完工工单", "一次修复", "一次修复率", "返修", "返修率", "评价数", "平均星级",
    ]  # fmt: skip
    notes = [
        f"统计期间：{call.query.starts_on} 至 {call.query.ends_on}（不含）。",
        "时限按达成或到期的时间统计，取消、驳回、合并的工单不计。",
        "一次修复：只有一位处理人处理过，且至今没有返修。在手为导出时的数量。",
    ]
    rows = [_cells(line) for line in (*found, figures.total(found))]
    body = await asyncio.to_thread(workbook.write, "工单统计", headers, rows, notes=notes)
    return Reply(200, body, XLSX, {"Content-Disposition": 'attachment; filename="ticket-figures.xlsx"'})


def _cells(line: Line) -> list[str | int | None]:
    promises = [
        cell
        for kind in ClockKind
        for cell in (line.kept[kind], line.broken[kind], _percent(_on_time(line, kind)))
    ]  # fmt: skip
    stars = permille(line.stars, line.ratings)
    return [
        line.name, *promises, line.assigned, line.done, line.in_hand, line.finished, line.fixed,
        _percent(permille(line.fixed, line.finished)), line.reopened, _percent(permille(line.reopened, line.finished)),
        line.ratings, None if stars is None else f"{stars // 1000}.{stars % 1000:03}",
    ]  # fmt: skip


def _on_time(line: Line, kind: ClockKind) -> int | None:
    return permille(line.kept[kind], line.kept[kind] + line.broken[kind])


def _percent(thousandths: int | None) -> str | None:
    return None if thousandths is None else f"{thousandths // 10}.{thousandths % 10}%"


_PATH = "/admin/v1/ticket-figures"

ROUTES = (
    Route(
        "GET", _PATH, show, READ, "工单统计：及时率、一次修复率、返修率、工作量、满意度", query=FiguresQuery,
        answer=FiguresAnswer, errors=(NotFound, Invalid),
    ),
    Route(
        "GET", f"{_PATH}.xlsx", export, READ, "导出工单统计为 Excel", query=FiguresQuery, errors=(NotFound, Invalid)
    ),
)  # fmt: skip
