"""Invariants of tickets: hands and moves (I-21), states (I-13), promises, rows that belong together (I-23)."""

from backend.kernel.checks import Check
from backend.tickets.complaints import checks as complaint_checks
from backend.tickets.dispatch import checks as dispatch_checks
from backend.tickets.screening import checks as screening_checks

IN_HAND = """
    SELECT t.id AS ticket, t.state, count(a.id) AS open_assignments
      FROM ticket t LEFT JOIN ticket_assignment a ON a.ticket_id = t.id AND a.ended_at IS NULL
     GROUP BY t.id
    HAVING count(a.id) <> CASE WHEN t.state IN ('ASSIGNED', 'TRANSFERRED', 'ACCEPTED', 'ON_SITE', 'QUOTED', 'AGREED',
                                                'PAUSED') THEN 1 ELSE 0 END
"""

AUDITED = """
    SELECT coalesce(e.target, a.target) AS target, e.moves, a.entries
      FROM (SELECT 'ticket:' || ticket_id AS target, count(*) AS moves FROM ticket_event GROUP BY ticket_id) AS e
      FULL JOIN (SELECT target, count(*) AS entries FROM audit_entry WHERE action = 'ticket.moved' GROUP BY target) AS a
        ON a.target = e.target
     WHERE e.moves IS DISTINCT FROM a.entries
"""

# Each event begins where the one before it has ended, and the last one has ended where the ticket is.
CHAINED = """
    SELECT ticket, state, from_state, before FROM (
        SELECT e.ticket_id AS ticket, t.state, e.from_state, e.to_state,
               lag(e.to_state) OVER chain AS before, lead(e.id) OVER chain AS next
          FROM ticket_event e JOIN ticket t ON t.id = e.ticket_id
        WINDOW chain AS (PARTITION BY e.ticket_id ORDER BY e.id)) AS chained
     WHERE from_state IS DISTINCT FROM before OR (next IS NULL AND to_state <> state)
     UNION ALL
    SELECT t.id, t.state, NULL, NULL FROM ticket t
     WHERE NOT EXISTS (SELECT FROM ticket_event e WHERE e.ticket_id = t.id)
"""

CLOCKS = """
    SELECT t.id AS ticket, t.state, c.kind, c.paused_at, c.stopped_at
      FROM ticket t JOIN ticket_clock c ON c.ticket_id = t.id
     WHERE (c.round < t.round AND c.stopped_at IS NULL)
        OR (c.round = t.round AND c.stopped_at IS NULL AND (
               (c.paused_at IS NOT NULL) <> (t.state = 'PAUSED')
            OR t.state NOT IN ('SUBMITTED', 'TRIAGED', 'ASSIGNED', 'TRANSFERRED', 'ACCEPTED', 'ON_SITE', 'QUOTED',
                               'AGREED', 'PAUSED', 'RETURNED', 'REOPENED')))
"""

TOGETHER = """
    SELECT t.id AS ticket FROM ticket t
      JOIN ticket_category c ON c.id = t.category_id
      JOIN company_community m ON m.community_id = t.community_id
     WHERE c.company_id <> m.company_id OR c.community_id <> t.community_id OR c.kind <> t.kind
     UNION ALL
    SELECT t.id FROM ticket t JOIN ticket_house h ON h.id = t.house_id WHERE h.community_id <> t.community_id
     UNION ALL
    SELECT t.id FROM ticket t JOIN ticket i ON i.id = t.merged_into WHERE i.community_id <> t.community_id
     UNION ALL
    SELECT a.ticket_id FROM ticket_assignment a JOIN ticket t ON t.id = a.ticket_id
     WHERE a.community_id <> t.community_id
"""

CHECKS = (
    Check("I-21", "处理中的工单恰有一位处理人，其他工单没有", IN_HAND),
    Check("I-21", "工单的每次流转恰有一条审计记录", AUDITED),
    Check("I-13", "工单的状态与其流转记录首尾相接", CHAINED),
    Check("I-13", "工单的时限只在处理中计时，只在挂起时停表", CLOCKS),
    Check("I-23", "工单与其类别、房屋和处理人同属一个小区", TOGETHER),
    *complaint_checks.CHECKS,
    *dispatch_checks.CHECKS,
    *screening_checks.CHECKS,
)
