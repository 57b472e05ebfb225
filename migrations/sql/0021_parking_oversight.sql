-- Oversight of a car park, and lanes without a network (D8).

-- The list by which a lane decides alone (离线名单): how often a lot's cards and lists have changed, and what changed each
-- time. The row of a lot is held from a change to its commit, so that no version becomes visible before an earlier one.
-- mark: tells versions of one number apart after a backup was restored.
CREATE TABLE parking_gate_version (
    lot_id       uuid PRIMARY KEY REFERENCES parking_lot (id),
    community_id uuid NOT NULL,
    version      bigint NOT NULL CHECK (version > 0),
    mark         text NOT NULL
);
CREATE TABLE parking_gate_change (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id    uuid NOT NULL,
    lot_id          uuid NOT NULL REFERENCES parking_lot (id),
    version         bigint NOT NULL,
    mark            text NOT NULL,
    card_vehicle_id bigint,
    list_entry_id   uuid,
    CONSTRAINT parking_gate_change_version UNIQUE (lot_id, version),
    CONSTRAINT parking_gate_change_one CHECK (num_nonnulls(card_vehicle_id, list_entry_id) = 1)
);
CREATE INDEX parking_card_vehicle_lot ON parking_card_vehicle (lot_no);

-- Whatever changes a card, a vehicle of one or an entry of a list, whoever does it, is a version of its lot's list.
CREATE FUNCTION linli_gate_changed(lot uuid, card_vehicle bigint, list_entry uuid) RETURNS void LANGUAGE sql AS $$
    WITH bumped AS (
        INSERT INTO parking_gate_version AS v (lot_id, community_id, version, mark)
        SELECT l.id, l.community_id, 1, left(replace(gen_random_uuid()::text, '-', ''), 16)
          FROM parking_lot l WHERE l.id = lot
            ON CONFLICT (lot_id) DO UPDATE SET version = v.version + 1, mark = excluded.mark
     RETURNING v.community_id, v.version, v.mark)
    INSERT INTO parking_gate_change (community_id, lot_id, version, mark, card_vehicle_id, list_entry_id)
    SELECT community_id, lot, version, mark, card_vehicle, list_entry FROM bumped
$$;
CREATE FUNCTION linli_gate_card_vehicle() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE changed parking_card_vehicle;
BEGIN
    changed := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    PERFORM linli_gate_changed((SELECT id FROM parking_lot WHERE no = changed.lot_no), changed.id, NULL);
    RETURN NULL;
END $$;
CREATE FUNCTION linli_gate_list_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE changed parking_list_entry;
BEGIN
    changed := CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
    PERFORM linli_gate_changed(changed.lot_id, NULL, changed.id);
    RETURN NULL;
END $$;
CREATE FUNCTION linli_gate_card() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM linli_gate_changed(NEW.lot_id, v.id, NULL) FROM parking_card_vehicle v WHERE v.card_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER parking_card_vehicle_listed AFTER INSERT OR UPDATE OR DELETE ON parking_card_vehicle
    FOR EACH ROW EXECUTE FUNCTION linli_gate_card_vehicle();
CREATE TRIGGER parking_list_entry_listed AFTER INSERT OR UPDATE OR DELETE ON parking_list_entry
    FOR EACH ROW EXECUTE FUNCTION linli_gate_list_entry();
CREATE TRIGGER parking_card_listed AFTER UPDATE ON parking_card
    FOR EACH ROW WHEN (OLD.spaces <> NEW.spaces) EXECUTE FUNCTION linli_gate_card();

-- What guards opened by hand (人工放行): session_id NULL: no stay was chosen. open_fen: what was due for the car and not paid.
CREATE TABLE parking_hand_opening (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    lot_id       uuid NOT NULL REFERENCES parking_lot (id),
    lane_id      uuid NOT NULL REFERENCES parking_lane (id),
    direction    text NOT NULL CHECK (direction IN ('in', 'out')),
    session_id   uuid REFERENCES parking_session (id),
    open_fen     bigint NOT NULL CHECK (open_fen >= 0),
    staff_id     uuid,
    reason       text NOT NULL,
    opened_at    timestamptz NOT NULL
);
CREATE INDEX parking_hand_opening_lot ON parking_hand_opening (lot_id, opened_at, id);
CREATE INDEX parking_hand_opening_session ON parking_hand_opening (session_id) WHERE session_id IS NOT NULL;
CREATE TRIGGER parking_hand_opening_append_only BEFORE UPDATE OR DELETE ON parking_hand_opening
    FOR EACH ROW EXECUTE FUNCTION linli_refuse_change();

-- Figures of a lot's days: entries by their day, its income by the day of the posting, names of guards.
CREATE INDEX parking_session_entered ON parking_session (lot_id, entered_at) WHERE entered_at IS NOT NULL;
CREATE INDEX posting_parking_credit ON posting (credit_account, booked_on) WHERE kind LIKE 'parking%';
CREATE INDEX posting_parking_debit ON posting (debit_account, booked_on) WHERE kind LIKE 'parking%';
CREATE VIEW parking_staff AS SELECT id, name FROM staff;

-- What staff look after in a lot: stays longer than long_stay_days are shown to the guard, pictures of cameras are kept for picture_days.
ALTER TABLE parking_lot
    ADD COLUMN long_stay_days integer NOT NULL DEFAULT 30 CHECK (long_stay_days BETWEEN 1 AND 3650),
    ADD COLUMN picture_days   integer NOT NULL DEFAULT 30 CHECK (picture_days BETWEEN 1 AND 365);

-- A picture of a passage (过车图片), a file of the store, deleted after the lot's picture_days. kept_at NULL: it is being written.
CREATE TABLE parking_picture (
    id              uuid PRIMARY KEY,
    community_id    uuid NOT NULL,
    lot_id          uuid NOT NULL REFERENCES parking_lot (id),
    lane_id         uuid NOT NULL REFERENCES parking_lane (id),
    session_id      uuid NOT NULL REFERENCES parking_session (id),
    device_event_id uuid NOT NULL,
    role            text NOT NULL CHECK (role IN ('scene', 'plate')),
    file_key        text NOT NULL,
    taken_at        timestamptz NOT NULL,
    created_at      timestamptz NOT NULL,
    kept_at         timestamptz,
    CONSTRAINT parking_picture_once UNIQUE (device_event_id, role)
);
CREATE INDEX parking_picture_session ON parking_picture (session_id, taken_at);
CREATE INDEX parking_picture_age ON parking_picture (lot_id, created_at);
CREATE INDEX parking_event_device ON parking_event (device_event_id) WHERE device_event_id IS NOT NULL;

-- A visitor's vehicle (访客车辆): its card counts from starts_at until ends_at, for so many entries. house_id: the host; NULL: staff's own.
-- Of a lot: how many a house may announce for a day and for how long, and from when who overstays is charged.
ALTER TABLE parking_lot
    ADD COLUMN visitors_per_day integer NOT NULL DEFAULT 0 CHECK (visitors_per_day BETWEEN 0 AND 100),
    ADD COLUMN visitor_hours    integer NOT NULL DEFAULT 24 CHECK (visitor_hours BETWEEN 1 AND 720),
    ADD COLUMN visitor_overstay text NOT NULL DEFAULT 'window_end' CHECK (visitor_overstay IN ('window_end', 'entry'));
CREATE TABLE parking_visitor (
    card_id      uuid PRIMARY KEY REFERENCES parking_card (id),
    community_id uuid NOT NULL,
    lot_id       uuid NOT NULL REFERENCES parking_lot (id),
    house_id     uuid,
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    entries      integer NOT NULL CHECK (entries BETWEEN 1 AND 100),
    created_at   timestamptz NOT NULL,
    CONSTRAINT parking_visitor_forward CHECK (ends_at > starts_at)
);
CREATE INDEX parking_visitor_house ON parking_visitor (house_id, starts_at) WHERE house_id IS NOT NULL;

-- Whether a card covers a vehicle that comes in at an instant of a day on which it counts: a visitor's only within its window, and
-- while it has entries left. Entries are counted from the stays, so that a voided one gives its entry back.
CREATE FUNCTION linli_visitor_covers(card uuid, vehicle uuid, entered_at timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (
        SELECT FROM parking_visitor p
         WHERE p.card_id = card
           AND NOT (entered_at >= p.starts_at AND entered_at < p.ends_at
                    AND p.entries > (SELECT count(*) FROM parking_session s
                                      WHERE s.vehicle_id = vehicle AND s.card_id = card
                                        AND (s.state <> 'VOIDED' OR s.left_at IS NULL))))
$$;
