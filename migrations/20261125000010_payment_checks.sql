-- Asking gateways about payments that wait for too long, and notifications that a gateway does not confirm.

-- When the gateway was last asked by us what became of the attempt.
ALTER TABLE payments ADD COLUMN checked_at timestamptz;
-- Attempts that we called off may be paid at the gateway all the same until their time there is over.
CREATE INDEX payments_called_off_idx ON payments (expires_at) WHERE status = 'CANCELLED' AND gateway IS NOT NULL;

ALTER TABLE webhook_events DROP CONSTRAINT webhook_events_outcome_check;
ALTER TABLE webhook_events ADD CONSTRAINT webhook_events_outcome_check
    CHECK (outcome IN ('APPLIED', 'IGNORED', 'MISMATCH', 'BAD_SIGNATURE', 'UNKNOWN_PAYMENT', 'UNCONFIRMED'));
-- Both come from whoever likes to send them: how many of late, so that they can be kept within bounds.
DROP INDEX webhook_events_bad_signature_idx;
CREATE INDEX webhook_events_unbelieved_idx ON webhook_events (outcome, received_at)
    WHERE outcome IN ('BAD_SIGNATURE', 'UNCONFIRMED');
