"""R10, D11: who is told about a published run; I-16: once, however often the job runs."""

from collections.abc import Iterator
from datetime import date
from uuid import UUID

import pytest

from backend.kernel import failpoints
from backend.kernel.failpoints import FailpointError
from backend.kernel.ids import uuid7
from backend.kernel.outbox import Job
from backend.kernel.resources import Resources
from backend.messaging.checks import CHECKS
from tests import factories
from tests.conftest import Run
from tests.soundness import broken
from workers import jobs


@pytest.fixture(autouse=True)
def _invariants(res: Resources, run: Run) -> Iterator[None]:
    yield
    assert run(broken(res.db, CHECKS)) == []


async def published_run(res: Resources, place: factories.Community) -> UUID:
    now, item_id, run_id = res.clock.now(), uuid7(res.clock.now()), uuid7(res.clock.now())
    await res.db.execute(
        """INSERT INTO fee_item (id, community_id, code, name, type, nature, formula, cycle_months, rounding,
                                 rounding_unit, house_kinds, liable, valid_from, state, created_at)
           VALUES ($1, $2, 'wy', '物业费', 'property', 'recurring', 'gross_area', 1, 'half_up', 'fen',
                   '{residence}', 'owner', '2020-01-01', 'ACTIVE', $3)""",
        item_id, place.id, now,
    )  # fmt: skip
    await res.db.execute(
        """INSERT INTO billing_run (id, community_id, item_id, period_start, period_end, state, plan, due_on,
                                    created_at)
           VALUES ($1, $2, $3, '2026-09-01', '2026-10-01', 'PUBLISHED', '{}', '2026-09-30', $4)""",
        run_id, place.id, item_id, now,
    )  # fmt: skip
    return run_id


async def bill(
    res: Resources, run_id: UUID, house_id: UUID, fen: int, *, liable: UUID | None = None, state: str = "ISSUED"
) -> None:
    await res.db.execute(
        """INSERT INTO bill (id, community_id, item_id, house_id, run_id, period_start, period_end, state,
                             principal_fen, liable_kind, liable_person_id, due_on, created_at)
           SELECT $2, community_id, item_id, $3, id, period_start, period_end, $6, $4,
                  CASE WHEN $5::uuid IS NULL THEN 'developer' ELSE 'owner' END, $5, due_on, created_at
             FROM billing_run WHERE id = $1""",
        run_id, uuid7(res.clock.now()), house_id, fen, liable, state,
    )  # fmt: skip


async def tell(res: Resources, run_id: UUID) -> None:
    """The job and those that follow it, each once."""
    await res.db.execute(
        """INSERT INTO outbox (event, payload, state, attempt, run_at, lease_until, emitted_at)
           VALUES ('fees.run_published', $1, 'LEASED', 1, $2, $2, $2)""",
        {"run_id": str(run_id)}, res.clock.now(),
    )  # fmt: skip
    while row := await res.db.fetchrow(
        """UPDATE outbox SET state = 'LEASED', attempt = 1, lease_until = run_at
            WHERE event = 'fees.run_published' AND state IN ('READY', 'LEASED') RETURNING id, payload"""
    ):
        await jobs.on_run_published(Job(res, row["id"], 1, "fees.run_published", row["payload"]))


async def told(res: Resources) -> dict[UUID, tuple[str, str]]:
    rows = await res.db.fetch("SELECT person_id, values_shown FROM message_intent")
    return {row["person_id"]: (row["values_shown"]["houses"], row["values_shown"]["amount"]) for row in rows}


async def test_owners_families_and_debtors_are_told_others_are_not(res: Resources) -> None:
    place = await factories.community(res)
    run_id = await published_run(res, place)
    homes = [await factories.house(res, place, str(code)) for code in (101, 102, 103, 104)]
    people = [await factories.person(res, f"1380000000{n}") for n in range(8)]
    owner, family, tenant, former, debtor, removed, none, other = people
    await factories.occupy(res, owner, homes[0])
    await factories.occupy(res, family, homes[0], "family")
    await factories.occupy(res, tenant, homes[0], "tenant")
    await factories.occupy(res, former, homes[0], "owner", ends_on=date(2026, 9, 1))
    await factories.occupy(res, removed, homes[1])
    await factories.occupy(res, none, homes[2])
    await factories.occupy(res, other, homes[3])
    await res.db.execute("UPDATE person SET removed_at = created_at WHERE id = $1", removed.id)
    await bill(res, run_id, homes[0], 22_338, liable=owner.id)
    await bill(res, run_id, homes[1], 10_000, liable=debtor.id)
    await bill(res, run_id, homes[2], 10_000, liable=none.id, state="VOIDED")
    await tell(res, run_id)
    assert await told(res) == {
        owner.id: ("1栋1单元101", "223.38元"),
        family.id: ("1栋1单元101", "223.38元"),
        debtor.id: ("1栋1单元102", "100.00元"),
    }


async def test_one_message_sums_up_all_houses_of_a_person_whatever_the_chunks(
    res: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "HOUSES_PER_CHUNK", 1)
    place = await factories.community(res)
    run_id = await published_run(res, place)
    owner = await factories.person(res)
    for code in (101, 102, 103):
        home = await factories.house(res, place, str(code))
        await factories.occupy(res, owner, home)
        await bill(res, run_id, home, 10_050, liable=owner.id)
    await tell(res, run_id)
    assert await told(res) == {owner.id: ("1栋1单元101等3套", "301.50元")}
    assert await res.db.fetchval("SELECT body FROM inbox_message") == (
        "1栋1单元101等3套的物业费（2026年9月）账单已出，共301.50元，请在2026-09-30前缴纳。"
    )


async def test_a_job_killed_after_any_chunk_tells_everybody_once(
    res: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "HOUSES_PER_CHUNK", 2)
    place = await factories.community(res)
    run_id = await published_run(res, place)
    for number in range(7):
        home = await factories.house(res, place, str(100 + number))
        owner = await factories.person(res, f"1390000000{number}")
        await factories.occupy(res, owner, home)
        await bill(res, run_id, home, 100, liable=owner.id)
    for first_pass in (1, 2, 3, 4):
        failpoints.arm("bill_messages.after_chunk", "raise", times=1, first_pass=first_pass)
        with pytest.raises(FailpointError):
            await tell(res, run_id)
    failpoints.disarm_all()
    await tell(res, run_id)
    assert len(await told(res)) == 7
    assert await res.db.fetchval("SELECT count(*) FROM inbox_message") == 7


async def test_a_long_run_goes_on_in_the_next_job(res: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "HOUSES_PER_CHUNK", 1)
    monkeypatch.setattr(jobs, "BUDGET_S", 0.000_001)
    place = await factories.community(res)
    run_id = await published_run(res, place)
    for number in range(3):
        home = await factories.house(res, place, str(100 + number))
        owner = await factories.person(res, f"1390000000{number}")
        await factories.occupy(res, owner, home)
        await bill(res, run_id, home, 100, liable=owner.id)
    await res.db.execute(
        """INSERT INTO outbox (event, payload, state, attempt, run_at, lease_until, emitted_at)
           VALUES ('fees.run_published', $1, 'LEASED', 1, $2, $2, $2)""",
        {"run_id": str(run_id), "after_no": 1}, res.clock.now(),
    )  # fmt: skip
    monkeypatch.setattr(jobs, "BUDGET_S", 10.0)
    await tell(res, run_id)
    assert len(await told(res)) == 3
