-- What a key of the internal API may do, and until when. Keys of before, and those that a program of before makes, may do
-- what they could but for deleting servers: that is granted by name (`webrana api-key create --replace --scope ...`).
ALTER TABLE api_keys
    ADD COLUMN scopes text[] NOT NULL DEFAULT ARRAY[
        'catalog:read', 'orders:provision', 'orders:retry', 'instances:read', 'instances:act'
    ],
    ADD COLUMN expires_at timestamptz,
    ADD CONSTRAINT api_keys_scopes_known CHECK (scopes <@ ARRAY[
        'catalog:read', 'orders:provision', 'orders:retry', 'instances:read', 'instances:act', 'instances:delete'
    ]),
    ADD CONSTRAINT api_keys_has_scopes CHECK (cardinality(scopes) > 0);
