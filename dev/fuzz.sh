#!/usr/bin/env bash
# Asks every operation of the description (/openapi.json) generated questions, good ones and bad ones, and looks at the
# answers: nothing of the service's own failing, no status, header, media type or shape that is not described, no hang.
# The callers: a tenant's admin, a machine, nobody. Beside a throw-away Postgres and a stand-in for the Central API; nothing is
# forwarded. The program (PyPI's schemathesis) is put into target/lab. Without it this is skipped, loudly.
#   FUZZ_CASES=50             questions for each operation and caller; 0 for none
#   FUZZ_SEED=1               the same seed asks the same questions
#   FUZZ_PHASES=examples,fuzzing   `coverage`, too, asks for the edges of every schema one by one (`make fuzz`)
#   FUZZ_ARGS=                more for schemathesis, say "--include-path /api/alerts"
#   FUZZ_CALLERS="admin admin-2 machine nobody"
#   GARRISON_TEST_BINARY      another binary than the debug build's
#   GARRISON_FUZZ_STRICT=1    what is skipped fails
set -euo pipefail
cd "$(dirname "$0")/.."
cases=${FUZZ_CASES:-50}
seed=${FUZZ_SEED:-1}
phases=${FUZZ_PHASES:-examples,fuzzing}
version=4.32.5
venv=$PWD/target/lab/schemathesis
out=$PWD/target/fuzz
binary=${GARRISON_TEST_BINARY:-$PWD/target/debug/garrison}
[ "$cases" != 0 ] || { echo "fuzz: no questions asked (FUZZ_CASES=0)" >&2; exit 0; }

get_schemathesis() {
  [ -e "$venv/.ready-$version" ] && return
  rm -rf "$venv"
  python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check "schemathesis==$version" >&2 || return
  touch "$venv/.ready-$version"
}
if ! get_schemathesis; then
  printf '\n%s\n' "!!!!" "!!!! PyPI's schemathesis $version cannot be had: NO operation is asked generated questions." "!!!!" >&2
  [ -z "${GARRISON_FUZZ_STRICT:-}" ] || exit 1
  exit 0
fi
[ -x "$binary" ] || { echo "fuzz: no $binary: cargo build" >&2; exit 1; }
if [ -z "${GARRISON_TEST_DATABASE_URL:-}" ]; then exec dev/with-postgres.sh "$0"; fi

mkdir -p "$out"
data=$(mktemp -d "$out/data.XXXXXX")
started=()
cleanup() {
  trap '' INT TERM HUP
  for pid in "${started[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$data"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Waits until a file has a line with an address, and prints the address.
address_in() {
  for _ in {1..300}; do
    found=$(grep -aoE "$2" "$1" 2>/dev/null | head -1 | grep -oE '127\.0\.0\.1:[0-9]+') && echo "$found" && return
    sleep 0.1
  done
  echo "fuzz: does not start:" >&2
  tail -20 "$1" >&2
  return 1
}

"$venv/bin/python" dev/fuzz/capi.py >"$data/capi.log" 2>&1 &
started+=($!)
capi=$(address_in "$data/capi.log" 'serving 127\.0\.0\.1:[0-9]+')

# Nothing of the caller's settings; the limits of a minute are off, or most answers would be 429.
garrison=(env -i PATH="$PATH" HOME="$data" GARRISON_DATABASE_URL="$GARRISON_TEST_DATABASE_URL" GARRISON_DATA_DIR="$data"
  GARRISON_LISTEN=127.0.0.1:0 GARRISON_LOG_FORMAT=json GARRISON_CAPI_URL="http://$capi" GARRISON_FORWARD_ENABLED=false
  GARRISON_LIMITS_TOKEN_REQUESTS=0 GARRISON_LIMITS_TENANT_REQUESTS=0 GARRISON_LIMITS_TENANT_BYTES=0
  GARRISON_LIMITS_TENANT_ITEMS=0 GARRISON_LIMITS_MACHINE_ITEMS=0 GARRISON_LIMITS_MACHINE_BYTES=0
  GARRISON_IP_INFO_NAME_SERVER=none GARRISON_IP_INFO_SOURCES=none "$binary")
"${garrison[@]}" migrate >"$data/migrate.log" 2>&1 || { cat "$data/migrate.log" >&2; exit 1; }
rm -f "$out/serve.log" # its address is not today's
"${garrison[@]}" serve >"$out/serve.log" 2>&1 &
started+=($!)
base=http://$(address_in "$out/serve.log" 'serving.*127\.0\.0\.1:[0-9]+')
field() { "$venv/bin/python" -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
"${garrison[@]}" tenant add fuzz -o json >"$data/tenant.json"
"${garrison[@]}" token add --tenant fuzz --scope admin -o json >"$data/token.json"
"${garrison[@]}" machine add --tenant fuzz -o json >"$data/machine.json"
admin=$(field token <"$data/token.json")
machine=$("$venv/bin/python" dev/fuzz/prepare.py "$base" "$data/machine.json" "$admin" "$data/known.json")
# What a question must not be about: the callers themselves (dev/fuzz/hooks.py).
FUZZ_OWN_TENANT=$(field id <"$data/tenant.json")
FUZZ_OWN_TOKEN=$(field id <"$data/token.json")
export FUZZ_OWN_TENANT FUZZ_OWN_TOKEN FUZZ_KNOWN=$data/known.json SCHEMATHESIS_HOOKS=dev.fuzz.hooks PYTHONPATH=$PWD PYTHONDONTWRITEBYTECODE=1

still_known() {
  local code
  code=$(curl -s -o /dev/null -w '%{http_code}' -m 10 -H "Authorization: Bearer $admin" "$base/api/me") || true
  [ "$code" = 200 ] || { echo "fuzz: the admin's token is answered $code at the end: what was asked after is worth nothing" >&2; return 1; }
}

checks=not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance
# One process a caller, of one thread: Python's threads would only wait for one another.
ask() {
  # /api/events is a stream and never ends.
  exec "$venv/bin/python" -m schemathesis.cli --config-file dev/fuzz/schemathesis.toml run "$base/openapi.json" \
    --checks "$checks" --phases "$phases" --max-examples "$cases" --seed "$seed" --workers 1 \
    --request-timeout 10 --exclude-path /api/events --generation-with-security-parameters false --generation-database none \
    --no-color --no-shrink --continue-on-failure --suppress-health-check all --warnings off "$@" ${FUZZ_ARGS:-}
}
of_caller() {
  case $1 in
    # Two halves, one for each core.
    admin) ask -H "Authorization: Bearer $admin" --include-path-regex '^/api/[a-f]' ;;
    admin-2) ask -H "Authorization: Bearer $admin" --exclude-path-regex '^/(v[123]/|api/[a-f])' ;;
    # A refusal at the door looks at nothing else.
    nobody) cases=$(((cases + 4) / 5)) && ask ;;
    # It would delete itself.
    machine) ask -H "Authorization: Bearer $machine" --include-path-regex '^/v[123]/' --exclude-path-regex '/watchers(/self)?$' ;;
  esac
}
read -ra callers <<<"${FUZZ_CALLERS:-admin admin-2 machine nobody}"
echo "fuzz: ${callers[*]}: $cases questions for each operation and caller ($phases), seed $seed"
asked=()
for caller in "${callers[@]}"; do
  of_caller "$caller" >"$out/$caller.log" 2>&1 &
  asked+=($!)
  started+=($!)
done
failed=
for at in "${!callers[@]}"; do
  caller=${callers[$at]}
  if wait "${asked[$at]}"; then
    echo "fuzz: $caller: $(grep -aE '^=+ .* =+$' "$out/$caller.log" | tail -1 | tr -d =)"
  else
    cat "$out/$caller.log"
    failed=yes
  fi
done
still_known || failed=yes
# A panic is answered 500, and says so here, too.
if grep -a '"panicked\|panicked at' "$out/serve.log" | head -5 | grep .; then failed=yes; fi
if [ -n "$failed" ]; then
  echo "fuzz: FAILED; the service's log is in $out/serve.log" >&2
  exit 1
fi
echo "fuzz: every answer is described, none is the service's own failing"
