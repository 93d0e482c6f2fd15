-- What a login was made from, in words, so that one from elsewhere is told to the account's owner.

ALTER TABLE sessions ADD COLUMN device text;
COMMENT ON COLUMN sessions.device IS
    'Program and system, in words of domain::device, from what the client called itself.';
