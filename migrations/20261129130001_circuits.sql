-- Trouble at a provider is counted per kind of call; what is about our account stands before all of them.

-- What was counted together can't be told apart; a circuit forgets within minutes anyway.
DELETE FROM provider_circuits;

ALTER TABLE provider_circuits
    -- The default is for the version before, which goes on calling while this one is rolled out.
    ADD COLUMN scope      text NOT NULL DEFAULT 'lists'
        CHECK (scope IN ('account', 'creates', 'lists', 'servers', 'snapshots', 'metrics', 'catalog')),
    -- What the last failed call met, in the vendor's words or about the wire.
    ADD COLUMN reason     text,
    -- The vendor turned our account away, or all calls of this kind; otherwise calls failed.
    ADD COLUMN refused    boolean NOT NULL DEFAULT false,
    -- When administrators were last told of a refusal.
    ADD COLUMN alerted_at timestamptz,
    DROP CONSTRAINT provider_circuits_pkey,
    ADD PRIMARY KEY (provider, scope),
    ADD CONSTRAINT provider_circuits_refused_has_reason CHECK (NOT refused OR reason IS NOT NULL);
