-- Refunds: whole or in part, to the customer's balance or back through the gateway.

-- What is on its way back through gateways.
ALTER TABLE ledger_accounts
    DROP CONSTRAINT ledger_accounts_kind_check,
    ADD CONSTRAINT ledger_accounts_kind_check CHECK (kind IN
        ('CUSTOMER_WALLET', 'CUSTOMER_HOLDS', 'BANK', 'GATEWAY_CLEARING', 'GATEWAY_FEES', 'DEFERRED_REVENUE', 'REVENUE',
         'TAX_PAYABLE', 'PROMO_EXPENSE', 'REFUNDS', 'REFUNDS_PAYABLE', 'ADJUSTMENTS'));
INSERT INTO ledger_accounts (kind) VALUES ('REFUNDS_PAYABLE');

ALTER TABLE ledger_movements
    DROP CONSTRAINT ledger_movements_kind_check,
    ADD CONSTRAINT ledger_movements_kind_check CHECK (kind IN
        ('DEPOSIT', 'PAYMENT', 'PART_PAYMENT', 'LATE_PAYMENT', 'SURPLUS', 'HOLD', 'CAPTURE', 'RELEASE', 'REFUND',
         'REFUND_OWED', 'REFUND_SETTLED', 'REFUND_RETURNED', 'ADJUSTMENT', 'REVENUE', 'GATEWAY_PAYOUT', 'PROMO_BONUS'));

CREATE TABLE refunds (
    -- Also the name by which the gateway knows it: the same one again gives nothing back again.
    id                uuid PRIMARY KEY,
    user_id           uuid NOT NULL REFERENCES users (id),
    order_id          uuid REFERENCES orders (id),
    -- Of an invoice that belongs to no order.
    invoice_id        uuid REFERENCES invoices (id),
    -- The payment that goes back through its gateway.
    payment_id        uuid REFERENCES payments (id),
    destination       text NOT NULL CHECK (destination IN ('WALLET', 'GATEWAY')),
    status            text NOT NULL CHECK (status IN ('REQUESTED', 'SENT', 'COMPLETED', 'RETURNED_TO_WALLET')),
    amount            bigint NOT NULL CHECK (amount > 0),
    net               bigint NOT NULL CHECK (net >= 0),
    tax               bigint NOT NULL CHECK (tax >= 0),
    reason            text NOT NULL,
    -- None where the invoice was never paid in full.
    credit_note_id    uuid REFERENCES credit_notes (id),
    requested_by      uuid REFERENCES users (id),
    gateway_refund_id text,
    -- How often the gateway was asked.
    attempts          integer NOT NULL DEFAULT 0,
    -- Since when a call may have taken effect whose answer is not known. Noted before the call is sent.
    in_doubt_since    timestamptz,
    last_error        text,
    created_at        timestamptz NOT NULL DEFAULT now(),
    sent_at           timestamptz,
    ended_at          timestamptz,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT refunds_of_one_service CHECK ((order_id IS NULL) <> (invoice_id IS NULL)),
    CONSTRAINT refunds_amount_adds_up CHECK (amount = net + tax),
    CONSTRAINT refunds_payment_of_gateway CHECK ((destination = 'GATEWAY') = (payment_id IS NOT NULL)),
    CONSTRAINT refunds_ended CHECK ((status IN ('COMPLETED', 'RETURNED_TO_WALLET')) = (ended_at IS NOT NULL)),
    CONSTRAINT refunds_sent CHECK (status <> 'SENT' OR sent_at IS NOT NULL),
    -- Money whose way is not known for certain stays where it is.
    CONSTRAINT refunds_never_returned_in_doubt CHECK (status <> 'RETURNED_TO_WALLET' OR in_doubt_since IS NULL)
);
CREATE INDEX refunds_order_idx ON refunds (order_id, id DESC) WHERE order_id IS NOT NULL;
CREATE INDEX refunds_invoice_idx ON refunds (invoice_id, id DESC) WHERE invoice_id IS NOT NULL;
CREATE INDEX refunds_payment_idx ON refunds (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX refunds_user_idx ON refunds (user_id, id DESC);
CREATE INDEX refunds_open_idx ON refunds (id DESC) WHERE status IN ('REQUESTED', 'SENT');

-- The same arrows as domain::refund::RefundStatus::may_become.
CREATE TABLE refund_transitions (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    PRIMARY KEY (from_status, to_status)
);
INSERT INTO refund_transitions (from_status, to_status) VALUES
    ('REQUESTED', 'SENT'),
    ('REQUESTED', 'RETURNED_TO_WALLET'),
    ('SENT', 'COMPLETED'),
    ('SENT', 'RETURNED_TO_WALLET');

CREATE FUNCTION keep_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.user_id, NEW.order_id, NEW.invoice_id, NEW.payment_id, NEW.destination, NEW.amount, NEW.net, NEW.tax,
        NEW.reason, NEW.requested_by, NEW.created_at)
        IS DISTINCT FROM
        (OLD.id, OLD.user_id, OLD.order_id, OLD.invoice_id, OLD.payment_id, OLD.destination, OLD.amount, OLD.net, OLD.tax,
         OLD.reason, OLD.requested_by, OLD.created_at)
    THEN
        RAISE EXCEPTION 'what is given back does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM refund_transitions WHERE from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION 'a refund does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_transition_legal';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refunds_transition_legal BEFORE UPDATE ON refunds
    FOR EACH ROW EXECUTE FUNCTION keep_refund();

-- A refund begins where its destination says, and a payment never gives back more through its gateway than it brought.
CREATE FUNCTION check_new_refund() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    brought bigint;
BEGIN
    IF NEW.status <> (CASE NEW.destination WHEN 'WALLET' THEN 'COMPLETED' ELSE 'REQUESTED' END) THEN
        RAISE EXCEPTION 'a refund does not begin as %', NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_transition_legal';
    END IF;
    IF NEW.payment_id IS NOT NULL THEN
        -- The lock makes refunds of one payment wait for each other.
        SELECT amount INTO brought FROM payments
            WHERE id = NEW.payment_id AND status = 'PAID' AND gateway IS NOT NULL FOR NO KEY UPDATE;
        IF brought IS NULL OR NEW.amount + (SELECT coalesce(sum(amount), 0) FROM refunds
            WHERE payment_id = NEW.payment_id AND status <> 'RETURNED_TO_WALLET') > brought
        THEN
            RAISE EXCEPTION 'a payment gives back no more than it brought'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_within_payment';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refunds_within_payment BEFORE INSERT ON refunds
    FOR EACH ROW EXECUTE FUNCTION check_new_refund();
CREATE TRIGGER refunds_never_deleted BEFORE DELETE OR TRUNCATE ON refunds
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
