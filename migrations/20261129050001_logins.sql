-- One folding of addresses, independent of the database's locale: ASCII letters only, as `domain::email::EmailKey` does.
-- `users_email_key` (lower(email), which depends on the locale) stays for programs of before and goes with them.
ALTER TABLE users ADD COLUMN email_key text COLLATE "C" GENERATED ALWAYS AS (lower(email COLLATE "C")) STORED;
CREATE UNIQUE INDEX users_email_folded_key ON users (email_key);

-- Attempts to prove who one is, counted when they begin and given back when they were right. `subject_hash` is of an
-- account's folded address or of a session's id; `network` is where the attempts come from, and empty for all of them
-- together. Programs of before count in `login_throttles`, which goes with them.
CREATE TABLE auth_throttles (
    subject_hash bytea NOT NULL,
    network      text NOT NULL,
    failures     integer NOT NULL,
    locked_until timestamptz,
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject_hash, network)
);
CREATE INDEX auth_throttles_updated_idx ON auth_throttles (updated_at);

-- Where a login came from: an IPv4 address or an IPv6 /64.
ALTER TABLE sessions ADD COLUMN network text;
CREATE INDEX sessions_known_network_idx ON sessions (user_id, network);

-- Which token a refresh token was given out for: while none of its successors is used, it may be exchanged once more
-- for a short while.
ALTER TABLE refresh_tokens ADD COLUMN predecessor bytea;
CREATE INDEX refresh_tokens_predecessor_idx ON refresh_tokens (predecessor) WHERE predecessor IS NOT NULL;
