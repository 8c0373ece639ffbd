-- Identity providers: who vouches for people besides us. The client secret is sealed under the master key.
CREATE TABLE providers (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    issuer TEXT NOT NULL UNIQUE,
    client_secret_sealed BYTEA
);

-- A sign-in that a provider vouches for: its own session, and what keeps it alive.
ALTER TABLE sign_ins ADD COLUMN provider_session TEXT;
ALTER TABLE sign_ins ADD COLUMN provider_refresh_sealed BYTEA;
ALTER TABLE sign_ins ADD COLUMN provider_asked_at BIGINT;
ALTER TABLE sign_ins ADD COLUMN origin_id TEXT;
CREATE INDEX sign_ins_from ON sign_ins (origin_id);
CREATE INDEX sign_ins_of_provider ON sign_ins (idp, provider_session);

-- In which browser sign-in a command was let in: the command's own sign-in rests on the same word.
CREATE TABLE sign_in_origins (
    sign_in_id TEXT NOT NULL PRIMARY KEY,
    origin_id TEXT NOT NULL,
    noted_at BIGINT NOT NULL
);
