-- A server's life after its activation: what is due, what it was told, what holds it back. Expands only.

CREATE TABLE life_policies (
    version    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- domain::life::LifePolicy
    rules      jsonb NOT NULL CHECK (jsonb_typeof(rules) = 'object'),
    created_by uuid REFERENCES users (id),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE life_policies IS
    'The rules of servers'' lives, by version; a row is never changed. The greatest version holds for new servers.';

INSERT INTO life_policies (rules) VALUES ('{
    "remind_before_ms": [604800000, 259200000, 86400000],
    "renew_before_ms": 259200000,
    "grace_ms": 259200000,
    "retention_ms": 1209600000,
    "warn_before_ms": 259200000,
    "put_off_ms": 3600000
}');

ALTER TABLE instances
    -- The rules it lives by.
    ADD COLUMN life_policy integer NOT NULL DEFAULT 1 REFERENCES life_policies (version),
    -- When its life has to be looked at next; null: nothing is due until something happens to it.
    ADD COLUMN next_due_at timestamptz,
    -- Looks at its life, counted. A workflow that saw more of them than there are knows that the database was put back.
    ADD COLUMN life_turns bigint NOT NULL DEFAULT 0 CHECK (life_turns >= 0),
    ADD COLUMN suspended_at timestamptz,
    -- Its owner wants no further term: it goes when the present one ends.
    ADD COLUMN cancels_at_period_end boolean NOT NULL DEFAULT false,
    -- A step that is due and held back, since when and why.
    ADD COLUMN held_step text CHECK (held_step IN ('renew', 'suspend', 'terminate')),
    ADD COLUMN held_since timestamptz,
    ADD COLUMN held_why text,
    ADD CONSTRAINT instances_held_is_whole CHECK ((held_step IS NULL) = (held_since IS NULL)
        AND (held_step IS NULL) = (held_why IS NULL));
ALTER TABLE instances DROP CONSTRAINT instances_status_check;
ALTER TABLE instances ADD CONSTRAINT instances_status_check
    CHECK (status IN ('PROVISIONING', 'ACTIVE', 'SUSPENDED', 'TERMINATING', 'TERMINATED'));
CREATE INDEX instances_due_idx ON instances (next_due_at) WHERE next_due_at IS NOT NULL;

CREATE TABLE instance_transitions (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    PRIMARY KEY (from_status, to_status)
);
COMMENT ON TABLE instance_transitions IS 'The moves that a server''s status can make; a trigger refuses all others.';
INSERT INTO instance_transitions (from_status, to_status) VALUES
    ('PROVISIONING', 'ACTIVE'),
    -- Its order was called off.
    ('PROVISIONING', 'TERMINATING'),
    ('PROVISIONING', 'TERMINATED'),
    ('ACTIVE', 'SUSPENDED'),
    ('ACTIVE', 'TERMINATING'),
    ('ACTIVE', 'TERMINATED'),
    ('SUSPENDED', 'ACTIVE'),
    ('SUSPENDED', 'TERMINATING'),
    ('SUSPENDED', 'TERMINATED'),
    ('TERMINATING', 'TERMINATED');

CREATE FUNCTION check_instance_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM instance_transitions WHERE from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION 'a server does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'instances_transition_legal';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER instances_transition_legal BEFORE UPDATE OF status ON instances
    FOR EACH ROW WHEN (old.status <> new.status) EXECUTE FUNCTION check_instance_transition();

CREATE TABLE life_notices (
    instance_id  uuid NOT NULL REFERENCES instances (id),
    -- The term that it is about, by its end.
    term_ends_at timestamptz NOT NULL,
    notice       text NOT NULL CHECK (notice IN ('remind_7', 'remind_3', 'remind_1', 'lacks_money', 'grace', 'suspended',
        'termination', 'cancellation')),
    -- When it was delivered: in the app it is from its commit on.
    told_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (instance_id, term_ends_at, notice)
);
COMMENT ON TABLE life_notices IS
    'What a server''s owner was told about the end of a term, each once. Nothing is taken from them without.';

CREATE TABLE instance_holds (
    id          uuid PRIMARY KEY,
    instance_id uuid NOT NULL REFERENCES instances (id),
    kind        text NOT NULL CHECK (kind IN ('abuse', 'legal', 'billing', 'support')),
    -- While it lasts, no time passes towards suspension and deletion.
    stops_clock boolean NOT NULL,
    reason      text NOT NULL CHECK (reason <> ''),
    held_by     uuid NOT NULL REFERENCES users (id),
    held_from   timestamptz NOT NULL DEFAULT now(),
    -- When it ends by itself; null: when it is released.
    held_until  timestamptz,
    released_at timestamptz,
    released_by uuid REFERENCES users (id),
    CONSTRAINT instance_holds_in_order CHECK (held_until > held_from),
    CONSTRAINT instance_holds_released_by_somebody CHECK ((released_at IS NULL) = (released_by IS NULL))
);
COMMENT ON TABLE instance_holds IS
    'What staff hold a server for. While any lasts, it is neither suspended nor deleted for want of money.';
CREATE INDEX instance_holds_instance_idx ON instance_holds (instance_id);

CREATE TABLE life_pauses (
    -- Slug of a provider, or * for all.
    scope     text NOT NULL,
    process   text NOT NULL CHECK (process IN ('renewals', 'suspensions', 'terminations')),
    reason    text NOT NULL CHECK (reason <> ''),
    paused_by uuid NOT NULL REFERENCES users (id),
    paused_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, process)
);
COMMENT ON TABLE life_pauses IS 'What is not done to servers by itself for now.';

CREATE TABLE life_step_hours (
    step  text NOT NULL CHECK (step IN ('suspend', 'terminate')),
    -- The hour's beginning.
    hour  timestamptz NOT NULL,
    done  integer NOT NULL DEFAULT 0 CHECK (done >= 0),
    -- Steps beyond the bound that were put off in this hour.
    held  integer NOT NULL DEFAULT 0 CHECK (held >= 0),
    PRIMARY KEY (step, hour)
);
COMMENT ON TABLE life_step_hours IS 'How many servers were suspended and deleted for want of money, by the hour.';

CREATE TABLE life_releases (
    id         uuid PRIMARY KEY,
    step       text NOT NULL CHECK (step IN ('suspend', 'terminate')),
    -- For so many servers, and how many made use of it.
    number     integer NOT NULL CHECK (number > 0),
    used       integer NOT NULL DEFAULT 0 CHECK (used >= 0 AND used <= number),
    reason     text NOT NULL CHECK (reason <> ''),
    created_by uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE life_releases IS 'What staff let go beyond the bound of an hour, by number.';

CREATE TABLE upkeep_successes (
    kind text PRIMARY KEY,
    at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE upkeep_successes IS 'When scheduled work last went through from its beginning to its end.';

-- Since when the database is known to have been put back to an earlier state; null: it was not, or an administrator has looked.
ALTER TABLE installation ADD COLUMN restored_at timestamptz;

ALTER TABLE instance_actions DROP CONSTRAINT instance_actions_action_known;
ALTER TABLE instance_actions ADD CONSTRAINT instance_actions_action_known CHECK (action IN ('power_on', 'power_off',
    'shutdown', 'reboot', 'power_cycle', 'rebuild', 'resize', 'snapshot', 'restore', 'rename', 'enable_backups',
    'disable_backups', 'delete', 'delete_snapshot', 'reset_password', 'suspend', 'resume'));
