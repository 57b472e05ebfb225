-- More channels (WeChat Pay as a service provider, Alipay, the counter), and refunds (D5, D6).

-- Alipay: mchid is the seller id (2088…), appid the app id, serial_no the application certificate's number (certificate
-- mode), platform_keys Alipay's public keys by certificate number or `public_key`. The counter has no keys at all.
-- sub_mchid: a merchant for whom the service provider mchid collects.
ALTER TABLE merchant DROP CONSTRAINT merchant_channel_check;
ALTER TABLE merchant
    ADD CONSTRAINT merchant_channel_check CHECK (channel IN ('wechat', 'alipay', 'counter')),
    ADD COLUMN sub_mchid text,
    ADD COLUMN sub_appid text,
    ADD COLUMN root_serial_no text,
    ALTER COLUMN private_key_sealed DROP NOT NULL,
    ALTER COLUMN api_v3_key_sealed DROP NOT NULL,
    ADD CONSTRAINT merchant_keys CHECK (
        CASE channel WHEN 'wechat' THEN private_key_sealed IS NOT NULL AND api_v3_key_sealed IS NOT NULL
                     WHEN 'alipay' THEN private_key_sealed IS NOT NULL
                     ELSE private_key_sealed IS NULL AND api_v3_key_sealed IS NULL END),
    ADD CONSTRAINT merchant_sub CHECK (channel = 'wechat' OR (sub_mchid IS NULL AND sub_appid IS NULL)),
    ADD CONSTRAINT merchant_root CHECK (channel = 'alipay' OR root_serial_no IS NULL);

-- Where nothing is collected online (D4): new orders stop, callbacks do not. community_id NULL: the whole company.
CREATE TABLE collection_pause (
    id           uuid PRIMARY KEY,
    company_id   uuid NOT NULL REFERENCES company (id),
    community_id uuid REFERENCES community (id),
    reason       text NOT NULL,
    paused_by    uuid,
    paused_at    timestamptz NOT NULL,
    CONSTRAINT collection_pause_once UNIQUE NULLS NOT DISTINCT (company_id, community_id)
);

-- Whoever scans a paper code or stands at the counter need not be known to us.
ALTER TABLE payment_order ALTER COLUMN payer_person_id DROP NOT NULL;

ALTER TABLE payment_line DROP CONSTRAINT payment_line_kind_check;
ALTER TABLE payment_line ADD CONSTRAINT payment_line_kind_check CHECK (kind IN ('bill', 'prepaid'));

-- method: how the payer pays there. refunding_fen: all refunds of this attempt that are neither closed nor failed (I-09).
ALTER TABLE payment_attempt DROP CONSTRAINT payment_attempt_channel_check;
ALTER TABLE payment_attempt DROP CONSTRAINT payment_attempt_settled_by_check;
ALTER TABLE payment_attempt
    ADD CONSTRAINT payment_attempt_channel_check CHECK (channel IN ('wechat', 'alipay', 'counter')),
    ADD CONSTRAINT payment_attempt_settled_by_check CHECK (settled_by IN ('callback', 'query', 'statement', 'counter')),
    ADD COLUMN method text NOT NULL DEFAULT 'jsapi'
        CHECK (method IN ('jsapi', 'native', 'h5', 'wap', 'page', 'precreate', 'cash', 'card', 'transfer', 'cheque')),
    ADD COLUMN refunding_fen bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT payment_attempt_refunds CHECK (refunding_fen BETWEEN 0 AND amount_fen),
    ADD CONSTRAINT payment_attempt_method CHECK (
        CASE channel WHEN 'wechat' THEN method IN ('jsapi', 'native', 'h5')
                     WHEN 'alipay' THEN method IN ('wap', 'page', 'precreate')
                     ELSE method IN ('cash', 'card', 'transfer', 'cheque') END);
ALTER TABLE payment_attempt ALTER COLUMN method DROP DEFAULT;

-- subject: what else names a difference of a transaction, such as our refund number; empty for the payment itself.
-- refunding_fen: refunds out of what stands in suspense, neither closed nor failed; refunded_fen: those that succeeded.
ALTER TABLE difference DROP CONSTRAINT difference_class_check;
ALTER TABLE difference DROP CONSTRAINT difference_once;
ALTER TABLE difference
    ADD CONSTRAINT difference_class_check CHECK (class IN (
        'amount', 'currency', 'merchant', 'app', 'transaction', 'unknown_order', 'second_payment', 'late_payment',
        'missing_here', 'missing_there', 'status', 'refund', 'fee', 'duplicate', 'cross_day', 'settlement')),
    ADD COLUMN subject text NOT NULL DEFAULT '',
    ADD COLUMN refunding_fen bigint NOT NULL DEFAULT 0,
    ADD COLUMN refunded_fen bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT difference_once UNIQUE (channel, transaction_no, class, subject),
    ADD CONSTRAINT difference_refunds CHECK (refunded_fen BETWEEN 0 AND refunding_fen AND refunding_fen <= booked_fen);

CREATE INDEX difference_order ON difference (order_id) WHERE order_id IS NOT NULL;

-- What a merchant may give back by rule on one day; above it a difference waits for a person.
ALTER TABLE merchant
    ADD COLUMN automatic_refund_fen bigint NOT NULL DEFAULT 2000000
        CONSTRAINT merchant_automatic_refund CHECK (automatic_refund_fen >= 0);

-- A refund (退款), of a settled attempt or of money that stands in suspense for a difference; exactly one of both.
-- out_refund_no is our number at the channel. ask_at: when the channel is asked about it next. unapplied: it succeeded,
-- but what it takes back was no longer there; its money stands in suspense.
CREATE TABLE refund (
    id                uuid PRIMARY KEY,
    community_id      uuid NOT NULL,
    merchant_id       uuid NOT NULL REFERENCES merchant (id),
    channel           text NOT NULL CHECK (channel IN ('wechat', 'alipay', 'counter')),
    attempt_id        uuid REFERENCES payment_attempt (id),
    difference_id     uuid REFERENCES difference (id),
    out_trade_no      text NOT NULL,
    transaction_no    text NOT NULL,
    out_refund_no     text NOT NULL UNIQUE,
    amount_fen        bigint NOT NULL CHECK (amount_fen > 0),
    total_fen         bigint NOT NULL CHECK (total_fen >= amount_fen),
    clearing_account  bigint NOT NULL,
    automatic         boolean NOT NULL,
    reason            text NOT NULL,
    state             text NOT NULL CHECK (state IN ('REQUESTED', 'APPROVED', 'SUBMITTING', 'PROCESSING', 'ABNORMAL',
                                                     'SUCCEEDED', 'CLOSED', 'FAILED', 'REJECTED')),
    requested_by      uuid,
    approved_by       uuid,
    approval_id       uuid,
    channel_refund_no text,
    asked_count       integer NOT NULL DEFAULT 0,
    asked_at          timestamptz,
    ask_at            timestamptz,
    requested_at      timestamptz NOT NULL,
    submitted_at      timestamptz,
    finished_at       timestamptz,
    error             text,
    inbox_id          bigint,
    unapplied         boolean NOT NULL DEFAULT false,
    CONSTRAINT refund_of_one CHECK (num_nonnulls(attempt_id, difference_id) = 1),
    CONSTRAINT refund_two_people CHECK (automatic OR approved_by IS NULL OR approved_by <> requested_by),
    CONSTRAINT refund_by_people CHECK (automatic OR requested_by IS NOT NULL),
    CONSTRAINT refund_approved CHECK (automatic OR state IN ('REQUESTED', 'REJECTED') OR approved_by IS NOT NULL),
    CONSTRAINT refund_finished CHECK ((state IN ('SUCCEEDED', 'CLOSED', 'FAILED', 'REJECTED')) = (finished_at IS NOT NULL)),
    CONSTRAINT refund_unapplied CHECK (NOT unapplied OR state = 'SUCCEEDED')
);
CREATE UNIQUE INDEX refund_channel_no ON refund (channel, channel_refund_no) WHERE channel_refund_no IS NOT NULL;
CREATE UNIQUE INDEX refund_automatic_once ON refund (difference_id) WHERE automatic AND state NOT IN ('CLOSED', 'FAILED');
CREATE INDEX refund_attempt ON refund (attempt_id) WHERE attempt_id IS NOT NULL;
CREATE INDEX refund_difference ON refund (difference_id) WHERE difference_id IS NOT NULL;
CREATE INDEX refund_community ON refund (community_id, id DESC);
CREATE INDEX refund_requested ON refund (requested_by, requested_at) WHERE requested_by IS NOT NULL;
CREATE INDEX refund_automatic ON refund (merchant_id, requested_at) WHERE automatic;
CREATE INDEX refund_to_ask ON refund (ask_at) WHERE ask_at IS NOT NULL;
CREATE TRIGGER refund_moves BEFORE UPDATE ON refund FOR EACH ROW EXECUTE FUNCTION linli_check_move(
    'REQUESTED>APPROVED', 'REQUESTED>REJECTED', 'APPROVED>SUBMITTING',
    'SUBMITTING>PROCESSING', 'SUBMITTING>SUCCEEDED', 'SUBMITTING>ABNORMAL', 'SUBMITTING>CLOSED', 'SUBMITTING>FAILED',
    'PROCESSING>SUCCEEDED', 'PROCESSING>ABNORMAL', 'PROCESSING>CLOSED', 'PROCESSING>FAILED',
    'ABNORMAL>PROCESSING', 'ABNORMAL>SUCCEEDED', 'ABNORMAL>CLOSED');

-- What a refund takes back of each line of the order; the posting of its return names this row.
CREATE TABLE refund_line (
    id            uuid PRIMARY KEY,
    refund_id     uuid NOT NULL REFERENCES refund (id),
    line_id       uuid NOT NULL REFERENCES payment_line (id),
    kind          text NOT NULL CHECK (kind IN ('bill', 'prepaid')),
    payable_id    uuid NOT NULL,
    principal_fen bigint NOT NULL CHECK (principal_fen >= 0),
    late_fee_fen  bigint NOT NULL DEFAULT 0 CHECK (late_fee_fen >= 0),
    CONSTRAINT refund_line_amount CHECK (principal_fen + late_fee_fen > 0),
    CONSTRAINT refund_line_once UNIQUE (refund_id, line_id)
);
