-- Ledger: accounts and postings. A posting is one row and never changes (I-01, I-02, I-03).

CREATE TABLE account (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id uuid NOT NULL,
    code         text NOT NULL,
    subject_id   uuid NOT NULL,
    CONSTRAINT account_once UNIQUE (community_id, code, subject_id)
);

CREATE TABLE posting (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id   uuid NOT NULL,
    kind           text NOT NULL,
    reference      uuid NOT NULL,
    debit_account  bigint NOT NULL,
    credit_account bigint NOT NULL,
    amount_fen     bigint NOT NULL,
    bill_id        uuid,
    occurred_at    timestamptz NOT NULL,
    booked_on      date NOT NULL,
    corrects_id    bigint REFERENCES posting (id),
    CONSTRAINT posting_two_sides CHECK (debit_account <> credit_account),
    CONSTRAINT posting_positive CHECK (amount_fen > 0),
    CONSTRAINT posting_once UNIQUE (kind, reference)
);
CREATE INDEX posting_debit ON posting (debit_account);
CREATE INDEX posting_credit ON posting (credit_account);
-- The issue of a bill is found by its reference.
CREATE INDEX posting_bill ON posting (bill_id) WHERE bill_id IS NOT NULL AND kind <> 'bill.issued';
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE ON posting
    FOR EACH ROW EXECUTE FUNCTION linli_refuse_change();
