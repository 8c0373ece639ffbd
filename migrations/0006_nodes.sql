-- The gateways of an installation, each with a count of its signs of life: no two clocks are compared.
CREATE TABLE nodes (
    node_id TEXT NOT NULL PRIMARY KEY,
    beats BIGINT NOT NULL
);
CREATE INDEX sessions_live_by_node ON sessions (node_id, id) WHERE ended_at IS NULL;
