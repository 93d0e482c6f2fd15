-- Promo codes, and every use that is made of them. domain::promo has the rules.

CREATE TABLE promos (
    id             uuid PRIMARY KEY,
    -- In upper case only, so that unique means regardless of case.
    code           text NOT NULL CONSTRAINT promos_code_key UNIQUE,
    kind           text NOT NULL CHECK (kind IN ('ORDER_PERCENT', 'ORDER_FIXED', 'DEPOSIT_PERCENT', 'DEPOSIT_FIXED')),
    -- Whole percent, or whole rupiah.
    value          bigint NOT NULL,
    min_amount     bigint CHECK (min_amount >= 0),
    max_amount     bigint CHECK (max_amount > 0),
    per_user_limit bigint CHECK (per_user_limit > 0),
    global_limit   bigint CHECK (global_limit > 0),
    starts_at      timestamptz,
    ends_at        timestamptz,
    is_active      boolean NOT NULL DEFAULT true,
    -- How many uses count at the moment; kept by the redemptions' trigger.
    uses           bigint NOT NULL DEFAULT 0 CHECK (uses >= 0),
    created_by     uuid REFERENCES users (id),
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT promos_code_shape CHECK (code ~ '^[A-Z0-9_-]{3,32}$'),
    CONSTRAINT promos_value CHECK (value > 0 AND (value <= 100 OR kind IN ('ORDER_FIXED', 'DEPOSIT_FIXED'))),
    CONSTRAINT promos_window CHECK (starts_at < ends_at),
    CONSTRAINT promos_global_limit_holds CHECK (uses <= global_limit)
);

-- One use of a code: by an order or a deposit, at most one code each.
CREATE TABLE promo_redemptions (
    id         uuid PRIMARY KEY,
    promo_id   uuid NOT NULL REFERENCES promos (id),
    user_id    uuid NOT NULL REFERENCES users (id),
    order_id   uuid CONSTRAINT promo_redemptions_order_key UNIQUE REFERENCES orders (id),
    deposit_id uuid CONSTRAINT promo_redemptions_deposit_key UNIQUE REFERENCES deposits (id),
    -- What the code took off the order, or gives on top of the deposit.
    amount     bigint NOT NULL CHECK (amount > 0),
    state      text NOT NULL CHECK (state IN ('RESERVED', 'REDEEMED', 'RELEASED', 'HONOURED')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT promo_redemptions_purpose CHECK ((order_id IS NULL) <> (deposit_id IS NULL)),
    CONSTRAINT promo_redemptions_prices_are_honoured CHECK (state <> 'HONOURED' OR order_id IS NOT NULL)
);
CREATE INDEX promo_redemptions_promo_idx ON promo_redemptions (promo_id, id DESC);
CREATE INDEX promo_redemptions_counted_idx ON promo_redemptions (promo_id, user_id)
    WHERE state IN ('RESERVED', 'REDEEMED');
CREATE INDEX promo_redemptions_awaited_deposits_idx ON promo_redemptions (promo_id)
    WHERE state = 'RESERVED' AND deposit_id IS NOT NULL;

-- The same arrows as domain::promo::RedemptionState::may_become.
CREATE TABLE promo_redemption_transitions (
    from_state text NOT NULL,
    to_state   text NOT NULL,
    PRIMARY KEY (from_state, to_state)
);
INSERT INTO promo_redemption_transitions (from_state, to_state) VALUES
    ('RESERVED', 'REDEEMED'),
    ('RESERVED', 'RELEASED'),
    ('RELEASED', 'RESERVED'),
    ('RELEASED', 'REDEEMED'),
    ('RELEASED', 'HONOURED'),
    ('HONOURED', 'RELEASED');

CREATE FUNCTION keep_promo_redemption() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'RESERVED' THEN
            RAISE EXCEPTION 'a redemption begins as RESERVED, not %', NEW.state
                USING ERRCODE = 'check_violation', CONSTRAINT = 'promo_redemptions_transition_legal';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.promo_id, NEW.user_id, NEW.order_id, NEW.deposit_id, NEW.amount, NEW.created_at)
        IS DISTINCT FROM (OLD.id, OLD.promo_id, OLD.user_id, OLD.order_id, OLD.deposit_id, OLD.amount, OLD.created_at)
    THEN
        RAISE EXCEPTION 'only the state of a redemption changes' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state <> OLD.state AND NOT EXISTS (
        SELECT FROM promo_redemption_transitions WHERE from_state = OLD.state AND to_state = NEW.state
    ) THEN
        RAISE EXCEPTION 'a redemption does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'check_violation', CONSTRAINT = 'promo_redemptions_transition_legal';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER promo_redemptions_transition_legal BEFORE INSERT OR UPDATE ON promo_redemptions
    FOR EACH ROW EXECUTE FUNCTION keep_promo_redemption();
CREATE TRIGGER promo_redemptions_never_deleted BEFORE DELETE OR TRUNCATE ON promo_redemptions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The last line behind the program's own counting. The UPDATE locks the code's row, so of two uses at once the second
-- counts after the first has committed; `promos_global_limit_holds` refuses one too many.
CREATE FUNCTION count_promo_use() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    change integer := (NEW.state IN ('RESERVED', 'REDEEMED'))::integer;
    promo  promos;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        change := change - (OLD.state IN ('RESERVED', 'REDEEMED'))::integer;
    END IF;
    IF change = 0 THEN
        RETURN NULL;
    END IF;
    UPDATE promos SET uses = uses + change WHERE id = NEW.promo_id RETURNING * INTO promo;
    IF (promo.kind IN ('ORDER_PERCENT', 'ORDER_FIXED')) <> (NEW.order_id IS NOT NULL) THEN
        RAISE EXCEPTION 'code % is not for this', promo.code
            USING ERRCODE = 'check_violation', CONSTRAINT = 'promo_redemptions_purpose';
    END IF;
    IF change > 0 AND promo.per_user_limit < (
        SELECT count(*) FROM promo_redemptions
        WHERE promo_id = NEW.promo_id AND user_id = NEW.user_id AND state IN ('RESERVED', 'REDEEMED')
    ) THEN
        RAISE EXCEPTION 'code % is used up by this customer', promo.code
            USING ERRCODE = 'check_violation', CONSTRAINT = 'promos_per_user_limit_holds';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER promo_redemptions_are_counted AFTER INSERT OR UPDATE OF state ON promo_redemptions
    FOR EACH ROW EXECUTE FUNCTION count_promo_use();

-- The count follows the redemptions and nothing else, and what was used says for ever what it was.
CREATE FUNCTION keep_promo() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.uses <> 0 THEN
            RAISE EXCEPTION 'uses are counted, not set' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    -- Depth 1 is this trigger on somebody's own statement; the redemptions' trigger makes it 2.
    IF NEW.uses <> OLD.uses AND pg_trigger_depth() < 2 THEN
        RAISE EXCEPTION 'uses are counted, not set' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.id, NEW.code, NEW.kind, NEW.value) IS DISTINCT FROM (OLD.id, OLD.code, OLD.kind, OLD.value)
        AND EXISTS (SELECT FROM promo_redemptions WHERE promo_id = OLD.id)
    THEN
        RAISE EXCEPTION 'code % was used: code, kind and value stay', OLD.code USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER promos_follow_redemptions BEFORE INSERT OR UPDATE ON promos
    FOR EACH ROW EXECUTE FUNCTION keep_promo();
