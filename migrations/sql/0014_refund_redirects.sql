-- An abnormal refund goes another way: the payer's card, sealed, from the proposal until the channel has taken it.
ALTER TABLE refund ADD COLUMN redirect_sealed bytea;
