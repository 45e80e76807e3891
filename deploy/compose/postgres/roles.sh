#!/bin/sh
# Run once by the image, when the cluster is made: the login of Garrison and the two roles that it takes.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$(cat /run/secrets/database_password)" -d garrison <<'SQL'
CREATE ROLE garrison_service NOLOGIN;
CREATE ROLE garrison_platform NOLOGIN;
CREATE ROLE garrison LOGIN PASSWORD :'password';
GRANT garrison_service, garrison_platform TO garrison;
ALTER DATABASE garrison OWNER TO garrison;
SQL
