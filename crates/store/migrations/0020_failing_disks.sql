-- Since when an agent that is connected says that its disk keeps nothing of what it is told.
ALTER TABLE contact ADD COLUMN disk_fails_since INTEGER;
