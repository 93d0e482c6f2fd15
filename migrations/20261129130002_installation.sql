-- Which installation this database belongs to, so that a copy of it does not go to work on the original's servers. The id
-- comes from the configuration; the first process that works on the database writes it down.
CREATE TABLE installation (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id         text NOT NULL CHECK (id ~ '^[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?$'),
    claimed_at timestamptz NOT NULL DEFAULT now()
);
