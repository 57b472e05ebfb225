"""The set-based part of reconciliation: a staging table for the file's lines, one full outer join, what it leaves (D7).

The staging tables live and die with the transaction of the run. `problem` holds what did not fit, `named` what it is
called; both are few. To match takes the merchants and the day's instants; to name takes the merchants, the channel, the
run, the head of new ids, the book of what belongs nowhere, and the day.
"""

STAGE = """
    CREATE TEMP TABLE statement_line (
        kind text, transaction_no text, out_trade_no text, refund_no text, out_refund_no text, amount_fen bigint,
        fee_mfen bigint, rate bigint, status text, at timestamp, odd text) ON COMMIT DROP;
    CREATE TEMP TABLE problem (transaction_no text, subject text, kind text) ON COMMIT DROP;
    CREATE TEMP TABLE named (
        id uuid, class text, state text, transaction_no text, subject text, out_trade_no text, community_id uuid,
        order_id uuid, attempt_id uuid, expected_fen bigint, actual_fen bigint, statement_fen bigint, detail jsonb
    ) ON COMMIT DROP
"""

# Hash tables of a million lines stay in memory.
ROOM = "SELECT set_config('work_mem', '128MB', true)"

# A money fact of ours has one transaction: a settled attempt, or what stands in suspense for a difference.
_PAID = """
        SELECT transaction_no, out_trade_no, amount_fen, community_id, merchant_id
          FROM payment_attempt
         WHERE state = 'PAID' AND merchant_id = ANY($1::uuid[]) AND paid_at >= $2 AND paid_at < $3
         UNION ALL
        SELECT transaction_no, out_trade_no, booked_fen, community_id, merchant_id
          FROM difference
         WHERE booked_fen > 0 AND merchant_id = ANY($1::uuid[])
           AND coalesce((detail ->> 'success_at')::timestamptz, opened_at) >= $2
           AND coalesce((detail ->> 'success_at')::timestamptz, opened_at) < $3"""

# Whether a day without a file has nothing to be compared: nothing of ours, and nothing that this run ($4) has found or
# posted before.
QUIET = """
    SELECT NOT EXISTS ({ours}) AND NOT EXISTS (SELECT FROM reconciliation_finding WHERE run_id = $4)
       AND NOT EXISTS (SELECT FROM channel_fee WHERE run_id = $4 AND fee_fen <> 0)
"""
QUIET_PAYMENTS = QUIET.format(ours=_PAID)

# The fee is what its rate says, rounded to the fen; half a fen is left for the rounding.
MATCH_PAYMENTS = f"""
    WITH theirs AS (
        SELECT transaction_no, out_trade_no, amount_fen, fee_mfen, rate, odd
          FROM statement_line WHERE kind <> 'refund'),
    ours AS ({_PAID}),
    joined AS MATERIALIZED (
        SELECT transaction_no, t.fee_mfen, o.community_id, o.merchant_id,
               CASE WHEN t.odd <> '' THEN 'odd'
                    WHEN o.amount_fen IS NULL THEN 'line'
                    WHEN t.amount_fen IS NULL THEN 'ours'
                    WHEN t.amount_fen <> o.amount_fen THEN 'amount'
                    WHEN t.out_trade_no <> o.out_trade_no THEN 'number'
                    WHEN abs(t.fee_mfen * 10000 - t.amount_fen * t.rate) > 5000000 THEN 'fee' END AS problem
          FROM theirs t FULL JOIN ours o USING (transaction_no)),
    kept AS (
        INSERT INTO problem SELECT DISTINCT transaction_no, '', problem FROM joined WHERE problem IS NOT NULL)
    SELECT community_id, merchant_id, count(*) FILTER (WHERE problem IS NULL) AS matched,
           coalesce(sum(fee_mfen), 0)::bigint AS fee_mfen
      FROM joined GROUP BY community_id, merchant_id
"""  # noqa: S608 - constants only

DUPLICATE_PAYMENTS = """
    INSERT INTO problem
    SELECT transaction_no, '', 'duplicate' FROM statement_line WHERE kind <> 'refund'
     GROUP BY transaction_no HAVING count(*) > 1
"""

# What a line that we do not have that day belongs to: another day of ours, an order that we think unpaid, or nothing.
NAME_PAYMENTS = """
    INSERT INTO named
    SELECT overlay(overlay(gen_random_uuid()::text PLACING $4 FROM 1 FOR 13) PLACING '7' FROM 15 FOR 1)::uuid,
           CASE p.kind WHEN 'line' THEN CASE WHEN o.our_fen IS NULL THEN 'missing_here'
                                             WHEN o.our_fen <> l.told_fen THEN 'amount' ELSE 'cross_day' END
                       WHEN 'ours' THEN CASE WHEN later.yes AND NOT seen.yes THEN 'missing_there' ELSE 'cross_day' END
                       WHEN 'odd' THEN CASE WHEN l.odd LIKE 'currency:%' THEN 'currency' ELSE 'status' END
                       WHEN 'number' THEN 'transaction'
                       ELSE p.kind END,
           CASE WHEN p.kind = 'line' AND o.our_fen = l.told_fen OR p.kind = 'ours' AND seen.yes
                THEN 'AUTO_RESOLVED' ELSE 'OPEN' END,
           p.transaction_no, '', coalesce(l.out_trade_no, o.out_trade_no),
           coalesce(o.community_id, a.community_id, $5), coalesce(o.order_id, a.order_id),
           coalesce(o.attempt_id, a.id),
           CASE WHEN p.kind = 'fee' THEN round(l.told_fen * l.rate / 10000000.0)
                WHEN p.kind = 'duplicate' THEN l.told_fen
                ELSE coalesce(o.our_fen, a.amount_fen) END,
           CASE p.kind WHEN 'fee' THEN round(l.fee_mfen / 1000.0) WHEN 'duplicate' THEN l.all_fen
                       WHEN 'ours' THEN 0 ELSE l.told_fen END,
           CASE WHEN p.kind = 'ours' THEN 0 ELSE coalesce(l.statement_fen, 0) END,
           jsonb_strip_nulls(jsonb_build_object(
               'source', 'statement', 'run_id', $3::uuid, 'day', $6::date, 'at', l.at, 'lines', l.lines,
               'said', nullif(l.odd, ''), 'our_number', CASE WHEN p.kind = 'number' THEN o.out_trade_no END,
               'problem', CASE WHEN p.kind = 'ours' THEN 'missing_there' END))
      FROM problem p
      LEFT JOIN (
           SELECT transaction_no, min(out_trade_no) AS out_trade_no, max(amount_fen) AS told_fen, max(odd) AS odd,
                  sum(amount_fen) AS all_fen, sum(amount_fen) FILTER (WHERE s.kind = 'payment') AS statement_fen,
                  max(fee_mfen) AS fee_mfen, max(rate) AS rate, min(at) AS at, count(*) AS lines
             FROM statement_line s
            WHERE s.kind <> 'refund' AND transaction_no IN (SELECT transaction_no FROM problem)
            GROUP BY transaction_no) AS l USING (transaction_no)
      LEFT JOIN LATERAL (
           SELECT amount_fen AS our_fen, community_id, order_id, id AS attempt_id, out_trade_no
             FROM payment_attempt
            WHERE channel = $2 AND transaction_no = p.transaction_no AND state = 'PAID'
            UNION ALL
           SELECT booked_fen, community_id, order_id, attempt_id, out_trade_no
             FROM difference
            WHERE channel = $2 AND transaction_no = p.transaction_no AND booked_fen > 0
            LIMIT 1) AS o ON true
      LEFT JOIN payment_attempt a ON o.our_fen IS NULL AND a.out_trade_no = l.out_trade_no
     CROSS JOIN LATERAL (
           SELECT EXISTS (SELECT FROM reconciliation_run r
                           WHERE r.merchant_id = ANY($1::uuid[]) AND r.kind = 'trades' AND r.day = $6::date + 1
                             AND r.state = 'DONE') AS yes) AS later
     CROSS JOIN LATERAL (
           SELECT EXISTS (SELECT FROM reconciliation_finding f JOIN reconciliation_run r ON r.id = f.run_id
                           WHERE f.transaction_no = p.transaction_no AND f.subject = '' AND f.statement_fen > 0
                             AND r.id <> $3 AND r.merchant_id = ANY($1::uuid[]) AND r.kind = 'trades') AS yes) AS seen
"""

# A refund counts for the day on which the channel took it: WeChat Pay lists it then, Alipay when it was done. One that
# the channel closed on a later day was listed all the same, one closed on its own day was not.
_TAKEN = "CASE r.channel WHEN 'alipay' THEN r.finished_at ELSE r.submitted_at END"
_ACCEPTED = """
    (r.state IN ('SUCCEEDED', 'PROCESSING', 'ABNORMAL') OR r.state = 'CLOSED' AND r.channel_refund_no IS NOT NULL
     AND (r.finished_at AT TIME ZONE 'Asia/Shanghai')::date > (r.submitted_at AT TIME ZONE 'Asia/Shanghai')::date)
"""

_REFUNDED = f"""
        SELECT r.transaction_no, r.out_refund_no, r.amount_fen, r.community_id, r.merchant_id, r.state
          FROM refund r
         WHERE r.merchant_id = ANY($1::uuid[]) AND {_ACCEPTED} AND {_TAKEN} >= $2 AND {_TAKEN} < $3"""  # noqa: S608 - constants only
QUIET_REFUNDS = QUIET.format(ours=_REFUNDED)

# A payment has at most fifty refunds; the last one makes up for what the others' fees were rounded by: 25 fen.
MATCH_REFUNDS = f"""
    WITH theirs AS (
        SELECT transaction_no, out_refund_no, amount_fen, fee_mfen, rate, odd, status
          FROM statement_line WHERE kind = 'refund'),
    ours AS ({_REFUNDED}),
    joined AS MATERIALIZED (
        SELECT transaction_no, out_refund_no, t.fee_mfen, o.community_id, o.merchant_id,
               CASE WHEN t.odd <> '' THEN 'odd'
                    WHEN o.amount_fen IS NULL THEN 'line'
                    WHEN t.amount_fen IS NULL THEN 'ours'
                    WHEN t.amount_fen <> o.amount_fen THEN 'amount'
                    WHEN o.state <> 'SUCCEEDED' AND t.status IN ('', 'SUCCESS') THEN 'state'
                    WHEN abs(t.fee_mfen * 10000 + t.amount_fen * t.rate) > 250000000 THEN 'fee' END AS problem
          FROM theirs t FULL JOIN ours o USING (transaction_no, out_refund_no)),
    kept AS (
        INSERT INTO problem
        SELECT DISTINCT transaction_no, out_refund_no, problem FROM joined WHERE problem IS NOT NULL)
    SELECT community_id, merchant_id, count(*) FILTER (WHERE problem IS NULL) AS matched,
           coalesce(sum(fee_mfen), 0)::bigint AS fee_mfen
      FROM joined GROUP BY community_id, merchant_id
"""  # noqa: S608 - constants only

DUPLICATE_REFUNDS = """
    INSERT INTO problem
    SELECT transaction_no, out_refund_no, 'duplicate' FROM statement_line WHERE kind = 'refund'
     GROUP BY transaction_no, out_refund_no HAVING count(*) > 1
"""

NAME_REFUNDS = f"""
    INSERT INTO named
    SELECT overlay(overlay(gen_random_uuid()::text PLACING $4 FROM 1 FOR 13) PLACING '7' FROM 15 FOR 1)::uuid,
           CASE p.kind WHEN 'line' THEN CASE WHEN o.accepted AND o.our_fen = l.told_fen THEN 'cross_day'
                                             WHEN o.our_fen = l.told_fen THEN 'status' ELSE 'refund' END
                       WHEN 'ours' THEN CASE WHEN later.yes AND NOT seen.yes THEN 'refund' ELSE 'cross_day' END
                       WHEN 'amount' THEN 'refund'
                       WHEN 'odd' THEN 'status'
                       WHEN 'state' THEN 'status'
                       ELSE p.kind END,
           CASE WHEN p.kind = 'line' AND o.accepted AND o.our_fen = l.told_fen OR p.kind = 'ours' AND seen.yes
                THEN 'AUTO_RESOLVED' ELSE 'OPEN' END,
           p.transaction_no, p.subject, coalesce(l.out_trade_no, o.out_trade_no),
           coalesce(o.community_id, a.community_id, $5), a.order_id, a.id,
           CASE WHEN p.kind = 'fee' THEN -round(l.told_fen * l.rate / 10000000.0)
                WHEN p.kind = 'duplicate' THEN l.told_fen ELSE o.our_fen END,
           CASE p.kind WHEN 'fee' THEN round(l.fee_mfen / 1000.0) WHEN 'duplicate' THEN l.statement_fen
                       WHEN 'ours' THEN 0 ELSE l.told_fen END,
           CASE WHEN p.kind = 'ours' THEN 0 ELSE coalesce(l.statement_fen, 0) END,
           jsonb_strip_nulls(jsonb_build_object(
               'source', 'statement', 'run_id', $3::uuid, 'day', $6::date, 'at', l.at, 'lines', l.lines,
               'said', coalesce(nullif(l.odd, ''), nullif(l.status, '')), 'our_state', o.state,
               'problem', CASE p.kind WHEN 'line' THEN 'missing_here' WHEN 'ours' THEN 'missing_there'
                                      ELSE p.kind END))
      FROM problem p
      LEFT JOIN (
           SELECT transaction_no, out_refund_no, min(out_trade_no) AS out_trade_no, max(amount_fen) AS told_fen,
                  max(odd) AS odd, max(status) AS status, sum(amount_fen) AS statement_fen,
                  max(fee_mfen) AS fee_mfen, max(rate) AS rate, min(at) AS at, count(*) AS lines
             FROM statement_line
            WHERE kind = 'refund' AND out_refund_no IN (SELECT subject FROM problem)
            GROUP BY transaction_no, out_refund_no) AS l
        ON (l.transaction_no, l.out_refund_no) = (p.transaction_no, p.subject)
      LEFT JOIN LATERAL (
           SELECT r.amount_fen AS our_fen, r.community_id, r.out_trade_no, r.state, {_ACCEPTED} AS accepted
             FROM refund r
            WHERE r.out_refund_no = p.subject AND r.transaction_no = p.transaction_no AND r.channel = $2) AS o ON true
      LEFT JOIN payment_attempt a ON a.channel = $2 AND a.transaction_no = p.transaction_no
     CROSS JOIN LATERAL (
           SELECT EXISTS (SELECT FROM reconciliation_run r
                           WHERE r.merchant_id = ANY($1::uuid[]) AND r.kind = 'refunds' AND r.day = $6::date + 1
                             AND r.state = 'DONE') AS yes) AS later
     CROSS JOIN LATERAL (
           SELECT EXISTS (SELECT FROM reconciliation_finding f JOIN reconciliation_run r ON r.id = f.run_id
                           WHERE f.transaction_no = p.transaction_no AND f.subject = p.subject AND f.statement_fen > 0
                             AND r.id <> $3 AND r.merchant_id = ANY($1::uuid[]) AND r.kind = 'refunds') AS yes) AS seen
"""  # noqa: S608 - constants only

# What was held for a day, or missed by another run, has turned up in this file.
TURNED_UP = """
    UPDATE difference d SET state = 'AUTO_RESOLVED', resolved_at = $2
      FROM named n
     WHERE d.channel = $1 AND d.transaction_no = n.transaction_no AND d.subject = n.subject
       AND n.class = 'cross_day' AND n.state = 'AUTO_RESOLVED'
       AND (d.class IN ('cross_day', 'missing_there')
            OR d.class = 'refund' AND d.detail ->> 'problem' = 'missing_there')
       AND d.state IN ('OPEN', 'ESCALATED')
"""

# Known ones stay as people left them.
OPEN = """
    INSERT INTO difference (id, community_id, class, state, channel, merchant_id, order_id, attempt_id, out_trade_no,
                            transaction_no, subject, expected_fen, actual_fen, detail, opened_at, resolved_at)
    SELECT id, community_id, class, state, $1, $2, order_id, attempt_id, coalesce(out_trade_no, ''), transaction_no,
           subject, expected_fen, actual_fen, detail, $3::timestamptz,
           CASE WHEN state = 'AUTO_RESOLVED' THEN $3::timestamptz END
      FROM named
     ORDER BY id
        ON CONFLICT (channel, transaction_no, class, subject) DO NOTHING
"""

# What this run found before and does not find any more has cleared up.
CLEARED = """
    WITH gone AS (DELETE FROM reconciliation_finding WHERE run_id = $1 RETURNING difference_id)
    UPDATE difference d SET state = 'AUTO_RESOLVED', resolved_at = $3
      FROM gone
     WHERE d.id = gone.difference_id AND d.state IN ('OPEN', 'ESCALATED')
       AND NOT EXISTS (SELECT FROM named n
                        WHERE (n.transaction_no, n.class, n.subject) = (d.transaction_no, d.class, d.subject)
                          AND d.channel = $2)
       AND NOT EXISTS (SELECT FROM reconciliation_finding f WHERE f.difference_id = d.id AND f.run_id <> $1)
"""

FIND = """
    INSERT INTO reconciliation_finding (run_id, difference_id, transaction_no, subject, statement_fen)
    SELECT $1, d.id, n.transaction_no, n.subject, max(n.statement_fen)
      FROM named n
      JOIN difference d ON d.channel = $2 AND (d.transaction_no, d.class, d.subject)
                                            = (n.transaction_no, n.class, n.subject)
     GROUP BY d.id, n.transaction_no, n.subject
"""

# Held for a day, and the day is over: from now on it is called what it is.
HELD_TOO_LONG = """
    UPDATE difference d
       SET class = CASE WHEN d.subject = '' THEN 'missing_there' ELSE 'refund' END
      FROM reconciliation_finding f JOIN reconciliation_run r ON r.id = f.run_id
     WHERE f.difference_id = d.id AND r.merchant_id = ANY($1::uuid[]) AND r.kind = $2 AND r.day < $3
       AND d.class = 'cross_day' AND d.state IN ('OPEN', 'ESCALATED') AND f.statement_fen = 0
       AND NOT EXISTS (SELECT FROM difference known
                        WHERE (known.channel, known.transaction_no, known.subject)
                            = (d.channel, d.transaction_no, d.subject)
                          AND known.class IN ('missing_there', 'refund'))
"""
