"""The ledger in PostgreSQL: append-only (I-02), one fact once (I-03), accounts made once."""

import asyncio
from functools import partial
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.kernel.checks import run as run_checks
from backend.kernel.db import Tx
from backend.kernel.resources import Resources
from backend.ledger import accounts, postings
from backend.ledger.accounts import CHART, Code, Key
from backend.ledger.checks import CHECKS
from tests.worker_database import Urls


async def _broken(res: Resources) -> set[tuple[str, str]]:
    return {(f.check.code, f.check.title) for f in await run_checks(res.db, CHECKS) if f.offenders}


async def _posted(res: Resources, fen: int = 100) -> UUID:
    community_id, reference = uuid4(), uuid4()

    async def work(tx: Tx) -> None:
        debit, credit = await accounts.ensure_all(
            tx, (Key(community_id, Code.RECEIVABLE, uuid4()), Key(community_id, Code.INCOME, uuid4()))
        )
        postings.post(
            tx, "test.posted", reference=reference, debit=debit, credit=credit, amount_fen=fen,
            community_id=community_id,
        )  # fmt: skip

    await res.db.transact(work)
    return reference


async def test_i02_the_app_role_may_not_change_postings(res: Resources) -> None:
    await _posted(res)
    for statement in ("UPDATE posting SET amount_fen = 1", "DELETE FROM posting", "TRUNCATE posting"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await res.db.execute(statement)
    assert await _broken(res) == set()


async def test_i02_not_even_the_owner_changes_a_posting(res: Resources, urls: Urls) -> None:
    await _posted(res)
    owner = await asyncpg.connect(urls.migrator)
    try:
        for statement in ("UPDATE posting SET amount_fen = 1", "DELETE FROM posting"):
            with pytest.raises(asyncpg.IntegrityConstraintViolationError):
                await owner.execute(statement)
    finally:
        await owner.close()


async def test_i02_a_missing_trigger_and_a_granted_privilege_are_found(res: Resources, urls: Urls) -> None:
    owner = await asyncpg.connect(urls.migrator)
    try:
        await owner.execute("ALTER TABLE posting DISABLE TRIGGER posting_append_only")
        assert {code for code, _ in await _broken(res)} == {"I-02"}
        await owner.execute("ALTER TABLE posting ENABLE TRIGGER posting_append_only")
        assert await _broken(res) == set()
        await owner.execute("GRANT UPDATE ON posting TO linli_app")
        assert {code for code, _ in await _broken(res)} == {"I-02"}
    finally:
        await owner.close()


async def test_i01_and_i03_broken_rows_and_missing_constraints_are_found(res: Resources, urls: Urls) -> None:
    await _posted(res)
    owner = await asyncpg.connect(urls.migrator)
    try:
        await owner.execute("ALTER TABLE posting DROP CONSTRAINT posting_once, DROP CONSTRAINT posting_positive")
        assert {code for code, _ in await _broken(res)} == {"I-01", "I-03"}
        await owner.execute(
            """INSERT INTO posting (community_id, kind, reference, debit_account, credit_account, amount_fen, bill_id,
                                    occurred_at, booked_on)
               SELECT gen_random_uuid(), kind, reference, debit_account, credit_account, -5, bill_id, occurred_at,
                      booked_on FROM posting"""
        )
        assert len(await _broken(res)) == 3
    finally:
        await owner.close()


async def test_i01_a_posting_over_the_accounts_of_another_community_is_found(res: Resources, urls: Urls) -> None:
    await _posted(res)
    owner = await asyncpg.connect(urls.migrator)
    try:
        await owner.execute("UPDATE account SET community_id = gen_random_uuid() WHERE code = 'income'")
    finally:
        await owner.close()
    assert {code for code, _ in await _broken(res)} == {"I-01"}


async def test_i03_a_fact_posted_twice_fails_the_whole_transaction(res: Resources) -> None:
    reference = await _posted(res)
    debit, credit = [row["id"] for row in await res.db.fetch("SELECT id FROM account ORDER BY id")]

    async def again(tx: Tx) -> None:
        community_id = await tx.fetchval("SELECT community_id FROM account LIMIT 1")
        await accounts.ensure(tx, Key(community_id, Code.CLEARING, uuid4()))
        postings.post(
            tx, "test.posted", reference=reference, debit=debit, credit=credit, amount_fen=1, community_id=community_id
        )

    with pytest.raises(asyncpg.UniqueViolationError):
        await res.db.transact(again)
    assert await res.db.fetchval("SELECT count(*) FROM account") == 2


async def test_accounts_asked_for_at_once_are_made_once(res: Resources) -> None:
    community_id = uuid4()
    keys = [Key(community_id, code, uuid4()) for code in Code]
    made = await asyncio.gather(
        *(res.db.transact(partial(accounts.ensure_all, keys=keys[::step])) for step in (1, -1) * 10)
    )
    assert {frozenset(ids) for ids in made} == {frozenset(made[0])}
    assert list(made[1]) == list(made[0])[::-1]
    assert await res.db.fetchval("SELECT count(*) FROM account") == len(Code)


@pytest.mark.parametrize(("fen", "same"), [(0, False), (-1, False), (1, True)])
async def test_i01_what_cannot_be_a_posting_is_refused(res: Resources, fen: int, same: bool) -> None:
    async def work(tx: Tx) -> None:
        postings.post(
            tx, "test.posted", reference=uuid4(), debit=1, credit=1 if same else 2, amount_fen=fen, community_id=uuid4()
        )

    with pytest.raises(ValueError, match="a posting needs"):
        await res.db.transact(work)


def test_every_code_has_a_title() -> None:
    assert set(CHART) == set(Code)
