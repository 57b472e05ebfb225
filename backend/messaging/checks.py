"""Invariants of messaging (I-16)."""

from backend.kernel.checks import Check

CHECKS: tuple[Check, ...] = (
    Check(
        code="I-16",
        title="每条待发消息在站内信里都有一份",
        sql="""
            SELECT i.id FROM message_intent i
             WHERE NOT EXISTS (SELECT 1 FROM inbox_message m
                                WHERE m.event_key = i.event_key AND m.person_id = i.person_id)
        """,
    ),
    Check(
        code="I-16",
        title="未结束的消息都有一个会处理它的任务",
        sql="""
            SELECT i.id, i.state
              FROM message_intent i
              LEFT JOIN (SELECT DISTINCT named.id::uuid AS id
                           FROM outbox o, jsonb_array_elements_text(o.payload -> 'intent_ids') AS named (id)
                          WHERE o.event = 'messaging.planned' AND o.state <> 'DONE') AS awaited ON awaited.id = i.id
             WHERE i.state IN ('PENDING', 'SENDING') AND awaited.id IS NULL
        """,
    ),
    Check(
        code="D11",
        title="剩余授权次数等于同意减去使用",
        sql="""
            SELECT c.person_id, c.template_id, c.credits
              FROM message_consent c
             WHERE c.credits > (SELECT count(*) FILTER (WHERE e.event IN ('accept', 'returned') AND e.seconds IS NULL)
                                     - count(*) FILTER (WHERE e.event = 'used')
                                  FROM message_consent_event e
                                 WHERE e.person_id = c.person_id AND e.template_id = c.template_id)
        """,
    ),
)
