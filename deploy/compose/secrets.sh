#!/usr/bin/env bash
# Makes the passwords of the compose file, once: ./secrets (readable by one user), and .env at the top, which says who that is.
set -euo pipefail
cd "$(dirname "$0")"
umask 077
mkdir -p secrets logs
user=$(id -u):$(id -g)
if [ "$(id -u)" = 0 ]; then user=65532:65532; fi
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
make() { [ -s "secrets/$1" ] || printf '%s\n' "$2" >"secrets/$1"; }
make postgres_password "$(random)"
make database_password "$(random)"
make database_url "postgres://garrison:$(cat secrets/database_password)@postgres/garrison?sslmode=disable"
make secret_key "$(random)$(random)"
# Filled by `garrison machine add`; the file must be there for compose to start.
[ -e secrets/engine_credentials ] || : >secrets/engine_credentials
if [ "$(id -u)" = 0 ]; then chown -R "$user" secrets; fi
env=../../.env
grep -qs '^GARRISON_USER=' $env || printf 'GARRISON_USER=%s\n' "$user" >>$env
echo "secrets are in $PWD/secrets; back up secrets/secret_key: without it the database is worth nothing"
