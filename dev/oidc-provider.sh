#!/usr/bin/env bash
# Puts npm's oidc-provider, a real OpenID Connect provider that the tests log in through, into target/lab/oidc, in the versions
# that tests/oidc/package-lock.json names, and prints the folder. Does nothing where it is there already.
set -euo pipefail
cd "$(dirname "$0")/.."
lab=$PWD/target/lab/oidc
version=$(sha256sum tests/oidc/package.json tests/oidc/package-lock.json | sha256sum | cut -c1-16)
mkdir -p "$lab"
# Tests of one run, and of runs beside it, ask at once.
exec 9>"$lab/.lock"
flock 9
if [ ! -e "$lab/.ready-$version" ]; then
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    echo "oidc-provider: node (18 or newer) and npm are needed: dev/deps.sh test" >&2
    exit 1
  fi
  rm -rf "$lab/node_modules" "$lab"/.ready-*
  cp tests/oidc/package.json tests/oidc/package-lock.json "$lab/"
  # No package runs anything of its own while it is installed.
  (cd "$lab" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2)
  touch "$lab/.ready-$version"
fi
# Beside its packages, where it finds them; whole, for whoever reads it at this moment.
if ! cmp -s tests/oidc/provider.mjs "$lab/provider.mjs"; then
  cp tests/oidc/provider.mjs "$lab/provider.mjs.new"
  mv "$lab/provider.mjs.new" "$lab/provider.mjs"
fi
echo "$lab"
