-- Loses which deleted clients are kept out: what is sent of them creates them anew.
DROP TABLE erasure_keys;
DROP TABLE erased_clients;
