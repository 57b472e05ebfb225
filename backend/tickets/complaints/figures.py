"""Figures of complaints (投诉统计) for what came in between two days: by community, kind, nature and cause (S7, D13).

On time: the clock of the first round stopped no later than it fell due; one that still runs counts as late once it is
past its time, and not at all before. Satisfied: four stars or more, of those rated.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from backend.kernel.clock import start_of_day
from backend.kernel.db import Reader, Record

# Index ticket_by_community.
FIGURES = """
    WITH came AS (
        SELECT t.id, t.community_id, t.kind, t.round, q.nature, a.name AS cause,
               contact.due_at AS contact_due, contact.stopped_at AS contact_at,
               answer.due_at AS answer_due, answer.stopped_at AS answer_at, r.stars
          FROM ticket t
          JOIN ticket_complaint q ON q.ticket_id = t.id
          LEFT JOIN ticket_cause a ON a.id = q.cause_id
          LEFT JOIN ticket_clock contact ON contact.ticket_id = t.id AND contact.round = 1 AND contact.kind = 'contact'
          LEFT JOIN ticket_clock answer ON answer.ticket_id = t.id AND answer.round = 1 AND answer.kind = 'answer'
          LEFT JOIN LATERAL (SELECT stars FROM ticket_rating WHERE ticket_id = t.id ORDER BY round DESC LIMIT 1) r
            ON true
         WHERE t.community_id = ANY ($1::uuid[]) AND t.submitted_at >= $2 AND t.submitted_at < $3
           AND t.state NOT IN ('CANCELLED', 'MERGED')
    ), house_count AS (
        SELECT community_id, count(*) AS houses FROM ticket_house WHERE community_id = ANY ($1::uuid[]) GROUP BY 1
    )
    SELECT c.community_id, c.kind, c.nature, c.cause, count(*) AS tickets,
           count(*) FILTER (WHERE contact_at <= contact_due) AS contacted_on_time,
           count(*) FILTER (WHERE coalesce(contact_at, $4) > contact_due) AS contacted_late,
           count(*) FILTER (WHERE answer_at <= answer_due) AS answered_on_time,
           count(*) FILTER (WHERE coalesce(answer_at, $4) > answer_due) AS answered_late,
           count(*) FILTER (WHERE round > 1) AS reopened, count(stars) AS rated,
           count(*) FILTER (WHERE stars >= 4) AS satisfied, coalesce(max(h.houses), 0) AS houses
      FROM came c LEFT JOIN house_count h ON h.community_id = c.community_id
     GROUP BY c.community_id, c.kind, c.nature, c.cause
     ORDER BY c.community_id, c.kind, c.nature, c.cause NULLS LAST
     LIMIT 2000
"""


async def of_days(
    db: Reader, communities: Sequence[UUID], *, first_on: date, last_on: date, now: datetime
) -> list[Record]:
    """The figures of what came in on these days, both included, in Asia/Shanghai."""
    since, until = start_of_day(first_on), start_of_day(last_on + timedelta(days=1))
    return await db.fetch(FIGURES, list(communities), since, until, now)
