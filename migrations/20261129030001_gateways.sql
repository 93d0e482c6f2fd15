-- Which gateways do not accept our credentials, as the last answer to any process told. A gateway that never refused them
-- has no row.
CREATE TABLE gateway_credentials (
    gateway       text PRIMARY KEY,
    -- Null: it accepts them.
    refused_since timestamptz,
    -- Its words, for staff.
    message       text,
    -- When staff were last told. Two processes with different keys would else tell them of every second call.
    alerted_at    timestamptz,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT gateway_credentials_refused_with_words CHECK ((refused_since IS NULL) = (message IS NULL))
);
