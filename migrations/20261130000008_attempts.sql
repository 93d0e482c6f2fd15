-- Attempts to pay hold a suspension or deletion back for a bounded time, which is counted from the first that did.
ALTER TABLE instances
    ADD COLUMN attempts_since timestamptz;
COMMENT ON COLUMN instances.attempts_since IS
    'When an attempt to pay first held the next suspension or deletion back; null once that was done, or a term was paid.';
