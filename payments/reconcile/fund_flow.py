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
from payments.reconcile import matching, sql
from payments.reconcile.matching import Matched, Share, Side

SETTLED = "channel.settled"

STAGE = """
    CREATE TEMP TABLE fund_line (
        kind text, flow_no text, business_no text, reference text, amount_fen bigint, at timestamp, odd text
    ) ON COMMIT DROP
"""

# A movement that we cannot explain: of a kind we do not know, of a payment or refund that is not ours, of another
# amount, or told twice. What the trade bill tells as well is missing here and has its name by that. Alipay's refunds
# carry the number of their trade, WeChat Pay's their own; one that the channel closed later comes back.
NAME = """
    INSERT INTO named
    SELECT overlay(overlay(gen_random_uuid()::text PLACING $3 FROM 1 FOR 13) PLACING '7' FROM 15 FOR 1)::uuid,
           'settlement', 'OPEN', CASE WHEN f.business_no = '' THEN f.flow_no ELSE f.business_no END, f.flow_no, '',
           coalesce(a.community_id, d.community_id, r.community_id, $4), a.order_id, a.id,
           coalesce(a.amount_fen, d.booked_fen, -r.amount_fen), f.amount_fen, 0,
           jsonb_strip_nulls(jsonb_build_object(
               'source', 'fund_flow', 'run_id', $2::uuid, 'day', $5::date, 'at', f.at, 'kind', f.kind,
               'times', f.times, 'said', nullif(f.odd, '')))
      FROM (SELECT *, count(*) OVER (PARTITION BY flow_no) AS times,
                   row_number() OVER (PARTITION BY flow_no) AS position
              FROM fund_line) AS f
      LEFT JOIN payment_attempt a
        ON f.kind = 'payment' AND a.channel = $1 AND a.transaction_no = f.business_no AND a.state = 'PAID'
      LEFT JOIN difference d
        ON f.kind = 'payment' AND d.channel = $1 AND d.transaction_no = f.business_no AND d.booked_fen > 0
      LEFT JOIN LATERAL (
           SELECT r.community_id, r.amount_fen, r.state
             FROM refund r
            WHERE f.kind = 'refund' AND r.channel = $1
              AND CASE $1 WHEN 'alipay' THEN r.transaction_no ELSE r.channel_refund_no END = f.business_no
            ORDER BY r.amount_fen <> abs(f.amount_fen)
            LIMIT 1) AS r ON true
     WHERE f.position = 1
       AND (f.times > 1
            OR CASE f.kind
                    WHEN 'payment' THEN coalesce(a.amount_fen, d.booked_fen) IS DISTINCT FROM f.amount_fen
                    WHEN 'refund' THEN r.amount_fen IS DISTINCT FROM CASE WHEN r.state = 'CLOSED'
                                                                          THEN abs(f.amount_fen)
                                                                          ELSE -f.amount_fen END
                    WHEN 'payout' THEN f.amount_fen >= 0
                    WHEN 'fee' THEN false
                    ELSE true END)
       AND NOT (f.times = 1 AND coalesce(a.amount_fen, d.booked_fen, r.amount_fen) IS NULL
                AND EXISTS (SELECT FROM statement_line t
                             WHERE CASE WHEN $1 = 'alipay' OR t.kind = 'payment' THEN t.transaction_no
                                        ELSE t.refund_no END = f.business_no
                               AND t.kind = f.kind AND t.amount_fen = abs(f.amount_fen)))
"""

_MOVED = """
        SELECT transaction_no, '' AS subject, out_trade_no, community_id, order_id, id AS attempt_id,
               amount_fen AS fen, transaction_no AS business_no
          FROM payment_attempt
         WHERE state = 'PAID' AND merchant_id = ANY($1::uuid[]) AND paid_at >= $2 AND paid_at < $3
         UNION ALL
        SELECT transaction_no, out_refund_no, out_trade_no, community_id, NULL, attempt_id, -amount_fen,
               CASE channel WHEN 'alipay' THEN transaction_no ELSE channel_refund_no END
          FROM refund
         WHERE state IN ('SUCCEEDED', 'PROCESSING', 'ABNORMAL') AND merchant_id = ANY($1::uuid[])
           AND CASE channel WHEN 'alipay' THEN finished_at ELSE submitted_at END >= $2
           AND CASE channel WHEN 'alipay' THEN finished_at ELSE submitted_at END < $3"""
QUIET = sql.QUIET.format(ours=_MOVED)

# What we have of the day and no line of the fund flow speaks of.
NAME_MISSING = f"""
    INSERT INTO named
    SELECT overlay(overlay(gen_random_uuid()::text PLACING $7 FROM 1 FOR 13) PLACING '7' FROM 15 FOR 1)::uuid,
           'settlement', 'OPEN', o.transaction_no, o.subject, o.out_trade_no, o.community_id, o.order_id,
           o.attempt_id, o.fen, 0, 0,
           jsonb_build_object('source', 'fund_flow', 'run_id', $6::uuid, 'day', $5::date, 'problem', 'missing_there')
      FROM ({_MOVED}) AS o
     WHERE NOT EXISTS (SELECT FROM fund_line f
                        WHERE f.business_no = o.business_no AND f.kind <> 'fee'
                          AND ($4 <> 'alipay' OR f.kind = 'odd' OR (f.amount_fen < 0) = (o.fen < 0)))
"""  # noqa: S608 - constants only

# Booked by the channel on another day than ours.
TURNED_UP = """
    UPDATE difference d SET state = 'AUTO_RESOLVED', resolved_at = $2
     WHERE d.channel = $1 AND d.class = 'settlement' AND d.state IN ('OPEN', 'ESCALATED')
       AND d.detail ->> 'problem' = 'missing_there'
       AND (d.subject = '' AND d.transaction_no IN (SELECT business_no FROM fund_line WHERE kind = 'payment')
            OR EXISTS (SELECT FROM refund r JOIN fund_line f ON f.kind = 'refund' AND f.amount_fen = -r.amount_fen
                        WHERE r.channel = d.channel AND r.out_refund_no = d.subject
                          AND f.business_no = CASE r.channel WHEN 'alipay' THEN r.transaction_no
                                                             ELSE r.channel_refund_no END))
"""

# Fees as the fund flow moved them against those of the trade bill, for each number of which both speak. Alipay's
# refunds bear the number of their trade: what was charged and what came back is told apart by the sign.
NAME_FEES = """
    INSERT INTO named
    SELECT overlay(overlay(gen_random_uuid()::text PLACING $3 FROM 1 FOR 13) PLACING '7' FROM 15 FOR 1)::uuid,
           'fee', 'OPEN', t.transaction_no, t.subject, t.out_trade_no, coalesce(a.community_id, $4), a.order_id, a.id,
           round(t.fee_mfen / 1000.0), m.fee_fen, 0,
           jsonb_build_object('source', 'fund_flow', 'run_id', $2::uuid, 'day', $5::date)
      FROM (SELECT business_no, $1 = 'alipay' AND (kind = 'refund' OR kind = 'fee' AND amount_fen > 0) AS returned,
                   count(*) FILTER (WHERE kind <> 'fee') AS moves,
                   coalesce(-sum(amount_fen) FILTER (WHERE kind = 'fee'), 0) AS fee_fen
              FROM (SELECT DISTINCT business_no, flow_no, kind, amount_fen FROM fund_line) AS once
             WHERE kind IN ('payment', 'refund', 'fee')
             GROUP BY 1, 2) AS m
      JOIN (SELECT CASE WHEN $1 = 'alipay' OR kind = 'payment' THEN transaction_no ELSE refund_no END AS business_no,
                   $1 = 'alipay' AND kind = 'refund' AS returned, count(*) AS moves,
                   min(transaction_no) AS transaction_no, min(out_trade_no) AS out_trade_no, sum(fee_mfen) AS fee_mfen,
                   max(out_refund_no) AS subject
              FROM (SELECT DISTINCT kind, transaction_no, out_trade_no, refund_no, out_refund_no, fee_mfen
                      FROM statement_line WHERE kind IN ('payment', 'refund')) AS once
             GROUP BY 1, 2) AS t USING (business_no, returned, moves)
      LEFT JOIN payment_attempt a ON a.channel = $1 AND a.transaction_no = t.transaction_no
     WHERE round(t.fee_mfen / 1000.0) <> m.fee_fen
"""

# A refund that the channel closed on a later day takes its returned fee back.
FEES_BACK = """
    SELECT r.community_id, r.merchant_id, sum(-f.amount_fen)::bigint * 1000 AS fee_mfen
      FROM fund_line f
      JOIN refund r ON r.channel_refund_no = f.business_no AND r.channel = $1 AND r.state = 'CLOSED'
     WHERE f.kind = 'fee' AND f.amount_fen < 0
       AND NOT EXISTS (SELECT FROM fund_line taken
                        WHERE taken.business_no = f.business_no AND taken.kind = 'refund' AND taken.amount_fen < 0)
     GROUP BY r.community_id, r.merchant_id
"""

# A payout is known at the bank by the number that the channel gave it.
PAYOUTS = """
    SELECT coalesce(nullif(business_no, ''), flow_no) AS number, -min(amount_fen) AS amount_fen
      FROM fund_line WHERE kind = 'payout' AND amount_fen < 0
     GROUP BY 1 ORDER BY 1
"""

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

COUNT = "SELECT count(*) - (SELECT count(*) FROM named) FROM fund_line"


@dataclass(frozen=True, slots=True)
class _Part:
    community_id: UUID
    merchant_id: UUID
    amount_fen: int


async def match(tx: Tx, side: Side) -> Matched:
    """Explain every line of the staging table, post payouts, open what does not fit; how many lines fit.

    The day's trade bill lies in the other staging table, for its fees.
    """
    channel, head, book = side.merchant.channel.value, str(uuid7(tx.now))[:13], side.merchant.book
    await tx.execute(NAME, channel, side.run_id, head, book, side.day)
    fitting = int(await tx.fetchval(COUNT))
    merchants = list(side.merchants)
    await tx.execute(NAME_MISSING, merchants, side.starts_at, side.ends_at, channel, side.day, side.run_id, head)
    await tx.execute(NAME_FEES, channel, side.run_id, head, book, side.day)
    await tx.execute(TURNED_UP, channel, tx.now)
    for row in await tx.fetch(PAYOUTS):
        await _settle(tx, side, flow_no=row["number"], amount_fen=row["amount_fen"])
    await matching.keep(tx, side)
    back = await tx.fetch(FEES_BACK, channel)
    return Matched(fitting, tuple(Share(row["community_id"], row["merchant_id"], row["fee_mfen"]) for row in back))


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
