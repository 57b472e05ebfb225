"""The statements of the hot path, few and whole: what `settle` sends (Y-1)."""

# The order and its attempt with the lines that never change, by the unique out_trade_no. The versions are those of the
# rows: any change of a row is another one.
LOOK = """
    SELECT o.id AS order_id, o.state AS order_state, o.community_id,
           a.id AS attempt_id, a.state AS attempt_state, a.merchant_id, a.amount_fen, a.clearing_account,
           a.transaction_no AS attempt_transaction, a.request ->> 'app_id' AS app_id,
           o.xmin::text AS order_version, a.xmin::text AS attempt_version,
           line.ids AS line_ids, line.kinds, line.payable_ids, line.principals, line.late_fees,
           EXISTS (SELECT FROM payment_attempt other
                    WHERE other.channel = a.channel AND other.transaction_no = $2 AND other.id <> a.id) AS number_taken,
           (SELECT class FROM difference d
             WHERE d.channel = a.channel AND d.transaction_no = $2 AND d.refunding_fen > 0) AS going_back
      FROM payment_attempt a
      JOIN payment_order o ON o.id = a.order_id
     CROSS JOIN LATERAL (
           SELECT array_agg(id) AS ids, array_agg(kind) AS kinds, array_agg(payable_id) AS payable_ids,
                  array_agg(principal_fen) AS principals, array_agg(late_fee_fen) AS late_fees
             FROM payment_line
            WHERE order_id = a.order_id) AS line
     WHERE a.out_trade_no = $1
"""
# The order is locked first, then its attempt.
_FOUND = f"{LOOK} FOR UPDATE OF o, a"

# A query asks about numbers of our own; a callback may name any.
LOCK = f"""
    SELECT NULL::bigint AS inbox_id, found.*
      FROM (SELECT) AS asked
      LEFT JOIN LATERAL ({_FOUND}) AS found ON true
"""  # noqa: S608 - a constant

# No row at all: this very message was heard before, and its outcome is committed (inbox_once waits for the other).
# The row is written once, with the usual outcome; whatever else comes of it is written over it in this transaction.
HEAR_AND_LOCK = f"""
    WITH heard AS (
        INSERT INTO inbox (source, event_key, body, received_at, outcome)
        VALUES ($3, $4, $5, $6, 'applied')
            ON CONFLICT (source, event_key) DO NOTHING
     RETURNING id)
    SELECT heard.id AS inbox_id, found.*
      FROM heard
      LEFT JOIN LATERAL ({_FOUND}) AS found ON true
"""  # noqa: S608 - a constant

MOVE_TO_PAID = """
    WITH attempt AS (
        UPDATE payment_attempt
           SET state = 'PAID', transaction_no = $3, paid_at = $4, settled_by = $5, inbox_id = $6, ask_at = NULL,
               error = NULL
         WHERE id = $2 AND state <> 'PAID'
     RETURNING id),
    moved AS (
        UPDATE payment_order SET state = 'PAID', paid_at = $4, closed_at = NULL, close_reason = NULL
         WHERE id = $1 AND state <> 'PAID'
     RETURNING id),
    released AS (DELETE FROM payment_hold WHERE order_id = $1)
    SELECT (SELECT count(*) FROM attempt) AS attempts,
           (SELECT count(*) FROM moved) AS orders,
           (SELECT refunding_fen FROM difference
             WHERE channel = $7 AND transaction_no = $3 AND booked_fen > 0) AS disputed_refunding_fen
"""

# All that HEAR_AND_LOCK, the paying of one kind (`applied`, of the part that it takes along) and MOVE_TO_PAID do, or
# nothing: payment_settled fails where a row is not as it was seen, where another has heard the message, what is paid is
# not open, or the money stands in suspense by now. The parts run in the order in which the main query counts them,
# which is the order of the locks: message, order, attempt, what is paid.
SETTLE_AT_ONCE = """
    WITH heard AS (
        INSERT INTO inbox (source, event_key, body, received_at, outcome)
        VALUES ($10, $11, $12, $13, 'applied')
            ON CONFLICT (source, event_key) DO NOTHING
     RETURNING id),
    moved AS (
        UPDATE payment_order SET state = 'PAID', paid_at = $4
         WHERE id = $1 AND xmin = $7::text::xid
     RETURNING id),
    attempt AS (
        UPDATE payment_attempt
           SET state = 'PAID', transaction_no = $3, paid_at = $4, settled_by = $5, inbox_id = (SELECT id FROM heard),
               ask_at = NULL, error = NULL
         WHERE id = $2 AND xmin = $8::text::xid
     RETURNING id),
    released AS (DELETE FROM payment_hold WHERE order_id = $1)
    SELECT payment_settled((SELECT count(*) FROM heard) = 1
                       AND (SELECT count(*) FROM moved) = 1
                       AND (SELECT count(*) FROM attempt) = 1
                       AND (SELECT lines FROM applied) = $9, $6, $3)
"""

OVERTAKEN = """
    SELECT DISTINCT theirs.order_id
      FROM payment_line ours
      JOIN payment_hold theirs USING (kind, payable_id)
     WHERE ours.order_id = $1 AND theirs.order_id <> ours.order_id
"""

CONCLUDE = "UPDATE inbox SET outcome = $2, reason = $3 WHERE id = $1"
