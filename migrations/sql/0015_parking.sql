-- Devices that sign, and parking (D8).

-- Devices: cameras, gates, barriers, meters. serial: the name that a device gives itself. secret_sealed: the key by which a device signs; previous_sealed: the one
-- before it, until previous_until. Nothing has registered a device before this migration.
ALTER TABLE device
    DROP COLUMN token_hash,
    ADD COLUMN kind            text NOT NULL CHECK (kind IN ('camera', 'gate', 'barrier', 'meter')),
    ADD COLUMN vendor          text NOT NULL,
    ADD COLUMN serial          text,
    ADD COLUMN secret_sealed   bytea NOT NULL,
    ADD COLUMN previous_sealed bytea,
    ADD COLUMN previous_until  timestamptz,
    ADD CONSTRAINT device_sealed CHECK (get_byte(secret_sealed, 0) = 1 AND get_byte(previous_sealed, 0) = 1),
    ADD CONSTRAINT device_previous CHECK ((previous_sealed IS NULL) = (previous_until IS NULL));
CREATE INDEX device_community ON device (community_id, id);
CREATE UNIQUE INDEX device_serial ON device (vendor, serial) WHERE serial IS NOT NULL AND revoked_at IS NULL;

-- A signed request is heard once: its nonce is kept for longer than its time stamp is believed.
CREATE TABLE device_nonce (
    device_id uuid NOT NULL REFERENCES device (id),
    nonce     text NOT NULL CHECK (length(nonce) BETWEEN 16 AND 64),
    used_at   timestamptz NOT NULL,
    PRIMARY KEY (device_id, nonce)
);
CREATE INDEX device_nonce_age ON device_nonce (used_at);

-- What devices tell, once by its key. happened_at: by the device's clock; sequence: the device's own count. body_sealed:
-- what it said, as it may name a plate. answer: what it was told, and is told again when it repeats itself.
CREATE TABLE device_event (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    device_id    uuid NOT NULL REFERENCES device (id),
    event_key    text NOT NULL CHECK (length(event_key) BETWEEN 1 AND 100),
    sequence     bigint,
    kind         text NOT NULL,
    happened_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    body_sealed  bytea,
    outcome      text NOT NULL CHECK (outcome IN ('applied', 'refused', 'ignored')),
    reason       text,
    answer       jsonb,
    CONSTRAINT device_event_once UNIQUE (device_id, event_key),
    CONSTRAINT device_event_sealed CHECK (get_byte(body_sealed, 0) = 1)
);
CREATE INDEX device_event_community ON device_event (community_id, received_at DESC);
CREATE INDEX device_event_body ON device_event (received_at) WHERE body_sealed IS NOT NULL;

-- What a device shall do; fetched by its long poll, acknowledged, worthless after expires_at.
CREATE TABLE device_command (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    device_id    uuid NOT NULL REFERENCES device (id),
    kind         text NOT NULL CHECK (kind IN ('open')),
    subject      text NOT NULL,
    state        text NOT NULL CHECK (state IN ('QUEUED', 'DELIVERED', 'DONE', 'FAILED', 'EXPIRED')),
    ordered_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    delivered_at timestamptz,
    finished_at  timestamptz,
    detail       text,
    CONSTRAINT device_command_forward CHECK (expires_at > ordered_at),
    CONSTRAINT device_command_delivered CHECK (state NOT IN ('DELIVERED', 'DONE', 'FAILED') OR delivered_at IS NOT NULL),
    CONSTRAINT device_command_finished CHECK ((state IN ('QUEUED', 'DELIVERED')) = (finished_at IS NULL))
);
CREATE INDEX device_command_open ON device_command (device_id, id) WHERE state IN ('QUEUED', 'DELIVERED');
CREATE INDEX device_command_late ON device_command (expires_at) WHERE state IN ('QUEUED', 'DELIVERED');
CREATE INDEX device_command_subject ON device_command (subject);
SELECT linli_allow_moves('device_command', ARRAY[
    'QUEUED>DELIVERED', 'QUEUED>EXPIRED', 'DELIVERED>DONE', 'DELIVERED>FAILED', 'DELIVERED>EXPIRED',
    'EXPIRED>DONE', 'EXPIRED>FAILED']);

-- The commit of a command wakes whoever holds the device's long poll, in any process.
CREATE FUNCTION linli_wake_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('device_command', NEW.device_id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER device_command_wakes AFTER INSERT ON device_command
    FOR EACH ROW EXECUTE FUNCTION linli_wake_device();

-- A lot (停车场). basis: which version of the tariff counts, that of the entry or that of the exit. arrears_days: a house
-- with a bill overdue for more days is not let in; NULL: everybody is.
CREATE TABLE parking_lot (
    id            uuid PRIMARY KEY,
    no            bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    community_id  uuid NOT NULL REFERENCES community (id),
    code          text NOT NULL,
    name          text NOT NULL,
    spaces        integer NOT NULL CHECK (spaces >= 0),
    basis         text NOT NULL CHECK (basis IN ('entry', 'exit')),
    quote_minutes integer NOT NULL CHECK (quote_minutes BETWEEN 1 AND 60),
    arrears_days  integer CHECK (arrears_days BETWEEN 0 AND 3650),
    created_at    timestamptz NOT NULL,
    CONSTRAINT parking_lot_code UNIQUE (community_id, code)
);

-- A lane is known by its camera; the barrier is the camera's own where it names none.
CREATE TABLE parking_lane (
    id                uuid PRIMARY KEY,
    community_id      uuid NOT NULL,
    lot_id            uuid NOT NULL REFERENCES parking_lot (id),
    direction         text NOT NULL CHECK (direction IN ('in', 'out')),
    name              text NOT NULL,
    camera_device_id  uuid NOT NULL REFERENCES device (id),
    barrier_device_id uuid NOT NULL REFERENCES device (id),
    created_at        timestamptz NOT NULL,
    CONSTRAINT parking_lane_name UNIQUE (lot_id, name),
    CONSTRAINT parking_lane_camera UNIQUE (camera_device_id)
);

-- A version of a lot's prices (停车收费标准), approved by a second person; a version never changes.
CREATE TABLE parking_tariff (
    id             uuid PRIMARY KEY,
    community_id   uuid NOT NULL,
    lot_id         uuid NOT NULL REFERENCES parking_lot (id),
    document       jsonb NOT NULL,
    effective_from timestamptz NOT NULL,
    approval_id    uuid NOT NULL REFERENCES approval (id),
    created_at     timestamptz NOT NULL,
    CONSTRAINT parking_tariff_from UNIQUE (lot_id, effective_from)
);
CREATE TRIGGER parking_tariff_fixed BEFORE UPDATE OR DELETE ON parking_tariff
    FOR EACH ROW EXECUTE FUNCTION linli_refuse_change();

-- A vehicle that the community knows (车辆), by its plate: sealed, and found by a blind index (I-24).
CREATE TABLE parking_vehicle (
    id           uuid PRIMARY KEY,
    no           bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    community_id uuid NOT NULL,
    house_id     uuid,
    plate_sealed bytea NOT NULL,
    plate_blind  bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    CONSTRAINT parking_vehicle_number UNIQUE (id, no),
    CONSTRAINT parking_vehicle_plate UNIQUE (community_id, plate_blind),
    CONSTRAINT parking_vehicle_sealed CHECK (get_byte(plate_sealed, 0) = 1 AND length(plate_blind) = 16)
);
CREATE INDEX parking_vehicle_house ON parking_vehicle (house_id) WHERE house_id IS NOT NULL;

-- A card (停车卡): its vehicles share `spaces`; of more cars at once those that come later pay like anybody. ends_on: the
-- first day without it. Its lot has the number that its foreign key says.
CREATE TABLE parking_card (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    lot_id       uuid NOT NULL REFERENCES parking_lot (id),
    house_id     uuid,
    kind         text NOT NULL CHECK (kind IN ('monthly', 'owned', 'internal', 'free', 'visitor')),
    spaces       integer NOT NULL CHECK (spaces BETWEEN 1 AND 100),
    starts_on    date NOT NULL,
    ends_on      date,
    state        text NOT NULL CHECK (state IN ('ACTIVE', 'CANCELLED')),
    created_at   timestamptz NOT NULL,
    CONSTRAINT parking_card_forward CHECK (ends_on IS NULL OR ends_on > starts_on)
);
CREATE INDEX parking_card_lot ON parking_card (lot_id, id);
SELECT linli_allow_moves('parking_card', ARRAY['ACTIVE>CANCELLED']);

-- The vehicles of a card while it lasts: one card a day for a vehicle in a lot.
CREATE TABLE parking_card_vehicle (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL,
    card_id      uuid NOT NULL REFERENCES parking_card (id),
    lot_no       bigint NOT NULL REFERENCES parking_lot (no),
    vehicle_id   uuid NOT NULL,
    vehicle_no   bigint NOT NULL,
    period       daterange NOT NULL,
    CONSTRAINT parking_card_vehicle_of FOREIGN KEY (vehicle_id, vehicle_no) REFERENCES parking_vehicle (id, no),
    CONSTRAINT parking_card_vehicle_once EXCLUDE USING gist (
        int8range(lot_no, lot_no, '[]') WITH &&,
        int8range(vehicle_no, vehicle_no, '[]') WITH &&,
        period WITH &&)
);
CREATE INDEX parking_card_vehicle_card ON parking_card_vehicle (card_id);
CREATE INDEX parking_card_vehicle_vehicle ON parking_card_vehicle (vehicle_id);

-- Black and white lists of a lot (黑白名单). ends_on: the first day without the entry.
CREATE TABLE parking_list_entry (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    lot_id       uuid NOT NULL REFERENCES parking_lot (id),
    lot_no       bigint NOT NULL REFERENCES parking_lot (no),
    kind         text NOT NULL CHECK (kind IN ('black', 'white')),
    vehicle_id   uuid NOT NULL,
    vehicle_no   bigint NOT NULL,
    period       daterange NOT NULL,
    reason       text NOT NULL,
    created_at   timestamptz NOT NULL,
    CONSTRAINT parking_list_entry_of FOREIGN KEY (vehicle_id, vehicle_no) REFERENCES parking_vehicle (id, no),
    CONSTRAINT parking_list_entry_once EXCLUDE USING gist (
        int8range(lot_no, lot_no, '[]') WITH &&,
        int8range(vehicle_no, vehicle_no, '[]') WITH &&,
        period WITH &&)
);
CREATE INDEX parking_list_entry_lot ON parking_list_entry (lot_id, id);

-- A stay (停车记录). VOIDED without left_at: a stay whose exit nobody saw, which may still be told. plate NULL: a car without one. card_id: the card that covers it, as far as the card's days reach.
-- entered_at NULL: no entry was seen. waiting_lane_id: the exit at which the car stands until it is paid for.
-- paid_fen counts all that was paid, refunded_fen what went back.
CREATE TABLE parking_session (
    id              uuid PRIMARY KEY,
    community_id    uuid NOT NULL,
    lot_id          uuid NOT NULL REFERENCES parking_lot (id),
    state           text NOT NULL CHECK (state IN ('IN', 'QUOTED', 'PAID', 'OUT', 'VOIDED')),
    flags           text[] NOT NULL DEFAULT '{}',
    plate_sealed    bytea,
    plate_blind     bytea,
    tail_blind      bytea,
    vehicle_id      uuid,
    card_id         uuid,
    entry_tariff_id uuid,
    entered_at      timestamptz,
    entry_lane_id   uuid,
    left_at         timestamptz,
    exit_lane_id    uuid,
    waiting_lane_id uuid,
    waiting_since   timestamptz,
    quote_id        uuid,
    paid_fen        bigint NOT NULL DEFAULT 0,
    refunded_fen    bigint NOT NULL DEFAULT 0,
    grace_until     timestamptz,
    created_at      timestamptz NOT NULL,
    CONSTRAINT parking_session_plate CHECK (num_nonnulls(plate_sealed, plate_blind, tail_blind) IN (0, 3)),
    CONSTRAINT parking_session_sealed CHECK (get_byte(plate_sealed, 0) = 1),
    CONSTRAINT parking_session_blind CHECK (length(plate_blind) = 16 AND length(tail_blind) = 16),
    CONSTRAINT parking_session_flags CHECK (flags <@ ARRAY['no_entry', 'entered_twice', 'misread', 'plateless',
        'by_hand', 'corrected', 'clock_skew', 'late', 'left_unpaid', 'over_spaces', 'opened_by_device']),
    CONSTRAINT parking_session_entry CHECK (entered_at IS NOT NULL OR 'no_entry' = ANY (flags)),
    CONSTRAINT parking_session_plateless CHECK ((plate_blind IS NULL) = ('plateless' = ANY (flags))),
    CONSTRAINT parking_session_left CHECK (state <> 'OUT' OR left_at IS NOT NULL),
    CONSTRAINT parking_session_forward CHECK (left_at IS NULL OR entered_at IS NULL OR left_at >= entered_at),
    CONSTRAINT parking_session_quoted CHECK (state NOT IN ('QUOTED', 'PAID') OR quote_id IS NOT NULL),
    CONSTRAINT parking_session_grace CHECK (state <> 'PAID' OR grace_until IS NOT NULL),
    CONSTRAINT parking_session_waiting CHECK ((waiting_lane_id IS NULL) = (waiting_since IS NULL)),
    CONSTRAINT parking_session_money CHECK (refunded_fen BETWEEN 0 AND paid_fen)
);
-- One car stands in a lot once.
CREATE UNIQUE INDEX parking_session_one_open ON parking_session (lot_id, plate_blind)
    WHERE state IN ('IN', 'QUOTED', 'PAID');
CREATE INDEX parking_session_inside ON parking_session (lot_id, id) WHERE state IN ('IN', 'QUOTED', 'PAID');
CREATE INDEX parking_session_card ON parking_session (card_id) WHERE state IN ('IN', 'QUOTED', 'PAID');
CREATE INDEX parking_session_tail ON parking_session (lot_id, tail_blind, id DESC);
CREATE INDEX parking_session_of_plate ON parking_session (lot_id, plate_blind, left_at DESC);
CREATE INDEX parking_session_community ON parking_session (community_id, id DESC);
CREATE INDEX parking_session_ended ON parking_session (lot_id, left_at, id) WHERE state = 'OUT';
CREATE INDEX parking_session_vehicle ON parking_session (vehicle_id, id DESC) WHERE vehicle_id IS NOT NULL;
SELECT linli_allow_moves('parking_session', ARRAY[
    'IN>QUOTED', 'IN>OUT', 'IN>VOIDED', 'QUOTED>PAID', 'QUOTED>OUT', 'QUOTED>VOIDED',
    'PAID>QUOTED', 'PAID>IN', 'PAID>OUT', 'PAID>VOIDED', 'OUT>VOIDED', 'VOIDED>OUT']);

-- The plates of cars inside with one character left open each, to find what an exit misread; gone when the car is.
CREATE TABLE parking_wildcard (
    lot_id     uuid NOT NULL,
    blind      bytea NOT NULL CHECK (length(blind) = 16),
    session_id uuid NOT NULL REFERENCES parking_session (id),
    PRIMARY KEY (lot_id, blind, session_id)
);
CREATE INDEX parking_wildcard_session ON parking_wildcard (session_id);

-- What happened to a stay, never changed: entries, quotes, payments, corrections.
CREATE TABLE parking_event (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id    uuid NOT NULL,
    session_id      uuid NOT NULL REFERENCES parking_session (id),
    kind            text NOT NULL,
    at              timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    device_event_id uuid,
    actor_kind      text NOT NULL,
    actor_id        uuid,
    detail          jsonb NOT NULL
);
CREATE INDEX parking_event_session ON parking_event (session_id, id);
CREATE TRIGGER parking_event_append_only BEFORE UPDATE OR DELETE ON parking_event
    FOR EACH ROW EXECUTE FUNCTION linli_refuse_change();

-- What a stay cost at an instant (停车报价), with the lines that explain it. amount_fen: what was still to be paid, as
-- paid_before_fen had been paid and kept. paid_line_id: the payment line that paid it.
CREATE TABLE parking_quote (
    id              uuid PRIMARY KEY,
    community_id    uuid NOT NULL,
    lot_id          uuid NOT NULL,
    session_id      uuid NOT NULL REFERENCES parking_session (id),
    tariff_id       uuid NOT NULL REFERENCES parking_tariff (id),
    total_fen       bigint NOT NULL,
    paid_before_fen bigint NOT NULL CHECK (paid_before_fen >= 0),
    amount_fen      bigint NOT NULL CHECK (amount_fen > 0),
    lines           jsonb NOT NULL,
    priced_at       timestamptz NOT NULL,
    valid_until     timestamptz NOT NULL,
    signature       bytea NOT NULL CHECK (length(signature) = 32),
    paid_line_id    uuid UNIQUE,
    paid_at         timestamptz,
    CONSTRAINT parking_quote_sum CHECK (total_fen = paid_before_fen + amount_fen),
    CONSTRAINT parking_quote_forward CHECK (valid_until > priced_at),
    CONSTRAINT parking_quote_paid CHECK ((paid_line_id IS NULL) = (paid_at IS NULL))
);
CREATE INDEX parking_quote_session ON parking_quote (session_id, priced_at DESC);

-- Parking can be paid, and given back.
ALTER TABLE payment_line DROP CONSTRAINT payment_line_kind_check;
ALTER TABLE payment_line ADD CONSTRAINT payment_line_kind_check CHECK (kind IN ('bill', 'prepaid', 'parking'));
ALTER TABLE refund_line DROP CONSTRAINT refund_line_kind_check;
ALTER TABLE refund_line ADD CONSTRAINT refund_line_kind_check CHECK (kind IN ('bill', 'prepaid', 'parking'));

-- All that parking reads of property: where a vehicle's house is. Who lives there is person_tie.
CREATE VIEW parking_house AS SELECT id, community_id, label FROM house;
