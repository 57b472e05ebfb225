"""A day's closing report (日结): bills, ledger, channel and bank of each community, and whether they agree.

The day is the channel's: when money was paid, refunded, charged, paid out. Four sides are worked out from their own
rows and compared, never copied from one another: what orders' lines were paid (bills), what was posted of those lines
(ledger), what the statement says but for what has a name (channel), what left for the bank and arrived (bank).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from backend.kernel.clock import start_of_day
from backend.kernel.db import Reader, Record
from payments.reconcile import checks

# Every merchant of a community that took or gave anything on the day. Counter money by the counter's own merchant.
SIDES = """
    WITH paid AS (
        SELECT a.community_id, a.merchant_id, a.channel, a.order_id, a.clearing_account, a.amount_fen
          FROM payment_attempt a
         WHERE a.state = 'PAID' AND a.community_id = ANY($1::uuid[]) AND a.paid_at >= $2 AND a.paid_at < $3),
    received AS (
        SELECT community_id, merchant_id, sum(amount_fen) AS fen FROM paid GROUP BY 1, 2),
    billed AS (
        SELECT p.community_id, p.merchant_id, sum(l.principal_fen + l.late_fee_fen) AS fen
          FROM paid p JOIN payment_line l ON l.order_id = p.order_id GROUP BY 1, 2),
    posted AS (
        SELECT p.community_id, p.merchant_id, sum(g.amount_fen) AS fen
          FROM paid p
          JOIN payment_line l ON l.order_id = p.order_id
          JOIN posting g ON g.kind IN ('bill.paid', 'prepaid.topped_up') AND g.reference = l.id
                        AND g.debit_account = p.clearing_account
         GROUP BY 1, 2),
    suspense AS (
        SELECT community_id, merchant_id, sum(booked_fen) AS fen
          FROM difference
         WHERE booked_fen > 0 AND community_id = ANY($1::uuid[])
           AND coalesce((detail ->> 'success_at')::timestamptz, opened_at) >= $2
           AND coalesce((detail ->> 'success_at')::timestamptz, opened_at) < $3
         GROUP BY 1, 2),
    refunded AS (
        SELECT community_id, merchant_id, sum(amount_fen) AS fen
          FROM refund
         WHERE state = 'SUCCEEDED' AND community_id = ANY($1::uuid[]) AND finished_at >= $2 AND finished_at < $3
         GROUP BY 1, 2),
    charged AS (
        SELECT f.community_id, f.merchant_id, sum(f.fee_fen) AS fen
          FROM channel_fee f JOIN reconciliation_run r ON r.id = f.run_id
         WHERE r.day = $4 AND f.community_id = ANY($1::uuid[]) GROUP BY 1, 2),
    left_for_bank AS (
        SELECT p.community_id, p.merchant_id, sum(p.amount_fen) AS fen,
               sum(p.amount_fen) FILTER (WHERE s.matched_at IS NOT NULL) AS arrived_fen
          FROM channel_settlement_part p JOIN channel_settlement s ON s.id = p.settlement_id
         WHERE s.left_on = $4 AND p.community_id = ANY($1::uuid[]) GROUP BY 1, 2),
    keys AS (
        SELECT community_id, merchant_id FROM received UNION SELECT community_id, merchant_id FROM suspense
         UNION SELECT community_id, merchant_id FROM refunded UNION SELECT community_id, merchant_id FROM charged
         UNION SELECT community_id, merchant_id FROM left_for_bank)
    SELECT k.community_id, k.merchant_id, m.channel, m.name,
           coalesce(received.fen, 0)::bigint AS received_fen, coalesce(billed.fen, 0)::bigint AS billed_fen,
           coalesce(posted.fen, 0)::bigint AS posted_fen, coalesce(suspense.fen, 0)::bigint AS suspense_fen,
           coalesce(refunded.fen, 0)::bigint AS refunded_fen, coalesce(charged.fen, 0)::bigint AS fee_fen,
           coalesce(left_for_bank.fen, 0)::bigint AS settled_fen,
           coalesce(left_for_bank.arrived_fen, 0)::bigint AS arrived_fen
      FROM keys k
      JOIN (SELECT id, channel, name FROM merchant) AS m ON m.id = k.merchant_id
      LEFT JOIN received USING (community_id, merchant_id)
      LEFT JOIN billed USING (community_id, merchant_id)
      LEFT JOIN posted USING (community_id, merchant_id)
      LEFT JOIN suspense USING (community_id, merchant_id)
      LEFT JOIN refunded USING (community_id, merchant_id)
      LEFT JOIN charged USING (community_id, merchant_id)
      LEFT JOIN left_for_bank USING (community_id, merchant_id)
     ORDER BY k.community_id, m.channel, k.merchant_id
"""

RUNS = """
    SELECT r.*, (SELECT count(*) FROM reconciliation_finding f WHERE f.run_id = r.id) AS found,
           (SELECT count(*) FROM reconciliation_finding f JOIN difference d ON d.id = f.difference_id
             WHERE f.run_id = r.id AND d.state IN ('OPEN', 'ESCALATED')) AS open
      FROM reconciliation_run r
     WHERE r.company_id = $1 AND r.day = $2
     ORDER BY r.channel, r.merchant_id, r.kind
"""

DEPOSITS = """
    SELECT community_id, sum(amount_fen)::bigint AS fen,
           coalesce(sum(amount_fen) FILTER (WHERE matched_at IS NOT NULL), 0)::bigint AS arrived_fen
      FROM bank_deposit
     WHERE community_id = ANY($1::uuid[]) AND deposited_on = $2
     GROUP BY community_id
"""


@dataclass(frozen=True, slots=True)
class Side:
    """One merchant of one community on one day, in fen. Bills, ledger and payments agree when the three are equal."""

    community_id: UUID
    merchant_id: UUID
    channel: str
    name: str
    received_fen: int
    billed_fen: int
    posted_fen: int
    suspense_fen: int
    refunded_fen: int
    fee_fen: int
    settled_fen: int
    arrived_fen: int

    @property
    def agrees(self) -> bool:
        return self.received_fen == self.billed_fen == self.posted_fen


@dataclass(frozen=True, slots=True)
class Deposited:
    """Cash brought to the bank on the day, and what of it the bank's file has shown."""

    community_id: UUID
    amount_fen: int
    arrived_fen: int


@dataclass(frozen=True, slots=True)
class Closing:
    """A day of some communities. `moved` are the runs whose day no longer is what it was compared as (I-10)."""

    day: date
    sides: tuple[Side, ...]
    deposits: tuple[Deposited, ...]
    runs: tuple[Record, ...]
    moved: frozenset[UUID]

    @property
    def agrees(self) -> bool:
        """Bills, ledger and channel agree: every statement is compared, and every difference has a name."""
        done = all(run["state"] == "DONE" for run in self.runs)
        return done and not self.moved and all(side.agrees for side in self.sides)


async def of_day(db: Reader, *, company_id: UUID, communities: Sequence[UUID], day: date) -> Closing:
    """The closing report of a day; the books that belong to no community stand under the company's own id."""
    starts_at, ends_at = start_of_day(day), start_of_day(date.fromordinal(day.toordinal() + 1))
    places = [*communities, company_id]
    sides = await db.fetch(SIDES, places, starts_at, ends_at, day)
    deposits = await db.fetch(DEPOSITS, list(communities), day)
    runs = await db.fetch(RUNS, company_id, day)
    moved = await checks.moved(db, since=day, until=day) if runs else []
    own = {run["id"] for run in runs}
    return Closing(
        day=day,
        sides=tuple(Side(**dict(row)) for row in sides),
        deposits=tuple(Deposited(row["community_id"], row["fen"], row["arrived_fen"]) for row in deposits),
        runs=tuple(runs),
        moved=frozenset(row["reconciliation_run"] for row in moved if row["reconciliation_run"] in own),
    )
