"""A car that was misread at its entry and left by its right plate: its two halves are made one stay (D8).

The camera at the exit knew it by its card or the white list and let it out, so that the stay which the wrong plate
began would stay inside for ever. Which car inside it was, only a person can say: one whose plate differs in a character
may be another car. Nothing is charged; what no card covers is flagged.
"""

from backend.kernel.db import Record, Tx
from backend.kernel.errors import Conflict
from backend.parking import stays
from backend.parking.cards import cards
from backend.parking.prices import dues
from backend.parking.states import Flag, SessionState

JOIN = """
    UPDATE parking_session
       SET entered_at = $2, entry_lane_id = $3, entry_tariff_id = $4, card_id = $5,
           flags = ARRAY(SELECT DISTINCT f FROM unnest(flags || '{corrected}') AS f
                          WHERE f NOT IN ('no_entry', 'misread') ORDER BY f)
     WHERE id = $1
"""


async def join(tx: Tx, *, unseen: Record, stay: Record) -> None:
    """Give a stay that has left, whose entry nobody saw, the entry of one inside, which is voided. Both are held.

    Raises Conflict `entry_was_seen` where the one came in after the other had left, `stay_paid` for one that was paid.
    """
    if stay["entered_at"] is None or stay["entered_at"] > unseen["left_at"]:
        raise Conflict("这条停车记录的入场时间晚于出场时间，不是同一辆车。", code="entry_was_seen")
    if stay["paid_fen"] > stay["refunded_fen"]:
        raise Conflict("这条停车记录已经付过费，请先退款或作废。", code="stay_paid")
    card_id = await cards.of_plate(
        tx, unseen["community_id"], plate_blind=unseen["plate_blind"], lot_no=unseen["lot_no"],
        came_at=stay["entered_at"],
    )  # fmt: skip
    await stays.leave(tx, stay["id"], at=unseen["left_at"], lane_id=None, state=SessionState.VOIDED)
    await tx.execute(
        JOIN, unseen["id"], stay["entered_at"], stay["entry_lane_id"], stay["entry_tariff_id"], card_id
    )  # fmt: skip
    whole = await stays.lock(tx, unseen["id"], at=unseen["left_at"])
    if (await dues.due(tx, whole, at=unseen["left_at"])).open_fen > 0:
        await stays.name(tx, unseen["id"], frozenset({Flag.LEFT_UNPAID}))
