-- What people are told by mail and by Telegram: what they want, what is on its way, and what came of it.

CREATE TABLE delivery_channels (
    channel     text PRIMARY KEY CHECK (channel IN ('EMAIL', 'TELEGRAM')),
    -- How patiently: domain::delivery::DeliveryPolicy.
    policy      jsonb NOT NULL,
    -- Whether administrators have a place there that is told what concerns them.
    tells_staff boolean NOT NULL DEFAULT false,
    opened_at   timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE delivery_channels IS
    'Channels that workers of this installation serve, as the last one said that started. By others nothing is delivered.';

CREATE TABLE notification_preferences (
    user_id    uuid NOT NULL REFERENCES users (id),
    type       text NOT NULL,
    channel    text NOT NULL CHECK (channel IN ('EMAIL', 'TELEGRAM')),
    enabled    boolean NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT notification_preferences_pkey PRIMARY KEY (user_id, type, channel)
);
COMMENT ON TABLE notification_preferences IS
    'What people do not want to be told by which channel, or want again. What nobody said anything about is told.';

CREATE TABLE notification_deliveries (
    id            uuid PRIMARY KEY,
    event_id      bigint NOT NULL REFERENCES events (id),
    -- Nobody: the administrators' place in the channel.
    user_id       uuid REFERENCES users (id),
    channel       text NOT NULL CHECK (channel IN ('EMAIL', 'TELEGRAM')),
    type          text NOT NULL,
    state         text NOT NULL DEFAULT 'PENDING' CONSTRAINT notification_deliveries_state_known CHECK (state IN ('PENDING',
        'SENDING', 'SENT', 'FAILED', 'UNKNOWN', 'SUPPRESSED')),
    -- Attempts that were begun. The number of the last one is its fence: only that one may say what came of it.
    attempts      integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- Since when an attempt is out of which nothing is known yet. Written before it is sent.
    sending_since timestamptz,
    -- Attempts of which it is not known whether the message was taken.
    in_doubt      integer NOT NULL DEFAULT 0 CHECK (in_doubt >= 0),
    -- The latest trouble: its class, and the other side's words without addresses.
    trouble       text,
    error         text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at   timestamptz,
    -- An event is told to a person once by each channel.
    CONSTRAINT notification_deliveries_once UNIQUE NULLS NOT DISTINCT (event_id, user_id, channel),
    CONSTRAINT notification_deliveries_noted_before CHECK ((state = 'SENDING') = (sending_since IS NOT NULL)),
    CONSTRAINT notification_deliveries_finished CHECK ((state IN ('PENDING', 'SENDING')) = (finished_at IS NULL)),
    CONSTRAINT notification_deliveries_with_reason CHECK (state NOT IN ('FAILED', 'UNKNOWN', 'SUPPRESSED')
        OR trouble IS NOT NULL)
);
COMMENT ON TABLE notification_deliveries IS
    'What is told outside of the app: one per event, person and channel. What a message says is rendered when it is sent.';
CREATE INDEX notification_deliveries_user_idx ON notification_deliveries (user_id, id);
CREATE INDEX notification_deliveries_unsent_idx ON notification_deliveries (state, id) WHERE (state <> 'SENT');

-- What was sent stays sent, and what a delivery is about never changes.
CREATE FUNCTION notification_deliveries_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.event_id, NEW.user_id, NEW.channel, NEW.type) IS DISTINCT FROM (OLD.event_id, OLD.user_id, OLD.channel, OLD.type)
    THEN
        RAISE EXCEPTION 'a delivery never changes what it is about' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state = 'SENT' AND NEW.state <> 'SENT' THEN
        RAISE EXCEPTION 'what was sent stays sent' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER notification_deliveries_stay BEFORE UPDATE ON notification_deliveries
    FOR EACH ROW EXECUTE FUNCTION notification_deliveries_guard();

CREATE TABLE unsubscribe_tokens (
    token_hash  bytea PRIMARY KEY,
    delivery_id uuid NOT NULL REFERENCES notification_deliveries (id),
    created_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE unsubscribe_tokens IS
    'What the links of mails prove themselves by, stored as SHA-256: each switches one type off for one person.';
CREATE INDEX unsubscribe_tokens_delivery_idx ON unsubscribe_tokens (delivery_id);

-- An address that takes no mail is left alone until it changes or is proven anew.
ALTER TABLE users
    ADD COLUMN email_undeliverable_since timestamptz,
    ADD COLUMN email_undeliverable_why text,
    ADD CONSTRAINT users_email_undeliverable_with_reason
        CHECK ((email_undeliverable_since IS NULL) = (email_undeliverable_why IS NULL));
CREATE FUNCTION users_forget_undeliverable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.email IS DISTINCT FROM OLD.email OR NEW.email_verified_at IS DISTINCT FROM OLD.email_verified_at THEN
        NEW.email_undeliverable_since := NULL;
        NEW.email_undeliverable_why := NULL;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER users_forget_undeliverable BEFORE UPDATE OF email, email_verified_at ON users
    FOR EACH ROW EXECUTE FUNCTION users_forget_undeliverable();

CREATE TABLE telegram_links (
    user_id    uuid PRIMARY KEY REFERENCES users (id),
    chat_id    bigint NOT NULL UNIQUE,
    linked_at  timestamptz NOT NULL DEFAULT now(),
    -- Since when the chat's owner keeps our bot out.
    blocked_at timestamptz
);
COMMENT ON TABLE telegram_links IS
    'The Telegram chat of an account: one each.';

CREATE TABLE telegram_link_codes (
    code_hash  bytea PRIMARY KEY,
    user_id    uuid NOT NULL UNIQUE REFERENCES users (id),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE telegram_link_codes IS
    'Codes that link a chat to an account, stored as SHA-256: the latest of each account, good once.';
