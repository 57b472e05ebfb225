"""The statements of refunds, named and in one place."""

from backend.kernel.db import Batch

LINE = Batch(
    table="refund_line",
    columns=(
        ("id", "uuid"),
        ("refund_id", "uuid"),
        ("line_id", "uuid"),
        ("kind", "text"),
        ("payable_id", "uuid"),
        ("principal_fen", "bigint"),
        ("late_fee_fen", "bigint"),
    ),
)

# Two requests of one person count each other's amounts.
LOCK_PERSON = "SELECT pg_advisory_xact_lock(hashtextextended('refunds of ' || $1, 0))"

LOCK_TRANSACTION = "SELECT pg_advisory_xact_lock(hashtextextended($1 || ':' || $2, 0))"

LOCK_PAID = """
    SELECT o.id AS order_id, o.state AS order_state, o.community_id, o.description, a.id AS attempt_id, a.merchant_id,
           a.channel, a.out_trade_no, a.transaction_no, a.amount_fen, a.refunding_fen, a.clearing_account, a.paid_at
      FROM payment_order o
      JOIN payment_attempt a ON a.order_id = o.id
     WHERE o.id = $1
     ORDER BY (a.state = 'PAID') DESC, a.id DESC
     LIMIT 1
       FOR UPDATE OF o, a
"""

LOCK_ATTEMPT = """
    SELECT a.id FROM payment_attempt a JOIN payment_order o ON o.id = a.order_id WHERE a.id = $1 FOR UPDATE OF o, a
"""

# Read after the order is locked, in a statement of its own: it must see what the last holder of the lock committed.
LINES_LEFT = """
    SELECT l.id, l.kind, l.payable_id, l.title,
           l.principal_fen - coalesce(sum(g.principal_fen), 0)::bigint AS principal_fen,
           l.late_fee_fen - coalesce(sum(g.late_fee_fen), 0)::bigint AS late_fee_fen
      FROM payment_line l
      LEFT JOIN (SELECT rl.line_id, rl.principal_fen, rl.late_fee_fen
                   FROM refund_line rl
                   JOIN refund r ON r.id = rl.refund_id
                  WHERE r.state NOT IN ('CLOSED', 'FAILED', 'REJECTED')) AS g ON g.line_id = l.id
     WHERE l.order_id = $1
     GROUP BY l.id
     ORDER BY l.id
"""

# I-09. No row: more than was paid, or one refund too many.
RAISE_ATTEMPT = """
    UPDATE payment_attempt
       SET refunding_fen = refunding_fen + $2
     WHERE id = $1 AND state = 'PAID' AND refunding_fen + $2 <= amount_fen
       AND (SELECT count(*) FROM refund WHERE attempt_id = $1 AND state <> 'REJECTED') < $3
 RETURNING refunding_fen
"""

RAISE_DIFFERENCE = "UPDATE difference SET refunding_fen = refunding_fen + $2 WHERE id = $1"
LOWER_ATTEMPT = "UPDATE payment_attempt SET refunding_fen = refunding_fen - $2 WHERE id = $1"
LOWER_DIFFERENCE = "UPDATE difference SET refunding_fen = refunding_fen - $2 WHERE id = $1"

OF_DIFFERENCE = "SELECT channel, transaction_no, attempt_id FROM difference WHERE id = $1"
LOCK_DIFFERENCE = "SELECT * FROM difference WHERE id = $1 FOR UPDATE"

ASKED_TODAY = """
    SELECT coalesce(sum(amount_fen), 0)::bigint
      FROM refund
     WHERE requested_by = $1 AND requested_at >= $2 AND state NOT IN ('CLOSED', 'FAILED', 'REJECTED')
"""

INSERT = """
    INSERT INTO refund (id, community_id, merchant_id, channel, attempt_id, difference_id, out_trade_no, transaction_no,
                        out_refund_no, amount_fen, total_fen, clearing_account, automatic, reason, state, requested_by,
                        requested_at, channel_refund_no, submitted_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
"""

SET_APPROVAL = "UPDATE refund SET approval_id = $2 WHERE id = $1"

OF = "SELECT attempt_id, difference_id FROM refund WHERE id = $1"
ONE = "SELECT * FROM refund WHERE id = $1"
LOCK = "SELECT * FROM refund WHERE id = $1 FOR UPDATE"
BY_NUMBER = "SELECT id FROM refund WHERE out_refund_no = $1"

APPROVE = """
    UPDATE refund SET state = 'APPROVED', approved_by = $2, approval_id = $3 WHERE id = $1 AND state = 'REQUESTED'
"""

END = "UPDATE refund SET state = $2, finished_at = $3, ask_at = NULL, error = $4 WHERE id = $1"

# Refunds of one payment keep their distance at the channel (1 minute at WeChat Pay, 3 seconds at Alipay).
LAST_OF_TRANSACTION = """
    SELECT max(submitted_at) FROM refund WHERE channel = $1 AND transaction_no = $2 AND id <> $3
"""

SUBMIT = """
    UPDATE refund
       SET state = 'SUBMITTING', submitted_at = coalesce(submitted_at, $2), asked_at = $2,
           asked_count = asked_count + 1, ask_at = $3
     WHERE id = $1 AND state IN ('APPROVED', 'SUBMITTING')
 RETURNING *
"""

COUNT = "UPDATE refund SET asked_at = $2, asked_count = asked_count + 1 WHERE id = $1"
NOTE = "UPDATE refund SET error = $2 WHERE id = $1 AND finished_at IS NULL"

DUE = """
    SELECT * FROM refund WHERE ask_at <= $1 ORDER BY ask_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""

CLAIM = """
    UPDATE refund r
       SET ask_at = plan.ask_at, asked_at = $3, asked_count = asked_count + 1
      FROM unnest($1::uuid[], $2::timestamptz[]) AS plan (id, ask_at)
     WHERE r.id = plan.id
"""

HEAR = """
    INSERT INTO inbox (source, event_key, body, received_at, outcome)
    VALUES ($1, $2, $3, $4, 'applied')
        ON CONFLICT (source, event_key) DO NOTHING
 RETURNING id
"""

# Of the channel's number only the first is kept; of the inbox only what decided; a card only while it may be needed.
MOVE = """
    UPDATE refund
       SET state = $2, channel_refund_no = coalesce(channel_refund_no, $3), inbox_id = coalesce($4, inbox_id),
           finished_at = $5, ask_at = CASE WHEN $5::timestamptz IS NULL THEN ask_at END, unapplied = $6, error = $7,
           redirect_sealed = CASE WHEN $2 = 'ABNORMAL' THEN redirect_sealed END
     WHERE id = $1
"""

LINES = """
    SELECT id, kind, payable_id, principal_fen, late_fee_fen FROM refund_line WHERE refund_id = $1 ORDER BY payable_id
"""

# All of it went back: the difference needs nobody any more. Who let it go, by approval, has decided it.
GAVE_BACK = """
    UPDATE difference d
       SET refunded_fen = refunded_fen + $2,
           state = CASE WHEN state NOT IN ('OPEN', 'ESCALATED') OR refunded_fen + $2 < booked_fen THEN state
                        WHEN $3::uuid IS NULL THEN 'AUTO_RESOLVED' ELSE 'RESOLVED' END,
           resolved_by = CASE WHEN refunded_fen + $2 = booked_fen THEN coalesce(resolved_by, $3) ELSE resolved_by END,
           resolved_at = CASE WHEN refunded_fen + $2 = booked_fen THEN coalesce(resolved_at, $4) ELSE resolved_at END,
           note = CASE WHEN refunded_fen + $2 = booked_fen THEN coalesce(note, $5) ELSE note END
     WHERE id = $1
 RETURNING state
"""

# Where money of a transaction stands in our books: in a settled attempt, in suspense, or nowhere yet.
ATTEMPT_OF = """
    SELECT a.id, a.order_id, a.community_id, a.state, a.channel, a.merchant_id, a.out_trade_no, a.transaction_no,
           a.amount_fen, a.refunding_fen, a.clearing_account
      FROM payment_attempt a
      JOIN payment_order o ON o.id = a.order_id
     WHERE a.out_trade_no = $1 AND a.merchant_id = $2
       FOR UPDATE OF o, a
"""

SUSPENDED = """
    SELECT * FROM difference
     WHERE channel = $1 AND transaction_no = $2 AND booked_fen > 0 AND merchant_id = $3
       FOR UPDATE
"""

REFUNDS_OF_DIFFERENCE = "SELECT count(*) FROM refund WHERE difference_id = $1"

MERCHANT_LIMIT = """
    SELECT automatic_refund_fen, coalesce(community_id, company_id) AS scope_id
      FROM merchant
     WHERE id = $1 AND company_id = $2 AND retired_at IS NULL AND channel <> 'counter'
"""

SET_MERCHANT_LIMIT = """
    UPDATE merchant SET automatic_refund_fen = $3
     WHERE id = $1 AND automatic_refund_fen = $2 AND retired_at IS NULL
 RETURNING coalesce(community_id, company_id) AS scope_id
"""

LOCK_AUTOMATIC = "SELECT pg_advisory_xact_lock(hashtextextended('automatic refunds of ' || $1, 0))"

AUTOMATIC_TODAY = """
    SELECT m.automatic_refund_fen,
           (SELECT coalesce(sum(amount_fen), 0)::bigint
              FROM refund
             WHERE merchant_id = m.id AND automatic AND requested_at >= $2
               AND state NOT IN ('CLOSED', 'FAILED')) AS given_fen
      FROM merchant m
     WHERE m.id = $1
"""
