-- PINs that an agent knew whose device is in other hands, until each is renewed or taken away.
CREATE TABLE exposed_pin (
    credential BLOB PRIMARY KEY REFERENCES credential (id) ON DELETE CASCADE,
    agent BLOB NOT NULL REFERENCES agent (id),
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
