-- Money that gateways took back without our asking, and notifications that count only after the gateway was asked.

ALTER TABLE webhook_events DROP CONSTRAINT webhook_events_outcome_check;
ALTER TABLE webhook_events ADD CONSTRAINT webhook_events_outcome_check
    CHECK (outcome IN ('APPLIED', 'IGNORED', 'MISMATCH', 'BAD_SIGNATURE', 'UNKNOWN_PAYMENT', 'UNCONFIRMED', 'UNANSWERED',
                       'DISPUTED', 'UNREADABLE'));
-- How many of late, so that what anybody can send is kept within bounds.
DROP INDEX webhook_events_unbelieved_idx;
CREATE INDEX webhook_events_unbelieved_idx ON webhook_events (outcome, received_at)
    WHERE outcome IN ('BAD_SIGNATURE', 'UNCONFIRMED', 'UNREADABLE');

-- What customers owe us. One account for all: its movements name the customer.
ALTER TABLE ledger_accounts
    DROP CONSTRAINT ledger_accounts_kind_check,
    ADD CONSTRAINT ledger_accounts_kind_check CHECK (kind IN
        ('CUSTOMER_WALLET', 'CUSTOMER_HOLDS', 'BANK', 'GATEWAY_CLEARING', 'GATEWAY_FEES', 'DEFERRED_REVENUE', 'REVENUE',
         'TAX_PAYABLE', 'PROMO_EXPENSE', 'REFUNDS', 'REFUNDS_PAYABLE', 'CUSTOMER_RECEIVABLE', 'ADJUSTMENTS'));
INSERT INTO ledger_accounts (kind) VALUES ('CUSTOMER_RECEIVABLE');

ALTER TABLE ledger_movements
    DROP CONSTRAINT ledger_movements_kind_check,
    ADD CONSTRAINT ledger_movements_kind_check CHECK (kind IN
        ('DEPOSIT', 'PAYMENT', 'PART_PAYMENT', 'LATE_PAYMENT', 'SURPLUS', 'HOLD', 'CAPTURE', 'RELEASE', 'REFUND',
         'REFUND_OWED', 'REFUND_SETTLED', 'REFUND_RETURNED', 'ADJUSTMENT', 'REVENUE', 'GATEWAY_PAYOUT', 'PROMO_BONUS',
         'DISPUTE'));

CREATE TABLE disputes (
    id               uuid PRIMARY KEY,
    payment_id       uuid NOT NULL REFERENCES payments (id),
    user_id          uuid NOT NULL REFERENCES users (id),
    kind             text NOT NULL CHECK (kind IN ('REFUND', 'CHARGEBACK', 'WITHDRAWN')),
    -- The gateway's name for what it took back.
    name             text NOT NULL,
    status           text NOT NULL CHECK (status IN ('OPEN', 'ACCEPTED', 'DISMISSED')),
    -- What is in dispute: what the gateway named, as far as so much of the payment is left.
    amount           bigint NOT NULL CHECK (amount > 0),
    -- The gateway's own words for the amount; empty when it names none.
    amount_told      text NOT NULL,
    -- Whether whoever accepted it had the server powered off, so that its customer does not power it on again.
    suspends_server  boolean NOT NULL DEFAULT false,
    -- What was said when it was decided.
    note             text,
    decided_by       uuid REFERENCES users (id),
    decided_at       timestamptz,
    -- What the customer owes us for it; null until it is accepted.
    receivable       bigint CHECK (receivable >= 0),
    created_at       timestamptz NOT NULL DEFAULT now(),
    -- However often a gateway tells of it.
    CONSTRAINT disputes_told_once UNIQUE (payment_id, name),
    CONSTRAINT disputes_decided CHECK ((status = 'OPEN') = (decided_at IS NULL)),
    CONSTRAINT disputes_receivable CHECK ((status = 'ACCEPTED') = (receivable IS NOT NULL)),
    CONSTRAINT disputes_dismissed_with_reason CHECK (status <> 'DISMISSED' OR note IS NOT NULL),
    CONSTRAINT disputes_suspends_accepted CHECK (NOT suspends_server OR status = 'ACCEPTED')
);
CREATE INDEX disputes_open_idx ON disputes (id DESC) WHERE status = 'OPEN';
CREATE INDEX disputes_user_idx ON disputes (user_id, id DESC);

-- The same arrows as domain::dispute::DisputeStatus::may_become.
CREATE TABLE dispute_transitions (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    PRIMARY KEY (from_status, to_status)
);
INSERT INTO dispute_transitions (from_status, to_status) VALUES
    ('OPEN', 'ACCEPTED'),
    ('OPEN', 'DISMISSED'),
    ('DISMISSED', 'ACCEPTED');

-- What of a payment neither went back through its gateway nor is in dispute.
CREATE FUNCTION undisputed(payment uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT p.amount
        - (SELECT coalesce(sum(amount), 0) FROM refunds WHERE payment_id = p.id AND status <> 'RETURNED_TO_WALLET')::bigint
        - (SELECT coalesce(sum(amount), 0) FROM disputes WHERE payment_id = p.id AND status <> 'DISMISSED')::bigint
    FROM payments p WHERE p.id = payment
$$;

CREATE FUNCTION keep_dispute() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'OPEN' THEN
            RAISE EXCEPTION 'a dispute does not begin as %', NEW.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'disputes_transition_legal';
        END IF;
    ELSIF (NEW.id, NEW.payment_id, NEW.user_id, NEW.kind, NEW.name, NEW.amount, NEW.amount_told, NEW.created_at)
        IS DISTINCT FROM
        (OLD.id, OLD.payment_id, OLD.user_id, OLD.kind, OLD.name, OLD.amount, OLD.amount_told, OLD.created_at)
    THEN
        RAISE EXCEPTION 'what is in dispute does not change' USING ERRCODE = 'restrict_violation';
    ELSIF NEW.status = OLD.status AND NEW IS DISTINCT FROM OLD OR NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM dispute_transitions WHERE from_status = OLD.status AND to_status = NEW.status)
    THEN
        RAISE EXCEPTION 'a dispute does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'disputes_transition_legal';
    END IF;
    -- A payment loses no more than it brought. The lock makes disputes and refunds of one payment wait for each other.
    IF TG_OP = 'INSERT' OR OLD.status = 'DISMISSED' THEN
        PERFORM FROM payments WHERE id = NEW.payment_id AND status = 'PAID' AND gateway IS NOT NULL FOR NO KEY UPDATE;
        IF NOT FOUND OR NEW.amount > undisputed(NEW.payment_id) THEN
            RAISE EXCEPTION 'a payment loses no more than it brought'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'disputes_within_payment';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER disputes_transition_legal BEFORE INSERT OR UPDATE ON disputes
    FOR EACH ROW EXECUTE FUNCTION keep_dispute();
CREATE TRIGGER disputes_never_deleted BEFORE DELETE OR TRUNCATE ON disputes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What is in dispute does not go back through the gateway a second time.
CREATE OR REPLACE FUNCTION check_new_refund() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> (CASE NEW.destination WHEN 'WALLET' THEN 'COMPLETED' ELSE 'REQUESTED' END) THEN
        RAISE EXCEPTION 'a refund does not begin as %', NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_transition_legal';
    END IF;
    IF NEW.payment_id IS NOT NULL THEN
        -- The lock makes refunds of one payment wait for each other.
        PERFORM FROM payments WHERE id = NEW.payment_id AND status = 'PAID' AND gateway IS NOT NULL FOR NO KEY UPDATE;
        IF NOT FOUND OR NEW.amount > undisputed(NEW.payment_id) THEN
            RAISE EXCEPTION 'a payment gives back no more than it brought'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'refunds_within_payment';
        END IF;
    END IF;
    RETURN NEW;
END $$;
