-- Notifications with a wrong signature come from anybody: how many of late, so that they can be kept within bounds.
CREATE INDEX webhook_events_bad_signature_idx ON webhook_events (received_at) WHERE outcome = 'BAD_SIGNATURE';
