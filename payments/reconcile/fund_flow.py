"""The fund flow (资金账单): each movement must be known, fees are those of the trade bill, payouts are settlements.

A payout leaves clearing for money in transit (结算在途), of each community by its share of what stands in clearing, and
arrives when the bank's file shows it. What is not known is a named difference (settlement), never guessed (D7).
"""

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from uuid import UUID

from backend.kernel.db import Tx
from backend.kernel.ids import uuid7
from backend.kernel.money import allocate
from backend.ledger import accounts, postings
from backend.ledger.accounts import Code, Key
from payments.reconcile import matching
from payments.reconcile.matching import Side

SETTLED = "channel.settled"

STAGE = """
    CREATE TEMP TABLE fund_line (
        kind text, flow_no text, business_no text, reference text, amount_fen bigint, at timestamp, odd text
    ) ON COMMIT DROP
"""

# A movement that we cannot explain: of a kind we do not know, of a payment or refund that is not ours, or of another
# amount. Alipay's refunds carry the number of their trade, WeChat Pay's their own.
NAME = """
    INSERT INTO named
    SELECT overlay(overlay(gen_random_uuid()::text PLACING $3 FROM 1 FOR 13) PLACING '7' FROM 15 FOR 1)::uuid,
           'settlement', 'OPEN', CASE WHEN f.business_no = '' THEN f.flow_no ELSE f.business_no END, f.flow_no, '',
           coalesce(a.community_id, d.community_id, r.community_id, $4), a.order_id, a.id,
           coalesce(a.amount_fen, d.booked_fen, -r.amount_fen), f.amount_fen, 0,
           jsonb_strip_nulls(jsonb_build_object(
               'source', 'fund_flow', 'run_id', $2::uuid, 'day', $5::date, 'at', f.at, 'kind', f.kind,
               'said', nullif(f.odd, '')))
      FROM fund_line f
      LEFT JOIN payment_attempt a
        ON f.kind = 'payment' AND a.channel = $1 AND a.transaction_no = f.business_no AND a.state = 'PAID'
      LEFT JOIN difference d
        ON f.kind = 'payment' AND d.channel = $1 AND d.transaction_no = f.business_no AND d.booked_fen > 0
      LEFT JOIN refund r
        ON f.kind = 'refund' AND r.channel = $1 AND f.business_no = coalesce(r.channel_refund_no, r.transaction_no)
           AND (r.channel_refund_no IS NOT NULL OR r.amount_fen = -f.amount_fen)
     WHERE CASE f.kind WHEN 'payment' THEN coalesce(a.amount_fen, d.booked_fen) IS DISTINCT FROM f.amount_fen
                       WHEN 'refund' THEN r.amount_fen IS NULL OR r.amount_fen <> -f.amount_fen
                       WHEN 'payout' THEN f.amount_fen >= 0
                       WHEN 'fee' THEN false
                       ELSE true END
"""

# Fees of the day as the fund flow moved them against those of the day's trade bills, in fen.
FEES = """
    SELECT (SELECT coalesce(-sum(amount_fen), 0)::bigint FROM fund_line WHERE kind = 'fee') AS moved_fen,
           (SELECT coalesce(sum(fee_fen), 0)::bigint FROM reconciliation_run
             WHERE merchant_id = $1 AND day = $2 AND kind IN ('trades', 'refunds') AND state = 'DONE') AS told_fen
"""

NAME_FEE = """
    INSERT INTO named (id, class, state, transaction_no, subject, out_trade_no, community_id, expected_fen, actual_fen,
                       statement_fen, detail)
    VALUES ($1, 'fee', 'OPEN', $2, $3, '', $4, $5, $6, 0, $7)
"""

PAYOUTS = (
    "SELECT flow_no, -amount_fen AS amount_fen FROM fund_line WHERE kind = 'payout' AND amount_fen < 0 ORDER BY at"
)

INSERT = """
    INSERT INTO channel_settlement (id, company_id, merchant_id, channel, run_id, flow_no, amount_fen, left_on)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (channel, merchant_id, flow_no) DO NOTHING
 RETURNING id
"""

INSERT_PART = """
    INSERT INTO channel_settlement_part (id, settlement_id, community_id, merchant_id, amount_fen)
    VALUES ($1, $2, $3, $4, $5)
"""

BALANCES = """
    SELECT a.community_id, a.subject_id AS merchant_id,
           ((SELECT coalesce(sum(amount_fen), 0) FROM posting WHERE debit_account = a.id)
          - (SELECT coalesce(sum(amount_fen), 0) FROM posting WHERE credit_account = a.id))::bigint AS fen
      FROM account a
     WHERE a.code = 'clearing' AND a.subject_id = ANY($1::uuid[])
     ORDER BY 1, 2
"""

COUNT = """
    SELECT count(*) - (SELECT count(*) FROM named WHERE class = 'settlement') FROM fund_line
"""


@dataclass(frozen=True, slots=True)
class _Part:
    community_id: UUID
    merchant_id: UUID
    amount_fen: int


async def match(tx: Tx, side: Side) -> int:
    """Explain every line of the staging table, post payouts, open what does not fit; how many lines fit."""
    channel, head, book = side.merchant.channel.value, str(uuid7(tx.now))[:13], side.merchant.book
    await tx.execute(NAME, channel, side.run_id, head, book, side.day)
    await _compare_fees(tx, side)
    for row in await tx.fetch(PAYOUTS):
        await _settle(tx, side, flow_no=row["flow_no"], amount_fen=row["amount_fen"])
    await matching.keep(tx, side)
    return int(await tx.fetchval(COUNT))


async def _compare_fees(tx: Tx, side: Side) -> None:
    row = await tx.fetchrow(FEES, side.merchant.id, side.day)
    if row is None or row["moved_fen"] == row["told_fen"]:
        return
    await tx.execute(
        NAME_FEE, uuid7(tx.now), side.merchant.mchid, side.day.isoformat(), side.merchant.book, row["told_fen"],
        row["moved_fen"], {"source": "fund_flow", "run_id": str(side.run_id), "day": side.day.isoformat()},
    )  # fmt: skip


async def _settle(tx: Tx, side: Side, *, flow_no: str, amount_fen: int) -> None:
    """Book a payout once: clearing to money in transit, community by community."""
    merchant, left_on = side.merchant, date.fromordinal(side.day.toordinal())
    settlement_id: UUID | None = await tx.fetchval(
        INSERT, uuid7(tx.now), merchant.company_id, merchant.id, merchant.channel.value, side.run_id, flow_no,
        amount_fen, left_on,
    )  # fmt: skip
    if settlement_id is None:
        return
    await tx.flush()
    for part in _parts(await _balances(tx, side), amount_fen, _Part(merchant.book, merchant.id, 0)):
        part_id = uuid7(tx.now)
        await tx.execute(INSERT_PART, part_id, settlement_id, part.community_id, part.merchant_id, part.amount_fen)
        transit, clearing = await accounts.ensure_all(
            tx,
            (
                Key(part.community_id, Code.IN_TRANSIT, part.merchant_id),
                Key(part.community_id, Code.CLEARING, part.merchant_id),
            ),
        )
        postings.post(
            tx, SETTLED, reference=part_id, debit=transit, credit=clearing, amount_fen=part.amount_fen,
            community_id=part.community_id,
        )  # fmt: skip


async def _balances(tx: Tx, side: Side) -> list[_Part]:
    """What stands in the clearing accounts of the merchant, where it is positive."""
    rows = await tx.fetch(BALANCES, list(side.merchants))
    return [_Part(row["community_id"], row["merchant_id"], row["fen"]) for row in rows if row["fen"] > 0]


def _parts(standing: list[_Part], amount_fen: int, book: _Part) -> list[_Part]:
    """A payout by its communities: in proportion to what stands there; what is beyond it is the book's (I-12)."""
    whole_fen = sum(part.amount_fen for part in standing)
    shares = [part.amount_fen for part in standing]
    if 0 < amount_fen < whole_fen:
        shares = allocate(amount_fen, [Fraction(part.amount_fen) for part in standing])
    parts = {(p.community_id, p.merchant_id): share for p, share in zip(standing, shares, strict=True)}
    beyond_fen = amount_fen - sum(parts.values())
    if beyond_fen:
        key = (book.community_id, book.merchant_id)
        parts[key] = parts.get(key, 0) + beyond_fen
    return [_Part(community, merchant, fen) for (community, merchant), fen in parts.items() if fen > 0]
