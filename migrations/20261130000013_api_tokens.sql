-- Tokens that people make for their own programs.

CREATE TABLE api_tokens (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users (id),
    name         text NOT NULL,
    token_hash   bytea NOT NULL UNIQUE,
    -- What it may do, by the words of domain::api_token::TokenScope.
    scopes       text[] NOT NULL CONSTRAINT api_tokens_has_scopes CHECK (cardinality(scopes) > 0)
        CONSTRAINT api_tokens_scopes_known CHECK (scopes <@ ARRAY['read', 'orders', 'wallet', 'instances',
        'notifications']),
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz,
    last_used_at timestamptz
);
COMMENT ON TABLE api_tokens IS
    'Tokens of people''s own programs, stored as SHA-256, each with what it may do. One that is removed is gone.';
CREATE INDEX api_tokens_user_idx ON api_tokens (user_id, id);
