"""Promises that end soon, or are broken (超时预警, 超时升级): told to worker, desk and manager, each once (D9).

Promises: a clock raises each level once, however often it is looked at. A warning goes to who has the ticket in hand,
else to the desk; at the end of the promise the desk is told, some time later the manager. What stands still, or has
been kept before the message goes out, is not told.
"""

from uuid import UUID

from backend.kernel import outbox
from backend.kernel.clock import SHANGHAI
from backend.kernel.db import Record, Tx
from backend.kernel.outbox import Job
from backend.kernel.periodic import Minutes, Periodic
from backend.kernel.resources import Resources
from backend.messaging import intents
from backend.messaging.intents import Recipient
from backend.messaging.meanings import TICKET_WORK
from backend.tickets.dispatch import handling, people
from backend.tickets.dispatch.handling import USUAL
from backend.tickets.states import CLOCK_TEXT, AlarmLevel, ClockKind

RAISED = "tickets.alarm"
BATCH = 500
BATCHES = 20
PAGE = "pages/todo/detail"
LEVEL_TEXT = {AlarmLevel.WARNING: "即将超时", AlarmLevel.DESK: "已超时", AlarmLevel.MANAGER: "超时升级"}

# Index ticket_clock_due, as far ahead as the earliest warning may be.
RAISE = f"""
    WITH watched AS (
        SELECT k.id, k.community_id, k.due_at,
               coalesce(h.warn_before_m, $2::integer) * interval '1 minute' AS before,
               coalesce(h.escalate_after_m, $3::integer) * interval '1 minute' AS after
          FROM ticket_clock k
          JOIN ticket t ON t.id = k.ticket_id AND t.round = k.round
          JOIN ticket_category c ON c.id = t.category_id
          LEFT JOIN LATERAL ({handling.COUNTS}) h ON true
         WHERE k.stopped_at IS NULL AND k.paused_at IS NULL AND k.due_at <= $1::timestamptz + interval '7 days'
    )
    INSERT INTO ticket_alarm (community_id, clock_id, level, at)
    SELECT w.community_id, w.id, l.level, $1
      FROM watched w
     CROSS JOIN LATERAL (VALUES ('warning', w.due_at - w.before, w.due_at), ('desk', w.due_at, 'infinity'),
                                ('manager', w.due_at + w.after, 'infinity')) AS l (level, from_at, until_at)
     WHERE l.from_at <= $1 AND $1 < l.until_at
       AND NOT EXISTS (SELECT FROM ticket_alarm a WHERE a.clock_id = w.id AND a.level = l.level)
     ORDER BY l.from_at
     LIMIT $4
        ON CONFLICT ON CONSTRAINT ticket_alarm_once DO NOTHING
 RETURNING id, community_id
"""  # noqa: S608 - constants

# What is still so when the message goes out.
ONE = """
    SELECT a.id, a.level, a.community_id, k.kind, k.due_at, t.id AS ticket_id, t.no, t.place, c.name AS category,
           h.label AS house,
           (SELECT staff_id FROM ticket_assignment WHERE ticket_id = t.id AND ended_at IS NULL) AS worker_id
      FROM ticket_alarm a
      JOIN ticket_clock k ON k.id = a.clock_id
      JOIN ticket t ON t.id = k.ticket_id
      JOIN ticket_category c ON c.id = t.category_id
      LEFT JOIN ticket_house h ON h.id = t.house_id
     WHERE a.id = $1 AND k.stopped_at IS NULL AND k.paused_at IS NULL
"""


async def watch(res: Resources, _period: str) -> None:
    """Raise what is due; a message for each follows as a job."""

    async def work(tx: Tx) -> int:
        rows = await tx.fetch(RAISE, tx.now, USUAL.warn_before_m, USUAL.escalate_after_m, BATCH)
        for row in rows:
            outbox.emit(
                tx, RAISED, {"alarm_id": row["id"]}, community_id=row["community_id"], dedup_key=str(row["id"])
            )  # fmt: skip
        return len(rows)

    for _ in range(BATCHES):
        if await res.db.transact(work) < BATCH:
            return


async def on_raised(job: Job) -> None:
    """Tell whom it concerns, where it is still so."""

    async def work(tx: Tx) -> None:
        alarm = await tx.fetchrow(ONE, job.payload["alarm_id"])
        if alarm is None:
            return
        values = {
            "no": str(alarm["no"]),
            "category": alarm["category"],
            "where": alarm["house"] or alarm["place"],
            "move": LEVEL_TEXT[AlarmLevel(alarm["level"])],
            "note": _note(alarm),
        }
        page = f"{PAGE}?id={alarm['ticket_id']}"
        await intents.plan(
            tx, TICKET_WORK, event_key=f"{RAISED}:{alarm['id']}", community_id=alarm["community_id"],
            recipients=[Recipient(staff_id, values, page) for staff_id in await _concerned(tx, alarm)],
        )  # fmt: skip

    await job.transact(work)


async def _concerned(tx: Tx, alarm: Record) -> list[UUID]:
    if alarm["level"] == AlarmLevel.WARNING and alarm["worker_id"] is not None:
        return [alarm["worker_id"]]
    ladder = people.MANAGER if alarm["level"] == AlarmLevel.MANAGER else people.DESK
    return await people.holders(tx, alarm["community_id"], ladder=ladder)


def _note(alarm: Record) -> str:
    due = f"{alarm['due_at'].astimezone(SHANGHAI):%m月%d日 %H:%M}"
    return f"应在{due}前{CLOCK_TEXT[ClockKind(alarm['kind'])]}"


PERIODIC: tuple[Periodic, ...] = (Periodic("tickets.alarms", Minutes(5), watch),)
