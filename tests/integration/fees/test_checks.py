"""The invariant checks of fees find what breaks them: I-04, I-05, I-11, I-12."""

import asyncpg
import pytest

from backend.fees.checks import CHECKS
from backend.kernel.checks import run as run_checks
from backend.kernel.resources import Resources
from tests import factories, factories_fees
from tests.worker_database import Urls

BREAKS = [
    ("UPDATE bill SET paid_fen = 5, state = 'PARTLY_PAID'", {"I-04", "I-11"}),
    ("UPDATE bill SET state = 'PAID'", {"I-04"}),
    ("UPDATE bill SET principal_fen = principal_fen + 1", {"I-04", "I-05", "I-11", "I-12"}),
    ("UPDATE bill_line SET amount_fen = amount_fen - 1", {"I-05"}),
    ("UPDATE bill_line SET exact_num = exact_num * 2", {"I-12"}),
    ("UPDATE bill SET seq = 1", {"I-05"}),
    ("UPDATE billing_run SET state = 'READY'", {"I-04", "I-11"}),
    ("DROP INDEX bill_identity", {"I-05"}),
]


@pytest.mark.parametrize(("statement", "codes"), BREAKS)
async def test_a_broken_row_is_found(res: Resources, urls: Urls, statement: str, codes: set[str]) -> None:
    place = await factories.community(res)
    await factories.house(res, place)
    await factories_fees.published(res, await factories_fees.item(res, place))
    await factories_fees.assert_books(res.db)
    owner = await asyncpg.connect(urls.migrator)
    try:
        await owner.execute("ALTER TABLE billing_run DISABLE TRIGGER billing_run_moves")
        await owner.execute(statement)
    finally:
        await owner.close()
    assert {f.check.code for f in await run_checks(res.db, CHECKS) if f.offenders} == codes
