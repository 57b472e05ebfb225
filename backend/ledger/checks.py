"""Invariants of the ledger: I-01, I-02, I-03, and that postings name accounts of their own community."""

from backend.kernel.checks import Check

TWO_SIDES = """
    SELECT id::text AS posting, 'sides or amount' AS wrong
      FROM posting WHERE debit_account = credit_account OR amount_fen <= 0
     UNION ALL
    SELECT name, 'constraint missing'
      FROM unnest(ARRAY['posting_two_sides', 'posting_positive']) AS name
     WHERE NOT EXISTS (SELECT FROM pg_constraint c
                        WHERE c.conrelid = 'posting'::regclass AND c.conname = name AND c.convalidated)
"""

OWN_ACCOUNTS = """
    SELECT p.id AS posting, side.account
      FROM posting p
     CROSS JOIN LATERAL (VALUES (p.debit_account), (p.credit_account)) AS side (account)
      LEFT JOIN account a ON a.id = side.account
     WHERE a.community_id IS DISTINCT FROM p.community_id
"""

# The owner and superusers may do anything; the role that the product runs under must not.
APPEND_ONLY = """
    SELECT 'posting_append_only' AS missing
     WHERE NOT EXISTS (SELECT FROM pg_trigger t
                        WHERE t.tgrelid = 'posting'::regclass AND t.tgname = 'posting_append_only'
                          AND t.tgenabled IN ('O', 'A'))
     UNION ALL
    SELECT r.rolname || ' may change postings'
      FROM pg_roles r JOIN pg_class c ON c.oid = 'posting'::regclass
     WHERE r.rolcanlogin AND NOT r.rolsuper AND r.oid <> c.relowner
       AND (has_table_privilege(r.oid, c.oid, 'UPDATE') OR has_table_privilege(r.oid, c.oid, 'DELETE')
            OR has_table_privilege(r.oid, c.oid, 'TRUNCATE'))
     UNION ALL
    SELECT 'posting ' || p.id || ' does not mirror ' || o.id
      FROM posting p JOIN posting o ON o.id = p.corrects_id
     WHERE (p.debit_account, p.credit_account, p.amount_fen, p.community_id)
        IS DISTINCT FROM (o.credit_account, o.debit_account, o.amount_fen, o.community_id)
"""

ONE_FACT = """
    SELECT kind, reference, count(*) AS postings FROM posting GROUP BY kind, reference HAVING count(*) > 1
     UNION ALL
    SELECT 'posting_once is missing', NULL, 0
     WHERE NOT EXISTS (SELECT FROM pg_constraint c
                        WHERE c.conrelid = 'posting'::regclass AND c.conname = 'posting_once' AND c.contype = 'u')
"""

CHECKS = (
    Check("I-01", "每笔分录借贷两方不同、金额为正", TWO_SIDES),
    Check("I-01", "每笔分录的科目存在且属于同一小区", OWN_ACCOUNTS),
    Check("I-02", "分录只增不改，更正以反向分录进行", APPEND_ONLY),
    Check("I-03", "同一业务事实只记一笔分录", ONE_FACT),
)
