-- Rows that a server refused for good, with its reason, for people to look at. Bounded: the oldest go.
CREATE TABLE rejected (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    sink        INTEGER NOT NULL REFERENCES sinks (id) ON DELETE CASCADE,
    rejected_at INTEGER NOT NULL,            -- unix ns
    reason      TEXT    NOT NULL,            -- the server's words
    time        INTEGER NOT NULL,            -- unix ns, of the row
    payload     BLOB    NOT NULL             -- the row, written as a frame of one
);
