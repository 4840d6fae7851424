-- The address at which another program listens for alerts. Its secret is kept with the keys, not here.
CREATE TABLE webhook (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    address TEXT NOT NULL,
    authorities TEXT,
    gone_at INTEGER
) STRICT;
CREATE TABLE webhook_kind (kind TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;

-- What waits for the webhook waits beside the letters: no recipient, no subject, JSON as its body.
ALTER TABLE outbox ADD COLUMN channel TEXT NOT NULL DEFAULT 'mail'
    CHECK (channel IN ('mail', 'webhook'));
DROP INDEX outbox_waiting;
CREATE INDEX outbox_waiting ON outbox (channel, not_before, number) WHERE state = 'waiting';
DROP INDEX outbox_sent;
CREATE INDEX outbox_sent ON outbox (channel, ended_at) WHERE state = 'sent';

-- Whether a door's agent was connected when a change that it has to confirm was decided; not known of
-- changes before this schema. For how fast those that were confirm.
ALTER TABLE confirmation ADD COLUMN connected INTEGER CHECK (connected IN (0, 1));
CREATE INDEX confirmation_of_connected ON confirmation (decided_at, revision, confirmed_at)
    WHERE connected = 1 AND what = 'refuse';

-- Where somebody who was taken out was lately.
CREATE INDEX stopped_tries_by_time ON stopped_tries (last_at);
