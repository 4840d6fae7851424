-- The backups this store was restored from. Times are microseconds since 1970 (UTC).
CREATE TABLE restore (
    -- The change that noted it.
    revision INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    -- When the backup was made, in which epoch, and the last change in it.
    made_at INTEGER NOT NULL,
    epoch_counter INTEGER NOT NULL,
    epoch_nonce BLOB NOT NULL CHECK (length(epoch_nonce) = 16),
    last INTEGER NOT NULL,
    UNIQUE (epoch_counter, epoch_nonce)
) STRICT;

-- Agents show a restored store what it has forgotten, and are who did it then. A CHECK says nothing
-- about what is stored, so the text of the schema is all there is to change
-- (https://www.sqlite.org/lang_altertable.html#otheralter).
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, '''joining-agent'')', '''joining-agent'', ''testifying-agent'')') WHERE type = 'table' AND name = 'log';
PRAGMA writable_schema = RESET;
