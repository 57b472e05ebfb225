-- Kernel: outbox, inbox, idempotency, audit, approvals, periodic runs, data keys, files.

-- RFC 9562 version 7 from the instant given; PostgreSQL 15 has no uuidv7().
CREATE FUNCTION linli_uuid7(at timestamptz) RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(
        set_bit(set_bit(
            overlay(uuid_send(gen_random_uuid())
                    PLACING substring(int8send((extract(epoch FROM at) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
            52, 1), 53, 1), 'hex')::uuid
$$;

CREATE FUNCTION linli_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;

-- Refuses a change of state that is not in the table of moves given as 'FROM>TO' arguments (I-13).
CREATE FUNCTION linli_check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> OLD.state AND NOT (OLD.state || '>' || NEW.state) = ANY (TG_ARGV) THEN
        RAISE EXCEPTION '%: no move from % to %', TG_TABLE_NAME, OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

-- attempt fences: it grows with every lease. failures counts handlers that raised, or died with their worker; too many
-- park the row. A push that Redis lost grows attempt alone. lane keeps what may take long, such as messages to a slow
-- WeChat, from holding up the rest.
CREATE TABLE outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event        text NOT NULL,
    lane         text NOT NULL DEFAULT 'prompt' CHECK (lane IN ('prompt', 'bulk')),
    dedup_key    text,
    community_id uuid,
    payload      jsonb NOT NULL,
    state        text NOT NULL CHECK (state IN ('READY', 'LEASED', 'DONE', 'PARKED')),
    attempt      integer NOT NULL DEFAULT 0,
    failures     integer NOT NULL DEFAULT 0,
    run_at       timestamptz NOT NULL,
    lease_until  timestamptz,
    emitted_at   timestamptz NOT NULL,
    finished_at  timestamptz,
    last_error   text,
    CONSTRAINT outbox_lease CHECK ((state = 'LEASED') = (lease_until IS NOT NULL)),
    CONSTRAINT outbox_end CHECK ((state IN ('DONE', 'PARKED')) = (finished_at IS NOT NULL)),
    CONSTRAINT outbox_parked_why CHECK (state <> 'PARKED' OR last_error IS NOT NULL)
);
CREATE INDEX outbox_due ON outbox (run_at, id) WHERE state = 'READY';
CREATE INDEX outbox_leased ON outbox (lease_until) WHERE state = 'LEASED';
CREATE INDEX outbox_parked ON outbox (id) WHERE state = 'PARKED';
CREATE INDEX outbox_finished ON outbox (finished_at) WHERE state = 'DONE';
CREATE UNIQUE INDEX outbox_dedup ON outbox (event, dedup_key) WHERE dedup_key IS NOT NULL;

CREATE TABLE inbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source      text NOT NULL,
    event_key   text NOT NULL,
    received_at timestamptz NOT NULL,
    body        bytea,
    outcome     text CHECK (outcome IN ('applied', 'duplicate', 'difference', 'ignored')),
    reason      text,
    CONSTRAINT inbox_once UNIQUE (source, event_key)
);
CREATE INDEX inbox_open ON inbox (received_at) WHERE outcome IS NULL;

CREATE TABLE idempotency (
    principal  text NOT NULL,
    route      text NOT NULL,
    key        text NOT NULL CHECK (length(key) BETWEEN 1 AND 64),
    body_hash  bytea NOT NULL,
    answer     jsonb,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (principal, route, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

CREATE TABLE audit_entry (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL,
    actor_kind   text NOT NULL CHECK (actor_kind IN ('resident', 'staff', 'device', 'channel', 'system')),
    actor_id     uuid,
    action       text NOT NULL,
    target       text NOT NULL,
    community_id uuid,
    reason       text,
    before       jsonb,
    after        jsonb,
    request_id   text
);
CREATE INDEX audit_entry_target ON audit_entry (target, id);
CREATE INDEX audit_entry_actor ON audit_entry (actor_id, id);
CREATE INDEX audit_entry_community ON audit_entry (community_id, id);
CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION linli_refuse_change();

-- The hash chain, computed by a job so that no writer waits for another (security: audit).
CREATE TABLE audit_seal (
    entry_id bigint PRIMARY KEY REFERENCES audit_entry (id),
    hash     bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE TRIGGER audit_seal_append_only BEFORE UPDATE OR DELETE ON audit_seal
    FOR EACH ROW EXECUTE FUNCTION linli_refuse_change();

CREATE TABLE approval (
    id           uuid PRIMARY KEY,
    kind         text NOT NULL,
    community_id uuid,
    target       text NOT NULL,
    state        text NOT NULL CHECK (state IN ('PENDING', 'APPROVED', 'REJECTED', 'WITHDRAWN', 'EXPIRED', 'STALE')),
    payload      jsonb NOT NULL,
    shown        jsonb NOT NULL,
    reason       text NOT NULL,
    proposed_by  uuid NOT NULL,
    proposed_at  timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    decided_by   uuid,
    decided_at   timestamptz,
    decision     text,
    CONSTRAINT approval_second_person CHECK (decided_by IS NULL OR state = 'WITHDRAWN' OR decided_by <> proposed_by)
);
CREATE UNIQUE INDEX approval_one_pending ON approval (kind, target) WHERE state = 'PENDING';
CREATE INDEX approval_pending ON approval (community_id, proposed_at) WHERE state = 'PENDING';
CREATE TRIGGER approval_moves BEFORE UPDATE ON approval FOR EACH ROW EXECUTE FUNCTION linli_check_move(
    'PENDING>APPROVED', 'PENDING>REJECTED', 'PENDING>WITHDRAWN', 'PENDING>EXPIRED', 'PENDING>STALE');

CREATE TABLE periodic_run (
    name        text NOT NULL,
    period      text NOT NULL,
    state       text NOT NULL CHECK (state IN ('RUNNING', 'DONE', 'FAILED')),
    attempt     integer NOT NULL DEFAULT 1,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    last_error  text,
    PRIMARY KEY (name, period)
);
CREATE INDEX periodic_run_open ON periodic_run (started_at) WHERE state <> 'DONE';

CREATE TABLE stored_file (
    id           uuid PRIMARY KEY,
    key          text NOT NULL UNIQUE,
    purpose      text NOT NULL,
    content_type text NOT NULL,
    size_bytes   bigint NOT NULL CHECK (size_bytes >= 0),
    sha256       bytea NOT NULL,
    created_by   uuid,
    created_at   timestamptz NOT NULL
);

-- Wanted by backend/kernel/crypto.py. Ids are given by the code (0 = blind-index key, 1.. = data keys): sealed texts carry them in two bytes.
CREATE TABLE data_key (
    id          integer     PRIMARY KEY,
    kind        text        NOT NULL,
    wrapped     bytea       NOT NULL,
    created_at  timestamptz NOT NULL,
    retired_at  timestamptz,
    CONSTRAINT data_key_id_fits CHECK (id BETWEEN 0 AND 65535),
    CONSTRAINT data_key_kind_is_known CHECK (kind IN ('data', 'index')),
    CONSTRAINT data_key_index_is_zero CHECK ((kind = 'index') = (id = 0)),
    CONSTRAINT data_key_index_never_retires CHECK (kind = 'data' OR retired_at IS NULL),
    CONSTRAINT data_key_wrapped_size CHECK (octet_length(wrapped) = 61)  -- version 1, nonce 12, key 32, tag 16
);
