-- Doors that work on their own for longer, until a moment.
CREATE TABLE longer_limit (
    door BLOB PRIMARY KEY REFERENCES door (id) ON DELETE CASCADE,
    lease_seconds INTEGER NOT NULL,
    until_at INTEGER NOT NULL,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX longer_limit_by_end ON longer_limit (until_at);

-- When agents were not heard and then heard again, for what a shorter time on its own would have
-- meant. Ninety days, and the latest thousand of an agent.
CREATE TABLE outage (
    agent BLOB NOT NULL REFERENCES agent (id),
    from_at INTEGER NOT NULL,
    until_at INTEGER NOT NULL CHECK (until_at > from_at),
    PRIMARY KEY (agent, from_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX outage_by_end ON outage (until_at);

-- Since when all of an agent's are on record. What goes on at this moment is.
ALTER TABLE contact ADD COLUMN outages_since INTEGER NOT NULL DEFAULT 0;
UPDATE contact SET outages_since = heard_at;
