-- Which alerts operators chose to be sent: a row for every kind once they chose.
CREATE TABLE alert_choice (
    operator BLOB NOT NULL REFERENCES operator (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    wanted INTEGER NOT NULL CHECK (wanted IN (0, 1)),
    PRIMARY KEY (operator, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX alert_choice_wanted ON alert_choice (kind) WHERE wanted = 1;

-- The last silence of an agent or door that was told of. Times are microseconds since 1970 (UTC).
CREATE TABLE alert_told (
    kind TEXT NOT NULL,
    subject BLOB NOT NULL CHECK (length(subject) = 16),
    since INTEGER NOT NULL,
    PRIMARY KEY (kind, subject)
) STRICT, WITHOUT ROWID;

-- The last tries of a person who was taken out at a door that are told together. 'due_at': when those
-- after the first are told.
CREATE TABLE stopped_tries (
    user BLOB NOT NULL REFERENCES user (id),
    door BLOB NOT NULL,
    credential BLOB NOT NULL,
    presented TEXT NOT NULL CHECK (presented IN ('pin', 'nfc', 'plate')),
    why TEXT NOT NULL CHECK (why IN ('deactivated', 'access-ended', 'reported-lost')),
    first_at INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    count INTEGER NOT NULL,
    due_at INTEGER,
    PRIMARY KEY (user, door)
) STRICT, WITHOUT ROWID;
CREATE INDEX stopped_tries_due ON stopped_tries (due_at) WHERE due_at IS NOT NULL;

-- How many alerts of a kind somebody was sent lately.
DROP INDEX outbox_by_recipient;
CREATE INDEX outbox_by_recipient ON outbox (recipient_folded, kind, created_at);
