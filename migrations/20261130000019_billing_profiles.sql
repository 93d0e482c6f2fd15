-- Whom invoices bill, where customers say more than their name; and by which clock people read.

CREATE TABLE billing_profiles (
    user_id       uuid PRIMARY KEY REFERENCES users (id),
    kind          text NOT NULL CHECK (kind IN ('PERSON', 'COMPANY')),
    name          text NOT NULL,
    tax_id        text CHECK (tax_id ~ '^[0-9]{16}$'),
    street        text NOT NULL,
    city          text NOT NULL,
    province      text NOT NULL,
    postal_code   text NOT NULL CHECK (postal_code ~ '^[1-9][0-9]{4}$'),
    invoice_email text,
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT billing_profiles_companies_have_a_tax_id CHECK (kind = 'PERSON' OR tax_id IS NOT NULL)
);
COMMENT ON TABLE billing_profiles IS
    'Whom the invoices of a customer bill from now on. An issued invoice keeps its buyer as of its day.';
COMMENT ON COLUMN billing_profiles.tax_id IS 'NPWP or NIK: personal data, on papers only.';

ALTER TABLE invoices
    ADD COLUMN buyer_kind text CHECK (buyer_kind IN ('PERSON', 'COMPANY')),
    ADD COLUMN buyer_tax_id text,
    ADD COLUMN buyer_address text;
COMMENT ON COLUMN invoices.buyer_kind IS 'As of the day of issue; null where the customer had said no more than their name.';
COMMENT ON COLUMN invoices.buyer_address IS 'Lines as they stand on the paper.';

CREATE OR REPLACE FUNCTION keep_invoice_buyer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.number IS NOT NULL THEN
        IF (NEW.buyer_name, NEW.buyer_email, NEW.buyer_kind, NEW.buyer_tax_id, NEW.buyer_address)
            IS DISTINCT FROM (OLD.buyer_name, OLD.buyer_email, OLD.buyer_kind, OLD.buyer_tax_id, OLD.buyer_address)
        THEN
            RAISE EXCEPTION 'invoice % is issued and does not change', OLD.number USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF NEW.number IS NOT NULL THEN
        SELECT coalesce(b.name, u.full_name), coalesce(b.invoice_email, u.email), b.kind, b.tax_id,
               b.street || E'\n' || b.city || ' ' || b.postal_code || E'\n' || b.province
        INTO NEW.buyer_name, NEW.buyer_email, NEW.buyer_kind, NEW.buyer_tax_id, NEW.buyer_address
        FROM users u LEFT JOIN billing_profiles b ON b.user_id = u.id WHERE u.id = NEW.user_id;
    END IF;
    RETURN NEW;
END $$;

ALTER TABLE users ADD COLUMN time_zone text NOT NULL DEFAULT 'Asia/Jakarta'
    CHECK (time_zone IN ('Asia/Jakarta', 'Asia/Makassar', 'Asia/Jayapura'));
COMMENT ON COLUMN users.time_zone IS 'By which clock notifications tell times. Papers and terms are Jakarta''s.';

-- Links in old mails are purged, the oldest first.
CREATE INDEX unsubscribe_tokens_created_idx ON unsubscribe_tokens (created_at);
