"""Invariants of fees: I-03 and I-04 (prepaid money as well), I-05, I-11, I-12. Drafts, the bills of runs that are not
published, stand outside."""

from backend.kernel.checks import Check

# Bounds are CHECKs of the table; here: paid and due agree with the postings.
POSTED = """
    SELECT b.id AS bill, b.state, b.principal_fen, b.paid_fen, p.issued_fen, p.voided_fen, p.paid_fen AS posted_paid_fen
      FROM bill b
      JOIN billing_run r ON r.id = b.run_id AND r.state = 'PUBLISHED'
      LEFT JOIN (SELECT bill_id,
                        sum(amount_fen) FILTER (WHERE kind = 'bill.issued') AS issued_fen,
                        sum(amount_fen) FILTER (WHERE kind = 'bill.voided') AS voided_fen,
                        sum(amount_fen) FILTER (WHERE kind = 'bill.paid') AS paid_fen,
                        sum(amount_fen) FILTER (WHERE kind = 'bill.refunded') AS refunded_fen
                   FROM posting WHERE bill_id IS NOT NULL GROUP BY bill_id) AS p ON p.bill_id = b.id
     WHERE p.issued_fen IS DISTINCT FROM b.principal_fen
        OR coalesce(p.voided_fen, 0) <> CASE WHEN b.state = 'VOIDED' THEN b.principal_fen ELSE 0 END
        OR coalesce(p.paid_fen, 0) <> b.paid_fen
        OR coalesce(p.refunded_fen, 0) <> b.refunded_fen
        OR (b.state = 'PAID') <> (b.paid_fen - b.refunded_fen = b.principal_fen)
        OR (b.state = 'PARTLY_PAID') <> (b.paid_fen - b.refunded_fen BETWEEN 1 AND b.principal_fen - 1)
"""

DRAFTS_POSTED = """
    SELECT p.id AS posting, p.kind, b.run_id
      FROM posting p
      LEFT JOIN bill b ON b.id = p.bill_id
      LEFT JOIN billing_run r ON r.id = b.run_id
     WHERE p.bill_id IS NOT NULL AND r.state IS DISTINCT FROM 'PUBLISHED'
"""

LINES = """
    SELECT b.id AS bill, b.principal_fen, l.lines, l.amount_fen
      FROM bill b
      LEFT JOIN (SELECT bill_id, count(*) AS lines, sum(amount_fen) AS amount_fen
                   FROM bill_line GROUP BY bill_id) AS l ON l.bill_id = b.id
     WHERE l.amount_fen IS DISTINCT FROM b.principal_fen
"""

IDENTITY = """
    SELECT b.item_id, b.house_id, b.period_start, b.seq, count(*) AS bills
      FROM bill b WHERE b.state <> 'VOIDED'
     GROUP BY b.item_id, b.house_id, b.period_start, b.seq HAVING count(*) > 1
     UNION ALL
    SELECT b.item_id, b.house_id, b.period_start, b.seq, 1
      FROM bill b
     WHERE b.seq > 0 AND NOT EXISTS (SELECT FROM approval a WHERE a.target = 'bill:' || b.id AND a.state = 'APPROVED')
     UNION ALL
    SELECT NULL, NULL, NULL, 0, 0
     WHERE NOT EXISTS (SELECT FROM pg_index i
                        WHERE i.indexrelid = to_regclass('bill_identity') AND i.indisunique AND i.indisvalid)
"""

RECEIVABLE = """
    WITH open_bill AS (
        SELECT b.community_id, b.house_id, sum(b.principal_fen - b.paid_fen + b.refunded_fen) AS open_fen
          FROM bill b JOIN billing_run r ON r.id = b.run_id AND r.state = 'PUBLISHED'
         WHERE b.state <> 'VOIDED'
         GROUP BY b.community_id, b.house_id
    ), moved AS (
        SELECT debit_account AS account_id, amount_fen FROM posting
         UNION ALL
        SELECT credit_account, -amount_fen FROM posting
    ), booked AS (
        SELECT a.community_id, a.subject_id AS house_id, sum(m.amount_fen) AS booked_fen
          FROM moved m JOIN account a ON a.id = m.account_id AND a.code = 'receivable'
         GROUP BY a.community_id, a.subject_id
    )
    SELECT community_id, house_id, booked_fen, open_fen
      FROM open_bill FULL JOIN booked USING (community_id, house_id)
     WHERE coalesce(open_fen, 0) <> coalesce(booked_fen, 0)
"""

# Rounded once: the total is within one unit of the exact sum of its lines.
ROUNDING = """
    WITH run AS MATERIALIZED (
        SELECT id, (plan ->> 'unit_fen')::numeric AS unit_fen FROM billing_run
    )
    SELECT b.id AS bill, b.principal_fen, l.exact_fen
      FROM bill b
      JOIN run r ON r.id = b.run_id
      JOIN (SELECT bill_id, sum(exact_num / exact_den) AS exact_fen FROM bill_line GROUP BY bill_id) AS l
        ON l.bill_id = b.id
     WHERE abs(b.principal_fen - l.exact_fen) >= r.unit_fen
"""

PREPAID = """
    SELECT a.subject_id AS prepaid_account, sum(CASE p.credit_account WHEN a.id THEN amount_fen ELSE -amount_fen END)
           AS balance_fen, p_account.id IS NULL AS unknown
      FROM account a
      JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
      LEFT JOIN prepaid_account p_account ON (p_account.id, p_account.community_id) = (a.subject_id, a.community_id)
     WHERE a.code = 'prepaid'
     GROUP BY a.subject_id, p_account.id
    HAVING p_account.id IS NULL OR sum(CASE p.credit_account WHEN a.id THEN amount_fen ELSE -amount_fen END) < 0
"""

# What leaves an account for a bill is a use, and the other way round.
USES = """
    SELECT u.id AS prepaid_use, u.bill_id, u.amount_fen, paid.bill_id AS posted_bill_id, paid.amount_fen AS posted_fen
      FROM prepaid_use u
      FULL JOIN (SELECT p.reference, p.bill_id, p.amount_fen, a.subject_id
                   FROM posting p JOIN account a ON a.id = p.debit_account AND a.code = 'prepaid'
                  WHERE p.kind <> 'prepaid.refunded') AS paid ON paid.reference = u.id
     WHERE (u.account_id, u.bill_id, u.amount_fen) IS DISTINCT FROM (paid.subject_id, paid.bill_id, paid.amount_fen)
     UNION ALL
    SELECT u.id, u.bill_id, u.amount_fen, back.bill_id, back.amount_fen
      FROM (SELECT * FROM prepaid_use WHERE returned_at IS NOT NULL) AS u
      FULL JOIN (SELECT p.reference, p.bill_id, p.amount_fen, a.subject_id
                   FROM posting p JOIN account a ON a.id = p.credit_account AND a.code = 'prepaid'
                  WHERE p.kind <> 'prepaid.topped_up') AS back ON back.reference = u.id
     WHERE (u.account_id, u.bill_id, u.amount_fen) IS DISTINCT FROM (back.subject_id, back.bill_id, back.amount_fen)
"""

CHECKS = (
    Check("I-04", "账单的应收、已收、已退与分录一致", POSTED),
    Check("I-04", "未发布的账单没有分录", DRAFTS_POSTED),
    Check("I-05", "账单金额等于明细之和", LINES),
    Check("I-05", "同一项目、房屋、周期只有一张有效账单", IDENTITY),
    Check("I-11", "各房屋应收余额等于未缴账单之和", RECEIVABLE),
    Check("I-04", "预存账户的余额不为负", PREPAID),
    Check("I-03", "每次预存抵扣及其撤销恰有一笔分录", USES),
    Check("I-12", "账单总额只取整一次，与精确金额相差不到一个单位", ROUNDING),
)
