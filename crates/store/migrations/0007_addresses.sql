-- Where agents find the server: a host and a port to a line, in the order in which they try them.
ALTER TABLE store ADD COLUMN addresses TEXT NOT NULL DEFAULT '';
