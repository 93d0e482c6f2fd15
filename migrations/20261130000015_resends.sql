-- Which time a delivery is being sent: staff may have it sent once more, and what still runs of an earlier time must neither
-- swallow that nor end it.
ALTER TABLE notification_deliveries ADD COLUMN resends integer NOT NULL DEFAULT 0
    CONSTRAINT notification_deliveries_resends_counted CHECK (resends >= 0);
