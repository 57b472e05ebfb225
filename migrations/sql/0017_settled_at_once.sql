-- The last word of the statement that settles an order at once (payments/sql.py, decision 0018).

-- Fails as a serialization failure, so that nothing of the statement stays, unless everything moved and no money of this
-- transaction stands in suspense. VOLATILE: it looks with a snapshot of its own, taken after the locks, and so sees a
-- difference that was opened while the statement waited for them.
CREATE FUNCTION payment_settled(all_moved boolean, of_channel text, of_transaction text) RETURNS void
    LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF all_moved IS NOT TRUE OR EXISTS (
        SELECT FROM difference WHERE channel = of_channel AND transaction_no = of_transaction AND booked_fen > 0)
    THEN
        RAISE EXCEPTION 'no longer as it was seen' USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

-- A hold is a row of its own, deleted when its order ends: a flag in the line meant a new line and three index entries
-- with every payment.
CREATE TABLE payment_hold (
    kind       text NOT NULL,
    payable_id uuid NOT NULL,
    order_id   uuid NOT NULL REFERENCES payment_order (id),
    PRIMARY KEY (kind, payable_id)
);
CREATE INDEX payment_hold_order ON payment_hold (order_id);
INSERT INTO payment_hold SELECT kind, payable_id, order_id FROM payment_line WHERE live;
CREATE OR REPLACE VIEW held_bill AS SELECT payable_id AS bill_id FROM payment_hold WHERE kind = 'bill';
DROP INDEX payment_line_hold;
ALTER TABLE payment_line DROP COLUMN live;
