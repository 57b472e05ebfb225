-- Prepaid accounts and the paper codes of houses (D4, D6).

-- An account of a house for a purpose. It has no balance of its own: the ledger's account `prepaid` of this id has it.
CREATE TABLE prepaid_account (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    house_id     uuid NOT NULL,
    purpose      text NOT NULL CHECK (purpose IN ('general', 'property', 'utility')),
    created_at   timestamptz NOT NULL,
    CONSTRAINT prepaid_account_once UNIQUE (house_id, purpose)
);
CREATE INDEX prepaid_account_community ON prepaid_account (community_id, id);

-- A bill settled out of a prepaid account, whole or in part; the posting `bill.paid` names this row.
CREATE TABLE prepaid_use (
    id           uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES prepaid_account (id),
    community_id uuid NOT NULL,
    bill_id      uuid NOT NULL,
    amount_fen   bigint NOT NULL CHECK (amount_fen > 0),
    used_at      timestamptz NOT NULL
);
CREATE INDEX prepaid_use_account ON prepaid_use (account_id, id);
CREATE INDEX prepaid_use_bill ON prepaid_use (bill_id);

-- What stands on a house's paper code: random, replaced when a code must no longer work.
CREATE TABLE pay_code (
    code         text PRIMARY KEY,
    community_id uuid NOT NULL,
    house_id     uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    retired_at   timestamptz
);
CREATE UNIQUE INDEX pay_code_live ON pay_code (house_id) WHERE retired_at IS NULL;
