-- What people give to programs of theirs, for one application each. `path` is empty, or all that the token is good for.
CREATE TABLE app_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    path TEXT NOT NULL,
    note TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX app_tokens_of ON app_tokens (user_id);
CREATE INDEX app_tokens_for ON app_tokens (resource_id);
CREATE INDEX app_tokens_revoked ON app_tokens (revoked_at);
