#!/usr/bin/env bash
# The systemd unit: does systemd understand it, and how much of the machine does it leave open?
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# The program need not be installed for its unit to be read.
sed 's#^ExecStart=/usr/local/bin/garrison#ExecStart=/bin/true#' deploy/systemd/garrison.service >"$dir/garrison.service"
said=$(systemd-analyze verify --man=no "$dir/garrison.service" 2>&1 | grep -F garrison.service || true)
[ -z "$said" ] || { echo "$said" >&2; exit 1; }
level=$(systemd-analyze security --offline=true --threshold=20 "$dir/garrison.service" 2>&1 | tail -1) || { echo "$level" >&2; exit 1; }
echo "chart: systemd unit: ${level#*→ }"
