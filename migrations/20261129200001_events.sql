-- What people are told, and what stands on timelines: the event and its data. Words are rendered when they are read.
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
    detail     jsonb NOT NULL DEFAULT '{}',
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT events_steps_are_whole CHECK ((order_id IS NULL) = (step IS NULL) AND (step IS NULL) = (status IS NULL))
);
COMMENT ON TABLE events IS 'What happened to customers'' things and what staff have to know, with its data and without words';
CREATE INDEX events_order_idx ON events (order_id, id) WHERE order_id IS NOT NULL;

-- Steps of before have no data: they keep their place, their words go to what staff read.
INSERT INTO events (kind, data, dedupe_key, order_id, step, status, detail, at)
SELECT 'step_of_before', '{}', 'order/' || order_id || '/before/' || key, order_id, step, status,
       detail || jsonb_build_object('message', message), at
FROM order_timeline ORDER BY id;
DROP TABLE order_timeline;

CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- An order's story.
CREATE VIEW order_timeline AS
    SELECT id, order_id, kind, data, step, status, detail, at FROM events WHERE order_id IS NOT NULL;

-- A notification is an event and whether its reader has seen it.
ALTER TABLE in_app_notifications ADD COLUMN event_id bigint REFERENCES events (id);
INSERT INTO events (kind, data, dedupe_key, at)
SELECT 'announcement', jsonb_build_object('announcement_id', id, 'title', title, 'message', message),
       'announcement/' || id, created_at
FROM in_app_notifications ORDER BY id;
UPDATE in_app_notifications n SET event_id = e.id FROM events e WHERE e.dedupe_key = 'announcement/' || n.id;
ALTER TABLE in_app_notifications
    ALTER COLUMN event_id SET NOT NULL,
    DROP COLUMN title, DROP COLUMN message, DROP COLUMN action_url, DROP COLUMN metadata, DROP COLUMN dedupe_key,
    -- A person is told of an event once.
    ADD UNIQUE (user_id, event_id);
COMMENT ON TABLE in_app_notifications IS 'Who is told of an event in the app, and whether they have read it';

-- What a line is for, to be worded when it is shown: a kind with its parameters (`domain::pricing::LineItem`), or the
-- description that somebody wrote.
ALTER TABLE invoice_lines
    ADD COLUMN kind text CHECK (kind IN ('plan', 'renewal', 'term_discount', 'promo')),
    ADD COLUMN params jsonb,
    ALTER COLUMN description DROP NOT NULL,
    ADD CONSTRAINT invoice_lines_say_what_for
        CHECK ((kind IS NULL) = (params IS NULL) AND (kind IS NOT NULL OR description IS NOT NULL));
-- Descriptions of before were read back into the reader's language: what was read from them is kept, the descriptions of
-- issued invoices stay.
ALTER TABLE invoice_lines DISABLE TRIGGER USER;
WITH term AS (
    SELECT invoice_id, position, regexp_match(description, '^(?:(.*), |Discount for )(?:(1) month|(\d+) months)$') AS part,
           description
    FROM invoice_lines WHERE description !~ '(^|\D)1 months$'),
line AS (
    SELECT invoice_id, position, regexp_match(part[1], '^Renewal of (.*?): (.*)$') AS renewal, part[1] AS plan,
           coalesce(part[2], part[3])::integer AS months
    FROM term WHERE part IS NOT NULL)
UPDATE invoice_lines l
SET kind = CASE WHEN renewal IS NOT NULL THEN 'renewal' WHEN plan IS NOT NULL THEN 'plan' ELSE 'term_discount' END,
    params = CASE WHEN renewal IS NOT NULL
                  THEN jsonb_build_object('server', renewal[1], 'plan', renewal[2], 'months', months)
                  WHEN plan IS NOT NULL THEN jsonb_build_object('plan', plan, 'months', months)
                  ELSE jsonb_build_object('months', months) END
FROM line WHERE l.invoice_id = line.invoice_id AND l.position = line.position;
UPDATE invoice_lines SET kind = 'promo', params = jsonb_build_object('code', substr(description, 7))
WHERE kind IS NULL AND description ~ '^Promo [^ ]*$';
ALTER TABLE invoice_lines ENABLE TRIGGER USER;
