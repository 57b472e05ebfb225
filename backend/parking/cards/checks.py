"""Invariants of cards that are sold: a sale agrees with its postings (I-03, I-04), a card ends with its vehicles
(I-12), rows belong together (I-23)."""

from backend.kernel.checks import Check

POSTED = """
    SELECT s.id AS parking_card_sale, s.amount_fen, p.amount_fen AS posted_fen
      FROM (SELECT * FROM parking_card_sale WHERE paid_line_id IS NOT NULL) AS s
      FULL JOIN (SELECT reference, amount_fen FROM posting WHERE kind = 'parking_card.paid') AS p
        ON p.reference = s.paid_line_id
     WHERE s.amount_fen IS DISTINCT FROM p.amount_fen
"""

REFUNDED = """
    SELECT s.id AS parking_card_sale, s.refunded_fen, coalesce(p.fen, 0) AS posted_fen
      FROM parking_card_sale s
      LEFT JOIN (SELECT r.line_id, sum(p.amount_fen) AS fen
                   FROM parking_refund_line r JOIN posting p ON p.kind = 'parking_card.refunded' AND p.reference = r.id
                  GROUP BY r.line_id) AS p ON p.line_id = s.paid_line_id
     WHERE s.refunded_fen <> coalesce(p.fen, 0)
"""

# Cards that are to be paid for have no days, and those with days end with their vehicles.
ENDS = """
    SELECT c.id AS parking_card, c.state, c.ends_on, max(upper(v.period)) AS vehicles_until
      FROM parking_card c LEFT JOIN parking_card_vehicle v ON v.card_id = c.id
     GROUP BY c.id
    HAVING (c.state = 'UNPAID' AND count(v.id) > 0)
        OR (c.state = 'ACTIVE' AND c.ends_on IS DISTINCT FROM max(upper(v.period)))
"""

TOGETHER = """
    SELECT s.id AS parking_card_sale FROM parking_card_sale s
      JOIN parking_card c ON c.id = s.card_id
      JOIN parking_card_product p ON p.id = s.product_id
     WHERE (s.community_id, s.lot_id) <> (c.community_id, c.lot_id) OR p.lot_id <> s.lot_id
     UNION ALL
    SELECT p.id FROM parking_card_product p JOIN parking_lot l ON l.id = p.lot_id WHERE p.community_id <> l.community_id
     UNION ALL
    SELECT p.id FROM parking_space p JOIN parking_lot l ON l.id = p.lot_id WHERE p.community_id <> l.community_id
     UNION ALL
    SELECT p.id FROM parking_space p JOIN parking_house h ON h.id = p.house_id WHERE p.community_id <> h.community_id
"""

CHECKS = (
    Check("I-03", "每次停车卡付款恰有一笔分录", POSTED),
    Check("I-04", "停车卡各次付款的已退金额等于其退款分录", REFUNDED),
    Check("I-12", "停车卡的到期日与其车辆的到期日一致", ENDS),
    Check("I-23", "停车卡的产品、付款和车位与其停车场同属一个小区", TOGETHER),
)
