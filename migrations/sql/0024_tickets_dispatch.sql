-- Around tickets: who is on duty and whose turn it is, warnings and urging, outages that bind many tickets (D9).

-- Moves of a table's state beside those that are allowed already.
CREATE FUNCTION linli_allow_more_moves(guarded regclass, more text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    known text[];
BEGIN
    SELECT string_to_array(rtrim(encode(t.tgargs, 'escape'), '\000'), '\000') INTO STRICT known
      FROM pg_trigger t
     WHERE t.tgrelid = guarded AND t.tgname = guarded || '_moves';
    PERFORM linli_allow_moves(guarded, known || more);
END $$;

-- How a company handles tickets (督办规则), for all categories or for one. at_once: the system dispatches by rota as soon as a
-- ticket comes in. warn_before_m: minutes before a promise ends; escalate_after_m: minutes after, to the manager. urge_times,
-- urge_hours: how often in a round, and how many hours apart, a resident may urge. similar_days: how far back duplicates lie.
CREATE TABLE ticket_handling (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id       uuid NOT NULL REFERENCES company (id),
    category_id      uuid REFERENCES ticket_category (id),
    at_once          boolean NOT NULL,
    warn_before_m    integer NOT NULL CHECK (warn_before_m BETWEEN 0 AND 10080),
    escalate_after_m integer NOT NULL CHECK (escalate_after_m BETWEEN 0 AND 10080),
    urge_times       integer NOT NULL CHECK (urge_times BETWEEN 0 AND 100),
    urge_hours       integer NOT NULL CHECK (urge_hours BETWEEN 1 AND 720),
    similar_days     integer NOT NULL CHECK (similar_days BETWEEN 1 AND 90),
    changed_at       timestamptz NOT NULL
);
CREATE UNIQUE INDEX ticket_handling_once ON ticket_handling (company_id, category_id) NULLS NOT DISTINCT;

-- The weekly plan of who is on duty (值班表). Minutes of the day in Asia/Shanghai; a shift may end on the next day.
CREATE TABLE ticket_duty (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL REFERENCES community (id),
    staff_id     uuid NOT NULL REFERENCES staff (id),
    weekday      smallint NOT NULL CHECK (weekday BETWEEN 1 AND 7),
    opens_m      integer NOT NULL CHECK (opens_m BETWEEN 0 AND 1439),
    closes_m     integer NOT NULL CHECK (closes_m > opens_m AND closes_m <= opens_m + 1440),
    CONSTRAINT ticket_duty_once UNIQUE (community_id, staff_id, weekday, opens_m)
);

-- What differs from the plan: on duty although not planned (替班), or off (请假). Of several, the one entered last counts.
CREATE TABLE ticket_duty_exception (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL REFERENCES community (id),
    staff_id     uuid NOT NULL REFERENCES staff (id),
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    on_duty      boolean NOT NULL,
    note         text NOT NULL CHECK (length(note) BETWEEN 1 AND 200),
    entered_at   timestamptz NOT NULL,
    withdrawn_at timestamptz,
    CONSTRAINT ticket_duty_exception_forward CHECK (ends_at > starts_at)
);
CREATE INDEX ticket_duty_exception_of ON ticket_duty_exception (community_id, ends_at) WHERE withdrawn_at IS NULL;

-- What a worker does and where (技能, 责任楼栋): who has no row of a sort does all of it. A category covers those below it.
CREATE TABLE ticket_skill (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL REFERENCES community (id),
    staff_id     uuid NOT NULL REFERENCES staff (id),
    category_id  uuid NOT NULL REFERENCES ticket_category (id),
    CONSTRAINT ticket_skill_once UNIQUE (community_id, staff_id, category_id)
);
CREATE TABLE ticket_patch (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL REFERENCES community (id),
    staff_id     uuid NOT NULL REFERENCES staff (id),
    building_id  uuid NOT NULL REFERENCES building (id),
    CONSTRAINT ticket_patch_once UNIQUE (community_id, staff_id, building_id)
);

-- Whose turn it was (轮值): the last number drawn by each worker of a community.
CREATE TABLE ticket_turn (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL REFERENCES community (id),
    staff_id     uuid NOT NULL REFERENCES staff (id),
    turn         bigint NOT NULL CHECK (turn > 0),
    CONSTRAINT ticket_turn_once UNIQUE (community_id, staff_id),
    CONSTRAINT ticket_turn_number UNIQUE (community_id, turn)
);

-- An outage (停水, 停电, 故障公告). building_id NULL: all of the community; category_id NULL: whatever is reported.
CREATE TABLE ticket_outage (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL REFERENCES community (id),
    category_id  uuid REFERENCES ticket_category (id),
    building_id  uuid REFERENCES building (id),
    title        text NOT NULL CHECK (length(title) BETWEEN 1 AND 30),
    words        text NOT NULL CHECK (length(words) BETWEEN 1 AND 500),
    state        text NOT NULL CHECK (state IN ('OPEN', 'ENDED')),
    began_at     timestamptz NOT NULL,
    expected_at  timestamptz,
    ended_at     timestamptz,
    CONSTRAINT ticket_outage_end CHECK ((state = 'ENDED') = (ended_at IS NOT NULL))
);
CREATE INDEX ticket_outage_open ON ticket_outage (community_id) WHERE state = 'OPEN';
CREATE INDEX ticket_outage_list ON ticket_outage (community_id, began_at, id);
SELECT linli_allow_moves('ticket_outage', ARRAY['OPEN>ENDED']);

-- What was told of an outage to all who reported it, once each.
CREATE TABLE ticket_outage_note (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL,
    outage_id    uuid NOT NULL REFERENCES ticket_outage (id),
    at           timestamptz NOT NULL,
    staff_id     uuid NOT NULL,
    words        text NOT NULL CHECK (length(words) BETWEEN 1 AND 200)
);
CREATE INDEX ticket_outage_note_of ON ticket_outage_note (outage_id, id);
CREATE TRIGGER ticket_outage_note_append_only BEFORE UPDATE OR DELETE ON ticket_outage_note
    FOR EACH ROW EXECUTE FUNCTION linli_refuse_change();

-- building_id: of the house, or the one that was named. urged_times: in this round.
ALTER TABLE ticket
    ADD COLUMN building_id uuid,
    ADD COLUMN outage_id   uuid REFERENCES ticket_outage (id),
    ADD COLUMN urged_times integer NOT NULL DEFAULT 0 CHECK (urged_times >= 0),
    ADD COLUMN urged_at    timestamptz,
    ADD CONSTRAINT ticket_urged CHECK (urged_times = 0 OR urged_at IS NOT NULL);
UPDATE ticket t SET building_id = h.building_id FROM house h WHERE h.id = t.house_id;
CREATE INDEX ticket_by_outage ON ticket (outage_id, state) WHERE outage_id IS NOT NULL;
-- What waits for somebody, and what a new one may be a duplicate of.
CREATE INDEX ticket_waiting ON ticket (submitted_at, id) WHERE state IN ('SUBMITTED', 'TRIAGED', 'RETURNED') AND outage_id IS NULL;
CREATE INDEX ticket_by_building ON ticket (community_id, building_id, category_id, submitted_at);
-- A ticket that an outage has bound is done when the outage is over.
SELECT linli_allow_more_moves('ticket', ARRAY['TRIAGED>DONE']);

-- A clock that was told of (预警, 升级): each level once.
CREATE TABLE ticket_alarm (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL,
    clock_id     bigint NOT NULL REFERENCES ticket_clock (id) ON DELETE CASCADE,
    level        text NOT NULL CHECK (level IN ('warning', 'desk', 'manager')),
    at           timestamptz NOT NULL,
    CONSTRAINT ticket_alarm_once UNIQUE (clock_id, level)
);

CREATE OR REPLACE VIEW ticket_house AS SELECT id, community_id, label, building_id FROM house;
CREATE VIEW ticket_building AS SELECT id, community_id, name FROM building;

-- What figures are made of (统计): one row per promise that was kept or broken, per piece of work, per rating. `at` is the instant
-- in whose period it counts. A promise is decided when it is kept, or when its time is over.
CREATE VIEW ticket_promise_fact AS
    SELECT c.community_id, t.category_id, t.building_id, c.kind, c.ticket_id, c.due_at, least(c.stopped_at, c.due_at) AS at,
           c.stopped_at IS NOT NULL AND c.stopped_at <= c.due_at AS kept, c.stopped_at IS NOT NULL AS stopped,
           (SELECT a.staff_id FROM ticket_assignment a
             WHERE a.ticket_id = c.ticket_id AND a.assigned_at <= least(c.stopped_at, c.due_at)
               AND (a.ended_at IS NULL OR a.ended_at >= least(c.stopped_at, c.due_at))
             ORDER BY a.id DESC LIMIT 1) AS staff_id
      FROM ticket_clock c JOIN ticket t ON t.id = c.ticket_id
     WHERE t.state NOT IN ('CANCELLED', 'REJECTED', 'MERGED')
       AND (c.paused_at IS NULL OR c.due_at <= c.paused_at);
CREATE VIEW ticket_work_fact AS
    SELECT a.community_id, t.category_id, t.building_id, a.ticket_id, a.staff_id, a.assigned_at, a.ended_at, a.ended_as,
           a.ended_as = 'done' AND NOT EXISTS (
               SELECT FROM ticket_assignment e
                WHERE e.ticket_id = a.ticket_id AND e.ended_as = 'done' AND e.id < a.id) AS first_done,
           NOT EXISTS (SELECT FROM ticket_assignment e WHERE e.ticket_id = a.ticket_id AND e.id <> a.id) AS alone,
           t.round > 1 AS reopened
      FROM ticket_assignment a JOIN ticket t ON t.id = a.ticket_id;
CREATE VIEW ticket_rating_fact AS
    SELECT r.community_id, t.category_id, t.building_id, r.ticket_id, r.stars, r.rated_at AS at,
           (SELECT a.staff_id FROM ticket_assignment a
             WHERE a.ticket_id = r.ticket_id AND a.ended_as = 'done' AND a.ended_at <= r.rated_at
             ORDER BY a.id DESC LIMIT 1) AS staff_id
      FROM ticket_rating r JOIN ticket t ON t.id = r.ticket_id;
CREATE INDEX ticket_clock_by_due ON ticket_clock (community_id, due_at);
CREATE INDEX ticket_assignment_ended ON ticket_assignment (community_id, ended_at);
CREATE INDEX ticket_assignment_begun ON ticket_assignment (community_id, assigned_at);
CREATE INDEX ticket_rating_at ON ticket_rating (community_id, rated_at);
