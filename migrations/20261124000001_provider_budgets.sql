-- The vendors' rate limits, shared by all processes, and whether a vendor is out of order.

-- One line of calls per provider account and lane: see docs/adr/0015-rate-budget.md.
CREATE TABLE provider_budgets (
    provider       text NOT NULL,
    lane           text NOT NULL,
    -- Theoretical arrival time: where the line of places given out ends.
    tat            timestamptz NOT NULL DEFAULT now(),
    -- The limit that the vendor's headers told, where it differs from what is known of the vendor.
    observed_limit integer CHECK (observed_limit > 0),
    PRIMARY KEY (provider, lane)
);

-- Calls per minute, for windows that are too long to be paced evenly. Rows older than the longest window go.
CREATE TABLE provider_call_minutes (
    provider text NOT NULL,
    lane     text NOT NULL,
    minute   timestamptz NOT NULL,
    calls    integer NOT NULL CHECK (calls > 0),
    PRIMARY KEY (provider, lane, minute)
);

CREATE TABLE provider_circuits (
    provider      text PRIMARY KEY,
    state         text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'half_open', 'open')),
    since         timestamptz NOT NULL DEFAULT now(),
    -- Failed calls in a row, and when the first of them failed.
    failures      integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    -- How often it opened in a row: the cool-down doubles.
    openings      integer NOT NULL DEFAULT 0,
    -- Open: when a call may try whether the vendor is back. Half open: when to try with another one.
    retry_at      timestamptz,
    CONSTRAINT provider_circuits_open_has_end CHECK (state = 'closed' OR retry_at IS NOT NULL)
);
