-- A receipt is looked for by its order, whatever its state; the unique index knows the valid ones alone.
CREATE INDEX receipt_order ON receipt (order_id);
