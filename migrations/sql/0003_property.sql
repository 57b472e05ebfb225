-- Property: company → community → building → unit → house, and who lives where (D1, S1).

CREATE TABLE company (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE community (
    id         uuid PRIMARY KEY,
    company_id uuid NOT NULL REFERENCES company (id),
    code       text NOT NULL,
    name       text NOT NULL,
    address    text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL,
    CONSTRAINT community_code UNIQUE (company_id, code)
);

-- What other nouns may know of communities: roles of staff are scoped by it.
CREATE VIEW company_community AS SELECT company_id, id AS community_id FROM community;

CREATE TABLE building (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL REFERENCES community (id),
    code         text NOT NULL,
    name         text NOT NULL,
    CONSTRAINT building_code UNIQUE (community_id, code)
);

-- A building without units has one unit with the empty code.
CREATE TABLE unit (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL REFERENCES community (id),
    building_id  uuid NOT NULL REFERENCES building (id),
    code         text NOT NULL,
    CONSTRAINT unit_code UNIQUE (building_id, code)
);

CREATE TABLE house (
    id              uuid PRIMARY KEY,
    no              bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    community_id    uuid NOT NULL REFERENCES community (id),
    building_id     uuid NOT NULL REFERENCES building (id),
    unit_id         uuid NOT NULL REFERENCES unit (id),
    code            text NOT NULL,
    label           text NOT NULL,
    search_key      text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('residence', 'shop', 'storage', 'parking_for_sale')),
    gross_area_cm2  bigint CHECK (gross_area_cm2 > 0),
    inner_area_cm2  bigint CHECK (inner_area_cm2 > 0),
    floor           integer,
    fee_coefficient numeric(8, 4) NOT NULL DEFAULT 1 CHECK (fee_coefficient >= 0),
    handover_on     date,
    attributes      jsonb NOT NULL DEFAULT '{}',
    pay_code        text NOT NULL UNIQUE,
    created_at      timestamptz NOT NULL,
    CONSTRAINT house_code UNIQUE (unit_id, code),
    CONSTRAINT house_number UNIQUE (id, no, community_id)
);
CREATE INDEX house_by_community ON house (community_id, no);
CREATE INDEX house_search ON house (community_id, search_key text_pattern_ops);
CREATE INDEX house_door ON house (community_id, code text_pattern_ops);

-- `ends_on` is the first day without the tie. The numbers are those of the rows: the foreign keys say so.
CREATE TABLE occupancy (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    house_id     uuid NOT NULL,
    house_no     bigint NOT NULL,
    person_id    uuid NOT NULL,
    person_no    bigint NOT NULL,
    role         text NOT NULL CHECK (role IN ('owner', 'family', 'tenant')),
    starts_on    date NOT NULL,
    ends_on      date,
    source       text NOT NULL CHECK (source IN ('roster', 'phone', 'family_code', 'application', 'staff')),
    created_at   timestamptz NOT NULL,
    CONSTRAINT occupancy_house FOREIGN KEY (house_id, house_no, community_id) REFERENCES house (id, no, community_id),
    CONSTRAINT occupancy_forward CHECK (ends_on IS NULL OR ends_on >= starts_on),
    CONSTRAINT occupancy_once EXCLUDE USING gist (
        int8range(house_no, house_no, '[]') WITH &&,
        int8range(person_no, person_no, '[]') WITH &&,
        daterange(starts_on, ends_on) WITH &&)
);
CREATE INDEX occupancy_of_person ON occupancy (person_id, starts_on);
CREATE INDEX occupancy_of_house ON occupancy (house_id, role, starts_on, person_no);

-- What other nouns may know of ties: authentication reads it (I-23).
CREATE VIEW person_tie AS
    SELECT person_id, house_id, community_id, role, starts_on, ends_on FROM occupancy;

CREATE TABLE family_code (
    code_hash   bytea PRIMARY KEY,
    house_id    uuid NOT NULL REFERENCES house (id),
    role        text NOT NULL CHECK (role IN ('family', 'tenant')),
    created_by  uuid NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    used_by     uuid,
    used_at     timestamptz,
    CONSTRAINT family_code_used CHECK ((used_by IS NULL) = (used_at IS NULL))
);
CREATE INDEX family_code_house ON family_code (house_id, created_at);

-- summary: counts for people; errors: [{row, column, message}], the first few thousand.
CREATE TABLE roster_import (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL REFERENCES community (id),
    file_sha256  bytea NOT NULL,
    file_name    text NOT NULL,
    state        text NOT NULL CHECK (state IN ('CHECKING', 'READY', 'REFUSED', 'IMPORTING', 'IMPORTED', 'CANCELLED')),
    file_key     text NOT NULL,
    row_count    integer NOT NULL DEFAULT 0,
    done_rows    integer NOT NULL DEFAULT 0,
    error_count  integer NOT NULL DEFAULT 0,
    errors       jsonb NOT NULL DEFAULT '[]',
    summary      jsonb NOT NULL DEFAULT '{}',
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    finished_at  timestamptz
);
CREATE INDEX roster_import_list ON roster_import (community_id, created_at DESC);
CREATE UNIQUE INDEX roster_import_one_live ON roster_import (community_id, file_sha256)
    WHERE state IN ('CHECKING', 'READY', 'IMPORTING');
CREATE TRIGGER roster_import_moves BEFORE UPDATE ON roster_import FOR EACH ROW EXECUTE FUNCTION linli_check_move(
    'CHECKING>READY', 'CHECKING>REFUSED', 'READY>IMPORTING', 'READY>CANCELLED',
    'IMPORTING>IMPORTED', 'IMPORTING>REFUSED');

CREATE TABLE roster_export (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL REFERENCES community (id),
    approval_id  uuid NOT NULL UNIQUE REFERENCES approval (id),
    state        text NOT NULL CHECK (state IN ('WRITING', 'READY', 'EXPIRED')),
    file_key     text,
    row_count    integer NOT NULL DEFAULT 0,
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    finished_at  timestamptz
);
CREATE INDEX roster_export_list ON roster_export (community_id, created_at DESC);
CREATE TRIGGER roster_export_moves BEFORE UPDATE ON roster_export FOR EACH ROW EXECUTE FUNCTION linli_check_move(
    'WRITING>READY', 'READY>EXPIRED');
