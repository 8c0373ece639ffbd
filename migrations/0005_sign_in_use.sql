-- When a sign-in was last used: one that nobody uses ends, and its provider is not asked about it.
ALTER TABLE sign_ins ADD COLUMN used_at BIGINT;
CREATE INDEX sign_ins_until ON sign_ins (expires_at);

-- The provider's own token, sealed: it names the session there when a person signs out here.
ALTER TABLE sign_ins ADD COLUMN provider_id_token_sealed BYTEA;
