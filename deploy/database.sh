#!/bin/bash
# Runs once, when the database is made: the role that owns the tables and migrates them, and the role of the gateway,
# which uses them (rights.sql).
set -euo pipefail

psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set database="$POSTGRES_DB" --set owner="$POSTERN_OWNER_PASSWORD" --set app="$POSTERN_APP_PASSWORD" <<'SQL'
CREATE ROLE postern_app LOGIN PASSWORD :'app';
CREATE ROLE postern_owner LOGIN PASSWORD :'owner' IN ROLE postern_app;
ALTER DATABASE :"database" OWNER TO postern_owner;
SQL
