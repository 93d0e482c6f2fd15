-- A last snapshot of servers whose plan includes one, before they are deleted. Expands only.

ALTER TABLE plans ADD COLUMN final_snapshot_days integer
    CONSTRAINT plans_final_snapshot_days_check CHECK (final_snapshot_days BETWEEN 1 AND 365);
COMMENT ON COLUMN plans.final_snapshot_days IS
    'So long the last snapshot of a deleted server is kept; null where the plan includes none.';

-- As it was when the server had its plan: what was sold stays.
ALTER TABLE instances ADD COLUMN final_snapshot_days integer
    CONSTRAINT instances_final_snapshot_days_check CHECK (final_snapshot_days BETWEEN 1 AND 365);

CREATE TABLE final_snapshots (
    instance_id          uuid PRIMARY KEY REFERENCES instances (id),
    -- The provider's id.
    provider_snapshot_id text,
    taken_at             timestamptz,
    kept_until           timestamptz,
    deleted_at           timestamptz,
    -- Done without, and why: staff decided so, or the provider had lost the server.
    waived_at            timestamptz,
    waived_by            uuid REFERENCES users (id),
    waived_reason        text,
    CONSTRAINT final_snapshots_taken_or_waived CHECK ((taken_at IS NULL) <> (waived_at IS NULL)),
    CONSTRAINT final_snapshots_taken CHECK ((taken_at IS NULL) = (provider_snapshot_id IS NULL)
        AND (taken_at IS NULL) = (kept_until IS NULL) AND (deleted_at IS NULL OR taken_at IS NOT NULL)),
    CONSTRAINT final_snapshots_waived_with_reason CHECK ((waived_at IS NULL) = (waived_reason IS NULL)
        AND (waived_by IS NULL OR waived_at IS NOT NULL))
);
COMMENT ON TABLE final_snapshots IS
    'What became of the last snapshot of servers whose plan includes one: taken before the server was deleted, or done without.';
CREATE INDEX final_snapshots_kept_idx ON final_snapshots (kept_until) WHERE deleted_at IS NULL AND taken_at IS NOT NULL;
CREATE TRIGGER final_snapshots_never_deleted BEFORE DELETE OR TRUNCATE ON final_snapshots
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION require_final_snapshot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM final_snapshots WHERE instance_id = NEW.id) THEN
        RAISE EXCEPTION 'the plan of server % includes a last snapshot, and there is none', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'instances_final_snapshot_first';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER instances_final_snapshot_first BEFORE UPDATE OF status ON instances FOR EACH ROW
    WHEN (NEW.status = 'TERMINATED' AND OLD.status <> 'TERMINATED' AND NEW.final_snapshot_days IS NOT NULL)
    EXECUTE FUNCTION require_final_snapshot();
