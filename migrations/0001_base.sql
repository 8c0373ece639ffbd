-- One set of statements for Postgres and SQLite: TEXT, BIGINT (microseconds since 1970 UTC, or counts), BOOLEAN, BYTEA.
-- Expand and contract only: a migration never breaks the program before it. Ids, times and secrets' hashes come from the
-- program; JSON is TEXT.

-- One row: where everything stands. Whoever changes anything that policy depends on takes this row first.
CREATE TABLE meta (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    revision BIGINT NOT NULL,
    rules_revision BIGINT NOT NULL,
    places_revision BIGINT NOT NULL,
    revoked_revision BIGINT NOT NULL,
    audit_sequence BIGINT NOT NULL,
    audit_hash BYTEA,
    seal_check BYTEA,
    bootstrapped_at BIGINT
);
INSERT INTO meta (one, revision, rules_revision, places_revision, revoked_revision, audit_sequence)
VALUES (1, 0, 0, 0, 0, 0);

-- What each revision changed; the tail of it is the change feed.
CREATE TABLE changes (
    revision BIGINT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (revision, kind, id)
);

-- Ids of removed objects: no other object ever gets one of them.
CREATE TABLE retired_ids (
    id TEXT NOT NULL PRIMARY KEY
);

-- Objects. `body` is the object as JSON; the other columns repeat what the database itself must watch over.
CREATE TABLE sites (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE connectors (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    site_id TEXT NOT NULL REFERENCES sites (id),
    public_key BYTEA NOT NULL UNIQUE,
    ephemeral BOOLEAN NOT NULL,
    enrolled_by TEXT,
    seen_at BIGINT
);

CREATE TABLE resources (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    site_id TEXT NOT NULL REFERENCES sites (id)
);

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    disabled BOOLEAN NOT NULL,
    password_hash TEXT,
    UNIQUE (issuer, subject)
);

CREATE TABLE groups (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- `member_id` is the id of a user or a service account; its prefix says which.
CREATE TABLE memberships (
    group_id TEXT NOT NULL REFERENCES groups (id),
    member_id TEXT NOT NULL,
    PRIMARY KEY (group_id, member_id)
);
CREATE INDEX memberships_of ON memberships (member_id);

CREATE TABLE service_accounts (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    disabled BOOLEAN NOT NULL
);

CREATE TABLE grants (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE policies (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE windows (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE thresholds (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE settings (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    body TEXT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
INSERT INTO settings (one, body, version, created_at, updated_at) VALUES (1, '{}', 1, 0, 0);

-- Credentials: hashes of random secrets, or values sealed under the master key.
CREATE TABLE sign_ins (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    idp TEXT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    mfa_at BIGINT,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    end_reason TEXT,
    cookie_hash BYTEA UNIQUE
);
CREATE INDEX sign_ins_of ON sign_ins (user_id);
CREATE INDEX sign_ins_ended ON sign_ins (ended_at);

CREATE TABLE refresh_tokens (
    hash BYTEA NOT NULL PRIMARY KEY,
    sign_in_id TEXT NOT NULL REFERENCES sign_ins (id) ON DELETE CASCADE,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    successor_sealed BYTEA,
    successor_expires_at BIGINT
);
CREATE INDEX refresh_tokens_of ON refresh_tokens (sign_in_id);

CREATE TABLE authorization_codes (
    hash BYTEA NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    user_id TEXT NOT NULL,
    sign_in_id TEXT NOT NULL,
    authenticated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

CREATE TABLE device_codes (
    hash BYTEA NOT NULL PRIMARY KEY,
    user_code TEXT NOT NULL UNIQUE,
    client_id TEXT NOT NULL,
    device TEXT NOT NULL,
    address TEXT NOT NULL,
    interval_us BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    state TEXT NOT NULL,
    polled_at BIGINT,
    user_id TEXT,
    sign_in_id TEXT,
    authenticated_at BIGINT
);

CREATE TABLE bootstrap_tokens (
    one BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    hash BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE enrolment_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    site_id TEXT NOT NULL REFERENCES sites (id) ON DELETE CASCADE,
    uses_left BIGINT NOT NULL,
    ephemeral BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE TABLE service_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    hash BYTEA NOT NULL UNIQUE,
    account_id TEXT NOT NULL,
    note TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX service_tokens_of ON service_tokens (account_id);

CREATE TABLE signing_keys (
    kid TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    secret_sealed BYTEA NOT NULL,
    public TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    signs_from BIGINT NOT NULL,
    retires_at BIGINT NOT NULL
);

-- Records. `audit` holds every record of every chain; `decisions` and `sessions` point into it.
CREATE TABLE audit (
    chain TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (chain, sequence)
);

CREATE TABLE decisions (
    id TEXT NOT NULL PRIMARY KEY,
    chain TEXT NOT NULL,
    sequence BIGINT NOT NULL
);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    decision_id TEXT NOT NULL,
    principal TEXT NOT NULL,
    sign_in_id TEXT,
    resource_id TEXT NOT NULL,
    node_id TEXT NOT NULL,
    generation BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended TEXT,
    bytes_up BIGINT NOT NULL,
    bytes_down BIGINT NOT NULL
);
CREATE INDEX sessions_live ON sessions (id) WHERE ended_at IS NULL;
CREATE INDEX sessions_by_principal ON sessions (principal, id);
CREATE INDEX sessions_by_resource ON sessions (resource_id, id);
