"""Logs a machine in (its credentials as `garrison machine add -o json` prints them), makes one thing of each kind that paths
name, so that questions find something, and prints the machine's token. What it made is in FILE, for hooks.py."""

import json
import sys
import urllib.request

base, credentials, admin, file = sys.argv[1:]


def call(path, body, token=None):
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(base + path, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


with open(credentials, encoding="utf-8") as made:
    made = json.load(made)
machine = call("/v3/watchers/login", {"machine_id": made["login"], "password": made["password"], "scenarios": []})["token"]
signal = {
    "machine_id": "fuzz", "message": "m", "scenario": "crowdsecurity/ssh-bf", "scenario_hash": "", "scenario_version": "",
    "source": {"ip": "192.0.2.7", "scope": "Ip", "value": "192.0.2.7", "cn": "DE"},
    "start_at": "2026-01-01T00:00:00Z", "stop_at": "2026-01-01T00:00:01Z",
    "uuid": "0196a1b2-0000-4000-8000-000000000001",
}
call("/v3/signals", [signal], machine)
call("/api/allowlists", {"name": "known"}, admin)
call("/api/allowlists/known/entries", {"entries": [{"value": "203.0.113.1"}]}, admin)
call("/api/feeds", {"name": "known"}, admin)
rule = {"name": "known", "filter": {"field": "scenario", "op": "eq", "value": "a/b"}}
known = {
    "/api/filters/": str(call("/api/filters", rule, admin)["id"]),
    "/api/tokens/": str(call("/api/tokens", {"name": "known", "scopes": ["read"]}, admin)["id"]),
    "/api/users/": str(call("/api/users", {"email": "known@garrison.test", "role": "viewer"}, admin).get("id", 1)),
    "/api/allowlists/": "known",
    "/api/feeds/": "known",
    "/api/alerts/": "1",
    "/api/machines/": "1",
    "/api/ip-info/": "192.0.2.7",
    "/api/ips/": "192.0.2.7",
}
with open(file, "w", encoding="utf-8") as out:
    json.dump(known, out)
print(machine)
