"""The short way of a scan against whatever happens between its look and its write (backend/visitors/scanning.py)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest

from backend.kernel.audit import Actor
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.visitors import bans, passes, scanning
from backend.visitors.bans import NewBan
from backend.visitors.scanning import Verdict
from backend.visitors.states import BanKind
from tests import factories_gates
from tests.conftest import Run
from tests.factories_gates import Grounds
from tests.factories_payments import sound

PHONE = "13900000001"
LOCK = "SELECT FROM visitor_pass WHERE id = $1 FOR UPDATE"
WAITING = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


@pytest.fixture
def at(res: Resources, run: Run) -> Grounds:
    return run(factories_gates.grounds(res))


async def _scanned_while(at: Grounds, pass_id: UUID, meanwhile: Callable[[Tx], Awaitable[object]]) -> Verdict:
    """The gate has looked and waits for the pass's lock while `meanwhile` happens; what it is told."""
    text = await at.text(pass_id)

    async def hold(tx: Tx) -> asyncio.Task[Verdict]:
        await tx.execute(LOCK, pass_id)
        scanning_now = asyncio.create_task(at.scan(at.east, text, key="waits"))
        async with asyncio.timeout(20):
            while await at.res.db.fetchval(WAITING) < 1:
                await asyncio.sleep(0.01)
        await meanwhile(tx)
        return scanning_now

    verdict = await (await at.res.db.transact(hold))
    assert await at.scan(at.east, text, key="waits") == verdict, "a repeat is told the same"
    return verdict


async def test_a_usual_scan_takes_the_short_way_and_a_repeat_is_answered_by_the_long_one(
    at: Grounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = await at.text(await at.invite(entries=2))
    gate = scanning.Gate(at.east.id, at.place.id)
    long_ways: list[str] = []
    scan = scanning.scan

    async def counted(tx: Tx, gate: scanning.Gate, told: scanning.Scan, **more: object) -> Verdict:
        long_ways.append(told.key)
        return await scan(tx, gate, told, keyring=at.res.keyring)

    monkeypatch.setattr(scanning, "scan", counted)
    first, second = [
        await scanning.at_gate(at.res.db, gate, scanning.Scan(key, text, sequence=7), keyring=at.res.keyring)
        for key in ("one", "one")
    ]
    assert first == second == Verdict(True, None, scanning.OPENS, 1)
    assert long_ways == ["one"]
    rows = await at.res.db.fetch("SELECT kind, sequence, outcome, answer FROM device_event")
    assert [tuple(row.values()) for row in rows] == [("visitor_scan", 7, "applied", first.kept())]
    assert await at.res.db.fetchval("SELECT count(*) FROM outbox WHERE event = 'visitors.entered'") == 1
    await sound(at.res)


async def test_a_pass_that_is_revoked_between_look_and_write_opens_nothing(at: Grounds) -> None:
    """I-20."""
    pass_id = await at.invite(entries=None)
    verdict = await _scanned_while(
        at, pass_id,
        lambda tx: passes.revoke(
            tx, Actor("staff", at.owner.id), pass_id=pass_id, communities=[at.place.id], reason="测试撤销"
        ),
    )  # fmt: skip
    assert (verdict.open, verdict.reason) == (False, "revoked")
    assert await at.res.db.fetchval("SELECT count(*) FROM visitor_entry") == 0
    await sound(at.res)


async def test_an_entry_used_between_look_and_write_is_not_left_any_more(at: Grounds) -> None:
    """What the gate is told is what is left, not what was seen; and a visitor who is banned meanwhile stays out."""
    pass_id = await at.invite(entries=3, phone=PHONE)
    gate_id = at.west.id
    verdict = await _scanned_while(
        at, pass_id, lambda tx: passes.redeem(tx, pass_id=pass_id, gate_id=gate_id, way=scanning.EntryWay.CODE)
    )
    assert (verdict.open, verdict.entries_left) == (True, 1)
    new = NewBan(BanKind.PHONE, PHONE, "闹事", at.res.clock.now() + timedelta(days=1))
    await at.res.db.transact(
        lambda tx: bans.put(tx, Actor("staff", at.owner.id), keyring=at.res.keyring, community_id=at.place.id, new=new)
    )
    assert (await at.scan(at.east, await at.text(pass_id))).reason == "banned"
    assert await at.res.db.fetchval("SELECT entries_used FROM visitor_pass WHERE id = $1", pass_id) == 2
    await sound(at.res)
