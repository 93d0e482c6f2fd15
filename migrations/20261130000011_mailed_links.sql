-- Links that are mailed to prove an address: to verify it, to replace a forgotten password, to change the address.

CREATE TABLE mailed_links (
    id          uuid PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES users (id),
    kind        text NOT NULL CONSTRAINT mailed_links_kind_known CHECK (kind IN ('VERIFY_EMAIL', 'RESET_PASSWORD',
        'CHANGE_EMAIL')),
    -- Where the mail goes, and what using the link proves.
    email       text NOT NULL,
    -- The mail. None where nobody delivers mail.
    delivery_id uuid UNIQUE REFERENCES notification_deliveries (id),
    -- Of a change of address: what its two links have in common, and the address that is to be.
    change_id   uuid,
    new_email   text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    used_at     timestamptz,
    -- A newer one took its place, or what it was for is done.
    voided_at   timestamptz,
    CONSTRAINT mailed_links_of_changes_are_whole CHECK ((kind = 'CHANGE_EMAIL') = (change_id IS NOT NULL)
        AND (change_id IS NULL) = (new_email IS NULL)),
    CONSTRAINT mailed_links_end_once CHECK (used_at IS NULL OR voided_at IS NULL)
);
COMMENT ON TABLE mailed_links IS
    'Links that were mailed to prove an address. Each is good once, until it expires or is voided.';
CREATE INDEX mailed_links_user_idx ON mailed_links (user_id, kind, created_at);
CREATE INDEX mailed_links_change_idx ON mailed_links (change_id) WHERE (change_id IS NOT NULL);
CREATE INDEX mailed_links_expiry_idx ON mailed_links (expires_at);

CREATE TABLE mailed_link_tokens (
    token_hash bytea PRIMARY KEY,
    link_id    uuid NOT NULL REFERENCES mailed_links (id) ON DELETE CASCADE
);
COMMENT ON TABLE mailed_link_tokens IS
    'What links prove themselves by, stored as SHA-256: one for each attempt to send the mail, made then.';
CREATE INDEX mailed_link_tokens_link_idx ON mailed_link_tokens (link_id);
