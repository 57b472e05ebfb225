"""The plain variant of settling a callback, nine prepared statements: the limits of Y-1 (pgbench) and Y-1b (asyncpg).

begin, inbox, order lock, attempt, order, bill, posting, outbox, audit, commit: what any honest design must write, with
nothing around it. The triggers that guard the moves are ours, so the limits run without them.
"""

from bench.callbacks_seed import AMOUNT, ATTEMPT, BILL, ORDER

NO_TRIGGERS = "; ".join(
    f"DROP TRIGGER {table}_moves ON {table}" for table in ("bill", "payment_order", "payment_attempt")
)


def _of(expression: str) -> str:
    """An expression over row number `n`, of pgbench's variable."""
    return f"(SELECT {expression} FROM (SELECT :n::integer AS n) AS given)"  # noqa: S608 - constants only


# Each of the clients takes every clients-th order; nothing else is shared.
PGBENCH = f"""
\\set i :i + 1
\\set n :client_id + :clients * :i
BEGIN;
INSERT INTO inbox (source, event_key, body, received_at, outcome)
VALUES ('wechat-plain', 'event-' || :n::integer, convert_to(repeat('x', 1100), 'UTF8'), clock_timestamp(), 'applied');
SELECT id, state, amount_fen FROM payment_order WHERE id = {_of(ORDER)} FOR UPDATE;
UPDATE payment_attempt SET state = 'PAID', transaction_no = '4200' || lpad((:n::integer)::text, 20, '0'),
       paid_at = clock_timestamp(), settled_by = 'callback', ask_at = NULL
 WHERE id = {_of(ATTEMPT)};
UPDATE payment_order SET state = 'PAID', paid_at = clock_timestamp() WHERE id = {_of(ORDER)};
UPDATE bill SET state = 'PAID', paid_fen = principal_fen, paid_at = clock_timestamp() WHERE id = {_of(BILL)};
INSERT INTO posting (community_id, kind, reference, debit_account, credit_account, amount_fen, bill_id, occurred_at,
                     booked_on)
VALUES ({_of(ORDER)}, 'bill.paid', {_of(ORDER)}, 1, 10 + :n::integer, {_of(AMOUNT)}, {_of(BILL)}, clock_timestamp(),
        '2026-11-20');
INSERT INTO outbox (event, community_id, payload, state, run_at, emitted_at)
VALUES ('payments.paid', {_of(ORDER)}, jsonb_build_object('order_id', {_of(ORDER)}, 'attempt_id', {_of(ATTEMPT)}),
        'READY', clock_timestamp(), clock_timestamp());
INSERT INTO audit_entry (at, actor_kind, actor_id, action, target, community_id, before, after)
VALUES (clock_timestamp(), 'channel', {_of(ORDER)}, 'payments.settled', 'payment_order:' || {_of(ORDER)}, {_of(ORDER)},
        '{{"state": "PAYING"}}', '{{"state": "PAID", "amount_fen": 10000, "door": "callback"}}');
COMMIT;
"""  # noqa: S608 - constants only

INBOX = """
    INSERT INTO inbox (source, event_key, body, received_at, outcome) VALUES ($1, $2, $3, $4, 'applied') RETURNING id
"""
LOCK = """
    SELECT o.id, o.community_id, o.amount_fen, a.id AS attempt_id, a.clearing_account, b.id AS bill_id,
           b.principal_fen, r.id AS receivable, l.id AS line_id
      FROM payment_attempt a
      JOIN payment_order o ON o.id = a.order_id
      JOIN payment_line l ON l.order_id = o.id
      JOIN bill b ON b.id = l.payable_id
      JOIN account r ON r.community_id = b.community_id AND r.code = 'receivable' AND r.subject_id = b.house_id
     WHERE a.out_trade_no = $1
       FOR UPDATE OF o
"""
ATTEMPT_PAID = """
    UPDATE payment_attempt SET state = 'PAID', transaction_no = $2, paid_at = $3, settled_by = 'callback',
           inbox_id = $4, ask_at = NULL
     WHERE id = $1
"""
ORDER_PAID = "UPDATE payment_order SET state = 'PAID', paid_at = $2 WHERE id = $1"
BILL_PAID = "UPDATE bill SET state = 'PAID', paid_fen = paid_fen + $2, paid_at = $3 WHERE id = $1"
POSTING = """
    INSERT INTO posting (community_id, kind, reference, debit_account, credit_account, amount_fen, bill_id,
                         occurred_at, booked_on)
    VALUES ($1, 'bill.paid', $2, $3, $4, $5, $6, $7, $8)
"""
OUTBOX = """
    INSERT INTO outbox (event, community_id, payload, state, run_at, emitted_at)
    VALUES ('payments.paid', $1, $2, 'READY', $3, $3)
"""
AUDIT = """
    INSERT INTO audit_entry (at, actor_kind, actor_id, action, target, community_id, before, after)
    VALUES ($1, 'channel', $2, 'payments.settled', $3, $4, $5, $6)
"""
