-- How doors with a contact stand, as the agents that decide for them say while they are connected.
CREATE TABLE door_position (
    door BLOB PRIMARY KEY REFERENCES door (id) ON DELETE CASCADE,
    agent BLOB NOT NULL REFERENCES agent (id),
    position TEXT NOT NULL CHECK (position IN ('closed', 'open')),
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX door_position_by_agent ON door_position (agent);

-- How a door stood when a change was decided. Null: no contact of it was heard.
ALTER TABLE confirmation ADD COLUMN position TEXT CHECK (position IN ('closed', 'open'));
