-- Staff may call an order off while its server is being made; what there is of it is deleted.
INSERT INTO order_transitions (from_status, to_status) VALUES ('PROVISIONING', 'CANCELLED');

ALTER TABLE provisioning_tasks
    -- The provider's id of a server that staff want replaced: it is deleted, then another one is made.
    ADD COLUMN replace_server text,
    -- Since when the server of the order is known that is waited for.
    ADD COLUMN server_known_at timestamptz,
    -- How far administrators were told that the failed order waits for them: 1 after an hour, 2 after a day.
    ADD COLUMN escalated integer NOT NULL DEFAULT 0 CHECK (escalated BETWEEN 0 AND 2);

-- What is not provisioned for now: all of it (`*`), or what is bought from a provider (its slug).
CREATE TABLE provisioning_pauses (
    scope     text PRIMARY KEY,
    reason    text NOT NULL CHECK (reason <> ''),
    paused_by uuid NOT NULL REFERENCES users (id),
    paused_at timestamptz NOT NULL DEFAULT now()
);

-- Failed orders that staff want tried again together, some a minute.
CREATE TABLE bulk_retries (
    id            uuid PRIMARY KEY,
    failure_class text NOT NULL,
    provider      text,
    per_minute    integer NOT NULL CHECK (per_minute BETWEEN 1 AND 600),
    requested_by  uuid NOT NULL REFERENCES users (id),
    created_at    timestamptz NOT NULL DEFAULT now(),
    advanced_at   timestamptz,
    stopped_at    timestamptz
);

CREATE TABLE bulk_retry_orders (
    bulk_retry_id uuid NOT NULL REFERENCES bulk_retries (id),
    order_id      uuid NOT NULL REFERENCES orders (id),
    outcome       text CHECK (outcome IN ('retried', 'skipped')),
    at            timestamptz,
    PRIMARY KEY (bulk_retry_id, order_id),
    CONSTRAINT bulk_retry_orders_outcome_has_moment CHECK ((outcome IS NULL) = (at IS NULL))
);
CREATE INDEX bulk_retry_orders_open ON bulk_retry_orders (bulk_retry_id, order_id) WHERE outcome IS NULL;
