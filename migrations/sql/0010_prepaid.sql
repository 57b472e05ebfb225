-- Prepaid accounts of houses (D4). The paper code of a house is its column pay_code.

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

-- A bill settled out of a prepaid account, whole or in part; the posting `bill.paid` names this row. A use that two
-- people took back is named by a posting `bill.refunded` too; such a bill is not settled by itself again.
CREATE TABLE prepaid_use (
    id           uuid PRIMARY KEY,
    account_id   uuid NOT NULL REFERENCES prepaid_account (id),
    community_id uuid NOT NULL,
    bill_id      uuid NOT NULL,
    amount_fen   bigint NOT NULL CHECK (amount_fen > 0),
    used_at      timestamptz NOT NULL,
    returned_at  timestamptz
);
CREATE INDEX prepaid_use_account ON prepaid_use (account_id, id);
CREATE INDEX prepaid_use_bill ON prepaid_use (bill_id);

-- What fees must know of orders and refunds, and no more: bills that a live order holds, and prepaid money that is
-- promised to a refund which has not ended.
CREATE VIEW held_bill AS
    SELECT payable_id AS bill_id FROM payment_line WHERE live AND kind = 'bill';
CREATE INDEX refund_line_prepaid ON refund_line (payable_id) WHERE kind = 'prepaid';
CREATE VIEW prepaid_promised AS
    SELECT l.payable_id AS account_id, sum(l.principal_fen)::bigint AS promised_fen
      FROM refund_line l JOIN refund r ON r.id = l.refund_id
     WHERE l.kind = 'prepaid' AND r.state NOT IN ('SUCCEEDED', 'CLOSED', 'FAILED', 'REJECTED')
     GROUP BY l.payable_id;

-- Official accounts of a company: whoever comes by one may pay there too, by the company's own merchant.
CREATE VIEW official_account AS
    SELECT company_id, appid FROM wechat_app WHERE kind = 'official';
