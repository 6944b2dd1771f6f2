-- Loses which keys secrets are encrypted with. An older version cannot read those that are: store them
-- as they are first, with `secrets_at_rest = "plain"` and `mainstay secrets rotate`.
DROP TABLE secret_keys;
