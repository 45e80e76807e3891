#!/usr/bin/env bash
# Unpacks packages of Debian 13 into a folder, without installing them:   dev/trixie.sh FOLDER PACKAGE...
# For programs that Debian 12 has not, or only too old (PgBouncer that knows prepared statements, compose v2).
set -euo pipefail
target=$1
shift
command -v apt-get >/dev/null || { echo "trixie: there is no apt-get here" >&2; exit 1; }
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e "$keys" ] || { echo "trixie: $keys is missing" >&2; exit 1; }
apt=$(mktemp -d)
trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt"/lists/partial "$apt"/archives/partial "$apt"/debs "$target"
echo "deb [signed-by=$keys] http://deb.debian.org/debian trixie main" >"$apt/sources.list"
cat >"$apt/apt.conf" <<CONF
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$apt/lists";
Dir::State::status "/dev/null";
Dir::Cache "$apt";
APT::Sandbox::User "root";
Acquire::Languages "none";
CONF
export APT_CONFIG=$apt/apt.conf
apt-get -qq update
(cd "$apt/debs" && apt-get -qq download "$@")
for deb in "$apt"/debs/*.deb; do dpkg-deb -x "$deb" "$target"; done
