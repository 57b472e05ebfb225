"""Invariants of parking: money and postings agree (I-03, I-12), rows belong together (I-23), acts are audited (I-22),
plates are sealed (I-24)."""

from backend.kernel import seals
from backend.kernel.checks import Check
from backend.parking.models import SEALED

PAID = """
    SELECT s.id AS parking_session, s.paid_fen, coalesce(q.paid_fen, 0) AS quotes_fen
      FROM parking_session s
      LEFT JOIN (SELECT session_id, sum(amount_fen) AS paid_fen FROM parking_quote
                  WHERE paid_line_id IS NOT NULL GROUP BY session_id) AS q ON q.session_id = s.id
     WHERE s.paid_fen <> coalesce(q.paid_fen, 0)
"""

POSTED = """
    SELECT q.id AS parking_quote, q.amount_fen, p.amount_fen AS posted_fen
      FROM (SELECT * FROM parking_quote WHERE paid_line_id IS NOT NULL) AS q
      FULL JOIN (SELECT reference, amount_fen FROM posting WHERE kind = 'parking.paid') AS p
        ON p.reference = q.paid_line_id
     WHERE q.amount_fen IS DISTINCT FROM p.amount_fen
"""

INCOME = """
    WITH booked AS (
        SELECT a.subject_id AS lot_id,
               sum(CASE p.credit_account WHEN a.id THEN p.amount_fen ELSE -p.amount_fen END) AS fen
          FROM account a JOIN posting p ON a.id IN (p.debit_account, p.credit_account)
         WHERE a.code = 'parking_income' GROUP BY a.subject_id),
    kept AS (
        SELECT lot_id, sum(fen) AS fen
          FROM (SELECT lot_id, paid_fen - refunded_fen AS fen FROM parking_session
                 UNION ALL
                SELECT lot_id, amount_fen - refunded_fen FROM parking_card_sale WHERE paid_line_id IS NOT NULL) AS each
         GROUP BY lot_id)
    SELECT lot_id, booked.fen AS booked_fen, kept.fen AS kept_fen
      FROM booked FULL JOIN kept USING (lot_id)
     WHERE coalesce(booked.fen, 0) <> coalesce(kept.fen, 0)
"""

QUOTE_LINES = """
    SELECT q.id AS parking_quote, q.total_fen,
           (SELECT sum((line ->> 'amount_fen')::bigint) FROM jsonb_array_elements(q.lines) AS line) AS lines_fen
      FROM parking_quote q
     WHERE q.total_fen <> (SELECT sum((line ->> 'amount_fen')::bigint) FROM jsonb_array_elements(q.lines) AS line)
"""

TOGETHER = """
    SELECT s.id AS parking_session FROM parking_session s JOIN parking_lot l ON l.id = s.lot_id
     WHERE s.community_id <> l.community_id
     UNION ALL
    SELECT lane.id FROM parking_lane lane
      JOIN parking_lot l ON l.id = lane.lot_id
      JOIN device d ON d.id IN (lane.camera_device_id, lane.barrier_device_id)
     WHERE lane.community_id <> l.community_id OR d.community_id <> l.community_id
     UNION ALL
    SELECT c.id FROM parking_card c JOIN parking_card_vehicle v ON v.card_id = c.id
      JOIN parking_lot l ON l.id = c.lot_id
     WHERE l.no <> v.lot_no OR l.community_id <> c.community_id
"""

WILDCARDS = """
    SELECT w.session_id FROM parking_wildcard w JOIN parking_session s ON s.id = w.session_id
     WHERE s.state NOT IN ('IN', 'QUOTED', 'PAID') OR s.lot_id <> w.lot_id
"""

SPACES = """
    SELECT c.id AS parking_card, c.spaces, count(*) AS inside
      FROM parking_card c
      JOIN parking_session s ON s.card_id = c.id AND s.state IN ('IN', 'QUOTED', 'PAID')
     GROUP BY c.id HAVING count(*) > c.spaces
"""

AUDITED = """
    SELECT e.session_id, e.kind
      FROM parking_event e
     WHERE e.actor_kind = 'staff' AND e.kind IN ('corrected', 'voided')
       AND NOT EXISTS (SELECT FROM audit_entry a
                        WHERE a.target = 'parking_session:' || e.session_id AND a.actor_id = e.actor_id)
"""

COUPONS_TOGETHER = """
    SELECT u.id AS parking_coupon_use
      FROM parking_coupon_use u
      JOIN parking_coupon c ON c.id = u.coupon_id
      JOIN parking_coupon_offer o ON o.id = c.offer_id
      JOIN parking_shop shop ON shop.id = o.shop_id
      JOIN parking_session s ON s.id = u.session_id
     WHERE s.lot_id <> shop.lot_id
        OR NOT (u.community_id = ALL (ARRAY[c.community_id, o.community_id, shop.community_id, s.community_id]))
"""

COUPONS_GIVEN = """
    SELECT o.id AS parking_coupon_offer, count(*) AS used
      FROM parking_coupon_offer o
      JOIN parking_coupon c ON c.offer_id = o.id
      JOIN parking_coupon_use u ON u.coupon_id = c.id AND u.returned_at IS NULL
     GROUP BY o.id, CASE WHEN o.monthly_quota IS NOT NULL THEN date_trunc('month', c.issued_on) END
    HAVING count(*) > coalesce(o.monthly_quota,
                               (SELECT sum(g.count) FROM parking_coupon_grant g WHERE g.offer_id = o.id), 0)
"""

CHECKS = (
    Check("I-04", "停车记录的已收等于已付报价之和", PAID),
    Check("I-03", "每份已付的停车报价恰有一笔分录", POSTED),
    Check("I-04", "停车场的停车收入等于各停车记录和停车卡净收之和", INCOME),
    Check("I-12", "停车报价的金额等于其明细之和", QUOTE_LINES),
    Check("I-23", "停车记录、车道、停车卡与其停车场同属一个小区", TOGETHER),
    Check("I-24", "缺一字的车牌索引只为场内车辆保存", WILDCARDS),
    Check("I-05", "一张停车卡在场内的车不超过其车位数", SPACES),
    Check("I-22", "每次人工更正和作废都有审计记录", AUDITED),
    Check("I-23", "优惠券、商铺与所用的停车记录同属一个停车场", COUPONS_TOGETHER),
    Check("I-05", "商铺用出的优惠券不超过其预购数或月度限额", COUPONS_GIVEN),
    seals.check("车牌只存密文", SEALED),
)
