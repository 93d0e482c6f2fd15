-- What customers send to prove a bank transfer: receipts as pictures or PDF.

CREATE TABLE payment_proofs (
    id           uuid PRIMARY KEY,
    payment_id   uuid NOT NULL REFERENCES payments (id),
    -- A payment has five places, so that no sixth proof fits however many come at once.
    place        integer NOT NULL CHECK (place BETWEEN 1 AND 5),
    content_type text NOT NULL CHECK (content_type IN ('image/png', 'image/jpeg', 'image/webp', 'application/pdf')),
    size         integer NOT NULL CHECK (size BETWEEN 1 AND 5242880),
    sha256       bytea NOT NULL CHECK (length(sha256) = 32),
    bytes        bytea NOT NULL,
    uploaded_by  uuid NOT NULL REFERENCES users (id),
    uploaded_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payment_proofs_place UNIQUE (payment_id, place),
    CONSTRAINT payment_proofs_once UNIQUE (payment_id, sha256),
    CONSTRAINT payment_proofs_size CHECK (size = length(bytes))
);
-- Such files are compressed already.
ALTER TABLE payment_proofs ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE TRIGGER payment_proofs_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_proofs
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Bank transfers that an administrator has to look at.
CREATE INDEX payments_awaiting_approval_idx ON payments (id DESC)
    WHERE method = 'MANUAL_TRANSFER' AND status IN ('PENDING', 'UNKNOWN');
