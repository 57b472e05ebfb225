"""Scans that come at the same moment and share their round trips (decision 0037)."""

import asyncio
from collections.abc import Sequence

import asyncpg
import pytest

from backend.kernel.auth import Nonce
from backend.kernel.db import Tx, Write
from backend.kernel.errors import Unauthenticated, Unavailable
from backend.kernel.resources import Resources
from backend.visitors import scanning
from backend.visitors.scanning import Entering, Gate, Scan, Shown, Verdict
from tests import factories_gates
from tests.conftest import Run
from tests.factories_gates import Grounds
from tests.factories_payments import sound


@pytest.fixture
def at(res: Resources, run: Run) -> Grounds:
    return run(factories_gates.grounds(res))


@pytest.fixture
def long_ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of scans that went the long way."""
    keys: list[str] = []
    scan = scanning.scan

    async def counted(tx: Tx, gate: Gate, told: Scan, **more: object) -> Verdict:
        keys.append(told.key)
        return await scan(tx, gate, told, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(scanning, "scan", counted)
    return keys


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many let in were found in each round."""
    found: list[int] = []
    entering = scanning._entering

    async def counted(write: Write, asked: Sequence[Shown]) -> dict[int, Entering]:
        answer = await entering(write, asked)
        found.append(len(answer))
        return answer

    monkeypatch.setattr(scanning, "_entering", counted)
    return found


async def _shown(at: Grounds, *shown: tuple[str, str]) -> list[Verdict]:
    """Keys with their tokens, all at once."""
    return await asyncio.gather(*(at.scan(at.east, text, key=key) for key, text in shown))


async def test_those_who_come_together_are_let_in_by_one_statement(
    at: Grounds, rounds: list[int], long_ways: list[str]
) -> None:
    texts = [await at.text(await at.invite(entries=entries)) for entries in (1, 2, None)]
    verdicts = await _shown(at, *((f"k{number}", text) for number, text in enumerate(texts)))
    assert [(each.open, each.entries_left) for each in verdicts] == [(True, 0), (True, 1), (True, None)]
    assert (rounds, long_ways) == ([3], [])
    entries = await at.res.db.fetch(
        "SELECT d.event_key, d.answer, p.entries_used FROM visitor_entry e JOIN visitor_pass p ON p.id = e.pass_id"
        " JOIN device_event d ON d.id = e.device_event_id ORDER BY d.event_key"
    )
    assert [tuple(row.values()) for row in entries] == [
        (f"k{number}", verdict.kept(), 1) for number, verdict in enumerate(verdicts)
    ]
    assert await at.res.db.fetchval("SELECT count(*) FROM outbox WHERE event = 'visitors.entered'") == 3
    await sound(at.res)


async def test_of_two_with_one_pass_the_others_still_go_together(
    at: Grounds, rounds: list[int], long_ways: list[str]
) -> None:
    """I-20: one entry, two who show it."""
    shared, other = [await at.text(await at.invite()) for _ in range(2)]
    verdicts = await _shown(at, ("first", shared), ("second", shared), ("other", other))
    assert [each.reason for each in verdicts] == [None, "used_up", None]
    assert (rounds, long_ways) == ([2], ["second"])
    await sound(at.res)


async def test_a_gate_that_tells_twice_at_once_is_answered_twice_and_counted_once(
    at: Grounds, long_ways: list[str]
) -> None:
    text = await at.text(await at.invite(entries=3))
    first, second = await _shown(at, ("same", text), ("same", text))
    assert first == second == Verdict(True, None, scanning.OPENS, 2)
    assert long_ways == ["same"]
    assert await at.res.db.fetchval("SELECT count(*) FROM visitor_entry") == 1
    await sound(at.res)


async def test_who_is_shut_out_meanwhile_keeps_nobody_else_out(
    at: Grounds, long_ways: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """I-20: a pass is revoked between the look and the statement of a round; all of the round go the long way."""
    lost, good = await at.invite(), await at.invite()
    entering = scanning._entering

    async def revoked(write: Write, asked: Sequence[Shown]) -> dict[int, Entering]:
        answer = await entering(write, asked)
        if lost in {each.pass_id for each in answer.values()}:
            await at.revoke(lost)
        return answer

    monkeypatch.setattr(scanning, "_entering", revoked)
    verdicts = await _shown(at, ("lost", await at.text(lost)), ("good", await at.text(good)))
    assert [each.reason for each in verdicts] == ["revoked", None]
    assert sorted(long_ways) == ["good", "lost"]
    assert await at.res.db.fetchval("SELECT count(*) FROM visitor_entry WHERE pass_id = $1", lost) == 0
    await sound(at.res)


async def test_a_lock_that_is_not_given_up_keeps_nobody_else_out(
    at: Grounds, long_ways: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One alone is told that the system is busy; of a round each goes the long way."""

    async def locked(write: Write, asked: Sequence[Shown]) -> dict[int, Entering]:
        raise asyncpg.LockNotAvailableError

    monkeypatch.setattr(scanning, "_entering", locked)
    texts = [await at.text(await at.invite()) for _ in range(2)]
    verdicts = await _shown(at, *(zip("ab", texts, strict=True)))
    assert [each.open for each in verdicts] == [True, True]
    assert sorted(long_ways) == ["a", "b"]
    with pytest.raises(Unavailable):
        await at.scan(at.east, await at.text(await at.invite()))
    await sound(at.res)


async def test_what_is_no_token_or_no_gate_keeps_nobody_else_out(at: Grounds, long_ways: list[str]) -> None:
    text = await at.text(await at.invite())
    verdicts = await _shown(at, ("none", "no token"), ("good", text), ("other", text[:-4] + "AAAA"))
    assert [each.reason for each in verdicts] == ["malformed", None, "bad_signature"]
    assert sorted(long_ways) == ["none", "other"]


async def test_a_nonce_twice_in_one_round_is_heard_once_and_keeps_nobody_else_out(
    at: Grounds, rounds: list[int], long_ways: list[str]
) -> None:
    """Security: replay. The second of the two finds the nonce spent before anything else is looked at."""
    texts = [await at.text(await at.invite()) for _ in range(3)]
    gate = Gate(at.east.id, at.place.id)
    asked = zip(("one", "replayed", "other"), texts, ("n" * 16, "n" * 16, "m" * 16), strict=True)
    first, second, third = await asyncio.gather(
        *(
            scanning.at_gate(at.res.db, gate, Scan(key, text), keyring=at.res.keyring, nonce=Nonce(gate.id, nonce))
            for key, text, nonce in asked
        ),
        return_exceptions=True,
    )
    assert isinstance(first, Verdict) and first.open and isinstance(third, Verdict) and third.open
    assert isinstance(second, Unauthenticated) and second.code == "replayed"
    assert (rounds, long_ways) == ([2], [])
    assert await at.res.db.fetchval("SELECT sum(entries_used) FROM visitor_pass") == 2
    assert await at.res.db.fetchval("SELECT count(*) FROM device_nonce") == 2
    await sound(at.res)
