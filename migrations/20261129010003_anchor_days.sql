-- Terms of a server end on one day of the month, in Jakarta: its anchor. Null for a server that a version without anchors
-- makes; then it is the day on which its term began.

ALTER TABLE instances ADD COLUMN anchor_day smallint CHECK (anchor_day BETWEEN 1 AND 31);
UPDATE instances SET anchor_day = extract(day FROM starts_at AT TIME ZONE 'Asia/Jakarta') WHERE starts_at IS NOT NULL;
