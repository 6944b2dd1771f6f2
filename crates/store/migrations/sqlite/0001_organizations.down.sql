DROP TABLE score_models;
DROP TABLE event_names;
DROP TABLE api_keys;
DROP TABLE members;
DROP TABLE organization_secrets;
DROP TABLE organizations;
