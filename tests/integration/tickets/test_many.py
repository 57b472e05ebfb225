"""An engineer's list among half a million tickets (D9): by the index made for it, as fast as the hand is small."""

import time

import pytest

from backend.kernel.db import Tx
from backend.tickets import reads
from backend.tickets.moves import Move
from tests.factories_tickets import Desk

TICKETS = 500_000
FILL = """
    WITH made AS (
        INSERT INTO ticket (id, community_id, category_id, kind, state, channel, house_id, description, urgent,
                            submitted_at, moved_at, done_at, closed_at)
        SELECT gen_random_uuid(), $1, $2, 'repair_home', 'CLOSED', 'miniprogram', $3, '漏水', false,
               $4::timestamptz - n * interval '1 minute', $4, $4, $4
          FROM generate_series(1, $6::integer) AS n
     RETURNING id)
    INSERT INTO ticket_assignment (community_id, ticket_id, staff_id, assigned_at, ended_at, ended_as)
    SELECT $1, id, $5, $4, $4, 'done' FROM made
"""


@pytest.mark.long
async def test_d9_an_engineers_list_does_not_grow_with_the_tickets(desk: Desk) -> None:
    async def fill(tx: Tx) -> None:
        await tx.allow(statement_s=120)
        await tx.execute(
            FILL, desk.place.id, desk.category_id, desk.house_id, desk.res.clock.now(), desk.engineer.id, TICKETS
        )

    await desk.res.db.transact(fill)
    held = [await desk.submit() for _ in range(5)]
    for ticket in held:
        await desk.move(desk.desk(), ticket, Move.TRIAGE)
        await desk.move(desk.desk(), ticket, Move.ASSIGN, staff_id=desk.engineer.id)
    for sql, args in (
        (reads.IN_HAND, (desk.engineer.id, [desk.place.id])),
        (reads.LIST_IN, ([desk.place.id], *[None] * 8, 21)),
        (reads.TO_GRAB, ([desk.place.id], desk.engineer.id)),
    ):
        plan = "\n".join(row[0] for row in await desk.res.db.fetch(f"EXPLAIN {sql}", *args))
        assert "Seq Scan on ticket t" not in plan and "Seq Scan on ticket_assignment" not in plan, plan
    began = time.perf_counter()
    rows = await reads.in_hand(desk.res.db, desk.engineer.id, communities=[desk.place.id])
    took_s = time.perf_counter() - began
    assert {row["id"] for row in rows} == set(held)
    assert took_s < 0.5
