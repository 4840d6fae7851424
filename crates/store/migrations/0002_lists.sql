-- What lists need: search, order, what happened at doors; and who is signed in.

-- Folded words of everybody who has a profile. Deleted words leave no trace. The numbers between
-- the two are kept, because SQLite may renumber the rows of 'user' when it packs the file.
CREATE TABLE user_search_row (
    number INTEGER PRIMARY KEY,
    user BLOB NOT NULL UNIQUE REFERENCES user (id)
) STRICT;
CREATE VIRTUAL TABLE user_search USING fts5 (
    words, tokenize = "unicode61 remove_diacritics 0"
);
INSERT INTO user_search (user_search, rank) VALUES ('secure-delete', 1);

CREATE INDEX user_by_revision ON user (revision, id) WHERE first_name IS NOT NULL;
CREATE INDEX user_by_deactivation ON user (deactivated_at) WHERE deactivated_at IS NOT NULL;
CREATE INDEX confirmation_open ON confirmation (user, revision)
    WHERE confirmed_at IS NULL AND what = 'refuse';
CREATE INDEX log_by_time ON log (at, revision);
CREATE INDEX log_by_subject_and_time ON log (subject, subject_id, at, revision);

-- What agents tell of their doors, each event once. The columns are for finding it; 'encoded' is
-- what the agent said.
CREATE TABLE door_event (
    agent BLOB NOT NULL REFERENCES agent (id),
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    door BLOB NOT NULL,
    user BLOB,
    outcome TEXT NOT NULL CHECK (outcome IN ('granted', 'way-out', 'refused', 'keypad-slowed')),
    encoded BLOB NOT NULL,
    PRIMARY KEY (agent, sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX door_event_by_time ON door_event (at, agent, sequence);
CREATE INDEX door_event_by_door ON door_event (door, at, agent, sequence);
CREATE INDEX door_event_by_user ON door_event (user, at, agent, sequence) WHERE user IS NOT NULL;
CREATE INDEX door_event_refused ON door_event (at, agent, sequence)
    WHERE outcome IN ('refused', 'keypad-slowed');
CREATE INDEX door_event_last_seen ON door_event (user, at, door)
    WHERE user IS NOT NULL AND outcome IN ('granted', 'way-out');

-- How many events an agent had to drop before the one with this number, since it enrolled.
CREATE TABLE events_lost (
    agent BLOB NOT NULL REFERENCES agent (id),
    before_sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    lost INTEGER NOT NULL,
    PRIMARY KEY (agent, before_sequence)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_lost_by_time ON events_lost (at, agent, before_sequence);

-- Sessions and links are known by a hash of their secret.
CREATE TABLE session (
    token BLOB PRIMARY KEY CHECK (length(token) = 32),
    operator BLOB NOT NULL REFERENCES operator (id),
    started_at INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_by_operator ON session (operator);
CREATE INDEX session_by_end ON session (expires_at);
CREATE TABLE one_time_link (
    secret BLOB PRIMARY KEY CHECK (length(secret) = 32),
    purpose TEXT NOT NULL CHECK (purpose IN ('set-up', 'reset', 'sign-in')),
    operator BLOB REFERENCES operator (id),
    expires_at INTEGER NOT NULL,
    CHECK ((purpose = 'set-up') = (operator IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX one_time_link_by_end ON one_time_link (expires_at);
