-- What an account has begun without paying is counted before it may begin more.

CREATE INDEX orders_unpaid_idx ON orders (user_id) WHERE status = 'PENDING_PAYMENT';
CREATE INDEX payments_open_deposits_idx ON payments (user_id)
    WHERE deposit_id IS NOT NULL AND status IN ('PENDING', 'UNKNOWN');
CREATE INDEX payment_proofs_sender_idx ON payment_proofs (uploaded_by, uploaded_at);
