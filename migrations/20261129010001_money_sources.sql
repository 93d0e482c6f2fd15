-- Where money comes from, and what still waits for it.

-- A gateway takes in what is paid by QRIS or virtual account, nothing else; and nobody puts money of the balance into it.
ALTER TABLE payments
    ADD CONSTRAINT payments_gateway_by_method CHECK ((gateway IS NOT NULL) = (method IN ('QRIS', 'VIRTUAL_ACCOUNT'))) NOT VALID,
    ADD CONSTRAINT payments_deposit_from_outside CHECK (deposit_id IS NULL OR method <> 'WALLET') NOT VALID;

-- Money comes in (a debit of the bank or of what gateways hold) by a payment from outside, or moves between the two by a
-- payout. What is paid from the balance was ours before: it never touches either.
CREATE FUNCTION ledger_check_source() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM written w
        JOIN ledger_accounts a ON a.id = w.account_id AND a.kind IN ('BANK', 'GATEWAY_CLEARING')
        JOIN ledger_movements m ON m.id = w.movement_id
        LEFT JOIN payments p ON p.id = m.payment_id
        WHERE p.method = 'WALLET' OR (w.amount < 0 AND p.id IS NULL AND m.kind <> 'GATEWAY_PAYOUT')
    ) THEN
        RAISE EXCEPTION 'money comes from outside by a payment from outside'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entries_from_outside';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_entries_from_outside AFTER INSERT ON ledger_entries
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_source();

-- What an attempt's order, invoice or deposit claims: whether it waits for money, and what of the price is set aside
-- already. What is due by the attempt is `domain::billing::Claim`'s to say.
CREATE FUNCTION payment_claim(p payments) RETURNS TABLE (waits boolean, set_aside bigint) LANGUAGE sql STABLE AS $$
    SELECT coalesce(
               (SELECT o.status = 'PENDING_PAYMENT' FROM orders o WHERE o.id = p.order_id),
               (SELECT i.status = 'OPEN' FROM invoices i WHERE i.id = p.invoice_id),
               (SELECT d.credited_at IS NULL FROM deposits d WHERE d.id = p.deposit_id)),
           coalesce((SELECT sum(e.amount) FROM ledger_movements m
                     JOIN ledger_entries e ON e.movement_id = m.id
                     JOIN ledger_accounts a ON a.id = e.account_id
                     WHERE m.order_id = p.order_id AND a.kind = 'CUSTOMER_HOLDS'
                       AND p.method = 'MANUAL_TRANSFER' AND p.status IN ('PENDING', 'UNKNOWN')), 0)::bigint
$$;

-- An expired order's invoice is void. Money that comes late brings both back: then, and only then, a void one is paid.
INSERT INTO invoice_transitions (from_status, to_status) VALUES ('VOID', 'PAID');
CREATE FUNCTION check_revived_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM orders WHERE id = NEW.order_id AND status = 'PAID') THEN
        RAISE EXCEPTION 'a void invoice is paid only with its order'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoices_transition_legal';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoices_void_is_paid_with_its_order BEFORE UPDATE OF status ON invoices
    FOR EACH ROW WHEN (OLD.status = 'VOID' AND NEW.status = 'PAID') EXECUTE FUNCTION check_revived_invoice();

UPDATE invoices i SET status = 'VOID' FROM orders o
WHERE o.id = i.order_id AND o.status IN ('EXPIRED', 'CANCELLED') AND i.status = 'OPEN';

-- What a part of was paid went to the balance when its order ended: the transfer is over with it.
UPDATE payments p SET status = 'EXPIRED', updated_at = now() FROM orders o
WHERE o.id = p.order_id AND o.status = 'EXPIRED' AND p.method = 'MANUAL_TRANSFER'
  AND p.status IN ('PENDING', 'UNKNOWN') AND p.amount_received IS NOT NULL;

-- Nobody is to pay for a further term of a server that is gone or on its way out.
WITH ended AS (
    SELECT r.invoice_id FROM renewals r JOIN instances s ON s.id = r.instance_id
    WHERE s.status = 'TERMINATED'
       OR EXISTS (SELECT FROM instance_actions a WHERE a.instance_id = s.id AND a.action = 'delete'
                  AND a.status IN ('pending', 'in_progress'))),
withdrawn AS (
    UPDATE invoices i SET status = 'VOID' FROM ended WHERE i.id = ended.invoice_id AND i.status = 'OPEN' RETURNING i.id)
UPDATE payments p SET status = 'CANCELLED', updated_at = now() FROM withdrawn
WHERE p.invoice_id = withdrawn.id AND p.status IN ('PENDING', 'UNKNOWN');
