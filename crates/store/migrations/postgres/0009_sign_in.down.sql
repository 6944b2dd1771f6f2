DROP INDEX members_by_email;
DROP TABLE allowed_sites;
DROP TABLE sign_in_links;
DROP TABLE sessions;
DROP TABLE member_passwords;
