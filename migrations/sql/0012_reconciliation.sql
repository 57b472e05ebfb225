-- Reconciliation: runs over the channels' statements, the bank's file, what a day came to (D7).

-- One run per merchant, day and kind; leased; a forced re-run keeps what people have handled.
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
    matched       bigint,
    error         text,
    CONSTRAINT reconciliation_once UNIQUE (merchant_id, day, kind)
);
CREATE INDEX reconciliation_open ON reconciliation_run (day) WHERE state <> 'DONE';

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
