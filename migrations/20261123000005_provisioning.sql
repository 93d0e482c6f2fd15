-- Servers, and the work of getting them.

CREATE TABLE instances (
    id                   uuid PRIMARY KEY,
    order_id             uuid NOT NULL UNIQUE REFERENCES orders (id),
    user_id              uuid NOT NULL REFERENCES users (id),
    provider_id          uuid NOT NULL REFERENCES providers (id),
    plan_id              uuid NOT NULL REFERENCES plans (id),
    region_id            uuid NOT NULL REFERENCES regions (id),
    image_id             uuid NOT NULL REFERENCES images (id),
    -- The provider's own id. At most one server per order, and no server twice.
    provider_instance_id text,
    name                 text NOT NULL,
    hostname             text NOT NULL,
    status               text NOT NULL CHECK (status IN ('PROVISIONING', 'ACTIVE', 'SUSPENDED', 'TERMINATED')),
    power_state          text NOT NULL DEFAULT 'UNKNOWN' CHECK (power_state IN ('ON', 'OFF', 'UNKNOWN')),
    ipv4                 text,
    ipv6                 text,
    auto_renew           boolean NOT NULL DEFAULT false,
    starts_at            timestamptz,
    expires_at           timestamptz,
    term_ended_at        timestamptz,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT instances_provider_instance_key UNIQUE (provider_id, provider_instance_id),
    CONSTRAINT instances_active_is_real CHECK
        (status <> 'ACTIVE' OR (provider_instance_id IS NOT NULL AND ipv4 IS NOT NULL AND expires_at IS NOT NULL))
);
CREATE INDEX instances_user_idx ON instances (user_id, id DESC);

CREATE TABLE provisioning_tasks (
    id                 uuid PRIMARY KEY,
    order_id           uuid NOT NULL UNIQUE REFERENCES orders (id),
    instance_id        uuid UNIQUE REFERENCES instances (id),
    provider_type      text NOT NULL,
    status             text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED')),
    attempts           integer NOT NULL DEFAULT 0,
    -- Set before a create is sent and cleared when the provider refuses it for certain: while it is set, a server may
    -- exist that we have not seen, and nobody creates another before the listing lag is over and a look-up was empty.
    create_sent_at     timestamptz,
    create_fence       integer NOT NULL DEFAULT 0,
    last_error_class   text,
    last_error         text,
    last_error_code    text,
    provider_request_id text,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now()
);
