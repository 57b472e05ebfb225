-- What parking's prices depend on besides the clock: holidays (D8).

-- A year of a company's holidays and working weekends (节假日和调休), as its administrators entered it.
CREATE TABLE calendar_year (
    company_id uuid NOT NULL REFERENCES company (id),
    year       integer NOT NULL CHECK (year BETWEEN 2000 AND 2199),
    days       jsonb NOT NULL CHECK (jsonb_typeof(days) = 'array' AND jsonb_array_length(days) > 0),
    changed_at timestamptz NOT NULL,
    PRIMARY KEY (company_id, year)
);

-- Prices by class of vehicle (车型): versions of a class count for it, those without one for every class that has none.
ALTER TABLE parking_tariff
    ADD COLUMN vehicle_class text,
    ADD CONSTRAINT parking_tariff_class CHECK (vehicle_class IN ('small', 'large', 'new_energy', 'motorcycle')),
    DROP CONSTRAINT parking_tariff_from;
CREATE UNIQUE INDEX parking_tariff_from ON parking_tariff (lot_id, coalesce(vehicle_class, ''), effective_from);

-- vehicle_class NULL: not known, as of a car without a plate; it pays what the lot's general prices say.
ALTER TABLE parking_session
    ADD COLUMN vehicle_class text,
    ADD CONSTRAINT parking_session_class CHECK (vehicle_class IN ('small', 'large', 'new_energy', 'motorcycle'));

-- A shop (商铺) that gives its customers coupons for a lot; who lives in its house by right, gives them in the mini-program.
CREATE TABLE parking_shop (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    lot_id       uuid NOT NULL REFERENCES parking_lot (id),
    house_id     uuid NOT NULL,
    name         text NOT NULL,
    state        text NOT NULL CHECK (state IN ('ACTIVE', 'CLOSED')),
    created_at   timestamptz NOT NULL,
    CONSTRAINT parking_shop_name UNIQUE (lot_id, name)
);
CREATE INDEX parking_shop_house ON parking_shop (house_id);
SELECT linli_allow_moves('parking_shop', ARRAY['ACTIVE>CLOSED']);

-- A kind of coupon (停车优惠券) of a shop, with terms that never change. value: minutes, fen, percent taken off, 0 for a free exit.
-- rank: in which order; monthly_quota NULL: prepaid, by grants. per_stay: so many of them for one stay. code_minutes:
-- how long a code is good.
CREATE TABLE parking_coupon_offer (
    id            uuid PRIMARY KEY,
    community_id  uuid NOT NULL,
    shop_id       uuid NOT NULL REFERENCES parking_shop (id),
    kind          text NOT NULL CHECK (kind IN ('minutes', 'money', 'percent', 'free')),
    value         integer NOT NULL,
    rank          integer NOT NULL CHECK (rank BETWEEN 0 AND 100),
    exclusive     boolean NOT NULL,
    per_stay      integer NOT NULL CHECK (per_stay BETWEEN 1 AND 10),
    monthly_quota integer CHECK (monthly_quota BETWEEN 1 AND 1000000),
    code_minutes  integer NOT NULL CHECK (code_minutes BETWEEN 1 AND 10080),
    created_at    timestamptz NOT NULL,
    CONSTRAINT parking_coupon_offer_value CHECK (CASE kind WHEN 'free' THEN value = 0 WHEN 'percent' THEN value BETWEEN 1 AND 100
                                                 ELSE value BETWEEN 1 AND 1000000 END)
);
CREATE INDEX parking_coupon_offer_shop ON parking_coupon_offer (shop_id, id);
CREATE TRIGGER parking_coupon_offer_fixed BEFORE UPDATE OR DELETE ON parking_coupon_offer
    FOR EACH ROW EXECUTE FUNCTION linli_refuse_change();

-- Coupons that a shop has paid for beforehand.
CREATE TABLE parking_coupon_grant (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL,
    offer_id     uuid NOT NULL REFERENCES parking_coupon_offer (id),
    count        integer NOT NULL CHECK (count BETWEEN 1 AND 1000000),
    reason       text NOT NULL,
    granted_at   timestamptz NOT NULL
);
CREATE INDEX parking_coupon_grant_offer ON parking_coupon_grant (offer_id);
CREATE TRIGGER parking_coupon_grant_append_only BEFORE UPDATE OR DELETE ON parking_coupon_grant
    FOR EACH ROW EXECUTE FUNCTION linli_refuse_change();

-- A coupon, never changed. code_blind: by which its code is found, NULL where the shop gave it to a plate.
CREATE TABLE parking_coupon (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    offer_id     uuid NOT NULL REFERENCES parking_coupon_offer (id),
    code_blind   bytea UNIQUE CHECK (length(code_blind) = 16),
    issued_on    date NOT NULL,
    issued_at    timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    issued_by    uuid NOT NULL
);
CREATE INDEX parking_coupon_issued ON parking_coupon (offer_id, issued_on);
CREATE TRIGGER parking_coupon_fixed BEFORE UPDATE OR DELETE ON parking_coupon
    FOR EACH ROW EXECUTE FUNCTION linli_refuse_change();

-- A coupon for a stay. off_fen: what it took off, known when the stay was paid for or left free. returned_at: given back.
CREATE TABLE parking_coupon_use (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL,
    coupon_id    uuid NOT NULL REFERENCES parking_coupon (id),
    session_id   uuid NOT NULL REFERENCES parking_session (id),
    applied_at   timestamptz NOT NULL,
    off_fen      bigint CHECK (off_fen > 0),
    returned_at  timestamptz
);
-- A coupon is used once.
CREATE UNIQUE INDEX parking_coupon_use_once ON parking_coupon_use (coupon_id) WHERE returned_at IS NULL;
CREATE INDEX parking_coupon_use_session ON parking_coupon_use (session_id) WHERE returned_at IS NULL;
