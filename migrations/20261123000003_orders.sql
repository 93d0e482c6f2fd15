-- Orders, their invoices, and the story each order tells.

CREATE TABLE orders (
    id             uuid PRIMARY KEY,
    user_id        uuid NOT NULL REFERENCES users (id),
    status         text NOT NULL,
    provider_id    uuid NOT NULL REFERENCES providers (id),
    plan_id        uuid NOT NULL REFERENCES plans (id),
    region_id      uuid NOT NULL REFERENCES regions (id),
    image_id       uuid NOT NULL REFERENCES images (id),
    hostname       text NOT NULL,
    term_months    integer NOT NULL CHECK (term_months > 0),
    auto_renew     boolean NOT NULL DEFAULT false,
    ssh_keys       text[] NOT NULL DEFAULT '{}',
    total          bigint NOT NULL CHECK (total >= 0),
    -- domain::policy::OrderPolicy as it was when the order was placed.
    policy         jsonb NOT NULL,
    failure_class  text,
    failure_message text,
    expires_at     timestamptz NOT NULL,
    placed_at      timestamptz NOT NULL DEFAULT now(),
    paid_at        timestamptz,
    active_at      timestamptz,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT orders_status_known CHECK (status IN
        ('PENDING_PAYMENT', 'PAID', 'PROVISIONING', 'PROVISIONING_FAILED', 'ACTIVE', 'EXPIRED', 'CANCELLED', 'REFUNDED')),
    CONSTRAINT orders_failure_with_reason CHECK
        ((status = 'PROVISIONING_FAILED') = (failure_class IS NOT NULL AND failure_message IS NOT NULL))
);
CREATE INDEX orders_user_idx ON orders (user_id, id DESC);
CREATE INDEX orders_status_idx ON orders (status, id DESC);
CREATE INDEX orders_plan_live_idx ON orders (plan_id) WHERE status NOT IN ('EXPIRED', 'CANCELLED', 'REFUNDED');

-- The same arrows as domain::order::Transition.
CREATE TABLE order_transitions (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    PRIMARY KEY (from_status, to_status)
);
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
    ('EXPIRED', 'PAID');

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

-- What customers read. One row per step; `key` makes writing it twice harmless.
CREATE TABLE order_timeline (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES orders (id),
    key      text NOT NULL,
    step     text NOT NULL,
    status   text NOT NULL CHECK (status IN ('done', 'waiting', 'failed')),
    message  text NOT NULL,
    detail   jsonb NOT NULL DEFAULT '{}',
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (order_id, key)
);
CREATE TRIGGER order_timeline_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_timeline
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Gapless numbers: the row of a year is locked by the transaction that takes the next one.
CREATE TABLE invoice_counters (
    year integer PRIMARY KEY,
    last integer NOT NULL
);

CREATE TABLE invoices (
    id         uuid PRIMARY KEY,
    number     text NOT NULL UNIQUE,
    user_id    uuid NOT NULL REFERENCES users (id),
    order_id   uuid NOT NULL UNIQUE REFERENCES orders (id),
    status     text NOT NULL CHECK (status IN ('DRAFT', 'OPEN', 'PAID', 'VOID', 'REFUNDED')),
    subtotal   bigint NOT NULL CHECK (subtotal >= 0),
    discount   bigint NOT NULL CHECK (discount >= 0),
    tax        bigint NOT NULL CHECK (tax >= 0),
    tax_bp     integer NOT NULL CHECK (tax_bp BETWEEN 0 AND 10000),
    total      bigint NOT NULL CHECK (total >= 0),
    issued_at  timestamptz NOT NULL DEFAULT now(),
    due_at     timestamptz NOT NULL,
    paid_at    timestamptz,
    CONSTRAINT invoices_total_adds_up CHECK (total = subtotal - discount + tax)
);
CREATE INDEX invoices_user_idx ON invoices (user_id, id DESC);

CREATE TABLE invoice_lines (
    invoice_id  uuid NOT NULL REFERENCES invoices (id),
    position    integer NOT NULL,
    description text NOT NULL,
    quantity    integer NOT NULL CHECK (quantity > 0),
    unit_price  bigint NOT NULL,
    total       bigint NOT NULL,
    PRIMARY KEY (invoice_id, position),
    CONSTRAINT invoice_lines_total_adds_up CHECK (total = quantity * unit_price)
);

-- An issued invoice is a document: its amounts and lines stay.
CREATE FUNCTION keep_issued_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'DRAFT' AND
        (NEW.number, NEW.user_id, NEW.order_id, NEW.subtotal, NEW.discount, NEW.tax, NEW.tax_bp, NEW.total, NEW.issued_at)
        IS DISTINCT FROM
        (OLD.number, OLD.user_id, OLD.order_id, OLD.subtotal, OLD.discount, OLD.tax, OLD.tax_bp, OLD.total, OLD.issued_at)
    THEN
        RAISE EXCEPTION 'invoice % is issued and does not change', OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoices_issued_is_final BEFORE UPDATE ON invoices
    FOR EACH ROW EXECUTE FUNCTION keep_issued_invoice();
CREATE TRIGGER invoices_never_deleted BEFORE DELETE OR TRUNCATE ON invoices
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER invoice_lines_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON invoice_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The answer to a money or order POST, saved in the transaction that did the work.
CREATE TABLE idempotency_keys (
    user_id      uuid NOT NULL REFERENCES users (id),
    scope        text NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    object_id    uuid NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, scope, key)
);
