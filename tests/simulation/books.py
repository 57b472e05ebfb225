"""What must be true of a town at rest: channel books = our money = bills, and nothing unexplained."""

import itertools

from tests import vectors
from tests.factories_alipay import APP_ID
from tests.simulation.town import Town

FORGED_FEN = 3

LIVE = "SELECT count(*) FROM payment_order WHERE state IN ('CREATED', 'PAYING')"

# What stands in the accounts of these codes; for the channels: with them, at the bank, or spent on their fees.
STANDS = """
    SELECT coalesce(sum(CASE p.debit_account WHEN a.id THEN p.amount_fen ELSE -p.amount_fen END), 0)::bigint
      FROM account a JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
     WHERE a.code = ANY ($1)
"""
COUNTER = ["cash", "card", "transfer", "cheque"]
OWED = ["receivable", "income", "suspense", "prepaid"]
CODES = "SELECT array_agg(DISTINCT code) FROM account"

UNFINISHED = """
    SELECT event, state, last_error, payload::text AS payload FROM outbox
     WHERE state = 'PARKED' OR (state <> 'DONE' AND run_at < $1)
"""

PAID_BILLS = """
    SELECT coalesce(sum(paid_fen + late_paid_fen - refunded_fen - late_refunded_fen), 0)::bigint FROM bill
"""

PAID_ONLINE = "SELECT transaction_no, amount_fen FROM payment_attempt WHERE state = 'PAID' AND channel <> 'counter'"

OPEN_REFUNDS = "SELECT count(*) FROM refund WHERE state IN ('APPROVED', 'SUBMITTING', 'PROCESSING')"


async def compare(town: Town) -> list[str]:
    """Every way in which the town's books are wrong; empty when all is well."""
    db = town.host.res.db
    wrong = await town.host.broken()
    if live := await db.fetchval(LIVE):
        wrong.append(f"{live} orders are still live")
    if refunds := await db.fetchval(OPEN_REFUNDS):
        wrong.append(f"{refunds} refunds have not ended")
    wrong += [f"outbox: {dict(row)}" for row in await db.fetch(UNFINISHED, town.clock.now())]
    wechat = await town.control("GET", f"/books?mchid={vectors.MCHID}")
    alipay = await town.control("GET", f"/alipay/books?app_id={APP_ID}")
    paid = {each["transaction_id"]: each["total_fen"] for each in wechat["transactions"]}
    paid |= {each["trade_no"]: each["total_fen"] for each in alipay["transactions"]}
    kept_fen = sum(theirs["total_fen"] - theirs["refunded_fen"] for theirs in (wechat, alipay))
    wrong += await _each_once(town, paid, kept_fen)
    return wrong


async def _each_once(town: Town, theirs: dict[str, int], kept_fen: int) -> list[str]:
    """Each transaction of the channel stands in our books once, as what it was; nothing else does, but for lies."""
    db, wrong = town.host.res.db, []
    booked = await db.fetch("SELECT transaction_no, booked_fen FROM difference WHERE booked_fen > 0")
    paid = await db.fetch(
        "SELECT transaction_no, amount_fen FROM payment_attempt WHERE state = 'PAID' AND channel <> 'counter'"
    )
    ours = {row["transaction_no"]: row[1] for row in itertools.chain(booked, paid)}
    if len(ours) != len(booked) + len(paid):
        wrong.append("a transaction stands in the books twice")
    for number, took_fen in theirs.items():
        found_fen = ours.pop(number, None)
        if found_fen != took_fen:
            wrong.append(f"{number}: the channel took {took_fen}, we: {found_fen}")
    wrong += [f"never paid, but booked: {number} {fen}" for number, fen in ours.items() if fen != FORGED_FEN]
    forged_fen = sum(ours.values())
    codes = await db.fetchval(CODES) or []
    money_fen = await db.fetchval(STANDS, [code for code in codes if code not in (*OWED, *COUNTER)])
    counter_fen = await db.fetchval(STANDS, COUNTER)
    prepaid_fen = -await db.fetchval(STANDS, ["prepaid"])
    if money_fen != kept_fen + forged_fen:
        wrong.append(f"our books have {money_fen}, the channels took {kept_fen}, forged {forged_fen}")
    suspense_fen = await db.fetchval("SELECT coalesce(sum(booked_fen - refunded_fen), 0)::bigint FROM difference")
    bills_fen = await db.fetchval(PAID_BILLS)
    if bills_fen + suspense_fen + prepaid_fen != money_fen + counter_fen:
        wrong.append(
            f"bills {bills_fen}, suspense {suspense_fen} and prepaid {prepaid_fen} are not what came in, "
            f"{money_fen} and {counter_fen} at the counter"
        )
    return wrong
