-- A second factor of logins: codes of an app (RFC 6238), and recovery codes in their place.

CREATE TABLE second_factors (
    user_id       uuid PRIMARY KEY REFERENCES users (id),
    sealed_secret bytea NOT NULL,
    key_id        text NOT NULL,
    -- The latest step of time whose code was accepted: no code of it or before is accepted again.
    last_step     bigint NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    -- When its owner showed that the app has it. Before, logins don't ask for it.
    confirmed_at  timestamptz
);
COMMENT ON TABLE second_factors IS
    'Secrets of the apps that people prove logins by, sealed under a key that is not in the database.';

CREATE TABLE recovery_codes (
    code_hash bytea PRIMARY KEY,
    user_id   uuid NOT NULL REFERENCES second_factors (user_id) ON DELETE CASCADE,
    used_at   timestamptz
);
COMMENT ON TABLE recovery_codes IS
    'Codes in place of an app that was lost, stored as SHA-256: each is good once.';
CREATE INDEX recovery_codes_user_idx ON recovery_codes (user_id);

CREATE TABLE login_challenges (
    token_hash bytea PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id),
    attempts   integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
COMMENT ON TABLE login_challenges IS
    'Logins whose password was right and whose second factor is awaited: the token is stored as SHA-256, and the row goes '
    'when it is answered.';
CREATE INDEX login_challenges_user_idx ON login_challenges (user_id);
CREATE INDEX login_challenges_expiry_idx ON login_challenges (expires_at);
