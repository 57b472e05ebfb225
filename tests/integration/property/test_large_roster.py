"""Fifty thousand rows within a minute, with progress, in bounded memory of the worker (S1, D1)."""

import asyncio
import time
from collections import Counter

import pytest

from backend.kernel.resources import Resources
from tests import factories
from tests.conftest import Client
from tests.factories_roster import street, uploaded, work_all, workbook

ROWS = 50_000


@pytest.mark.timeout(300)
@pytest.mark.long
async def test_fifty_thousand_rows_are_checked_and_imported_within_a_minute(res: Resources, client: Client) -> None:
    place = await factories.community(res)
    boss = client.of((await factories.staff(res, place, "manager")).token)
    body = await asyncio.to_thread(workbook, street(ROWS))
    started = time.monotonic()
    preview = await uploaded(res, boss, place.id, body)
    checked_s = time.monotonic() - started
    assert (preview["state"], preview["row_count"]) == ("READY", ROWS)
    path = f"/admin/v1/roster-imports/{preview['id']}"
    await boss.post(f"{path}/confirm")
    work = asyncio.create_task(work_all(res))
    seen: Counter[int] = Counter()
    while not work.done():
        await asyncio.sleep(0.2)
        seen[(await boss.get(path)).json["done_rows"]] += 1
        assert await res.db.fetchval("SELECT count(*) FROM house") in (0, ROWS)
    assert await work == 1
    total_s = time.monotonic() - started
    print(f"checked in {checked_s:.1f} s, all in {total_s:.1f} s, {len(seen)} steps of progress seen")
    assert (await boss.get(path)).json["state"] == "IMPORTED"
    assert await res.db.fetchval("SELECT count(*) FROM occupancy") == ROWS
    assert len(seen) > 5
    assert total_s < 60
