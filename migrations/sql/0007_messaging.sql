-- Messaging: templates, consent, intents, the in-app inbox (D11).

-- What messaging reads of other nouns: where present people are reached, and the apps of a company.
CREATE VIEW message_address AS
    SELECT u.id AS wechat_user_id, u.person_id, u.appid, u.openid, u.reachable
      FROM wechat_user u JOIN person p ON p.id = u.person_id
     WHERE p.removed_at IS NULL;
CREATE VIEW message_person AS SELECT id AS person_id FROM person WHERE removed_at IS NULL;
CREATE VIEW message_app AS SELECT appid, company_id, kind, created_at FROM wechat_app;

-- fields: key of the template → name of a value of the meaning, or a fixed text behind '='.
CREATE TABLE message_template (
    id          uuid PRIMARY KEY,
    company_id  uuid NOT NULL REFERENCES company (id),
    appid       text NOT NULL REFERENCES wechat_app (appid),
    kind        text NOT NULL CHECK (kind IN ('template', 'subscription')),
    meaning     text NOT NULL,
    template_id text NOT NULL,
    fields      jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    CONSTRAINT message_template_once UNIQUE (appid, kind, meaning)
);
CREATE INDEX message_template_company ON message_template (company_id, meaning);

-- credits: sends still allowed; a one-time consent adds one, a send takes one, error 43101 sets 0.
CREATE TABLE message_consent (
    person_id   uuid NOT NULL,
    template_id text NOT NULL,
    credits     integer NOT NULL DEFAULT 0 CHECK (credits >= 0),
    last_answer text NOT NULL CHECK (last_answer IN ('accept', 'reject', 'ban', 'filter')),
    answered_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, template_id)
);

CREATE TABLE message_consent_event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id   uuid NOT NULL,
    template_id text NOT NULL,
    event       text NOT NULL CHECK (event IN ('accept', 'reject', 'ban', 'filter', 'used', 'returned', 'exhausted')),
    at          timestamptz NOT NULL
);
CREATE INDEX message_consent_event_person ON message_consent_event (person_id, template_id, id);

-- One intent per (event, person): the stable key under which a message is sent at most once (I-16).
-- first_sent_at: since when it may have been sent; WeChat recognises our key for ten minutes from then.
CREATE TABLE message_intent (
    id            uuid PRIMARY KEY,
    community_id  uuid NOT NULL,
    event_key     text NOT NULL,
    person_id     uuid NOT NULL,
    meaning       text NOT NULL,
    values_shown  jsonb NOT NULL,
    page          text NOT NULL,
    state         text NOT NULL CHECK (state IN ('PENDING', 'SENDING', 'SENT', 'INBOX_ONLY', 'UNKNOWN', 'PARKED')),
    channel       text CHECK (channel IN ('template', 'subscription')),
    appid         text,
    openid        text,
    template_id   text,
    first_sent_at timestamptz,
    attempt       integer NOT NULL DEFAULT 0,
    msgid         text,
    errcode       integer,
    error         text,
    created_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    CONSTRAINT message_intent_once UNIQUE (event_key, person_id),
    CONSTRAINT message_intent_sending CHECK (state <> 'SENDING' OR (first_sent_at IS NOT NULL AND channel IS NOT NULL
                                             AND appid IS NOT NULL AND openid IS NOT NULL AND template_id IS NOT NULL)),
    CONSTRAINT message_intent_end CHECK ((state IN ('PENDING', 'SENDING')) = (finished_at IS NULL))
);
CREATE INDEX message_intent_open ON message_intent (created_at) WHERE state IN ('PENDING', 'SENDING');
CREATE INDEX message_intent_parked ON message_intent (community_id, id) WHERE state = 'PARKED';
CREATE INDEX message_intent_finished ON message_intent (finished_at) WHERE finished_at IS NOT NULL;
CREATE TRIGGER message_intent_moves BEFORE UPDATE ON message_intent FOR EACH ROW EXECUTE FUNCTION linli_check_move(
    'PENDING>SENDING', 'PENDING>INBOX_ONLY', 'PENDING>PARKED',
    'SENDING>PENDING', 'SENDING>SENT', 'SENDING>INBOX_ONLY', 'SENDING>UNKNOWN', 'SENDING>PARKED',
    'PARKED>PENDING');

CREATE TABLE inbox_message (
    id         uuid PRIMARY KEY,
    person_id  uuid NOT NULL,
    event_key  text NOT NULL,
    title      text NOT NULL,
    body       text NOT NULL,
    page       text NOT NULL,
    created_at timestamptz NOT NULL,
    read_at    timestamptz,
    CONSTRAINT inbox_message_once UNIQUE (event_key, person_id)
);
CREATE INDEX inbox_message_person ON inbox_message (person_id, created_at DESC, id DESC);
CREATE INDEX inbox_message_age ON inbox_message (created_at);

-- What WeChat allows an app, where it differs from what everybody is allowed.
CREATE TABLE send_limit (
    appid      text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('template', 'subscription')),
    per_day    bigint NOT NULL CHECK (per_day > 0),
    per_second integer NOT NULL CHECK (per_second > 0),
    PRIMARY KEY (appid, kind)
);

-- Daily and per-second limits are counted here, so that all processes keep them together: sends of a date in
-- Asia/Shanghai, and the first instant that nobody has taken yet.
CREATE TABLE send_quota (
    appid        text NOT NULL,
    kind         text NOT NULL,
    sent_on      date NOT NULL,
    used         bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
    next_slot_at timestamptz NOT NULL,
    PRIMARY KEY (appid, kind, sent_on)
);
