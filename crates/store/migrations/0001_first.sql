-- Times are microseconds since 1970 (UTC), ids 16 random bytes. Revisions are positions in the log.

CREATE TABLE store (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    id BLOB NOT NULL CHECK (length(id) = 16),
    epoch_counter INTEGER NOT NULL,
    epoch_nonce BLOB NOT NULL CHECK (length(epoch_nonce) = 16),
    pin_salt BLOB NOT NULL CHECK (length(pin_salt) = 16),
    calendars_from INTEGER NOT NULL
) STRICT;

-- The log: for good. What it says in particular lies in log_detail and can be erased.
CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL CHECK (actor IN ('operator', 'command-line', 'schedule', 'joining-agent')),
    actor_id BLOB,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    subject_id BLOB,
    details_hash BLOB NOT NULL CHECK (length(details_hash) = 32)
) STRICT;
CREATE INDEX log_by_subject ON log (subject, subject_id, revision);
CREATE INDEX log_by_kind ON log (kind, actor, actor_id, at);

CREATE TABLE log_detail (
    revision INTEGER PRIMARY KEY REFERENCES log (revision),
    salt BLOB NOT NULL CHECK (length(salt) = 16),
    details TEXT NOT NULL
) STRICT;

-- Commands that were carried out, so that one that is asked again is answered again.
CREATE TABLE command (
    id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX command_by_age ON command (at);

CREATE TABLE site (
    id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    name TEXT NOT NULL,
    zone TEXT NOT NULL,
    default_policy BLOB REFERENCES policy (id)
) STRICT;

CREATE TABLE agent (
    id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    name TEXT NOT NULL,
    key BLOB NOT NULL UNIQUE CHECK (length(key) = 32),
    hash_key BLOB NOT NULL CHECK (length(hash_key) = 32),
    enrolled_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

CREATE TABLE door (
    id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    site BLOB NOT NULL REFERENCES site (id),
    name TEXT NOT NULL,
    agent BLOB REFERENCES agent (id),
    lease_seconds INTEGER NOT NULL
) STRICT;
CREATE INDEX door_by_agent ON door (agent);

CREATE TABLE reader (
    id BLOB PRIMARY KEY,
    door BLOB NOT NULL REFERENCES door (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('in', 'out'))
) STRICT;
CREATE INDEX reader_by_door ON reader (door, position);

CREATE TABLE door_group (
    id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    name TEXT NOT NULL
) STRICT;
CREATE TABLE door_group_door (
    door_group BLOB NOT NULL REFERENCES door_group (id) ON DELETE CASCADE,
    door BLOB NOT NULL REFERENCES door (id),
    PRIMARY KEY (door_group, door)
) STRICT, WITHOUT ROWID;

CREATE TABLE holiday_group (
    id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    name TEXT NOT NULL
) STRICT;
CREATE TABLE holiday (
    holiday_group BLOB NOT NULL REFERENCES holiday_group (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    first_day INTEGER NOT NULL,
    last_day INTEGER NOT NULL,
    recurrence TEXT NOT NULL CHECK (recurrence IN ('once', 'every-year')),
    PRIMARY KEY (holiday_group, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE schedule (
    id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    name TEXT NOT NULL,
    holiday_group BLOB REFERENCES holiday_group (id)
) STRICT;
-- day: 0 Monday to 6 Sunday, 7 the days of the holiday group.
CREATE TABLE schedule_window (
    schedule BLOB NOT NULL REFERENCES schedule (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    day INTEGER NOT NULL CHECK (day BETWEEN 0 AND 7),
    from_minute INTEGER NOT NULL,
    to_minute INTEGER NOT NULL,
    PRIMARY KEY (schedule, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE policy (
    id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    name TEXT NOT NULL,
    schedule BLOB REFERENCES schedule (id)
) STRICT;
CREATE TABLE policy_door (
    policy BLOB NOT NULL REFERENCES policy (id) ON DELETE CASCADE,
    door BLOB NOT NULL REFERENCES door (id),
    PRIMARY KEY (policy, door)
) STRICT, WITHOUT ROWID;
CREATE TABLE policy_door_group (
    policy BLOB NOT NULL REFERENCES policy (id) ON DELETE CASCADE,
    door_group BLOB NOT NULL REFERENCES door_group (id),
    PRIMARY KEY (policy, door_group)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_group (
    id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    name TEXT NOT NULL,
    parent BLOB REFERENCES user_group (id)
) STRICT;
CREATE TABLE user_group_policy (
    user_group BLOB NOT NULL REFERENCES user_group (id) ON DELETE CASCADE,
    policy BLOB NOT NULL REFERENCES policy (id),
    PRIMARY KEY (user_group, policy)
) STRICT, WITHOUT ROWID;

-- Everybody, removed people too: of those only the columns before 'first_name' remain.
CREATE TABLE user (
    id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'deactivated', 'removed')),
    removed_at INTEGER,
    removed_by TEXT,
    removed_by_id BLOB,
    created_at INTEGER,
    first_name TEXT,
    last_name TEXT,
    preferred_name TEXT,
    email TEXT,
    phone TEXT,
    employee_number TEXT,
    sort_key TEXT,
    access_starts INTEGER,
    access_ends INTEGER,
    deactivated_at INTEGER,
    deactivated_by TEXT,
    deactivated_by_id BLOB,
    deactivation_reason TEXT,
    deactivation_note TEXT,
    employment_ended_at INTEGER,
    deactivation_revision INTEGER,
    CHECK ((status = 'removed') = (first_name IS NULL)),
    CHECK ((status = 'removed') = (removed_at IS NOT NULL)),
    CHECK ((status = 'deactivated') = (deactivated_at IS NOT NULL))
) STRICT;
CREATE INDEX user_by_name ON user (sort_key, id);
CREATE INDEX user_by_status ON user (status, sort_key, id);
CREATE INDEX user_by_end ON user (access_ends) WHERE access_ends IS NOT NULL;

CREATE TABLE membership (
    user BLOB NOT NULL REFERENCES user (id),
    user_group BLOB NOT NULL REFERENCES user_group (id),
    PRIMARY KEY (user, user_group)
) STRICT, WITHOUT ROWID;
CREATE INDEX membership_by_group ON membership (user_group, user);
CREATE TABLE user_policy (
    user BLOB NOT NULL REFERENCES user (id),
    policy BLOB NOT NULL REFERENCES policy (id),
    PRIMARY KEY (user, policy)
) STRICT, WITHOUT ROWID;
CREATE INDEX user_policy_by_policy ON user_policy (policy, user);

CREATE TABLE credential (
    id BLOB PRIMARY KEY,
    user BLOB NOT NULL REFERENCES user (id),
    kind TEXT NOT NULL CHECK (kind IN ('pin', 'nfc', 'plate')),
    label TEXT,
    lost_since INTEGER,
    added_at INTEGER NOT NULL,
    pin_digest BLOB UNIQUE CHECK (length(pin_digest) = 32),
    pin_length INTEGER,
    card_token TEXT UNIQUE,
    display_number TEXT,
    plate TEXT,
    plate_shared INTEGER CHECK (plate_shared IN (0, 1)),
    CHECK ((kind = 'pin') = (pin_digest IS NOT NULL)),
    CHECK ((kind = 'nfc') = (card_token IS NOT NULL)),
    CHECK ((kind = 'plate') = (plate IS NOT NULL))
) STRICT;
CREATE INDEX credential_by_user ON credential (user, id);
CREATE INDEX credential_by_plate ON credential (plate, id) WHERE plate IS NOT NULL;

CREATE TABLE retired_pin (digest BLOB PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE burned_card (token TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE join_token (
    id BLOB PRIMARY KEY,
    secret BLOB NOT NULL UNIQUE CHECK (length(secret) = 32),
    name TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'used', 'withdrawn')),
    used_by BLOB,
    CHECK ((state = 'used') = (used_by IS NOT NULL))
) STRICT;
CREATE TABLE join_token_door (
    join_token BLOB NOT NULL REFERENCES join_token (id),
    door BLOB NOT NULL,
    PRIMARY KEY (join_token, door)
) STRICT, WITHOUT ROWID;

CREATE TABLE operator (
    id BLOB PRIMARY KEY,
    revision INTEGER NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    email_folded TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'guard', 'administrator', 'owner')),
    user BLOB REFERENCES user (id),
    password TEXT,
    ended_at INTEGER
) STRICT;

-- What each agent must hold: its entries, also those that are gone, with the revision of the
-- change that made them so.
CREATE TABLE agent_table (
    agent BLOB PRIMARY KEY REFERENCES agent (id),
    revision INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT, WITHOUT ROWID;
CREATE TABLE agent_entry (
    agent BLOB NOT NULL REFERENCES agent (id),
    kind INTEGER NOT NULL,
    id BLOB NOT NULL,
    revision INTEGER NOT NULL,
    encoded BLOB,
    PRIMARY KEY (agent, kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_entry_by_revision ON agent_entry (agent, revision);

-- Who was heard, and until when it may decide without being heard again.
CREATE TABLE contact (
    agent BLOB PRIMARY KEY REFERENCES agent (id),
    connected INTEGER NOT NULL CHECK (connected IN (0, 1)),
    heard_at INTEGER NOT NULL,
    renewed_at INTEGER
) STRICT, WITHOUT ROWID;

-- Agents' signed words, as they came.
CREATE TABLE acknowledgement (
    agent BLOB NOT NULL REFERENCES agent (id),
    revision INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    statement BLOB NOT NULL,
    signature BLOB NOT NULL CHECK (length(signature) = 64),
    PRIMARY KEY (agent, revision)
) STRICT, WITHOUT ROWID;

-- Which doors must confirm a refusal or an admission, and when each did.
CREATE TABLE confirmation (
    user BLOB NOT NULL,
    revision INTEGER NOT NULL,
    door BLOB NOT NULL,
    agent BLOB NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('refuse', 'admit')),
    decided_at INTEGER NOT NULL,
    confirmed_at INTEGER,
    PRIMARY KEY (user, revision, door)
) STRICT, WITHOUT ROWID;
CREATE INDEX confirmation_waiting ON confirmation (agent, revision) WHERE confirmed_at IS NULL;
