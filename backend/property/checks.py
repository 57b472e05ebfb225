"""Invariants of property: places agree with each other, ties with their houses (I-23), changes are audited (I-22)."""

from backend.kernel.checks import Check

CHECKS: tuple[Check, ...] = (
    Check(
        code="I-23",
        title="a house stands in the community of its building and of its unit",
        sql="""
            SELECT h.id FROM house h
              JOIN unit u ON u.id = h.unit_id
              JOIN building b ON b.id = u.building_id
             WHERE h.building_id <> b.id OR h.community_id <> b.community_id OR h.community_id <> u.community_id
        """,
    ),
    Check(
        code="I-23",
        title="a tie carries number and community of its house",
        sql="""
            SELECT o.id FROM occupancy o LEFT JOIN house h ON h.id = o.house_id
             WHERE h.id IS NULL OR h.no <> o.house_no OR h.community_id <> o.community_id
        """,
    ),
    Check(
        code="I-23",
        title="a used family code made one tie to its house",
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
        title="a tie made by a person has its entry in the audit",
        sql="""
            SELECT o.id FROM occupancy o
             WHERE o.source IN ('family_code', 'application', 'staff')
               AND NOT EXISTS (SELECT 1 FROM audit_entry a
                                WHERE a.target = 'occupancy:' || o.id AND a.action = 'occupancy.bound')
        """,
    ),
)
