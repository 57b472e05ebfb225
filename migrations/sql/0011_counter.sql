-- The counter: shifts, vouchers, bank deposits, receipts (D5).

-- A cashier's shift: what the drawer should hold is what its cash account in the ledger says.
CREATE TABLE cashier_shift (
    id           uuid PRIMARY KEY,
    company_id   uuid NOT NULL,
    community_id uuid NOT NULL,
    cashier_id   uuid NOT NULL,
    state        text NOT NULL CHECK (state IN ('OPEN', 'CLOSED')),
    float_fen    bigint NOT NULL CHECK (float_fen >= 0),
    opened_at    timestamptz NOT NULL,
    closed_at    timestamptz,
    expected_fen bigint,
    counted_fen  bigint CHECK (counted_fen >= 0),
    note         text,
    CONSTRAINT cashier_shift_closed CHECK ((state = 'CLOSED') = (closed_at IS NOT NULL))
);
CREATE UNIQUE INDEX cashier_shift_open ON cashier_shift (cashier_id) WHERE state = 'OPEN';
CREATE INDEX cashier_shift_community ON cashier_shift (community_id, id DESC);
CREATE TRIGGER cashier_shift_moves BEFORE UPDATE ON cashier_shift FOR EACH ROW EXECUTE FUNCTION linli_check_move(
    'OPEN>CLOSED');

-- What a cashier took or gave back. voucher_no: of the paper voucher, unique per company.
CREATE TABLE counter_voucher (
    id           uuid PRIMARY KEY,
    company_id   uuid NOT NULL,
    community_id uuid NOT NULL,
    shift_id     uuid NOT NULL REFERENCES cashier_shift (id),
    voucher_no   text NOT NULL,
    method       text NOT NULL CHECK (method IN ('cash', 'card', 'transfer', 'cheque')),
    attempt_id   uuid UNIQUE REFERENCES payment_attempt (id),
    refund_id    uuid UNIQUE REFERENCES refund (id),
    amount_fen   bigint NOT NULL CHECK (amount_fen > 0),
    received_fen bigint NOT NULL,
    change_fen   bigint NOT NULL CHECK (change_fen >= 0),
    made_at      timestamptz NOT NULL,
    CONSTRAINT counter_voucher_no UNIQUE (company_id, voucher_no),
    CONSTRAINT counter_voucher_of_one CHECK (num_nonnulls(attempt_id, refund_id) = 1),
    CONSTRAINT counter_voucher_change CHECK (refund_id IS NOT NULL OR received_fen - change_fen = amount_fen)
);
CREATE INDEX counter_voucher_shift ON counter_voucher (shift_id, id);

-- Cash brought to the bank; matched with a line of the bank's file.
CREATE TABLE bank_deposit (
    id           uuid PRIMARY KEY,
    company_id   uuid NOT NULL,
    community_id uuid NOT NULL,
    shift_id     uuid NOT NULL REFERENCES cashier_shift (id),
    amount_fen   bigint NOT NULL CHECK (amount_fen > 0),
    deposited_on date NOT NULL,
    slip_no      text NOT NULL,
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    bank_line_id bigint,
    matched_at   timestamptz,
    CONSTRAINT bank_deposit_slip UNIQUE (company_id, slip_no),
    CONSTRAINT bank_deposit_matched CHECK ((bank_line_id IS NULL) = (matched_at IS NULL))
);
CREATE INDEX bank_deposit_community ON bank_deposit (community_id, id DESC);

-- Receipts are numbered without gaps per company; a voided number stays listed.
CREATE TABLE receipt_series (
    company_id uuid PRIMARY KEY,
    last_no    bigint NOT NULL CHECK (last_no >= 0)
);

CREATE TABLE receipt (
    id           uuid PRIMARY KEY,
    company_id   uuid NOT NULL,
    community_id uuid NOT NULL,
    no           bigint NOT NULL CHECK (no > 0),
    order_id     uuid NOT NULL REFERENCES payment_order (id),
    state        text NOT NULL CHECK (state IN ('ISSUED', 'VOIDED')),
    snapshot     jsonb NOT NULL,
    issued_at    timestamptz NOT NULL,
    voided_at    timestamptz,
    void_reason  text,
    CONSTRAINT receipt_no UNIQUE (company_id, no),
    CONSTRAINT receipt_voided CHECK ((state = 'VOIDED') = (voided_at IS NOT NULL AND void_reason IS NOT NULL))
);
CREATE UNIQUE INDEX receipt_live ON receipt (order_id) WHERE state = 'ISSUED';
CREATE INDEX receipt_community ON receipt (community_id, no DESC);
CREATE TRIGGER receipt_moves BEFORE UPDATE ON receipt FOR EACH ROW EXECUTE FUNCTION linli_check_move('ISSUED>VOIDED');
