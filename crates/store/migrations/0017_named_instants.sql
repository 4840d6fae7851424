-- The renewal that a door's limit is counted from, for each refusal: the last one that was asked
-- for before the refusal. Later ones are answered behind the refusal and count for nothing here.
ALTER TABLE confirmation ADD COLUMN renewed_at INTEGER;
ALTER TABLE confirmation ADD COLUMN renewed_boot BLOB CHECK (length(renewed_boot) = 16);
ALTER TABLE confirmation ADD COLUMN renewed_since_boot INTEGER;
UPDATE confirmation SET (renewed_at, renewed_boot, renewed_since_boot) = (
    SELECT k.renewed_at, k.renewed_boot, k.renewed_since_boot FROM contact k
    WHERE k.agent = confirmation.agent)
WHERE what = 'refuse';

-- Refusals of which no instant can be named yet.
CREATE INDEX confirmation_unnamed ON confirmation (agent)
WHERE what = 'refuse' AND confirmed_at IS NULL AND renewed_at IS NULL;
