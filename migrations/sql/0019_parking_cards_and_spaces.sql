-- Cards that are sold and renewed, spaces as rows, and what residents may apply for (D8).

-- A space (车位). The house has it while it is sold or rented; a reserved one is kept for somebody, or for no house.
-- ends_on: the first day without it.
CREATE TABLE parking_space (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    lot_id       uuid NOT NULL REFERENCES parking_lot (id),
    number       text NOT NULL CHECK (length(number) BETWEEN 1 AND 20),
    kind         text NOT NULL CHECK (kind IN ('standard', 'compact', 'tandem', 'charging', 'accessible')),
    state        text NOT NULL CHECK (state IN ('free', 'sold', 'rented', 'reserved')),
    house_id     uuid,
    starts_on    date,
    ends_on      date,
    created_at   timestamptz NOT NULL,
    CONSTRAINT parking_space_number UNIQUE (lot_id, number),
    CONSTRAINT parking_space_free CHECK (state <> 'free' OR num_nonnulls(house_id, starts_on, ends_on) = 0),
    CONSTRAINT parking_space_held CHECK (state NOT IN ('sold', 'rented') OR num_nonnulls(house_id, starts_on) = 2),
    CONSTRAINT parking_space_end CHECK (ends_on IS NULL OR (state = 'rented' AND ends_on > starts_on))
);
CREATE INDEX parking_space_house ON parking_space (house_id) WHERE house_id IS NOT NULL;
SELECT linli_allow_moves('parking_space', ARRAY[
    'free>sold', 'free>rented', 'free>reserved', 'reserved>free', 'reserved>sold', 'reserved>rented',
    'rented>free', 'rented>sold', 'sold>free']);

-- A card that a lot offers for money (停车卡产品), approved by a second person; its price never changes. price_fen is for
-- one space, vehicles how many may be named on one card. audience: for whom, see backend/parking/cards/states.py.
CREATE TABLE parking_card_product (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    lot_id       uuid NOT NULL REFERENCES parking_lot (id),
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 50),
    covers       text NOT NULL CHECK (length(covers) <= 200),
    audience     text NOT NULL CHECK (audience IN ('owned', 'rented', 'house', 'outside')),
    months       integer NOT NULL CHECK (months BETWEEN 1 AND 36),
    price_fen    bigint NOT NULL CHECK (price_fen > 0),
    vehicles     integer NOT NULL CHECK (vehicles BETWEEN 1 AND 10),
    approval_id  uuid NOT NULL REFERENCES approval (id),
    created_at   timestamptz NOT NULL,
    withdrawn_at timestamptz
);
CREATE UNIQUE INDEX parking_card_product_name ON parking_card_product (lot_id, name) WHERE withdrawn_at IS NULL;

-- A card that was asked for and not paid covers nothing; there is one for a vehicle in a lot, so that two people who ask
-- at once pay for one card. audience: for whom it was sold; NULL: issued by staff. anchor_day: the day of the month on
-- which its months begin, so that a short February does not shorten those that follow.
ALTER TABLE parking_card
    DROP CONSTRAINT parking_card_state_check,
    ADD CONSTRAINT parking_card_state_check CHECK (state IN ('UNPAID', 'ACTIVE', 'CANCELLED')),
    ADD COLUMN audience text CHECK (audience IN ('owned', 'rented', 'house', 'outside')),
    ADD COLUMN anchor_day smallint CHECK (anchor_day BETWEEN 1 AND 31),
    ADD COLUMN asked_vehicle_id uuid,
    ADD CONSTRAINT parking_card_unpaid CHECK (
        state <> 'UNPAID' OR (num_nonnulls(asked_vehicle_id, house_id) = 2 AND ends_on IS NULL));
CREATE UNIQUE INDEX parking_card_unpaid_once ON parking_card (lot_id, asked_vehicle_id) WHERE state = 'UNPAID';
CREATE INDEX parking_card_house ON parking_card (house_id, id) WHERE house_id IS NOT NULL;
SELECT linli_allow_moves('parking_card', ARRAY['UNPAID>ACTIVE', 'UNPAID>CANCELLED', 'ACTIVE>CANCELLED']);

-- Months of a card that are offered, then paid. offered_ends_on: the end that the card had then; once it has another,
-- the offer is void. paid_line_id: the payment line that paid it; starts_on and ends_on: the days that it gave.
CREATE TABLE parking_card_sale (
    id              uuid PRIMARY KEY,
    community_id    uuid NOT NULL,
    lot_id          uuid NOT NULL REFERENCES parking_lot (id),
    card_id         uuid NOT NULL REFERENCES parking_card (id),
    product_id      uuid NOT NULL REFERENCES parking_card_product (id),
    vehicle_ids     uuid[] NOT NULL CHECK (cardinality(vehicle_ids) > 0),
    spaces          integer NOT NULL CHECK (spaces BETWEEN 1 AND 100),
    months          integer NOT NULL CHECK (months > 0),
    amount_fen      bigint NOT NULL CHECK (amount_fen > 0),
    offered_at      timestamptz NOT NULL,
    valid_until     timestamptz NOT NULL,
    offered_ends_on date,
    paid_line_id    uuid UNIQUE,
    paid_at         timestamptz,
    starts_on       date,
    ends_on         date,
    refunded_fen    bigint NOT NULL DEFAULT 0,
    CONSTRAINT parking_card_sale_valid CHECK (valid_until > offered_at),
    CONSTRAINT parking_card_sale_paid CHECK (num_nonnulls(paid_line_id, paid_at, starts_on, ends_on) IN (0, 4)),
    CONSTRAINT parking_card_sale_forward CHECK (ends_on > starts_on),
    CONSTRAINT parking_card_sale_refunded CHECK (
        refunded_fen BETWEEN 0 AND CASE WHEN paid_line_id IS NULL THEN 0 ELSE amount_fen END)
);
-- One open offer of an amount for a card: a payment finds what it pays by its amount.
CREATE UNIQUE INDEX parking_card_sale_open ON parking_card_sale (card_id, amount_fen) WHERE paid_line_id IS NULL;
CREATE INDEX parking_card_sale_card ON parking_card_sale (card_id, offered_at DESC);
CREATE INDEX parking_card_sale_lot ON parking_card_sale (lot_id) WHERE paid_line_id IS NOT NULL;

-- A vehicle of somebody else that a house has leave to bring (外来车辆): until this day, without it. NULL: the house's own.
ALTER TABLE parking_vehicle ADD COLUMN outside_until date;

-- What a lot does with applications (申请规则); without a row: outside_vehicles 'buy', max_open 3.
CREATE TABLE parking_application_rule (
    lot_id           uuid PRIMARY KEY REFERENCES parking_lot (id),
    community_id     uuid NOT NULL,
    outside_vehicles text NOT NULL CHECK (outside_vehicles IN ('buy', 'card')),
    max_open         integer NOT NULL CHECK (max_open BETWEEN 1 AND 20)
);

-- The applications of a house (车位申请, 车辆登记申请).
CREATE INDEX approval_parking_house ON approval ((payload ->> 'house_id'), id DESC)
    WHERE kind IN ('parking.space_application', 'parking.vehicle_application');

-- Cards can be paid, and given back.
ALTER TABLE payment_line DROP CONSTRAINT payment_line_kind_check;
ALTER TABLE payment_line ADD CONSTRAINT payment_line_kind_check
    CHECK (kind IN ('bill', 'prepaid', 'parking', 'parking_card'));
ALTER TABLE refund_line DROP CONSTRAINT refund_line_kind_check;
ALTER TABLE refund_line ADD CONSTRAINT refund_line_kind_check
    CHECK (kind IN ('bill', 'prepaid', 'parking', 'parking_card'));

-- All that parking reads of refunds: which paid line a line of a refund takes back.
CREATE VIEW parking_refund_line AS SELECT id, line_id FROM refund_line WHERE kind = 'parking_card';
