-- Gates that know visitors' passes: keys of tokens, bundles for gates without a network, what they did alone (R8, D10, decision 0027).

-- A community as its tokens and gates know it. no: what stands in a token. salt: of the hashes by which a gate knows who is banned.
-- version, mark: the newest bundle; version 0: nothing has changed yet.
CREATE TABLE visitor_site (
    community_id uuid PRIMARY KEY,
    no           integer GENERATED ALWAYS AS IDENTITY,
    salt         bytea NOT NULL CHECK (length(salt) = 16),
    version      bigint NOT NULL DEFAULT 0 CHECK (version >= 0),
    CONSTRAINT visitor_site_no UNIQUE (no)
);

-- The number of a gate within its community, as tokens name it; it is given once and never to another device.
CREATE TABLE visitor_gate_number (
    device_id    uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    no           integer NOT NULL CHECK (no BETWEEN 1 AND 65535),
    CONSTRAINT visitor_gate_number_once UNIQUE (community_id, no)
);

-- A key that signs tokens. no: what stands in a token. It signs from signs_from until signs_until, is believed until believed_until,
-- and not at all from distrusted_at on. private_sealed NULL: it signs no more, and the private part is gone.
CREATE TABLE visitor_key (
    id             uuid PRIMARY KEY,
    no             integer GENERATED ALWAYS AS IDENTITY,
    community_id   uuid NOT NULL,
    public_key     bytea NOT NULL CHECK (length(public_key) = 32),
    private_sealed bytea,
    signs_from     timestamptz NOT NULL,
    signs_until    timestamptz NOT NULL,
    believed_until timestamptz NOT NULL,
    created_at     timestamptz NOT NULL,
    distrusted_at  timestamptz,
    CONSTRAINT visitor_key_no UNIQUE (no),
    CONSTRAINT visitor_key_forward CHECK (signs_from < signs_until AND signs_until < believed_until),
    CONSTRAINT visitor_key_distrusted CHECK (distrusted_at IS NULL OR private_sealed IS NULL),
    CONSTRAINT visitor_key_sealed CHECK (get_byte(private_sealed, 0) = 1)
);
CREATE UNIQUE INDEX visitor_key_period ON visitor_key (community_id, signs_from) WHERE distrusted_at IS NULL;

-- What has changed for the gates of a community; version NULL: no gate has been told. Whoever asks first stamps what is committed by
-- then, under the lock of the site: changes wait for nobody, and none becomes visible under a version that was given out.
-- mark: tells versions of one number apart after a backup was restored.
CREATE TABLE visitor_gate_version (
    community_id uuid NOT NULL,
    version      bigint NOT NULL CHECK (version > 0),
    mark         text NOT NULL,
    made_at      timestamptz NOT NULL,
    PRIMARY KEY (community_id, version)
);
CREATE INDEX visitor_gate_version_age ON visitor_gate_version (made_at);
CREATE TABLE visitor_gate_change (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('pass', 'door', 'ban', 'key')),
    subject_id   uuid NOT NULL,
    version      bigint
);
CREATE INDEX visitor_gate_change_told ON visitor_gate_change (community_id, version) WHERE version IS NOT NULL;
CREATE INDEX visitor_gate_change_new ON visitor_gate_change (community_id) WHERE version IS NULL;

-- Whatever changes what a gate must know, whoever does it, is written down in the same transaction.
CREATE FUNCTION linli_visitor_gates_hear() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO visitor_gate_change (community_id, kind, subject_id) VALUES (NEW.community_id, TG_ARGV[0], NEW.id);
    RETURN NULL;
END $$;
CREATE FUNCTION linli_visitor_gates_hear_ban() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO visitor_gate_change (community_id, kind, subject_id) VALUES (NEW.community_id, 'ban', NEW.id);
    INSERT INTO visitor_gate_change (community_id, kind, subject_id)
    SELECT p.community_id, 'pass', p.id FROM visitor_pass p
     WHERE p.community_id = NEW.community_id AND p.state = 'ACTIVE'
       AND (NEW.kind, NEW.value_blind) IN (('phone', p.phone_blind), ('plate', p.plate_blind));
    RETURN NULL;
END $$;
CREATE TRIGGER visitor_pass_counted AFTER UPDATE ON visitor_pass
    FOR EACH ROW WHEN (NEW.entries_used <> OLD.entries_used AND NEW.entries_allowed IS NOT NULL
                       OR NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
    EXECUTE FUNCTION linli_visitor_gates_hear('pass');
CREATE TRIGGER resident_pass_revoked AFTER UPDATE ON resident_pass
    FOR EACH ROW WHEN (NEW.revoked_at IS DISTINCT FROM OLD.revoked_at)
    EXECUTE FUNCTION linli_visitor_gates_hear('door');
CREATE TRIGGER visitor_ban_heard AFTER INSERT OR UPDATE ON visitor_ban
    FOR EACH ROW EXECUTE FUNCTION linli_visitor_gates_hear_ban();
CREATE TRIGGER visitor_key_heard AFTER INSERT OR UPDATE OF distrusted_at ON visitor_key
    FOR EACH ROW EXECUTE FUNCTION linli_visitor_gates_hear('key');

-- An entry that a gate without a network let in and that the server would have refused (冲突), told later: for staff to look at.
-- subject_id: the pass, or the resident's own code; NULL where the token was none of ours. reason: why the server would have refused it.
CREATE TABLE visitor_conflict (
    id              uuid PRIMARY KEY,
    community_id    uuid NOT NULL,
    gate_id         uuid NOT NULL,
    subject_id      uuid,
    device_event_id uuid NOT NULL,
    reason          text NOT NULL,
    happened_at     timestamptz NOT NULL,
    told_at         timestamptz NOT NULL,
    settled_by      uuid,
    settled_at      timestamptz,
    note            text CHECK (length(note) BETWEEN 1 AND 200),
    CONSTRAINT visitor_conflict_once UNIQUE (device_event_id),
    CONSTRAINT visitor_conflict_settled CHECK (num_nonnulls(settled_by, settled_at, note) IN (0, 3))
);
CREATE INDEX visitor_conflict_open ON visitor_conflict (community_id, id) WHERE settled_at IS NULL;
CREATE INDEX visitor_conflict_subject ON visitor_conflict (subject_id) WHERE subject_id IS NOT NULL;

-- The passes that a gate must know of beyond their tokens.
CREATE INDEX visitor_pass_told ON visitor_pass (community_id, valid_until) WHERE entries_used > 0 OR revoked_at IS NOT NULL;
