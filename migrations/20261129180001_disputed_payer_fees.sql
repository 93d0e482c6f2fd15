-- A gateway may take a payer's fee back alone, after all that was charged.
ALTER TABLE disputes
    DROP CONSTRAINT disputes_amount_check,
    ADD CONSTRAINT disputes_about_something CHECK (amount >= 0 AND amount + payer_fee > 0);
