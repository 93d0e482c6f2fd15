-- The private networks that customers' servers are in, where servers are in one whether they want to or not. None is shared.
CREATE TABLE customer_networks (
    user_id             uuid NOT NULL REFERENCES users (id),
    provider_id         uuid NOT NULL REFERENCES providers (id),
    region_id           uuid NOT NULL REFERENCES regions (id),
    -- The provider's own id.
    provider_network_id text NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now(),
    -- Set when it was seen without a server: it is deleted at the provider, and then here.
    removing_since      timestamptz,
    PRIMARY KEY (user_id, provider_id, region_id),
    CONSTRAINT customer_networks_of_one_customer UNIQUE (provider_id, provider_network_id)
);

-- Trouble with them is counted by itself.
ALTER TABLE provider_circuits
    DROP CONSTRAINT provider_circuits_scope_check,
    ADD CONSTRAINT provider_circuits_scope_check
        CHECK (scope IN ('account', 'creates', 'lists', 'servers', 'snapshots', 'metrics', 'catalog', 'networks'));
