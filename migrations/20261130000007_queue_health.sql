-- How the task queues are, as the engine described them last. The API does not call the engine: whoever dispatches looks,
-- every few seconds, one process at a time, and this is what it saw.

CREATE TABLE queue_looks (
    singleton boolean DEFAULT true PRIMARY KEY CHECK (singleton),
    begun_at  timestamptz NOT NULL,
    seen_at   timestamptz,
    problem   text CHECK (length(problem) BETWEEN 1 AND 1000)
);
COMMENT ON TABLE queue_looks IS
    'When somebody began to look at the task queues, when what stands in task_queues and worker_versions was seen, and why '
    'the last look saw nothing, if so.';
INSERT INTO queue_looks (begun_at) VALUES ('-infinity');

CREATE TABLE task_queues (
    queue          text NOT NULL,
    tasks          text NOT NULL CHECK (tasks IN ('WORKFLOW', 'ACTIVITY')),
    backlog        bigint NOT NULL CHECK (backlog >= 0),
    oldest_seconds double precision NOT NULL CHECK (oldest_seconds >= 0),
    polled_at      timestamptz[] NOT NULL,
    PRIMARY KEY (queue, tasks)
);
COMMENT ON COLUMN task_queues.polled_at IS
    'When each process that asked for tasks lately last did, by the engine''s clock.';

CREATE TABLE worker_versions (
    build_id  text PRIMARY KEY,
    status    text NOT NULL CHECK (status IN ('CURRENT', 'RAMPING', 'DRAINING', 'DRAINED', 'INACTIVE')),
    open_runs bigint NOT NULL CHECK (open_runs >= 0),
    polled_at timestamptz[] NOT NULL
);
