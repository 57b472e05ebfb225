"""Invariants around the dispatch of tickets: urging (I-13), rows that belong together (I-23)."""

from backend.kernel.checks import Check

# As many as there are events since the round began.
URGED = """
    SELECT t.id AS ticket, t.urged_times, count(e.id) AS events
      FROM ticket t
      LEFT JOIN ticket_event e
        ON e.ticket_id = t.id AND e.move = 'urge'
       AND e.id > coalesce((SELECT max(r.id) FROM ticket_event r WHERE r.ticket_id = t.id AND r.move = 'reopen'), 0)
     GROUP BY t.id
    HAVING t.urged_times <> count(e.id)
"""

TOGETHER = """
    SELECT t.id AS subject FROM ticket t JOIN ticket_building b ON b.id = t.building_id
     WHERE b.community_id <> t.community_id
     UNION ALL
    SELECT t.id FROM ticket t JOIN ticket_house h ON h.id = t.house_id
     WHERE h.building_id IS DISTINCT FROM t.building_id
     UNION ALL
    SELECT t.id FROM ticket t JOIN ticket_outage o ON o.id = t.outage_id WHERE o.community_id <> t.community_id
     UNION ALL
    SELECT o.id FROM ticket_outage o JOIN ticket_building b ON b.id = o.building_id
     WHERE b.community_id <> o.community_id
     UNION ALL
    SELECT p.staff_id FROM ticket_patch p JOIN ticket_building b ON b.id = p.building_id
     WHERE b.community_id <> p.community_id
"""

# What an outage has bound waits for its end in nobody's hands.
BOUND = """
    SELECT t.id AS ticket, t.state FROM ticket t
     WHERE t.outage_id IS NOT NULL
       AND t.state IN ('ASSIGNED', 'TRANSFERRED', 'ACCEPTED', 'ON_SITE', 'QUOTED', 'AGREED', 'PAUSED', 'RETURNED')
"""

CHECKS = (
    Check("I-13", "工单的催单次数与其流转记录一致", URGED),
    Check("I-13", "挂靠公告的工单不在任何处理人手上", BOUND),
    Check("I-23", "工单的楼栋、公告和责任楼栋同属一个小区", TOGETHER),
)
