#!/bin/sh
set -eu
if [ ! -s /run/secrets/engine_credentials ]; then
  echo "secrets/engine_credentials is empty: garrison machine add fills it" >&2
  exit 1
fi
cscli --error machines add engine --auto --force
exec crowdsec -c /etc/crowdsec/config.yaml
