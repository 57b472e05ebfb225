-- Tickets: repairs, complaints, suggestions, consultations as one state machine (D9, R6, R7).

-- What a company sets for all of its tickets. hours: [["08:30", "12:00"], …], windows of a working day. resident_daily: tickets of
-- one resident on a day; worker_open: tickets that one worker may have in hand.
CREATE TABLE ticket_rule (
    company_id     uuid PRIMARY KEY REFERENCES company (id),
    hours          jsonb NOT NULL,
    resident_daily integer NOT NULL CHECK (resident_daily BETWEEN 1 AND 1000),
    worker_open    integer NOT NULL CHECK (worker_open BETWEEN 1 AND 1000),
    changed_at     timestamptz NOT NULL
);

-- A category (工单类别) with what is promised for it. community_id NULL: in all communities of the company. measure: what the
-- numbers *_within count. dispatch: who finds the worker. follow_up: whether it is closed without a call. daily: tickets of one
-- resident on a day in this category; NULL: as many as the company's rule allows.
CREATE TABLE ticket_category (
    id                 uuid PRIMARY KEY,
    company_id         uuid NOT NULL REFERENCES company (id),
    community_id       uuid REFERENCES community (id),
    parent_id          uuid REFERENCES ticket_category (id),
    name               text NOT NULL CHECK (length(name) BETWEEN 1 AND 20),
    kind               text NOT NULL CHECK (kind IN ('repair_public', 'repair_home', 'complaint', 'suggestion',
                                                     'consultation', 'praise')),
    dispatch           text NOT NULL CHECK (dispatch IN ('assign', 'grab', 'rota')),
    measure            text NOT NULL CHECK (measure IN ('minutes', 'working_minutes', 'working_days')),
    respond_within     integer CHECK (respond_within > 0),
    arrive_within      integer CHECK (arrive_within > 0),
    finish_within      integer CHECK (finish_within > 0),
    follow_up          text NOT NULL CHECK (follow_up IN ('none', 'unrated', 'always')),
    paid               boolean NOT NULL,
    needs_approval     boolean NOT NULL,
    warranty_days      integer NOT NULL CHECK (warranty_days BETWEEN 0 AND 3650),
    auto_sign_off_days integer NOT NULL CHECK (auto_sign_off_days BETWEEN 1 AND 90),
    reopen_days        integer NOT NULL CHECK (reopen_days BETWEEN 0 AND 365),
    daily              integer CHECK (daily BETWEEN 1 AND 1000),
    created_at         timestamptz NOT NULL,
    withdrawn_at       timestamptz,
    CONSTRAINT ticket_category_child CHECK (parent_id <> id)
);
CREATE UNIQUE INDEX ticket_category_name ON ticket_category (company_id, community_id, parent_id, name)
    NULLS NOT DISTINCT WHERE withdrawn_at IS NULL;

-- no: the number that people say. house_id NULL: of a public area, at `place`. person_id NULL: nobody with an account. round: grows
-- with every reopening. resumes_to: the state that a paused one comes back to. approved_at: work that takes leave has it.
CREATE TABLE ticket (
    id             uuid PRIMARY KEY,
    no             bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    community_id   uuid NOT NULL,
    category_id    uuid NOT NULL REFERENCES ticket_category (id),
    kind           text NOT NULL CHECK (kind IN ('repair_public', 'repair_home', 'complaint', 'suggestion',
                                                 'consultation', 'praise')),
    state          text NOT NULL CHECK (state IN (
                       'SUBMITTED', 'TRIAGED', 'ASSIGNED', 'ACCEPTED', 'ON_SITE', 'QUOTED', 'AGREED', 'DONE', 'SIGNED_OFF',
                       'AUTO_SIGNED_OFF', 'PAID', 'RATED', 'FOLLOWED_UP', 'CLOSED', 'PAUSED', 'RETURNED', 'TRANSFERRED',
                       'CANCELLED', 'REJECTED', 'REOPENED', 'MERGED')),
    channel        text NOT NULL CHECK (channel IN ('miniprogram', 'phone', 'paper', 'staff')),
    house_id       uuid,
    person_id      uuid,
    place          text CHECK (length(place) BETWEEN 1 AND 100),
    description    text NOT NULL CHECK (length(description) BETWEEN 1 AND 1000),
    urgent         boolean NOT NULL,
    round          integer NOT NULL DEFAULT 1 CHECK (round > 0),
    resumes_to     text CHECK (resumes_to IN ('ACCEPTED', 'ON_SITE', 'QUOTED', 'AGREED')),
    paused_until   timestamptz,
    merged_into    uuid REFERENCES ticket (id),
    approved_at    timestamptz,
    warranty_until date,
    submitted_at   timestamptz NOT NULL,
    moved_at       timestamptz NOT NULL,
    done_at        timestamptz,
    closed_at      timestamptz,
    CONSTRAINT ticket_place CHECK (num_nonnulls(house_id, place) > 0),
    CONSTRAINT ticket_paused CHECK ((state = 'PAUSED') = (num_nonnulls(resumes_to, paused_until) = 2)
                                AND num_nonnulls(resumes_to, paused_until) IN (0, 2)),
    CONSTRAINT ticket_merged CHECK ((state = 'MERGED') = (merged_into IS NOT NULL) AND merged_into IS DISTINCT FROM id)
);
CREATE INDEX ticket_by_community ON ticket (community_id, submitted_at, id);
CREATE INDEX ticket_by_state ON ticket (community_id, state, submitted_at, id);
CREATE INDEX ticket_by_house ON ticket (house_id, submitted_at, id) WHERE house_id IS NOT NULL;
CREATE INDEX ticket_by_person ON ticket (person_id, submitted_at, id) WHERE person_id IS NOT NULL;
CREATE INDEX ticket_merged_into ON ticket (merged_into) WHERE merged_into IS NOT NULL;
-- What the clock moves: pauses that end, work that is signed off by itself, what is closed in the end.
CREATE INDEX ticket_paused_until ON ticket (paused_until) WHERE state = 'PAUSED';
CREATE INDEX ticket_settling ON ticket (moved_at)
    WHERE state IN ('DONE', 'SIGNED_OFF', 'AUTO_SIGNED_OFF', 'PAID', 'RATED', 'FOLLOWED_UP');
SELECT linli_allow_moves('ticket', ARRAY[
    'SUBMITTED>CANCELLED', 'SUBMITTED>MERGED', 'SUBMITTED>REJECTED', 'SUBMITTED>TRIAGED', 'TRIAGED>ACCEPTED',
    'TRIAGED>ASSIGNED', 'TRIAGED>CANCELLED', 'TRIAGED>MERGED', 'TRIAGED>REJECTED', 'ASSIGNED>ACCEPTED',
    'ASSIGNED>CANCELLED', 'ASSIGNED>MERGED', 'ASSIGNED>RETURNED', 'ASSIGNED>TRANSFERRED', 'ACCEPTED>ON_SITE',
    'ACCEPTED>PAUSED', 'ACCEPTED>RETURNED', 'ACCEPTED>TRANSFERRED', 'ON_SITE>DONE', 'ON_SITE>PAUSED', 'ON_SITE>QUOTED',
    'ON_SITE>RETURNED', 'ON_SITE>TRANSFERRED', 'QUOTED>AGREED', 'QUOTED>ON_SITE', 'QUOTED>PAUSED', 'QUOTED>TRANSFERRED',
    'AGREED>DONE', 'AGREED>PAUSED', 'AGREED>QUOTED', 'AGREED>TRANSFERRED', 'DONE>AUTO_SIGNED_OFF', 'DONE>REOPENED',
    'DONE>SIGNED_OFF', 'SIGNED_OFF>CLOSED', 'SIGNED_OFF>FOLLOWED_UP', 'SIGNED_OFF>PAID', 'SIGNED_OFF>RATED',
    'SIGNED_OFF>REOPENED', 'AUTO_SIGNED_OFF>CLOSED', 'AUTO_SIGNED_OFF>FOLLOWED_UP', 'AUTO_SIGNED_OFF>PAID',
    'AUTO_SIGNED_OFF>RATED', 'AUTO_SIGNED_OFF>REOPENED', 'PAID>CLOSED', 'PAID>FOLLOWED_UP', 'PAID>RATED',
    'PAID>REOPENED', 'RATED>CLOSED', 'RATED>FOLLOWED_UP', 'RATED>REOPENED', 'FOLLOWED_UP>CLOSED',
    'FOLLOWED_UP>REOPENED', 'CLOSED>REOPENED', 'PAUSED>ACCEPTED', 'PAUSED>AGREED', 'PAUSED>ON_SITE', 'PAUSED>QUOTED',
    'PAUSED>TRANSFERRED', 'RETURNED>ACCEPTED', 'RETURNED>ASSIGNED', 'RETURNED>CANCELLED', 'RETURNED>MERGED',
    'RETURNED>REJECTED', 'RETURNED>TRIAGED', 'TRANSFERRED>ACCEPTED', 'TRANSFERRED>RETURNED', 'REOPENED>ASSIGNED',
    'REOPENED>CANCELLED', 'REOPENED>MERGED', 'REOPENED>REJECTED', 'REOPENED>TRIAGED']);

-- What happened to a ticket (工单进度): one row per move, never changed. details: what else the move says, without personal data.
-- media_ids: photos and videos that came with it.
CREATE TABLE ticket_event (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL,
    ticket_id    uuid NOT NULL REFERENCES ticket (id),
    move         text NOT NULL,
    from_state   text,
    to_state     text NOT NULL,
    at           timestamptz NOT NULL,
    actor_kind   text NOT NULL CHECK (actor_kind IN ('resident', 'staff', 'system')),
    actor_id     uuid,
    reason       text,
    details      jsonb NOT NULL,
    media_ids    uuid[],
    CONSTRAINT ticket_event_first CHECK ((move = 'submit') = (from_state IS NULL))
);
CREATE INDEX ticket_event_ticket ON ticket_event (ticket_id, id);
CREATE TRIGGER ticket_event_append_only BEFORE UPDATE OR DELETE ON ticket_event
    FOR EACH ROW EXECUTE FUNCTION linli_refuse_change();

-- Who has a ticket in hand, and had: one open row per ticket (I-21). assigned_by NULL: the system.
CREATE TABLE ticket_assignment (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL,
    ticket_id    uuid NOT NULL REFERENCES ticket (id),
    staff_id     uuid NOT NULL,
    assigned_by  uuid,
    assigned_at  timestamptz NOT NULL,
    accepted_at  timestamptz,
    ended_at     timestamptz,
    ended_as     text CHECK (ended_as IN ('transferred', 'returned', 'done', 'dropped')),
    CONSTRAINT ticket_assignment_end CHECK ((ended_at IS NULL) = (ended_as IS NULL)),
    CONSTRAINT ticket_assignment_forward CHECK (accepted_at >= assigned_at AND ended_at >= assigned_at)
);
CREATE UNIQUE INDEX ticket_assignment_open ON ticket_assignment (ticket_id) WHERE ended_at IS NULL;
CREATE INDEX ticket_assignment_hand ON ticket_assignment (staff_id, ticket_id) WHERE ended_at IS NULL;
CREATE INDEX ticket_assignment_ticket ON ticket_assignment (ticket_id, id);

-- What is promised for a round of a ticket (时限). stopped_at: kept, or void. paused_at: stands still since then; due_at grows when it
-- goes on. paused_s: how long it has stood still.
CREATE TABLE ticket_clock (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL,
    ticket_id    uuid NOT NULL REFERENCES ticket (id),
    round        integer NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('respond', 'arrive', 'finish')),
    measure      text NOT NULL CHECK (measure IN ('minutes', 'working_minutes', 'working_days')),
    within       integer NOT NULL CHECK (within > 0),
    started_at   timestamptz NOT NULL,
    due_at       timestamptz NOT NULL,
    paused_at    timestamptz,
    paused_s     bigint NOT NULL DEFAULT 0 CHECK (paused_s >= 0),
    stopped_at   timestamptz,
    CONSTRAINT ticket_clock_once UNIQUE (ticket_id, round, kind),
    CONSTRAINT ticket_clock_forward CHECK (due_at > started_at AND paused_at >= started_at AND stopped_at >= started_at),
    CONSTRAINT ticket_clock_still CHECK (stopped_at IS NULL OR paused_at IS NULL)
);
CREATE INDEX ticket_clock_due ON ticket_clock (due_at) WHERE stopped_at IS NULL AND paused_at IS NULL;

-- What the resident says about a round of a ticket (评价).
CREATE TABLE ticket_rating (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL,
    ticket_id    uuid NOT NULL REFERENCES ticket (id),
    round        integer NOT NULL,
    stars        smallint NOT NULL CHECK (stars BETWEEN 1 AND 5),
    tags         text[] NOT NULL CHECK (cardinality(tags) <= 10),
    words        text NOT NULL CHECK (length(words) <= 500),
    rated_at     timestamptz NOT NULL,
    CONSTRAINT ticket_rating_once UNIQUE (ticket_id, round)
);

-- What tickets may know of houses and of those who work: a role for all of the company stands without a community.
CREATE VIEW ticket_house AS SELECT id, community_id, label FROM house;
CREATE VIEW ticket_staff AS
    SELECT m.id, m.company_id, m.name, r.role, r.community_id
      FROM staff m JOIN staff_role r ON r.staff_id = m.id
     WHERE m.state = 'ACTIVE';
CREATE VIEW ticket_staff_name AS SELECT id, name FROM staff;

-- Messages reach members of staff as well, by their own ids and the WeChat account that they have bound.
CREATE OR REPLACE VIEW message_person AS
    SELECT id AS person_id FROM person WHERE removed_at IS NULL
     UNION ALL
    SELECT id FROM staff WHERE state = 'ACTIVE';
CREATE OR REPLACE VIEW message_address AS
    SELECT u.id AS wechat_user_id, u.person_id, u.appid, u.openid, u.reachable
      FROM wechat_user u JOIN person p ON p.id = u.person_id
     WHERE p.removed_at IS NULL
     UNION ALL
    SELECT u.id, u.staff_id, u.appid, u.openid, u.reachable
      FROM wechat_user u JOIN staff m ON m.id = u.staff_id
     WHERE m.state = 'ACTIVE';
