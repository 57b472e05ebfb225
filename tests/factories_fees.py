"""Builders of fees: items with prices, runs generated and published, by the product's own commands."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from uuid import UUID

from backend.fees import billing_run, items, prices
from backend.fees.billing_run import Run
from backend.fees.checks import CHECKS as FEE_CHECKS
from backend.fees.items import NewItem
from backend.fees.plan import Formula, Liable, Nature
from backend.kernel.audit import SYSTEM, Actor
from backend.kernel.checks import run as run_checks
from backend.kernel.db import Database, Tx
from backend.kernel.money import Rounding, RoundingUnit
from backend.kernel.resources import Resources
from backend.ledger.checks import CHECKS as LEDGER_CHECKS
from tests.factories import Community, Staff

PROPERTY_FEE = NewItem(
    code="WYF",
    name="物业费",
    type="property",
    nature=Nature.RECURRING,
    formula=Formula.GROSS_AREA,
    cycle_months=1,
    prepaid=True,
    lead_days=0,
    due_days=30,
    rounding=Rounding.HALF_UP,
    rounding_unit=RoundingUnit.FEN,
    house_kinds=("residence",),
    liable=Liable.OWNER,
    payable_online=True,
    valid_from=date(2020, 1, 1),
)


async def item(
    res: Resources,
    place: Community,
    *,
    rates: Sequence[tuple[int, date]] = ((2_500_000, date(2020, 1, 1)),),
    **over: object,
) -> UUID:
    """An item, 物业费 by gross area unless told otherwise, with price versions (rate_micro, effective_from)."""
    new = replace(PROPERTY_FEE, **over)  # type: ignore[arg-type]

    async def work(tx: Tx) -> UUID:
        row = await items.create(tx, SYSTEM, community_id=place.id, new=new)
        for rate_micro, effective_from in rates:
            made = items.of_row(row)
            await prices.add(tx, SYSTEM, item=made, rate_micro=rate_micro, effective_from=effective_from)
        return UUID(str(row["id"]))

    return await res.db.transact(work)


async def draft(res: Resources, item_id: UUID, day: date = date(2026, 9, 1), *, house_id: UUID | None = None) -> Run:
    """A run of the period in which `day` lies, not generated yet."""
    return await res.db.transact(
        partial(billing_run.create, actor=SYSTEM, item_id=item_id, communities=None, day=day, house_id=house_id)
    )


async def generate(res: Resources, run_id: UUID, *, houses: int = billing_run.CHUNK) -> None:
    """Generate all chunks of a run."""
    done = False
    while not done:
        done = (await res.db.transact(partial(billing_run.generate_chunk, run_id=run_id, houses=houses))).done


async def ready(res: Resources, item_id: UUID, day: date = date(2026, 9, 1), *, house_id: UUID | None = None) -> Run:
    """A run that is READY."""
    run = await draft(res, item_id, day, house_id=house_id)
    await generate(res, run.id)
    return run


async def published(
    res: Resources, item_id: UUID, day: date = date(2026, 9, 1), *, house_id: UUID | None = None
) -> Run:
    """A run that is PUBLISHED."""
    run = await ready(res, item_id, day, house_id=house_id)
    await publish(res, run)
    return run


async def publish(res: Resources, run: Run) -> None:
    """Publish a READY run."""
    await res.db.transact(partial(billing_run.publish, actor=SYSTEM, run_id=run.id, communities=(run.community_id,)))


async def bill_of(db: Database, house_id: UUID, **where: object) -> UUID:
    """The one live bill of a house."""
    rows = await db.fetch("SELECT id FROM bill WHERE house_id = $1 AND state <> 'VOIDED'", house_id)
    assert len(rows) == 1, rows
    return UUID(str(rows[0]["id"]))


def actor(who: Staff) -> Actor:
    """The actor of a member of staff."""
    return Actor("staff", who.id, "test-request")


async def assert_books(db: Database) -> None:
    """The invariants of ledger and fees hold."""
    broken = [
        (finding.check.code, finding.check.title, finding.samples)
        for finding in await run_checks(db, (*LEDGER_CHECKS, *FEE_CHECKS))
        if finding.offenders
    ]
    assert not broken, broken
