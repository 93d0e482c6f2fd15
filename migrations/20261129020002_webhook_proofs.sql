-- Proofs are secrets: a signature covers less than its notification says, so whoever reads one could sign another one with
-- it. No program keeps one any more, nor one of an earlier version that still runs.

-- A notification without what proves it: values of fields that are named so, and whatever looks like a digest, wherever it
-- stands. What is no text holds no proof that could be read.
CREATE FUNCTION without_proofs(body bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    words text;
BEGIN
    words := convert_from(body, 'UTF8');
    words := regexp_replace(words,
        '("[^"]*(?:signature|token|secret|password|authorization|api_?key)[^"]*"\s*:\s*)"(?:[^"\\]|\\.)*"',
        '\1"[redacted]"', 'gi');
    RETURN convert_to(regexp_replace(words, '[0-9a-fA-F]{64,}', '[redacted]', 'g'), 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RETURN body;
END $$;

CREATE FUNCTION keep_without_proofs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.body := without_proofs(NEW.body);
    RETURN NEW;
END $$;
CREATE TRIGGER webhook_events_without_proofs BEFORE INSERT ON webhook_events
    FOR EACH ROW EXECUTE FUNCTION keep_without_proofs();

-- The table stays append-only for everybody; this once its history is rid of what it should never have had.
ALTER TABLE webhook_events DISABLE TRIGGER webhook_events_append_only;
UPDATE webhook_events SET body = without_proofs(body) WHERE body <> without_proofs(body);
ALTER TABLE webhook_events ENABLE TRIGGER webhook_events_append_only;
