-- What leaves the database: messages to Temporal and to people.

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
    dispatched_at timestamptz
);
CREATE INDEX outbox_waiting_idx ON outbox (id) WHERE dispatched_at IS NULL;
CREATE INDEX outbox_workflow_waiting_idx ON outbox (workflow_id, id) WHERE dispatched_at IS NULL;

CREATE FUNCTION notify_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('outbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER outbox_wakes_dispatcher AFTER INSERT ON outbox
    FOR EACH STATEMENT EXECUTE FUNCTION notify_outbox();

CREATE TABLE in_app_notifications (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id),
    title      varchar(255) NOT NULL,
    message    text NOT NULL,
    type       text NOT NULL,
    action_url varchar(500),
    metadata   jsonb NOT NULL DEFAULT '{}',
    is_read    boolean NOT NULL DEFAULT false,
    read_at    timestamptz,
    -- The event this tells of: one notification per event and person.
    dedupe_key text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (user_id, dedupe_key),
    CONSTRAINT in_app_notifications_read_at_when_read CHECK (is_read = (read_at IS NOT NULL))
);
CREATE INDEX in_app_notifications_unread_idx ON in_app_notifications (user_id, is_read);
CREATE INDEX in_app_notifications_created_idx ON in_app_notifications (user_id, created_at);
