"""Invariants of paid repairs: stock is the sum of its movements, quotes agree with moves, lines and books."""

from backend.kernel.checks import Check

STOCK = """
    SELECT coalesce(s.place_id, m.place_id) AS place, coalesce(s.item_id, m.item_id) AS item, s.count, m.moved
      FROM ticket_stock s
      FULL JOIN (SELECT place_id, item_id, sum(change) AS moved FROM ticket_stock_movement GROUP BY 1, 2) AS m
        ON (m.place_id, m.item_id) = (s.place_id, s.item_id)
     WHERE coalesce(s.count, 0) <> coalesce(m.moved, 0) OR s.count < 0
"""

# What is transferred leaves one place and comes to another; no ticket gives back more than it has used.
MOVEMENTS = """
    SELECT transfer_id AS movement, sum(change) AS change FROM ticket_stock_movement
     WHERE transfer_id IS NOT NULL
     GROUP BY transfer_id
    HAVING sum(change) <> 0 OR count(*) <> 2
     UNION ALL
    SELECT ticket_id, sum(change) FROM ticket_stock_movement
     WHERE ticket_id IS NOT NULL
     GROUP BY ticket_id, item_id
    HAVING sum(change) > 0
"""

LINES = """
    SELECT q.id, q.lines_fen AS total_fen, sum((l ->> 'amount_fen')::bigint) AS lines_fen
      FROM ticket_quote q CROSS JOIN jsonb_array_elements(q.lines) AS l
     GROUP BY q.id
    HAVING sum((l ->> 'amount_fen')::bigint) <> q.lines_fen
        OR bool_or((l ->> 'amount_fen')::bigint <> (l ->> 'quantity')::bigint * (l ->> 'unit_price_fen')::bigint)
     UNION ALL
    SELECT c.id, c.total_fen, sum((l ->> 'amount_fen')::bigint)
      FROM ticket_cost c CROSS JOIN jsonb_array_elements(c.lines) AS l
     GROUP BY c.id
    HAVING sum((l ->> 'amount_fen')::bigint) <> c.total_fen
"""

STATES = """
    SELECT t.id AS ticket, t.state AS ticket_state, q.state AS quote_state
      FROM ticket t LEFT JOIN ticket_quote q ON q.ticket_id = t.id AND q.state IN ('OPEN', 'AGREED')
     WHERE CASE coalesce(t.resumes_to, t.state)
           WHEN 'QUOTED' THEN q.state IS DISTINCT FROM 'OPEN'
           WHEN 'AGREED' THEN q.state IS DISTINCT FROM 'AGREED'
           WHEN 'DONE' THEN q.state = 'OPEN'
           ELSE q.state IS NOT NULL END
"""

# Each fact of a quote has its posting, and there is none without.
POSTED = """
    WITH named AS (
        SELECT 'ticket.due' AS kind, id AS reference, total_fen AS fen FROM ticket_quote
         WHERE state IN ('DUE', 'PAID', 'WAIVED')
         UNION ALL
        SELECT 'ticket.paid', paid_line_id, total_fen FROM ticket_quote WHERE state = 'PAID'
         UNION ALL
        SELECT 'ticket.waived', id, total_fen FROM ticket_quote WHERE state = 'WAIVED'),
    booked AS (
        SELECT kind, reference, amount_fen AS fen FROM posting
         WHERE kind IN ('ticket.due', 'ticket.paid', 'ticket.waived'))
    SELECT kind, reference, named.fen AS named_fen, booked.fen AS booked_fen
      FROM named FULL JOIN booked USING (kind, reference)
     WHERE named.fen IS DISTINCT FROM booked.fen
"""

REFUNDED = """
    SELECT q.id AS ticket_quote, q.refunded_fen, coalesce(p.fen, 0) AS posted_fen
      FROM ticket_quote q
      LEFT JOIN (SELECT r.line_id, sum(p.amount_fen) AS fen
                   FROM ticket_refund_line r JOIN posting p ON p.kind = 'ticket.refunded' AND p.reference = r.id
                  GROUP BY r.line_id) AS p ON p.line_id = q.paid_line_id
     WHERE q.refunded_fen <> coalesce(p.fen, 0)
"""

RECEIVABLE = """
    WITH owed AS (
        SELECT community_id, house_id, sum(total_fen) AS owed_fen FROM ticket_quote WHERE state = 'DUE' GROUP BY 1, 2),
    booked AS (
        SELECT a.community_id, a.subject_id AS house_id,
               sum(CASE p.debit_account WHEN a.id THEN p.amount_fen ELSE -p.amount_fen END) AS booked_fen
          FROM account a JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
         WHERE a.code = 'ticket_receivable'
         GROUP BY 1, 2)
    SELECT community_id, house_id, owed_fen, booked_fen
      FROM owed FULL JOIN booked USING (community_id, house_id)
     WHERE coalesce(owed_fen, 0) <> coalesce(booked_fen, 0)
"""

TOGETHER = """
    SELECT q.id FROM ticket_quote q JOIN ticket t ON t.id = q.ticket_id
     WHERE (q.community_id, q.house_id) IS DISTINCT FROM (t.community_id, t.house_id)
     UNION ALL
    SELECT c.id FROM ticket_cost c JOIN ticket t ON t.id = c.ticket_id WHERE c.community_id <> t.community_id
     UNION ALL
    SELECT s.id FROM ticket_signature s JOIN ticket t ON t.id = s.ticket_id WHERE s.community_id <> t.community_id
     UNION ALL
    SELECT s.place_id FROM ticket_stock s
      JOIN ticket_stock_place p ON p.id = s.place_id
      JOIN ticket_item i ON i.id = s.item_id
      JOIN company_community m ON m.community_id = p.community_id
     WHERE s.community_id <> p.community_id OR i.company_id <> m.company_id OR i.community_id <> p.community_id
        OR i.sort <> 'part'
"""

TWO_PEOPLE = """
    SELECT c.id FROM ticket_cost c JOIN approval a ON a.id = c.approval_id
     WHERE c.state = 'CHARGEABLE' AND (a.state <> 'APPROVED' OR a.decided_by = c.made_by)
     UNION ALL
    SELECT q.id FROM ticket_quote q
     WHERE q.state = 'WAIVED' AND NOT EXISTS (
           SELECT FROM approval a WHERE a.kind = 'ticket.waiver' AND a.target = 'ticket_quote:' || q.id
                                    AND a.state = 'APPROVED' AND a.decided_by <> a.proposed_by)
"""

CHECKS = (
    Check("I-12", "配件库存等于流水之和，从不为负", STOCK),
    Check("I-12", "调拨一出一入，工单退料不多于用料", MOVEMENTS),
    Check("I-05", "报价和维修成本等于各行之和", LINES),
    Check("I-13", "待确认和已同意的报价与工单的状态一致", STATES),
    Check("I-03", "维修费的应收、付款和减免各有一笔分录", POSTED),
    Check("I-04", "维修费的已退金额等于其退款分录", REFUNDED),
    Check("I-11", "各房屋的维修应收等于待付的维修费之和", RECEIVABLE),
    Check("I-23", "报价、签名、成本和库存与其工单、配件同属一处", TOGETHER),
    Check("I-22", "维修费减免和公共维修成本由两个人决定", TWO_PEOPLE),
)
