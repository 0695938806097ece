-- When a frame really was, should the clock have been wrong: the wall time of the boot (wall time less
-- monotonic time, unix ns) as the clock had it when the frame was read, and as it has it now.
ALTER TABLE frames ADD COLUMN boot_time INTEGER;     -- null: written by an older dunlin
CREATE TABLE boots (
    boot_id   TEXT    PRIMARY KEY,
    boot_time INTEGER NOT NULL
);

-- How fast a sink delivers: samples, and the seconds in which they were, both fading within a minute.
ALTER TABLE sinks ADD COLUMN recent_samples REAL NOT NULL DEFAULT 0;
ALTER TABLE sinks ADD COLUMN recent_seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE sinks ADD COLUMN recent_until   INTEGER;  -- unix ns
