-- An issued invoice is a document: whom it bills is kept as it was on the day of issue.

ALTER TABLE invoices
    ADD COLUMN buyer_name text,
    ADD COLUMN buyer_email text;
UPDATE invoices i SET buyer_name = u.full_name, buyer_email = u.email
FROM users u WHERE u.id = i.user_id AND i.number IS NOT NULL;

-- Kept by the database, so that a program which does not know these columns keeps them too.
CREATE FUNCTION keep_invoice_buyer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.number IS NOT NULL THEN
        IF (NEW.buyer_name, NEW.buyer_email) IS DISTINCT FROM (OLD.buyer_name, OLD.buyer_email) THEN
            RAISE EXCEPTION 'invoice % is issued and does not change', OLD.number USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF NEW.number IS NOT NULL THEN
        SELECT full_name, email INTO NEW.buyer_name, NEW.buyer_email FROM users WHERE id = NEW.user_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoices_keep_their_buyer BEFORE INSERT OR UPDATE ON invoices
    FOR EACH ROW EXECUTE FUNCTION keep_invoice_buyer();
