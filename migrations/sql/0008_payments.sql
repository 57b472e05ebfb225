-- Payments: merchants, orders, attempts, differences (D6).

-- community_id NULL: all communities of the company; item_id NULL: all items. The most particular row is chosen.
CREATE TABLE merchant (
    id                 uuid PRIMARY KEY,
    company_id         uuid NOT NULL REFERENCES company (id),
    community_id       uuid REFERENCES community (id),
    item_id            uuid REFERENCES fee_item (id),
    channel            text NOT NULL CHECK (channel IN ('wechat')),
    mchid              text NOT NULL,
    appid              text NOT NULL,
    name               text NOT NULL,
    serial_no          text NOT NULL,
    private_key_sealed bytea NOT NULL,
    api_v3_key_sealed  bytea NOT NULL,
    platform_keys      jsonb NOT NULL,
    paused             boolean NOT NULL DEFAULT false,
    version            integer NOT NULL DEFAULT 1,
    created_at         timestamptz NOT NULL,
    retired_at         timestamptz,
    CONSTRAINT merchant_item_in_community CHECK (item_id IS NULL OR community_id IS NOT NULL)
);
-- One merchant collects for a scope; a retired one still settles what it was ordered to collect.
CREATE UNIQUE INDEX merchant_scope ON merchant (company_id, channel, community_id, item_id) NULLS NOT DISTINCT
    WHERE retired_at IS NULL;

CREATE TABLE payment_order (
    id              uuid PRIMARY KEY,
    community_id    uuid NOT NULL,
    payer_person_id uuid NOT NULL,
    amount_fen      bigint NOT NULL CHECK (amount_fen > 0),
    state           text NOT NULL CHECK (state IN ('CREATED', 'PAYING', 'PAID', 'CLOSED')),
    description     text NOT NULL,
    digest          bytea NOT NULL,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    paid_at         timestamptz,
    closed_at       timestamptz,
    close_reason    text
);
CREATE INDEX payment_order_payer ON payment_order (payer_person_id, id DESC);
CREATE INDEX payment_order_community ON payment_order (community_id, id DESC);
CREATE TRIGGER payment_order_moves BEFORE UPDATE ON payment_order FOR EACH ROW EXECUTE FUNCTION linli_check_move(
    'CREATED>PAYING', 'CREATED>PAID', 'CREATED>CLOSED', 'PAYING>PAID', 'PAYING>CLOSED', 'CLOSED>PAID');

-- What an order pays, as it was priced. `live` marks the hold: one live order per payable thing (D6).
CREATE TABLE payment_line (
    id            uuid PRIMARY KEY,
    order_id      uuid NOT NULL REFERENCES payment_order (id),
    kind          text NOT NULL CHECK (kind IN ('bill')),
    payable_id    uuid NOT NULL,
    house_id      uuid,
    item_id       uuid,
    title         text NOT NULL,
    principal_fen bigint NOT NULL CHECK (principal_fen >= 0),
    late_fee_fen  bigint NOT NULL DEFAULT 0 CHECK (late_fee_fen >= 0),
    live          boolean NOT NULL,
    CONSTRAINT payment_line_amount CHECK (principal_fen + late_fee_fen > 0),
    CONSTRAINT payment_line_once UNIQUE (order_id, kind, payable_id)
);
CREATE UNIQUE INDEX payment_line_hold ON payment_line (kind, payable_id) WHERE live;

-- `request` is what the channel was asked, word for word, so that it can be asked again (pitfalls B1).
-- clearing_account: where its money will stand, looked up once when the order is opened and not while it is settled.
-- No foreign keys to hot rows, a check does that. settled_by and inbox_id: through which door the money was seen (design principle 4).
CREATE TABLE payment_attempt (
    id             uuid PRIMARY KEY,
    order_id       uuid NOT NULL REFERENCES payment_order (id),
    community_id   uuid NOT NULL,
    merchant_id    uuid NOT NULL,
    clearing_account bigint NOT NULL,
    channel        text NOT NULL CHECK (channel IN ('wechat')),
    out_trade_no   text NOT NULL UNIQUE,
    amount_fen     bigint NOT NULL CHECK (amount_fen > 0),
    state          text NOT NULL CHECK (state IN ('CREATED', 'SENT', 'UNKNOWN', 'PAID', 'FAILED', 'CLOSED')),
    request        jsonb NOT NULL,
    prepay_id      text,
    prepaid_at     timestamptz,
    transaction_no text,
    asked_count    integer NOT NULL DEFAULT 0,
    asked_at       timestamptz,
    ask_at         timestamptz,
    created_at     timestamptz NOT NULL,
    paid_at        timestamptz,
    settled_by     text CHECK (settled_by IN ('callback', 'query', 'statement')),
    inbox_id       bigint,
    error          text,
    CONSTRAINT payment_attempt_paid CHECK (state <> 'PAID' OR (transaction_no IS NOT NULL AND paid_at IS NOT NULL
                                                               AND settled_by IS NOT NULL))
);
CREATE UNIQUE INDEX payment_attempt_one_paid ON payment_attempt (order_id) WHERE state = 'PAID';
CREATE UNIQUE INDEX payment_attempt_transaction ON payment_attempt (channel, transaction_no) WHERE transaction_no IS NOT NULL;
CREATE INDEX payment_attempt_order ON payment_attempt (order_id);
CREATE INDEX payment_attempt_to_ask ON payment_attempt (ask_at) WHERE ask_at IS NOT NULL;
CREATE TRIGGER payment_attempt_moves BEFORE UPDATE ON payment_attempt FOR EACH ROW EXECUTE FUNCTION linli_check_move(
    'CREATED>SENT', 'CREATED>UNKNOWN', 'CREATED>PAID', 'CREATED>FAILED', 'CREATED>CLOSED',
    'UNKNOWN>SENT', 'UNKNOWN>PAID', 'UNKNOWN>FAILED', 'UNKNOWN>CLOSED',
    'SENT>PAID', 'SENT>FAILED', 'SENT>CLOSED', 'CLOSED>PAID', 'FAILED>PAID');

-- A verified message that does not fit the books: data for a person, never dropped (design principle 5).
-- booked_fen: what stands in the suspense account for it; a transaction is booked once, whatever is said of it.
CREATE TABLE difference (
    id             uuid PRIMARY KEY,
    community_id   uuid NOT NULL,
    class          text NOT NULL CHECK (class IN ('amount', 'currency', 'merchant', 'app', 'transaction',
                                                  'unknown_order', 'second_payment', 'late_payment')),
    state          text NOT NULL CHECK (state IN ('OPEN', 'AUTO_RESOLVED', 'RESOLVED', 'ESCALATED')),
    channel        text NOT NULL,
    merchant_id    uuid NOT NULL REFERENCES merchant (id),
    order_id       uuid,
    attempt_id     uuid,
    out_trade_no   text NOT NULL,
    transaction_no text NOT NULL,
    expected_fen   bigint,
    actual_fen     bigint NOT NULL,
    booked_fen     bigint NOT NULL DEFAULT 0 CHECK (booked_fen >= 0),
    detail         jsonb NOT NULL,
    opened_at      timestamptz NOT NULL,
    resolved_by    uuid,
    resolved_at    timestamptz,
    note           text,
    CONSTRAINT difference_once UNIQUE (channel, transaction_no, class)
);
CREATE INDEX difference_by_community ON difference (community_id, id DESC);
CREATE INDEX difference_open ON difference (opened_at) WHERE state IN ('OPEN', 'ESCALATED');
CREATE UNIQUE INDEX difference_booked_once ON difference (channel, transaction_no) WHERE booked_fen > 0;
CREATE TRIGGER difference_moves BEFORE UPDATE ON difference FOR EACH ROW EXECUTE FUNCTION linli_check_move(
    'OPEN>AUTO_RESOLVED', 'OPEN>RESOLVED', 'OPEN>ESCALATED', 'ESCALATED>RESOLVED', 'ESCALATED>AUTO_RESOLVED');

CREATE TABLE shipping_report (
    attempt_id  uuid PRIMARY KEY REFERENCES payment_attempt (id),
    state       text NOT NULL CHECK (state IN ('REPORTED', 'PARKED')),
    reported_at timestamptz,
    errcode     integer,
    error       text
);
