"""Invariants of complaints: anonymity kept (I-23), looks by two people (S3), disputes tied to live tickets (D3)."""

from backend.kernel.checks import Check

NAMELESS = """
    SELECT t.id AS ticket, 'event' AS found FROM ticket t JOIN ticket_event e ON e.ticket_id = t.id
     WHERE t.anonymous AND e.actor_kind = 'resident' AND e.actor_id IS NOT NULL
     UNION ALL
    SELECT t.id, 'audit' FROM ticket t JOIN audit_entry a ON a.target = 'ticket:' || t.id
     WHERE t.anonymous AND a.actor_kind = 'resident' AND a.actor_id IS NOT NULL
     UNION ALL
    SELECT r.ticket_id, 'reporter' FROM ticket_reporter r JOIN ticket t ON t.id = r.ticket_id
     WHERE NOT t.anonymous OR t.community_id <> r.community_id
"""

ENTERED = """
    SELECT t.id AS ticket, t.kind FROM ticket t LEFT JOIN ticket_complaint q ON q.ticket_id = t.id
     WHERE t.kind IN ('complaint', 'suggestion', 'consultation', 'praise')
       AND (q.ticket_id IS NULL OR q.community_id <> t.community_id)
"""

CLOSED_WITHOUT = """
    SELECT t.id AS ticket FROM ticket t JOIN ticket_complaint q ON q.ticket_id = t.id
     WHERE t.kind = 'complaint' AND t.state = 'CLOSED'
       AND (q.cause_id IS NULL
            OR NOT EXISTS (SELECT FROM ticket_event e WHERE e.ticket_id = t.id AND e.move = 'follow_up'))
"""

LOOKS = """
    SELECT l.approval_id FROM ticket_look l LEFT JOIN approval a ON a.id = l.approval_id
     WHERE a.id IS NULL OR a.kind <> 'ticket.look' OR a.state <> 'APPROVED' OR a.proposed_by <> l.staff_id
        OR a.decided_by <> l.granted_by OR a.target <> 'ticket:' || l.ticket_id
"""

# A dispute stands exactly while a ticket of the bill is neither closed nor ended.
DISPUTED = """
    SELECT coalesce(d.bill_id, l.bill_id) AS bill, d.id AS dispute, l.tickets
      FROM (SELECT id, bill_id FROM bill_dispute WHERE ended_at IS NULL) d
      FULL JOIN (SELECT q.bill_id, count(*) AS tickets
                   FROM ticket_complaint q JOIN ticket t ON t.id = q.ticket_id
                  WHERE q.bill_id IS NOT NULL AND t.state NOT IN ('CLOSED', 'CANCELLED', 'REJECTED', 'MERGED')
                  GROUP BY q.bill_id) l ON l.bill_id = d.bill_id
     WHERE d.id IS NULL OR l.tickets IS DISTINCT FROM 1
"""

CHECKS = (
    Check("I-23", "匿名工单的流转和审计里没有报单人", NAMELESS),
    Check("I-23", "投诉、建议、咨询和表扬都有登记，且与工单同属一个小区", ENTERED),
    Check("I-13", "关闭的投诉都回访过、登记了根因", CLOSED_WITHOUT),
    Check("I-22", "匿名报单人只在两个人同意后可看", LOOKS),
    Check("I-13", "账单异议与未关闭的工单一一对应", DISPUTED),
)
