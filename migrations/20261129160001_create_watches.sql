-- Creates whose answer was lost, that no list showed in time, and that were made again: the server of the first one may
-- surface yet. It is looked for a few times, see `store::provisioning::watch`.
CREATE TABLE create_watches (
    order_id uuid NOT NULL REFERENCES orders (id),
    provider_id uuid NOT NULL REFERENCES providers (id),
    began_at timestamptz NOT NULL DEFAULT now(),
    looks smallint NOT NULL DEFAULT 0 CHECK (looks >= 0),
    next_look_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, provider_id)
);
CREATE INDEX create_watches_due ON create_watches (provider_id, next_look_at);

-- Whoever read an order as being provisioned may not create for it once it is not any more: failed, called off, given back,
-- however that came about.
CREATE FUNCTION raise_create_fence() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE provisioning_tasks SET create_fence = create_fence + 1 WHERE order_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER raise_create_fence AFTER UPDATE OF status ON orders
    FOR EACH ROW WHEN (OLD.status IN ('PAID', 'PROVISIONING') AND NEW.status NOT IN ('PROVISIONING', 'ACTIVE'))
    EXECUTE FUNCTION raise_create_fence();
