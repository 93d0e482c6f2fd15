-- Payments and deposits move along arrows, as orders, invoices and refunds do.

-- The same arrows as domain::billing::PaymentStatus::may_become.
CREATE TABLE payment_transitions (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    PRIMARY KEY (from_status, to_status)
);
INSERT INTO payment_transitions (from_status, to_status) VALUES
    ('PENDING', 'UNKNOWN'),
    ('PENDING', 'PAID'),
    ('PENDING', 'DENIED'),
    ('PENDING', 'EXPIRED'),
    ('PENDING', 'CANCELLED'),
    ('UNKNOWN', 'PENDING'),
    ('UNKNOWN', 'PAID'),
    ('UNKNOWN', 'DENIED'),
    ('UNKNOWN', 'EXPIRED'),
    ('UNKNOWN', 'CANCELLED'),
    ('DENIED', 'PAID'),
    ('EXPIRED', 'PAID'),
    ('CANCELLED', 'PAID');

CREATE FUNCTION keep_payment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'PENDING' THEN
            RAISE EXCEPTION 'a payment begins as PENDING, not %', NEW.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_transition_legal';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.invoice_id, NEW.order_id, NEW.deposit_id, NEW.user_id, NEW.gateway, NEW.gateway_order_id, NEW.method,
        NEW.bank, NEW.amount)
        IS DISTINCT FROM
        (OLD.id, OLD.invoice_id, OLD.order_id, OLD.deposit_id, OLD.user_id, OLD.gateway, OLD.gateway_order_id, OLD.method,
         OLD.bank, OLD.amount)
    THEN
        RAISE EXCEPTION 'what a payment is about does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM payment_transitions WHERE from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION 'a payment does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'payments_transition_legal';
    END IF;
    IF coalesce(NEW.amount_received, 0) < coalesce(OLD.amount_received, 0) THEN
        RAISE EXCEPTION 'what a payment has brought does not become less' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.status = 'PAID' AND (
        (NEW.paid_at, NEW.amount_received, NEW.approved_by)
            IS DISTINCT FROM (OLD.paid_at, OLD.amount_received, OLD.approved_by)
        -- What a version without balances took in is decided on later.
        OR NEW.outcome IS DISTINCT FROM OLD.outcome AND OLD.outcome <> 'UNAPPLIED')
    THEN
        RAISE EXCEPTION 'what became of a payment''s money stays' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_transition_legal BEFORE INSERT OR UPDATE ON payments
    FOR EACH ROW EXECUTE FUNCTION keep_payment();
CREATE TRIGGER payments_never_deleted BEFORE DELETE OR TRUNCATE ON payments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The same arrows as domain::billing::DepositStatus::may_become.
CREATE TABLE deposit_transitions (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    PRIMARY KEY (from_status, to_status)
);
INSERT INTO deposit_transitions (from_status, to_status) VALUES ('OPEN', 'CREDITED');

ALTER TABLE deposits ADD COLUMN status text NOT NULL DEFAULT 'OPEN';
UPDATE deposits SET status = 'CREDITED' WHERE credited_at IS NOT NULL;
ALTER TABLE deposits
    ADD CONSTRAINT deposits_status_known CHECK (status IN ('OPEN', 'CREDITED')),
    ADD CONSTRAINT deposits_credited_has_date CHECK ((status = 'OPEN') = (credited_at IS NULL));

CREATE FUNCTION keep_deposit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'OPEN' THEN
            RAISE EXCEPTION 'a deposit begins as OPEN, not %', NEW.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'deposits_transition_legal';
        END IF;
        RETURN NEW;
    END IF;
    -- A program that does not know the column says only when.
    IF OLD.status = 'OPEN' AND NEW.status = 'OPEN' AND NEW.credited_at IS NOT NULL THEN
        NEW.status := 'CREDITED';
    END IF;
    IF (NEW.id, NEW.user_id, NEW.amount, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.user_id, OLD.amount, OLD.created_at)
        OR OLD.credited_at IS NOT NULL AND NEW.credited_at IS DISTINCT FROM OLD.credited_at
    THEN
        RAISE EXCEPTION 'what a deposit is about does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM deposit_transitions WHERE from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION 'a deposit does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'deposits_transition_legal';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deposits_transition_legal BEFORE INSERT OR UPDATE ON deposits
    FOR EACH ROW EXECUTE FUNCTION keep_deposit();
CREATE TRIGGER deposits_never_deleted BEFORE DELETE OR TRUNCATE ON deposits
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
