"""PyPI's cscapi as a client of the gate: cscapi_run.py BASE_URL/v3 ENROL_KEY DATABASE_FILE

Prints one JSON object on the last line: what it sent, and what came back.
"""
import json
import logging
import sys
from datetime import datetime, timedelta, timezone

from cscapi.client import CAPIClient, CAPIClientConfig
from cscapi.sql_storage import SQLStorage
from cscapi.utils import create_signal, generate_machine_id_from_key

logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
url, key, database = sys.argv[1:4]
client = CAPIClient(
    SQLStorage("sqlite:///" + database),
    CAPIClientConfig(
        scenarios=["acme/http-bf", "crowdsecurity/ssh-bf"],
        max_retries=2,
        retry_delay=1,
        user_agent_prefix="garrison-test",
        logger=logging.getLogger("cscapi"),
    ),
)
client.url = url
login = generate_machine_id_from_key("garrison", prefix="lab")[:48]
base = datetime.now(timezone.utc) - timedelta(minutes=5)


def at(i):
    return base + timedelta(seconds=i)


def decision(ip, n):
    return {
        "duration": "4h", "uuid": "11111111-2222-3333-4444-%012d" % n, "scenario": "acme/http-bf",
        "origin": "crowdsec", "scope": "ip", "simulated": False, "until": None, "id": n, "type": "ban", "value": ip,
    }


signals = [
    create_signal(attacker_ip="192.0.2.%d" % i, scenario="crowdsecurity/ssh-bf", created_at=at(i), machine_id=login)
    for i in range(3)
]
passing = [
    create_signal(
        attacker_ip="198.51.100.%d" % i, scenario="acme/http-bf", created_at=at(i), machine_id=login,
        message="5 failed logins", scenario_trust="custom", scenario_hash="abc", scenario_version="1.0",
        context=[{"key": "uri", "value": "/login"}, {"key": "user_agent", "value": "curl/8"}],
        decisions=[decision("198.51.100.%d" % i, i)],
    )
    for i in range(1, 6)
]
client.add_signals(signals + passing)
first = client.send_signals()
stream = client.get_decisions(login, ["crowdsecurity/ssh-bf"])
client.add_signals([
    create_signal(
        attacker_ip="10.%d.%d.%d" % (i // 60000, i // 250 % 240, i % 250), scenario="crowdsecurity/http-probing",
        created_at=at(i % 60), machine_id=login,
    )
    for i in range(600)
])
second = client.send_signals()
client.enroll_machines([login], name="lab", attachment_key=key, tags=["lab"], overwrite=False)
print(json.dumps({
    "login": login, "sent": [first, second], "signals": len(signals) + len(passing) + 600,
    "passing": [s.source.value for s in passing], "stream": stream,
}, default=str))
