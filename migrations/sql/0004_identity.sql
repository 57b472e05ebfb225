-- Identity: people, their WeChat accounts, staff, roles, sessions (D1, D12).

CREATE TABLE person (
    id               uuid PRIMARY KEY,
    no               bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    name_sealed      bytea,
    phone_sealed     bytea,
    phone_blind      bytea,
    phone_tail_blind bytea,
    created_at       timestamptz NOT NULL,
    removed_at       timestamptz,
    CONSTRAINT person_number UNIQUE (id, no),
    CONSTRAINT person_sealed CHECK (get_byte(name_sealed, 0) = 1 AND get_byte(phone_sealed, 0) = 1),
    CONSTRAINT person_blind CHECK (length(phone_blind) = 16 AND length(phone_tail_blind) = 16)
);
ALTER TABLE occupancy ADD CONSTRAINT occupancy_person FOREIGN KEY (person_id, person_no) REFERENCES person (id, no);
CREATE UNIQUE INDEX person_phone ON person (phone_blind) WHERE removed_at IS NULL AND phone_blind IS NOT NULL;
CREATE INDEX person_phone_tail ON person (phone_tail_blind);

CREATE TABLE staff (
    id                 uuid PRIMARY KEY,
    company_id         uuid NOT NULL REFERENCES company (id),
    login              text NOT NULL UNIQUE,
    name               text NOT NULL,
    password_hash      text NOT NULL,
    totp_secret_sealed bytea,
    totp_pending_sealed bytea,
    totp_last_step     bigint NOT NULL DEFAULT 0,
    state              text NOT NULL CHECK (state IN ('ACTIVE', 'DISABLED')),
    created_at         timestamptz NOT NULL,
    CONSTRAINT staff_sealed CHECK (get_byte(totp_secret_sealed, 0) = 1 AND get_byte(totp_pending_sealed, 0) = 1)
);
CREATE INDEX staff_company ON staff (company_id, login);

CREATE TABLE wechat_user (
    id                 uuid PRIMARY KEY,
    appid              text NOT NULL,
    openid             text NOT NULL,
    unionid            text,
    person_id          uuid REFERENCES person (id),
    staff_id           uuid REFERENCES staff (id),
    session_key_sealed bytea,
    reachable          boolean NOT NULL DEFAULT true,
    created_at         timestamptz NOT NULL,
    CONSTRAINT wechat_user_once UNIQUE (appid, openid),
    CONSTRAINT wechat_user_sealed CHECK (get_byte(session_key_sealed, 0) = 1)
);
CREATE UNIQUE INDEX wechat_user_staff ON wechat_user (appid, staff_id) WHERE staff_id IS NOT NULL;
CREATE INDEX wechat_user_person ON wechat_user (person_id);
CREATE INDEX wechat_user_unionid ON wechat_user (unionid) WHERE unionid IS NOT NULL;

-- community_id NULL: all communities of the company.
CREATE TABLE staff_role (
    staff_id     uuid NOT NULL REFERENCES staff (id),
    role         text NOT NULL CHECK (role IN ('administrator', 'manager', 'cashier', 'customer_service',
                                               'engineer', 'guard', 'read_only')),
    community_id uuid REFERENCES community (id),
    granted_by   uuid,
    granted_at   timestamptz NOT NULL,
    CONSTRAINT staff_role_once UNIQUE NULLS NOT DISTINCT (staff_id, role, community_id)
);

-- Failed logins by what was typed, whether such a login exists or not, so that the answer tells nothing.
CREATE TABLE login_guard (
    login_hash bytea PRIMARY KEY,
    failures   integer NOT NULL,
    since      timestamptz NOT NULL
);

CREATE TABLE session (
    token_hash     bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    kind           text NOT NULL CHECK (kind IN ('resident', 'staff')),
    wechat_user_id uuid REFERENCES wechat_user (id),
    staff_id       uuid REFERENCES staff (id),
    second_factor  boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    revoked_at     timestamptz,
    CONSTRAINT session_one_subject CHECK ((kind = 'resident') = (wechat_user_id IS NOT NULL)
                                      AND (kind = 'staff') = (staff_id IS NOT NULL))
);
CREATE INDEX session_staff ON session (staff_id) WHERE revoked_at IS NULL;
CREATE INDEX session_wechat_user ON session (wechat_user_id) WHERE revoked_at IS NULL;
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE staff_wechat_code (
    code_hash  bytea PRIMARY KEY,
    staff_id   uuid NOT NULL REFERENCES staff (id),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);

CREATE TABLE personal_consent (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    person_id  uuid NOT NULL REFERENCES person (id),
    purpose    text NOT NULL,
    version    integer NOT NULL CHECK (version > 0),
    granted_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE UNIQUE INDEX personal_consent_live ON personal_consent (person_id, purpose) WHERE revoked_at IS NULL;

-- Devices of gates, cameras and meters sign with a key of their own.
CREATE TABLE device (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL REFERENCES community (id),
    name         text NOT NULL,
    token_hash   bytea NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL,
    revoked_at   timestamptz
);
