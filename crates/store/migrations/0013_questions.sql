-- What doors are asked: would you admit this credential now? A question goes with its answer, with
-- its credential, or when it is too old. Times are microseconds since 1970 (UTC).
CREATE TABLE question (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    agent BLOB NOT NULL REFERENCES agent (id),
    door BLOB NOT NULL,
    user BLOB NOT NULL,
    credential BLOB NOT NULL REFERENCES credential (id) ON DELETE CASCADE,
    -- The refusal it is about.
    revision INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    UNIQUE (agent, door, credential, revision)
) STRICT;
CREATE INDEX question_by_credential ON question (credential);
CREATE INDEX question_by_age ON question (asked_at);

-- What doors answered, as it came: about each refused credential the last answer of each kind.
CREATE TABLE answer (
    user BLOB NOT NULL,
    revision INTEGER NOT NULL,
    door BLOB NOT NULL,
    credential BLOB NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('refuses', 'admits', 'admits another')),
    kind TEXT NOT NULL CHECK (kind IN ('pin', 'nfc', 'plate')),
    agent BLOB NOT NULL REFERENCES agent (id),
    received_at INTEGER NOT NULL,
    reason TEXT,
    statement BLOB NOT NULL,
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    PRIMARY KEY (user, revision, door, credential, verdict),
    CHECK ((verdict = 'refuses') = (reason IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX answer_that_admits ON answer (received_at) WHERE verdict = 'admits';
