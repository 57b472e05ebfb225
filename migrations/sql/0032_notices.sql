-- Notices (公告): written by staff for an audience by rule, frozen person by person when they are published (R9, D11).

-- All that notices know of other nouns: who lives where, what houses owe, their vehicles and cards, places,
-- and what became of messages.
CREATE VIEW notice_tie AS
    SELECT o.person_id, o.house_id, h.community_id, h.building_id, h.unit_id, o.role, o.starts_on, o.ends_on
      FROM house h
      JOIN occupancy o ON o.house_id = h.id
      JOIN person p ON p.id = o.person_id AND p.removed_at IS NULL;
CREATE VIEW notice_debt AS
    SELECT b.house_id, b.due_on,
           b.principal_fen - (b.paid_fen - b.refunded_fen)
           + b.late_fee_fen - (b.late_paid_fen - b.late_refunded_fen) AS open_fen
      FROM bill b JOIN billing_run r ON r.id = b.run_id AND r.state = 'PUBLISHED'
     WHERE b.state IN ('ISSUED', 'PARTLY_PAID');
CREATE VIEW notice_vehicle AS SELECT house_id FROM parking_vehicle WHERE house_id IS NOT NULL;
CREATE VIEW notice_card AS
    SELECT house_id, starts_on, ends_on FROM parking_card WHERE state = 'ACTIVE' AND house_id IS NOT NULL;
CREATE VIEW notice_place AS
    SELECT id, community_id, 'building' AS kind FROM building
     UNION ALL SELECT id, community_id, 'unit' FROM unit
     UNION ALL SELECT id, community_id, 'house' FROM house;
CREATE VIEW notice_house AS SELECT id, label FROM house;
CREATE VIEW notice_message AS SELECT event_key, person_id, state, channel, created_at FROM message_intent;

-- version: grows with every schedule and every return to a draft, so that an older schedule does not fire. audience: the
-- rule, see backend/notices/audience.py. media_ids: what is shown, of all that is bound. person_count, house_count: the
-- frozen audience. forgotten_at: it is no longer kept who that was.
CREATE TABLE notice (
    id            uuid PRIMARY KEY,
    community_id  uuid NOT NULL REFERENCES community (id),
    kind          text NOT NULL CHECK (kind IN ('property', 'utility', 'safety', 'activity', 'policy')),
    title         text NOT NULL CHECK (length(title) BETWEEN 2 AND 40),
    body          text NOT NULL CHECK (length(body) BETWEEN 2 AND 5000),
    media_ids     uuid[] NOT NULL CHECK (cardinality(media_ids) <= 9),
    urgent        boolean NOT NULL,
    pinned_until  timestamptz,
    expires_at    timestamptz,
    audience      jsonb NOT NULL,
    state         text NOT NULL CHECK (state IN ('DRAFT', 'SCHEDULED', 'PUBLISHED', 'WITHDRAWN', 'EXPIRED')),
    version       integer NOT NULL CHECK (version > 0),
    publish_at    timestamptz,
    created_by    uuid NOT NULL,
    created_at    timestamptz NOT NULL,
    published_at  timestamptz,
    person_count  bigint CHECK (person_count >= 0),
    house_count   bigint CHECK (house_count >= 0),
    withdrawn_at  timestamptz,
    withdrawn_why text CHECK (length(withdrawn_why) BETWEEN 2 AND 200),
    forgotten_at  timestamptz,
    CONSTRAINT notice_scheduled CHECK ((state = 'SCHEDULED') = (publish_at IS NOT NULL)),
    CONSTRAINT notice_published CHECK (
        num_nonnulls(published_at, person_count, house_count) IN (0, 3)
        AND CASE WHEN state IN ('PUBLISHED', 'EXPIRED') THEN published_at IS NOT NULL
                 WHEN state IN ('DRAFT', 'SCHEDULED') THEN published_at IS NULL ELSE true END),
    CONSTRAINT notice_withdrawn CHECK (
        num_nonnulls(withdrawn_at, withdrawn_why) = CASE state WHEN 'WITHDRAWN' THEN 2 ELSE 0 END)
);
CREATE INDEX notice_list ON notice (community_id, created_at DESC, id DESC);
CREATE INDEX notice_expiry ON notice (expires_at) WHERE state = 'PUBLISHED' AND expires_at IS NOT NULL;
CREATE INDEX notice_kept ON notice (published_at) WHERE forgotten_at IS NULL AND published_at IS NOT NULL;
SELECT linli_allow_moves('notice', ARRAY[
    'DRAFT>SCHEDULED', 'DRAFT>PUBLISHED', 'DRAFT>WITHDRAWN', 'SCHEDULED>DRAFT', 'SCHEDULED>PUBLISHED',
    'SCHEDULED>WITHDRAWN', 'PUBLISHED>WITHDRAWN', 'PUBLISHED>EXPIRED']);

-- The frozen audience: for which of the person's houses, and when the person has read it.
CREATE TABLE notice_recipient (
    notice_id    uuid NOT NULL REFERENCES notice (id),
    person_id    uuid NOT NULL,
    community_id uuid NOT NULL,
    house_ids    uuid[] NOT NULL CHECK (cardinality(house_ids) > 0),
    read_at      timestamptz,
    PRIMARY KEY (notice_id, person_id)
);
CREATE INDEX notice_recipient_person ON notice_recipient (person_id, notice_id);

-- One round of messages about a notice: when it is published, and reminders of who has not read it, one a day at most.
-- after_person_id: the last person for whom a message is planned. done_at: nothing more is planned.
CREATE TABLE notice_sending (
    id              uuid PRIMARY KEY,
    notice_id       uuid NOT NULL REFERENCES notice (id),
    community_id    uuid NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('publication', 'reminder')),
    event_key       text NOT NULL,
    begun_on        date NOT NULL,
    begun_at        timestamptz NOT NULL,
    after_person_id uuid,
    planned_count   bigint NOT NULL DEFAULT 0 CHECK (planned_count >= 0),
    done_at         timestamptz,
    CONSTRAINT notice_sending_key UNIQUE (event_key)
);
CREATE UNIQUE INDEX notice_sending_publication ON notice_sending (notice_id) WHERE kind = 'publication';
CREATE UNIQUE INDEX notice_sending_reminder ON notice_sending (notice_id, begun_on) WHERE kind = 'reminder';

-- Messaging: events whose messages are taken back. What is not sent yet stays in the inbox, which says so.
CREATE TABLE message_withdrawn (
    event_key    text PRIMARY KEY,
    community_id uuid NOT NULL,
    title        text NOT NULL,
    body         text NOT NULL,
    withdrawn_at timestamptz NOT NULL
);
CREATE INDEX message_withdrawn_age ON message_withdrawn (withdrawn_at);
