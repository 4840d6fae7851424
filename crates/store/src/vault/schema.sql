-- The keys of people's sealed details, and who was erased. Times are microseconds since 1970 (UTC).

CREATE TABLE wrapping (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    -- The file wrapping-<number>.key holds the key that everything below is wrapped by.
    number INTEGER NOT NULL,
    since INTEGER NOT NULL,
    -- The key under which what was given up (PINs, lost cards) is hashed.
    blinding BLOB NOT NULL
) STRICT;

CREATE TABLE person_key (
    kind TEXT NOT NULL CHECK (kind IN ('user', 'operator')),
    person BLOB NOT NULL CHECK (length(person) = 16),
    wrapped BLOB NOT NULL,
    PRIMARY KEY (kind, person)
) STRICT, WITHOUT ROWID;

-- Nothing leaves this list: a database from before an erasure is told by it.
CREATE TABLE erasure (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('user', 'operator')),
    person BLOB NOT NULL CHECK (length(person) = 16),
    at INTEGER NOT NULL,
    UNIQUE (kind, person)
) STRICT;
CREATE TRIGGER erasure_stays BEFORE DELETE ON erasure BEGIN
    SELECT raise(ABORT, 'the list of erasures is only added to');
END;
CREATE TRIGGER erasure_stays_as_it_is BEFORE UPDATE ON erasure BEGIN
    SELECT raise(ABORT, 'the list of erasures is only added to');
END;
