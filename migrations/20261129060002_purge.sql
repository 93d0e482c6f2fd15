-- What serves nobody any more is deleted, oldest first.

CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);
CREATE INDEX outbox_delivered_idx ON outbox (dispatched_at) WHERE dispatched_at IS NOT NULL;
CREATE INDEX refresh_tokens_expiry_idx ON refresh_tokens (expires_at);
