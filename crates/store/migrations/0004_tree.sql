-- The log as a tree (RFC 6962): with each entry the hash of its leaf and of every subtree that it
-- completes, the smallest first, 32 bytes each. Entries that were there before are filled in by the
-- program.
ALTER TABLE log ADD COLUMN subtrees BLOB NOT NULL DEFAULT x'';

-- What the store signed about its log: the newest, and the last of each day. The columns are for
-- finding it.
CREATE TABLE checkpoint (
    epoch INTEGER NOT NULL,
    size INTEGER NOT NULL,
    at INTEGER NOT NULL,
    signed BLOB NOT NULL,
    PRIMARY KEY (epoch, size)
) STRICT, WITHOUT ROWID;

-- What each agent has seen of the log, by its own word, and since when it says that the log does not
-- go on from there.
CREATE TABLE witness (
    agent BLOB PRIMARY KEY REFERENCES agent (id),
    epoch INTEGER NOT NULL,
    nonce BLOB NOT NULL CHECK (length(nonce) = 16),
    size INTEGER NOT NULL,
    root BLOB NOT NULL CHECK (length(root) = 32),
    at INTEGER NOT NULL,
    doubted_at INTEGER
) STRICT, WITHOUT ROWID;
