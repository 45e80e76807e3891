#!/usr/bin/env bash
# Prints the directory of the newest PostgreSQL server (15 or newer) on this machine; fails when there is none.
# The same order as src/db/embedded/binaries.rs.
set -euo pipefail
shopt -s nullglob

usable() {
  [ -x "$1/initdb" ] && [ -x "$1/postgres" ] || return 1
  local version
  version=$("$1/postgres" --version) && version=${version#*) } && [ "${version%%[!0-9]*}" -ge 15 ] 2>/dev/null
}

candidates=("${PG_BINDIR:-}" "$(pg_config --bindir 2>/dev/null || true)")
while read -r dir; do candidates+=("$dir"); done < <(printf '%s\n' /usr/lib/postgresql/*/bin | sort -t/ -k5,5nr)
candidates+=(/usr/local/pgsql/bin)
for dir in "${candidates[@]}"; do
  if [ -n "$dir" ] && usable "$dir"; then
    echo "$dir"
    exit
  fi
done
exit 1
