-- Invoices that belong to no order: further terms of a server, and what staff bill by hand. They may begin as drafts.

ALTER TABLE invoices
    ALTER COLUMN order_id DROP NOT NULL,
    ALTER COLUMN number DROP NOT NULL,
    ALTER COLUMN issued_at DROP NOT NULL,
    ALTER COLUMN due_at DROP NOT NULL,
    ADD COLUMN created_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN note text,
    -- A number is taken when an invoice is issued, so that a draft which is dropped leaves no gap.
    ADD CONSTRAINT invoices_issued_is_numbered CHECK
        ((number IS NULL) = (issued_at IS NULL)
         AND (status IN ('DRAFT', 'VOID') OR number IS NOT NULL AND due_at IS NOT NULL)
         AND (status <> 'DRAFT' OR number IS NULL));

-- The same arrows as domain::billing::InvoiceStatus::may_become.
CREATE TABLE invoice_transitions (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    PRIMARY KEY (from_status, to_status)
);
INSERT INTO invoice_transitions (from_status, to_status) VALUES
    ('DRAFT', 'OPEN'),
    ('DRAFT', 'VOID'),
    ('OPEN', 'PAID'),
    ('OPEN', 'VOID'),
    ('PAID', 'REFUNDED');

CREATE OR REPLACE FUNCTION keep_issued_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.number IS NOT NULL AND
        (NEW.number, NEW.user_id, NEW.order_id, NEW.subtotal, NEW.discount, NEW.tax_base, NEW.tax, NEW.tax_bp, NEW.total,
         NEW.issued_at)
        IS DISTINCT FROM
        (OLD.number, OLD.user_id, OLD.order_id, OLD.subtotal, OLD.discount, OLD.tax_base, OLD.tax, OLD.tax_bp, OLD.total,
         OLD.issued_at)
    THEN
        RAISE EXCEPTION 'invoice % is issued and does not change', OLD.number USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM invoice_transitions WHERE from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION 'an invoice does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoices_transition_legal';
    END IF;
    RETURN NEW;
END $$;

-- The lines of a draft may change; those of an issued invoice stay.
CREATE FUNCTION keep_issued_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM invoices WHERE id = OLD.invoice_id AND status <> 'DRAFT') THEN
        RAISE EXCEPTION 'the lines of an issued invoice do not change' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
DROP TRIGGER invoice_lines_append_only ON invoice_lines;
CREATE TRIGGER invoice_lines_of_drafts_only BEFORE UPDATE OR DELETE ON invoice_lines
    FOR EACH ROW EXECUTE FUNCTION keep_issued_lines();
CREATE TRIGGER invoice_lines_never_truncated BEFORE TRUNCATE ON invoice_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- At the end of the transaction that writes lines, they make up the invoice. It also keeps lines from being added later.
CREATE FUNCTION check_lines_add_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM invoices i WHERE i.id = NEW.invoice_id AND i.subtotal - i.discount <>
            (SELECT sum(total) FROM invoice_lines WHERE invoice_id = i.id)
    ) THEN
        RAISE EXCEPTION 'the lines of an invoice make up its subtotal less its discount'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_lines_make_up_the_invoice';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER invoice_lines_make_up_the_invoice AFTER INSERT OR UPDATE ON invoice_lines
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION check_lines_add_up();

-- An attempt pays an invoice (an order's has the order too) or a deposit.
ALTER TABLE payments
    DROP CONSTRAINT payments_purpose,
    ADD CONSTRAINT payments_purpose CHECK
        ((order_id IS NULL OR invoice_id IS NOT NULL) AND (invoice_id IS NOT NULL) <> (deposit_id IS NOT NULL));
CREATE INDEX payments_invoice_idx ON payments (invoice_id, id DESC) WHERE invoice_id IS NOT NULL;
CREATE UNIQUE INDEX payments_applied_once_per_invoice ON payments (invoice_id) WHERE outcome IN ('APPLIED', 'REVIVED');

-- What an invoice without an order brought in is booked under the invoice.
ALTER TABLE ledger_movements
    ADD COLUMN invoice_id uuid REFERENCES invoices (id),
    ADD CONSTRAINT ledger_movements_one_service CHECK (order_id IS NULL OR invoice_id IS NULL);
CREATE INDEX ledger_movements_invoice_idx ON ledger_movements (invoice_id) WHERE invoice_id IS NOT NULL;

ALTER TABLE credit_notes ALTER COLUMN order_id DROP NOT NULL;

-- A further term of a server.
CREATE TABLE renewals (
    id          uuid PRIMARY KEY,
    instance_id uuid NOT NULL REFERENCES instances (id),
    invoice_id  uuid NOT NULL UNIQUE REFERENCES invoices (id),
    user_id     uuid NOT NULL REFERENCES users (id),
    term_months integer NOT NULL CHECK (term_months > 0),
    -- The term that was bought; null until it is paid.
    starts_at   timestamptz,
    ends_at     timestamptz,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT renewals_term CHECK ((starts_at IS NULL) = (ends_at IS NULL) AND starts_at < ends_at)
);
CREATE INDEX renewals_instance_idx ON renewals (instance_id, id DESC);
