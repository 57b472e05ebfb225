"""Invariants of property: places agree with each other, ties with their houses (I-23), changes are audited (I-22)."""

from backend.kernel.checks import Check

CHECKS: tuple[Check, ...] = (
    Check(
        code="I-23",
        title="房屋与其楼栋、单元同属一个小区",
        sql="""
            SELECT h.id FROM house h
              JOIN unit u ON u.id = h.unit_id
              JOIN building b ON b.id = u.building_id
             WHERE h.building_id <> b.id OR h.community_id <> b.community_id OR h.community_id <> u.community_id
        """,
    ),
    Check(
        code="I-23",
        title="住户关系与其房屋的编号、小区一致",
        sql="""
            SELECT o.id FROM occupancy o LEFT JOIN house h ON h.id = o.house_id
             WHERE h.id IS NULL OR h.no <> o.house_no OR h.community_id <> o.community_id
        """,
    ),
    Check(
        code="I-23",
        title="每个用过的家庭码恰好建立了一个住户关系",
        sql="""
            SELECT c.house_id, c.used_by FROM family_code c
             WHERE c.used_at IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM occupancy o
                                WHERE o.house_id = c.house_id AND o.person_id = c.used_by AND o.role = c.role
                                  AND o.source = 'family_code' AND o.created_at = c.used_at)
        """,
    ),
    Check(
        code="I-22",
        title="每个由人建立的住户关系都有审计记录",
        sql="""
            SELECT o.id FROM occupancy o
             WHERE o.source IN ('family_code', 'application', 'staff')
               AND NOT EXISTS (SELECT 1 FROM audit_entry a
                                WHERE a.target = 'occupancy:' || o.id AND a.action = 'occupancy.bound')
        """,
    ),
)
