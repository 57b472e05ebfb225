"""Invariants of visitors: entries and passes agree (I-20), rows belong together (I-23), acts of staff are audited
(I-22), personal data is sealed (I-24)."""

from backend.kernel import seals
from backend.kernel.checks import Check
from backend.visitors.models import SEALED

COUNTED = """
    SELECT p.id AS visitor_pass, p.entries_used, count(e.id) AS entries
      FROM visitor_pass p LEFT JOIN visitor_entry e ON e.pass_id = p.id
     GROUP BY p.id
    HAVING p.entries_used <> count(e.id) OR p.entries_used > p.entries_allowed
"""

WITHIN = """
    SELECT e.id AS visitor_entry, e.entered_at FROM visitor_entry e JOIN visitor_pass p ON p.id = e.pass_id
     WHERE e.entered_at < p.valid_from OR e.entered_at >= p.valid_until OR NOT linli_weekly_open(p.weekly, e.entered_at)
        OR e.gate_id <> ALL (p.gate_ids)
"""

# An entry at the very instant of the revocation came before it, whoever held the pass.
REVOKED = """
    SELECT e.id AS visitor_entry, e.entered_at, p.revoked_at
      FROM visitor_entry e JOIN visitor_pass p ON p.id = e.pass_id
     WHERE e.way <> 'offline' AND e.entered_at > p.revoked_at
"""

ADMITTED = """
    SELECT w.id AS visitor_walk_in, w.state, e.id AS visitor_entry
      FROM visitor_walk_in w LEFT JOIN visitor_entry e ON e.walk_in_id = w.id
     WHERE (w.state = 'ADMITTED') <> (e.id IS NOT NULL)
"""

TOGETHER = """
    SELECT t.id FROM (
        SELECT id, house_id, community_id FROM visitor_pass
         UNION ALL SELECT id, house_id, community_id FROM visitor_walk_in
         UNION ALL SELECT id, house_id, community_id FROM visitor_entry
         UNION ALL SELECT id, house_id, community_id FROM resident_pass
         UNION ALL SELECT id, house_id, community_id FROM goods_permit) AS t
      JOIN visitor_house h ON h.id = t.house_id
     WHERE h.community_id <> t.community_id
     UNION ALL
    SELECT e.id FROM visitor_entry e JOIN visitor_pass p ON p.id = e.pass_id WHERE e.house_id <> p.house_id
     UNION ALL
    SELECT e.id FROM visitor_entry e JOIN visitor_walk_in w ON w.id = e.walk_in_id WHERE e.house_id <> w.house_id
     UNION ALL
    SELECT c.id FROM visitor_code c JOIN visitor_pass p ON p.id = c.pass_id WHERE c.community_id <> p.community_id
"""

AUDITED = """
    SELECT t.target FROM (
        SELECT 'visitor_pass:' || id AS target, 'visitor.pass_revoked' AS action FROM visitor_pass
         WHERE state = 'REVOKED' AND ended_reason <> '邀请人已迁出'
         UNION ALL
        SELECT 'visitor_ban:' || id, 'visitor.banned' FROM visitor_ban
         UNION ALL
        SELECT 'visitor_walk_in:' || id, 'visitor.walk_in_' || lower(state) FROM visitor_walk_in
         WHERE state IN ('ADMITTED', 'TURNED_AWAY')
         UNION ALL
        SELECT 'goods_permit:' || id, 'visitor.goods_checked_off' FROM goods_permit WHERE state = 'CHECKED_OFF') AS t
     WHERE NOT EXISTS (SELECT FROM audit_entry a WHERE a.target = t.target AND a.action = t.action)
"""

CHECKS = (
    Check("I-20", "每张通行证的已用次数等于其入场记录，且不超过许可次数", COUNTED),
    Check("I-20", "每次凭通行证入场都在其时段和门岗之内", WITHIN),
    Check("I-20", "撤销之后的通行证没有联网入场记录", REVOKED),
    Check("I-20", "每次放行的临时来访恰有一条入场记录", ADMITTED),
    Check("I-23", "访客的通行证、来访和放行条与其房屋同属一个小区", TOGETHER),
    Check("I-22", "每次撤销、拉黑、门岗决定和核销都有审计记录", AUDITED),
    seals.check("访客的姓名、电话和车牌只存密文", SEALED),
)
