-- How people get into their servers: the SSH keys they keep with us, and the root passwords we made.

CREATE TABLE ssh_keys (
    id          uuid PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES users (id),
    name        text NOT NULL,
    -- One line of OpenSSH's format: algorithm, base64, perhaps a comment.
    public_key  text NOT NULL,
    -- `SHA256:…` as `ssh-keygen -l` prints it.
    fingerprint text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT ssh_keys_fingerprint_key UNIQUE (user_id, fingerprint)
);
CREATE INDEX ssh_keys_user_idx ON ssh_keys (user_id, id DESC);

-- A server that was made with SSH keys has no password and no row.
CREATE TABLE instance_credentials (
    instance_id     uuid PRIMARY KEY REFERENCES instances (id),
    -- AES-256-GCM under the key of `key_id`, bound to the server's id: nonce, ciphertext, tag.
    sealed_password bytea NOT NULL,
    key_id          text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
