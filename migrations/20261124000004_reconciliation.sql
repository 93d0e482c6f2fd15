-- What the reconciler found at the providers, and what it did about it.

-- One row per comparison of a provider with the database.
CREATE TABLE reconciliations (
    id             uuid PRIMARY KEY,
    provider_id    uuid NOT NULL REFERENCES providers (id),
    -- The workflow's run, so that a step done twice is one row.
    run_key        text UNIQUE,
    status         text NOT NULL CHECK (status IN ('REQUESTED', 'RUNNING', 'COMPLETED', 'FAILED')),
    -- A dry run changes nothing, neither at the provider nor here.
    dry_run        boolean NOT NULL,
    requested_by   uuid REFERENCES users (id),
    usd_idr        numeric(12, 4),
    servers_listed integer NOT NULL DEFAULT 0,
    -- Tells one set of findings from another: administrators hear of news, not of the same things every hour.
    digest         text,
    error          text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    finished_at    timestamptz,
    CONSTRAINT reconciliations_failed_with_error CHECK ((status = 'FAILED') = (error IS NOT NULL))
);
CREATE INDEX reconciliations_provider_idx ON reconciliations (provider_id, id DESC);

CREATE TABLE reconciliation_findings (
    id                   uuid PRIMARY KEY,
    reconciliation_id    uuid NOT NULL REFERENCES reconciliations (id),
    kind                 text NOT NULL CHECK (kind IN ('orphan', 'ghost', 'duplicate', 'drifted')),
    reason               text NOT NULL,
    action               text NOT NULL,
    provider_instance_id text NOT NULL,
    name                 text,
    tags                 text[] NOT NULL DEFAULT '{}',
    size                 text,
    region               text,
    order_id             uuid REFERENCES orders (id),
    instance_id          uuid REFERENCES instances (id),
    -- When the provider made it.
    server_created_at    timestamptz,
    -- Whole rupiah; null when its size has no known price.
    monthly_cost         bigint,
    detail               jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX reconciliation_findings_run_idx ON reconciliation_findings (reconciliation_id, kind, id DESC);

-- Servers that nobody should pay for: powered off first, deleted when `delete_after` is past and a fresh look finds them
-- as unwanted as before.
CREATE TABLE quarantined_servers (
    id                   uuid PRIMARY KEY,
    provider_id          uuid NOT NULL REFERENCES providers (id),
    provider_instance_id text NOT NULL,
    kind                 text NOT NULL,
    reason               text NOT NULL,
    name                 text,
    tags                 text[] NOT NULL DEFAULT '{}',
    order_id             uuid REFERENCES orders (id),
    monthly_cost         bigint,
    reconciliation_id    uuid NOT NULL REFERENCES reconciliations (id),
    created_at           timestamptz NOT NULL DEFAULT now(),
    delete_after         timestamptz NOT NULL,
    powered_off_at       timestamptz,
    -- Let go: by an administrator, or because it turned out to be wanted. It is not accused again.
    released_at          timestamptz,
    released_by          uuid REFERENCES users (id),
    release_reason       text,
    -- When a released server was given its power back.
    power_restored_at    timestamptz,
    delete_requested_at  timestamptz,
    -- When the provider confirmed that it is gone.
    deleted_at           timestamptz,
    UNIQUE (provider_id, provider_instance_id),
    CONSTRAINT quarantined_servers_released_with_reason CHECK ((released_at IS NULL) = (release_reason IS NULL)),
    CONSTRAINT quarantined_servers_deleted_or_released CHECK (delete_requested_at IS NULL OR released_at IS NULL)
);
CREATE INDEX quarantined_servers_open_idx ON quarantined_servers (provider_id) WHERE deleted_at IS NULL;
