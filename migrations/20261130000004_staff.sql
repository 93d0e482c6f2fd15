-- What staff keep about accounts, and what finds things quickly. Expands only.

ALTER TABLE users
    -- Why, for colleagues, and who did it; null while it is not suspended, or was so by an older program.
    ADD COLUMN suspended_why text,
    ADD COLUMN suspended_by  uuid REFERENCES users (id);

CREATE TABLE user_notes (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id),
    author_id  uuid NOT NULL REFERENCES users (id),
    text       text NOT NULL CHECK (text <> ''),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE user_notes IS 'What staff wrote about an account, for each other. Append-only.';
CREATE INDEX user_notes_user_idx ON user_notes (user_id, id DESC);
CREATE TRIGGER user_notes_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON user_notes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- When a server was gone, for how many leave us in a month. Kept by a trigger, whoever ends it.
ALTER TABLE instances ADD COLUMN terminated_at timestamptz;
UPDATE instances SET terminated_at = updated_at WHERE status = 'TERMINATED';
CREATE INDEX instances_terminated_idx ON instances (terminated_at) WHERE terminated_at IS NOT NULL;
CREATE FUNCTION note_instance_termination() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.terminated_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER instances_note_termination BEFORE UPDATE OF status ON instances
    FOR EACH ROW WHEN (new.status = 'TERMINATED' AND old.status <> 'TERMINATED')
    EXECUTE FUNCTION note_instance_termination();

-- Lists of servers by when something is due; what has no such time comes last.
CREATE INDEX instances_by_expiry_idx ON instances ((coalesce(expires_at, 'infinity'::timestamptz)), id);
CREATE INDEX instances_by_due_idx ON instances ((coalesce(next_due_at, 'infinity'::timestamptz)), id);

-- Revenue by month: only these movements touch what was earned.
CREATE INDEX ledger_movements_earned_idx ON ledger_movements (at) WHERE kind IN ('REVENUE', 'REFUND', 'REFUND_OWED',
    'REFUND_SETTLED', 'REFUND_RETURNED', 'DISPUTE');
-- The sum of an account from the index alone.
CREATE INDEX ledger_entries_sum_idx ON ledger_entries (account_id) INCLUDE (amount);

-- Finding by a part of a word. The extension comes with Postgres and may be created by whoever owns the database; where it is
-- not to be had, the same queries read the tables through.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX users_email_trgm_idx ON users USING gin (email_key gin_trgm_ops);
    CREATE INDEX users_name_trgm_idx ON users USING gin (lower(full_name) gin_trgm_ops);
    CREATE INDEX orders_hostname_trgm_idx ON orders USING gin (hostname gin_trgm_ops);
    CREATE INDEX invoices_number_trgm_idx ON invoices USING gin (number gin_trgm_ops) WHERE number IS NOT NULL;
    CREATE INDEX payments_va_trgm_idx ON payments USING gin (va_number gin_trgm_ops) WHERE va_number IS NOT NULL;
    CREATE INDEX instances_name_trgm_idx ON instances USING gin (lower(name) gin_trgm_ops);
    CREATE INDEX instances_ipv4_trgm_idx ON instances USING gin (ipv4 gin_trgm_ops);
    CREATE INDEX instances_ipv6_trgm_idx ON instances USING gin (ipv6 gin_trgm_ops);
    CREATE INDEX instances_server_trgm_idx ON instances USING gin (provider_instance_id gin_trgm_ops);
EXCEPTION
    WHEN insufficient_privilege OR undefined_file OR feature_not_supported OR undefined_object THEN
        RAISE NOTICE 'pg_trgm is not to be had (%): staff''s search reads tables through', SQLERRM;
END $$;
