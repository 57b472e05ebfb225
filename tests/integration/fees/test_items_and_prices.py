"""Items and prices: audited changes, prices by two people, versions that never overlap (D2, S3)."""

from datetime import date, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest

from backend.fees import exclusions, items, prices
from backend.fees.approvals import APPROVALS
from backend.fees.items import Changes
from backend.fees.periods import Anchor
from backend.fees.plan import Nature
from backend.kernel import approvals
from backend.kernel.audit import SYSTEM
from backend.kernel.errors import Conflict, Forbidden, Invalid, NotFound
from backend.kernel.resources import Resources
from tests import factories, factories_fees


async def _propose(res: Resources, who: Any, place: factories.Community, item_id: Any, micro: int, since: date) -> Any:
    return await res.db.transact(
        partial(
            prices.propose, actor=factories_fees.actor(who), item_id=item_id, communities=(place.id,),
            rate_micro=micro, effective_from=since, reason="调价决议",
        )
    )  # fmt: skip


async def _decide(res: Resources, who: Any, approval_id: Any, *, approve: bool = True) -> Any:
    return await res.db.transact(
        partial(
            approvals.decide, actor=factories_fees.actor(who), approval_id=approval_id, approve=approve, note="",
            kinds=APPROVALS,
        )
    )  # fmt: skip


async def _versions(res: Resources) -> list[tuple[Any, ...]]:
    rows = await res.db.fetch(
        "SELECT rate_micro, effective_from, effective_until FROM price_version ORDER BY effective_from"
    )
    return [tuple(row) for row in rows]


async def test_s3_a_price_takes_two_people_the_first_one_too(res: Resources) -> None:
    place = await factories.community(res)
    one, two = [await factories.staff(res, place, "manager") for _ in range(2)]
    item_id = await factories_fees.item(res, place, rates=[])
    proposed = await _propose(res, one, place, item_id, 2_500_000, date(2026, 1, 1))
    assert proposed.shown == {
        "before": None,
        "after": {"收费项目": "物业费", "单价": "2.50 元/m²·月", "生效日期": "2026-01-01"},
    }
    assert await _versions(res) == []
    with pytest.raises(Forbidden, match="second_person_required"):
        await _decide(res, one, proposed.id)
    await _decide(res, two, proposed.id)
    assert await _versions(res) == [(2_500_000, date(2026, 1, 1), None)]

    proposed = await _propose(res, two, place, item_id, 2_800_000, date(2026, 9, 16))
    await _decide(res, one, proposed.id)
    assert await _versions(res) == [
        (2_500_000, date(2026, 1, 1), date(2026, 9, 16)),
        (2_800_000, date(2026, 9, 16), None),
    ]
    audited = await res.db.fetch("SELECT actor_id FROM audit_entry WHERE action = 'fees.price_added' ORDER BY id")
    assert [row["actor_id"] for row in audited] == [two.id, one.id]


async def test_a_rejected_price_changes_nothing(res: Resources) -> None:
    place = await factories.community(res)
    one, two = [await factories.staff(res, place, "manager") for _ in range(2)]
    item_id = await factories_fees.item(res, place)
    proposed = await _propose(res, one, place, item_id, 9_000_000, date(2026, 10, 1))
    await _decide(res, two, proposed.id, approve=False)
    assert await _versions(res) == [(2_500_000, date(2020, 1, 1), None)]


async def test_a_price_whose_item_changed_meanwhile_is_stale(res: Resources) -> None:
    place = await factories.community(res)
    one, two = [await factories.staff(res, place, "manager") for _ in range(2)]
    item_id = await factories_fees.item(res, place)
    proposed = await _propose(res, one, place, item_id, 2_800_000, date(2026, 10, 1))

    async def other(tx: Any) -> None:
        item = await items.lock(tx, item_id, communities=None)
        await prices.add(tx, SYSTEM, item=item, rate_micro=3_000_000, effective_from=date(2026, 9, 1))

    await res.db.transact(other)
    with pytest.raises(approvals.Stale):
        await _decide(res, two, proposed.id)
    assert len(await _versions(res)) == 2


async def test_a_price_begins_after_the_last_one_began(res: Resources) -> None:
    place = await factories.community(res)
    one = await factories.staff(res, place, "manager")
    item_id = await factories_fees.item(res, place)
    for since in (date(2020, 1, 1), date(2019, 12, 31)):
        with pytest.raises(Invalid):
            await _propose(res, one, place, item_id, 1, since)


async def test_one_price_a_day_is_kept_by_the_database(res: Resources) -> None:
    place = await factories.community(res)
    item_id = await factories_fees.item(res, place)
    with pytest.raises(asyncpg.ExclusionViolationError):
        await res.db.execute(
            """INSERT INTO price_version (id, item_id, item_no, rate_micro, effective_from, created_at)
               SELECT gen_random_uuid(), id, no, 1, '2026-09-01', $2 FROM fee_item WHERE id = $1""",
            item_id, res.clock.now(),
        )  # fmt: skip


async def test_foreign_items_are_unknown_to_every_command(res: Resources) -> None:
    place, other = await factories.community(res), await factories.community(res, "LL02")
    who = await factories.staff(res, other, "manager")
    house_id = await factories.house(res, place)
    item_id = await factories_fees.item(res, place)
    actor, communities = factories_fees.actor(who), (other.id,)
    for refused in (
        partial(items.change, actor=actor, item_id=item_id, communities=communities, changes=Changes(name="水费")),
        partial(items.close, actor=actor, item_id=item_id, communities=communities),
        partial(exclusions.add, actor=actor, item_id=item_id, house_id=house_id, communities=communities, reason="x"),
        partial(
            prices.propose, actor=actor, item_id=item_id, communities=communities, rate_micro=1,
            effective_from=date(2027, 1, 1), reason="x",
        ),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await res.db.transact(refused)
    with pytest.raises(NotFound):
        await items.row_of(res.db, item_id, communities=communities)


async def test_i22_a_changed_item_is_audited_with_before_and_after(res: Resources) -> None:
    place = await factories.community(res)
    who = await factories.staff(res, place, "manager")
    item_id = await factories_fees.item(res, place)
    await res.db.transact(
        partial(
            items.change, actor=factories_fees.actor(who), item_id=item_id, communities=(place.id,),
            changes=Changes(name="物业服务费", due_days=45),
        )
    )  # fmt: skip
    row = await res.db.fetchrow("SELECT before, after FROM audit_entry WHERE action = 'fees.item_changed'")
    assert row is not None
    assert (row["before"], row["after"]) == ({"name": "物业费", "due_days": 30}, {"name": "物业服务费", "due_days": 45})


async def test_a_code_is_taken_once_and_a_closed_item_stays_closed(res: Resources) -> None:
    place = await factories.community(res)
    item_id = await factories_fees.item(res, place)
    with pytest.raises(Conflict, match="item_code_taken"):
        await factories_fees.item(res, place)
    close = partial(items.close, actor=SYSTEM, item_id=item_id, communities=(place.id,))
    await res.db.transact(close)
    with pytest.raises(Conflict, match="item_closed"):
        await res.db.transact(close)


@pytest.mark.parametrize(
    "over",
    [
        {"cycle_months": 5},
        {"valid_until": date(2027, 1, 1)},
        {"nature": Nature.RECURRING_UNTIL},
        {"nature": Nature.RECURRING_UNTIL, "valid_until": date(2020, 1, 1)},
        {"house_kinds": ()},
        {"anchor": Anchor.HANDOVER, "cycle_months": 3},
    ],
)
async def test_an_item_that_does_not_fit_is_refused(res: Resources, over: dict[str, object]) -> None:
    place = await factories.community(res)
    with pytest.raises(Invalid):
        await factories_fees.item(res, place, **over)
    assert await res.db.fetchval("SELECT count(*) FROM fee_item") == 0


async def test_a_price_proposal_expires(res: Resources, clock: Any) -> None:
    place = await factories.community(res)
    one, two = [await factories.staff(res, place, "manager") for _ in range(2)]
    item_id = await factories_fees.item(res, place)
    proposed = await _propose(res, one, place, item_id, 2_800_000, date(2026, 10, 1))
    clock.advance(timedelta(days=8))
    with pytest.raises(Conflict, match="approval_expired"):
        await _decide(res, two, proposed.id)
