-- The books: append-only double entry. A movement is made of entries that sum to zero; a positive amount is a credit,
-- a negative one a debit. `domain::ledger` has the rules by which movements are made.

CREATE TABLE ledger_accounts (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind     text NOT NULL CHECK (kind IN
        ('CUSTOMER_WALLET', 'CUSTOMER_HOLDS', 'BANK', 'GATEWAY_CLEARING', 'GATEWAY_FEES', 'DEFERRED_REVENUE', 'REVENUE',
         'TAX_PAYABLE', 'PROMO_EXPENSE', 'REFUNDS', 'ADJUSTMENTS')),
    owner_id uuid REFERENCES users (id),
    -- Credits less debits of a customer's account, kept by the entries' trigger. The house's accounts have none: nothing
    -- depends on their balance at the moment of a movement, and one row for all payments would make them queue.
    balance  bigint,
    CONSTRAINT ledger_accounts_key UNIQUE NULLS NOT DISTINCT (kind, owner_id),
    CONSTRAINT ledger_accounts_owner CHECK ((kind IN ('CUSTOMER_WALLET', 'CUSTOMER_HOLDS')) = (owner_id IS NOT NULL)),
    CONSTRAINT ledger_accounts_balance CHECK ((owner_id IS NOT NULL) = (balance IS NOT NULL)),
    CONSTRAINT ledger_accounts_never_negative CHECK (balance >= 0)
);
CREATE INDEX ledger_accounts_owner_idx ON ledger_accounts (owner_id) WHERE owner_id IS NOT NULL;
INSERT INTO ledger_accounts (kind) VALUES
    ('BANK'), ('GATEWAY_CLEARING'), ('GATEWAY_FEES'), ('DEFERRED_REVENUE'), ('REVENUE'), ('TAX_PAYABLE'),
    ('PROMO_EXPENSE'), ('REFUNDS'), ('ADJUSTMENTS');

CREATE TABLE ledger_movements (
    id          uuid PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN
        ('DEPOSIT', 'PAYMENT', 'PART_PAYMENT', 'LATE_PAYMENT', 'SURPLUS', 'HOLD', 'CAPTURE', 'RELEASE', 'REFUND',
         'ADJUSTMENT', 'REVENUE', 'GATEWAY_PAYOUT', 'PROMO_BONUS')),
    -- What brought it about, such as `payment/<id>/received`. One cause moves money once.
    cause       text NOT NULL CONSTRAINT ledger_movements_cause_key UNIQUE,
    customer_id uuid REFERENCES users (id),
    order_id    uuid REFERENCES orders (id),
    payment_id  uuid REFERENCES payments (id),
    memo        text,
    at          timestamptz NOT NULL DEFAULT now(),
    -- Entries may be written by the movement's own transaction only.
    made_in     xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX ledger_movements_order_idx ON ledger_movements (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX ledger_movements_payment_idx ON ledger_movements (payment_id) WHERE payment_id IS NOT NULL;

CREATE TABLE ledger_entries (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    movement_id   uuid NOT NULL REFERENCES ledger_movements (id),
    account_id    bigint NOT NULL REFERENCES ledger_accounts (id),
    amount        bigint NOT NULL CHECK (amount <> 0),
    -- The customer's account after this entry; null for the house's.
    balance_after bigint,
    CONSTRAINT ledger_entries_once_per_account UNIQUE (movement_id, account_id)
);
CREATE INDEX ledger_entries_account_idx ON ledger_entries (account_id, id DESC);

-- A customer's balance follows the entries and nothing else; `ledger_accounts_never_negative` refuses what is not there.
CREATE FUNCTION ledger_apply_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.balance_after := NULL;
    UPDATE ledger_accounts SET balance = balance + NEW.amount WHERE id = NEW.account_id AND owner_id IS NOT NULL
        RETURNING balance INTO NEW.balance_after;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_entries_move_balance BEFORE INSERT ON ledger_entries
    FOR EACH ROW EXECUTE FUNCTION ledger_apply_entry();

CREATE FUNCTION ledger_keep_accounts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Depth 1 is this trigger on somebody's own statement; the entries' trigger makes it 2.
    IF TG_OP = 'INSERT' AND coalesce(NEW.balance, 0) = 0 THEN
        RETURN NEW;
    ELSIF TG_OP = 'UPDATE' AND pg_trigger_depth() > 1
        AND (NEW.id, NEW.kind, NEW.owner_id) IS NOT DISTINCT FROM (OLD.id, OLD.kind, OLD.owner_id) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a balance changes by entries only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ledger_accounts_follow_entries BEFORE INSERT OR UPDATE ON ledger_accounts
    FOR EACH ROW EXECUTE FUNCTION ledger_keep_accounts();

-- A movement's entries come in one statement that balances.
CREATE FUNCTION ledger_check_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM written GROUP BY movement_id HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'the entries of a movement must sum to zero'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_movements_balanced';
    END IF;
    IF EXISTS (SELECT FROM written w JOIN ledger_movements m ON m.id = w.movement_id
               WHERE m.made_in <> pg_current_xact_id()) THEN
        RAISE EXCEPTION 'a movement is complete once it is committed' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_entries_balanced AFTER INSERT ON ledger_entries
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION ledger_check_balanced();

CREATE FUNCTION ledger_check_has_entries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger_entries WHERE movement_id = NEW.id) THEN
        RAISE EXCEPTION 'a movement has entries'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_movements_balanced';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_movements_has_entries AFTER INSERT ON ledger_movements
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_has_entries();

CREATE TRIGGER ledger_accounts_never_deleted BEFORE DELETE OR TRUNCATE ON ledger_accounts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_movements_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_movements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Money that could not be applied goes to the customer's balance from now on.
ALTER TABLE payments DROP CONSTRAINT payments_outcome_check;
ALTER TABLE payments ADD CONSTRAINT payments_outcome_check
    CHECK (outcome IN ('APPLIED', 'REVIVED', 'CREDITED', 'UNAPPLIED'));

-- Writes the movement of every paid payment that has none: those from before there were books, and those that a version
-- without books took in while this one was being rolled out. Money that was waiting for a decision goes to the balance.
-- Calling it again changes nothing. Answers how many movements it wrote.
CREATE FUNCTION ledger_backfill() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    written bigint;
BEGIN
    INSERT INTO ledger_accounts (kind, owner_id, balance)
    SELECT k.kind, p.user_id, 0
    FROM (SELECT DISTINCT user_id FROM payments WHERE outcome = 'UNAPPLIED') p,
         (VALUES (1, 'CUSTOMER_WALLET'), (2, 'CUSTOMER_HOLDS')) k (position, kind)
    ORDER BY p.user_id, k.position
    ON CONFLICT (kind, owner_id) DO NOTHING;

    WITH missing AS (
        SELECT gen_random_uuid() AS id, p.id AS payment_id, p.order_id, p.user_id, p.method, p.amount, p.outcome,
               CASE WHEN p.outcome = 'UNAPPLIED' THEN 0 ELSE i.tax END AS tax, p.paid_at
        FROM payments p JOIN invoices i ON i.id = p.invoice_id
        WHERE p.status = 'PAID' AND p.method <> 'WALLET' AND p.outcome IN ('APPLIED', 'REVIVED', 'UNAPPLIED')
          AND NOT EXISTS (SELECT FROM ledger_movements m WHERE m.cause = 'payment/' || p.id || '/received')),
    movement AS (
        INSERT INTO ledger_movements (id, kind, cause, customer_id, order_id, payment_id, at)
        SELECT id, CASE WHEN outcome = 'UNAPPLIED' THEN 'LATE_PAYMENT' ELSE 'PAYMENT' END,
               'payment/' || payment_id || '/received', user_id, order_id, payment_id, coalesce(paid_at, now())
        FROM missing RETURNING id),
    entry AS (
        SELECT m.id, CASE WHEN m.method = 'MANUAL_TRANSFER' THEN 'BANK' ELSE 'GATEWAY_CLEARING' END AS kind,
               NULL::uuid AS owner_id, -m.amount AS amount
        FROM missing m
        UNION ALL SELECT id, 'CUSTOMER_WALLET', user_id, amount FROM missing WHERE outcome = 'UNAPPLIED'
        UNION ALL SELECT id, 'DEFERRED_REVENUE', NULL, amount - tax FROM missing WHERE outcome <> 'UNAPPLIED'
        UNION ALL SELECT id, 'TAX_PAYABLE', NULL, tax FROM missing WHERE outcome <> 'UNAPPLIED')
    INSERT INTO ledger_entries (movement_id, account_id, amount)
    SELECT e.id, a.id, e.amount
    FROM movement m
    JOIN entry e ON e.id = m.id
    JOIN ledger_accounts a ON a.kind = e.kind AND a.owner_id IS NOT DISTINCT FROM e.owner_id
    WHERE e.amount <> 0
    ORDER BY a.id;

    SELECT count(*) INTO written FROM ledger_movements WHERE made_in = pg_current_xact_id();
    UPDATE payments SET outcome = 'CREDITED', updated_at = now() WHERE outcome = 'UNAPPLIED';
    RETURN written;
END $$;
SELECT ledger_backfill();
