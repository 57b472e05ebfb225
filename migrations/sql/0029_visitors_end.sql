-- Visitors, completed: a pass used by one statement (R8, D10, decision 0031).

-- The last word of a statement that writes what was decided on rows seen without a lock: it fails as a serialization failure, so
-- that nothing of it stays, unless everything was still as it was seen.
CREATE FUNCTION linli_as_seen(all_so boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF all_so IS NOT TRUE THEN
        RAISE EXCEPTION 'no longer as it was seen' USING ERRCODE = 'serialization_failure';
    END IF;
END $$;

-- Bans that end by themselves, as they end.
CREATE INDEX visitor_ban_ends ON visitor_ban (until_at) WHERE lifted_at IS NULL AND until_at IS NOT NULL;
