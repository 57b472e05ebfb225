"""F-18: a run killed at each chunk boundary, started twice at once, with prices changed in between: the same bills."""

import asyncio
import subprocess
import sys
from datetime import date
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest

from backend.fees import billing_run, items, prices
from backend.kernel.audit import SYSTEM
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from tests import factories, factories_fees

ROOT = Path(__file__).parents[3]
CHUNK = 7
HOUSES = 30
KILLS = [
    f"{point}@{chunk}"
    for point in ("tx.before_flush", "tx.before_commit", "tx.after_commit", "billing_run.after_chunk")
    for chunk in range(1, HOUSES // CHUNK + 1)
]


async def _town(res: Resources) -> UUID:
    """30 houses: some without area, some handed over in mid-month; an item whose price changes in mid-month."""
    place = await factories.community(res)
    for n in range(HOUSES):
        await factories.house(
            res, place, f"{n + 101}",
            gross_area_cm2=None if n % 9 == 4 else 500_000 + 7_919 * n,
            handover_on=date(2026, 9, 1 + n) if n % 5 == 1 else date(2020, 1, 1),
        )  # fmt: skip
    return await factories_fees.item(res, place, rates=[(2_500_000, date(2020, 1, 1)), (2_800_000, date(2026, 9, 11))])


def _child(url: str, run_id: UUID, armed: str = "") -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.fees.generating_child", url, str(run_id), str(CHUNK), armed], cwd=ROOT
    )


async def _wait(*children: "subprocess.Popen[bytes]") -> list[int]:
    return list(await asyncio.gather(*(asyncio.to_thread(child.wait, 60) for child in children)))


async def _made(res: Resources, run_id: UUID) -> dict[str, object]:
    """All that a run has made, without ids."""
    lines = await res.db.fetch(
        """SELECT b.house_id, b.principal_fen, b.due_on, l.seq, l.label, l.inputs, l.area_cm2, l.exact_num, l.exact_den,
                  l.amount_fen
             FROM bill b JOIN bill_line l ON l.bill_id = b.id WHERE b.run_id = $1 ORDER BY b.house_id, l.seq""",
        run_id,
    )
    left = await res.db.fetch("SELECT house_id, reason FROM billing_omission WHERE run_id = $1 ORDER BY 1", run_id)
    run = await res.db.fetchrow(
        "SELECT state, house_count, bill_count, omitted_count, total_fen FROM billing_run WHERE id = $1", run_id
    )
    return {"lines": [tuple(row) for row in lines], "left": [tuple(row) for row in left], "run": tuple(run or ())}


async def _clean_result(res: Resources, item_id: UUID) -> dict[str, object]:
    """What one undisturbed run makes; it is given up again."""
    run = await factories_fees.ready(res, item_id)
    made = await _made(res, run.id)
    await res.db.transact(
        partial(billing_run.cancel, actor=SYSTEM, run_id=run.id, communities=(run.community_id,), reason="again")
    )
    while not (await res.db.transact(partial(billing_run.clear_chunk, run_id=run.id, rows=5))).done:
        pass
    assert await res.db.fetchval("SELECT count(*) FROM bill") == 0
    assert await res.db.fetchval("SELECT count(*) FROM bill_line") == 0
    assert await res.db.fetchval("SELECT count(*) FROM billing_omission") == 0
    return made


async def _change_price(res: Resources, item_id: UUID) -> None:
    async def work(tx: Tx) -> None:
        item = await items.lock(tx, item_id, communities=None)
        await prices.add(tx, SYSTEM, item=item, rate_micro=9_000_000, effective_from=date(2026, 9, 20))

    await res.db.transact(work)


async def _disturbed(res: Resources, url: str, kills: list[str]) -> None:
    item_id = await _town(res)
    clean = await _clean_result(res, item_id)
    for kill in kills:
        run = await factories_fees.draft(res, item_id)
        (code,) = await _wait(_child(url, run.id, kill))
        assert code == 137, kill
        await factories_fees.generate(res, run.id, houses=CHUNK)
        assert await _made(res, run.id) == clean, kill
        await factories_fees.assert_books(res.db)
        await res.db.execute(
            "UPDATE billing_run SET state = 'CANCELLED', cleared_at = $2 WHERE id = $1", run.id, res.clock.now()
        )
        await res.db.execute("DELETE FROM bill_line")
        await res.db.execute("DELETE FROM bill")


async def test_f18_killed_at_a_chunk_boundary_it_resumes_with_the_same_bills(res: Resources) -> None:
    await _disturbed(res, str(res.settings.database_url), [KILLS[5], KILLS[14]])


@pytest.mark.long
async def test_f18_killed_at_each_chunk_boundary_it_resumes_with_the_same_bills(res: Resources) -> None:
    await _disturbed(res, str(res.settings.database_url), KILLS)


async def test_f18_two_processes_at_once_make_the_bills_of_one(res: Resources) -> None:
    item_id = await _town(res)
    clean = await _clean_result(res, item_id)
    run = await factories_fees.draft(res, item_id)
    url = str(res.settings.database_url)
    assert await _wait(_child(url, run.id), _child(url, run.id)) == [0, 0]
    assert await _made(res, run.id) == clean
    await factories_fees.assert_books(res.db)


async def test_f18_tasks_at_once_make_the_bills_of_one(res: Resources) -> None:
    item_id = await _town(res)
    clean = await _clean_result(res, item_id)
    run = await factories_fees.draft(res, item_id)
    await asyncio.gather(*(factories_fees.generate(res, run.id, houses=CHUNK) for _ in range(6)))
    assert await _made(res, run.id) == clean


async def test_f18_a_price_changed_while_a_run_is_generated_does_not_reach_it(res: Resources) -> None:
    item_id = await _town(res)
    clean = await _clean_result(res, item_id)
    run = await factories_fees.draft(res, item_id)
    await res.db.transact(partial(billing_run.generate_chunk, run_id=run.id, houses=CHUNK))
    await _change_price(res, item_id)
    await factories_fees.generate(res, run.id, houses=CHUNK)
    assert await _made(res, run.id) == clean
    versions = await res.db.fetchval("SELECT count(DISTINCT inputs ->> 'price_version_id') FROM bill_line")
    assert versions == 2
