"""Who is told about the bills of a run (新账单通知): owners and families of the houses, and whoever owes.

Read in chunks of houses by number. A person with several houses in the run is summed up over all of them each time one
of them comes by, so that any chunk gives the whole message; who keeps it from being sent twice is the message's key.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from backend.kernel.db import Reader, Record, Tx

RUN = """
    SELECT r.id, r.community_id, i.name AS item_name, r.period_start, r.period_end, r.due_on, r.only_house_id
      FROM billing_run r JOIN fee_item i ON i.id = r.item_id
     WHERE r.id = $1 AND r.state = 'PUBLISHED'
"""

# Uses house_by_community, bill_house and occupancy_of_house; then occupancy_person and bill_liable. OFFSET 0 makes each
# look-up go by its index, house by house and person by person; IS TRUE keeps bill_run out of it, which would find the
# whole run each time.
AUDIENCE = """
    WITH houses AS MATERIALIZED (
        SELECT id, no
          FROM billable_house
         WHERE community_id = $2 AND no > $3 AND ($6::uuid IS NULL OR id = $6)
         ORDER BY no
         LIMIT $4
    ), bills AS MATERIALIZED (
        SELECT b.house_id, b.liable_person_id
          FROM houses h
         CROSS JOIN LATERAL (SELECT house_id, liable_person_id FROM bill
                              WHERE house_id = h.id AND (run_id = $1) IS TRUE AND state <> 'VOIDED' OFFSET 0) AS b
    ), people AS MATERIALIZED (
        SELECT t.person_id
          FROM bills b
         CROSS JOIN LATERAL (SELECT person_id FROM house_party
                              WHERE house_id = b.house_id AND role IN ('owner', 'family')
                                AND starts_on <= $5 AND (ends_on IS NULL OR ends_on > $5) OFFSET 0) AS t
         UNION
        SELECT liable_person_id FROM bills WHERE liable_person_id IS NOT NULL
    ), theirs AS MATERIALIZED (
        SELECT p.person_id, b.id, b.house_id, b.principal_fen
          FROM people p
         CROSS JOIN LATERAL (SELECT house_id FROM house_party
                              WHERE person_id = p.person_id AND role IN ('owner', 'family')
                                AND starts_on <= $5 AND (ends_on IS NULL OR ends_on > $5) OFFSET 0) AS t
         CROSS JOIN LATERAL (SELECT id, house_id, principal_fen FROM bill
                              WHERE house_id = t.house_id AND (run_id = $1) IS TRUE AND state <> 'VOIDED' OFFSET 0) AS b
         UNION
        SELECT p.person_id, b.id, b.house_id, b.principal_fen
          FROM people p
         CROSS JOIN LATERAL (SELECT id, house_id, principal_fen FROM bill
                              WHERE liable_person_id = p.person_id AND (run_id = $1) IS TRUE AND state <> 'VOIDED'
                             OFFSET 0) AS b
    )
    SELECT (SELECT max(no) FROM houses) AS last_no, summed.*
      FROM (SELECT) AS always
      LEFT JOIN (
        SELECT t.person_id, count(DISTINCT t.house_id) AS house_count, sum(t.principal_fen)::bigint AS total_fen,
               (array_agg(h.label ORDER BY h.no))[1] AS first_label
          FROM theirs t
         CROSS JOIN LATERAL (SELECT no, label FROM billable_house WHERE id = t.house_id OFFSET 0) AS h
         GROUP BY t.person_id) AS summed ON true
"""


# A run is told right after its bills were made, often before PostgreSQL has counted them: without counts the planner
# would rather read whole tables (a minute a chunk instead of 0.3 s).
BY_INDEX = "SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true)"


@dataclass(frozen=True, slots=True)
class PublishedRun:
    """What a message about a run says of it; `period_end` is exclusive."""

    id: UUID
    community_id: UUID
    item_name: str
    period_start: date
    period_end: date
    due_on: date
    only_house_id: UUID | None


@dataclass(frozen=True, slots=True)
class Told:
    """A person and the sum of all bills of the run that concern that person."""

    person_id: UUID
    first_label: str
    house_count: int
    total_fen: int


async def published_run(db: Reader, run_id: UUID) -> PublishedRun | None:
    """The run, None while it is not published."""
    row = await db.fetchrow(RUN, run_id)
    return None if row is None else PublishedRun(**dict(row.items()))


async def audience(tx: Tx, run: PublishedRun, *, after_no: int, houses: int) -> tuple[list[Told], int | None]:
    """Whoever is told about the next `houses` houses behind number `after_no`, and the last number; None at the end."""
    await tx.execute(BY_INDEX)
    rows = await tx.fetch(AUDIENCE, run.id, run.community_id, after_no, houses, tx.today, run.only_house_id)
    return [_told(row) for row in rows if row["person_id"] is not None], rows[0]["last_no"]


def _told(row: Record) -> Told:
    return Told(row["person_id"], row["first_label"], row["house_count"], row["total_fen"])
