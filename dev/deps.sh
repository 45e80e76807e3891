#!/usr/bin/env bash
# Installs what is missing, and nothing else.   dev/deps.sh run|test
#   run   a C compiler, git, curl, root certificates, a PostgreSQL server
#   test  also Python and Node, and in target/lab: Debian's CrowdSec, unpacked, and PyPI's cscapi (real clients for the tests),
#         npm's oidc-provider (a real identity provider)
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-run}
lab=target/lab
packages=()

note() { printf '%s\n' "deps: $*" >&2; }
loud() { printf '\n%s\n' "!!!!" "!!!! $*" "!!!! The tests that need it will fail." "!!!!" >&2; }
need() { packages+=("$@"); }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

updated=
apt_update() {
  [ -n "$updated" ] && return
  as_root apt-get update -qq || note "apt-get update failed; going on with the package lists that are here"
  updated=yes
}

# Debian makes and starts a cluster when a server is installed. Garrison runs its own, so we ask it not to, for
# the time of the installation only.
no_main_cluster=/etc/postgresql-common/createcluster.d/garrison-deps.conf
install_packages() {
  if ! command -v apt-get >/dev/null; then
    note "missing: ${packages[*]} (Debian's names), and there is no apt-get here; please install them yourself"
    exit 1
  fi
  if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
    note "missing: ${packages[*]}; neither root nor sudo is at hand. As root: apt-get install ${packages[*]}"
    exit 1
  fi
  note "installing ${packages[*]}"
  apt_update
  local quiet=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends)
  if [[ " ${packages[*]} " == *" postgresql "* ]]; then
    trap 'as_root rm -f "$no_main_cluster"' EXIT
    as_root mkdir -p "${no_main_cluster%/*}"
    echo 'create_main_cluster = false' | as_root tee "$no_main_cluster" >/dev/null
  fi
  as_root "${quiet[@]}" "${packages[@]}" >&2
}

get_crowdsec() {
  [ -x "$lab/fs/usr/bin/crowdsec" ] && [ -x "$lab/fs/usr/bin/crowdsec-custom-bouncer" ] && return
  note "unpacking Debian's crowdsec and crowdsec-custom-bouncer into $lab/fs"
  rm -rf "$lab/debs" "$lab/fs.new"
  mkdir -p "$lab/debs" "$lab/fs.new"
  download() { (cd "$lab/debs" && apt-get -qq -o APT::Sandbox::User=root download crowdsec crowdsec-custom-bouncer >&2); }
  update() { { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; } && apt_update; }
  # The final name appears only when the tree is complete.
  unpack() { for deb in "$lab"/debs/*.deb; do dpkg-deb -x "$deb" "$lab/fs.new" || return; done; }
  if { download || { update && download; }; } && unpack; then
    rm -rf "$lab/fs" && mv "$lab/fs.new" "$lab/fs"
  else
    rm -rf "$lab/fs.new"
    loud "Debian's packages crowdsec and crowdsec-custom-bouncer cannot be had (on Ubuntu they are in universe)."
  fi
}

get_cscapi() {
  [ -e "$lab/venv/.cscapi-0.7.0" ] && return
  note "installing PyPI cscapi 0.7.0 into $lab/venv"
  rm -rf "$lab/venv"
  if python3 -m venv "$lab/venv" && "$lab/venv/bin/pip" install -q --disable-pip-version-check cscapi==0.7.0 >&2; then
    touch "$lab/venv/.cscapi-0.7.0"
  else
    loud "PyPI's cscapi 0.7.0 cannot be had."
  fi
}

command -v cc >/dev/null && command -v make >/dev/null || need build-essential
command -v git >/dev/null || need git
command -v curl >/dev/null || need curl
[ -e /etc/ssl/certs/ca-certificates.crt ] || [ -e /etc/pki/tls/certs/ca-bundle.crt ] || need ca-certificates
command -v setpriv >/dev/null && command -v unshare >/dev/null || need util-linux
dev/postgres-bin.sh >/dev/null || need postgresql
if [ "$what" = test ] && [ ! -e "$lab/venv/.cscapi-0.7.0" ]; then
  command -v openssl >/dev/null || need openssl
  command -v python3 >/dev/null || need python3
  python3 -c 'import ensurepip, venv' 2>/dev/null || need python3-venv
fi
if [ "$what" = test ]; then
  # Node's own packages bring npm along; Debian's does not.
  command -v node >/dev/null || need nodejs
  command -v npm >/dev/null || need npm
fi
if [ "${#packages[@]}" -gt 0 ]; then install_packages; fi

if ! dev/postgres-bin.sh >/dev/null; then
  note "PostgreSQL 15 or newer is needed, and this system's packages are older: see https://www.postgresql.org/download/"
  exit 1
fi
if ! command -v cargo >/dev/null; then
  note "Rust is missing: see https://rustup.rs (the version is in Cargo.toml)"
  exit 1
fi
if [ "$what" = test ]; then
  mkdir -p "$lab"
  get_crowdsec
  get_cscapi
  dev/oidc-provider.sh >/dev/null || loud "npm's oidc-provider cannot be had."
fi
