-- How often one client may ask, counted by all API processes together.

-- What a crash forgets is a minute's counting: nobody's budget is less for it.
CREATE UNLOGGED TABLE request_budgets (
    class    text NOT NULL,
    -- A digest under a secret of the API's: who it is can't be read from it, nor guessed without that secret.
    key_hash bytea NOT NULL CONSTRAINT request_budgets_key_is_a_digest CHECK (octet_length(key_hash) = 16),
    -- When nothing of the budget is used any more. Each request moves it further away.
    full_at  timestamptz NOT NULL,
    -- How many requests the latest lease got.
    granted  integer NOT NULL CONSTRAINT request_budgets_granted_not_negative CHECK (granted >= 0),
    PRIMARY KEY (class, key_hash)
);
COMMENT ON TABLE request_budgets IS
    'How many requests a network, an account or an API token has left in a class of operations. API processes lease them in '
    'chunks. A row whose budget is full again is deleted by whoever adds another.';
CREATE INDEX request_budgets_full_at_idx ON request_budgets (full_at);
