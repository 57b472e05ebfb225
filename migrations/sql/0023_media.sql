-- Pictures, short videos and documents that people send (照片, 短视频, 附件): checked, written anew, then bound to what they
-- were sent for (R6, R9, D9).

-- stored_at NULL: its file is not in the store yet. owner_noun, owner_key: what it belongs to, once and for good; who may
-- see that may see the file. position: its place among those that were bound together.
CREATE TABLE media (
    id            uuid PRIMARY KEY,
    community_id  uuid NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('picture', 'video', 'document')),
    state         text NOT NULL CHECK (state IN ('RECEIVING', 'UPLOADED', 'BOUND', 'EXPIRED')),
    uploader_kind text NOT NULL CHECK (uploader_kind IN ('resident', 'staff')),
    uploader_id   uuid NOT NULL,
    created_at    timestamptz NOT NULL,
    sha256        bytea CHECK (octet_length(sha256) = 32),
    size_bytes    bigint CHECK (size_bytes > 0),
    width         integer CHECK (width >= 0),
    height        integer CHECK (height >= 0),
    length_ms     integer CHECK (length_ms >= 0),
    stored_at     timestamptz,
    owner_noun    text,
    owner_key     text,
    position      integer,
    bound_at      timestamptz,
    CONSTRAINT media_stored_whole CHECK (
        num_nonnulls(sha256, size_bytes, width, height, length_ms, stored_at) IN (0, 6)
        AND (state NOT IN ('UPLOADED', 'BOUND') OR stored_at IS NOT NULL)),
    CONSTRAINT media_bound_whole CHECK (
        num_nonnulls(owner_noun, owner_key, position, bound_at) = CASE state WHEN 'BOUND' THEN 4 ELSE 0 END)
);
CREATE INDEX media_owner ON media (owner_noun, owner_key) WHERE state = 'BOUND';
CREATE INDEX media_uploader ON media (uploader_id, created_at);
CREATE INDEX media_unbound ON media (state, created_at) WHERE state <> 'BOUND';
SELECT linli_allow_moves('media', ARRAY[
    'RECEIVING>UPLOADED', 'RECEIVING>EXPIRED', 'UPLOADED>BOUND', 'UPLOADED>EXPIRED']);
