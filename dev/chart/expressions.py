"""Has promtool read every expression of the alert rules and the dashboards.

    expressions.py PROMTOOL FOLDER
"""
import json
import pathlib
import subprocess
import sys

import yaml

PROMTOOL, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
RULES = "deploy/prometheus/rules.yaml"
# What Grafana puts in.
VARIABLES = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "6h"}


def expressions(panels):
    for panel in panels:
        yield from (target["expr"] for target in panel.get("targets", []))
        yield from expressions(panel.get("panels", []))


def main():
    found = []
    for path in sorted(pathlib.Path("deploy/grafana").glob("*.json")):
        dashboard = json.loads(path.read_text())
        ids = [panel["id"] for panel in dashboard["panels"]]
        assert len(ids) == len(set(ids)), f"{path}: a panel's id is there twice"
        found += expressions(dashboard["panels"])
    records = []
    for n, text in enumerate(found):
        for name, value in VARIABLES.items():
            text = text.replace(name, value)
        assert "$_" not in text, f"a variable that nobody fills in: {text}"
        records.append({"record": f"panel:{n}", "expr": text})
    panels = FOLDER / "panels.yaml"
    panels.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": records}]}))
    done = subprocess.run([PROMTOOL, "check", "rules", RULES, str(panels)], capture_output=True, text=True)
    if done.returncode:
        print(done.stdout, done.stderr, file=sys.stderr)
        return 1
    tests = subprocess.run([PROMTOOL, "test", "rules", "dev/chart/rules_test.yaml"], capture_output=True, text=True)
    if tests.returncode:
        print(tests.stdout, tests.stderr, file=sys.stderr)
        return 1
    print(f"chart: {len(found)} expressions of dashboards and all alert rules parse; the rules' own tests pass")
    return 0


sys.exit(main())
