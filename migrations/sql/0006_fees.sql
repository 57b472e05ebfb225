-- Fees: items, prices, billing runs, bills (D2, D3).

-- anchor 'handover': years from each house's handover; a run takes the houses whose year begins in its month.
CREATE TABLE fee_item (
    id             uuid PRIMARY KEY,
    no             bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    community_id   uuid NOT NULL REFERENCES community (id),
    code           text NOT NULL,
    name           text NOT NULL,
    type           text NOT NULL CHECK (type IN ('property', 'parking', 'water', 'electricity', 'gas', 'heating',
                       'service', 'deposit', 'rent', 'shared', 'maintenance_fund', 'other')),
    nature         text NOT NULL CHECK (nature IN ('one_off', 'recurring', 'recurring_until')),
    formula        text NOT NULL CHECK (formula IN ('gross_area', 'inner_area', 'fixed')),
    cycle_months   integer NOT NULL CHECK (cycle_months IN (1, 2, 3, 6, 12)),
    anchor         text NOT NULL DEFAULT 'calendar' CHECK (anchor IN ('calendar', 'handover')),
    prepaid        boolean NOT NULL DEFAULT false,
    lead_days      integer NOT NULL DEFAULT 0 CHECK (lead_days BETWEEN 0 AND 366),
    due_days       integer NOT NULL DEFAULT 30 CHECK (due_days BETWEEN 0 AND 366),
    rounding       text NOT NULL CHECK (rounding IN ('half_up', 'up', 'down')),
    rounding_unit  text NOT NULL CHECK (rounding_unit IN ('fen', 'jiao', 'yuan')),
    house_kinds    text[] NOT NULL,
    liable         text NOT NULL CHECK (liable IN ('owner', 'tenant')),
    payable_online boolean NOT NULL DEFAULT true,
    valid_from     date NOT NULL,
    valid_until    date,
    state          text NOT NULL CHECK (state IN ('ACTIVE', 'CLOSED')),
    created_at     timestamptz NOT NULL,
    CONSTRAINT fee_item_code UNIQUE (community_id, code),
    CONSTRAINT fee_item_validity CHECK (valid_until IS NULL OR valid_until > valid_from),
    CONSTRAINT fee_item_anchor CHECK (anchor = 'calendar' OR (cycle_months = 12 AND nature <> 'one_off')),
    CONSTRAINT fee_item_until CHECK ((nature = 'recurring_until') = (valid_until IS NOT NULL))
);

-- rate_micro: millionths of a yuan per m² and month (area formulas) or per month (fixed).
CREATE TABLE price_version (
    id              uuid PRIMARY KEY,
    item_id         uuid NOT NULL REFERENCES fee_item (id),
    item_no         bigint NOT NULL,
    rate_micro      bigint NOT NULL CHECK (rate_micro >= 0),
    effective_from  date NOT NULL,
    effective_until date,
    created_at      timestamptz NOT NULL,
    CONSTRAINT price_version_forward CHECK (effective_until IS NULL OR effective_until > effective_from),
    CONSTRAINT price_version_one_a_day EXCLUDE USING gist (
        int8range(item_no, item_no, '[]') WITH &&,
        daterange(effective_from, effective_until) WITH &&)
);

CREATE TABLE billing_exclusion (
    item_id    uuid NOT NULL REFERENCES fee_item (id),
    house_id   uuid NOT NULL REFERENCES house (id),
    reason     text NOT NULL,
    created_by uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (item_id, house_id)
);

-- plan: the item and its price versions as they were when the run was made; generation reads nothing else (F-18).
-- only_house_id: a single bill. after_house: the last house.no done. cleared_at: drafts of a cancelled run are gone.
CREATE TABLE billing_run (
    id            uuid PRIMARY KEY,
    community_id  uuid NOT NULL REFERENCES community (id),
    item_id       uuid NOT NULL REFERENCES fee_item (id),
    period_start  date NOT NULL,
    period_end    date NOT NULL,
    supplement    integer NOT NULL DEFAULT 0,
    state         text NOT NULL CHECK (state IN ('DRAFT', 'GENERATING', 'READY', 'PUBLISHED', 'CANCELLED', 'FAILED')),
    plan          jsonb NOT NULL,
    only_house_id uuid REFERENCES house (id),
    due_on        date NOT NULL,
    house_count   bigint NOT NULL DEFAULT 0,
    after_house   bigint NOT NULL DEFAULT 0,
    bill_count    bigint NOT NULL DEFAULT 0,
    total_fen     bigint NOT NULL DEFAULT 0,
    omitted_count bigint NOT NULL DEFAULT 0,
    created_by    uuid,
    created_at    timestamptz NOT NULL,
    published_by  uuid,
    published_at  timestamptz,
    cleared_at    timestamptz,
    error         text,
    CONSTRAINT billing_run_period CHECK (period_end > period_start)
);
CREATE UNIQUE INDEX billing_run_once ON billing_run (item_id, period_start, supplement)
    WHERE state NOT IN ('CANCELLED', 'FAILED');
CREATE INDEX billing_run_item ON billing_run (item_id, period_start);
CREATE TRIGGER billing_run_moves BEFORE UPDATE ON billing_run FOR EACH ROW EXECUTE FUNCTION linli_check_move(
    'DRAFT>GENERATING', 'DRAFT>CANCELLED', 'GENERATING>READY', 'GENERATING>FAILED', 'GENERATING>CANCELLED',
    'READY>PUBLISHED', 'READY>CANCELLED');

-- Rows of runs carry no foreign keys: a run writes them by the hundred thousand from rows that it has just read.
CREATE TABLE billing_omission (
    run_id   uuid NOT NULL,
    house_id uuid NOT NULL,
    reason   text NOT NULL CHECK (reason IN ('kind_not_covered', 'excluded', 'no_handover_date', 'not_handed_over',
                 'outside_validity', 'no_area', 'no_price', 'exempt', 'zero_amount', 'amount_too_large',
                 'already_billed')),
    PRIMARY KEY (run_id, house_id)
);
CREATE INDEX billing_omission_reason ON billing_omission (run_id, reason);

-- A bill of a run is a draft until the run is PUBLISHED; that one row makes all of them visible (design section 4).
-- period_end is exclusive. principal and late fee are counted apart (I-04).
CREATE TABLE bill (
    id               uuid PRIMARY KEY,
    community_id     uuid NOT NULL,
    item_id          uuid NOT NULL,
    house_id         uuid NOT NULL,
    run_id           uuid NOT NULL,
    period_start     date NOT NULL,
    period_end       date NOT NULL,
    seq              integer NOT NULL DEFAULT 0 CHECK (seq >= 0),
    state            text NOT NULL CHECK (state IN ('ISSUED', 'PARTLY_PAID', 'PAID', 'VOIDED')),
    principal_fen    bigint NOT NULL CHECK (principal_fen > 0),
    late_fee_fen     bigint NOT NULL DEFAULT 0 CHECK (late_fee_fen >= 0),
    paid_fen         bigint NOT NULL DEFAULT 0,
    refunded_fen     bigint NOT NULL DEFAULT 0,
    late_paid_fen    bigint NOT NULL DEFAULT 0,
    late_refunded_fen bigint NOT NULL DEFAULT 0,
    liable_kind      text NOT NULL CHECK (liable_kind IN ('owner', 'developer', 'tenant')),
    liable_person_id uuid,
    due_on           date NOT NULL,
    created_at       timestamptz NOT NULL,
    paid_at          timestamptz,
    voided_at        timestamptz,
    CONSTRAINT bill_principal_bounds CHECK (paid_fen >= refunded_fen AND refunded_fen >= 0
                                            AND paid_fen - refunded_fen <= principal_fen),
    CONSTRAINT bill_late_fee_bounds CHECK (late_paid_fen >= late_refunded_fen AND late_refunded_fen >= 0
                                           AND late_paid_fen - late_refunded_fen <= late_fee_fen)
);
CREATE UNIQUE INDEX bill_identity ON bill (item_id, house_id, period_start, seq) WHERE state <> 'VOIDED';
CREATE INDEX bill_house ON bill (house_id, period_start DESC, id DESC);
CREATE INDEX bill_run ON bill (run_id);
CREATE INDEX bill_liable ON bill (liable_person_id, period_start DESC) WHERE liable_person_id IS NOT NULL;
CREATE TRIGGER bill_moves BEFORE UPDATE ON bill FOR EACH ROW EXECUTE FUNCTION linli_check_move(
    'ISSUED>PARTLY_PAID', 'ISSUED>PAID', 'ISSUED>VOIDED', 'PARTLY_PAID>PAID', 'PARTLY_PAID>ISSUED', 'PARTLY_PAID>VOIDED',
    'PAID>PARTLY_PAID', 'PAID>ISSUED');

-- inputs: what the run knew of the segment (price version, days); area and coefficient are the house's.
-- exact_num / exact_den: the line's amount in fen before the bill was rounded once (D2).
CREATE TABLE bill_line (
    bill_id     uuid NOT NULL,
    seq         smallint NOT NULL,
    label       text NOT NULL,
    inputs      jsonb NOT NULL,
    area_cm2    bigint,
    coefficient numeric(8, 4) NOT NULL DEFAULT 1,
    exact_num   numeric NOT NULL,
    exact_den   numeric NOT NULL CHECK (exact_den > 0),
    amount_fen  bigint NOT NULL CHECK (amount_fen >= 0),
    PRIMARY KEY (bill_id, seq)
);

-- All that fees reads of property: who may be billed, and who owes.
CREATE VIEW billable_house AS
    SELECT id, no, community_id, kind, label, gross_area_cm2, inner_area_cm2, fee_coefficient, handover_on FROM house;
CREATE VIEW house_party AS
    SELECT house_id, person_id, person_no, role, starts_on, ends_on FROM occupancy;
