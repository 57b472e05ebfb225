-- Moves of states are checked by the trigger's condition; its function is called only to refuse. See decision
-- 0012.

-- Let the state of a table change by these moves alone ('OLD>NEW'); the trigger keeps them as its arguments.
CREATE FUNCTION linli_allow_moves(guarded regclass, moves text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER %I BEFORE UPDATE ON %s FOR EACH ROW
             WHEN (OLD.state <> NEW.state AND (OLD.state || ''>'' || NEW.state) <> ALL (%L::text[]))
             EXECUTE FUNCTION linli_check_move(%s)',
        guarded || '_moves', guarded, moves,
        (SELECT string_agg(quote_literal(move), ', ' ORDER BY position)
           FROM unnest(moves) WITH ORDINALITY AS each (move, position)));
END $$;

DO $$
DECLARE
    guard record;
BEGIN
    FOR guard IN
        SELECT t.tgrelid::regclass AS guarded,
               string_to_array(rtrim(encode(t.tgargs, 'escape'), '\000'), '\000') AS moves
          FROM pg_trigger t
         WHERE t.tgfoid = 'linli_check_move'::regproc AND t.tgname = t.tgrelid::regclass || '_moves'
    LOOP
        PERFORM linli_allow_moves(guard.guarded, guard.moves);
    END LOOP;
END $$;
