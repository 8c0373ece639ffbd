-- A session that moves between gateways: of which generation its end is.
ALTER TABLE sessions ADD COLUMN ended_generation BIGINT;
UPDATE sessions SET ended_generation = generation WHERE ended_at IS NOT NULL;

-- Sessions that were ended by a person. They stay listed for as long as anything could bring them back.
CREATE TABLE ended_sessions (
    session_id TEXT NOT NULL PRIMARY KEY,
    ended TEXT NOT NULL,
    ended_at BIGINT NOT NULL
);
CREATE INDEX ended_sessions_by_time ON ended_sessions (ended_at);
