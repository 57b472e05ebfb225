"""The SQL of a billing run: one statement per chunk of houses makes bills, lines, omissions and accounts.

Ids of bills are uuid7: the instant, 32 bits of the run, the house's number; so they are unique, in order, and cheap.

Everything but the houses comes from the run's own plan (`plan.build`). Arithmetic is numeric and exact: rows never
travel to Python. All probes per house are subqueries that depend on the house and on the run, so that they stay probes
of an index, whatever the statistics say: bill_identity, occupancy_of_house, the key of billing_exclusion. Those that a
run cannot need are skipped. Accounts are sorted before they are opened, so that all are looked for before the first is
there: where the table is known to be empty they are looked for by a scan, and that must stay a scan of nothing.
"""

# The next chunk: the highest house.no of the next $3 houses after $2. Index house_by_community.
CHUNK_END = """
    SELECT max(no) AS until, count(*) AS houses
      FROM (SELECT no FROM billable_house WHERE community_id = $1 AND no > $2 ORDER BY no LIMIT $3) AS next
"""

SINGLE_CHUNK_END = "SELECT max(no) AS until, count(*) AS houses FROM billable_house WHERE id = $1 AND no > $2"

# $1 run, $2 last house.no of the chunk, $3 now. The caller holds the run's row and the item's row.
GENERATE_CHUNK = """
    WITH run AS MATERIALIZED (
        SELECT r.id, r.community_id, r.item_id, r.period_start, r.period_end, r.after_house, r.only_house_id, r.due_on,
               r.plan ->> 'formula' AS formula,
               ARRAY(SELECT jsonb_array_elements_text(r.plan -> 'house_kinds')) AS house_kinds,
               lpad(to_hex((extract(epoch FROM $3::timestamptz) * 1000)::bigint), 12, '0')
                   || '7' || left(md5(r.id::text), 3) || '8' || right(md5(r.id::text), 5) AS id_head,
               r.plan ->> 'liable' = 'tenant' AS tenant_owes,
               EXISTS (SELECT FROM billing_exclusion x WHERE x.item_id = r.item_id) AS excludes,
               r.plan ->> 'anchor' = 'handover' OR EXISTS (
                   SELECT FROM billing_run o
                    WHERE o.item_id = r.item_id AND o.id <> r.id AND o.bill_count > 0
                      AND o.period_start < r.period_end AND o.period_end > r.period_start) AS billed_before,
               (r.plan ->> 'liable_on')::date AS liable_on,
               (r.plan ->> 'first_on')::date AS first_on,
               r.plan ->> 'anchor' = 'handover' AS by_handover,
               (r.plan ->> 'unit_fen')::numeric AS unit_fen,
               (r.plan ->> 'max_fen')::numeric AS max_fen
          FROM billing_run r WHERE r.id = $1
    ), start AS MATERIALIZED (
        SELECT s.*, jsonb_array_length(s.segments) AS parts
          FROM billing_run r,
               jsonb_to_recordset(r.plan -> 'starts') AS s (
                   start_on date, period_start date, period_end date, priced boolean, factor numeric, add numeric,
                   divisor numeric, weight numeric, denominator numeric, segments jsonb)
         WHERE r.id = $1
    ), segment AS MATERIALIZED (
        SELECT s.start_on, s.weight AS whole, s.denominator, g.*
          FROM start s, jsonb_to_recordset(s.segments) AS g (seq smallint, label text, weight numeric, inputs jsonb)
    ), house AS MATERIALIZED (
        SELECT h.*, (h.id_head || lpad(to_hex(h.no), 10, '0'))::uuid AS bill_id,
               CASE WHEN h.omission IS NOT NULL THEN h.omission
                    WHEN h.total_fen = 0 THEN 'zero_amount'
                    WHEN h.total_fen > h.max_fen THEN 'amount_too_large'
                    WHEN h.billed_before AND EXISTS (
                         SELECT FROM bill e
                          WHERE e.item_id = h.item_id AND e.house_id = h.id AND e.state <> 'VOIDED'
                            AND e.period_start < h.period_end AND e.period_end > h.period_start) THEN 'already_billed'
               END AS reason
          FROM (
            SELECT h.id, h.no, h.fee_coefficient, a.area_cm2, b.base, s.start_on, s.period_start, s.period_end, s.parts,
                   run.item_id, run.id_head, run.max_fen, run.billed_before,
                   run.unit_fen * div(b.base * s.factor + s.add, s.divisor) AS total_fen,
                   CASE WHEN run.tenant_owes THEN (
                        SELECT p.person_id FROM house_party p
                         WHERE p.house_id = h.id AND p.role = 'tenant' AND p.starts_on <= run.liable_on
                           AND (p.ends_on IS NULL OR p.ends_on > run.liable_on)
                         ORDER BY p.starts_on, p.person_no LIMIT 1) END AS tenant_id,
                   (SELECT p.person_id FROM house_party p
                     WHERE p.house_id = h.id AND p.role = 'owner' AND p.starts_on <= run.liable_on
                       AND (p.ends_on IS NULL OR p.ends_on > run.liable_on)
                     ORDER BY p.starts_on, p.person_no LIMIT 1) AS owner_id,
                   CASE WHEN h.kind <> ALL (run.house_kinds) THEN 'kind_not_covered'
                        WHEN run.excludes AND EXISTS (
                             SELECT FROM billing_exclusion x WHERE x.item_id = run.item_id AND x.house_id = h.id)
                        THEN 'excluded'
                        WHEN h.handover_on IS NULL THEN 'no_handover_date'
                        WHEN h.handover_on >= run.period_end THEN 'not_handed_over'
                        WHEN s.start_on IS NULL THEN 'outside_validity'
                        WHEN b.base IS NULL THEN 'no_area'
                        WHEN NOT s.priced THEN 'no_price'
                        WHEN b.base = 0 THEN 'exempt'
                   END AS omission
              FROM run
              JOIN billable_house h ON h.community_id = run.community_id AND h.no > run.after_house AND h.no <= $2
                                   AND (run.only_house_id IS NULL OR h.id = run.only_house_id)
             CROSS JOIN LATERAL (SELECT CASE run.formula WHEN 'gross_area' THEN h.gross_area_cm2
                                                         WHEN 'inner_area' THEN h.inner_area_cm2 END AS area_cm2) AS a
             CROSS JOIN LATERAL (SELECT CASE run.formula WHEN 'fixed' THEN 1 ELSE a.area_cm2 END
                                        * trunc(h.fee_coefficient * 10000) AS base) AS b
             CROSS JOIN LATERAL (SELECT CASE WHEN run.by_handover
                                             THEN (h.handover_on + make_interval(years => (
                                                       extract(year FROM run.period_start)
                                                       - extract(year FROM h.handover_on))::integer))::date
                                             ELSE greatest(h.handover_on, run.first_on) END AS start_on) AS d
              LEFT JOIN start s ON s.start_on = d.start_on
             WHERE NOT run.by_handover OR h.handover_on IS NULL
                OR (d.start_on >= run.period_start AND d.start_on < run.period_end AND d.start_on >= h.handover_on)
            OFFSET 0
          ) AS h
    ), billed AS (
        INSERT INTO bill (id, community_id, item_id, house_id, run_id, period_start, period_end, state, principal_fen,
                          liable_kind, liable_person_id, due_on, created_at)
        SELECT h.bill_id, run.community_id, run.item_id, h.id, run.id, h.period_start, h.period_end, 'ISSUED',
               h.total_fen,
               CASE WHEN h.tenant_id IS NOT NULL THEN 'tenant' WHEN h.owner_id IS NOT NULL THEN 'owner'
                    ELSE 'developer' END,
               coalesce(h.tenant_id, h.owner_id), run.due_on, $3
          FROM house h, run WHERE h.reason IS NULL
    ), lined AS (
        INSERT INTO bill_line (bill_id, seq, label, inputs, area_cm2, coefficient, exact_num, exact_den, amount_fen)
        SELECT h.bill_id, g.seq, g.label, g.inputs, h.area_cm2, h.fee_coefficient, h.base * g.weight, g.denominator,
               h.total_fen
          FROM house h JOIN segment g ON g.start_on = h.start_on
         WHERE h.reason IS NULL AND h.parts = 1
         UNION ALL
        SELECT p.bill_id, p.seq, p.label, p.inputs, p.area_cm2, p.fee_coefficient, p.base * p.weight, p.denominator,
               p.floor_fen + CASE WHEN row_number() OVER (PARTITION BY p.no ORDER BY p.rest DESC, p.seq)
                                       <= p.total_fen - sum(p.floor_fen) OVER (PARTITION BY p.no) THEN 1 ELSE 0 END
          FROM (SELECT h.bill_id, h.no, h.base, h.total_fen, h.area_cm2, h.fee_coefficient, g.seq, g.label, g.inputs,
                       g.weight, g.denominator,
                       div(h.total_fen * g.weight, g.whole) AS floor_fen, (h.total_fen * g.weight) % g.whole AS rest
                  FROM house h JOIN segment g ON g.start_on = h.start_on
                 WHERE h.reason IS NULL AND h.parts > 1) AS p
    ), omitted AS (
        INSERT INTO billing_omission (run_id, house_id, reason)
        SELECT run.id, h.id, h.reason FROM house h, run WHERE h.reason IS NOT NULL
    ), opened AS (
        INSERT INTO account (community_id, code, subject_id)
        SELECT run.community_id, 'receivable', h.id FROM house h, run
         WHERE h.reason IS NULL
           AND (SELECT a.id FROM account a WHERE a.community_id = run.community_id AND a.code = 'receivable'
                                             AND a.subject_id = h.id) IS NULL
         ORDER BY h.no
    ), counted AS (
        SELECT count(*) AS houses, count(*) FILTER (WHERE reason IS NULL) AS bills,
               coalesce(sum(total_fen) FILTER (WHERE reason IS NULL), 0) AS total_fen
          FROM house
    )
    UPDATE billing_run r
       SET after_house = $2, house_count = r.house_count + c.houses, bill_count = r.bill_count + c.bills,
           omitted_count = r.omitted_count + c.houses - c.bills, total_fen = r.total_fen + c.total_fen
      FROM counted c
     WHERE r.id = $1
 RETURNING r.house_count, r.bill_count
"""

# $1 run, $2 the item's income account, $3 now, $4 today (Asia/Shanghai). One posting for each bill of the run.
POST_ISSUED = """
    INSERT INTO posting (community_id, kind, reference, debit_account, credit_account, amount_fen, bill_id,
                         occurred_at, booked_on)
    SELECT b.community_id, 'bill.issued', b.id, a.id, $2, b.principal_fen, b.id, $3, $4
      FROM bill b
      JOIN account a ON a.community_id = b.community_id AND a.code = 'receivable' AND a.subject_id = b.house_id
     WHERE b.run_id = $1
"""

# $1 run, $2 how many. Drafts of a cancelled run were never issued: they go, lines first.
CLEAR_CHUNK = """
    WITH doomed AS MATERIALIZED (
        SELECT id FROM bill WHERE run_id = $1 LIMIT $2
    ), lines AS (
        DELETE FROM bill_line l USING doomed d WHERE l.bill_id = d.id
    ), bills AS (
        DELETE FROM bill b USING doomed d WHERE b.id = d.id
    ), missing AS (
        DELETE FROM billing_omission o
         USING (SELECT run_id, house_id FROM billing_omission WHERE run_id = $1 LIMIT $2) AS d
         WHERE o.run_id = d.run_id AND o.house_id = d.house_id
     RETURNING 1
    )
    SELECT (SELECT count(*) FROM doomed) + (SELECT count(*) FROM missing)
"""
