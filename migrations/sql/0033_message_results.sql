-- Messaging: what became of a message at the phone, consent as WeChat tells it, quiet hours, templates held against
-- WeChat's own list (D11).

-- delivery: WeChat's later word about a message that it had accepted (success, user block, system failed).
ALTER TABLE message_intent
    ADD COLUMN delivery text CHECK (delivery IN ('DELIVERED', 'BLOCKED', 'FAILED')),
    ADD COLUMN delivery_at timestamptz,
    ADD CONSTRAINT message_intent_delivery CHECK (
        (delivery IS NULL) = (delivery_at IS NULL) AND (delivery IS NULL OR state = 'SENT'));
CREATE INDEX message_intent_msgid ON message_intent (msgid) WHERE msgid IS NOT NULL;
-- A block range index costs nothing with every change of state, and figures look at spans of days.
CREATE INDEX message_intent_age ON message_intent USING brin (created_at);

-- source: who told an answer, the phone or WeChat's push; NULL for what our own sends did to the credits.
-- seconds: the answer, told earlier by the other source, that this row tells again; it counts once.
ALTER TABLE message_consent_event
    ADD COLUMN source text CHECK (source IN ('phone', 'wechat')),
    ADD COLUMN seconds bigint REFERENCES message_consent_event (id),
    ADD CONSTRAINT message_consent_event_seconded_once UNIQUE (seconds);
UPDATE message_consent_event SET source = 'phone' WHERE event IN ('accept', 'reject', 'ban', 'filter');
ALTER TABLE message_consent_event
    DROP CONSTRAINT message_consent_event_event_check,
    ADD CONSTRAINT message_consent_event_event_check CHECK (
        event IN ('accept', 'reject', 'ban', 'filter', 'revoked', 'used', 'returned', 'exhausted')),
    ADD CONSTRAINT message_consent_event_source CHECK (
        (source IS NULL) = (event IN ('used', 'returned', 'exhausted')) AND (source IS NOT NULL OR seconds IS NULL));
ALTER TABLE message_consent ADD COLUMN exhausted_at timestamptz;

-- Quiet hours (免打扰时段) of a company, or of one of its communities; where there is no row, the usual ones hold.
-- begins = ends: none. Clock times of Asia/Shanghai.
CREATE TABLE message_quiet_hours (
    id           uuid PRIMARY KEY,
    company_id   uuid NOT NULL REFERENCES company (id),
    community_id uuid REFERENCES community (id),
    begins       time NOT NULL,
    ends         time NOT NULL,
    updated_at   timestamptz NOT NULL,
    CONSTRAINT message_quiet_hours_once UNIQUE NULLS NOT DISTINCT (company_id, community_id)
);

-- allowed: key of the template → the values that WeChat takes there (enum, const).
-- problems: what was wrong when it was last held against WeChat's list; checked_at NULL: never.
ALTER TABLE message_template
    ADD COLUMN allowed jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN problems jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN checked_at timestamptz;

CREATE OR REPLACE VIEW message_address AS
    SELECT u.id AS wechat_user_id, u.person_id, u.appid, u.openid, u.reachable, false AS is_staff
      FROM wechat_user u JOIN person p ON p.id = u.person_id
     WHERE p.removed_at IS NULL
     UNION ALL
    SELECT u.id, u.staff_id, u.appid, u.openid, u.reachable, true
      FROM wechat_user u JOIN staff m ON m.id = u.staff_id
     WHERE m.state = 'ACTIVE';
