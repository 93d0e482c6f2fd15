-- People, their sessions, keys for the internal endpoints, and the log of what they did.

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
    updated_at        timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_email_key ON users (lower(email));

-- One row per login. `revoked_at` ends the whole family of its refresh tokens.
CREATE TABLE sessions (
    id         uuid PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id),
    user_agent text,
    ip         text,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
CREATE INDEX sessions_user_idx ON sessions (user_id, created_at DESC);

-- Opaque refresh tokens, stored as SHA-256. A used one that is shown again revokes its session.
CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES sessions (id),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX refresh_tokens_session_idx ON refresh_tokens (session_id);

-- Failed logins by lower-cased email hash, for back-off.
CREATE TABLE login_throttles (
    subject_hash bytea PRIMARY KEY,
    failures     integer NOT NULL,
    locked_until timestamptz,
    updated_at   timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    name         text NOT NULL UNIQUE,
    key_hash     bytea NOT NULL UNIQUE,
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at   timestamptz
);

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
CREATE INDEX audit_log_object_idx ON audit_log (object_kind, object_id, at DESC);
CREATE INDEX audit_log_at_idx ON audit_log (at DESC);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
