"""Invariants of identity: what is personal is sealed by a known key (I-24), changes of roles are audited (I-22)."""

from backend.identity.models import SEALED
from backend.kernel import seals
from backend.kernel.checks import Check

CHECKS: tuple[Check, ...] = (
    seals.check("姓名、手机号、微信会话和动态口令只存密文，所用的数据密钥都在", SEALED),
    Check(
        code="I-24",
        title="手机号只通过盲索引查找",
        sql="""
            SELECT id FROM person
             WHERE (phone_sealed IS NULL) <> (phone_blind IS NULL)
                OR (phone_sealed IS NULL) <> (phone_tail_blind IS NULL)
        """,
    ),
    Check(
        code="I-22",
        title="每次授予角色都有审计记录",
        sql="""
            SELECT r.staff_id, r.role FROM staff_role r
             WHERE r.granted_by IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM audit_entry a
                                WHERE a.target = 'staff:' || r.staff_id AND a.action = 'staff.role_granted'
                                  AND a.at = r.granted_at AND a.actor_id = r.granted_by)
        """,
    ),
    Check(
        code="I-23",
        title="停用的员工没有有效的登录",
        sql="""
            SELECT m.id FROM staff m JOIN session s ON s.staff_id = m.id
             WHERE m.state = 'DISABLED' AND s.revoked_at IS NULL
        """,
    ),
)
