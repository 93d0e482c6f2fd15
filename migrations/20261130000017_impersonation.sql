-- Sessions that staff open in a customer's name, to see what the customer sees.

ALTER TABLE sessions
    -- Who of the staff opened it, and by which session of their own, with which it ends.
    ADD COLUMN impersonated_by uuid REFERENCES users (id),
    ADD COLUMN impersonated_from uuid REFERENCES sessions (id) ON DELETE CASCADE,
    ADD COLUMN ends_at timestamptz,
    ADD CONSTRAINT sessions_impersonated_wholly
        CHECK (num_nulls(impersonated_by, impersonated_from, ends_at) IN (0, 3)),
    ADD CONSTRAINT sessions_impersonated_for_an_hour_at_most
        CHECK (ends_at <= created_at + interval '1 hour'),
    ADD CONSTRAINT sessions_impersonated_by_another CHECK (impersonated_by <> user_id);
COMMENT ON COLUMN sessions.impersonated_by IS
    'Of a session that staff opened in the name of `user_id`: who. It has no refresh token, ends at `ends_at`, and before that '
    'when the session `impersonated_from` does, or whoever opened it may not any more.';
CREATE INDEX sessions_impersonated_from_idx ON sessions (impersonated_from) WHERE impersonated_from IS NOT NULL;

-- Nobody refreshes it, so it can't outlive its end.
CREATE FUNCTION refuse_refreshing_an_impersonation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM sessions WHERE id = NEW.session_id AND impersonated_by IS NOT NULL) THEN
        RAISE EXCEPTION 'a session of staff in a customer''s name has no refresh token' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refresh_tokens_of_no_impersonation BEFORE INSERT ON refresh_tokens
    FOR EACH ROW EXECUTE FUNCTION refuse_refreshing_an_impersonation();

ALTER TABLE audit_log ADD COLUMN on_behalf_of uuid;
COMMENT ON COLUMN audit_log.on_behalf_of IS
    'In whose name `actor_id` acted, where it was not their own: a customer''s.';
CREATE INDEX audit_log_on_behalf_of_idx ON audit_log (on_behalf_of, at DESC) WHERE on_behalf_of IS NOT NULL;
