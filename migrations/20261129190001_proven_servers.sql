-- Which installation a server belongs to, as its tags at the vendor showed, so that it is not read again before each action. A
-- copy of the database under another installation's id reads for itself. It is a fact about one server: another one that takes
-- its place has to show it anew.
ALTER TABLE instances ADD COLUMN proven_of text;

CREATE FUNCTION forget_proven_of() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.proven_of := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER forget_proven_of BEFORE UPDATE OF provider_instance_id ON instances
    FOR EACH ROW WHEN (OLD.provider_instance_id IS DISTINCT FROM NEW.provider_instance_id)
    EXECUTE FUNCTION forget_proven_of();
