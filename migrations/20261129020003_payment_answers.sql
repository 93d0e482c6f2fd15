-- That a gateway was asked is not that it answered: only an answer ends the asking.

-- When the gateway, on being asked, named the end of the attempt.
ALTER TABLE payments ADD COLUMN answered_at timestamptz;
-- Since when something is told of the attempt that its gateway could not be asked about.
ALTER TABLE payments ADD COLUMN doubted_at timestamptz;
-- When people were told that its gateway never said what became of it.
ALTER TABLE payments ADD COLUMN given_up_at timestamptz;

-- Nobody asks about these any more, and nobody is to be told of all of them at once.
UPDATE payments SET given_up_at = now() WHERE gateway IS NOT NULL AND created_at < now() - interval '30 days';

-- Attempts that are closed here may be paid at the gateway all the same until their time there is over.
DROP INDEX payments_called_off_idx;
CREATE INDEX payments_unanswered_idx ON payments (created_at)
    WHERE gateway IS NOT NULL AND answered_at IS NULL AND given_up_at IS NULL
      AND status IN ('CANCELLED', 'EXPIRED', 'DENIED');
CREATE INDEX payments_doubted_idx ON payments (doubted_at) WHERE doubted_at IS NOT NULL;
