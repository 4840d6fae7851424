-- When what was left of a removed person was erased. Whoever was removed so far was erased with it.
ALTER TABLE user ADD COLUMN erased_at INTEGER;
UPDATE user SET erased_at = removed_at WHERE status = 'removed';

-- Removed people who are not erased yet: name and contacts, sealed under their key.
CREATE TABLE awaiting_erasure (
    user BLOB PRIMARY KEY REFERENCES user (id),
    due_at INTEGER NOT NULL,
    profile BLOB NOT NULL,
    held_at INTEGER,
    held_by TEXT,
    held_by_id BLOB,
    CHECK ((held_at IS NULL) = (held_by IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX awaiting_erasure_by_date ON awaiting_erasure (due_at, user);

-- How long things are kept, in days.
ALTER TABLE store ADD COLUMN erasure_wait_days INTEGER NOT NULL DEFAULT 0;
ALTER TABLE store ADD COLUMN door_event_days INTEGER NOT NULL DEFAULT 90;
