-- What a gateway made the payer pay on top of what we charged: it holds that for us as well, and it is none of the customer's.

ALTER TABLE ledger_movements
    DROP CONSTRAINT ledger_movements_kind_check,
    ADD CONSTRAINT ledger_movements_kind_check CHECK (kind IN
        ('DEPOSIT', 'PAYMENT', 'PART_PAYMENT', 'LATE_PAYMENT', 'SURPLUS', 'HOLD', 'CAPTURE', 'RELEASE', 'REFUND',
         'REFUND_OWED', 'REFUND_SETTLED', 'REFUND_RETURNED', 'ADJUSTMENT', 'REVENUE', 'GATEWAY_PAYOUT', 'PROMO_BONUS',
         'DISPUTE', 'PAYER_FEE'));

ALTER TABLE payments
    -- Beyond `amount`, which is what we charged.
    ADD COLUMN payer_fee bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT payments_payer_fee_by_gateway
        CHECK (payer_fee = 0 OR payer_fee > 0 AND gateway IS NOT NULL AND status = 'PAID');

-- It is known with the money, and stays.
CREATE FUNCTION keep_payer_fee() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'PAID' THEN
        RAISE EXCEPTION 'what became of a payment''s money stays' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payments_payer_fee_stays BEFORE UPDATE ON payments
    FOR EACH ROW WHEN (NEW.payer_fee <> OLD.payer_fee) EXECUTE FUNCTION keep_payer_fee();

ALTER TABLE disputes
    -- Beyond `amount`: what of the payer's fee went with it.
    ADD COLUMN payer_fee bigint NOT NULL DEFAULT 0 CHECK (payer_fee >= 0);

-- What of a payment's payer's fee is not in dispute.
CREATE FUNCTION undisputed_payer_fee(payment uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT p.payer_fee
        - (SELECT coalesce(sum(payer_fee), 0) FROM disputes WHERE payment_id = p.id AND status <> 'DISMISSED')::bigint
    FROM payments p WHERE p.id = payment
$$;

-- After `disputes_transition_legal`, which locks the payment.
CREATE FUNCTION keep_disputed_payer_fee() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.payer_fee <> OLD.payer_fee THEN
        RAISE EXCEPTION 'what is in dispute does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (TG_OP = 'INSERT' OR OLD.status = 'DISMISSED') AND NEW.payer_fee > undisputed_payer_fee(NEW.payment_id) THEN
        RAISE EXCEPTION 'a payment loses no more than it brought'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'disputes_within_payment';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER disputes_within_payer_fee BEFORE INSERT OR UPDATE ON disputes
    FOR EACH ROW EXECUTE FUNCTION keep_disputed_payer_fee();
