-- Attempts to pay, and everything a gateway ever told us.

CREATE TABLE payments (
    id               uuid PRIMARY KEY,
    invoice_id       uuid NOT NULL REFERENCES invoices (id),
    order_id         uuid NOT NULL REFERENCES orders (id),
    user_id          uuid NOT NULL REFERENCES users (id),
    gateway          text,
    gateway_order_id text NOT NULL UNIQUE,
    gateway_transaction_id text,
    method           text NOT NULL CHECK (method IN ('QRIS', 'VIRTUAL_ACCOUNT', 'MANUAL_TRANSFER', 'WALLET')),
    bank             text CHECK (bank IN ('BCA', 'BNI', 'BRI', 'MANDIRI', 'PERMATA')),
    amount           bigint NOT NULL CHECK (amount > 0),
    status           text NOT NULL CHECK (status IN ('PENDING', 'UNKNOWN', 'PAID', 'DENIED', 'EXPIRED', 'CANCELLED')),
    -- What the customer needs in order to pay; null until the gateway answered.
    qr_string        text,
    va_number        text,
    bill_key         text,
    biller_code      text,
    expires_at       timestamptz,
    paid_at          timestamptz,
    -- How the money got its effect. A paid payment that could not be applied waits for an admin.
    outcome          text CHECK (outcome IN ('APPLIED', 'REVIVED', 'UNAPPLIED')),
    approved_by      uuid REFERENCES users (id),
    note             text,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payments_bank_with_va CHECK ((method = 'VIRTUAL_ACCOUNT') = (bank IS NOT NULL)),
    CONSTRAINT payments_paid_has_outcome CHECK ((status = 'PAID') = (outcome IS NOT NULL))
);
CREATE INDEX payments_order_idx ON payments (order_id, id DESC);
CREATE INDEX payments_user_idx ON payments (user_id, id DESC);
CREATE INDEX payments_open_idx ON payments (created_at) WHERE status IN ('PENDING', 'UNKNOWN');
-- Money pays an order at most once, whatever arrives.
CREATE UNIQUE INDEX payments_applied_once ON payments (order_id) WHERE outcome IN ('APPLIED', 'REVIVED');

-- Raw notifications. `dedupe_key` is the gateway's identity of an event; null when the signature was wrong.
CREATE TABLE webhook_events (
    id          uuid PRIMARY KEY,
    gateway     text NOT NULL,
    dedupe_key  text,
    payment_id  uuid REFERENCES payments (id),
    outcome     text NOT NULL CHECK (outcome IN ('APPLIED', 'IGNORED', 'MISMATCH', 'BAD_SIGNATURE', 'UNKNOWN_PAYMENT')),
    reason      text,
    body        bytea NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (gateway, dedupe_key)
);
CREATE INDEX webhook_events_payment_idx ON webhook_events (payment_id, received_at DESC);
CREATE TRIGGER webhook_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON webhook_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
