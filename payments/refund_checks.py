"""Invariants of refunds: I-09, I-13, I-17, and that what has gone back is what was posted (I-04, I-10)."""

from backend.kernel.checks import Check

# The counters are what is under way or has gone, and never more than came in.
COUNTERS = """
    SELECT a.id, a.refunding_fen, coalesce(sum(r.amount_fen), 0) AS refunds_fen, a.amount_fen AS at_most_fen
      FROM payment_attempt a
      LEFT JOIN refund r ON r.attempt_id = a.id AND r.state NOT IN ('CLOSED', 'FAILED', 'REJECTED')
     GROUP BY a.id
    HAVING a.refunding_fen <> coalesce(sum(r.amount_fen), 0) OR a.refunding_fen > a.amount_fen
        OR (a.refunding_fen > 0 AND a.state <> 'PAID')
     UNION ALL
    SELECT d.id, d.refunding_fen, coalesce(sum(r.amount_fen), 0), d.booked_fen
      FROM difference d
      LEFT JOIN refund r ON r.difference_id = d.id AND r.state NOT IN ('CLOSED', 'FAILED', 'REJECTED')
     GROUP BY d.id
    HAVING d.refunding_fen <> coalesce(sum(r.amount_fen), 0) OR d.refunding_fen > d.booked_fen
        OR d.refunded_fen <> coalesce(sum(r.amount_fen) FILTER (WHERE r.state = 'SUCCEEDED'), 0)
"""

# No line gives back more than it brought, and a refund of an order is the sum of its lines.
REFUND_LINES = """
    SELECT l.id, l.principal_fen + l.late_fee_fen AS paid_fen, sum(g.principal_fen + g.late_fee_fen) AS refunds_fen
      FROM payment_line l
      JOIN refund_line g ON g.line_id = l.id
      JOIN refund r ON r.id = g.refund_id AND r.state NOT IN ('CLOSED', 'FAILED', 'REJECTED')
     GROUP BY l.id
    HAVING sum(g.principal_fen) > l.principal_fen OR sum(g.late_fee_fen) > l.late_fee_fen
     UNION ALL
    SELECT r.id, r.amount_fen, coalesce(sum(g.principal_fen + g.late_fee_fen), 0)
      FROM refund r
      LEFT JOIN refund_line g ON g.refund_id = r.id
     GROUP BY r.id
    HAVING coalesce(sum(g.principal_fen + g.late_fee_fen), 0)
        <> CASE WHEN r.attempt_id IS NULL THEN 0 ELSE r.amount_fen END
"""

# A refund is posted when it has succeeded, not before, and whole.
POSTED = """
    WITH named AS (
        SELECT CASE WHEN r.unapplied THEN 'payment.refund_unapplied' ELSE 'payment.suspense_refunded' END AS kind,
               r.id AS reference, r.amount_fen
          FROM refund r
         WHERE r.state = 'SUCCEEDED' AND (r.unapplied OR r.difference_id IS NOT NULL)
         UNION ALL
        SELECT 'bill.refunded', u.id, u.amount_fen FROM prepaid_use u WHERE u.returned_at IS NOT NULL
         UNION ALL
        SELECT g.kind || '.refunded', g.id, g.principal_fen + g.late_fee_fen
          FROM refund_line g
          JOIN refund r ON r.id = g.refund_id AND r.state = 'SUCCEEDED' AND NOT r.unapplied),
    booked AS (
        SELECT kind, reference, amount_fen
          FROM posting
         WHERE kind IN ('payment.refund_unapplied', 'payment.suspense_refunded', 'bill.refunded', 'prepaid.refunded',
                        'parking.refunded', 'parking_card.refunded', 'ticket.refunded'))
    SELECT kind, reference, named.amount_fen AS named_fen, booked.amount_fen AS booked_fen
      FROM named FULL JOIN booked USING (kind, reference)
     WHERE named.amount_fen IS DISTINCT FROM booked.amount_fen
"""

TWO_PEOPLE = """
    SELECT r.id AS refund, r.state, r.requested_by, r.approved_by
      FROM refund r
      LEFT JOIN approval a ON a.id = r.approval_id
     WHERE NOT r.automatic
       AND (r.requested_by IS NULL OR r.requested_by = r.approved_by
            OR (r.state NOT IN ('REQUESTED', 'REJECTED')
                AND (a.state, a.decided_by) IS DISTINCT FROM ('APPROVED', r.approved_by)))
"""

# What is under way is asked about; the last tick stands for the present.
ASKED = """
    SELECT r.id AS refund, r.state, r.ask_at, r.asked_at
      FROM refund r
     WHERE r.channel <> 'counter' AND r.state IN ('SUBMITTING', 'PROCESSING', 'ABNORMAL')
       AND (r.ask_at IS NULL OR r.ask_at + interval '10 minutes' < (
            SELECT max(started_at) FROM periodic_run WHERE name = 'payments.refunds_tick' AND state = 'DONE'))
"""

# An approved refund has a job that lets it go.
LET_GO = """
    SELECT r.id AS refund, r.requested_at
      FROM refund r
     WHERE r.state = 'APPROVED'
       AND NOT EXISTS (SELECT FROM outbox o
                        WHERE o.event = 'payments.refund_due' AND o.dedup_key = r.id::text)
"""

HEARD = """
    SELECT r.id AS refund, r.inbox_id
      FROM refund r
      LEFT JOIN inbox i ON i.id = r.inbox_id
     WHERE r.inbox_id IS NOT NULL AND i.outcome IS DISTINCT FROM 'applied'
     UNION ALL
    SELECT NULL, i.id
      FROM inbox i
     WHERE i.outcome = 'applied' AND i.reason LIKE 'refund:%'
       AND NOT EXISTS (SELECT FROM refund r WHERE r.id::text = substr(i.reason, 8))
"""

CHECKS = (
    Check("I-09", "在途与已退的款等于计数，且不超过收到的款", COUNTERS),
    Check("I-09", "每条明细所退不超过所缴，退款金额等于明细之和", REFUND_LINES),
    Check("I-04", "成功的退款恰有一笔分录，未成功的没有", POSTED),
    Check("I-09", "退款由两个人决定，自动退款除外", TWO_PEOPLE),
    Check("I-17", "在途的退款按时向渠道查询", ASKED),
    Check("I-16", "已批准的退款都有待办的任务", LET_GO),
    Check("I-15", "退款通知的处理结果与退款一致", HEARD),
)
