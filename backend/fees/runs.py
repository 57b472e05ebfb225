"""Reads of billing runs: lists, what a run has made, whom it left out and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from backend.fees.periods import Period
from backend.fees.states import OMISSION_TEXT, Omission
from backend.kernel.db import Reader, Record
from backend.kernel.errors import NotFound

SAMPLES = 5

_COLUMNS = """
    SELECT r.id, r.community_id, r.item_id, i.name AS item_name, r.period_start, r.period_end, r.supplement, r.state,
           r.only_house_id, r.due_on, r.house_count, r.bill_count, r.total_fen, r.omitted_count, r.created_at,
           r.published_at, r.error
      FROM billing_run r JOIN fee_item i ON i.id = r.item_id
"""

LIST = f"""
{_COLUMNS}
     WHERE r.community_id = ANY ($1::uuid[])
       AND ($2::uuid IS NULL OR r.community_id = $2)
       AND ($3::uuid IS NULL OR r.item_id = $3)
       AND ($4::text IS NULL OR r.state = $4)
       AND ($5::uuid IS NULL OR r.id < $5)
     ORDER BY r.id DESC
     LIMIT $6
"""

ONE = f"""
{_COLUMNS}
     WHERE r.id = $1 AND r.community_id = ANY ($2::uuid[])
"""

# Index bill_run.
BILLS = """
    SELECT b.id, b.house_id, h.label AS house_label, b.period_start, b.period_end, b.state, b.principal_fen,
           b.liable_kind, b.due_on
      FROM bill b JOIN billable_house h ON h.id = b.house_id
     WHERE b.run_id = $1 AND ($2::uuid IS NULL OR b.id > $2)
     ORDER BY b.id
     LIMIT $3
"""

# Index billing_omission_reason.
OMISSIONS = """
    SELECT o.reason, o.houses, s.labels
      FROM (SELECT reason, count(*) AS houses FROM billing_omission WHERE run_id = $1 GROUP BY reason) AS o
     CROSS JOIN LATERAL (
           SELECT array_agg(x.label) AS labels
             FROM (SELECT h.label FROM billing_omission m JOIN billable_house h ON h.id = m.house_id
                    WHERE m.run_id = $1 AND m.reason = o.reason LIMIT $2) AS x) AS s
     ORDER BY o.houses DESC, o.reason
"""

ACTIVE_ITEMS = """
    SELECT * FROM fee_item i
     WHERE i.state = 'ACTIVE' AND EXISTS (SELECT FROM price_version p WHERE p.item_id = i.id)
     ORDER BY i.no
"""

KNOWN_PERIODS = """
    SELECT period_start, period_end FROM billing_run
     WHERE item_id = $1 AND only_house_id IS NULL AND state <> 'FAILED'
"""


@dataclass(frozen=True, slots=True)
class Omitted:
    """How many houses were left out for a reason, and some of them."""

    reason: Omission
    text: str
    houses: int
    samples: tuple[str, ...]


async def in_communities(
    db: Reader,
    communities: Sequence[UUID],
    *,
    community_id: UUID | None,
    item_id: UUID | None,
    state: str | None,
    before: UUID | None,
    limit: int,
) -> list[Record]:
    """Runs, newest first."""
    return await db.fetch(LIST, list(communities), community_id, item_id, state, before, limit)


async def row_of(db: Reader, run_id: UUID, *, communities: Sequence[UUID]) -> Record:
    """The run's row with the item's name; NotFound for unknown and foreign ones."""
    row = await db.fetchrow(ONE, run_id, list(communities))
    if row is None:
        raise NotFound
    return row


async def bills_of(db: Reader, run_id: UUID, *, after: UUID | None, limit: int) -> list[Record]:
    """The bills of a run that the caller has found in scope, drafts too, in order of houses."""
    return await db.fetch(BILLS, run_id, after, limit)


async def omissions_of(db: Reader, run_id: UUID) -> tuple[Omitted, ...]:
    """Whom the run left out, by reason, with samples."""
    rows = await db.fetch(OMISSIONS, run_id, SAMPLES)
    return tuple(
        Omitted(Omission(row["reason"]), OMISSION_TEXT[Omission(row["reason"])], row["houses"], tuple(row["labels"]))
        for row in rows
    )


async def active_items(db: Reader) -> list[Record]:
    """Rows of all active items that have a price, for the daily scan."""
    return await db.fetch(ACTIVE_ITEMS)


async def known_periods(db: Reader, item_id: UUID) -> frozenset[Period]:
    """The periods of an item that have had a run for all houses; what was cancelled was cancelled on purpose."""
    rows = await db.fetch(KNOWN_PERIODS, item_id)
    return frozenset(Period(row["period_start"], row["period_end"]) for row in rows)
