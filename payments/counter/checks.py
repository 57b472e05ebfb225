"""Invariants of the counter: drawers, vouchers and deposits agree with the ledger, receipts have no gap (D5)."""

from backend.kernel.checks import Check

# What a drawer's account holds is what its vouchers took and gave back, less what went to the bank, and what the count
# was over or short.
DRAWER = """
    WITH booked AS (
        SELECT a.subject_id AS shift_id,
               sum(CASE WHEN p.debit_account = a.id THEN p.amount_fen ELSE -p.amount_fen END) AS fen
          FROM account a
          JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
         WHERE a.code = 'cash'
         GROUP BY a.subject_id),
    told AS (
        SELECT shift_id, sum(fen) AS fen
          FROM (SELECT shift_id, CASE WHEN attempt_id IS NULL THEN -amount_fen ELSE amount_fen END AS fen
                  FROM counter_voucher
                 WHERE method = 'cash'
                 UNION ALL
                SELECT shift_id, -amount_fen FROM bank_deposit
                 UNION ALL
                SELECT id, counted_fen - expected_fen FROM cashier_shift WHERE state = 'CLOSED') AS each
         GROUP BY shift_id)
    SELECT shift_id, coalesce(booked.fen, 0) AS booked_fen, coalesce(told.fen, 0) AS told_fen
      FROM booked FULL JOIN told USING (shift_id)
     WHERE coalesce(booked.fen, 0) <> coalesce(told.fen, 0)
"""

COUNTED = """
    SELECT s.id AS cashier_shift, s.counted_fen - s.expected_fen AS over_fen, p.amount_fen AS posted_fen
      FROM cashier_shift s
      FULL JOIN (SELECT reference, CASE a.code WHEN 'cash' THEN amount_fen ELSE -amount_fen END AS amount_fen
                   FROM posting JOIN account a ON a.id = debit_account
                  WHERE kind = 'counter.cash_counted') AS p ON p.reference = s.id
     WHERE coalesce(s.counted_fen - s.expected_fen, 0) <> coalesce(p.amount_fen, 0)
"""

# Card, transfer and cheque stand at the counter until the bank has them.
WAITING = """
    WITH booked AS (
        SELECT a.community_id, a.subject_id AS merchant_id, a.code AS method,
               sum(CASE WHEN p.debit_account = a.id THEN p.amount_fen ELSE -p.amount_fen END) AS fen
          FROM account a
          JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
          JOIN account other ON other.id IN (p.debit_account, p.credit_account) AND other.id <> a.id
         WHERE a.code IN ('card', 'transfer', 'cheque') AND other.code NOT IN ('bank', 'channel_fee')
         GROUP BY a.community_id, a.subject_id, a.code),
    told AS (
        SELECT community_id, merchant_id, method, sum(fen) AS fen
          FROM (SELECT community_id, merchant_id, method, amount_fen AS fen
                  FROM payment_attempt
                 WHERE channel = 'counter' AND method <> 'cash' AND state = 'PAID'
                 UNION ALL
                SELECT r.community_id, r.merchant_id, a.method, -r.amount_fen
                  FROM refund r JOIN payment_attempt a ON a.id = r.attempt_id
                 WHERE r.channel = 'counter' AND a.method <> 'cash' AND r.state = 'SUCCEEDED') AS each
         GROUP BY community_id, merchant_id, method)
    SELECT merchant_id, method, coalesce(booked.fen, 0) AS booked_fen, coalesce(told.fen, 0) AS told_fen
      FROM booked FULL JOIN told USING (community_id, merchant_id, method)
     WHERE coalesce(booked.fen, 0) <> coalesce(told.fen, 0)
"""

VOUCHERS = """
    SELECT a.id AS paid, v.id AS counter_voucher, a.amount_fen, v.amount_fen AS voucher_fen
      FROM (SELECT * FROM payment_attempt WHERE channel = 'counter') AS a
      FULL JOIN (SELECT * FROM counter_voucher WHERE attempt_id IS NOT NULL) AS v ON v.attempt_id = a.id
     WHERE (a.state, a.amount_fen, a.method, a.community_id, a.transaction_no)
           IS DISTINCT FROM ('PAID', v.amount_fen, v.method, v.community_id,
                             replace(v.company_id::text, '-', '') || ':' || v.voucher_no)
     UNION ALL
    SELECT r.id, v.id, r.amount_fen, v.amount_fen
      FROM (SELECT * FROM refund WHERE channel = 'counter' AND state = 'SUCCEEDED') AS r
      FULL JOIN (SELECT * FROM counter_voucher WHERE refund_id IS NOT NULL) AS v ON v.refund_id = r.id
     WHERE (r.amount_fen, r.community_id) IS DISTINCT FROM (v.amount_fen, v.community_id)
"""

DEPOSITS = """
    SELECT d.id AS bank_deposit, p.reference, d.amount_fen, p.amount_fen AS posted_fen
      FROM bank_deposit d
      FULL JOIN (SELECT posting.reference, posting.amount_fen, debit.code AS into, debit.subject_id AS company_id,
                        credit.code AS out_of, credit.subject_id AS shift_id
                   FROM posting
                   JOIN account debit ON debit.id = debit_account
                   JOIN account credit ON credit.id = credit_account
                  WHERE kind = 'counter.deposited') AS p ON p.reference = d.id
     WHERE (p.amount_fen, p.into, p.company_id, p.out_of, p.shift_id)
           IS DISTINCT FROM (d.amount_fen, 'bank', d.company_id, 'cash', d.shift_id)
"""

RECEIPTS = """
    SELECT company_id, s.last_no, r.receipts, r.first_no, r.greatest_no
      FROM receipt_series s
      FULL JOIN (SELECT company_id, count(*) AS receipts, min(no) AS first_no, max(no) AS greatest_no
                   FROM receipt GROUP BY company_id) AS r USING (company_id)
     WHERE coalesce(s.last_no, -1) <> coalesce(r.receipts, 0) OR coalesce(r.greatest_no, 0) <> coalesce(r.receipts, 0)
        OR r.first_no <> 1
"""

# A receipt is of money that was received; one that still counts is of money that was not all given back.
RECEIPTS_PAID = """
    SELECT r.id AS receipt, r.no, r.state, o.state AS order_state
      FROM receipt r JOIN payment_order o ON o.id = r.order_id
     WHERE o.state <> 'PAID' OR (r.snapshot ->> 'amount_fen')::bigint <> o.amount_fen
"""

CHECKS = (
    Check("I-10", "钱箱账面等于现金凭证、缴存与清点差额之和", DRAWER),
    Check("I-03", "每次清点的长短款恰有一笔分录", COUNTED),
    Check("I-10", "刷卡、转账、支票的待结算金额等于柜台收退之和", WAITING),
    Check("I-08", "柜台每笔收退款恰有一张金额相符的凭证", VOUCHERS),
    Check("I-03", "每笔缴存恰有一笔分录", DEPOSITS),
    Check("I-03", "收据号按公司连续，没有缺号", RECEIPTS),
    Check("I-06", "收据对应已收款的支付单，金额相符", RECEIPTS_PAID),
)
