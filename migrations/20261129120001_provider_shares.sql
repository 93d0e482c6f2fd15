-- How much of a provider's rate budget each class of callers, and each party of a class, may still take: see
-- docs/adr/0035-shares-of-the-rate-budget.md.

CREATE TABLE provider_allowances (
    provider    text NOT NULL,
    lane        text NOT NULL,
    class       text NOT NULL,
    -- The customer or the key; null for the class as a whole. A row is forgotten once it is full again.
    party       uuid,
    -- Per window of the lane: when the allowance is full again.
    full_at     timestamptz[] NOT NULL,
    -- The latest of them.
    all_full_at timestamptz NOT NULL,
    CONSTRAINT provider_allowances_key UNIQUE NULLS NOT DISTINCT (provider, lane, class, party),
    CONSTRAINT provider_allowances_class_known CHECK (class IN ('records', 'actions', 'display', 'lent')),
    CONSTRAINT provider_allowances_has_windows CHECK (cardinality(full_at) > 0)
);

-- What providers told of servers and of themselves, kept for whoever wants to see it next, in any process.
CREATE TABLE provider_reads (
    provider        text NOT NULL,
    -- The server; null for what the provider has for everybody.
    instance_id     uuid REFERENCES instances (id) ON DELETE CASCADE,
    -- What was asked: snapshots, charts:6h, regions ...
    kind            text NOT NULL,
    answer          jsonb,
    -- When it was asked for, and until when nobody asks again.
    fetched_at      timestamptz,
    fresh_until     timestamptz,
    -- Who is asking now. Until next_refresh_at nobody else does; then whoever comes takes over.
    refresh         uuid,
    next_refresh_at timestamptz NOT NULL,
    CONSTRAINT provider_reads_key UNIQUE NULLS NOT DISTINCT (provider, instance_id, kind),
    CONSTRAINT provider_reads_answer_has_age CHECK
        ((answer IS NULL) = (fetched_at IS NULL) AND (answer IS NULL) = (fresh_until IS NULL))
);
CREATE INDEX provider_reads_instance_idx ON provider_reads (instance_id);

-- Nothing is kept of a server that has ended, or that became another one at its provider.
CREATE FUNCTION forget_provider_reads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM provider_reads WHERE instance_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER instances_forget_provider_reads AFTER UPDATE OF status, provider_instance_id, provider_id ON instances
    FOR EACH ROW
    WHEN (NEW.status = 'TERMINATED' OR NEW.provider_instance_id IS DISTINCT FROM OLD.provider_instance_id
          OR NEW.provider_id <> OLD.provider_id)
    EXECUTE FUNCTION forget_provider_reads();

-- The list of snapshots, and what the server is like, are other ones once something was done to it. What has no answer
-- yet stays without an age.
CREATE FUNCTION outdate_provider_reads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE provider_reads
    SET fresh_until = CASE WHEN fresh_until > now() THEN now() ELSE fresh_until END, refresh = NULL, next_refresh_at = now()
    WHERE instance_id = NEW.instance_id;
    RETURN NULL;
END $$;
CREATE TRIGGER instance_actions_outdate_provider_reads AFTER UPDATE OF status ON instance_actions
    FOR EACH ROW WHEN (NEW.status IN ('completed', 'failed') AND OLD.status <> NEW.status)
    EXECUTE FUNCTION outdate_provider_reads();

-- What a customer may have done within an hour is counted.
CREATE INDEX instance_actions_requester_idx ON instance_actions (requester_id, created_at) WHERE requested_by = 'user';
