"""Gates, residents and guards at once: one entry, one answer, one check-off, no more passes than a house may have."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from backend.kernel.audit import Actor
from backend.kernel.errors import AppError, Conflict
from backend.kernel.resources import Resources
from backend.visitors import goods, guests, inviting, walk_ins
from backend.visitors.goods import NewPermit
from backend.visitors.passes import Redeemed
from backend.visitors.states import Refusal, WalkInState
from backend.visitors.walk_ins import NewWalkIn
from tests import factories_visitors
from tests.factories_payments import sound
from tests.factories_visitors import HOUR, NAME


def outcomes(found: list[Any]) -> Counter[str]:
    """How often each answer or error came."""
    return Counter(each.code if isinstance(each, AppError) else type(each).__name__ for each in found)


@pytest.mark.parametrize("allowed", [1, 3])
async def test_i20_a_hundred_guards_at_once_let_in_as_often_as_the_pass_says(res: Resources, allowed: int) -> None:
    yard = await factories_visitors.yard(res)
    made = await yard.invite(entries_allowed=allowed)
    gates = (yard.gate_id, yard.other_gate_id)
    found = await asyncio.gather(*(yard.redeem(made.id, gates[n % 2]) for n in range(100)))
    let_in = [each for each in found if isinstance(each, Redeemed)]
    assert (len(let_in), found.count(Refusal.USED_UP)) == (allowed, 100 - allowed)
    assert sorted(each.entries_left or 0 for each in let_in) == list(range(allowed))
    assert len(await yard.entries()) == allowed
    await sound(res)


async def test_i20_nobody_comes_in_after_a_revocation_that_gates_race_with(res: Resources) -> None:
    yard = await factories_visitors.yard(res)
    for _ in range(5):
        made = await yard.invite(entries_allowed=None)
        taken = res.db.transact(
            lambda tx, made=made: inviting.cancel(tx, yard.actor, pass_id=made.id, scope=yard.scope)
        )
        found = await asyncio.gather(
            *(yard.redeem(made.id) for _ in range(4)), taken, *(yard.redeem(made.id) for _ in range(4))
        )
        used = sum(isinstance(each, Redeemed) for each in found)
        assert used + found.count(Refusal.REVOKED) == 8
        assert await yard.redeem(made.id) is Refusal.REVOKED
        assert (await yard.row(made.id))["entries_used"] == used
    await sound(res)


async def test_a_house_that_invites_many_at_once_gets_what_the_rule_allows(res: Resources) -> None:
    yard = await factories_visitors.yard(res)
    await yard.rule(passes_per_day=3)
    drafts = await asyncio.gather(*(yard.invite(draft=True) for _ in range(20)))
    found = await asyncio.gather(
        *(
            res.db.transact(
                lambda tx, each=draft.id: inviting.submit(
                    tx, yard.actor, keyring=res.keyring, pass_id=each, scope=yard.scope
                )
            )
            for draft in drafts
        ),
        return_exceptions=True,
    )  # fmt: skip
    assert outcomes(found) == {"Made": 3, "passes_used_up": 17}
    await sound(res)


async def test_of_yes_and_no_and_of_two_guards_one_counts(res: Resources) -> None:
    yard = await factories_visitors.yard(res)
    await yard.rule(goods_approval=False)
    guard, places = Actor("staff", yard.guard.id), [yard.place.id]
    new = NewWalkIn(yard.house_id, guests.typed(NAME), 0, "送货")
    waiting = await res.db.transact(
        lambda tx: walk_ins.register(tx, guard, keyring=res.keyring, gate_id=yard.gate_id, communities=places, new=new)
    )
    answers = await asyncio.gather(
        *(
            res.db.transact(lambda tx: walk_ins.answer(tx, walk_in_id=waiting.id, scope=yard.scope, admit=True))
            for _ in range(10)
        ),
        return_exceptions=True,
    )
    assert outcomes(answers) == {"WalkInState": 1, "answered_already": 9} and WalkInState.CONFIRMED in answers
    let_in = await asyncio.gather(
        *(
            res.db.transact(
                lambda tx: walk_ins.decide(
                    tx, guard, walk_in_id=waiting.id, communities=places, admit=True, reason=None
                )
            )
            for _ in range(10)
        ),
        return_exceptions=True,
    )  # fmt: skip
    assert outcomes(let_in) == {"Decided": 1, "decided_already": 9}
    permit = NewPermit("沙发", guests.typed("赵师傅"), res.clock.now(), res.clock.now() + HOUR)
    asked = await res.db.transact(
        lambda tx: goods.ask(
            tx, yard.actor, keyring=res.keyring, tie=yard.tie, person_id=yard.owner.id, new=permit
        )
    )  # fmt: skip
    checked = await asyncio.gather(
        *(
            res.db.transact(
                lambda tx: goods.check_off(
                    tx, guard, permit_id=asked.id, gate_id=yard.gate_id, communities=places
                )
            )
            for _ in range(20)
        ),
        return_exceptions=True,
    )  # fmt: skip
    assert outcomes(checked) == {"NoneType": 1, "checked_off_already": 19}
    assert all(isinstance(each, Conflict) for each in checked if each is not None)
    await sound(res)
