-- What is told to open WebSockets: a row per change that a person is to see at once, written by the transaction that makes
-- it. API processes read it by snapshot, so the order in which transactions commit loses and doubles nothing.

CREATE TABLE live_changes (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    -- The transaction that wrote it: what a reader's last snapshot did not show is new to the reader.
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    -- Whom it is shown to. It points at nothing, nor does what it is about: a change is soon gone, and costs little.
    user_id     uuid NOT NULL,
    kind        text NOT NULL CONSTRAINT live_changes_kind_known CHECK (kind IN ('NOTIFICATION_NEW', 'NOTIFICATION_READ',
        'ORDER_STATUS', 'INSTANCE_STATUS', 'ACCESS_ENDED', 'RESYNC')),
    object_id   uuid NOT NULL,
    -- Of an order or a server, what it is from then on.
    status      text,
    power_state text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT live_changes_pkey PRIMARY KEY (xid, id),
    CONSTRAINT live_changes_with_status CHECK ((status IS NOT NULL) = (kind IN ('ORDER_STATUS', 'INSTANCE_STATUS'))
        AND (power_state IS NOT NULL) = (kind = 'INSTANCE_STATUS'))
);
COMMENT ON TABLE live_changes IS
    'What open WebSockets are told of: ids and states, no words. Kept for a day, so that a connection that was lost is taken up '
    'again where it broke off.';
CREATE INDEX live_changes_user_idx ON live_changes (user_id, xid, id);

CREATE TABLE live_purge (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- Of this transaction and those before it changes may be gone. Null until something was.
    through   xid8
);
COMMENT ON TABLE live_purge IS
    'How far back changes may be missing: who was told of less has to read everything anew.';
INSERT INTO live_purge DEFAULT VALUES;

-- Wakes whoever listens. The payload says nothing, so all that one transaction does is one notification.
CREATE FUNCTION note_live_change(whom uuid, what text, about uuid, state text DEFAULT NULL, power text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO live_changes (user_id, kind, object_id, status, power_state) VALUES (whom, what, about, state, power);
    PERFORM pg_notify('live', '');
END $$;

CREATE FUNCTION note_new_notifications() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO live_changes (user_id, kind, object_id) SELECT n.user_id, 'NOTIFICATION_NEW', n.id FROM told n ORDER BY n.id;
    IF FOUND THEN
        PERFORM pg_notify('live', '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER in_app_notifications_are_live AFTER INSERT ON in_app_notifications
    REFERENCING NEW TABLE AS told FOR EACH STATEMENT EXECUTE FUNCTION note_new_notifications();

-- Of very many at once it is quicker to read the list again.
CREATE FUNCTION note_read_notifications() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO live_changes (user_id, kind, object_id)
    WITH seen AS (
        SELECT n.user_id, n.id, count(*) OVER (PARTITION BY n.user_id) AS at_once
        FROM after_it n JOIN before_it o USING (id) WHERE n.is_read AND NOT o.is_read)
    SELECT user_id, 'NOTIFICATION_READ', id FROM seen WHERE at_once <= 50
    UNION ALL SELECT DISTINCT user_id, 'RESYNC', user_id FROM seen WHERE at_once > 50;
    IF FOUND THEN
        PERFORM pg_notify('live', '');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER in_app_notifications_read_is_live AFTER UPDATE ON in_app_notifications
    REFERENCING OLD TABLE AS before_it NEW TABLE AS after_it FOR EACH STATEMENT
    EXECUTE FUNCTION note_read_notifications();

CREATE FUNCTION note_order_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_live_change(NEW.user_id, 'ORDER_STATUS', NEW.id, NEW.status);
    RETURN NULL;
END $$;
CREATE TRIGGER orders_status_is_live AFTER UPDATE OF status ON orders
    FOR EACH ROW WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION note_order_status();

CREATE FUNCTION note_instance_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_live_change(NEW.user_id, 'INSTANCE_STATUS', NEW.id, NEW.status, NEW.power_state);
    RETURN NULL;
END $$;
CREATE TRIGGER instances_status_is_live AFTER UPDATE OF status, power_state ON instances
    FOR EACH ROW WHEN ((NEW.status, NEW.power_state) IS DISTINCT FROM (OLD.status, OLD.power_state))
    EXECUTE FUNCTION note_instance_status();

-- A login, a token or an account that ends closes what is open by it, in whichever process.
CREATE FUNCTION note_ended_access() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'users' THEN
        PERFORM note_live_change(NEW.id, 'ACCESS_ENDED', NEW.id);
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM note_live_change(OLD.user_id, 'ACCESS_ENDED', OLD.id);
    ELSE
        PERFORM note_live_change(NEW.user_id, 'ACCESS_ENDED', NEW.id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER sessions_end_is_live AFTER UPDATE OF revoked_at ON sessions
    FOR EACH ROW WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION note_ended_access();
CREATE TRIGGER api_tokens_end_is_live AFTER DELETE ON api_tokens
    FOR EACH ROW EXECUTE FUNCTION note_ended_access();
CREATE TRIGGER users_suspension_is_live AFTER UPDATE OF suspended_at ON users
    FOR EACH ROW WHEN (OLD.suspended_at IS NULL AND NEW.suspended_at IS NOT NULL) EXECUTE FUNCTION note_ended_access();
