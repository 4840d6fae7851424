-- What entries say, by whom it is about: salt and text, sealed under a key of that person's that is
-- not in this file. Erased, only the commitment is left, so that the entry's hash can be checked.
CREATE TABLE log_payload (
    revision INTEGER NOT NULL REFERENCES log (revision),
    position INTEGER NOT NULL,
    commitment BLOB NOT NULL CHECK (length(commitment) = 32),
    about TEXT CHECK (about IN ('user', 'operator')),
    about_id BLOB CHECK (length(about_id) = 16),
    content BLOB,
    erased_at INTEGER,
    PRIMARY KEY (revision, position),
    CHECK ((about IS NULL) = (about_id IS NULL)),
    CHECK ((content IS NULL) = (erased_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX log_payload_by_person ON log_payload (about_id, about) WHERE about_id IS NOT NULL;

-- What nobody may have: hashes under a key that is not in this file. What was there goes into them,
-- and then away.
ALTER TABLE retired_pin RENAME TO plain_retired_pin;
ALTER TABLE burned_card RENAME TO plain_burned_card;
CREATE TABLE retired_pin (pin BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE burned_card (card BLOB PRIMARY KEY) STRICT, WITHOUT ROWID;

-- Keys of people who were erased, until the vault says that it has destroyed them.
CREATE TABLE key_to_destroy (
    kind TEXT NOT NULL CHECK (kind IN ('user', 'operator')),
    id BLOB NOT NULL CHECK (length(id) = 16),
    at INTEGER NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
