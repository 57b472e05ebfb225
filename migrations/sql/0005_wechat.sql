-- Owner: backend/wechat/apps.py. One row per mini-program or official account (小程序、公众号) of a company.
-- secret_sealed: Keyring.seal, context bound to (wechat_app, secret, appid).
CREATE TABLE wechat_app (
    appid          text        PRIMARY KEY CHECK (appid ~ '^[0-9A-Za-z_-]{1,32}$'),
    company_id     uuid        NOT NULL REFERENCES company (id),
    kind           text        NOT NULL CHECK (kind IN ('miniprogram', 'official')),
    secret_sealed  bytea       NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    CHECK (updated_at >= created_at)
);
CREATE INDEX wechat_app_of_company ON wechat_app (company_id, kind);
