-- The spool: frames, and how far each sink has come with them.

-- One frame holds the rows of one tick (or some events). seq only ever rises.
CREATE TABLE frames (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    tick         INTEGER NOT NULL,            -- floor(unix time / interval)
    first_time   INTEGER NOT NULL,            -- unix ns, of its oldest row
    last_time    INTEGER NOT NULL,            -- unix ns, of its newest row
    samples      INTEGER NOT NULL,
    events       INTEGER NOT NULL,            -- 1: events, which are never thinned
    boot_id      TEXT    NOT NULL,            -- with monotonic_ns: when it really was, should the clock be wrong
    monotonic_ns INTEGER NOT NULL,
    payload      BLOB    NOT NULL             -- see spool/frame.rs
);

-- One row per sink, by the name the user gave it. The counters are samples, and at every commit
-- collected = filtered + delivered + pending + rejected + expired + thinned + dropped.
CREATE TABLE sinks (
    id            INTEGER PRIMARY KEY,
    name          TEXT    NOT NULL UNIQUE,
    active        INTEGER NOT NULL DEFAULT 1, -- 0: no longer configured; its backlog stays until it is too old
    collected     INTEGER NOT NULL DEFAULT 0,
    filtered      INTEGER NOT NULL DEFAULT 0,
    delivered     INTEGER NOT NULL DEFAULT 0,
    rejected      INTEGER NOT NULL DEFAULT 0,
    expired       INTEGER NOT NULL DEFAULT 0,
    thinned       INTEGER NOT NULL DEFAULT 0,
    dropped       INTEGER NOT NULL DEFAULT 0,
    last_delivery INTEGER,                    -- unix ns
    last_error    TEXT,                       -- null while all is well
    next_try      INTEGER                     -- unix ns
);

-- What a sink has not settled yet: frames first..last (last null: and all that are still to come),
-- without the first `skip` samples of frame `first`. Frames that are gone count for nothing.
CREATE TABLE pending (
    sink  INTEGER NOT NULL REFERENCES sinks (id) ON DELETE CASCADE,
    first INTEGER NOT NULL,
    skip  INTEGER NOT NULL DEFAULT 0,
    last  INTEGER,
    PRIMARY KEY (sink, first)
) WITHOUT ROWID;
