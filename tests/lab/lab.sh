#!/usr/bin/env bash
# A real CrowdSec 1.4.6 (Debian's package, unpacked, not installed) on loopback.
#   lab.sh fetch            download and unpack the package into $FS (dev/deps.sh does it for the tests)
#   lab.sh setup            fresh configuration, SQLite database, machines, CAPI credentials -> $CAPI_URL
#   lab.sh lapi             run the Local API in the foreground
#   lab.sh cscli ARGS...    cscli against this configuration
#   lab.sh agent FILE TYPE  run the agent once over a log file (syslog|nginx|apache2)
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
LAB=${LAB:-$PWD/.crowdsec-lab}               # configuration, database
FS=${FS:-$HERE/../../target/lab/fs}          # the unpacked package
NAME=${NAME:-lapi}                           # another name makes another, independent LAPI
LAPI_PORT=${LAPI_PORT:-19081}
CAPI_URL=${CAPI_URL:-http://127.0.0.1:8080/} # must end in "/"
CAPI_LOGIN=${CAPI_LOGIN:-3f1c9d2e4b5a6978aabbccddeeff00112233445566778899}
CAPI_PASSWORD=${CAPI_PASSWORD:-lab-capi-password}
BOUNCER_KEY=${BOUNCER_KEY:-lab-bouncer-key-0123456789abcdef}
LOG_LEVEL=${LOG_LEVEL:-info}
mkdir -p "$LAB"
LAB=$(cd "$LAB" && pwd)
ETC=$LAB/$NAME
CS=$FS/usr/bin/crowdsec CSCLI=$FS/usr/bin/cscli

fetch() {
  mkdir -p "$FS.deb"
  (cd "$FS.deb" && { ls crowdsec_*.deb >/dev/null 2>&1 || apt-get -o APT::Sandbox::User=root download crowdsec; })
  rm -rf "$FS" && mkdir -p "$FS" && dpkg-deb -x "$FS.deb"/crowdsec_*.deb "$FS"
}

setup() {
  rm -rf "$ETC"; mkdir -p "$ETC"/{data,hub,parsers,scenarios,collections,postoverflows,notifications}
  cp "$FS"/usr/share/crowdsec/data/* "$ETC/data/"
  cp -r "$FS"/etc/crowdsec/patterns "$ETC/patterns"
  for i in blockers collections parsers postoverflows scenarios .index.json; do ln -s "$FS/usr/share/crowdsec/hub/$i" "$ETC/hub/$i"; done
  # enable every hub item of the three upstream collections + all crowdsecurity scenarios (vendor dir is dropped)
  (cd "$ETC/hub"; find parsers/ scenarios/ collections/ -name '*.yaml') | while read -r t; do
    case $t in
      scenarios/crowdsecurity/*|scenarios/ltsich/*) ;;
      parsers/s00-raw/crowdsecurity/syslog-logs.yaml) ;;
      parsers/s01-parse/crowdsecurity/sshd-logs.yaml|parsers/s01-parse/crowdsecurity/nginx-logs.yaml|parsers/s01-parse/crowdsecurity/apache2-logs.yaml) ;;
      parsers/s02-enrich/crowdsecurity/dateparse-enrich.yaml|parsers/s02-enrich/crowdsecurity/http-logs.yaml) ;;
      collections/crowdsecurity/linux.yaml|collections/crowdsecurity/sshd.yaml|collections/crowdsecurity/nginx.yaml|collections/crowdsecurity/apache2.yaml|collections/crowdsecurity/base-http-scenarios.yaml|collections/crowdsecurity/http-cve.yaml) ;;
      *) continue ;;
    esac
    s=$(dirname "$(dirname "$t")")/$(basename "$t"); mkdir -p "$ETC/$(dirname "$s")"; ln -sf "$ETC/hub/$t" "$ETC/$s"
  done
  cp "$FS/etc/crowdsec/simulation.yaml" "$ETC/simulation.yaml"
  cat > "$ETC/profiles.yaml" <<'Y'
name: default_ip_remediation
filters:
 - Alert.Remediation == true && Alert.GetScope() == "Ip"
decisions:
 - type: ban
   duration: 4h
on_success: break
---
name: default_range_remediation
filters:
 - Alert.Remediation == true && Alert.GetScope() == "Range"
decisions:
 - type: ban
   duration: 4h
on_success: break
Y
  cat > "$ETC/console.yaml" <<'Y'
share_manual_decisions: true
share_tainted: true
share_custom: true
Y
  cat > "$ETC/acquis.yaml" <<'Y'
filenames: [/nonexistent/never.log]
labels: {type: syslog}
Y
  cat > "$ETC/config.yaml" <<Y
common: {daemonize: false, log_media: stdout, log_level: $LOG_LEVEL, working_dir: .}
config_paths:
  config_dir: $ETC/
  data_dir: $ETC/data/
  simulation_path: $ETC/simulation.yaml
  hub_dir: $ETC/hub/
  index_path: $ETC/hub/.index.json
  notification_dir: $ETC/notifications/
  plugin_dir: $FS/usr/lib/crowdsec/plugins/
crowdsec_service: {acquisition_path: $ETC/acquis.yaml, parser_routines: 1}
cscli: {output: human, color: no}
db_config: {log_level: info, type: sqlite, db_path: $ETC/data/crowdsec.db, use_wal: true, flush: {max_items: 50000, max_age: 7d}}
api:
  client: {insecure_skip_verify: false, credentials_path: $ETC/local_api_credentials.yaml}
  server:
    log_level: $LOG_LEVEL
    listen_uri: 127.0.0.1:$LAPI_PORT
    profiles_path: $ETC/profiles.yaml
    console_path: $ETC/console.yaml
    online_client: {credentials_path: $ETC/online_api_credentials.yaml}
    trusted_ips: [127.0.0.1, "::1"]
prometheus: {enabled: false}
Y
  # CAPI credentials: the machine id a real "cscli capi register" makes is 48 chars [a-zA-Z0-9]
  cat > "$ETC/online_api_credentials.yaml" <<Y
url: $CAPI_URL
login: $CAPI_LOGIN
password: $CAPI_PASSWORD
Y
  chmod 600 "$ETC/online_api_credentials.yaml"
  : > "$ETC/local_api_credentials.yaml"
  "$CSCLI" -c "$ETC/config.yaml" --error machines add lab-agent --password lab-agent-password --force -u "http://127.0.0.1:$LAPI_PORT" -f "$ETC/local_api_credentials.yaml"
  "$CSCLI" -c "$ETC/config.yaml" --error machines add lab-watcher --password lab-watcher-password --force -f /dev/null
  "$CSCLI" -c "$ETC/config.yaml" --error -o raw bouncers add lab-bouncer -k "$BOUNCER_KEY" >/dev/null
}

case "${1:-}" in
  fetch) fetch ;;
  setup) setup ;;
  lapi) exec "$CS" -c "$ETC/config.yaml" -no-cs ;;
  cscli) shift; exec "$CSCLI" -c "$ETC/config.yaml" "$@" ;;
  agent) exec "$CS" -c "$ETC/config.yaml" -no-api -dsn "file://$2" -type "$3" ;;
  *) sed -n 2,7p "$0"; exit 2 ;;
esac
