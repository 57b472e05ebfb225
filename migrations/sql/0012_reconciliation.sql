-- Reconciliation: runs over the channels' statements, what they found, fees and settlements, the bank's file (D7).

-- One run per merchant, day and kind; a forced re-run keeps what people have handled. attempt is the fence of the lease:
-- whoever holds an older one changes nothing. merchant_id stands for all merchants with its number at the channel.
-- amount_fen and refund_fen are what the file came to (of a fund flow: in and out); fee_mfen its fees in thousandths of a
-- fen, exactly; fee_fen what was posted of them.
CREATE TABLE reconciliation_run (
    id            uuid PRIMARY KEY,
    merchant_id   uuid NOT NULL REFERENCES merchant (id),
    company_id    uuid NOT NULL,
    channel       text NOT NULL CHECK (channel IN ('wechat', 'alipay')),
    day           date NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('trades', 'refunds', 'fund_flow')),
    state         text NOT NULL CHECK (state IN ('RUNNING', 'DONE', 'FAILED')),
    attempt       integer NOT NULL DEFAULT 1,
    lease_until   timestamptz,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    file_sha256   bytea,
    lines         bigint,
    amount_fen    bigint,
    refund_fen    bigint,
    fee_fen       bigint,
    fee_mfen      bigint,
    matched       bigint,
    error         text,
    CONSTRAINT reconciliation_once UNIQUE (merchant_id, day, kind),
    CONSTRAINT reconciliation_done CHECK (state <> 'DONE' OR (finished_at IS NOT NULL AND lines IS NOT NULL))
);
CREATE INDEX reconciliation_open ON reconciliation_run (day) WHERE state <> 'DONE';
CREATE INDEX reconciliation_company ON reconciliation_run (company_id, day DESC, id);

-- What a run found: a difference may be found by several, such as a payment that two days tell apart.
-- statement_fen: what the statement says of it, in all its lines; 0 where it says nothing.
CREATE TABLE reconciliation_finding (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id         uuid NOT NULL REFERENCES reconciliation_run (id),
    difference_id  uuid NOT NULL REFERENCES difference (id),
    transaction_no text NOT NULL,
    subject        text NOT NULL,
    statement_fen  bigint NOT NULL,
    asked_at       timestamptz,
    CONSTRAINT reconciliation_finding_once UNIQUE (run_id, difference_id)
);
CREATE INDEX reconciliation_finding_of ON reconciliation_finding (transaction_no, subject);
CREATE INDEX reconciliation_finding_difference ON reconciliation_finding (difference_id);
CREATE INDEX difference_merchant ON difference (merchant_id, opened_at);

-- What was paid on a day; rows lie about in that order, so that the hot path pays next to nothing for it.
CREATE INDEX payment_attempt_paid ON payment_attempt USING brin (paid_at) WITH (pages_per_range = 32, autosummarize = on);

-- Fees posted for a run, by community (debit channel_fee, credit clearing); negative where more came back.
CREATE TABLE channel_fee (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id       uuid NOT NULL REFERENCES reconciliation_run (id),
    community_id uuid NOT NULL,
    merchant_id  uuid NOT NULL REFERENCES merchant (id),
    fee_fen      bigint NOT NULL,
    CONSTRAINT channel_fee_once UNIQUE (run_id, community_id, merchant_id)
);

-- Money that the channel paid out (结算) to the company's bank account, on its way until the bank's file shows it.
CREATE TABLE channel_settlement (
    id           uuid PRIMARY KEY,
    company_id   uuid NOT NULL,
    merchant_id  uuid NOT NULL REFERENCES merchant (id),
    channel      text NOT NULL,
    run_id       uuid NOT NULL REFERENCES reconciliation_run (id),
    flow_no      text NOT NULL,
    amount_fen   bigint NOT NULL CHECK (amount_fen > 0),
    left_on      date NOT NULL,
    bank_line_id bigint,
    matched_at   timestamptz,
    CONSTRAINT channel_settlement_flow UNIQUE (channel, merchant_id, flow_no),
    CONSTRAINT channel_settlement_matched CHECK ((bank_line_id IS NULL) = (matched_at IS NULL))
);
CREATE INDEX channel_settlement_open ON channel_settlement (company_id, left_on) WHERE matched_at IS NULL;

-- Out of which communities' clearing accounts it came.
CREATE TABLE channel_settlement_part (
    id            uuid PRIMARY KEY,
    settlement_id uuid NOT NULL REFERENCES channel_settlement (id),
    community_id  uuid NOT NULL,
    merchant_id   uuid NOT NULL REFERENCES merchant (id),
    amount_fen    bigint NOT NULL CHECK (amount_fen > 0),
    CONSTRAINT channel_settlement_part_once UNIQUE (settlement_id, community_id, merchant_id)
);

-- A difference written off with two people's consent: what it adds to the clearing account, or takes from it.
CREATE TABLE difference_write_off (
    id            uuid PRIMARY KEY,
    difference_id uuid NOT NULL UNIQUE REFERENCES difference (id),
    community_id  uuid NOT NULL,
    merchant_id   uuid NOT NULL,
    amount_fen    bigint NOT NULL CHECK (amount_fen <> 0),
    approval_id   uuid NOT NULL,
    written_at    timestamptz NOT NULL
);

-- How a company's bank writes its files: which column means what.
CREATE TABLE bank_layout (
    id         uuid PRIMARY KEY,
    company_id uuid NOT NULL,
    name       text NOT NULL,
    columns    jsonb NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL,
    CONSTRAINT bank_layout_once UNIQUE (company_id, name)
);

-- The bank's file, by column mapping of the company; a line is imported once, whatever file it comes in.
CREATE TABLE bank_file (
    id          uuid PRIMARY KEY,
    company_id  uuid NOT NULL,
    file_name   text NOT NULL,
    file_sha256 bytea NOT NULL,
    lines       integer NOT NULL,
    imported_by uuid NOT NULL,
    imported_at timestamptz NOT NULL,
    CONSTRAINT bank_file_once UNIQUE (company_id, file_sha256)
);

CREATE TABLE bank_line (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_id      uuid NOT NULL REFERENCES bank_file (id),
    company_id   uuid NOT NULL,
    booked_on    date NOT NULL,
    amount_fen   bigint NOT NULL CHECK (amount_fen <> 0),
    counterparty text NOT NULL,
    reference    text NOT NULL,
    summary      text NOT NULL,
    digest       bytea NOT NULL,
    matched_kind text CHECK (matched_kind IN ('settlement', 'deposit', 'person')),
    matched_id   uuid,
    matched_at   timestamptz,
    CONSTRAINT bank_line_once UNIQUE (company_id, digest),
    CONSTRAINT bank_line_matched CHECK ((matched_kind IS NULL) = (matched_at IS NULL))
);
CREATE INDEX bank_line_open ON bank_line (company_id, booked_on) WHERE matched_kind IS NULL;
CREATE UNIQUE INDEX bank_line_of ON bank_line (matched_kind, matched_id) WHERE matched_id IS NOT NULL;
