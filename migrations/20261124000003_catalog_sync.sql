-- What the providers themselves offer, learnt by asking them, and what that means for what is on sale.

-- Vultr and Linode were seeded inactive while they had no adapters, and nothing but the seed could say so. From here
-- on whether a provider is active is the administrators' decision, which no seed touches.
UPDATE providers SET is_active = true WHERE slug IN ('vultr', 'linode') AND NOT is_active;

-- When the provider last told its catalog; until then name and capabilities are the seed's.
ALTER TABLE providers ADD COLUMN synced_at timestamptz;

-- Set while the provider lacks what we would have to buy: such a thing is shown to staff and never sold. Apart from
-- `is_active`, which is the administrators' decision.
ALTER TABLE plans
    ADD COLUMN unavailable_since timestamptz,
    ADD COLUMN unavailable_reason text,
    ADD CONSTRAINT plans_unavailable_with_reason CHECK ((unavailable_since IS NULL) = (unavailable_reason IS NULL));
ALTER TABLE plan_regions
    ADD COLUMN unavailable_since timestamptz,
    ADD COLUMN unavailable_reason text,
    ADD CONSTRAINT plan_regions_unavailable_with_reason
        CHECK ((unavailable_since IS NULL) = (unavailable_reason IS NULL));
ALTER TABLE image_sources
    ADD COLUMN unavailable_since timestamptz,
    ADD COLUMN unavailable_reason text,
    ADD CONSTRAINT image_sources_unavailable_with_reason
        CHECK ((unavailable_since IS NULL) = (unavailable_reason IS NULL));

-- The provider's own catalog as of its last sync, in its own slugs.
CREATE TABLE provider_regions (
    provider_id uuid NOT NULL REFERENCES providers (id),
    slug        text NOT NULL,
    name        text NOT NULL,
    country     text,
    available   boolean NOT NULL,
    PRIMARY KEY (provider_id, slug)
);

CREATE TABLE provider_sizes (
    provider_id       uuid NOT NULL REFERENCES providers (id),
    slug              text NOT NULL,
    vcpu              integer NOT NULL,
    memory_mb         integer NOT NULL,
    disk_gb           integer NOT NULL,
    transfer_gb       integer NOT NULL,
    price_monthly_usd numeric(12, 4) NOT NULL,
    -- Regions that have it; empty when the provider does not tell.
    regions           text[] NOT NULL,
    available         boolean NOT NULL,
    PRIMARY KEY (provider_id, slug)
);

CREATE TABLE provider_images (
    provider_id  uuid NOT NULL REFERENCES providers (id),
    slug         text NOT NULL,
    name         text NOT NULL,
    distribution text NOT NULL,
    available    boolean NOT NULL,
    PRIMARY KEY (provider_id, slug)
);

-- One row per time a provider was asked, with what had changed.
CREATE TABLE catalog_syncs (
    id           uuid PRIMARY KEY,
    provider_id  uuid NOT NULL REFERENCES providers (id),
    -- The workflow's run, so that a step done twice is one row.
    run_key      text UNIQUE,
    status       text NOT NULL CHECK (status IN ('REQUESTED', 'RUNNING', 'COMPLETED', 'FAILED')),
    requested_by uuid REFERENCES users (id),
    added        integer NOT NULL DEFAULT 0,
    removed      integer NOT NULL DEFAULT 0,
    changed      integer NOT NULL DEFAULT 0,
    -- How much of what we offer became unavailable, and how much available again.
    flagged      integer NOT NULL DEFAULT 0,
    restored     integer NOT NULL DEFAULT 0,
    report       jsonb NOT NULL DEFAULT '{}',
    error        text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    CONSTRAINT catalog_syncs_failed_with_error CHECK ((status = 'FAILED') = (error IS NOT NULL))
);
CREATE INDEX catalog_syncs_provider_idx ON catalog_syncs (provider_id, id DESC);
