-- People and credentials about whom the last word is an admission, and the change that said it. A
-- door that comes to know them is told, because it may still hold a refusal from before.
CREATE TABLE readmission (
    -- The random id of the person or the credential.
    subject BLOB PRIMARY KEY CHECK (length(subject) = 16),
    revision INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Agents whose table was not the one that it should have been at that change; the last time of each,
-- and when they acknowledged the right one after that.
CREATE TABLE disagreement (
    agent BLOB PRIMARY KEY REFERENCES agent (id),
    what TEXT NOT NULL CHECK (what IN ('another', 'missing')),
    revision INTEGER NOT NULL,
    noticed_at INTEGER NOT NULL,
    mended_at INTEGER
) STRICT, WITHOUT ROWID;
