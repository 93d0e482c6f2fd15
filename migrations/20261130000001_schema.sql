-- The schema. From here on migrations expand and contract: see docs/deployment/RUNBOOK.md, Upgrading.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TABLE users (
    id                uuid PRIMARY KEY,
    email             text NOT NULL,
    full_name         text NOT NULL,
    password_hash     text NOT NULL,
    role              text NOT NULL DEFAULT 'customer' CHECK (role IN ('customer', 'support', 'admin', 'superadmin')),
    language          text NOT NULL DEFAULT 'id' CHECK (language IN ('id', 'en')),
    email_verified_at timestamptz,
    suspended_at      timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    -- One folding of addresses, independent of the database's locale: ASCII letters only, as `domain::email::EmailKey`
    -- does.
    email_key         text COLLATE "C" GENERATED ALWAYS AS (lower((email COLLATE "C"))) STORED
);
COMMENT ON TABLE users IS
    'People: customers and staff. An address is kept as it was written, and is unique under one folding.';
CREATE UNIQUE INDEX users_email_key ON users (email_key);

CREATE TABLE sessions (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id),
    user_agent text,
    ip         text,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    -- Where a login came from: an IPv4 address or an IPv6 /64.
    network    text
);
COMMENT ON TABLE sessions IS
    'One row per login. `revoked_at` ends the whole family of its refresh tokens.';
CREATE INDEX sessions_user_idx ON sessions (user_id, created_at DESC);
CREATE INDEX sessions_known_network_idx ON sessions (user_id, network);

CREATE TABLE refresh_tokens (
    token_hash  bytea PRIMARY KEY,
    session_id  uuid NOT NULL REFERENCES sessions (id),
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- Which token a refresh token was given out for: while none of its successors is used, it may be exchanged once more
    -- for a short while.
    predecessor bytea
);
COMMENT ON TABLE refresh_tokens IS
    'Opaque refresh tokens, stored as SHA-256. A used one that is shown again revokes its session, but for a short '
    'grace.';
CREATE INDEX refresh_tokens_session_idx ON refresh_tokens (session_id);
CREATE INDEX refresh_tokens_predecessor_idx ON refresh_tokens (predecessor) WHERE (predecessor IS NOT NULL);
CREATE INDEX refresh_tokens_expiry_idx ON refresh_tokens (expires_at);

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    name         text NOT NULL UNIQUE,
    key_hash     bytea NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at   timestamptz,
    -- What it may do, by the words of domain::api_key::Scope.
    scopes       text[] NOT NULL CONSTRAINT api_keys_has_scopes CHECK (cardinality(scopes) > 0) CONSTRAINT api_keys_scopes_known CHECK (scopes <@ ARRAY['catalog:read',
        'orders:provision', 'orders:retry', 'instances:read', 'instances:act', 'instances:delete']),
    expires_at   timestamptz
);
COMMENT ON TABLE api_keys IS
    'Keys of the internal API, stored as SHA-256, each with what it may do and until when.';

CREATE TABLE audit_log (
    id          uuid PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    actor_kind  text NOT NULL CHECK (actor_kind IN ('user', 'api_key', 'system')),
    actor_id    uuid,
    action      text NOT NULL,
    object_kind text NOT NULL,
    object_id   uuid,
    before      jsonb,
    after       jsonb,
    ip          text,
    request_id  text
);
COMMENT ON TABLE audit_log IS
    'Who did what to which object, with the state before and after. Append-only.';
CREATE INDEX audit_log_object_idx ON audit_log (object_kind, object_id, at DESC);
CREATE INDEX audit_log_at_idx ON audit_log (at DESC);

CREATE TABLE providers (
    id           uuid PRIMARY KEY,
    slug         text NOT NULL UNIQUE,
    name         text NOT NULL,
    is_active    boolean NOT NULL DEFAULT true,
    capabilities text[] NOT NULL DEFAULT '{}'::text[],
    created_at   timestamptz NOT NULL DEFAULT now(),
    -- When the provider last told its catalog; until then name and capabilities are the seed's.
    synced_at    timestamptz
);
COMMENT ON TABLE providers IS
    'The clouds that servers are bought from. Whether one is on sale is the administrators'' decision, which no seed '
    'touches.';

CREATE TABLE regions (
    id            uuid PRIMARY KEY,
    provider_id   uuid NOT NULL REFERENCES providers (id),
    slug          text NOT NULL UNIQUE,
    provider_slug text NOT NULL,
    name          text NOT NULL,
    country       text NOT NULL,
    is_active     boolean NOT NULL DEFAULT true,
    sort_order    integer NOT NULL DEFAULT 100,
    CONSTRAINT regions_provider_id_provider_slug_key UNIQUE (provider_id, provider_slug)
);
COMMENT ON TABLE regions IS
    'Where servers are sold, in our words; each belongs to one provider, which calls it `provider_slug`.';

CREATE TABLE images (
    id           uuid PRIMARY KEY,
    slug         text NOT NULL UNIQUE,
    name         text NOT NULL,
    distribution text NOT NULL,
    version      text NOT NULL,
    is_active    boolean NOT NULL DEFAULT true,
    sort_order   integer NOT NULL DEFAULT 100
);
COMMENT ON TABLE images IS
    'An operating system on offer; `image_sources` says what each provider calls it.';

CREATE TABLE image_sources (
    image_id           uuid NOT NULL REFERENCES images (id),
    provider_id        uuid NOT NULL REFERENCES providers (id),
    provider_slug      text NOT NULL,
    unavailable_since  timestamptz,
    unavailable_reason text,
    CONSTRAINT image_sources_pkey PRIMARY KEY (image_id, provider_id),
    CONSTRAINT image_sources_unavailable_with_reason CHECK ((unavailable_since IS NULL) = (unavailable_reason IS NULL))
);
COMMENT ON TABLE image_sources IS
    'What a provider calls an image, and since when it has it no more.';

CREATE TABLE plans (
    id                 uuid PRIMARY KEY,
    slug               text NOT NULL UNIQUE,
    name               text NOT NULL,
    provider_id        uuid NOT NULL REFERENCES providers (id),
    provider_slug      text NOT NULL,
    vcpu               integer NOT NULL CHECK (vcpu > 0),
    memory_mb          integer NOT NULL CHECK (memory_mb > 0),
    disk_gb            integer NOT NULL CHECK (disk_gb > 0),
    bandwidth_gb       integer NOT NULL CHECK (bandwidth_gb >= 0),
    price_monthly      bigint NOT NULL CHECK (price_monthly > 0),
    cost_monthly_usd   numeric(10,4) NOT NULL CHECK (cost_monthly_usd >= 0),
    stock_limit        integer CHECK (stock_limit >= 0),
    is_active          boolean NOT NULL DEFAULT true,
    sort_order         integer NOT NULL DEFAULT 100,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    -- Set while the provider lacks what we would have to buy: such a thing is shown to staff and never sold. Apart from
    -- `is_active`, which is the administrators' decision.
    unavailable_since  timestamptz,
    unavailable_reason text,
    CONSTRAINT plans_provider_id_provider_slug_key UNIQUE (provider_id, provider_slug),
    CONSTRAINT plans_unavailable_with_reason CHECK ((unavailable_since IS NULL) = (unavailable_reason IS NULL))
);
COMMENT ON TABLE plans IS
    'What is sold, in whole rupiah a month, and what it costs us in US dollars a month. Prices change for new orders '
    'only.';

CREATE TABLE plan_regions (
    plan_id            uuid NOT NULL REFERENCES plans (id),
    region_id          uuid NOT NULL REFERENCES regions (id),
    unavailable_since  timestamptz,
    unavailable_reason text,
    CONSTRAINT plan_regions_pkey PRIMARY KEY (plan_id, region_id),
    CONSTRAINT plan_regions_unavailable_with_reason CHECK ((unavailable_since IS NULL) = (unavailable_reason IS NULL))
);
COMMENT ON TABLE plan_regions IS
    'Where a plan is sold, and since when the provider has it no more there.';

CREATE TABLE terms (
    months      integer PRIMARY KEY CHECK (months > 0),
    discount_bp integer NOT NULL CHECK ((discount_bp >= 0) AND (discount_bp <= 10000)),
    is_active   boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE terms IS
    'How many months can be bought at once, and the discount for it in basis points.';

CREATE TABLE tax_rates (
    valid_from       date PRIMARY KEY,
    rate_bp          integer NOT NULL CHECK ((rate_bp >= 0) AND (rate_bp <= 10000)),
    base_numerator   integer NOT NULL DEFAULT 1 CHECK (base_numerator >= 0),
    base_denominator integer NOT NULL DEFAULT 1 CHECK (base_denominator > 0)
);
COMMENT ON TABLE tax_rates IS
    'PPN by date, rate and base: the row whose `valid_from` is the latest not after the day of issue applies. PPN may '
    'be on a part of the price.';

CREATE TABLE orders (
    id              uuid PRIMARY KEY,
    user_id         uuid NOT NULL REFERENCES users (id),
    status          text NOT NULL CONSTRAINT orders_status_known CHECK (status IN ('PENDING_PAYMENT', 'PAID',
        'PROVISIONING', 'PROVISIONING_FAILED', 'ACTIVE', 'EXPIRED', 'CANCELLED', 'REFUNDED')),
    provider_id     uuid NOT NULL REFERENCES providers (id),
    plan_id         uuid NOT NULL REFERENCES plans (id),
    region_id       uuid NOT NULL REFERENCES regions (id),
    image_id        uuid NOT NULL REFERENCES images (id),
    hostname        text NOT NULL,
    term_months     integer NOT NULL CHECK (term_months > 0),
    auto_renew      boolean NOT NULL DEFAULT false,
    ssh_keys        text[] NOT NULL DEFAULT '{}'::text[],
    total           bigint NOT NULL CHECK (total >= 0),
    -- domain::policy::OrderPolicy as it was when the order was placed.
    policy          jsonb NOT NULL,
    failure_class   text,
    failure_message text,
    expires_at      timestamptz NOT NULL,
    placed_at       timestamptz NOT NULL DEFAULT now(),
    paid_at         timestamptz,
    active_at       timestamptz,
    updated_at      timestamptz NOT NULL DEFAULT now(),
    -- When a workflow that was lost or asleep was last started or woken.
    woken_at        timestamptz,
    CONSTRAINT orders_failure_with_reason CHECK ((status = 'PROVISIONING_FAILED') = ((failure_class IS NOT NULL)
        AND (failure_message IS NOT NULL)))
);
COMMENT ON TABLE orders IS
    'What a customer ordered and where the order stands. `order_transitions` has the arrows; money and servers hang '
    'on it.';
CREATE INDEX orders_user_idx ON orders (user_id, id DESC);
CREATE INDEX orders_status_idx ON orders (status, id DESC);
CREATE INDEX orders_plan_live_idx ON orders (plan_id) WHERE (status NOT IN ('EXPIRED', 'CANCELLED', 'REFUNDED'));
CREATE INDEX orders_unpaid_idx ON orders (user_id) WHERE (status = 'PENDING_PAYMENT');

CREATE TABLE order_transitions (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    CONSTRAINT order_transitions_pkey PRIMARY KEY (from_status, to_status)
);
COMMENT ON TABLE order_transitions IS
    'The arrows that an order''s status may take: those of domain::order::Transition.';

CREATE TABLE invoice_counters (
    year integer PRIMARY KEY,
    last integer NOT NULL
);
COMMENT ON TABLE invoice_counters IS
    'Gapless numbers: the row of a year is locked by the transaction that takes the next one.';

CREATE TABLE invoices (
    id          uuid PRIMARY KEY,
    number      text UNIQUE,
    user_id     uuid NOT NULL REFERENCES users (id),
    order_id    uuid REFERENCES orders (id) UNIQUE,
    status      text NOT NULL CHECK (status IN ('DRAFT', 'OPEN', 'PAID', 'VOID', 'REFUNDED')),
    subtotal    bigint NOT NULL CHECK (subtotal >= 0),
    discount    bigint NOT NULL CHECK (discount >= 0),
    tax         bigint NOT NULL CHECK (tax >= 0),
    tax_bp      integer NOT NULL CHECK ((tax_bp >= 0) AND (tax_bp <= 10000)),
    total       bigint NOT NULL CHECK (total >= 0),
    issued_at   timestamptz DEFAULT now(),
    due_at      timestamptz,
    paid_at     timestamptz,
    -- What the tax was computed on, rounded for the eye; null: the whole price.
    tax_base    bigint CHECK (tax_base >= 0),
    created_at  timestamptz NOT NULL DEFAULT now(),
    note        text,
    buyer_name  text,
    buyer_email text,
    -- A number is taken when an invoice is issued, so that a draft which is dropped leaves no gap.
    CONSTRAINT invoices_issued_is_numbered CHECK (((number IS NULL) = (issued_at IS NULL)) AND ((status IN ('DRAFT',
        'VOID')) OR ((number IS NOT NULL) AND (due_at IS NOT NULL))) AND ((status <> 'DRAFT') OR (number IS NULL))),
    CONSTRAINT invoices_total_adds_up CHECK (total = ((subtotal - discount) + tax))
);
COMMENT ON TABLE invoices IS
    'What is to be paid, in whole rupiah. An issued invoice is a document: numbered without gaps, and it never '
    'changes but for its status.';
CREATE INDEX invoices_user_idx ON invoices (user_id, id DESC);

CREATE TABLE invoice_lines (
    invoice_id  uuid NOT NULL REFERENCES invoices (id),
    position    integer NOT NULL,
    description text,
    quantity    integer NOT NULL CHECK (quantity > 0),
    unit_price  bigint NOT NULL,
    total       bigint NOT NULL,
    -- What a line is for, to be worded when it is shown: a kind with its parameters (`domain::pricing::LineItem`), or
    -- the description that somebody wrote.
    kind        text CHECK (kind IN ('plan', 'renewal', 'term_discount', 'promo')),
    params      jsonb,
    CONSTRAINT invoice_lines_pkey PRIMARY KEY (invoice_id, "position"),
    CONSTRAINT invoice_lines_say_what_for CHECK (((kind IS NULL) = (params IS NULL)) AND ((kind IS NOT NULL)
        OR (description IS NOT NULL))),
    CONSTRAINT invoice_lines_total_adds_up CHECK (total = (quantity * unit_price))
);
COMMENT ON TABLE invoice_lines IS
    'What an invoice is made of. Those of a draft may change; those of an issued one stay.';

CREATE TABLE idempotency_keys (
    user_id      uuid NOT NULL REFERENCES users (id),
    scope        text NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    object_id    uuid NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (user_id, scope, key)
);
COMMENT ON TABLE idempotency_keys IS
    'Which object a request under an `Idempotency-Key` made, saved in the transaction that made it.';
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);

CREATE TABLE instances (
    id                   uuid PRIMARY KEY,
    order_id             uuid NOT NULL REFERENCES orders (id) UNIQUE,
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
    -- The day of the month, in Jakarta, on which its terms end; null until the first begins.
    anchor_day           smallint CHECK ((anchor_day >= 1) AND (anchor_day <= 31)),
    woken_at             timestamptz,
    -- Which installation a server belongs to, as its tags at the vendor showed, so that it is not read again before each
    -- action. A copy of the database under another installation's id reads for itself. It is a fact about one server:
    -- another one that takes its place has to show it anew.
    proven_of            text,
    CONSTRAINT instances_provider_instance_key UNIQUE (provider_id, provider_instance_id),
    CONSTRAINT instances_active_is_real CHECK ((status <> 'ACTIVE') OR ((provider_instance_id IS NOT NULL)
        AND (ipv4 IS NOT NULL) AND (expires_at IS NOT NULL)))
);
COMMENT ON TABLE instances IS
    'Servers. One per order; `ACTIVE` means that the provider has it and that it has an address.';
CREATE INDEX instances_user_idx ON instances (user_id, id DESC);

CREATE TABLE provisioning_tasks (
    id                  uuid PRIMARY KEY,
    order_id            uuid NOT NULL REFERENCES orders (id) UNIQUE,
    instance_id         uuid REFERENCES instances (id) UNIQUE,
    provider_type       text NOT NULL,
    status              text NOT NULL DEFAULT 'PENDING' CHECK (status IN ('PENDING', 'IN_PROGRESS', 'COMPLETED',
        'FAILED')),
    attempts            integer NOT NULL DEFAULT 0,
    -- Set before a create is sent and cleared when the provider refuses it for certain: while it is set, a server may
    -- exist that we have not seen, and nobody creates another before the listing lag is over and a look-up was empty.
    create_sent_at      timestamptz,
    create_fence        integer NOT NULL DEFAULT 0,
    last_error_class    text,
    last_error          text,
    last_error_code     text,
    provider_request_id text,
    created_at          timestamptz NOT NULL DEFAULT now(),
    updated_at          timestamptz NOT NULL DEFAULT now(),
    -- The provider's id of a server that staff want replaced: it is deleted, then another one is made.
    replace_server      text,
    -- Since when the server of the order is known that is waited for.
    server_known_at     timestamptz,
    -- How far administrators were told that the failed order waits for them: 1 after an hour, 2 after a day.
    escalated           integer NOT NULL DEFAULT 0 CHECK ((escalated >= 0) AND (escalated <= 2))
);
COMMENT ON TABLE provisioning_tasks IS
    'The work of getting an order''s server: how often it was tried, what went wrong last, and whether a create is '
    'under way.';

CREATE TABLE outbox (
    id            uuid PRIMARY KEY,
    -- The workflow's id: rows of one workflow are delivered in order.
    workflow_id   text NOT NULL,
    kind          text NOT NULL,
    payload       jsonb NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- A dispatcher that took the row owns it until then.
    claimed_until timestamptz,
    attempts      integer NOT NULL DEFAULT 0,
    last_error    text,
    dispatched_at timestamptz,
    -- Who waits for it, as its writer knew. Rows are taken in the words' alphabetical order.
    class         text NOT NULL DEFAULT 'PAID' CONSTRAINT outbox_class_known CHECK (class IN ('PAID', 'ROUTINE',
        'UNPAID')),
    -- Deliveries that failed by the message's own fault. An engine that is away is nobody's.
    failures      integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    -- Since when it is not tried any more.
    dead_at       timestamptz,
    -- Staff decided that it need not be delivered. `dispatched_at` says when.
    skipped       boolean NOT NULL DEFAULT false,
    CONSTRAINT outbox_skipped_is_over CHECK ((NOT skipped) OR (dispatched_at IS NOT NULL))
);
COMMENT ON TABLE outbox IS
    'Messages to Temporal, written with the business that causes them and delivered by the dispatcher.';
CREATE INDEX outbox_waiting_idx ON outbox (id) WHERE (dispatched_at IS NULL);
CREATE INDEX outbox_workflow_waiting_idx ON outbox (workflow_id, id) WHERE (dispatched_at IS NULL);
CREATE INDEX outbox_delivered_idx ON outbox (dispatched_at) WHERE (dispatched_at IS NOT NULL);
-- In the order in which they are taken: what never failed before what did.
CREATE INDEX outbox_due_idx ON outbox (class, failures, id) WHERE ((dispatched_at IS NULL) AND (dead_at IS NULL));
CREATE INDEX outbox_dead_idx ON outbox (id) WHERE ((dispatched_at IS NULL) AND (dead_at IS NOT NULL));

CREATE TABLE provider_budgets (
    provider       text NOT NULL,
    lane           text NOT NULL,
    -- Theoretical arrival time: where the line of places given out ends.
    tat            timestamptz NOT NULL DEFAULT now(),
    -- The limit that the vendor's headers told, where it differs from what is known of the vendor.
    observed_limit integer CHECK (observed_limit > 0),
    CONSTRAINT provider_budgets_pkey PRIMARY KEY (provider, lane)
);
COMMENT ON TABLE provider_budgets IS
    'One line of calls per provider account and lane, shared by all processes: see docs/adr/0015-rate-budget.md.';

CREATE TABLE provider_call_minutes (
    provider text NOT NULL,
    lane     text NOT NULL,
    minute   timestamptz NOT NULL,
    calls    integer NOT NULL CHECK (calls > 0),
    CONSTRAINT provider_call_minutes_pkey PRIMARY KEY (provider, lane, minute)
);
COMMENT ON TABLE provider_call_minutes IS
    'Calls per minute, for windows that are too long to be paced evenly. Rows older than the longest window go.';

CREATE TABLE provider_circuits (
    provider      text NOT NULL,
    state         text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'half_open', 'open')),
    since         timestamptz NOT NULL DEFAULT now(),
    -- Failed calls in a row, and when the first of them failed.
    failures      integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    -- How often it opened in a row: the cool-down doubles.
    openings      integer NOT NULL DEFAULT 0,
    -- Open: when a call may try whether the vendor is back. Half open: when to try with another one.
    retry_at      timestamptz,
    scope         text NOT NULL CHECK (scope IN ('account', 'creates', 'lists', 'servers', 'snapshots', 'metrics',
        'catalog', 'networks')),
    -- What the last failed call met, in the vendor's words or about the wire.
    reason        text,
    -- The vendor turned our account away, or all calls of this kind; otherwise calls failed.
    refused       boolean NOT NULL DEFAULT false,
    -- When administrators were last told of a refusal.
    alerted_at    timestamptz,
    CONSTRAINT provider_circuits_pkey PRIMARY KEY (provider, scope),
    CONSTRAINT provider_circuits_open_has_end CHECK ((state = 'closed') OR (retry_at IS NOT NULL)),
    CONSTRAINT provider_circuits_refused_has_reason CHECK ((NOT refused) OR (reason IS NOT NULL))
);
COMMENT ON TABLE provider_circuits IS
    'Trouble at a provider, counted per kind of call; what is about our account stands before all of them.';

CREATE TABLE instance_actions (
    id              uuid PRIMARY KEY,
    instance_id     uuid NOT NULL REFERENCES instances (id),
    action          text NOT NULL CONSTRAINT instance_actions_action_known CHECK (action IN ('power_on', 'power_off',
        'shutdown', 'reboot', 'power_cycle', 'rebuild', 'resize', 'snapshot', 'restore', 'rename', 'enable_backups',
        'disable_backups', 'delete')),
    -- In our words: slugs of the catalog, not the provider's.
    params          jsonb NOT NULL DEFAULT '{}'::jsonb CONSTRAINT instance_actions_params_object CHECK (jsonb_typeof(params) = 'object'),
    status          text NOT NULL DEFAULT 'pending' CONSTRAINT instance_actions_status_known CHECK (status IN ('pending',
        'in_progress', 'completed', 'failed')),
    requested_by    text NOT NULL CONSTRAINT instance_actions_requester_known CHECK (requested_by IN ('user', 'api_key',
        'system')),
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
    CONSTRAINT instance_actions_failure_with_reason CHECK ((status = 'failed') = ((failure_class IS NOT NULL)
        AND (failure_message IS NOT NULL))),
    CONSTRAINT instance_actions_finished_when_over CHECK ((status IN ('completed', 'failed')) = (finished_at IS NOT NULL)),
    CONSTRAINT instance_actions_sent_when_at_work CHECK ((status <> 'pending') OR ((sent_at IS NULL)
        AND (receipt IS NULL))),
    CONSTRAINT instance_actions_started_when_at_work CHECK ((status <> 'in_progress') OR (started_at IS NOT NULL))
);
COMMENT ON TABLE instance_actions IS
    'What is to be done to a server, was done, or could not be: by its customer, by staff, by a program. What is over '
    'stays as it ended.';
-- Two actions never meet at the provider.
CREATE UNIQUE INDEX instance_actions_one_in_progress ON instance_actions (instance_id) WHERE (status = 'in_progress');
CREATE UNIQUE INDEX instance_actions_one_open_delete ON instance_actions (instance_id) WHERE ((action = 'delete')
    AND (status IN ('pending', 'in_progress')));
CREATE UNIQUE INDEX instance_actions_idempotency ON instance_actions (instance_id, requester_id,
    idempotency_key) NULLS NOT DISTINCT WHERE (idempotency_key IS NOT NULL);
CREATE INDEX instance_actions_instance_idx ON instance_actions (instance_id, id DESC);
-- What a customer may have done within an hour is counted.
CREATE INDEX instance_actions_requester_idx ON instance_actions (requester_id,
    created_at) WHERE (requested_by = 'user');

CREATE TABLE provider_regions (
    provider_id uuid NOT NULL REFERENCES providers (id),
    slug        text NOT NULL,
    name        text NOT NULL,
    country     text,
    available   boolean NOT NULL,
    CONSTRAINT provider_regions_pkey PRIMARY KEY (provider_id, slug)
);
COMMENT ON TABLE provider_regions IS
    'The regions of a provider''s own catalog as of its last sync, in its own slugs.';

CREATE TABLE provider_sizes (
    provider_id       uuid NOT NULL REFERENCES providers (id),
    slug              text NOT NULL,
    vcpu              integer NOT NULL,
    memory_mb         integer NOT NULL,
    disk_gb           integer NOT NULL,
    transfer_gb       integer NOT NULL,
    price_monthly_usd numeric(12,4) NOT NULL,
    -- Regions that have it; empty when the provider does not tell.
    regions           text[] NOT NULL,
    available         boolean NOT NULL,
    CONSTRAINT provider_sizes_pkey PRIMARY KEY (provider_id, slug)
);
COMMENT ON TABLE provider_sizes IS
    'The sizes of a provider''s own catalog as of its last sync, in its own slugs.';

CREATE TABLE provider_images (
    provider_id  uuid NOT NULL REFERENCES providers (id),
    slug         text NOT NULL,
    name         text NOT NULL,
    distribution text NOT NULL,
    available    boolean NOT NULL,
    CONSTRAINT provider_images_pkey PRIMARY KEY (provider_id, slug)
);
COMMENT ON TABLE provider_images IS
    'The images of a provider''s own catalog as of its last sync, in its own slugs.';

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
    report       jsonb NOT NULL DEFAULT '{}'::jsonb,
    error        text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    CONSTRAINT catalog_syncs_failed_with_error CHECK ((status = 'FAILED') = (error IS NOT NULL))
);
COMMENT ON TABLE catalog_syncs IS
    'One row per time that a provider was asked for its catalog, with what had changed.';
CREATE INDEX catalog_syncs_provider_idx ON catalog_syncs (provider_id, id DESC);

CREATE TABLE reconciliations (
    id             uuid PRIMARY KEY,
    provider_id    uuid NOT NULL REFERENCES providers (id),
    -- The workflow's run, so that a step done twice is one row.
    run_key        text UNIQUE,
    status         text NOT NULL CHECK (status IN ('REQUESTED', 'RUNNING', 'COMPLETED', 'FAILED')),
    -- A dry run changes nothing, neither at the provider nor here.
    dry_run        boolean NOT NULL,
    requested_by   uuid REFERENCES users (id),
    usd_idr        numeric(12,4),
    servers_listed integer NOT NULL DEFAULT 0,
    -- Tells one set of findings from another: administrators hear of news, not of the same things every hour.
    digest         text,
    error          text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    finished_at    timestamptz,
    CONSTRAINT reconciliations_failed_with_error CHECK ((status = 'FAILED') = (error IS NOT NULL))
);
COMMENT ON TABLE reconciliations IS
    'One row per comparison of a provider''s servers with ours.';
CREATE INDEX reconciliations_provider_idx ON reconciliations (provider_id, id DESC);

CREATE TABLE reconciliation_findings (
    id                   uuid PRIMARY KEY,
    reconciliation_id    uuid NOT NULL REFERENCES reconciliations (id),
    kind                 text NOT NULL CHECK (kind IN ('orphan', 'ghost', 'duplicate', 'drifted')),
    reason               text NOT NULL,
    action               text NOT NULL,
    provider_instance_id text NOT NULL,
    name                 text,
    tags                 text[] NOT NULL DEFAULT '{}'::text[],
    size                 text,
    region               text,
    order_id             uuid REFERENCES orders (id),
    instance_id          uuid REFERENCES instances (id),
    -- When the provider made it.
    server_created_at    timestamptz,
    -- Whole rupiah; null when its size has no known price.
    monthly_cost         bigint,
    detail               jsonb NOT NULL DEFAULT '{}'::jsonb
);
COMMENT ON TABLE reconciliation_findings IS
    'What a comparison found: servers that nobody owns, servers that are gone, servers that differ.';
CREATE INDEX reconciliation_findings_run_idx ON reconciliation_findings (reconciliation_id, kind, id DESC);

CREATE TABLE quarantined_servers (
    id                   uuid PRIMARY KEY,
    provider_id          uuid NOT NULL REFERENCES providers (id),
    provider_instance_id text NOT NULL,
    kind                 text NOT NULL,
    reason               text NOT NULL,
    name                 text,
    tags                 text[] NOT NULL DEFAULT '{}'::text[],
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
    CONSTRAINT quarantined_servers_provider_id_provider_instance_id_key UNIQUE (provider_id, provider_instance_id),
    CONSTRAINT quarantined_servers_deleted_or_released CHECK ((delete_requested_at IS NULL) OR (released_at IS NULL)),
    CONSTRAINT quarantined_servers_released_with_reason CHECK ((released_at IS NULL) = (release_reason IS NULL))
);
COMMENT ON TABLE quarantined_servers IS
    'Servers that nobody should pay for: powered off first, deleted when `delete_after` is past and a fresh look '
    'finds them as unwanted as before.';
CREATE INDEX quarantined_servers_open_idx ON quarantined_servers (provider_id) WHERE (deleted_at IS NULL);

CREATE TABLE order_placements (
    order_id         uuid NOT NULL REFERENCES orders (id),
    sequence         integer NOT NULL CHECK (sequence > 0),
    provider_id      uuid NOT NULL REFERENCES providers (id),
    plan_id          uuid NOT NULL REFERENCES plans (id),
    region_id        uuid NOT NULL REFERENCES regions (id),
    image_id         uuid NOT NULL REFERENCES images (id),
    reason           text NOT NULL CHECK (reason IN ('ordered', 'failover', 'admin')),
    -- What the plan cost us when it was chosen, US dollars a month.
    cost_monthly_usd numeric(10,4) NOT NULL CHECK (cost_monthly_usd >= 0),
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT order_placements_pkey PRIMARY KEY (order_id, sequence),
    CONSTRAINT order_placements_first_is_the_order CHECK ((sequence = 1) = (reason = 'ordered'))
);
COMMENT ON TABLE order_placements IS
    'Where an order''s server is bought: what was ordered, or what stood in for it later. The latest row counts. What '
    'the customer ordered and pays for stays on the order and its invoice.';

CREATE TABLE ssh_keys (
    id          uuid PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES users (id),
    name        text NOT NULL,
    -- One line of OpenSSH's format: algorithm, base64, perhaps a comment.
    public_key  text NOT NULL,
    -- `SHA256:…` as `ssh-keygen -l` prints it.
    fingerprint text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ssh_keys_fingerprint_key UNIQUE (user_id, fingerprint)
);
COMMENT ON TABLE ssh_keys IS
    'The public SSH keys that customers keep with us.';
CREATE INDEX ssh_keys_user_idx ON ssh_keys (user_id, id DESC);

CREATE TABLE instance_credentials (
    instance_id     uuid PRIMARY KEY REFERENCES instances (id),
    -- AES-256-GCM under the key of `key_id`, bound to the server's id: nonce, ciphertext, tag.
    sealed_password bytea NOT NULL,
    key_id          text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE instance_credentials IS
    'The root passwords that we made, encrypted. A server that was made with SSH keys has no password and no row.';

CREATE TABLE ledger_accounts (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind     text NOT NULL CHECK (kind IN ('CUSTOMER_WALLET', 'CUSTOMER_HOLDS', 'BANK', 'GATEWAY_CLEARING',
        'GATEWAY_FEES', 'DEFERRED_REVENUE', 'REVENUE', 'TAX_PAYABLE', 'PROMO_EXPENSE', 'REFUNDS', 'REFUNDS_PAYABLE',
        'CUSTOMER_RECEIVABLE', 'ADJUSTMENTS')),
    owner_id uuid REFERENCES users (id),
    -- Credits less debits of a customer's account, kept by the entries' trigger. The house's accounts have none: nothing
    -- depends on their balance at the moment of a movement, and one row for all payments would make them queue.
    balance  bigint CONSTRAINT ledger_accounts_never_negative CHECK (balance >= 0),
    CONSTRAINT ledger_accounts_key UNIQUE NULLS NOT DISTINCT (kind, owner_id),
    CONSTRAINT ledger_accounts_balance CHECK ((owner_id IS NOT NULL) = (balance IS NOT NULL)),
    CONSTRAINT ledger_accounts_owner CHECK ((kind IN ('CUSTOMER_WALLET', 'CUSTOMER_HOLDS')) = (owner_id IS NOT NULL))
);
COMMENT ON TABLE ledger_accounts IS
    'The books'' accounts: two for each customer, the house''s one of each kind.';
CREATE INDEX ledger_accounts_owner_idx ON ledger_accounts (owner_id) WHERE (owner_id IS NOT NULL);

CREATE TABLE deposits (
    id          uuid PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES users (id),
    amount      bigint NOT NULL CHECK (amount > 0),
    created_at  timestamptz NOT NULL DEFAULT now(),
    credited_at timestamptz,
    status      text NOT NULL DEFAULT 'OPEN' CONSTRAINT deposits_status_known CHECK (status IN ('OPEN', 'CREDITED')),
    CONSTRAINT deposits_credited_has_date CHECK ((status = 'OPEN') = (credited_at IS NULL))
);
COMMENT ON TABLE deposits IS
    'Money that a customer puts on the balance. It is credited once.';
CREATE INDEX deposits_user_idx ON deposits (user_id, id DESC);

CREATE TABLE payments (
    id                     uuid PRIMARY KEY,
    invoice_id             uuid REFERENCES invoices (id),
    order_id               uuid REFERENCES orders (id),
    user_id                uuid NOT NULL REFERENCES users (id),
    gateway                text,
    gateway_order_id       text NOT NULL UNIQUE,
    gateway_transaction_id text,
    method                 text NOT NULL CHECK (method IN ('QRIS', 'VIRTUAL_ACCOUNT', 'MANUAL_TRANSFER', 'WALLET')),
    bank                   text CHECK (bank IN ('BCA', 'BNI', 'BRI', 'MANDIRI', 'PERMATA')),
    amount                 bigint NOT NULL CHECK (amount > 0),
    status                 text NOT NULL CHECK (status IN ('PENDING', 'UNKNOWN', 'PAID', 'DENIED', 'EXPIRED',
        'CANCELLED')),
    -- What the customer needs in order to pay; null until the gateway answered.
    qr_string              text,
    va_number              text,
    bill_key               text,
    biller_code            text,
    expires_at             timestamptz,
    paid_at                timestamptz,
    -- What became of the money.
    outcome                text,
    approved_by            uuid REFERENCES users (id),
    note                   text,
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    deposit_id             uuid REFERENCES deposits (id),
    -- Bank transfers: what arrived so far by an administrator's word. Less than `amount` leaves the attempt open.
    amount_received        bigint CHECK (amount_received > 0),
    -- When the gateway was last asked by us what became of the attempt.
    checked_at             timestamptz,
    -- When the gateway, on being asked, named the end of the attempt.
    answered_at            timestamptz,
    -- Since when something is told of the attempt that its gateway could not be asked about.
    doubted_at             timestamptz,
    -- When people were told that its gateway never said what became of it.
    given_up_at            timestamptz,
    -- Beyond `amount`, which is what we charged.
    payer_fee              bigint NOT NULL DEFAULT 0,
    CONSTRAINT payments_bank_with_va CHECK ((method = 'VIRTUAL_ACCOUNT') = (bank IS NOT NULL)),
    CONSTRAINT payments_deposit_from_outside CHECK ((deposit_id IS NULL) OR (method <> 'WALLET')),
    -- A gateway takes in what is paid by QRIS or virtual account, nothing else; and nobody puts money of the balance
    -- into it.
    CONSTRAINT payments_gateway_by_method CHECK ((gateway IS NOT NULL) = (method IN ('QRIS', 'VIRTUAL_ACCOUNT'))),
    CONSTRAINT payments_outcome_check CHECK (outcome IN ('APPLIED', 'REVIVED', 'CREDITED')),
    CONSTRAINT payments_paid_has_outcome CHECK ((status = 'PAID') = (outcome IS NOT NULL)),
    CONSTRAINT payments_payer_fee_by_gateway CHECK ((payer_fee = 0) OR ((payer_fee > 0) AND (gateway IS NOT NULL)
        AND (status = 'PAID'))),
    CONSTRAINT payments_purpose CHECK (((order_id IS NULL) OR (invoice_id IS NOT NULL))
        AND ((invoice_id IS NOT NULL) <> (deposit_id IS NOT NULL)))
);
COMMENT ON TABLE payments IS
    'Attempts to pay an invoice (an order''s has the order too) or a deposit, and what became of them.';
CREATE INDEX payments_order_idx ON payments (order_id, id DESC);
CREATE INDEX payments_user_idx ON payments (user_id, id DESC);
CREATE INDEX payments_open_idx ON payments (created_at) WHERE (status IN ('PENDING', 'UNKNOWN'));
-- Money pays an order at most once, whatever arrives.
CREATE UNIQUE INDEX payments_applied_once ON payments (order_id) WHERE (outcome IN ('APPLIED', 'REVIVED'));
CREATE INDEX payments_deposit_idx ON payments (deposit_id, id DESC) WHERE (deposit_id IS NOT NULL);
-- A deposit is credited once.
CREATE UNIQUE INDEX payments_deposit_credited_once ON payments (deposit_id) WHERE (outcome = 'CREDITED');
CREATE INDEX payments_invoice_idx ON payments (invoice_id, id DESC) WHERE (invoice_id IS NOT NULL);
CREATE UNIQUE INDEX payments_applied_once_per_invoice ON payments (invoice_id) WHERE (outcome IN ('APPLIED',
    'REVIVED'));
-- Bank transfers that an administrator has to look at.
CREATE INDEX payments_awaiting_approval_idx ON payments (id DESC) WHERE ((method = 'MANUAL_TRANSFER')
    AND (status IN ('PENDING', 'UNKNOWN')));
CREATE INDEX payments_unanswered_idx ON payments (created_at) WHERE ((gateway IS NOT NULL) AND (answered_at IS NULL)
    AND (given_up_at IS NULL) AND (status IN ('CANCELLED', 'EXPIRED', 'DENIED')));
CREATE INDEX payments_doubted_idx ON payments (doubted_at) WHERE (doubted_at IS NOT NULL);
CREATE INDEX payments_open_deposits_idx ON payments (user_id) WHERE ((deposit_id IS NOT NULL)
    AND (status IN ('PENDING', 'UNKNOWN')));

CREATE TABLE webhook_events (
    id          uuid PRIMARY KEY,
    gateway     text NOT NULL,
    dedupe_key  text,
    payment_id  uuid REFERENCES payments (id),
    outcome     text NOT NULL CHECK (outcome IN ('APPLIED', 'IGNORED', 'MISMATCH', 'BAD_SIGNATURE', 'UNKNOWN_PAYMENT',
        'UNCONFIRMED', 'UNANSWERED', 'DISPUTED', 'UNREADABLE')),
    reason      text,
    body        bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_events_gateway_dedupe_key_key UNIQUE (gateway, dedupe_key)
);
COMMENT ON TABLE webhook_events IS
    'Everything that gateways told us, kept without what proved it. `dedupe_key` is the gateway''s identity of an '
    'event; null when the signature was wrong. Append-only.';
CREATE INDEX webhook_events_payment_idx ON webhook_events (payment_id, received_at DESC);
CREATE INDEX webhook_events_unbelieved_idx ON webhook_events (outcome,
    received_at) WHERE (outcome IN ('BAD_SIGNATURE', 'UNCONFIRMED', 'UNREADABLE'));

CREATE TABLE ledger_movements (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('DEPOSIT', 'PAYMENT', 'PART_PAYMENT', 'LATE_PAYMENT', 'SURPLUS', 'HOLD',
        'CAPTURE', 'RELEASE', 'REFUND', 'REFUND_OWED', 'REFUND_SETTLED', 'REFUND_RETURNED', 'ADJUSTMENT', 'REVENUE',
        'GATEWAY_PAYOUT', 'PROMO_BONUS', 'DISPUTE', 'PAYER_FEE')),
    -- What brought it about, such as `payment/<id>/received`. One cause moves money once.
    cause       text NOT NULL UNIQUE,
    customer_id uuid REFERENCES users (id),
    order_id    uuid REFERENCES orders (id),
    payment_id  uuid REFERENCES payments (id),
    memo        text,
    at          timestamptz NOT NULL DEFAULT now(),
    -- Entries may be written by the movement's own transaction only.
    made_in     xid8 NOT NULL DEFAULT pg_current_xact_id(),
    -- What an invoice without an order brought in is booked under the invoice.
    invoice_id  uuid REFERENCES invoices (id),
    CONSTRAINT ledger_movements_one_service CHECK ((order_id IS NULL) OR (invoice_id IS NULL))
);
COMMENT ON TABLE ledger_movements IS
    'Why money moved: one movement per cause, made of entries that sum to zero. Append-only. `domain::ledger` has the '
    'rules by which movements are made.';
CREATE INDEX ledger_movements_order_idx ON ledger_movements (order_id) WHERE (order_id IS NOT NULL);
CREATE INDEX ledger_movements_payment_idx ON ledger_movements (payment_id) WHERE (payment_id IS NOT NULL);
CREATE INDEX ledger_movements_invoice_idx ON ledger_movements (invoice_id) WHERE (invoice_id IS NOT NULL);

CREATE TABLE ledger_entries (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    movement_id   uuid NOT NULL REFERENCES ledger_movements (id),
    account_id    bigint NOT NULL REFERENCES ledger_accounts (id),
    amount        bigint NOT NULL CHECK (amount <> 0),
    -- The customer's account after this entry; null for the house's.
    balance_after bigint,
    CONSTRAINT ledger_entries_once_per_account UNIQUE (movement_id, account_id)
);
COMMENT ON TABLE ledger_entries IS
    'The books'' lines: a positive amount is a credit, a negative one a debit. Append-only; a customer''s balance '
    'follows them.';
CREATE INDEX ledger_entries_account_idx ON ledger_entries (account_id, id DESC);

CREATE TABLE credit_note_counters (
    year integer PRIMARY KEY,
    last integer NOT NULL
);
COMMENT ON TABLE credit_note_counters IS
    'Gapless numbers of credit notes: the row of a year is locked by the transaction that takes the next one.';

CREATE TABLE credit_notes (
    id         uuid PRIMARY KEY,
    number     text NOT NULL UNIQUE,
    invoice_id uuid NOT NULL REFERENCES invoices (id),
    order_id   uuid REFERENCES orders (id),
    user_id    uuid NOT NULL REFERENCES users (id),
    reason     text NOT NULL,
    net        bigint NOT NULL CHECK (net >= 0),
    tax        bigint NOT NULL CHECK (tax >= 0),
    total      bigint NOT NULL CHECK (total > 0),
    issued_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT credit_notes_total_adds_up CHECK (total = (net + tax))
);
COMMENT ON TABLE credit_notes IS
    'The papers for money that goes back: an issued invoice never changes, so what is taken back of it has one of '
    'these. Numbered without gaps.';
CREATE INDEX credit_notes_invoice_idx ON credit_notes (invoice_id);
CREATE INDEX credit_notes_user_idx ON credit_notes (user_id, id DESC);

CREATE TABLE invoice_transitions (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    CONSTRAINT invoice_transitions_pkey PRIMARY KEY (from_status, to_status)
);
COMMENT ON TABLE invoice_transitions IS
    'The arrows that an invoice''s status may take: those of domain::billing::InvoiceStatus::may_become.';

CREATE TABLE renewals (
    id          uuid PRIMARY KEY,
    instance_id uuid NOT NULL REFERENCES instances (id),
    invoice_id  uuid NOT NULL REFERENCES invoices (id) UNIQUE,
    user_id     uuid NOT NULL REFERENCES users (id),
    term_months integer NOT NULL CHECK (term_months > 0),
    -- The term that was bought; null until it is paid.
    starts_at   timestamptz,
    ends_at     timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT renewals_term CHECK (((starts_at IS NULL) = (ends_at IS NULL)) AND (starts_at < ends_at))
);
COMMENT ON TABLE renewals IS
    'A further term of a server: its invoice, and once that is paid, from when to when.';
CREATE INDEX renewals_instance_idx ON renewals (instance_id, id DESC);

CREATE TABLE promos (
    id             uuid PRIMARY KEY,
    -- In upper case only, so that unique means regardless of case.
    code           text NOT NULL UNIQUE CONSTRAINT promos_code_shape CHECK (code ~ '^[A-Z0-9_-]{3,32}$'),
    kind           text NOT NULL CHECK (kind IN ('ORDER_PERCENT', 'ORDER_FIXED', 'DEPOSIT_PERCENT', 'DEPOSIT_FIXED')),
    -- Whole percent, or whole rupiah.
    value          bigint NOT NULL,
    min_amount     bigint CHECK (min_amount >= 0),
    max_amount     bigint CHECK (max_amount > 0),
    per_user_limit bigint CHECK (per_user_limit > 0),
    global_limit   bigint CHECK (global_limit > 0),
    starts_at      timestamptz,
    ends_at        timestamptz,
    is_active      boolean NOT NULL DEFAULT true,
    -- How many uses count at the moment; kept by the redemptions' trigger.
    uses           bigint NOT NULL DEFAULT 0 CHECK (uses >= 0),
    created_by     uuid REFERENCES users (id),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT promos_global_limit_holds CHECK (uses <= global_limit),
    CONSTRAINT promos_value CHECK ((value > 0) AND ((value <= 100) OR (kind IN ('ORDER_FIXED', 'DEPOSIT_FIXED')))),
    CONSTRAINT promos_window CHECK (starts_at < ends_at)
);
COMMENT ON TABLE promos IS
    'Promo codes, and how many of their uses count at the moment. domain::promo has the rules.';

CREATE TABLE promo_redemptions (
    id         uuid PRIMARY KEY,
    promo_id   uuid NOT NULL REFERENCES promos (id),
    user_id    uuid NOT NULL REFERENCES users (id),
    order_id   uuid REFERENCES orders (id) CONSTRAINT promo_redemptions_order_key UNIQUE,
    deposit_id uuid REFERENCES deposits (id) CONSTRAINT promo_redemptions_deposit_key UNIQUE,
    -- What the code took off the order, or gives on top of the deposit.
    amount     bigint NOT NULL CHECK (amount > 0),
    state      text NOT NULL CHECK (state IN ('RESERVED', 'REDEEMED', 'RELEASED', 'HONOURED')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT promo_redemptions_prices_are_honoured CHECK ((state <> 'HONOURED') OR (order_id IS NOT NULL)),
    CONSTRAINT promo_redemptions_purpose CHECK ((order_id IS NULL) <> (deposit_id IS NULL))
);
COMMENT ON TABLE promo_redemptions IS
    'One use of a code: by an order or a deposit, at most one code each.';
CREATE INDEX promo_redemptions_promo_idx ON promo_redemptions (promo_id, id DESC);
CREATE INDEX promo_redemptions_counted_idx ON promo_redemptions (promo_id, user_id) WHERE (state IN ('RESERVED',
    'REDEEMED'));
CREATE INDEX promo_redemptions_awaited_deposits_idx ON promo_redemptions (promo_id) WHERE ((state = 'RESERVED')
    AND (deposit_id IS NOT NULL));

CREATE TABLE promo_redemption_transitions (
    from_state text NOT NULL,
    to_state   text NOT NULL,
    CONSTRAINT promo_redemption_transitions_pkey PRIMARY KEY (from_state, to_state)
);
COMMENT ON TABLE promo_redemption_transitions IS
    'The arrows that the use of a promo code may take: those of domain::promo::RedemptionState::may_become.';

CREATE TABLE payment_proofs (
    id           uuid PRIMARY KEY,
    payment_id   uuid NOT NULL REFERENCES payments (id),
    -- A payment has five places, so that no sixth proof fits however many come at once.
    place        integer NOT NULL CHECK ((place >= 1) AND (place <= 5)),
    content_type text NOT NULL CHECK (content_type IN ('image/png', 'image/jpeg', 'image/webp', 'application/pdf')),
    size         integer NOT NULL CHECK ((size >= 1) AND (size <= 5242880)),
    sha256       bytea NOT NULL CHECK (length(sha256) = 32),
    bytes        bytea NOT NULL,
    uploaded_by  uuid NOT NULL REFERENCES users (id),
    uploaded_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payment_proofs_once UNIQUE (payment_id, sha256),
    CONSTRAINT payment_proofs_place UNIQUE (payment_id, place),
    CONSTRAINT payment_proofs_size CHECK (size = length(bytes))
);
COMMENT ON TABLE payment_proofs IS
    'What customers send to prove a bank transfer: receipts as pictures or PDF, at most five a payment.';
CREATE INDEX payment_proofs_sender_idx ON payment_proofs (uploaded_by, uploaded_at);
ALTER TABLE payment_proofs ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE ledger_checks (
    id           uuid PRIMARY KEY,
    -- Null when it was due.
    requested_by uuid REFERENCES users (id),
    -- Names the run of the workflow, so that beginning it twice is beginning it once; null when somebody asked.
    run_key      text UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ledger_checks_due_or_asked_for CHECK ((requested_by IS NULL) = (run_key IS NOT NULL))
);
COMMENT ON TABLE ledger_checks IS
    'Checks of the books: who asked for one, or that it was due.';

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
COMMENT ON TABLE ledger_check_results IS
    'What a check of the books came to: every rule with its broken cases, and the trial balance.';

CREATE TABLE refunds (
    -- Also the name by which the gateway knows it: the same one again gives nothing back again.
    id                uuid PRIMARY KEY,
    user_id           uuid NOT NULL REFERENCES users (id),
    order_id          uuid REFERENCES orders (id),
    -- Of an invoice that belongs to no order.
    invoice_id        uuid REFERENCES invoices (id),
    -- The payment that goes back through its gateway.
    payment_id        uuid REFERENCES payments (id),
    destination       text NOT NULL CHECK (destination IN ('WALLET', 'GATEWAY')),
    status            text NOT NULL CHECK (status IN ('REQUESTED', 'SENT', 'COMPLETED', 'RETURNED_TO_WALLET')),
    amount            bigint NOT NULL CHECK (amount > 0),
    net               bigint NOT NULL CHECK (net >= 0),
    tax               bigint NOT NULL CHECK (tax >= 0),
    reason            text NOT NULL,
    -- None where the invoice was never paid in full.
    credit_note_id    uuid REFERENCES credit_notes (id),
    requested_by      uuid REFERENCES users (id),
    gateway_refund_id text,
    -- How often the gateway was asked.
    attempts          integer NOT NULL DEFAULT 0,
    -- Since when a call may have taken effect whose answer is not known. Noted before the call is sent.
    in_doubt_since    timestamptz,
    last_error        text,
    created_at        timestamptz NOT NULL DEFAULT now(),
    sent_at           timestamptz,
    ended_at          timestamptz,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    woken_at          timestamptz,
    CONSTRAINT refunds_amount_adds_up CHECK (amount = (net + tax)),
    CONSTRAINT refunds_ended CHECK ((status IN ('COMPLETED', 'RETURNED_TO_WALLET')) = (ended_at IS NOT NULL)),
    -- Money whose way is not known for certain stays where it is.
    CONSTRAINT refunds_never_returned_in_doubt CHECK ((status <> 'RETURNED_TO_WALLET') OR (in_doubt_since IS NULL)),
    CONSTRAINT refunds_of_one_service CHECK ((order_id IS NULL) <> (invoice_id IS NULL)),
    CONSTRAINT refunds_payment_of_gateway CHECK ((destination = 'GATEWAY') = (payment_id IS NOT NULL)),
    CONSTRAINT refunds_sent CHECK ((status <> 'SENT') OR (sent_at IS NOT NULL))
);
COMMENT ON TABLE refunds IS
    'Money that goes back, whole or in part: to the customer''s balance or through the gateway.';
CREATE INDEX refunds_order_idx ON refunds (order_id, id DESC) WHERE (order_id IS NOT NULL);
CREATE INDEX refunds_invoice_idx ON refunds (invoice_id, id DESC) WHERE (invoice_id IS NOT NULL);
CREATE INDEX refunds_payment_idx ON refunds (payment_id) WHERE (payment_id IS NOT NULL);
CREATE INDEX refunds_user_idx ON refunds (user_id, id DESC);
CREATE INDEX refunds_open_idx ON refunds (id DESC) WHERE (status IN ('REQUESTED', 'SENT'));

CREATE TABLE refund_transitions (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    CONSTRAINT refund_transitions_pkey PRIMARY KEY (from_status, to_status)
);
COMMENT ON TABLE refund_transitions IS
    'The arrows that a refund may take: those of domain::refund::RefundStatus::may_become.';

CREATE TABLE payment_transitions (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    CONSTRAINT payment_transitions_pkey PRIMARY KEY (from_status, to_status)
);
COMMENT ON TABLE payment_transitions IS
    'The arrows that a payment''s status may take: those of domain::billing::PaymentStatus::may_become.';

CREATE TABLE deposit_transitions (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    CONSTRAINT deposit_transitions_pkey PRIMARY KEY (from_status, to_status)
);
COMMENT ON TABLE deposit_transitions IS
    'The arrows that a deposit''s status may take: those of domain::billing::DepositStatus::may_become.';

CREATE TABLE disputes (
    id              uuid PRIMARY KEY,
    payment_id      uuid NOT NULL REFERENCES payments (id),
    user_id         uuid NOT NULL REFERENCES users (id),
    kind            text NOT NULL CHECK (kind IN ('REFUND', 'CHARGEBACK', 'WITHDRAWN')),
    -- The gateway's name for what it took back.
    name            text NOT NULL,
    status          text NOT NULL CHECK (status IN ('OPEN', 'ACCEPTED', 'DISMISSED')),
    -- What is in dispute: what the gateway named, as far as so much of the payment is left.
    amount          bigint NOT NULL,
    -- The gateway's own words for the amount; empty when it names none.
    amount_told     text NOT NULL,
    -- Whether whoever accepted it had the server powered off, so that its customer does not power it on again.
    suspends_server boolean NOT NULL DEFAULT false,
    -- What was said when it was decided.
    note            text,
    decided_by      uuid REFERENCES users (id),
    decided_at      timestamptz,
    -- What the customer owes us for it; null until it is accepted.
    receivable      bigint CHECK (receivable >= 0),
    created_at      timestamptz NOT NULL DEFAULT now(),
    -- Beyond `amount`: what of the payer's fee went with it.
    payer_fee       bigint NOT NULL DEFAULT 0 CHECK (payer_fee >= 0),
    -- However often a gateway tells of it.
    CONSTRAINT disputes_told_once UNIQUE (payment_id, name),
    CONSTRAINT disputes_about_something CHECK ((amount >= 0) AND ((amount + payer_fee) > 0)),
    CONSTRAINT disputes_decided CHECK ((status = 'OPEN') = (decided_at IS NULL)),
    CONSTRAINT disputes_dismissed_with_reason CHECK ((status <> 'DISMISSED') OR (note IS NOT NULL)),
    CONSTRAINT disputes_receivable CHECK ((status = 'ACCEPTED') = (receivable IS NOT NULL)),
    CONSTRAINT disputes_suspends_accepted CHECK ((NOT suspends_server) OR (status = 'ACCEPTED'))
);
COMMENT ON TABLE disputes IS
    'Money that a gateway took back without our asking, until staff decide on it.';
CREATE INDEX disputes_open_idx ON disputes (id DESC) WHERE (status = 'OPEN');
CREATE INDEX disputes_user_idx ON disputes (user_id, id DESC);

CREATE TABLE dispute_transitions (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    CONSTRAINT dispute_transitions_pkey PRIMARY KEY (from_status, to_status)
);
COMMENT ON TABLE dispute_transitions IS
    'The arrows that a dispute may take: those of domain::dispute::DisputeStatus::may_become.';

CREATE TABLE gateway_credentials (
    gateway       text PRIMARY KEY,
    -- Null: it accepts them.
    refused_since timestamptz,
    -- Its words, for staff.
    message       text,
    -- When staff were last told. Two processes with different keys would else tell them of every second call.
    alerted_at    timestamptz,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gateway_credentials_refused_with_words CHECK ((refused_since IS NULL) = (message IS NULL))
);
COMMENT ON TABLE gateway_credentials IS
    'Which gateways do not accept our credentials, as the last answer to any process told. A gateway that never '
    'refused them has no row.';

CREATE TABLE auth_throttles (
    subject_hash bytea NOT NULL,
    network      text NOT NULL,
    failures     integer NOT NULL,
    locked_until timestamptz,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT auth_throttles_pkey PRIMARY KEY (subject_hash, network)
);
COMMENT ON TABLE auth_throttles IS
    'Attempts to prove who one is, counted when they begin and given back when they were right. `subject_hash` is of '
    'an account''s folded address or of a session''s id; `network` is where the attempts come from, and empty for all '
    'of them together.';
CREATE INDEX auth_throttles_updated_idx ON auth_throttles (updated_at);

CREATE TABLE provider_allowances (
    provider    text NOT NULL,
    lane        text NOT NULL,
    class       text NOT NULL CONSTRAINT provider_allowances_class_known CHECK (class IN ('records', 'actions', 'display',
        'lent')),
    -- The customer or the key; null for the class as a whole. A row is forgotten once it is full again.
    party       uuid,
    -- Per window of the lane: when the allowance is full again.
    full_at     timestamptz[] NOT NULL CONSTRAINT provider_allowances_has_windows CHECK (cardinality(full_at) > 0),
    -- The latest of them.
    all_full_at timestamptz NOT NULL,
    CONSTRAINT provider_allowances_key UNIQUE NULLS NOT DISTINCT (provider, lane, class, party)
);
COMMENT ON TABLE provider_allowances IS
    'How much of a provider''s rate budget each class of callers, and each party of a class, may still take: see '
    'docs/adr/0035-shares-of-the-rate-budget.md.';

CREATE TABLE provider_reads (
    provider        text NOT NULL,
    -- The server; null for what the provider has for everybody.
    instance_id     uuid REFERENCES instances (id) ON DELETE CASCADE,
    -- What was asked: snapshots, charts:6h, regions ...
    kind            text NOT NULL,
    answer          jsonb,
    -- When it was asked for, and until when nobody asks again.
    fetched_at      timestamptz,
    fresh_until     timestamptz,
    -- Who is asking now. Until next_refresh_at nobody else does; then whoever comes takes over.
    refresh         uuid,
    next_refresh_at timestamptz NOT NULL,
    CONSTRAINT provider_reads_key UNIQUE NULLS NOT DISTINCT (provider, instance_id, kind),
    CONSTRAINT provider_reads_answer_has_age CHECK (((answer IS NULL) = (fetched_at IS NULL))
        AND ((answer IS NULL) = (fresh_until IS NULL)))
);
COMMENT ON TABLE provider_reads IS
    'What providers told of servers and of themselves, kept for whoever wants to see it next, in any process.';
CREATE INDEX provider_reads_instance_idx ON provider_reads (instance_id);

CREATE TABLE installation (
    singleton  boolean DEFAULT true PRIMARY KEY CHECK (singleton),
    id         text NOT NULL CHECK (id ~ '^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$'),
    claimed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE installation IS
    'Which installation this database belongs to, so that a copy of it does not go to work on the original''s '
    'servers. The id comes from the configuration; the first process that works on the database writes it down.';

CREATE TABLE customer_networks (
    user_id             uuid NOT NULL REFERENCES users (id),
    provider_id         uuid NOT NULL REFERENCES providers (id),
    region_id           uuid NOT NULL REFERENCES regions (id),
    -- The provider's own id.
    provider_network_id text NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT now(),
    -- Set when it was seen without a server: it is deleted at the provider, and then here.
    removing_since      timestamptz,
    CONSTRAINT customer_networks_pkey PRIMARY KEY (user_id, provider_id, region_id),
    CONSTRAINT customer_networks_of_one_customer UNIQUE (provider_id, provider_network_id)
);
COMMENT ON TABLE customer_networks IS
    'The private networks that customers'' servers are in, where servers are in one whether they want to or not. None '
    'is shared.';

CREATE TABLE create_watches (
    order_id     uuid NOT NULL REFERENCES orders (id),
    provider_id  uuid NOT NULL REFERENCES providers (id),
    began_at     timestamptz NOT NULL DEFAULT now(),
    looks        smallint NOT NULL DEFAULT 0 CHECK (looks >= 0),
    next_look_at timestamptz NOT NULL,
    CONSTRAINT create_watches_pkey PRIMARY KEY (order_id, provider_id)
);
COMMENT ON TABLE create_watches IS
    'Creates whose answer was lost, that no list showed in time, and that were made again: the server of the first '
    'one may surface yet. It is looked for a few times, see `store::provisioning::watch`.';
CREATE INDEX create_watches_due ON create_watches (provider_id, next_look_at);

CREATE TABLE provisioning_pauses (
    scope     text PRIMARY KEY,
    reason    text NOT NULL CHECK (reason <> ''),
    paused_by uuid NOT NULL REFERENCES users (id),
    paused_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE provisioning_pauses IS
    'What is not provisioned for now: all of it (`*`), or what is bought from a provider (its slug).';

CREATE TABLE bulk_retries (
    id            uuid PRIMARY KEY,
    failure_class text NOT NULL,
    provider      text,
    per_minute    integer NOT NULL CHECK ((per_minute >= 1) AND (per_minute <= 600)),
    requested_by  uuid NOT NULL REFERENCES users (id),
    created_at    timestamptz NOT NULL DEFAULT now(),
    advanced_at   timestamptz,
    stopped_at    timestamptz
);
COMMENT ON TABLE bulk_retries IS
    'Failed orders that staff want tried again together, some a minute.';

CREATE TABLE bulk_retry_orders (
    bulk_retry_id uuid NOT NULL REFERENCES bulk_retries (id),
    order_id      uuid NOT NULL REFERENCES orders (id),
    outcome       text CHECK (outcome IN ('retried', 'skipped')),
    at            timestamptz,
    CONSTRAINT bulk_retry_orders_pkey PRIMARY KEY (bulk_retry_id, order_id),
    CONSTRAINT bulk_retry_orders_outcome_has_moment CHECK ((outcome IS NULL) = (at IS NULL))
);
COMMENT ON TABLE bulk_retry_orders IS
    'The orders of a bulk retry, and which of them had their turn.';
CREATE INDEX bulk_retry_orders_open ON bulk_retry_orders (bulk_retry_id, order_id) WHERE (outcome IS NULL);

CREATE TABLE events (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Which event, and what happened: `domain::event::Event`.
    kind       text NOT NULL,
    data       jsonb NOT NULL,
    -- What happened is recorded once.
    dedupe_key text NOT NULL UNIQUE,
    -- The order on whose timeline it stands, the step's name there and how it stands.
    order_id   uuid REFERENCES orders (id),
    step       text,
    status     text CHECK (status IN ('done', 'waiting', 'failed')),
    -- For staff only: attempts, error class, request ids.
    detail     jsonb NOT NULL DEFAULT '{}'::jsonb,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT events_steps_are_whole CHECK (((order_id IS NULL) = (step IS NULL))
        AND ((step IS NULL) = (status IS NULL)))
);
COMMENT ON TABLE events IS
    'What people are told, and what stands on timelines: the event and its data. Words are rendered when they are '
    'read.';
CREATE INDEX events_order_idx ON events (order_id, id) WHERE (order_id IS NOT NULL);

CREATE TABLE in_app_notifications (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id),
    type       text NOT NULL,
    is_read    boolean NOT NULL DEFAULT false,
    read_at    timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- A notification is an event and whether its reader has seen it.
    event_id   bigint NOT NULL REFERENCES events (id),
    CONSTRAINT in_app_notifications_user_id_event_id_key UNIQUE (user_id, event_id),
    CONSTRAINT in_app_notifications_read_at_when_read CHECK (is_read = (read_at IS NOT NULL))
);
COMMENT ON TABLE in_app_notifications IS
    'What people are told in the app: one per event and person.';
CREATE INDEX in_app_notifications_unread_idx ON in_app_notifications (user_id, is_read);
CREATE INDEX in_app_notifications_created_idx ON in_app_notifications (user_id, created_at);
CREATE TRIGGER audit_log_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION check_order_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'PENDING_PAYMENT' THEN
            RAISE EXCEPTION 'an order begins as PENDING_PAYMENT, not %', NEW.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_transition_legal';
        END IF;
    ELSIF NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM order_transitions WHERE from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION 'an order does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'orders_transition_legal';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER orders_transition_legal BEFORE INSERT OR UPDATE OF status ON orders
    FOR EACH ROW EXECUTE FUNCTION check_order_transition();

-- Whoever read an order as being provisioned may not create for it once it is not any more: failed, called off, given
-- back, however that came about.
CREATE FUNCTION raise_create_fence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE provisioning_tasks SET create_fence = create_fence + 1 WHERE order_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER raise_create_fence AFTER UPDATE OF status ON orders
    FOR EACH ROW WHEN (((old.status IN ('PAID', 'PROVISIONING')) AND (new.status NOT IN ('PROVISIONING', 'ACTIVE')))) EXECUTE FUNCTION raise_create_fence();

-- An issued invoice is a document: its amounts and lines stay.
CREATE FUNCTION keep_issued_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.number IS NOT NULL AND
        (NEW.number, NEW.user_id, NEW.order_id, NEW.subtotal, NEW.discount, NEW.tax_base, NEW.tax, NEW.tax_bp, NEW.total,
         NEW.issued_at)
        IS DISTINCT FROM
        (OLD.number, OLD.user_id, OLD.order_id, OLD.subtotal, OLD.discount, OLD.tax_base, OLD.tax, OLD.tax_bp, OLD.total,
         OLD.issued_at)
    THEN
        RAISE EXCEPTION 'invoice % is issued and does not change', OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM invoice_transitions WHERE from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION 'an invoice does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoices_transition_legal';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoices_issued_is_final BEFORE UPDATE ON invoices
    FOR EACH ROW EXECUTE FUNCTION keep_issued_invoice();
CREATE TRIGGER invoices_never_deleted BEFORE DELETE OR TRUNCATE ON invoices
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- An issued invoice is a document: whom it bills is kept as it was on the day of issue.
CREATE FUNCTION keep_invoice_buyer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.number IS NOT NULL THEN
        IF (NEW.buyer_name, NEW.buyer_email) IS DISTINCT FROM (OLD.buyer_name, OLD.buyer_email) THEN
            RAISE EXCEPTION 'invoice % is issued and does not change', OLD.number USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF NEW.number IS NOT NULL THEN
        SELECT full_name, email INTO NEW.buyer_name, NEW.buyer_email FROM users WHERE id = NEW.user_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoices_keep_their_buyer BEFORE INSERT OR UPDATE ON invoices
    FOR EACH ROW EXECUTE FUNCTION keep_invoice_buyer();

CREATE FUNCTION check_revived_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM orders WHERE id = NEW.order_id AND status = 'PAID') THEN
        RAISE EXCEPTION 'a void invoice is paid only with its order'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoices_transition_legal';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoices_void_is_paid_with_its_order BEFORE UPDATE OF status ON invoices
    FOR EACH ROW WHEN (((old.status = 'VOID') AND (new.status = 'PAID'))) EXECUTE FUNCTION check_revived_invoice();

-- The lines of a draft may change; those of an issued invoice stay.
CREATE FUNCTION keep_issued_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM invoices WHERE id = OLD.invoice_id AND status <> 'DRAFT') THEN
        RAISE EXCEPTION 'the lines of an issued invoice do not change' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER invoice_lines_of_drafts_only BEFORE DELETE OR UPDATE ON invoice_lines
    FOR EACH ROW EXECUTE FUNCTION keep_issued_lines();
CREATE TRIGGER invoice_lines_never_truncated BEFORE TRUNCATE ON invoice_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- At the end of the transaction that writes lines, they make up the invoice. It also keeps lines from being added later.
CREATE FUNCTION check_lines_add_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM invoices i WHERE i.id = NEW.invoice_id AND i.subtotal - i.discount <>
            (SELECT sum(total) FROM invoice_lines WHERE invoice_id = i.id)
    ) THEN
        RAISE EXCEPTION 'the lines of an invoice make up its subtotal less its discount'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_lines_make_up_the_invoice';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER invoice_lines_make_up_the_invoice AFTER INSERT OR UPDATE
    ON invoice_lines DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION check_lines_add_up();

-- Nothing is kept of a server that has ended, or that became another one at its provider.
CREATE FUNCTION forget_provider_reads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM provider_reads WHERE instance_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER instances_forget_provider_reads AFTER UPDATE OF status, provider_instance_id, provider_id ON instances
    FOR EACH ROW WHEN (((new.status = 'TERMINATED') OR (new.provider_instance_id IS DISTINCT FROM old.provider_instance_id) OR (new.provider_id <> old.provider_id))) EXECUTE FUNCTION forget_provider_reads();

CREATE FUNCTION forget_proven_of() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.proven_of := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER forget_proven_of BEFORE UPDATE OF provider_instance_id ON instances
    FOR EACH ROW WHEN ((old.provider_instance_id IS DISTINCT FROM new.provider_instance_id)) EXECUTE FUNCTION forget_proven_of();

CREATE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('outbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_wakes_dispatcher AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION notify_outbox();

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

-- The list of snapshots, and what the server is like, are other ones once something was done to it. What has no answer
-- yet stays without an age.
CREATE FUNCTION outdate_provider_reads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE provider_reads
    SET fresh_until = CASE WHEN fresh_until > now() THEN now() ELSE fresh_until END, refresh = NULL, next_refresh_at = now()
    WHERE instance_id = NEW.instance_id;
    RETURN NULL;
END $$;
CREATE TRIGGER instance_actions_outdate_provider_reads AFTER UPDATE OF status ON instance_actions
    FOR EACH ROW WHEN (((new.status IN ('completed', 'failed')) AND (old.status <> new.status))) EXECUTE FUNCTION outdate_provider_reads();
CREATE TRIGGER order_placements_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON order_placements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION ledger_keep_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Depth 1 is this trigger on somebody's own statement; the entries' trigger makes it 2.
    IF TG_OP = 'INSERT' AND coalesce(NEW.balance, 0) = 0 THEN
        RETURN NEW;
    ELSIF TG_OP = 'UPDATE' AND pg_trigger_depth() > 1
        AND (NEW.id, NEW.kind, NEW.owner_id) IS NOT DISTINCT FROM (OLD.id, OLD.kind, OLD.owner_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a balance changes by entries only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ledger_accounts_follow_entries BEFORE INSERT OR UPDATE ON ledger_accounts
    FOR EACH ROW EXECUTE FUNCTION ledger_keep_accounts();
CREATE TRIGGER ledger_accounts_never_deleted BEFORE DELETE OR TRUNCATE ON ledger_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION keep_deposit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'OPEN' THEN
            RAISE EXCEPTION 'a deposit begins as OPEN, not %', NEW.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'deposits_transition_legal';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.user_id, NEW.amount, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.user_id, OLD.amount, OLD.created_at)
        OR OLD.credited_at IS NOT NULL AND NEW.credited_at IS DISTINCT FROM OLD.credited_at
    THEN
        RAISE EXCEPTION 'what a deposit is about does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM deposit_transitions WHERE from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION 'a deposit does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'deposits_transition_legal';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deposits_transition_legal BEFORE INSERT OR UPDATE ON deposits
    FOR EACH ROW EXECUTE FUNCTION keep_deposit();
CREATE TRIGGER deposits_never_deleted BEFORE DELETE OR TRUNCATE ON deposits
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION keep_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'PENDING' THEN
            RAISE EXCEPTION 'a payment begins as PENDING, not %', NEW.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_transition_legal';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.invoice_id, NEW.order_id, NEW.deposit_id, NEW.user_id, NEW.gateway, NEW.gateway_order_id, NEW.method,
        NEW.bank, NEW.amount)
        IS DISTINCT FROM
        (OLD.id, OLD.invoice_id, OLD.order_id, OLD.deposit_id, OLD.user_id, OLD.gateway, OLD.gateway_order_id, OLD.method,
         OLD.bank, OLD.amount)
    THEN
        RAISE EXCEPTION 'what a payment is about does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM payment_transitions WHERE from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION 'a payment does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_transition_legal';
    END IF;
    IF coalesce(NEW.amount_received, 0) < coalesce(OLD.amount_received, 0) THEN
        RAISE EXCEPTION 'what a payment has brought does not become less' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status = 'PAID' AND (NEW.paid_at, NEW.amount_received, NEW.approved_by, NEW.outcome)
        IS DISTINCT FROM (OLD.paid_at, OLD.amount_received, OLD.approved_by, OLD.outcome)
    THEN
        RAISE EXCEPTION 'what became of a payment''s money stays' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_transition_legal BEFORE INSERT OR UPDATE ON payments
    FOR EACH ROW EXECUTE FUNCTION keep_payment();
CREATE TRIGGER payments_never_deleted BEFORE DELETE OR TRUNCATE ON payments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- It is known with the money, and stays.
CREATE FUNCTION keep_payer_fee() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'PAID' THEN
        RAISE EXCEPTION 'what became of a payment''s money stays' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_payer_fee_stays BEFORE UPDATE ON payments
    FOR EACH ROW WHEN ((new.payer_fee <> old.payer_fee)) EXECUTE FUNCTION keep_payer_fee();
CREATE TRIGGER webhook_events_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON webhook_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A notification without what proves it: values of fields that are named so, and whatever looks like a digest, wherever
-- it stands. What is no text holds no proof that could be read.
CREATE FUNCTION without_proofs(body bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    words text;
BEGIN
    words := convert_from(body, 'UTF8');
    words := regexp_replace(words,
        '("[^"]*(?:signature|token|secret|password|authorization|api_?key)[^"]*"\s*:\s*)"(?:[^"\\]|\\.)*"',
        '\1"[redacted]"', 'gi');
    RETURN convert_to(regexp_replace(words, '[0-9a-fA-F]{64,}', '[redacted]', 'g'), 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RETURN body;
END $$;

-- Proofs are secrets: a signature covers less than its notification says, so whoever reads one could sign another one
-- with it.
CREATE FUNCTION keep_without_proofs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.body := without_proofs(NEW.body);
    RETURN NEW;
END $$;
CREATE TRIGGER webhook_events_without_proofs BEFORE INSERT ON webhook_events
    FOR EACH ROW EXECUTE FUNCTION keep_without_proofs();

CREATE FUNCTION ledger_check_has_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_entries WHERE movement_id = NEW.id) THEN
        RAISE EXCEPTION 'a movement has entries'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_movements_balanced';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_movements_has_entries AFTER INSERT ON ledger_movements DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION ledger_check_has_entries();
CREATE TRIGGER ledger_movements_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger_movements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A customer's balance follows the entries and nothing else; `ledger_accounts_never_negative` refuses what is not there.
CREATE FUNCTION ledger_apply_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.balance_after := NULL;
    UPDATE ledger_accounts SET balance = balance + NEW.amount WHERE id = NEW.account_id AND owner_id IS NOT NULL
        RETURNING balance INTO NEW.balance_after;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_entries_move_balance BEFORE INSERT ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION ledger_apply_entry();

-- A movement's entries come in one statement that balances.
CREATE FUNCTION ledger_check_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM written GROUP BY movement_id HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'the entries of a movement must sum to zero'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_movements_balanced';
    END IF;
    IF EXISTS (SELECT FROM written w JOIN ledger_movements m ON m.id = w.movement_id
               WHERE m.made_in <> pg_current_xact_id()) THEN
        RAISE EXCEPTION 'a movement is complete once it is committed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_entries_balanced AFTER INSERT ON ledger_entries
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_balanced();
CREATE TRIGGER ledger_entries_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Money comes in (a debit of the bank or of what gateways hold) by a payment from outside, or moves between the two by a
-- payout. What is paid from the balance was ours before: it never touches either.
CREATE FUNCTION ledger_check_source() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM written w
        JOIN ledger_accounts a ON a.id = w.account_id AND a.kind IN ('BANK', 'GATEWAY_CLEARING')
        JOIN ledger_movements m ON m.id = w.movement_id
        LEFT JOIN payments p ON p.id = m.payment_id
        WHERE p.method = 'WALLET' OR (w.amount < 0 AND p.id IS NULL AND m.kind <> 'GATEWAY_PAYOUT')
    ) THEN
        RAISE EXCEPTION 'money comes from outside by a payment from outside'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entries_from_outside';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_entries_from_outside AFTER INSERT ON ledger_entries
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_source();
CREATE TRIGGER credit_notes_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON credit_notes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The count follows the redemptions and nothing else, and what was used says for ever what it was.
CREATE FUNCTION keep_promo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.uses <> 0 THEN
            RAISE EXCEPTION 'uses are counted, not set' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    -- Depth 1 is this trigger on somebody's own statement; the redemptions' trigger makes it 2.
    IF NEW.uses <> OLD.uses AND pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'uses are counted, not set' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.id, NEW.code, NEW.kind, NEW.value) IS DISTINCT FROM (OLD.id, OLD.code, OLD.kind, OLD.value)
        AND EXISTS (SELECT FROM promo_redemptions WHERE promo_id = OLD.id)
    THEN
        RAISE EXCEPTION 'code % was used: code, kind and value stay', OLD.code USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER promos_follow_redemptions BEFORE INSERT OR UPDATE ON promos
    FOR EACH ROW EXECUTE FUNCTION keep_promo();

CREATE FUNCTION keep_promo_redemption() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'RESERVED' THEN
            RAISE EXCEPTION 'a redemption begins as RESERVED, not %', NEW.state
                USING ERRCODE = 'check_violation', CONSTRAINT = 'promo_redemptions_transition_legal';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.promo_id, NEW.user_id, NEW.order_id, NEW.deposit_id, NEW.amount, NEW.created_at)
        IS DISTINCT FROM (OLD.id, OLD.promo_id, OLD.user_id, OLD.order_id, OLD.deposit_id, OLD.amount, OLD.created_at)
    THEN
        RAISE EXCEPTION 'only the state of a redemption changes' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND NOT EXISTS (
        SELECT FROM promo_redemption_transitions WHERE from_state = OLD.state AND to_state = NEW.state
    ) THEN
        RAISE EXCEPTION 'a redemption does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'promo_redemptions_transition_legal';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER promo_redemptions_transition_legal BEFORE INSERT OR UPDATE ON promo_redemptions
    FOR EACH ROW EXECUTE FUNCTION keep_promo_redemption();
CREATE TRIGGER promo_redemptions_never_deleted BEFORE DELETE OR TRUNCATE ON promo_redemptions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The last line behind the program's own counting. The UPDATE locks the code's row, so of two uses at once the second
-- counts after the first has committed; `promos_global_limit_holds` refuses one too many.
CREATE FUNCTION count_promo_use() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    change integer := (NEW.state IN ('RESERVED', 'REDEEMED'))::integer;
    promo  promos;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        change := change - (OLD.state IN ('RESERVED', 'REDEEMED'))::integer;
    END IF;
    IF change = 0 THEN
        RETURN NULL;
    END IF;
    UPDATE promos SET uses = uses + change WHERE id = NEW.promo_id RETURNING * INTO promo;
    IF (promo.kind IN ('ORDER_PERCENT', 'ORDER_FIXED')) <> (NEW.order_id IS NOT NULL) THEN
        RAISE EXCEPTION 'code % is not for this', promo.code
            USING ERRCODE = 'check_violation', CONSTRAINT = 'promo_redemptions_purpose';
    END IF;
    IF change > 0 AND promo.per_user_limit < (
        SELECT count(*) FROM promo_redemptions
        WHERE promo_id = NEW.promo_id AND user_id = NEW.user_id AND state IN ('RESERVED', 'REDEEMED')
    ) THEN
        RAISE EXCEPTION 'code % is used up by this customer', promo.code
            USING ERRCODE = 'check_violation', CONSTRAINT = 'promos_per_user_limit_holds';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER promo_redemptions_are_counted AFTER INSERT OR UPDATE OF state ON promo_redemptions
    FOR EACH ROW EXECUTE FUNCTION count_promo_use();
CREATE TRIGGER payment_proofs_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON payment_proofs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_checks_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger_checks
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_check_results_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON ledger_check_results
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION keep_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.user_id, NEW.order_id, NEW.invoice_id, NEW.payment_id, NEW.destination, NEW.amount, NEW.net, NEW.tax,
        NEW.reason, NEW.requested_by, NEW.created_at)
        IS DISTINCT FROM
        (OLD.id, OLD.user_id, OLD.order_id, OLD.invoice_id, OLD.payment_id, OLD.destination, OLD.amount, OLD.net, OLD.tax,
         OLD.reason, OLD.requested_by, OLD.created_at)
    THEN
        RAISE EXCEPTION 'what is given back does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM refund_transitions WHERE from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION 'a refund does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_transition_legal';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refunds_transition_legal BEFORE UPDATE ON refunds
    FOR EACH ROW EXECUTE FUNCTION keep_refund();

-- What of a payment neither went back through its gateway nor is in dispute.
CREATE FUNCTION undisputed(payment uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT p.amount
        - (SELECT coalesce(sum(amount), 0) FROM refunds WHERE payment_id = p.id AND status <> 'RETURNED_TO_WALLET')::bigint
        - (SELECT coalesce(sum(amount), 0) FROM disputes WHERE payment_id = p.id AND status <> 'DISMISSED')::bigint
    FROM payments p WHERE p.id = payment
$$;

-- What is in dispute does not go back through the gateway a second time.
CREATE FUNCTION check_new_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> (CASE NEW.destination WHEN 'WALLET' THEN 'COMPLETED' ELSE 'REQUESTED' END) THEN
        RAISE EXCEPTION 'a refund does not begin as %', NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_transition_legal';
    END IF;
    IF NEW.payment_id IS NOT NULL THEN
        -- The lock makes refunds of one payment wait for each other.
        PERFORM FROM payments WHERE id = NEW.payment_id AND status = 'PAID' AND gateway IS NOT NULL FOR NO KEY UPDATE;
        IF NOT FOUND OR NEW.amount > undisputed(NEW.payment_id) THEN
            RAISE EXCEPTION 'a payment gives back no more than it brought'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_within_payment';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refunds_within_payment BEFORE INSERT ON refunds
    FOR EACH ROW EXECUTE FUNCTION check_new_refund();
CREATE TRIGGER refunds_never_deleted BEFORE DELETE OR TRUNCATE ON refunds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION keep_dispute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'OPEN' THEN
            RAISE EXCEPTION 'a dispute does not begin as %', NEW.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'disputes_transition_legal';
        END IF;
    ELSIF (NEW.id, NEW.payment_id, NEW.user_id, NEW.kind, NEW.name, NEW.amount, NEW.amount_told, NEW.created_at)
        IS DISTINCT FROM
        (OLD.id, OLD.payment_id, OLD.user_id, OLD.kind, OLD.name, OLD.amount, OLD.amount_told, OLD.created_at)
    THEN
        RAISE EXCEPTION 'what is in dispute does not change' USING ERRCODE = 'restrict_violation';
    ELSIF NEW.status = OLD.status AND NEW IS DISTINCT FROM OLD OR NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM dispute_transitions WHERE from_status = OLD.status AND to_status = NEW.status)
    THEN
        RAISE EXCEPTION 'a dispute does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'disputes_transition_legal';
    END IF;
    -- A payment loses no more than it brought. The lock makes disputes and refunds of one payment wait for each other.
    IF TG_OP = 'INSERT' OR OLD.status = 'DISMISSED' THEN
        PERFORM FROM payments WHERE id = NEW.payment_id AND status = 'PAID' AND gateway IS NOT NULL FOR NO KEY UPDATE;
        IF NOT FOUND OR NEW.amount > undisputed(NEW.payment_id) THEN
            RAISE EXCEPTION 'a payment loses no more than it brought'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'disputes_within_payment';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER disputes_transition_legal BEFORE INSERT OR UPDATE ON disputes
    FOR EACH ROW EXECUTE FUNCTION keep_dispute();
CREATE TRIGGER disputes_never_deleted BEFORE DELETE OR TRUNCATE ON disputes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What of a payment's payer's fee is not in dispute.
CREATE FUNCTION undisputed_payer_fee(payment uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT p.payer_fee
        - (SELECT coalesce(sum(payer_fee), 0) FROM disputes WHERE payment_id = p.id AND status <> 'DISMISSED')::bigint
    FROM payments p WHERE p.id = payment
$$;

-- After `disputes_transition_legal`, which locks the payment.
CREATE FUNCTION keep_disputed_payer_fee() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.payer_fee <> OLD.payer_fee THEN
        RAISE EXCEPTION 'what is in dispute does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (TG_OP = 'INSERT' OR OLD.status = 'DISMISSED') AND NEW.payer_fee > undisputed_payer_fee(NEW.payment_id) THEN
        RAISE EXCEPTION 'a payment loses no more than it brought'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'disputes_within_payment';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER disputes_within_payer_fee BEFORE INSERT OR UPDATE ON disputes
    FOR EACH ROW EXECUTE FUNCTION keep_disputed_payer_fee();
CREATE TRIGGER events_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- An order without a row yet (not provisioned so far, or placed before this table) is where it was ordered.
CREATE VIEW current_placements AS
SELECT o.id AS order_id,
    COALESCE(p.sequence, 0) AS sequence,
    COALESCE(p.provider_id, o.provider_id) AS provider_id,
    COALESCE(p.plan_id, o.plan_id) AS plan_id,
    COALESCE(p.region_id, o.region_id) AS region_id,
    COALESCE(p.image_id, o.image_id) AS image_id
   FROM (orders o
     LEFT JOIN LATERAL ( SELECT c.order_id,
            c.sequence,
            c.provider_id,
            c.plan_id,
            c.region_id,
            c.image_id,
            c.reason,
            c.cost_monthly_usd,
            c.created_at
           FROM order_placements c
          WHERE (c.order_id = o.id)
          ORDER BY c.sequence DESC
         LIMIT 1) p ON (true));

-- An order's story.
CREATE VIEW order_timeline AS
SELECT events.id,
    events.order_id,
    events.kind,
    events.data,
    events.step,
    events.status,
    events.detail,
    events.at
   FROM events
  WHERE (events.order_id IS NOT NULL);

-- What an attempt's order, invoice or deposit claims: whether it waits for money, and what of the price is set aside
-- already. What is due by the attempt is `domain::billing::Claim`'s to say.
CREATE FUNCTION payment_claim(p payments) RETURNS TABLE(waits boolean, set_aside bigint) LANGUAGE sql STABLE AS $$
    SELECT coalesce(
               (SELECT o.status = 'PENDING_PAYMENT' FROM orders o WHERE o.id = p.order_id),
               (SELECT i.status = 'OPEN' FROM invoices i WHERE i.id = p.invoice_id),
               (SELECT d.credited_at IS NULL FROM deposits d WHERE d.id = p.deposit_id)),
           coalesce((SELECT sum(e.amount) FROM ledger_movements m
                     JOIN ledger_entries e ON e.movement_id = m.id
                     JOIN ledger_accounts a ON a.id = e.account_id
                     WHERE m.order_id = p.order_id AND a.kind = 'CUSTOMER_HOLDS'
                       AND p.method = 'MANUAL_TRANSFER' AND p.status IN ('PENDING', 'UNKNOWN')), 0)::bigint
$$;

-- Rows that belong to the schema: the arrows that states may take, and the house's accounts.
INSERT INTO order_transitions (from_status, to_status) VALUES
    ('PENDING_PAYMENT', 'PAID'),
    ('PENDING_PAYMENT', 'EXPIRED'),
    ('PENDING_PAYMENT', 'CANCELLED'),
    ('PAID', 'PROVISIONING'),
    ('PAID', 'CANCELLED'),
    ('PAID', 'REFUNDED'),
    ('PROVISIONING', 'ACTIVE'),
    ('PROVISIONING', 'PROVISIONING_FAILED'),
    ('PROVISIONING_FAILED', 'PROVISIONING'),
    ('PROVISIONING_FAILED', 'ACTIVE'),
    ('PROVISIONING_FAILED', 'REFUNDED'),
    ('PROVISIONING_FAILED', 'CANCELLED'),
    ('EXPIRED', 'PAID'),
    ('PROVISIONING', 'CANCELLED');
INSERT INTO invoice_transitions (from_status, to_status) VALUES
    ('DRAFT', 'OPEN'),
    ('DRAFT', 'VOID'),
    ('OPEN', 'PAID'),
    ('OPEN', 'VOID'),
    ('PAID', 'REFUNDED'),
    ('VOID', 'PAID');
INSERT INTO promo_redemption_transitions (from_state, to_state) VALUES
    ('RESERVED', 'REDEEMED'),
    ('RESERVED', 'RELEASED'),
    ('RELEASED', 'RESERVED'),
    ('RELEASED', 'REDEEMED'),
    ('RELEASED', 'HONOURED'),
    ('HONOURED', 'RELEASED');
INSERT INTO refund_transitions (from_status, to_status) VALUES
    ('REQUESTED', 'SENT'),
    ('REQUESTED', 'RETURNED_TO_WALLET'),
    ('SENT', 'COMPLETED'),
    ('SENT', 'RETURNED_TO_WALLET');
INSERT INTO payment_transitions (from_status, to_status) VALUES
    ('PENDING', 'UNKNOWN'),
    ('PENDING', 'PAID'),
    ('PENDING', 'DENIED'),
    ('PENDING', 'EXPIRED'),
    ('PENDING', 'CANCELLED'),
    ('UNKNOWN', 'PENDING'),
    ('UNKNOWN', 'PAID'),
    ('UNKNOWN', 'DENIED'),
    ('UNKNOWN', 'EXPIRED'),
    ('UNKNOWN', 'CANCELLED'),
    ('DENIED', 'PAID'),
    ('EXPIRED', 'PAID'),
    ('CANCELLED', 'PAID');
INSERT INTO deposit_transitions (from_status, to_status) VALUES
    ('OPEN', 'CREDITED');
INSERT INTO dispute_transitions (from_status, to_status) VALUES
    ('OPEN', 'ACCEPTED'),
    ('OPEN', 'DISMISSED'),
    ('DISMISSED', 'ACCEPTED');
INSERT INTO ledger_accounts (kind) VALUES
    ('BANK'),
    ('GATEWAY_CLEARING'),
    ('GATEWAY_FEES'),
    ('DEFERRED_REVENUE'),
    ('REVENUE'),
    ('TAX_PAYABLE'),
    ('PROMO_EXPENSE'),
    ('REFUNDS'),
    ('ADJUSTMENTS'),
    ('REFUNDS_PAYABLE'),
    ('CUSTOMER_RECEIVABLE');
