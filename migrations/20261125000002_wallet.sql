-- Deposits into a customer's balance, and the papers for money that goes back.

CREATE TABLE deposits (
    id          uuid PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES users (id),
    amount      bigint NOT NULL CHECK (amount > 0),
    created_at  timestamptz NOT NULL DEFAULT now(),
    credited_at timestamptz
);
CREATE INDEX deposits_user_idx ON deposits (user_id, id DESC);

-- An attempt to pay serves an invoice or a deposit.
ALTER TABLE payments
    ALTER COLUMN invoice_id DROP NOT NULL,
    ALTER COLUMN order_id DROP NOT NULL,
    ADD COLUMN deposit_id uuid REFERENCES deposits (id),
    -- Bank transfers: what arrived so far by an administrator's word. Less than `amount` leaves the attempt open.
    ADD COLUMN amount_received bigint CHECK (amount_received > 0),
    ADD CONSTRAINT payments_purpose CHECK
        ((order_id IS NOT NULL) = (invoice_id IS NOT NULL) AND (order_id IS NOT NULL) <> (deposit_id IS NOT NULL));
CREATE INDEX payments_deposit_idx ON payments (deposit_id, id DESC) WHERE deposit_id IS NOT NULL;
-- A deposit is credited once.
CREATE UNIQUE INDEX payments_deposit_credited_once ON payments (deposit_id) WHERE outcome = 'CREDITED';

-- An invoice that was issued never changes; what is taken back of it has a paper of its own.
CREATE TABLE credit_note_counters (
    year integer PRIMARY KEY,
    last integer NOT NULL
);
CREATE TABLE credit_notes (
    id         uuid PRIMARY KEY,
    number     text NOT NULL UNIQUE,
    invoice_id uuid NOT NULL REFERENCES invoices (id),
    order_id   uuid NOT NULL REFERENCES orders (id),
    user_id    uuid NOT NULL REFERENCES users (id),
    reason     text NOT NULL,
    net        bigint NOT NULL CHECK (net >= 0),
    tax        bigint NOT NULL CHECK (tax >= 0),
    total      bigint NOT NULL CHECK (total > 0),
    issued_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT credit_notes_total_adds_up CHECK (total = net + tax)
);
CREATE INDEX credit_notes_invoice_idx ON credit_notes (invoice_id);
CREATE INDEX credit_notes_user_idx ON credit_notes (user_id, id DESC);
CREATE TRIGGER credit_notes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON credit_notes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
