"""The ledger against a dictionary (I-01, I-02, I-03): balances, trial balance, reversals, one fact once."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from uuid import UUID

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.kernel.clock import FrozenClock
from backend.kernel.db import Tx
from backend.kernel.errors import NotFound
from backend.kernel.ids import uuid7
from backend.kernel.resources import Resources
from backend.ledger import accounts, balances, postings
from tests import factories_fees
from tests.conftest import START, Run

SUBJECTS = [UUID(int=n) for n in range(1, 4)]
CODES = list(accounts.Code)


@dataclass(frozen=True)
class Post:
    debit: tuple[int, int]
    credit: tuple[int, int]
    amount_fen: int
    fact: int


@dataclass(frozen=True)
class Reverse:
    fact: int


@dataclass(frozen=True)
class NextDay:
    pass


ACCOUNTS = st.tuples(st.integers(0, len(CODES) - 1), st.integers(0, len(SUBJECTS) - 1))
STEPS = st.lists(
    st.builds(Post, ACCOUNTS, ACCOUNTS, st.integers(-1, 10**9), st.integers(1, 8))
    | st.builds(Reverse, st.integers(1, 8))
    | st.builds(NextDay),
    max_size=25,
)


class Books:
    """The same ledger as a dictionary: fact → posting, and what was reversed."""

    def __init__(self) -> None:
        self.posted: dict[int, tuple[tuple[int, int], tuple[int, int], int, date]] = {}
        self.reversed: dict[int, date] = {}

    def balances(self, until: date) -> dict[tuple[int, int], int]:
        found: dict[tuple[int, int], int] = defaultdict(int)
        for fact, (debit, credit, amount_fen, on) in self.posted.items():
            if on <= until:
                found[debit] += amount_fen
                found[credit] -= amount_fen
            if self.reversed.get(fact, date.max) <= until:
                found[debit] -= amount_fen
                found[credit] += amount_fen
        return found


def _key(community_id: UUID, place: tuple[int, int]) -> accounts.Key:
    return accounts.Key(community_id, CODES[place[0]], SUBJECTS[place[1]])


async def _post(tx: Tx, community_id: UUID, facts: UUID, step: Post) -> None:
    debit, credit = await accounts.ensure_all(tx, (_key(community_id, step.debit), _key(community_id, step.credit)))
    postings.post(
        tx, "test.posted", reference=UUID(int=facts.int + step.fact), debit=debit, credit=credit,
        amount_fen=step.amount_fen, community_id=community_id,
    )  # fmt: skip


async def _reverse(tx: Tx, facts: UUID, step: Reverse) -> None:
    await postings.reverse(tx, "test.reversed", of_kind="test.posted", reference=UUID(int=facts.int + step.fact))


async def _play(res: Resources, clock: FrozenClock, steps: list[Post | Reverse | NextDay]) -> None:
    community_id, facts, books = uuid7(clock.now()), uuid7(clock.now()), Books()
    for step in steps:
        today = (clock.now() + timedelta(hours=8)).date()
        if isinstance(step, NextDay):
            clock.advance(timedelta(days=1))
        elif isinstance(step, Post):
            sound = step.amount_fen > 0 and step.debit != step.credit
            try:
                await res.db.transact(partial(_post, community_id=community_id, facts=facts, step=step))
                assert sound and step.fact not in books.posted
                books.posted[step.fact] = (step.debit, step.credit, step.amount_fen, today)
            except ValueError:
                assert not sound
            except asyncpg.UniqueViolationError:
                assert step.fact in books.posted
        else:
            try:
                await res.db.transact(partial(_reverse, facts=facts, step=step))
                assert step.fact in books.posted and step.fact not in books.reversed
                books.reversed[step.fact] = today
            except NotFound:
                assert step.fact not in books.posted
            except asyncpg.UniqueViolationError:
                assert step.fact in books.reversed
    await _compare(res, community_id, books, (clock.now() + timedelta(hours=8)).date())


async def _compare(res: Resources, community_id: UUID, books: Books, today: date) -> None:
    for place, fen in books.balances(today).items():
        account_id = await res.db.transact(partial(accounts.ensure, key=_key(community_id, place)))
        assert await balances.account_balance(res.db, account_id) == fen
    for day in (today - timedelta(days=1), today):
        lines = await balances.trial_balance(res.db, community_ids=[community_id], booked_on=day)
        assert sum(line.closing_fen for line in lines) == 0
        wanted: dict[accounts.Code, int] = defaultdict(int)
        for place, fen in books.balances(day).items():
            wanted[CODES[place[0]]] += fen
        assert {line.code: line.closing_fen for line in lines} == wanted


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_the_ledger_is_a_dictionary_of_facts(
    res: Resources, clock: FrozenClock, run: Run, steps: list[Post | Reverse | NextDay]
) -> None:
    clock.instant = START
    run(_play(res, clock, steps))
    run(_only_ledger(res))


async def _only_ledger(res: Resources) -> None:
    broken = [f for f in await factories_fees.run_checks(res.db, factories_fees.LEDGER_CHECKS) if f.offenders]
    assert not broken, broken
