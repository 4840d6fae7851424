-- By which server mail leaves. Its password is kept with the keys, not here.
CREATE TABLE mail_server (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    protection TEXT NOT NULL CHECK (protection IN ('tls', 'starttls', 'none')),
    user_name TEXT,
    sender TEXT NOT NULL,
    own_name TEXT NOT NULL,
    authorities TEXT
) STRICT;

-- Who is sent checkpoints of the log.
CREATE TABLE checkpoint_mail (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    recipient TEXT NOT NULL,
    every TEXT NOT NULL CHECK (every IN ('day', 'week')),
    due_at INTEGER NOT NULL
) STRICT;

-- Letters that wait, and for a while those that went or did not. A letter about a person goes with
-- them. Text and attachment stay only while it waits.
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    recipient_folded TEXT NOT NULL,
    about BLOB REFERENCES user (id) ON DELETE CASCADE,
    subject TEXT NOT NULL,
    body TEXT,
    attachment_name TEXT,
    attachment BLOB,
    created_at INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    not_before INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    hurdle TEXT,
    said TEXT,
    ended_at INTEGER,
    CHECK ((state = 'waiting') = (ended_at IS NULL)),
    CHECK ((state = 'waiting') = (body IS NOT NULL))
) STRICT;
CREATE INDEX outbox_waiting ON outbox (not_before, number) WHERE state = 'waiting';
CREATE INDEX outbox_sent ON outbox (ended_at) WHERE state = 'sent';
CREATE INDEX outbox_failed ON outbox (number) WHERE state = 'failed';
CREATE INDEX outbox_by_age ON outbox (created_at);
CREATE INDEX outbox_by_person ON outbox (about) WHERE about IS NOT NULL;
CREATE INDEX outbox_by_recipient ON outbox (recipient_folded);
