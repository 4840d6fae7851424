-- What a door does when it has worked on its own for as long as it may.

CREATE TABLE emergency_list (
    id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    name TEXT NOT NULL,
    limit_seconds INTEGER NOT NULL
) STRICT;
CREATE TABLE emergency_list_person (
    emergency_list BLOB NOT NULL REFERENCES emergency_list (id) ON DELETE CASCADE,
    user BLOB NOT NULL REFERENCES user (id),
    PRIMARY KEY (emergency_list, user)
) STRICT, WITHOUT ROWID;
CREATE INDEX emergency_list_person_by_user ON emergency_list_person (user);

ALTER TABLE door ADD COLUMN fail_mode TEXT NOT NULL DEFAULT 'refuse-all'
    CHECK (fail_mode IN ('emergency-list', 'refuse-all', 'keep-last-table'));
ALTER TABLE door ADD COLUMN emergency_list BLOB REFERENCES emergency_list (id)
    CHECK ((fail_mode = 'emergency-list') = (emergency_list IS NOT NULL));
CREATE INDEX door_by_emergency_list ON door (emergency_list) WHERE emergency_list IS NOT NULL;

-- A door's settings as its agent has acknowledged them, and every later version, which may have
-- reached it: by one of them it works while it is cut off. None: it is not that agent's any more.
CREATE TABLE door_version (
    agent BLOB NOT NULL REFERENCES agent (id),
    door BLOB NOT NULL,
    revision INTEGER NOT NULL,
    encoded BLOB,
    PRIMARY KEY (agent, door, revision)
) STRICT, WITHOUT ROWID;
-- Entries of kind 2 are doors.
INSERT INTO door_version (agent, door, revision, encoded)
    SELECT agent, id, revision, encoded FROM agent_entry WHERE kind = 2;
