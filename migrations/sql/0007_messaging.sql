-- Messaging: templates, consent, intents, the in-app inbox (D11).

CREATE TABLE message_template (
    id          uuid PRIMARY KEY,
    appid       text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('template', 'subscription')),
    meaning     text NOT NULL,
    template_id text NOT NULL,
    fields      jsonb NOT NULL,
    page        text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    CONSTRAINT message_template_once UNIQUE (appid, kind, meaning)
);

-- credits: sends still allowed; a one-time consent adds one, a send takes one, error 43101 sets 0.
CREATE TABLE message_consent (
    person_id   uuid NOT NULL,
    template_id text NOT NULL,
    credits     integer NOT NULL DEFAULT 0 CHECK (credits >= 0),
    last_answer text NOT NULL CHECK (last_answer IN ('accept', 'reject', 'ban', 'filter', 'used')),
    answered_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, template_id)
);

CREATE TABLE message_consent_event (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id   uuid NOT NULL,
    template_id text NOT NULL,
    event       text NOT NULL CHECK (event IN ('accept', 'reject', 'ban', 'filter', 'used', 'exhausted')),
    at          timestamptz NOT NULL
);
CREATE INDEX message_consent_event_person ON message_consent_event (person_id, template_id, id);

-- One intent per (event, person): the stable key under which a message is sent at most once (I-16).
CREATE TABLE message_intent (
    id            uuid PRIMARY KEY,
    community_id  uuid,
    event_key     text NOT NULL,
    person_id     uuid NOT NULL,
    meaning       text NOT NULL,
    values_shown  jsonb NOT NULL,
    page          text NOT NULL DEFAULT '',
    state         text NOT NULL CHECK (state IN ('PENDING', 'SENDING', 'SENT', 'INBOX_ONLY', 'UNKNOWN', 'PARKED')),
    channel       text CHECK (channel IN ('template', 'subscription')),
    first_sent_at timestamptz,
    attempt       integer NOT NULL DEFAULT 0,
    msgid         text,
    errcode       integer,
    error         text,
    created_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    CONSTRAINT message_intent_once UNIQUE (event_key, person_id)
);
CREATE INDEX message_intent_open ON message_intent (created_at) WHERE state IN ('PENDING', 'SENDING', 'UNKNOWN');

CREATE TABLE inbox_message (
    id         uuid PRIMARY KEY,
    person_id  uuid NOT NULL,
    event_key  text NOT NULL,
    title      text NOT NULL,
    body       text NOT NULL,
    page       text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    read_at    timestamptz,
    CONSTRAINT inbox_message_once UNIQUE (event_key, person_id)
);
CREATE INDEX inbox_message_person ON inbox_message (person_id, created_at DESC, id DESC);

-- Daily and per-second limits are counted here, so that all processes keep them together.
CREATE TABLE send_quota (
    appid  text NOT NULL,
    kind   text NOT NULL,
    period text NOT NULL,
    used   bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (appid, kind, period)
);
