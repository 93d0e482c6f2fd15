-- What an invoice's tax was computed on always stands on it, and a server has a term or none. The rows of before are
-- filled with what the program has read in the place of what they lack.

-- An issued invoice does not change, and says nothing else after this than it has said.
ALTER TABLE invoices DISABLE TRIGGER invoices_issued_is_final;
UPDATE invoices SET tax_base = subtotal - discount WHERE tax_base IS NULL;
ALTER TABLE invoices ENABLE TRIGGER invoices_issued_is_final;
ALTER TABLE invoices ALTER COLUMN tax_base SET NOT NULL;
COMMENT ON COLUMN invoices.tax_base IS 'What the tax was computed on, rounded for the eye.';

-- The day on which the first term began. A later term that does not lie on it is counted from its own begin.
UPDATE instances SET anchor_day = extract(day FROM starts_at AT TIME ZONE 'Asia/Jakarta')
WHERE anchor_day IS NULL AND starts_at IS NOT NULL;
ALTER TABLE instances ADD CONSTRAINT instances_term_is_whole CHECK (((starts_at IS NULL) = (expires_at IS NULL))
    AND ((starts_at IS NULL) = (anchor_day IS NULL)));
