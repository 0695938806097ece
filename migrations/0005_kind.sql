-- How the payload of a frame is to be read, before it in the row, so that whoever asks need not read the payload:
--   0   rows of a tick, written alone
--   1   events, which are never thinned, written alone
--   2   rows of a tick, on which the frames behind it may stand
--  -n   rows of a tick, written as what is different in frame seq - n, which stays as long as this one does
ALTER TABLE frames RENAME COLUMN events TO kind;
