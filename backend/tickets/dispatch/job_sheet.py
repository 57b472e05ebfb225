"""The job sheet (派工单) of a ticket: what the worker takes along, and the resident signs (D9)."""

from collections.abc import Sequence
from datetime import datetime

from backend.kernel import printing
from backend.kernel.clock import SHANGHAI
from backend.kernel.db import Reader, Record
from backend.kernel.errors import NotFound, Unavailable
from backend.kernel.http import Call, Reply, Route
from backend.kernel.papers import Paper
from backend.kernel.printing import PaperQuery
from backend.property import communities
from backend.tickets import clocks, reads
from backend.tickets.moves import MOVES, Move
from backend.tickets.states import CLOCK_TEXT, STATE_TEXT, ClockKind, State

READ = "ticket.read"
# So many of the latest events; the whole timeline is in the system.
LATEST = 12


async def print_sheet(call: Call[None, PaperQuery]) -> Reply:
    """GET /admin/v1/tickets/{ticket_id}/paper."""
    row = await reads.one(call.res.db, call.ids["ticket_id"], communities=call.principal.communities(READ))
    sheet = await paper(call.res.db, row)
    return await printing.reply(call.res.settings, sheet, call.query, file_name=f"ticket-{row['no']}")


async def paper(db: Reader, ticket: Record) -> Paper:
    """The sheet of a ticket that was found in scope."""
    (community,) = await communities.by_ids(db, [ticket["community_id"]])
    promised = (await clocks.of_tickets(db, [ticket["id"]])).get(ticket["id"], [])
    events = await reads.events(db, ticket["id"])
    return Paper(
        issuer=await communities.company_name(db, community.company_id),
        title="派 工 单",
        number=f"No. {ticket['no']}",
        facts=[
            ("小区", community.name),
            ("地点", "，".join(filter(None, (ticket["house"], ticket["place"])))),
            ("类别", f"{ticket['category']}{'（紧急）' if ticket['urgent'] else ''}"),
            ("提交时间", _time(ticket["submitted_at"])),
            ("处理人", ticket["assignee"] or "未派单"),
            ("状态", STATE_TEXT[State(ticket["state"])]),
            *((f"应{CLOCK_TEXT[ClockKind(row['kind'])]}", _time(row["due_at"])) for row in promised),
        ],
        columns=("进展", "时间", "经办", "说明"),
        rows=_lines(events[-LATEST:]),
        total="完工情况：",
        notes=[f"报修内容：{ticket['description']}"],
        signs=("处理人：", "住户签字：", "完成时间："),
    )


def _lines(events: Sequence[Record]) -> list[tuple[str, str, str, str]]:
    """Reasons that residents do not read are not printed: the sheet is shown to them."""
    lines = []
    for event in events:
        rule = MOVES.get(Move(event["move"]))
        hidden = rule is not None and rule.private
        title = "提交" if rule is None else rule.title
        lines.append((title, _time(event["at"]), event["actor"] or "", "" if hidden else event["reason"] or ""))
    return lines


def _time(at: datetime) -> str:
    return f"{at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"


ROUTES = (
    Route(
        "GET", "/admin/v1/tickets/{ticket_id}/paper", print_sheet, READ, "打印派工单：网页或 PDF", query=PaperQuery,
        errors=(NotFound, Unavailable), rate=printing.RATE,
    ),
)  # fmt: skip
