#!/usr/bin/env bash
# Runs a command beside a throw-away PostgreSQL:   dev/with-postgres.sh COMMAND...
#   GARRISON_TEST_DATABASE_URL   a superuser's URL on 127.0.0.1
#   PG_BINDIR                    the server's programs
# With GARRISON_TEST_PGBOUNCER=1 the tests' services reach it through PgBouncer in transaction mode, five connections a
# database; with =plain through one that knows no prepared statements, as before 1.21.
# The cluster is gone when the command ends, also when this script is killed (a leftover directory is then removed
# by the next run).
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$#" -gt 0 ] || { echo "usage: dev/with-postgres.sh COMMAND..." >&2; exit 2; }
PG_BINDIR=$(dev/postgres-bin.sh) || { echo "with-postgres: no PostgreSQL server of version 15 or newer: dev/deps.sh" >&2; exit 1; }
export PG_BINDIR

# Postgres refuses to run as root.
as_server=(setpriv --pdeathsig INT)
user=
if [ "$(id -u)" = 0 ]; then
  for name in postgres nobody; do id -u "$name" >/dev/null 2>&1 && user=$name && break; done
  [ -n "$user" ] || { echo "with-postgres: needs a user postgres or nobody" >&2; exit 1; }
  as_server=(setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups --pdeathsig INT)
fi

name=garrison-test-pg
dir=
server=
cleanup() {
  trap '' INT TERM HUP
  if [ -n "${bouncer:-}" ]; then
    kill -TERM "$bouncer" 2>/dev/null || true
    wait "$bouncer" 2>/dev/null || true
  fi
  if [ -n "$server" ]; then
    kill -INT "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  if [ -n "$dir" ]; then rm -rf "$dir"; fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Below target/ where the server's user can get there, else below /tmp.
mkdir -p target
shopt -s nullglob
for left in target/"$name".* "/tmp/$name".*; do
  pid=${left##*"$name".}
  pid=${pid%%.*}
  if [ -O "$left" ] || [ "$(id -u)" = 0 ]; then [ -e "/proc/$pid" ] || rm -rf "$left"; fi
done
new_dir() {
  dir=$(mktemp -d "$1/$name.$$.XXXXXX")
  chmod 0711 "$dir"
  if [ -n "$user" ]; then chown "$user" "$dir"; fi
}
new_dir "$PWD/target"
if ! (cd / && "${as_server[@]}" test -w "$dir"); then
  rm -rf "$dir"
  new_dir /tmp
fi

password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
(umask 077 && echo "$password" >"$dir/password")
if [ -n "$user" ]; then chown "$user" "$dir/password"; fi
make_cluster() {
  rm -rf "$dir/cluster"
  (cd / && "${as_server[@]}" "$PG_BINDIR/initdb" -D "$dir/cluster" -U postgres -A scram-sha-256 --pwfile="$dir/password" \
    --no-sync --no-instructions --encoding=UTF8 --locale="$1") >"$dir/log" 2>&1
}
make_cluster C.UTF-8 || make_cluster C || { cat "$dir/log" >&2; exit 1; }

sockets=$dir
[ "${#dir}" -le 90 ] || sockets=
export PGPASSWORD=$password
for _ in 1 2 3 4 5 6 7 8; do
  port=$((20000 + RANDOM % 12000)) # below the ports that the kernel gives to clients
  # A session of its own: Ctrl-C is for the command, the server goes afterwards.
  (cd / && exec setsid "${as_server[@]}" "$PG_BINDIR/postgres" -D "$dir/cluster" \
    -c listen_addresses=127.0.0.1 -c port=$port -c "unix_socket_directories=$sockets" -c max_connections=300 \
    -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c shared_buffers=256MB -c max_wal_size=2GB \
    -c jit=off -c timezone=UTC -c log_timezone=UTC -c log_checkpoints=off) >"$dir/log" 2>&1 </dev/null &
  server=$!
  for _ in {1..600}; do
    kill -0 "$server" 2>/dev/null || break
    if [ "$(sed -n 8p "$dir/cluster/postmaster.pid" 2>/dev/null | tr -d ' ')" = ready ]; then
      export GARRISON_TEST_DATABASE_URL="postgres://postgres:$password@127.0.0.1:$port/postgres"
      break 2
    fi
    sleep 0.1
  done
  kill -INT "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=
done
if [ -z "$server" ]; then
  echo "with-postgres: the server does not start:" >&2
  cat "$dir/log" >&2
  exit 1
fi
unset PGPASSWORD

if [ -n "${GARRISON_TEST_PGBOUNCER:-}" ]; then
  fs=$PWD/target/lab/pgbouncer
  if [ ! -x "$fs/usr/sbin/pgbouncer" ]; then
    rm -rf "$fs.new" "$fs"
    dev/trixie.sh "$fs.new" pgbouncer libc6 libevent-2.1-7t64 libssl3t64 libcares2 libpam0g libsystemd0 libcap2 libaudit1 \
      libcap-ng0 libzstd1 zlib1g && mv "$fs.new" "$fs"
  fi
  prepared=200
  [ "$GARRISON_TEST_PGBOUNCER" != plain ] || prepared=0
  pool_port=$((port + 1))
  while (: <"/dev/tcp/127.0.0.1/$pool_port") 2>/dev/null; do pool_port=$((pool_port + 1)); done
  (umask 077 && printf '"postgres" "%s"\n' "$password" >"$dir/users" && cat >"$dir/pgbouncer.ini" <<INI
[databases]
* = host=127.0.0.1 port=$port
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $pool_port
unix_socket_dir =
auth_type = trust
auth_file = $dir/users
pool_mode = transaction
default_pool_size = 5
max_client_conn = 2000
max_prepared_statements = $prepared
server_reset_query =
server_idle_timeout = 30
query_wait_timeout = 20
log_connections = 0
log_disconnections = 0
log_stats = 0
INI
  )
  if [ -n "$user" ]; then chown "$user" "$dir/users" "$dir/pgbouncer.ini"; fi
  # Of Debian 13, with its own libraries beside it.
  libraries=$fs/usr/lib/x86_64-linux-gnu
  (cd / && exec setsid "${as_server[@]}" "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" \
    "$fs/usr/sbin/pgbouncer" "$dir/pgbouncer.ini") >"$dir/pgbouncer.log" 2>&1 </dev/null &
  bouncer=$!
  for _ in {1..100}; do
    (: <"/dev/tcp/127.0.0.1/$pool_port") 2>/dev/null && break
    kill -0 "$bouncer" 2>/dev/null || { cat "$dir/pgbouncer.log" >&2; exit 1; }
    sleep 0.1
  done
  export GARRISON_TEST_PGBOUNCER_PORT=$pool_port
fi

status=0
"$@" || status=$?
exit "$status"
