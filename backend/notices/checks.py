"""Invariants of notices: everybody is told once, counts are those of rows (I-16), rows belong together (I-23), acts of
staff are audited (I-22)."""

from collections.abc import Sequence

from backend.kernel.checks import Check

# Messages are kept half a year after their end; older rounds have none left to compare with.
_KEPT = "(SELECT max(created_at) - interval '150 days' FROM notice_message)"

TOLD = f"""
    SELECT s.id AS notice_sending, r.person_id
      FROM notice_sending s
      JOIN notice n ON n.id = s.notice_id AND n.state = 'PUBLISHED'
      JOIN notice_recipient r ON r.notice_id = s.notice_id
      JOIN notice_tie t ON t.person_id = r.person_id
     WHERE s.kind = 'publication' AND s.done_at > {_KEPT}
       AND NOT EXISTS (SELECT FROM notice_message m WHERE m.event_key = s.event_key AND m.person_id = r.person_id)
"""  # noqa: S608 - constants
COUNTED = f"""
    SELECT s.id AS notice_sending, s.planned_count, count(m.person_id) AS messages, count(r.person_id) AS recipients
      FROM notice_sending s
      LEFT JOIN notice_message m ON m.event_key = s.event_key
      LEFT JOIN notice_recipient r ON r.notice_id = s.notice_id AND r.person_id = m.person_id
     WHERE s.begun_at > {_KEPT}
     GROUP BY s.id
    HAVING s.planned_count <> count(m.person_id) OR count(r.person_id) <> count(m.person_id)
"""  # noqa: S608 - constants
FROZEN = """
    SELECT n.id AS notice, n.person_count, count(r.person_id) AS recipients
      FROM notice n LEFT JOIN notice_recipient r ON r.notice_id = n.id
     WHERE n.published_at IS NOT NULL AND n.forgotten_at IS NULL
     GROUP BY n.id
    HAVING n.person_count <> count(r.person_id)
"""
GOES_ON = """
    SELECT s.id AS notice_sending
      FROM notice_sending s
     WHERE s.done_at IS NULL
       AND NOT EXISTS (SELECT FROM outbox o WHERE o.event = 'notices.sending' AND o.state <> 'DONE'
                          AND o.payload ->> 'sending_id' = s.id::text)
"""
FIRES = """
    SELECT n.id AS notice, n.publish_at
      FROM notice n
     WHERE n.state = 'SCHEDULED'
       AND NOT EXISTS (SELECT FROM outbox o WHERE o.event = 'notices.due' AND o.state <> 'DONE'
                          AND o.payload ->> 'notice_id' = n.id::text
                          AND (o.payload ->> 'version')::integer = n.version)
"""
TOGETHER = """
    SELECT r.notice_id, r.person_id
      FROM notice_recipient r JOIN notice n ON n.id = r.notice_id
     WHERE r.community_id <> n.community_id OR n.published_at IS NULL
"""
AUDITED = """
    SELECT n.id AS notice, n.state
      FROM notice n
     WHERE n.state IN ('PUBLISHED', 'WITHDRAWN')
       AND NOT EXISTS (SELECT FROM audit_entry e
                        WHERE e.target = 'notice:' || n.id AND e.action = 'notice.' || lower(n.state))
"""

CHECKS: Sequence[Check] = (
    Check("I-16", "发送完毕的公告，每个接收人都有一条消息", TOLD),
    Check("I-16", "公告每轮发送的条数等于消息的条数，且只发给接收人", COUNTED),
    Check("I-16", "公告的人数等于接收人的条数", FROZEN),
    Check("I-16", "没有发完的公告都有一个会继续的任务", GOES_ON),
    Check("I-16", "定时发布的公告都有一个到时会发布的任务", FIRES),
    Check("I-23", "公告的接收人与公告属于同一个小区", TOGETHER),
    Check("I-22", "公告的发布和撤回都有审计记录", AUDITED),
)
