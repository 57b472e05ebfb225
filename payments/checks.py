"""Invariants of payments: I-06, I-07, I-08, I-13, I-14, I-15, I-17, and that the clearing accounts hold what the
channel has told us (our half of I-10)."""

from backend.kernel import seals
from backend.kernel.checks import Check
from payments.models import SEALED

ORDER_AMOUNT = """
    SELECT o.id AS payment_order, o.amount_fen, coalesce(sum(l.principal_fen + l.late_fee_fen), 0) AS lines_fen
      FROM payment_order o
      LEFT JOIN payment_line l ON l.order_id = o.id
     GROUP BY o.id
    HAVING o.amount_fen <> coalesce(sum(l.principal_fen + l.late_fee_fen), 0)
     UNION ALL
    SELECT a.id, a.amount_fen, o.amount_fen
      FROM payment_attempt a JOIN payment_order o ON o.id = a.order_id
     WHERE a.amount_fen <> o.amount_fen
"""

ONE_ATTEMPT_PAID = """
    SELECT o.id AS payment_order, o.state, count(a.id) FILTER (WHERE a.state = 'PAID') AS paid_attempts,
           count(a.id) AS attempts
      FROM payment_order o
      LEFT JOIN payment_attempt a ON a.order_id = o.id
     GROUP BY o.id
    HAVING count(a.id) FILTER (WHERE a.state = 'PAID') <> (o.state = 'PAID')::int OR count(a.id) = 0
"""

ONE_TRANSACTION = """
    SELECT channel, transaction_no, count(*) AS attempts
      FROM payment_attempt
     WHERE transaction_no IS NOT NULL
     GROUP BY channel, transaction_no
    HAVING count(*) > 1
"""

# A live order holds all it pays; any other order holds nothing, and its attempts wait for nothing.
HOLDS = """
    SELECT l.id AS payment_line, o.state
      FROM payment_line l
      JOIN payment_order o ON o.id = l.order_id
      LEFT JOIN payment_hold h USING (kind, payable_id, order_id)
     WHERE (h IS NOT NULL) <> (o.state IN ('CREATED', 'PAYING'))
     UNION ALL
    SELECT h.order_id, 'holds ' || h.kind || ' ' || h.payable_id
      FROM payment_hold h
     WHERE NOT EXISTS (SELECT FROM payment_line l
                        WHERE (l.kind, l.payable_id, l.order_id) = (h.kind, h.payable_id, h.order_id))
     UNION ALL
    SELECT a.id, o.state || ' ' || a.state
      FROM payment_attempt a JOIN payment_order o ON o.id = a.order_id
     WHERE (a.state IN ('CREATED', 'SENT', 'UNKNOWN')) <> (o.state IN ('CREATED', 'PAYING'))
"""

CALLBACK_IN_INBOX = """
    SELECT a.id AS payment_attempt, a.inbox_id
      FROM payment_attempt a
      LEFT JOIN inbox i ON i.id = a.inbox_id
     WHERE a.settled_by = 'callback' AND i.outcome IS DISTINCT FROM 'applied'
"""

# The outcome is written with the row, so that none is ever seen without.
INBOX_OUTCOME = """
    SELECT id AS inbox, received_at FROM inbox WHERE source ~ '^(wechat|alipay):' AND outcome IS NULL
     UNION ALL
    SELECT i.id, i.received_at
      FROM inbox i
     WHERE i.source ~ '^(wechat|alipay):' AND i.outcome = 'applied' AND i.reason IS NULL
       AND NOT EXISTS (SELECT FROM payment_attempt a WHERE a.inbox_id = i.id AND a.state = 'PAID')
"""

# The last tick of the janitor stands for the present: while none runs, nothing can have been asked.
ASKED = """
    SELECT id AS payment_attempt, state, asked_count, created_at
      FROM payment_attempt
     WHERE state IN ('CREATED', 'UNKNOWN') AND asked_count < 4
       AND created_at + interval '24 hours 10 minutes' < (
           SELECT max(started_at) FROM periodic_run WHERE name = 'payments.janitor_tick' AND state = 'DONE')
"""

# What came in by a merchant: settled attempts and what stands in suspense, less what went back, and nothing else.
CLEARING = """
    WITH booked AS (
        SELECT a.community_id, a.subject_id AS merchant_id,
               sum(CASE WHEN p.debit_account = a.id THEN p.amount_fen ELSE -p.amount_fen END) AS fen
          FROM account a
          JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
         WHERE a.code = 'clearing'
         GROUP BY a.community_id, a.subject_id),
    told AS (
        SELECT community_id, merchant_id, sum(fen) AS fen
          FROM (SELECT community_id, merchant_id, amount_fen AS fen
                  FROM payment_attempt
                 WHERE state = 'PAID' AND channel <> 'counter'
                 UNION ALL
                SELECT community_id, merchant_id, booked_fen FROM difference
                 UNION ALL
                SELECT community_id, merchant_id, -amount_fen
                  FROM refund
                 WHERE state = 'SUCCEEDED' AND channel <> 'counter'
                 UNION ALL
                SELECT community_id, merchant_id, -fee_fen FROM channel_fee
                 UNION ALL
                SELECT community_id, merchant_id, -amount_fen FROM channel_settlement_part
                 UNION ALL
                SELECT community_id, merchant_id, amount_fen FROM difference_write_off) AS each
         GROUP BY community_id, merchant_id)
    SELECT merchant_id, community_id, coalesce(booked.fen, 0) AS booked_fen, coalesce(told.fen, 0) AS told_fen
      FROM booked FULL JOIN told USING (community_id, merchant_id)
     WHERE coalesce(booked.fen, 0) <> coalesce(told.fen, 0)
"""

SUSPENSE = """
    WITH booked AS (
        SELECT a.community_id, a.subject_id AS merchant_id,
               sum(CASE WHEN p.credit_account = a.id THEN p.amount_fen ELSE -p.amount_fen END) AS fen
          FROM account a
          JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
         WHERE a.code = 'suspense'
         GROUP BY a.community_id, a.subject_id),
    named AS (
        SELECT community_id, merchant_id, sum(fen) AS fen
          FROM (SELECT community_id, merchant_id, booked_fen - refunded_fen AS fen FROM difference
                 UNION ALL
                SELECT community_id, merchant_id, -amount_fen FROM refund WHERE unapplied) AS each
         GROUP BY community_id, merchant_id)
    SELECT merchant_id, community_id, coalesce(booked.fen, 0) AS booked_fen, coalesce(named.fen, 0) AS named_fen
      FROM booked FULL JOIN named USING (community_id, merchant_id)
     WHERE coalesce(booked.fen, 0) <> coalesce(named.fen, 0)
"""

# What bills count as paid is what paid orders' lines paid, and what was used of prepaid accounts.
BILLS_PAID = """
    SELECT b.id AS bill, b.paid_fen, b.late_paid_fen, paid.principal_fen, paid.late_fee_fen
      FROM bill b
      FULL JOIN (SELECT each.bill_id, sum(each.principal_fen) AS principal_fen, sum(each.late_fee_fen) AS late_fee_fen
                   FROM (SELECT l.payable_id AS bill_id, l.principal_fen, l.late_fee_fen
                           FROM payment_line l JOIN payment_order o ON o.id = l.order_id
                          WHERE l.kind = 'bill' AND o.state = 'PAID'
                          UNION ALL
                         SELECT bill_id, amount_fen, 0 FROM prepaid_use) AS each
                  GROUP BY each.bill_id) AS paid ON paid.bill_id = b.id
     WHERE coalesce(b.paid_fen, 0) <> coalesce(paid.principal_fen, 0)
        OR coalesce(b.late_paid_fen, 0) <> coalesce(paid.late_fee_fen, 0)
"""

# What came into prepaid accounts is what paid orders' lines brought, what left them by refunds is those refunds' lines.
PREPAID = """
    WITH booked AS (
        SELECT kind, reference, amount_fen FROM posting WHERE kind IN ('prepaid.topped_up', 'prepaid.refunded')),
    named AS (
        SELECT 'prepaid.topped_up' AS kind, l.id AS reference, l.principal_fen + l.late_fee_fen AS amount_fen
          FROM payment_line l JOIN payment_order o ON o.id = l.order_id
         WHERE l.kind = 'prepaid' AND o.state = 'PAID'
         UNION ALL
        SELECT 'prepaid.refunded', l.id, l.principal_fen + l.late_fee_fen
          FROM refund_line l JOIN refund r ON r.id = l.refund_id
         WHERE l.kind = 'prepaid' AND r.state = 'SUCCEEDED' AND NOT r.unapplied)
    SELECT kind, reference, booked.amount_fen AS booked_fen, named.amount_fen AS named_fen
      FROM booked FULL JOIN named USING (kind, reference)
     WHERE booked.amount_fen IS DISTINCT FROM named.amount_fen
"""

# Money taken at the counter stands in the drawer of its voucher's shift, or at the counter by its method.
REFERENCES = """
    SELECT a.id AS payment_attempt, a.merchant_id, a.clearing_account
      FROM payment_attempt a
      LEFT JOIN merchant m ON m.id = a.merchant_id
      LEFT JOIN account c ON c.id = a.clearing_account
      LEFT JOIN counter_voucher v ON v.attempt_id = a.id
     CROSS JOIN LATERAL (
           SELECT CASE a.channel WHEN 'counter' THEN a.method ELSE 'clearing' END AS code,
                  CASE a.method WHEN 'cash' THEN v.shift_id ELSE a.merchant_id END AS subject_id) AS meant
     WHERE m.id IS NULL
        OR (c.code, c.subject_id, c.community_id) IS DISTINCT FROM (meant.code, meant.subject_id, a.community_id)
"""

CHECKS = (
    seals.check("商户密钥只存密文，所用的数据密钥都在", SEALED),
    Check("I-06", "支付单金额等于各明细之和，且不再改变", ORDER_AMOUNT),
    Check("I-07", "已支付的支付单恰有一次成功的支付，且没有无支付尝试的支付单", ONE_ATTEMPT_PAID),
    Check("I-08", "渠道交易号在同一渠道内只用一次", ONE_TRANSACTION),
    Check("I-13", "进行中的支付单占用其账单，结束的支付单不再占用", HOLDS),
    Check("I-14", "由回调确认的支付都有已提交的收件记录", CALLBACK_IN_INBOX),
    Check("I-15", "每条支付通知恰有一个处理结果", INBOX_OUTCOME),
    Check("I-17", "超过一天仍未确认的支付至少向渠道查询过四次", ASKED),
    Check("I-10", "清算账户等于已到账的支付加上待查款项，减去已退的款", CLEARING),
    Check("I-10", "待查账户等于各条差异的挂账之和，减去已退的款", SUSPENSE),
    Check("I-04", "账单的已缴金额等于支付明细之和", BILLS_PAID),
    Check("I-04", "预存账户的存入与退回等于支付和退款明细", PREPAID),
    Check("I-06", "支付尝试的商户与清算账户相符", REFERENCES),
)
