-- What customers do to their servers beyond their power: calling them off, another plan, a new password,
-- and what they are told at their first boot. Expands
-- only.

CREATE TABLE cancellations (
    id                 uuid PRIMARY KEY,
    instance_id        uuid NOT NULL REFERENCES instances (id),
    user_id            uuid NOT NULL REFERENCES users (id),
    kind               text NOT NULL CHECK (kind IN ('now', 'period_end')),
    -- When it takes effect: at once, or when the paid term ends.
    effective_at       timestamptz NOT NULL,
    -- The delete that it asked for.
    action_id          uuid REFERENCES instance_actions (id),
    -- What was not served and went to the balance.
    credited           bigint NOT NULL DEFAULT 0 CHECK (credited >= 0),
    -- Whether the term was renewed by itself before: it is so again when the cancellation is revoked.
    auto_renew_before  boolean NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    revoked_at         timestamptz,
    CONSTRAINT cancellations_now_deletes CHECK ((kind = 'now') = (action_id IS NOT NULL)),
    CONSTRAINT cancellations_credit_at_once CHECK (kind = 'now' OR credited = 0),
    CONSTRAINT cancellations_revoked_before_its_time CHECK (revoked_at IS NULL OR kind = 'period_end')
);
COMMENT ON TABLE cancellations IS
    'What customers called off: at once, with what is not served on the balance, or when the paid term ends.';
CREATE INDEX cancellations_instance_idx ON cancellations (instance_id, id DESC);
CREATE UNIQUE INDEX cancellations_one_open ON cancellations (instance_id) WHERE kind = 'period_end' AND revoked_at IS NULL;

-- A cancellation says for ever what it was; only that it was revoked is added, once.
CREATE FUNCTION keep_cancellation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.revoked_at IS NOT NULL OR (NEW.id, NEW.instance_id, NEW.user_id, NEW.kind, NEW.effective_at, NEW.action_id,
        NEW.credited, NEW.auto_renew_before, NEW.created_at)
        IS DISTINCT FROM
        (OLD.id, OLD.instance_id, OLD.user_id, OLD.kind, OLD.effective_at, OLD.action_id, OLD.credited,
         OLD.auto_renew_before, OLD.created_at)
    THEN
        RAISE EXCEPTION 'what was called off does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER cancellations_stay BEFORE UPDATE ON cancellations FOR EACH ROW EXECUTE FUNCTION keep_cancellation();
CREATE TRIGGER cancellations_never_deleted BEFORE DELETE OR TRUNCATE ON cancellations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

ALTER TABLE invoice_lines DROP CONSTRAINT invoice_lines_kind_check;
ALTER TABLE invoice_lines ADD CONSTRAINT invoice_lines_kind_check
    CHECK (kind IN ('plan', 'renewal', 'term_discount', 'promo', 'resize'));

CREATE TABLE resizes (
    id           uuid PRIMARY KEY,
    instance_id  uuid NOT NULL REFERENCES instances (id),
    user_id      uuid NOT NULL REFERENCES users (id),
    status       text NOT NULL CHECK (status IN ('OPEN', 'APPLYING', 'COMPLETED', 'FAILED', 'LAPSED')),
    from_plan_id uuid NOT NULL REFERENCES plans (id),
    to_plan_id   uuid NOT NULL REFERENCES plans (id),
    -- Rupiah a month, as they were when it was asked for.
    from_price   bigint NOT NULL CHECK (from_price > 0),
    to_price     bigint NOT NULL CHECK (to_price > 0),
    -- Whether the provider resizes only what is off: then it is shut down before, and started afterwards.
    stops_server boolean NOT NULL,
    -- The end of the paid term that the difference is for. If that moves before it is paid, it is not to be had any more.
    term_ends_at timestamptz NOT NULL,
    -- The bill over the difference; null where nothing is to be paid.
    invoice_id   uuid REFERENCES invoices (id) UNIQUE,
    lapses_at    timestamptz NOT NULL,
    -- Since when the server's actions have it, and which of them it is.
    starts_at    timestamptz,
    action_id    uuid REFERENCES instance_actions (id) UNIQUE,
    -- What went to the balance: the difference to a cheaper plan, or what was paid for one that failed.
    credited     bigint NOT NULL DEFAULT 0 CHECK (credited >= 0),
    created_at   timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    CONSTRAINT resizes_to_another_plan CHECK (from_plan_id <> to_plan_id),
    CONSTRAINT resizes_at_work CHECK ((status IN ('OPEN', 'LAPSED')) = (action_id IS NULL)
        AND (action_id IS NULL) = (starts_at IS NULL)),
    CONSTRAINT resizes_ended CHECK ((status IN ('COMPLETED', 'FAILED', 'LAPSED')) = (ended_at IS NOT NULL)),
    CONSTRAINT resizes_credit_at_the_end CHECK (credited = 0 OR status IN ('COMPLETED', 'FAILED'))
);
COMMENT ON TABLE resizes IS
    'Another plan for a server within its paid term: what the difference costs, and what became of it.';
CREATE INDEX resizes_instance_idx ON resizes (instance_id, id DESC);
CREATE UNIQUE INDEX resizes_one_under_way ON resizes (instance_id) WHERE status IN ('OPEN', 'APPLYING');
CREATE INDEX resizes_open_idx ON resizes (lapses_at) WHERE status = 'OPEN';

CREATE TABLE resize_transitions (
    from_status text NOT NULL,
    to_status   text NOT NULL,
    PRIMARY KEY (from_status, to_status)
);
COMMENT ON TABLE resize_transitions IS
    'The arrows that a resize may take: those of domain::resize::ResizeStatus::may_become.';
INSERT INTO resize_transitions (from_status, to_status) VALUES
    ('OPEN', 'APPLYING'),
    ('OPEN', 'LAPSED'),
    ('APPLYING', 'COMPLETED'),
    ('APPLYING', 'FAILED');

CREATE FUNCTION keep_resize() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'OPEN' THEN
            RAISE EXCEPTION 'a resize begins as OPEN, not %', NEW.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'resizes_transition_legal';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.instance_id, NEW.user_id, NEW.from_plan_id, NEW.to_plan_id, NEW.from_price, NEW.to_price,
        NEW.stops_server, NEW.term_ends_at, NEW.invoice_id, NEW.lapses_at, NEW.created_at)
        IS DISTINCT FROM
        (OLD.id, OLD.instance_id, OLD.user_id, OLD.from_plan_id, OLD.to_plan_id, OLD.from_price, OLD.to_price,
         OLD.stops_server, OLD.term_ends_at, OLD.invoice_id, OLD.lapses_at, OLD.created_at)
        OR OLD.action_id IS NOT NULL AND (NEW.action_id, NEW.starts_at) IS DISTINCT FROM (OLD.action_id, OLD.starts_at)
    THEN
        RAISE EXCEPTION 'what a resize is about does not change' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.status = OLD.status AND NEW IS DISTINCT FROM OLD OR NEW.status <> OLD.status AND NOT EXISTS (
        SELECT FROM resize_transitions WHERE from_status = OLD.status AND to_status = NEW.status
    ) THEN
        RAISE EXCEPTION 'a resize does not go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'resizes_transition_legal';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER resizes_transition_legal BEFORE INSERT OR UPDATE ON resizes
    FOR EACH ROW EXECUTE FUNCTION keep_resize();
CREATE TRIGGER resizes_never_deleted BEFORE DELETE OR TRUNCATE ON resizes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE password_resets (
    action_id       uuid PRIMARY KEY REFERENCES instance_actions (id),
    -- As in instance_credentials, where it goes when the action is done.
    sealed_password bytea NOT NULL,
    key_id          text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE password_resets IS
    'New root passwords, encrypted, while the providers are told of them: every try tells the same one.';

CREATE TABLE order_user_data (
    order_id   uuid PRIMARY KEY REFERENCES orders (id),
    -- AES-256-GCM under the key of `key_id`, bound to the order's id: nonce, ciphertext, tag.
    sealed     bytea NOT NULL,
    key_id     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE order_user_data IS
    'What customers want their servers told at the first boot, encrypted: it may hold secrets. It goes with the server.';
