"""I-10 by day: what we have of a day is what its statement came to, but for what has a name; and the accounts of fees,
settlements in transit and the bank hold what their rows say."""

from datetime import date

from backend.kernel.checks import Check
from backend.kernel.db import Reader, Record

# A merchant's number at the channel may stand in several rows here; a run is of the number, on its day.
_NUMBERS = """
    SELECT id AS merchant_id, channel, mchid, coalesce(sub_mchid, '') AS sub_mchid FROM merchant
"""

# Days from $1 to $2: what our rows of them are told by, and what their runs are.
_AT = """
    o.at >= $1::date::timestamp AT TIME ZONE 'Asia/Shanghai'
    AND o.at < ($2::date + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
"""
_DAY = "r.day BETWEEN $1 AND $2"


def _trades(at: str, day: str) -> str:
    """Days whose trades do not tie out, of those for which `at` and `day` hold.

    Ours of each day: settled attempts and what stands in suspense, by the channel's own time, in one pass over both.
    Named: for each transaction of which a run found anything, ours of that day less what the statement says in all
    lines.
    """
    return f"""
    WITH numbered AS ({_NUMBERS}),
    ours AS MATERIALIZED (
        SELECT n.channel, n.mchid, n.sub_mchid, o.transaction_no, o.fen,
               (o.at AT TIME ZONE 'Asia/Shanghai')::date AS day
          FROM (SELECT merchant_id, transaction_no, amount_fen AS fen, paid_at AS at
                  FROM payment_attempt WHERE state = 'PAID'
                 UNION ALL
                SELECT merchant_id, transaction_no, booked_fen,
                       coalesce((detail ->> 'success_at')::timestamptz, opened_at)
                  FROM difference WHERE booked_fen > 0) AS o
          JOIN numbered n USING (merchant_id)
         WHERE {at}),
    run AS (
        SELECT r.id, r.merchant_id, r.day, r.kind, r.amount_fen, n.channel, n.mchid, n.sub_mchid
          FROM reconciliation_run r JOIN numbered n USING (merchant_id)
         WHERE r.state = 'DONE' AND r.kind = 'trades' AND {day}),
    found AS (
        SELECT run_id, transaction_no, max(statement_fen) AS statement_fen
          FROM reconciliation_finding WHERE subject = '' GROUP BY run_id, transaction_no),
    named AS (
        SELECT run.id, sum(coalesce(o.fen, 0) - f.statement_fen) AS fen
          FROM found f
          JOIN run ON run.id = f.run_id
          LEFT JOIN ours o USING (channel, mchid, sub_mchid, day, transaction_no)
         GROUP BY run.id),
    summed AS (
        SELECT channel, mchid, sub_mchid, day, sum(fen) AS fen FROM ours GROUP BY channel, mchid, sub_mchid, day)
    SELECT run.id AS reconciliation_run, run.merchant_id, run.day, run.kind, coalesce(s.fen, 0) AS ours_fen,
           run.amount_fen AS statement_fen, coalesce(n.fen, 0) AS named_fen
      FROM run
      LEFT JOIN summed s USING (channel, mchid, sub_mchid, day)
      LEFT JOIN named n ON n.id = run.id
     WHERE coalesce(s.fen, 0) <> run.amount_fen + coalesce(n.fen, 0)
"""  # noqa: S608 - constants only


def _refunds(at: str, day: str) -> str:
    """The same of refunds."""
    return f"""
    WITH numbered AS ({_NUMBERS}),
    ours AS MATERIALIZED (
        SELECT n.channel, n.mchid, n.sub_mchid, f.transaction_no, f.out_refund_no AS subject, f.amount_fen AS fen,
               (o.at AT TIME ZONE 'Asia/Shanghai')::date AS day
          FROM refund f
          JOIN numbered n USING (merchant_id)
         CROSS JOIN LATERAL (
               SELECT CASE f.channel WHEN 'alipay' THEN f.finished_at ELSE f.submitted_at END AS at) AS o
         WHERE {at}
           AND (f.state IN ('SUCCEEDED', 'PROCESSING', 'ABNORMAL')
                OR f.state = 'CLOSED' AND f.channel_refund_no IS NOT NULL
               AND (f.finished_at AT TIME ZONE 'Asia/Shanghai')::date
                 > (f.submitted_at AT TIME ZONE 'Asia/Shanghai')::date)),
    run AS (
        SELECT r.id, r.merchant_id, r.day, r.kind, r.refund_fen, n.channel, n.mchid, n.sub_mchid
          FROM reconciliation_run r JOIN numbered n USING (merchant_id)
         WHERE r.state = 'DONE' AND r.kind = 'refunds' AND {day}),
    found AS (
        SELECT run_id, transaction_no, subject, max(statement_fen) AS statement_fen
          FROM reconciliation_finding WHERE subject <> '' GROUP BY run_id, transaction_no, subject),
    named AS (
        SELECT run.id, sum(coalesce(o.fen, 0) - f.statement_fen) AS fen
          FROM found f
          JOIN run ON run.id = f.run_id
          LEFT JOIN ours o USING (channel, mchid, sub_mchid, day, transaction_no, subject)
         GROUP BY run.id),
    summed AS (
        SELECT channel, mchid, sub_mchid, day, sum(fen) AS fen FROM ours GROUP BY channel, mchid, sub_mchid, day)
    SELECT run.id AS reconciliation_run, run.merchant_id, run.day, run.kind, coalesce(s.fen, 0) AS ours_fen,
           run.refund_fen AS statement_fen, coalesce(n.fen, 0) AS named_fen
      FROM run
      LEFT JOIN summed s USING (channel, mchid, sub_mchid, day)
      LEFT JOIN named n ON n.id = run.id
     WHERE coalesce(s.fen, 0) <> run.refund_fen + coalesce(n.fen, 0)
"""  # noqa: S608 - constants only


TRADES, REFUNDS = _trades("true", "true"), _refunds("true", "true")
_MOVED = (_trades(_AT, _DAY), _refunds(_AT, _DAY))


async def moved(db: Reader, *, since: date, until: date) -> list[Record]:
    """Runs of these days, both included, whose day no longer is what it was compared as: what the two checks find."""
    return [row for statement in _MOVED for row in await db.fetch(statement, since, until)]


FEES = """
    WITH booked AS (
        SELECT a.community_id, a.subject_id AS merchant_id,
               sum(CASE WHEN p.debit_account = a.id THEN p.amount_fen ELSE -p.amount_fen END) AS fen
          FROM account a
          JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
         WHERE a.code = 'channel_fee'
         GROUP BY a.community_id, a.subject_id),
    told AS (
        SELECT community_id, merchant_id, sum(fee_fen) AS fen FROM channel_fee GROUP BY community_id, merchant_id)
    SELECT merchant_id, community_id, booked.fen AS booked_fen, told.fen AS told_fen
      FROM booked FULL JOIN told USING (community_id, merchant_id)
     WHERE coalesce(booked.fen, 0) <> coalesce(told.fen, 0)
     UNION ALL
    SELECT r.merchant_id, NULL, r.fee_fen, sum(f.fee_fen)
      FROM reconciliation_run r LEFT JOIN channel_fee f ON f.run_id = r.id
     WHERE r.state = 'DONE'
     GROUP BY r.id
    HAVING r.fee_fen <> coalesce(sum(f.fee_fen), 0)
"""

IN_TRANSIT = """
    WITH booked AS (
        SELECT a.community_id, a.subject_id AS merchant_id,
               sum(CASE WHEN p.debit_account = a.id THEN p.amount_fen ELSE -p.amount_fen END) AS fen
          FROM account a
          JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
         WHERE a.code = 'in_transit'
         GROUP BY a.community_id, a.subject_id),
    under_way AS (
        SELECT p.community_id, p.merchant_id, sum(p.amount_fen) AS fen
          FROM channel_settlement_part p JOIN channel_settlement s ON s.id = p.settlement_id
         WHERE s.matched_at IS NULL
         GROUP BY p.community_id, p.merchant_id)
    SELECT merchant_id, community_id, booked.fen AS booked_fen, under_way.fen AS under_way_fen
      FROM booked FULL JOIN under_way USING (community_id, merchant_id)
     WHERE coalesce(booked.fen, 0) <> coalesce(under_way.fen, 0)
"""

PARTS = """
    SELECT s.id AS channel_settlement, s.amount_fen, sum(p.amount_fen) AS parts_fen
      FROM channel_settlement s LEFT JOIN channel_settlement_part p ON p.settlement_id = s.id
     GROUP BY s.id
    HAVING s.amount_fen <> coalesce(sum(p.amount_fen), 0)
"""

# A line of the bank's file and what it arrived for name each other.
BANK_LINES = """
    SELECT l.id AS bank_line, l.matched_kind, l.amount_fen
      FROM bank_line l
      LEFT JOIN channel_settlement s ON l.matched_kind = 'settlement' AND s.id = l.matched_id
      LEFT JOIN bank_deposit d ON l.matched_kind = 'deposit' AND d.id = l.matched_id
     WHERE l.matched_kind = 'settlement'
           AND (s.bank_line_id IS DISTINCT FROM l.id OR s.amount_fen IS DISTINCT FROM l.amount_fen)
        OR l.matched_kind = 'deposit'
           AND (d.bank_line_id IS DISTINCT FROM l.id OR d.amount_fen IS DISTINCT FROM l.amount_fen)
"""

CHECKS = (
    Check("I-10", "对过账的每一天，我方收款等于渠道账单加上有名目的差异", TRADES),
    Check("I-10", "对过账的每一天，我方退款等于渠道账单加上有名目的差异", REFUNDS),
    Check("I-10", "渠道手续费科目等于各次对账记下的手续费", FEES),
    Check("I-10", "结算在途科目等于尚未到账的渠道结算", IN_TRANSIT),
    Check("I-12", "渠道结算分到各小区的金额之和等于结算金额", PARTS),
    Check("I-10", "银行流水与到账的结算、缴存互相对应且金额相等", BANK_LINES),
)
