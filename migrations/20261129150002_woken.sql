-- When a workflow that was lost or asleep was last started or woken.
ALTER TABLE orders ADD COLUMN woken_at timestamptz;
ALTER TABLE instances ADD COLUMN woken_at timestamptz;
ALTER TABLE refunds ADD COLUMN woken_at timestamptz;
