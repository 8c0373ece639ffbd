-- While the master key is changed: under which keys, beside the one of the seal check, values may still be sealed (ids, with a
-- space between them), and which key each gateway is to use.
ALTER TABLE meta ADD COLUMN earlier_master_keys TEXT;
ALTER TABLE nodes ADD COLUMN master_key TEXT;
