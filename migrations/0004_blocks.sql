-- Frames that have waited for minutes, many as one. Their rows in `frames` stay, with an empty payload: a frame
-- without a payload is in the block whose numbers enclose its own.
CREATE TABLE blocks (
    first   INTEGER PRIMARY KEY, -- frames.seq of its first and its last frame; blocks never overlap
    last    INTEGER NOT NULL,
    frames  INTEGER NOT NULL,
    payload BLOB    NOT NULL     -- see spool/block.rs
);
