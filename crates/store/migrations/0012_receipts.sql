-- What agents signed, in the order in which it came. A revision belongs to an epoch, and of one
-- table an agent may sign more than once, with other refusals held above it.
ALTER TABLE acknowledgement RENAME TO acknowledgement_without_epoch;
CREATE TABLE acknowledgement (
    number INTEGER PRIMARY KEY,
    agent BLOB NOT NULL REFERENCES agent (id),
    epoch_counter INTEGER NOT NULL,
    epoch_nonce BLOB NOT NULL CHECK (length(epoch_nonce) = 16),
    revision INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    statement BLOB NOT NULL,
    signature BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;
-- Those of before a restore are of the epoch that was restored.
INSERT INTO acknowledgement
    (agent, epoch_counter, epoch_nonce, revision, received_at, statement, signature)
    SELECT a.agent, coalesce(r.epoch_counter, s.epoch_counter),
           coalesce(r.epoch_nonce, s.epoch_nonce), a.revision, a.received_at, a.statement,
           a.signature
    FROM store s CROSS JOIN acknowledgement_without_epoch a
    LEFT JOIN restore r ON r.revision = (
        SELECT min(later.revision) FROM restore later WHERE later.at > a.received_at)
    ORDER BY a.received_at, a.agent, a.revision;
DROP TABLE acknowledgement_without_epoch;
CREATE INDEX acknowledgement_by_agent
    ON acknowledgement (agent, epoch_counter, epoch_nonce, revision);

-- By which of them a door confirmed; and since when it refuses by its time limit, for certain, until
-- its lease is renewed.
ALTER TABLE confirmation ADD COLUMN receipt INTEGER REFERENCES acknowledgement (number);
ALTER TABLE confirmation ADD COLUMN ended_at INTEGER;
UPDATE confirmation SET receipt = (
    SELECT min(a.number) FROM acknowledgement a WHERE a.agent = confirmation.agent
    AND a.received_at = confirmation.confirmed_at AND a.revision >= confirmation.revision)
    WHERE confirmed_at IS NOT NULL;
CREATE INDEX confirmation_by_receipt ON confirmation (receipt) WHERE receipt IS NOT NULL;

-- When the last renewal was answered, by a clock that nobody sets: which start of the machine, and
-- microseconds since then. None: not by this server.
ALTER TABLE contact ADD COLUMN renewed_boot BLOB CHECK (length(renewed_boot) = 16);
ALTER TABLE contact ADD COLUMN renewed_since_boot INTEGER
    CHECK ((renewed_since_boot IS NULL) = (renewed_boot IS NULL));

-- When this server was started, by the same clock. Limits of renewals before that are counted from
-- here.
CREATE TABLE serving (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    boot BLOB NOT NULL CHECK (length(boot) = 16),
    since_boot INTEGER NOT NULL
) STRICT;
