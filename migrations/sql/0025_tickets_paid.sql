-- Paid repairs: the price list, quotes, parts in stock, signatures, costs of public areas (D9, R6, D6).

-- What is charged for (工料项目): an hour of work, a part. community_id NULL: in all communities of the company.
CREATE TABLE ticket_item (
    id           uuid PRIMARY KEY,
    company_id   uuid NOT NULL REFERENCES company (id),
    community_id uuid REFERENCES community (id),
    sort         text NOT NULL CHECK (sort IN ('labour', 'part')),
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 50),
    unit         text NOT NULL CHECK (length(unit) BETWEEN 1 AND 10),
    created_at   timestamptz NOT NULL,
    withdrawn_at timestamptz
);
CREATE UNIQUE INDEX ticket_item_name ON ticket_item (company_id, community_id, name)
    NULLS NOT DISTINCT WHERE withdrawn_at IS NULL;

-- Its prices by date, each approved by a second person and never changed.
CREATE TABLE ticket_price (
    id          uuid PRIMARY KEY,
    item_id     uuid NOT NULL REFERENCES ticket_item (id),
    price_fen   bigint NOT NULL CHECK (price_fen > 0),
    starts_on   date NOT NULL,
    approval_id uuid NOT NULL REFERENCES approval (id),
    created_at  timestamptz NOT NULL,
    CONSTRAINT ticket_price_once UNIQUE (item_id, starts_on)
);
CREATE TRIGGER ticket_price_kept BEFORE UPDATE OR DELETE ON ticket_price
    FOR EACH ROW EXECUTE FUNCTION linli_refuse_change();

-- Where parts lie (库存地点): a store, or what a worker carries (staff_id).
CREATE TABLE ticket_stock_place (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL REFERENCES community (id),
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 20),
    staff_id     uuid,
    created_at   timestamptz NOT NULL,
    CONSTRAINT ticket_stock_place_name UNIQUE (community_id, name)
);
CREATE UNIQUE INDEX ticket_stock_place_staff ON ticket_stock_place (community_id, staff_id) WHERE staff_id IS NOT NULL;

-- How many of a part lie there: the sum of the movements, kept so that it can be held and never falls below zero.
CREATE TABLE ticket_stock (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL,
    place_id     uuid NOT NULL REFERENCES ticket_stock_place (id),
    item_id      uuid NOT NULL REFERENCES ticket_item (id),
    count        integer NOT NULL,
    CONSTRAINT ticket_stock_once UNIQUE (place_id, item_id),
    CONSTRAINT ticket_stock_not_negative CHECK (count >= 0)
);

-- What came and went (库存流水), for good. transfer_id: the two sides of a transfer. approval_id: the stocktaking.
CREATE TABLE ticket_stock_movement (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL,
    place_id     uuid NOT NULL REFERENCES ticket_stock_place (id),
    item_id      uuid NOT NULL REFERENCES ticket_item (id),
    kind         text NOT NULL CHECK (kind IN ('received', 'transferred', 'used', 'put_back', 'counted')),
    change       integer NOT NULL,
    ticket_id    uuid REFERENCES ticket (id),
    transfer_id  uuid,
    approval_id  uuid REFERENCES approval (id),
    reason       text NOT NULL,
    actor_id     uuid NOT NULL,
    at           timestamptz NOT NULL,
    CONSTRAINT ticket_stock_movement_sign CHECK (
        CASE kind WHEN 'used' THEN change < 0 WHEN 'transferred' THEN change <> 0 WHEN 'counted' THEN change <> 0
                  ELSE change > 0 END),
    CONSTRAINT ticket_stock_movement_names CHECK (
        (kind IN ('used', 'put_back')) = (ticket_id IS NOT NULL) AND (kind = 'transferred') = (transfer_id IS NOT NULL)
        AND (kind = 'counted') = (approval_id IS NOT NULL))
);
CREATE INDEX ticket_stock_movement_place ON ticket_stock_movement (place_id, id);
CREATE INDEX ticket_stock_movement_ticket ON ticket_stock_movement (ticket_id, item_id) WHERE ticket_id IS NOT NULL;
CREATE TRIGGER ticket_stock_movement_kept BEFORE UPDATE OR DELETE ON ticket_stock_movement
    FOR EACH ROW EXECUTE FUNCTION linli_refuse_change();

-- What a repair is to cost (报价), line by line, and what becomes of it. lines: see backend/tickets/paid/lines.py.
-- warranty_fen: what the resident need not pay because an earlier repair is under warranty. DUE: signed off, owed.
-- FREE: signed off, nothing to pay. warranty_until: until when this repair is under warranty.
CREATE TABLE ticket_quote (
    id             uuid PRIMARY KEY,
    community_id   uuid NOT NULL,
    ticket_id      uuid NOT NULL REFERENCES ticket (id),
    house_id       uuid NOT NULL,
    category_id    uuid NOT NULL REFERENCES ticket_category (id),
    round          integer NOT NULL,
    version        integer NOT NULL CHECK (version > 0),
    state          text NOT NULL CHECK (state IN ('OPEN', 'AGREED', 'DECLINED', 'WITHDRAWN', 'DUE', 'FREE', 'PAID',
                                                  'WAIVED')),
    lines          jsonb NOT NULL CHECK (jsonb_array_length(lines) > 0),
    lines_fen      bigint NOT NULL CHECK (lines_fen > 0),
    warranty_fen   bigint NOT NULL,
    total_fen      bigint NOT NULL,
    covered_until  date,
    made_by        uuid NOT NULL,
    made_at        timestamptz NOT NULL,
    decided_at     timestamptz,
    due_at         timestamptz,
    warranty_until date,
    paid_line_id   uuid UNIQUE,
    paid_at        timestamptz,
    refunded_fen   bigint NOT NULL DEFAULT 0,
    CONSTRAINT ticket_quote_version UNIQUE (ticket_id, version),
    CONSTRAINT ticket_quote_total CHECK (total_fen = lines_fen - warranty_fen AND warranty_fen BETWEEN 0 AND lines_fen),
    CONSTRAINT ticket_quote_covered CHECK ((covered_until IS NOT NULL) = (warranty_fen > 0)),
    CONSTRAINT ticket_quote_due CHECK ((due_at IS NOT NULL) = (state IN ('DUE', 'FREE', 'PAID', 'WAIVED'))),
    CONSTRAINT ticket_quote_free CHECK ((state <> 'FREE' OR total_fen = 0)
                                    AND (state NOT IN ('DUE', 'PAID', 'WAIVED') OR total_fen > 0)),
    CONSTRAINT ticket_quote_paid CHECK (num_nonnulls(paid_line_id, paid_at) = CASE state WHEN 'PAID' THEN 2 ELSE 0 END),
    CONSTRAINT ticket_quote_refunded CHECK (
        refunded_fen BETWEEN 0 AND CASE state WHEN 'PAID' THEN total_fen ELSE 0 END)
);
CREATE UNIQUE INDEX ticket_quote_live ON ticket_quote (ticket_id) WHERE state IN ('OPEN', 'AGREED');
CREATE INDEX ticket_quote_owed ON ticket_quote (house_id, ticket_id) WHERE state = 'DUE';
CREATE INDEX ticket_quote_unpaid ON ticket_quote (ticket_id) WHERE state = 'DUE';
CREATE INDEX ticket_quote_warranty ON ticket_quote (house_id, category_id, warranty_until)
    WHERE warranty_until IS NOT NULL;
SELECT linli_allow_moves('ticket_quote', ARRAY[
    'OPEN>AGREED', 'OPEN>DECLINED', 'OPEN>WITHDRAWN', 'AGREED>WITHDRAWN', 'AGREED>DUE', 'AGREED>FREE', 'DUE>PAID',
    'DUE>WAIVED']);

-- That a resident accepted the work of a round (验收签名): a small picture, sealed.
CREATE TABLE ticket_signature (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    ticket_id    uuid NOT NULL REFERENCES ticket (id),
    round        integer NOT NULL,
    signature_sealed bytea NOT NULL,
    signed_by    uuid NOT NULL,
    signed_at    timestamptz NOT NULL,
    CONSTRAINT ticket_signature_once UNIQUE (ticket_id, round)
);

-- What free work has cost (公共维修成本). Of a public area, a second person says that it may be charged to a shared pool
-- (CHARGEABLE); what was done in a home is borne by the company.
CREATE TABLE ticket_cost (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    ticket_id    uuid NOT NULL REFERENCES ticket (id),
    state        text NOT NULL CHECK (state IN ('PROPOSED', 'CHARGEABLE', 'REFUSED', 'BORNE')),
    lines        jsonb NOT NULL CHECK (jsonb_array_length(lines) > 0),
    total_fen    bigint NOT NULL CHECK (total_fen > 0),
    made_by      uuid NOT NULL,
    made_at      timestamptz NOT NULL,
    approval_id  uuid REFERENCES approval (id),
    CONSTRAINT ticket_cost_approved CHECK ((state = 'BORNE') = (approval_id IS NULL))
);
CREATE INDEX ticket_cost_ticket ON ticket_cost (ticket_id);
CREATE INDEX ticket_cost_chargeable ON ticket_cost (community_id, id) WHERE state = 'CHARGEABLE';
SELECT linli_allow_moves('ticket_cost', ARRAY['PROPOSED>CHARGEABLE', 'PROPOSED>REFUSED']);

-- Paid repairs can be paid, and given back.
ALTER TABLE payment_line DROP CONSTRAINT payment_line_kind_check;
ALTER TABLE payment_line ADD CONSTRAINT payment_line_kind_check
    CHECK (kind IN ('bill', 'prepaid', 'parking', 'parking_card', 'ticket'));
ALTER TABLE refund_line DROP CONSTRAINT refund_line_kind_check;
ALTER TABLE refund_line ADD CONSTRAINT refund_line_kind_check
    CHECK (kind IN ('bill', 'prepaid', 'parking', 'parking_card', 'ticket'));

-- All that tickets read of refunds: which paid line a line of a refund takes back.
CREATE VIEW ticket_refund_line AS SELECT id, line_id FROM refund_line WHERE kind = 'ticket';
