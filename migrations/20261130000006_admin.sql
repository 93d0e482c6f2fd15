-- What staff decide about the catalog, and news to customers. Expands only.

-- Since when names, costs and the like are staff's: a seed leaves them alone then.
ALTER TABLE plans ADD COLUMN edited_at timestamptz;
ALTER TABLE regions ADD COLUMN edited_at timestamptz;
ALTER TABLE images ADD COLUMN edited_at timestamptz;

-- A plan that the provider can't deliver is not put on sale: what was on sale when it vanished stays marked so.
CREATE FUNCTION refuse_to_sell_what_is_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the plan % is not to be had: %', NEW.slug, NEW.unavailable_reason
        USING ERRCODE = 'check_violation', CONSTRAINT = 'plans_on_sale_are_to_be_had';
END $$;
CREATE TRIGGER plans_on_sale_are_to_be_had BEFORE UPDATE OF is_active ON plans
    FOR EACH ROW WHEN (new.is_active AND NOT old.is_active AND new.unavailable_since IS NOT NULL)
    EXECUTE FUNCTION refuse_to_sell_what_is_gone();

CREATE TABLE announcements (
    id           uuid PRIMARY KEY,
    title        text NOT NULL CHECK (title <> '' AND length(title) <= 255),
    message      text NOT NULL CHECK (message <> ''),
    -- Whom it is for; null does not restrict. Provider and region are those of a server that is active.
    provider_id  uuid REFERENCES providers (id),
    region_id    uuid REFERENCES regions (id),
    language     text CHECK (language IN ('id', 'en')),
    publish_at   timestamptz NOT NULL,
    created_by   uuid NOT NULL REFERENCES users (id),
    created_at   timestamptz NOT NULL DEFAULT now(),
    cancelled_at timestamptz,
    -- How far it is told: when that began and to how many, the last one told, how many parts and people that were, and
    -- when all were.
    begun_at     timestamptz,
    recipients   bigint CHECK (recipients >= 0),
    told_up_to   uuid,
    parts        integer NOT NULL DEFAULT 0 CHECK (parts >= 0),
    delivered    bigint NOT NULL DEFAULT 0 CHECK (delivered >= 0),
    delivered_at timestamptz,
    CONSTRAINT announcements_told_or_cancelled CHECK (cancelled_at IS NULL OR begun_at IS NULL),
    CONSTRAINT announcements_told_in_order CHECK ((begun_at IS NULL) = (recipients IS NULL)
        AND (begun_at IS NOT NULL OR (parts = 0 AND told_up_to IS NULL AND delivered_at IS NULL)))
);
COMMENT ON TABLE announcements IS
    'News from us to customers, as they were written, and how far they are told: part by part, each an event.';
CREATE INDEX announcements_open_idx ON announcements (publish_at) WHERE delivered_at IS NULL AND cancelled_at IS NULL;
CREATE INDEX announcements_title_idx ON announcements (title, id);

-- What was published stays as it was, and is told once.
CREATE FUNCTION keep_announcement() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.title, NEW.message, NEW.provider_id, NEW.region_id, NEW.language, NEW.publish_at)
        IS DISTINCT FROM (OLD.title, OLD.message, OLD.provider_id, OLD.region_id, OLD.language, OLD.publish_at)
        OR NEW.parts < OLD.parts OR NEW.delivered < OLD.delivered
        OR (OLD.cancelled_at IS NOT NULL AND NEW.cancelled_at IS DISTINCT FROM OLD.cancelled_at)
        OR (OLD.delivered_at IS NOT NULL AND NEW.delivered_at IS DISTINCT FROM OLD.delivered_at)
    THEN
        RAISE EXCEPTION 'an announcement stays as it was written'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'announcements_stay';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER announcements_stay BEFORE UPDATE ON announcements FOR EACH ROW EXECUTE FUNCTION keep_announcement();
CREATE TRIGGER announcements_never_deleted BEFORE DELETE OR TRUNCATE ON announcements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Whom an announcement is for: customers who were there when it was published. As one statement, so that it is planned within the
-- query that asks.
CREATE FUNCTION announcement_readers(a announcements) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    SELECT u.id FROM users u
    WHERE u.role = 'customer' AND u.suspended_at IS NULL AND u.created_at <= a.publish_at
      AND (a.language IS NULL OR u.language = a.language)
      AND ((a.provider_id IS NULL AND a.region_id IS NULL)
           OR EXISTS (SELECT FROM instances i WHERE i.user_id = u.id AND i.status = 'ACTIVE'
                      AND (a.provider_id IS NULL OR i.provider_id = a.provider_id)
                      AND (a.region_id IS NULL OR i.region_id = a.region_id)))
$$;
