-- Visitors: passes, walk-ins, entries, bans, short codes, residents' own codes, goods that leave (R8, D10).

-- What visitors read of other nouns: gates that are in use, and houses. (Ties: person_tie.)
CREATE VIEW visitor_gate AS SELECT id, community_id, name FROM device WHERE kind = 'gate' AND revoked_at IS NULL;
CREATE VIEW visitor_house AS SELECT id, community_id, label FROM house;

-- What a community lets residents and guards do (访客规则); without a row: `USUAL` in backend/visitors/rules.py.
-- passes_per_day: of a house, by the day on which they begin. approval_hours: a longer pass needs the property's approval; NULL: none does.
-- answer_minutes: so long a guard waits for the resident's answer. stay_hours: so long a walk-in may stay.
-- overstay_minutes: so long after its end a stay is named as an overstay; NULL: never. assume_left_hours: after its end
-- a stay that nobody checked out is taken to be over. keep_days: personal data is erased that long after the end.
CREATE TABLE visitor_rule (
    community_id       uuid PRIMARY KEY,
    passes_per_day     integer NOT NULL CHECK (passes_per_day BETWEEN 0 AND 200),
    longest_days       integer NOT NULL CHECK (longest_days BETWEEN 1 AND 366),
    approval_hours     integer CHECK (approval_hours BETWEEN 0 AND 8784),
    answer_minutes     integer NOT NULL CHECK (answer_minutes BETWEEN 1 AND 60),
    stay_hours         integer NOT NULL CHECK (stay_hours BETWEEN 1 AND 168),
    overstay_minutes   integer CHECK (overstay_minutes BETWEEN 0 AND 10080),
    assume_left_hours  integer NOT NULL CHECK (assume_left_hours BETWEEN 1 AND 720),
    goods_approval     boolean NOT NULL,
    keep_days          integer NOT NULL CHECK (keep_days BETWEEN 1 AND 3650)
);

-- Whether a weekly pattern is open at an instant: NULL always; else slots of three numbers (days: bit 0 is Monday; from, until: minutes
-- of the day in Asia/Shanghai). A slot whose end is not after its start runs over midnight into the next day.
-- The same rule as backend/visitors/windows.py.
CREATE FUNCTION linli_weekly_open(weekly smallint[], at timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT weekly IS NULL OR EXISTS (
        SELECT FROM (SELECT extract(isodow FROM local)::integer - 1 AS day,
                            extract(hour FROM local)::integer * 60 + extract(minute FROM local)::integer AS minute
                       FROM (SELECT at AT TIME ZONE 'Asia/Shanghai' AS local) AS shanghai) AS t,
             generate_series(1, cardinality(weekly), 3) AS i
         WHERE CASE WHEN weekly[i + 2] > weekly[i + 1]
                    THEN weekly[i] >> t.day & 1 = 1 AND t.minute >= weekly[i + 1] AND t.minute < weekly[i + 2]
                    ELSE (weekly[i] >> t.day & 1 = 1 AND t.minute >= weekly[i + 1])
                      OR (weekly[i] >> (t.day + 6) % 7 & 1 = 1 AND t.minute < weekly[i + 2]) END)
$$;

-- A pass (访客通行证). gate_ids NULL: every gate of the community. entries_allowed NULL: as often as wished.
-- weekly: see above. token_nonce: what its signed token carries beside its id. revoked_at: since when a pass that was valid opens nothing
-- more, withdrawn by the resident (CANCELLED) or by the property (REVOKED). Columns of personal data are NULL once erased.
CREATE TABLE visitor_pass (
    id               uuid PRIMARY KEY,
    community_id     uuid NOT NULL,
    house_id         uuid NOT NULL,
    invited_by       uuid NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('guest', 'nanny', 'courier', 'contractor')),
    state            text NOT NULL CHECK (state IN ('DRAFT', 'PENDING', 'ACTIVE', 'USED', 'EXPIRED', 'CANCELLED',
                                                    'REJECTED', 'REVOKED')),
    name_sealed      bytea,
    phone_sealed     bytea,
    phone_blind      bytea,
    phone_tail_blind bytea,
    plate_sealed     bytea,
    plate_blind      bytea,
    lot_id           uuid,
    parking_card_id  uuid REFERENCES parking_card (id),
    companions       integer NOT NULL DEFAULT 0 CHECK (companions BETWEEN 0 AND 50),
    purpose          text NOT NULL DEFAULT '' CHECK (length(purpose) <= 100),
    valid_from       timestamptz NOT NULL,
    valid_until      timestamptz NOT NULL,
    weekly           smallint[] CHECK (cardinality(weekly) IN (3, 6, 9, 12)),
    gate_ids         uuid[] CHECK (cardinality(gate_ids) BETWEEN 1 AND 8),
    entries_allowed  integer CHECK (entries_allowed BETWEEN 1 AND 1000),
    entries_used     integer NOT NULL DEFAULT 0 CHECK (entries_used >= 0),
    token_nonce      bytea NOT NULL CHECK (length(token_nonce) = 8),
    created_at       timestamptz NOT NULL,
    revoked_at       timestamptz,
    ended_reason     text,
    CONSTRAINT visitor_pass_forward CHECK (valid_until > valid_from),
    CONSTRAINT visitor_pass_entries CHECK (entries_used <= entries_allowed),
    CONSTRAINT visitor_pass_used CHECK ((state = 'USED') = (entries_used IS NOT DISTINCT FROM entries_allowed)
                                        OR state IN ('CANCELLED', 'REVOKED', 'EXPIRED')),
    CONSTRAINT visitor_pass_revoked CHECK (
        CASE state WHEN 'REVOKED' THEN revoked_at IS NOT NULL
                   WHEN 'CANCELLED' THEN true
                   ELSE revoked_at IS NULL END),
    CONSTRAINT visitor_pass_sealed CHECK (get_byte(name_sealed, 0) = 1 AND get_byte(phone_sealed, 0) = 1
                                          AND get_byte(plate_sealed, 0) = 1),
    CONSTRAINT visitor_pass_blind CHECK (length(phone_blind) = 16 AND length(phone_tail_blind) = 16
                                         AND length(plate_blind) = 16)
);
-- The passes of a house, newest first; those that a day's limit counts.
CREATE INDEX visitor_pass_house ON visitor_pass (house_id, valid_from);
-- What is expected today, and what a gate's list holds.
CREATE INDEX visitor_pass_live ON visitor_pass (community_id, valid_until) WHERE state IN ('DRAFT', 'PENDING', 'ACTIVE');
CREATE INDEX visitor_pass_revoked_at ON visitor_pass (community_id, revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX visitor_pass_phone_tail ON visitor_pass (community_id, phone_tail_blind);
CREATE INDEX visitor_pass_kept ON visitor_pass (community_id, valid_until) WHERE name_sealed IS NOT NULL;
SELECT linli_allow_moves('visitor_pass', ARRAY[
    'DRAFT>PENDING', 'DRAFT>ACTIVE', 'DRAFT>CANCELLED', 'DRAFT>EXPIRED',
    'PENDING>ACTIVE', 'PENDING>REJECTED', 'PENDING>CANCELLED', 'PENDING>EXPIRED',
    'ACTIVE>USED', 'ACTIVE>EXPIRED', 'ACTIVE>CANCELLED', 'ACTIVE>REVOKED']);

-- A visitor without a pass, at the gate (临时来访). answer_by: until then the resident answers; after that the guard decides, and says why.
CREATE TABLE visitor_walk_in (
    id               uuid PRIMARY KEY,
    community_id     uuid NOT NULL,
    house_id         uuid NOT NULL,
    gate_id          uuid NOT NULL,
    state            text NOT NULL CHECK (state IN ('WAITING', 'CONFIRMED', 'REFUSED', 'ADMITTED', 'TURNED_AWAY')),
    name_sealed      bytea,
    phone_sealed     bytea,
    phone_blind      bytea,
    phone_tail_blind bytea,
    id_number_blind  bytea,
    plate_sealed     bytea,
    plate_blind      bytea,
    companions       integer NOT NULL DEFAULT 0 CHECK (companions BETWEEN 0 AND 50),
    purpose          text NOT NULL CHECK (length(purpose) BETWEEN 1 AND 100),
    registered_by    uuid NOT NULL,
    registered_at    timestamptz NOT NULL,
    answer_by        timestamptz NOT NULL,
    answered_by      uuid,
    answered_at      timestamptz,
    decided_by       uuid,
    decided_at       timestamptz,
    reason           text CHECK (length(reason) BETWEEN 1 AND 200),
    CONSTRAINT visitor_walk_in_answered CHECK (
        num_nonnulls(answered_by, answered_at) IN (0, 2) AND (state NOT IN ('CONFIRMED', 'REFUSED') OR answered_at IS NOT NULL)),
    CONSTRAINT visitor_walk_in_decided CHECK (
        num_nonnulls(decided_by, decided_at) = CASE WHEN state IN ('ADMITTED', 'TURNED_AWAY') THEN 2 ELSE 0 END),
    -- Silence is not a yes: who lets somebody in without an answer says why, and only once the time to answer is over.
    CONSTRAINT visitor_walk_in_silent CHECK (
        state <> 'ADMITTED' OR answered_at IS NOT NULL OR (reason IS NOT NULL AND decided_at >= answer_by)),
    CONSTRAINT visitor_walk_in_sealed CHECK (get_byte(name_sealed, 0) = 1 AND get_byte(phone_sealed, 0) = 1
                                             AND get_byte(plate_sealed, 0) = 1),
    CONSTRAINT visitor_walk_in_blind CHECK (length(phone_blind) = 16 AND length(phone_tail_blind) = 16
                                            AND length(id_number_blind) = 16 AND length(plate_blind) = 16)
);
CREATE INDEX visitor_walk_in_open ON visitor_walk_in (community_id, registered_at) WHERE state IN ('WAITING', 'CONFIRMED');
CREATE INDEX visitor_walk_in_house ON visitor_walk_in (house_id, registered_at);
CREATE INDEX visitor_walk_in_kept ON visitor_walk_in (community_id, registered_at) WHERE name_sealed IS NOT NULL;
SELECT linli_allow_moves('visitor_walk_in', ARRAY[
    'WAITING>CONFIRMED', 'WAITING>REFUSED', 'WAITING>ADMITTED', 'WAITING>TURNED_AWAY',
    'CONFIRMED>ADMITTED', 'CONFIRMED>TURNED_AWAY']);

-- Who came in, by which pass or walk-in, and who went out (出入记录). due_out_at: until when the stay is allowed. way: how it was opened;
-- device_event_id: by which event of a gate. overstayed_at: since when it has been named as an overstay.
CREATE TABLE visitor_entry (
    id              uuid PRIMARY KEY,
    community_id    uuid NOT NULL,
    house_id        uuid NOT NULL,
    pass_id         uuid REFERENCES visitor_pass (id),
    walk_in_id      uuid REFERENCES visitor_walk_in (id),
    gate_id         uuid NOT NULL,
    way             text NOT NULL CHECK (way IN ('token', 'code', 'guard', 'offline', 'walk_in')),
    staff_id        uuid,
    device_event_id uuid,
    entered_at      timestamptz NOT NULL,
    due_out_at      timestamptz NOT NULL,
    overstayed_at   timestamptz,
    left_at         timestamptz,
    left_way        text CHECK (left_way IN ('guard', 'gate', 'assumed')),
    CONSTRAINT visitor_entry_one CHECK (num_nonnulls(pass_id, walk_in_id) = 1 AND (way = 'walk_in') = (walk_in_id IS NOT NULL)),
    CONSTRAINT visitor_entry_walk_in UNIQUE (walk_in_id),
    CONSTRAINT visitor_entry_event UNIQUE (device_event_id),
    CONSTRAINT visitor_entry_left CHECK (num_nonnulls(left_at, left_way) IN (0, 2) AND left_at >= entered_at)
);
CREATE INDEX visitor_entry_pass ON visitor_entry (pass_id) WHERE pass_id IS NOT NULL;
CREATE INDEX visitor_entry_inside ON visitor_entry (community_id, entered_at) WHERE left_at IS NULL;
CREATE INDEX visitor_entry_community ON visitor_entry (community_id, entered_at, id);
CREATE INDEX visitor_entry_house ON visitor_entry (house_id, entered_at);

-- Who is not let in (访客黑名单), by phone, number of an identity card, or plate. until_at NULL: until it is lifted.
CREATE TABLE visitor_ban (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('phone', 'id_number', 'plate')),
    value_sealed bytea NOT NULL,
    value_blind  bytea NOT NULL,
    reason       text NOT NULL CHECK (length(reason) BETWEEN 1 AND 200),
    until_at     timestamptz,
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    lifted_by    uuid,
    lifted_at    timestamptz,
    CONSTRAINT visitor_ban_lifted CHECK (num_nonnulls(lifted_by, lifted_at) IN (0, 2)),
    CONSTRAINT visitor_ban_sealed CHECK (get_byte(value_sealed, 0) = 1),
    CONSTRAINT visitor_ban_blind CHECK (length(value_blind) = 16)
);
CREATE UNIQUE INDEX visitor_ban_once ON visitor_ban (community_id, kind, value_blind) WHERE lifted_at IS NULL;
CREATE INDEX visitor_ban_list ON visitor_ban (community_id, id) WHERE lifted_at IS NULL;

-- Six digits for the visitor without a phone (六位访客码): one pass, one gate, one day.
CREATE TABLE visitor_code (
    id           uuid PRIMARY KEY,
    pass_id      uuid NOT NULL REFERENCES visitor_pass (id),
    gate_id      uuid NOT NULL,
    valid_on     date NOT NULL,
    community_id uuid NOT NULL,
    code_blind   bytea NOT NULL CHECK (length(code_blind) = 16),
    code_sealed  bytea NOT NULL CHECK (get_byte(code_sealed, 0) = 1),
    created_at   timestamptz NOT NULL,
    CONSTRAINT visitor_code_pass UNIQUE (pass_id, gate_id, valid_on),
    CONSTRAINT visitor_code_once UNIQUE (gate_id, valid_on, code_blind)
);
CREATE INDEX visitor_code_age ON visitor_code (valid_on);

-- A resident's own code for the doors (住户通行码): one for a person and a house. gate_ids NULL: every gate of the community.
CREATE TABLE resident_pass (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    house_id     uuid NOT NULL,
    person_id    uuid NOT NULL,
    gate_ids     uuid[] CHECK (cardinality(gate_ids) BETWEEN 1 AND 8),
    token_nonce  bytea NOT NULL CHECK (length(token_nonce) = 8),
    created_at   timestamptz NOT NULL,
    revoked_at   timestamptz
);
CREATE UNIQUE INDEX resident_pass_once ON resident_pass (person_id, house_id) WHERE revoked_at IS NULL;
CREATE INDEX resident_pass_community ON resident_pass (community_id, id) WHERE revoked_at IS NULL;
CREATE INDEX resident_pass_revoked_at ON resident_pass (community_id, revoked_at) WHERE revoked_at IS NOT NULL;

-- Goods that leave (物品放行条), checked off once at the gate.
CREATE TABLE goods_permit (
    id             uuid PRIMARY KEY,
    community_id   uuid NOT NULL,
    house_id       uuid NOT NULL,
    asked_by       uuid NOT NULL,
    state          text NOT NULL CHECK (state IN ('PENDING', 'APPROVED', 'CHECKED_OFF', 'EXPIRED', 'CANCELLED', 'REJECTED')),
    goods          text NOT NULL CHECK (length(goods) BETWEEN 1 AND 500),
    name_sealed bytea,
    plate_sealed   bytea,
    valid_from     timestamptz NOT NULL,
    valid_until    timestamptz NOT NULL,
    created_at     timestamptz NOT NULL,
    gate_id        uuid,
    checked_by     uuid,
    checked_at     timestamptz,
    CONSTRAINT goods_permit_forward CHECK (valid_until > valid_from),
    CONSTRAINT goods_permit_checked CHECK (
        num_nonnulls(gate_id, checked_by, checked_at) = CASE state WHEN 'CHECKED_OFF' THEN 3 ELSE 0 END),
    CONSTRAINT goods_permit_sealed CHECK (get_byte(name_sealed, 0) = 1 AND get_byte(plate_sealed, 0) = 1)
);
CREATE INDEX goods_permit_house ON goods_permit (house_id, created_at);
CREATE INDEX goods_permit_live ON goods_permit (community_id, valid_until) WHERE state IN ('PENDING', 'APPROVED');
CREATE INDEX goods_permit_kept ON goods_permit (community_id, valid_until) WHERE name_sealed IS NOT NULL;
SELECT linli_allow_moves('goods_permit', ARRAY[
    'PENDING>APPROVED', 'PENDING>REJECTED', 'PENDING>CANCELLED', 'PENDING>EXPIRED',
    'APPROVED>CHECKED_OFF', 'APPROVED>CANCELLED', 'APPROVED>EXPIRED']);

-- What was decided about a pass or a permit, and why.
CREATE INDEX approval_visitor ON approval (target, id) WHERE kind IN ('visitor.pass', 'visitor.goods');
