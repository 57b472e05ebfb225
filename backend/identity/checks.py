"""Invariants of identity: what is personal is sealed by a known key (I-24), changes of roles are audited (I-22)."""

from backend.kernel.checks import Check

_SEALED = """
    SELECT id, 'person.name_sealed' AS place, name_sealed AS sealed FROM person WHERE name_sealed IS NOT NULL
    UNION ALL
    SELECT id, 'person.phone_sealed', phone_sealed FROM person WHERE phone_sealed IS NOT NULL
    UNION ALL
    SELECT id, 'wechat_user.session_key_sealed', session_key_sealed
      FROM wechat_user WHERE session_key_sealed IS NOT NULL
    UNION ALL
    SELECT id, 'staff.totp_secret_sealed', totp_secret_sealed FROM staff WHERE totp_secret_sealed IS NOT NULL
"""

CHECKS: tuple[Check, ...] = (
    Check(
        code="I-24",
        title="个人信息、微信会话和第二因素只以已知密钥的密文保存",
        sql=f"""
            SELECT s.place, s.id FROM ({_SEALED}) AS s
             WHERE length(s.sealed) < 31 OR get_byte(s.sealed, 0) <> 1
                OR NOT EXISTS (SELECT 1 FROM data_key k
                                WHERE k.kind = 'data' AND k.id = get_byte(s.sealed, 1) * 256 + get_byte(s.sealed, 2))
        """,  # noqa: S608 - constants
    ),
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
