-- Checks of the books: who asked for one or that it was due, and what it came to. Both only grow.
CREATE TABLE ledger_checks (
    id           uuid PRIMARY KEY,
    -- Null when it was due.
    requested_by uuid REFERENCES users (id),
    -- Names the run of the workflow, so that beginning it twice is beginning it once; null when somebody asked.
    run_key      text UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ledger_checks_due_or_asked_for CHECK ((requested_by IS NULL) = (run_key IS NOT NULL))
);

CREATE TABLE ledger_check_results (
    check_id    uuid PRIMARY KEY REFERENCES ledger_checks (id),
    sound       boolean NOT NULL,
    movements   bigint NOT NULL CHECK (movements >= 0),
    entries     bigint NOT NULL CHECK (entries >= 0),
    -- Movements of revenue that were written before; null when that could not be finished.
    recognised  bigint CHECK (recognised >= 0),
    -- Every rule, with the cases where it does not hold.
    findings    jsonb NOT NULL,
    -- The trial balance.
    accounts    jsonb NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT now()
);

CREATE TRIGGER ledger_checks_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_checks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_check_results_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_check_results
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
