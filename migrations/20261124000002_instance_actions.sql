-- What is to be done to a server, was done, or could not be: by its customer, by staff, by a program.

CREATE TABLE instance_actions (
    id              uuid PRIMARY KEY,
    instance_id     uuid NOT NULL REFERENCES instances (id),
    action          text NOT NULL,
    -- In our words: slugs of the catalog, not the provider's.
    params          jsonb NOT NULL DEFAULT '{}',
    status          text NOT NULL DEFAULT 'pending',
    requested_by    text NOT NULL,
    -- The user or the API key; null for ourselves.
    requester_id    uuid,
    idempotency_key text,
    request_hash    bytea NOT NULL,
    -- Set before the provider is asked. While it is set without a receipt, the provider may be at it already.
    sent_at         timestamptz,
    -- What the provider gave for it, to ask by how it goes.
    receipt         jsonb,
    -- What it made, such as a snapshot's id.
    result          jsonb,
    -- The class of a failure, and what the customer is told of it.
    failure_class   text,
    failure_message text,
    -- The latest trouble with the provider in its own words, with its code and request id: for administrators.
    trouble         jsonb,
    created_at      timestamptz NOT NULL DEFAULT now(),
    started_at      timestamptz,
    finished_at     timestamptz,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT instance_actions_action_known CHECK (action IN
        ('power_on', 'power_off', 'shutdown', 'reboot', 'power_cycle', 'rebuild', 'resize', 'snapshot', 'restore',
         'rename', 'enable_backups', 'disable_backups', 'delete')),
    CONSTRAINT instance_actions_status_known CHECK (status IN ('pending', 'in_progress', 'completed', 'failed')),
    CONSTRAINT instance_actions_requester_known CHECK (requested_by IN ('user', 'api_key', 'system')),
    CONSTRAINT instance_actions_params_object CHECK (jsonb_typeof(params) = 'object'),
    CONSTRAINT instance_actions_started_when_at_work CHECK (status <> 'in_progress' OR started_at IS NOT NULL),
    CONSTRAINT instance_actions_finished_when_over CHECK
        ((status IN ('completed', 'failed')) = (finished_at IS NOT NULL)),
    CONSTRAINT instance_actions_failure_with_reason CHECK
        ((status = 'failed') = (failure_class IS NOT NULL AND failure_message IS NOT NULL)),
    CONSTRAINT instance_actions_sent_when_at_work CHECK (status <> 'pending' OR (sent_at IS NULL AND receipt IS NULL))
);

-- Two actions never meet at the provider.
CREATE UNIQUE INDEX instance_actions_one_in_progress ON instance_actions (instance_id) WHERE status = 'in_progress';
CREATE UNIQUE INDEX instance_actions_one_open_delete ON instance_actions (instance_id)
    WHERE action = 'delete' AND status IN ('pending', 'in_progress');
CREATE UNIQUE INDEX instance_actions_idempotency ON instance_actions (instance_id, requester_id, idempotency_key)
    NULLS NOT DISTINCT WHERE idempotency_key IS NOT NULL;
CREATE INDEX instance_actions_instance_idx ON instance_actions (instance_id, id DESC);

-- What is over stays as it ended.
CREATE FUNCTION keep_finished_action() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status IN ('completed', 'failed') THEN
        RAISE EXCEPTION 'action % is % and does not change', OLD.id, OLD.status USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER instance_actions_finished_is_final BEFORE UPDATE ON instance_actions
    FOR EACH ROW EXECUTE FUNCTION keep_finished_action();
