-- PPN may be on a part of the price: rate and base change by date together.

ALTER TABLE tax_rates
    ADD COLUMN base_numerator integer NOT NULL DEFAULT 1 CHECK (base_numerator >= 0),
    ADD COLUMN base_denominator integer NOT NULL DEFAULT 1 CHECK (base_denominator > 0);

-- What the tax was computed on, rounded for the eye; null on invoices from before: the whole price.
ALTER TABLE invoices ADD COLUMN tax_base bigint CHECK (tax_base >= 0);
