-- Pages in the official account, mini-program codes, checks of what residents write and send (R6, R7, R10).

-- A state of the web login that has brought somebody back from WeChat: one state is one WeChat user (pitfalls E17).
CREATE TABLE web_login (
    state_hash     bytea PRIMARY KEY CHECK (octet_length(state_hash) = 32),
    wechat_user_id uuid NOT NULL REFERENCES wechat_user (id),
    at             timestamptz NOT NULL
);
CREATE INDEX web_login_at ON web_login (at);

-- What a mini-program code may lead to. paper_code: whoever replaces a house's paper code ends the mini-program's too.
CREATE VIEW wechat_code_subject AS
    SELECT 'house' AS kind, id, community_id, label AS name, pay_code AS paper_code FROM house
     UNION ALL
    SELECT 'gate', id, community_id, name, NULL FROM device WHERE kind = 'gate' AND revoked_at IS NULL;

-- Mini-program codes (小程序码): the scene is a short ticket, what it stands for is here (pitfalls E19). picture: the ending
-- of the stored picture; NULL: WeChat has not given it yet. ended_at: the code leads nowhere any more.
CREATE TABLE wechat_code (
    scene        text PRIMARY KEY CHECK (scene ~ '^[0-9A-Z]{12}$'),
    community_id uuid NOT NULL,
    appid        text NOT NULL REFERENCES wechat_app (appid),
    kind         text NOT NULL CHECK (kind IN ('house', 'gate')),
    subject_id   uuid NOT NULL,
    paper_code   text,
    picture      text CHECK (picture IN ('.png', '.jpg')),
    created_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    CONSTRAINT wechat_code_house CHECK ((kind = 'house') = (paper_code IS NOT NULL))
);
CREATE UNIQUE INDEX wechat_code_live ON wechat_code (subject_id, kind, appid) WHERE ended_at IS NULL;

-- Whether WeChat checks what residents of a company write and send (内容安全检查); without a row it does not.
CREATE TABLE ticket_screening (
    company_id uuid PRIMARY KEY REFERENCES company (id),
    enabled    boolean NOT NULL,
    changed_at timestamptz NOT NULL
);

-- One check of the words or of a picture that came with an event of a ticket. Whose they are is not kept here: an anonymous
-- ticket stays one. appid, trace_id: by which WeChat's later push names it. decided_by: who of the staff has judged.
CREATE TABLE ticket_check (
    id           uuid PRIMARY KEY,
    community_id uuid NOT NULL,
    ticket_id    uuid NOT NULL REFERENCES ticket (id),
    event_id     bigint NOT NULL REFERENCES ticket_event (id),
    kind         text NOT NULL CHECK (kind IN ('words', 'picture')),
    media_id     uuid,
    state        text NOT NULL CHECK (state IN ('WAITING', 'ASKED', 'PASSED', 'REVIEW', 'RISKY', 'SKIPPED', 'CLEARED',
                                                'BLOCKED')),
    appid        text,
    trace_id     text,
    asked_times  integer NOT NULL DEFAULT 0,
    asked_at     timestamptz,
    label        integer,
    created_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    decided_by   uuid,
    decided_at   timestamptz,
    CONSTRAINT ticket_check_once UNIQUE NULLS NOT DISTINCT (event_id, kind, media_id),
    CONSTRAINT ticket_check_picture CHECK ((kind = 'picture') = (media_id IS NOT NULL)),
    CONSTRAINT ticket_check_asked CHECK (state <> 'ASKED' OR num_nonnulls(appid, trace_id, asked_at) = 3),
    CONSTRAINT ticket_check_ended CHECK ((state IN ('WAITING', 'ASKED')) = (ended_at IS NULL)),
    CONSTRAINT ticket_check_decided CHECK ((state IN ('CLEARED', 'BLOCKED')) = (decided_by IS NOT NULL)
                                       AND (decided_by IS NULL) = (decided_at IS NULL))
);
CREATE UNIQUE INDEX ticket_check_trace ON ticket_check (trace_id, appid) WHERE trace_id IS NOT NULL;
CREATE INDEX ticket_check_found ON ticket_check (ticket_id) WHERE state IN ('REVIEW', 'RISKY', 'BLOCKED');
CREATE INDEX ticket_check_open ON ticket_check (community_id, id) WHERE state IN ('REVIEW', 'RISKY');
CREATE INDEX ticket_check_unanswered ON ticket_check (asked_at) WHERE state = 'ASKED';
CREATE INDEX ticket_check_old ON ticket_check (ended_at) WHERE state IN ('PASSED', 'SKIPPED', 'CLEARED');
SELECT linli_allow_moves('ticket_check', ARRAY[
    'WAITING>ASKED', 'WAITING>PASSED', 'WAITING>REVIEW', 'WAITING>RISKY', 'WAITING>SKIPPED', 'ASKED>WAITING',
    'ASKED>PASSED', 'ASKED>REVIEW', 'ASKED>RISKY', 'ASKED>SKIPPED', 'REVIEW>CLEARED', 'REVIEW>BLOCKED',
    'RISKY>CLEARED', 'RISKY>BLOCKED']);

-- Where the check of a ticket's words asks WeChat in the name of who wrote them: the accounts in its company's mini-programs.
CREATE VIEW ticket_wechat_account AS
    SELECT u.person_id, u.appid, u.openid, a.company_id, u.created_at
      FROM wechat_user u JOIN wechat_app a ON a.appid = u.appid AND a.kind = 'miniprogram'
     WHERE u.person_id IS NOT NULL;
