-- What customers call their servers besides the name: words of their own, to find them by.

ALTER TABLE instances ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
-- At most 20, each once and in the order of the alphabet, so that two sets that are the same are one value.
ALTER TABLE instances ADD CONSTRAINT instances_tags_are_words CHECK (
    array_position(tags, NULL) IS NULL
    AND cardinality(tags) <= 20
    AND array_to_string(tags, ',') ~ '^([a-z0-9:_-]{1,64}(,[a-z0-9:_-]{1,64})*)?$'
);
COMMENT ON COLUMN instances.tags IS 'Words of the owner''s own, sorted, each once.';
