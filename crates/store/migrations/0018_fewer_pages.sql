-- A change writes every page that it touches twice, into the write-ahead log and out of it again, so
-- what it touches is kept close together.

-- An entry of a person and the ruling about them lie side by side.
CREATE TABLE agent_entry_by_id (
    agent BLOB NOT NULL REFERENCES agent (id),
    kind INTEGER NOT NULL,
    id BLOB NOT NULL,
    revision INTEGER NOT NULL,
    encoded BLOB,
    PRIMARY KEY (agent, id, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO agent_entry_by_id (agent, kind, id, revision, encoded)
    SELECT agent, kind, id, revision, encoded FROM agent_entry ORDER BY agent, id, kind;
DROP TABLE agent_entry;
ALTER TABLE agent_entry_by_id RENAME TO agent_entry;
CREATE INDEX agent_entry_by_revision ON agent_entry (agent, revision);

-- With the chain of its key a checkpoint is too long for a row without a number of its own: it had a
-- page elsewhere, which was given back and taken again with every change.
CREATE TABLE numbered_checkpoint (
    number INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    size INTEGER NOT NULL,
    at INTEGER NOT NULL,
    signed BLOB NOT NULL
) STRICT;
INSERT INTO numbered_checkpoint (epoch, size, at, signed)
    SELECT epoch, size, at, signed FROM checkpoint ORDER BY epoch, size;
DROP TABLE checkpoint;
ALTER TABLE numbered_checkpoint RENAME TO checkpoint;

-- What one index finds need not be in a second.
DROP INDEX log_by_subject;
DROP INDEX log_by_kind;
CREATE INDEX log_of_refused_pins ON log (actor, actor_id, at) WHERE kind = 'credential.pin-refused';
DROP INDEX confirmation_open;
DROP INDEX confirmation_waiting;
CREATE INDEX confirmation_waiting ON confirmation (agent, what, revision)
    WHERE confirmed_at IS NULL;
-- Commands of long ago are looked for once an hour.
DROP INDEX command_by_age;
