-- Codes that stand printed at lanes (车道码), and cars without a plate that came in by scanning one (D8).

-- 122 random bits, as gen_random_uuid() takes them from the system's own source.
ALTER TABLE parking_lane
    ADD COLUMN scan_code text NOT NULL DEFAULT replace(gen_random_uuid()::text, '-', '')
        CONSTRAINT parking_lane_scan_code UNIQUE;

-- Who let a car without a plate in by scanning: a blind index of his account or browser. device_event_id: the sighting of
-- the car, which lets one stay begin; seen_at: when that was.
CREATE TABLE parking_scanned_entry (
    session_id      uuid PRIMARY KEY REFERENCES parking_session (id),
    community_id    uuid NOT NULL,
    driver_blind    bytea NOT NULL CHECK (length(driver_blind) = 16),
    device_event_id uuid NOT NULL REFERENCES device_event (id),
    seen_at         timestamptz NOT NULL
);
CREATE INDEX parking_scanned_entry_driver ON parking_scanned_entry (community_id, driver_blind);

-- Whether a barrier has been told to open since a car was seen in front of it.
CREATE INDEX device_command_ordered ON device_command (device_id, ordered_at);
