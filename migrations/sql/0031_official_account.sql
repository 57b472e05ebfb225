-- Official account (公众号): pushes of WeChat's, followers, binding by scanning, menu, replies (R10, D11).

-- Owner: backend/wechat/push_settings.py. What an account signs and encrypts its pushes with; never shown again.
ALTER TABLE wechat_app
    ADD COLUMN original_id       text CHECK (original_id ~ '^gh_[0-9A-Za-z_-]{1,32}$'),
    ADD COLUMN push_mode         text CHECK (push_mode IN ('plain', 'compatible', 'safe')),
    ADD COLUMN push_token_sealed bytea,
    ADD COLUMN push_key_sealed   bytea,
    ADD CONSTRAINT wechat_app_push_sealed CHECK (get_byte(push_token_sealed, 0) = 1 AND get_byte(push_key_sealed, 0) = 1),
    ADD CONSTRAINT wechat_app_push_whole CHECK (
        (push_mode IS NULL) = (push_token_sealed IS NULL) AND (push_mode IS NULL) = (original_id IS NULL)
        AND (push_key_sealed IS NOT NULL) = coalesce(push_mode <> 'plain', false));

-- Owner: backend/wechat/push_log.py. One row per push, whatever the number of its copies (I-16). key_hash: of the account
-- and of what makes a push one; sender: blind index of the openid, gone once the follower is. reply: what a copy is answered.
CREATE TABLE wechat_push (
    key_hash    bytea PRIMARY KEY CHECK (length(key_hash) = 32),
    appid       text NOT NULL,
    company_id  uuid NOT NULL,
    kind        text NOT NULL CHECK (length(kind) BETWEEN 1 AND 64),
    sender      bytea CHECK (length(sender) = 16),
    outcome     text NOT NULL CHECK (outcome IN ('handled', 'replied', 'limited', 'ignored')),
    reply       text,
    received_at timestamptz NOT NULL
);
CREATE INDEX wechat_push_age ON wechat_push (received_at);
CREATE INDEX wechat_push_sender ON wechat_push (sender, received_at) WHERE sender IS NOT NULL;

-- Owner: backend/wechat/menus.py. buttons: as WeChat's menu/create takes them.
CREATE TABLE wechat_menu (
    appid      text PRIMARY KEY REFERENCES wechat_app (appid),
    company_id uuid NOT NULL,
    buttons    jsonb NOT NULL,
    changed_at timestamptz NOT NULL,
    pushed_at  timestamptz,
    CONSTRAINT wechat_menu_pushed CHECK (pushed_at >= changed_at)
);

-- Owner: backend/wechat/auto_replies.py. What the account answers by itself: to who follows (keyword NULL), to a click upon
-- a key of the menu, to a text that is, or contains, a keyword.
CREATE TABLE wechat_reply (
    id         uuid PRIMARY KEY,
    appid      text NOT NULL REFERENCES wechat_app (appid),
    company_id uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('follow', 'click', 'exact', 'contains')),
    keyword    text CHECK (length(keyword) BETWEEN 1 AND 128),
    reply      text NOT NULL CHECK (octet_length(reply) BETWEEN 1 AND 2048),
    created_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT wechat_reply_keyword CHECK ((kind = 'follow') = (keyword IS NULL)),
    CONSTRAINT wechat_reply_once UNIQUE NULLS NOT DISTINCT (appid, kind, keyword)
);
CREATE INDEX wechat_reply_of_company ON wechat_reply (company_id, id);

-- Owner: backend/identity/followers.py. follows: as WeChat last told, of the instant follow_told_at; NULL: not told yet.
-- Of who has unfollowed nothing is kept but that (pitfalls E20). by_scan: tied to the person by a scan alone, which must not
-- open the mini-program: such a row has no union id, by which a phone is known to be somebody's.
ALTER TABLE wechat_user
    ADD COLUMN by_scan        boolean NOT NULL DEFAULT false,
    ADD COLUMN follows        boolean,
    ADD COLUMN follow_told_at timestamptz,
    ADD CONSTRAINT wechat_user_follow CHECK ((follows IS NULL) = (follow_told_at IS NULL)),
    ADD CONSTRAINT wechat_user_scanned CHECK (NOT by_scan OR (person_id IS NOT NULL AND unionid IS NULL)),
    ADD CONSTRAINT wechat_user_gone CHECK (follows IS DISTINCT FROM false
        OR (num_nonnulls(person_id, staff_id, unionid, session_key_sealed) = 0 AND NOT reachable));

-- Owner: backend/identity/account_codes.py. A resident's code for binding the official account by a scan; the scene in it
-- is kept as SHA-256, drawn: what WeChat gave to be drawn. Gone a day after its end.
CREATE TABLE account_code (
    id         uuid PRIMARY KEY,
    person_id  uuid NOT NULL REFERENCES person (id),
    appid      text NOT NULL,
    scene_hash bytea NOT NULL CONSTRAINT account_code_scene UNIQUE CHECK (length(scene_hash) = 32),
    drawn      text,
    ticket     text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    CONSTRAINT account_code_life CHECK (expires_at > created_at AND used_at >= created_at AND used_at <= expires_at),
    CONSTRAINT account_code_drawn CHECK ((drawn IS NULL) = (ticket IS NULL))
);
CREATE INDEX account_code_expiry ON account_code (expires_at);

-- A ticket may come in by the official account.
ALTER TABLE ticket DROP CONSTRAINT ticket_channel_check;
ALTER TABLE ticket ADD CONSTRAINT ticket_channel CHECK (channel IN ('miniprogram', 'phone', 'paper', 'staff', 'official'));
CREATE INDEX ticket_consultation_open ON ticket (person_id, community_id) WHERE channel = 'official';
