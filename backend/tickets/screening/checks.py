"""Invariants of content checks: each belongs to its ticket, and to an event of that ticket (I-23)."""

from backend.kernel.checks import Check

TOGETHER = """
    SELECT k.id AS check_id FROM ticket_check k
      JOIN ticket t ON t.id = k.ticket_id
      JOIN ticket_event e ON e.id = k.event_id
     WHERE k.community_id <> t.community_id OR e.ticket_id <> k.ticket_id
"""

CHECKS = (Check("I-23", "内容检查与其工单和流转记录相符", TOGETHER),)
