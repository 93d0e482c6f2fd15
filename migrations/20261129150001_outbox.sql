-- What is paid goes before what is not, and nothing is tried without end: what fails for good waits for staff.

ALTER TABLE outbox
    -- Who waits for it, as its writer knew. Rows are taken in the words' alphabetical order.
    ADD COLUMN class    text NOT NULL DEFAULT 'PAID'
        CONSTRAINT outbox_class_known CHECK (class IN ('PAID', 'ROUTINE', 'UNPAID')),
    -- Deliveries that failed by the message's own fault. An engine that is away is nobody's.
    ADD COLUMN failures integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    -- Since when it is not tried any more.
    ADD COLUMN dead_at  timestamptz,
    -- Staff decided that it need not be delivered. `dispatched_at` says when.
    ADD COLUMN skipped  boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT outbox_skipped_is_over CHECK (NOT skipped OR dispatched_at IS NOT NULL);

UPDATE outbox SET class = CASE WHEN kind = 'start_order' THEN 'UNPAID' ELSE 'ROUTINE' END
WHERE dispatched_at IS NULL AND kind IN ('start_order', 'order_closed', 'sync_catalog', 'reconcile', 'check_ledger');

-- In the order in which they are taken: what never failed before what did.
CREATE INDEX outbox_due_idx ON outbox (class, failures, id) WHERE dispatched_at IS NULL AND dead_at IS NULL;
CREATE INDEX outbox_dead_idx ON outbox (id) WHERE dispatched_at IS NULL AND dead_at IS NOT NULL;
