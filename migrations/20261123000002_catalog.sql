-- What is on sale.

CREATE TABLE providers (
    id           uuid PRIMARY KEY,
    slug         text NOT NULL UNIQUE,
    name         text NOT NULL,
    is_active    boolean NOT NULL DEFAULT true,
    capabilities text[] NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE regions (
    id            uuid PRIMARY KEY,
    provider_id   uuid NOT NULL REFERENCES providers (id),
    slug          text NOT NULL UNIQUE,
    provider_slug text NOT NULL,
    name          text NOT NULL,
    country       text NOT NULL,
    is_active     boolean NOT NULL DEFAULT true,
    sort_order    integer NOT NULL DEFAULT 100,
    UNIQUE (provider_id, provider_slug)
);

-- An operating system on offer; `image_sources` says what each provider calls it.
CREATE TABLE images (
    id           uuid PRIMARY KEY,
    slug         text NOT NULL UNIQUE,
    name         text NOT NULL,
    distribution text NOT NULL,
    version      text NOT NULL,
    is_active    boolean NOT NULL DEFAULT true,
    sort_order   integer NOT NULL DEFAULT 100
);

CREATE TABLE image_sources (
    image_id      uuid NOT NULL REFERENCES images (id),
    provider_id   uuid NOT NULL REFERENCES providers (id),
    provider_slug text NOT NULL,
    PRIMARY KEY (image_id, provider_id)
);

CREATE TABLE plans (
    id               uuid PRIMARY KEY,
    slug             text NOT NULL UNIQUE,
    name             text NOT NULL,
    provider_id      uuid NOT NULL REFERENCES providers (id),
    provider_slug    text NOT NULL,
    vcpu             integer NOT NULL CHECK (vcpu > 0),
    memory_mb        integer NOT NULL CHECK (memory_mb > 0),
    disk_gb          integer NOT NULL CHECK (disk_gb > 0),
    bandwidth_gb     integer NOT NULL CHECK (bandwidth_gb >= 0),
    price_monthly    bigint NOT NULL CHECK (price_monthly > 0),
    cost_monthly_usd numeric(10, 4) NOT NULL CHECK (cost_monthly_usd >= 0),
    stock_limit      integer CHECK (stock_limit >= 0),
    is_active        boolean NOT NULL DEFAULT true,
    sort_order       integer NOT NULL DEFAULT 100,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    UNIQUE (provider_id, provider_slug)
);

CREATE TABLE plan_regions (
    plan_id   uuid NOT NULL REFERENCES plans (id),
    region_id uuid NOT NULL REFERENCES regions (id),
    PRIMARY KEY (plan_id, region_id)
);

CREATE TABLE terms (
    months      integer PRIMARY KEY CHECK (months > 0),
    discount_bp integer NOT NULL CHECK (discount_bp BETWEEN 0 AND 10000),
    is_active   boolean NOT NULL DEFAULT true
);

-- PPN by date: the rate whose `valid_from` is the latest not after the order's day applies.
CREATE TABLE tax_rates (
    valid_from date PRIMARY KEY,
    rate_bp    integer NOT NULL CHECK (rate_bp BETWEEN 0 AND 10000)
);
