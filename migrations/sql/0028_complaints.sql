-- Complaints, suggestions, consultations, praise (D9, R7): promises of their own, anonymity, causes, replies, disputed bills.

SELECT linli_allow_more_moves('ticket', ARRAY[
    'RETURNED>DONE', 'REOPENED>DONE', 'ACCEPTED>DONE']);

-- Who reported an anonymous ticket stands in ticket_reporter, never in the ticket.
ALTER TABLE ticket ADD COLUMN anonymous boolean NOT NULL DEFAULT false;
ALTER TABLE ticket ADD CONSTRAINT ticket_anonymous CHECK (NOT anonymous OR num_nonnulls(house_id, person_id) = 0);

ALTER TABLE ticket_clock DROP CONSTRAINT ticket_clock_kind_check;
ALTER TABLE ticket_clock ADD CONSTRAINT ticket_clock_kind_check
    CHECK (kind IN ('respond', 'arrive', 'finish', 'contact', 'answer'));

-- What a company sets for complaints. promises: [{"nature": null, "urgency": "urgent", "contact_days": 1, "answer_days": 3}, …].
-- rating_tags: what a rating may say; empty: anything. dispute_category_id: where disputed bills come in; NULL: they do not.
CREATE TABLE ticket_complaint_policy (
    company_id          uuid PRIMARY KEY REFERENCES company (id),
    promises            jsonb NOT NULL,
    rating_tags         text[] NOT NULL CHECK (cardinality(rating_tags) <= 30),
    dispute_category_id uuid REFERENCES ticket_category (id),
    changed_at          timestamptz NOT NULL
);

-- Why something went wrong (根因), as the company names it.
CREATE TABLE ticket_cause (
    id           uuid PRIMARY KEY,
    company_id   uuid NOT NULL REFERENCES company (id),
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 20),
    created_at   timestamptz NOT NULL,
    withdrawn_at timestamptz
);
CREATE UNIQUE INDEX ticket_cause_name ON ticket_cause (company_id, name) WHERE withdrawn_at IS NULL;

-- What a complaint, a suggestion, a consultation or praise has besides the ticket. taken_by: who typed it in. caller_*: who called
-- or wrote, sealed. paper_no: the number on the paper. bill_id: the bill that is disputed.
CREATE TABLE ticket_complaint (
    ticket_id           uuid PRIMARY KEY REFERENCES ticket (id),
    community_id        uuid NOT NULL,
    nature              text NOT NULL CHECK (nature IN ('service', 'fees', 'cleaning', 'greenery', 'security', 'facilities',
                                                        'parking', 'noise', 'neighbours', 'other')),
    urgency             text NOT NULL CHECK (urgency IN ('usual', 'urgent', 'grave')),
    taken_by            uuid,
    caller_name_sealed  bytea,
    caller_phone_sealed bytea,
    caller_phone_blind  bytea CHECK (length(caller_phone_blind) = 16),
    paper_no            text CHECK (length(paper_no) BETWEEN 1 AND 30),
    bill_id             uuid,
    cause_id            uuid REFERENCES ticket_cause (id),
    outcome             text CHECK (outcome IN ('adopted', 'not_adopted', 'upheld', 'adjusted', 'rejected')),
    CONSTRAINT ticket_complaint_caller CHECK (taken_by IS NOT NULL OR num_nonnulls(caller_name_sealed, caller_phone_sealed) = 0),
    CONSTRAINT ticket_complaint_phone CHECK ((caller_phone_sealed IS NULL) = (caller_phone_blind IS NULL))
);
CREATE INDEX ticket_complaint_community ON ticket_complaint (community_id, nature, ticket_id);
CREATE INDEX ticket_complaint_caller_phone ON ticket_complaint (caller_phone_blind) WHERE caller_phone_blind IS NOT NULL;
CREATE INDEX ticket_complaint_bill ON ticket_complaint (bill_id) WHERE bill_id IS NOT NULL;

-- Who reported an anonymous ticket: read to show it to that person, to tell that person, and by an approved look.
CREATE TABLE ticket_reporter (
    ticket_id    uuid PRIMARY KEY REFERENCES ticket (id),
    community_id uuid NOT NULL,
    person_id    uuid NOT NULL,
    house_id     uuid NOT NULL
);
CREATE INDEX ticket_reporter_person ON ticket_reporter (person_id, ticket_id);

-- Leave for one member of staff to see who reported an anonymous ticket, given by another, for a while.
CREATE TABLE ticket_look (
    approval_id  uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    ticket_id    uuid NOT NULL REFERENCES ticket (id),
    staff_id     uuid NOT NULL,
    granted_by   uuid NOT NULL,
    reason       text NOT NULL,
    granted_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    CONSTRAINT ticket_look_second_person CHECK (granted_by <> staff_id),
    CONSTRAINT ticket_look_ends CHECK (expires_at > granted_at)
);
CREATE INDEX ticket_look_ticket ON ticket_look (ticket_id, staff_id, expires_at);

-- What staff answer to a rating (评价回复): once.
CREATE TABLE ticket_rating_reply (
    rating_id    bigint PRIMARY KEY REFERENCES ticket_rating (id),
    community_id uuid NOT NULL,
    words        text NOT NULL CHECK (length(words) BETWEEN 1 AND 500),
    replied_by   uuid NOT NULL,
    replied_at   timestamptz NOT NULL
);

-- A bill is disputed (账单异议): late fee and dunning of that bill stand still while it is. One at a time.
CREATE TABLE bill_dispute (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    bill_id      uuid NOT NULL REFERENCES bill (id),
    opened_at    timestamptz NOT NULL,
    ended_at     timestamptz,
    outcome      text CHECK (outcome IN ('upheld', 'adjusted', 'rejected', 'withdrawn')),
    CONSTRAINT bill_dispute_end CHECK ((ended_at IS NULL) = (outcome IS NULL) AND ended_at >= opened_at)
);
CREATE UNIQUE INDEX bill_dispute_open ON bill_dispute (bill_id) WHERE ended_at IS NULL;
CREATE INDEX bill_dispute_bill ON bill_dispute (bill_id, opened_at);
