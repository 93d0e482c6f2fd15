-- Where an order's server is bought: what was ordered, or what stood in for it later. The latest row counts. What the
-- customer ordered and pays for stays on the order and its invoice.

CREATE TABLE order_placements (
    order_id         uuid NOT NULL REFERENCES orders (id),
    sequence         integer NOT NULL CHECK (sequence > 0),
    provider_id      uuid NOT NULL REFERENCES providers (id),
    plan_id          uuid NOT NULL REFERENCES plans (id),
    region_id        uuid NOT NULL REFERENCES regions (id),
    image_id         uuid NOT NULL REFERENCES images (id),
    reason           text NOT NULL CHECK (reason IN ('ordered', 'failover', 'admin')),
    -- What the plan cost us when it was chosen, US dollars a month.
    cost_monthly_usd numeric(10, 4) NOT NULL CHECK (cost_monthly_usd >= 0),
    created_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (order_id, sequence),
    CONSTRAINT order_placements_first_is_the_order CHECK ((sequence = 1) = (reason = 'ordered'))
);
CREATE TRIGGER order_placements_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_placements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- An order without a row yet (not provisioned so far, or placed before this table) is where it was ordered.
CREATE VIEW current_placements AS
    SELECT o.id AS order_id,
           coalesce(p.sequence, 0) AS sequence,
           coalesce(p.provider_id, o.provider_id) AS provider_id,
           coalesce(p.plan_id, o.plan_id) AS plan_id,
           coalesce(p.region_id, o.region_id) AS region_id,
           coalesce(p.image_id, o.image_id) AS image_id
    FROM orders o
    LEFT JOIN LATERAL (
        SELECT * FROM order_placements c WHERE c.order_id = o.id ORDER BY c.sequence DESC LIMIT 1
    ) p ON true;
