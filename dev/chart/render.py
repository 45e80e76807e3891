"""Lints and renders the chart for every set of values, and holds the outcome against Kubernetes' schemas.

    render.py HELM FOLDER
"""
import pathlib
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import kubernetes_validate
import yaml

HELM, OUT = sys.argv[1], pathlib.Path(sys.argv[2])
CHART = pathlib.Path("helm/garrison")
VERSIONS = ["1.25", "1.33"]
# What the schemas of Kubernetes itself do not hold.
FOREIGN = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "Cluster"}
# Values that must be refused, and a word of the reason.
REFUSED = [
    ("no database", [], "where is the database"),
    ("two databases", ["database.existingSecret=a", "database.url=postgres://a@b/c"], "say one of them"),
    ("an unknown key", ["database.existingSecret=a", "replicas=3"], "replicas"),
    ("a word for a number", ["database.existingSecret=a", "replicaCount=two"], "replicaCount"),
    ("no replica", ["database.existingSecret=a", "replicaCount=0"], "replicaCount"),
    ("a URL without slash", ["database.existingSecret=a", "publicUrl=https://gate.example.org"], "publicUrl"),
    ("a secret in config", ["database.existingSecret=a", "config.secret_key=x"], "config"),
    ("a provider without name", ["database.existingSecret=a", "oidc.issuer=https://id.example.org", "publicUrl=https://g.example.org/"], "clientId"),
    ("a provider and no way back", ["database.existingSecret=a", "oidc.issuer=https://id.example.org", "oidc.clientId=g"], "publicUrl"),
    ("a provider in plain text", ["database.existingSecret=a", "oidc.issuer=http://id.example.org"], "issuer"),
    ("a role that is none", ["database.existingSecret=a", "oidc.groups[0]=ops=acme:root"], "groups"),
    ("every proxy", ["database.existingSecret=a", "authHeaders.proxies[0]=0.0.0.0/0"], "proxies"),
    ("ingress without host", ["database.existingSecret=a", "ingress.enabled=true"], "hosts"),
]


def helm(*args):
    return subprocess.run([HELM, *args], capture_output=True, text=True)


def with_stub(folder):
    """The chart with an empty stand-in for the one that it names: Helm wants all of them to be there."""
    chart = folder / "garrison"
    shutil.copytree(CHART, chart)
    stub = chart / "charts" / "cluster"
    stub.mkdir(parents=True)
    (stub / "Chart.yaml").write_text("apiVersion: v2\nname: cluster\nversion: 0.3.1\n")
    return chart


def check(values, version, chart):
    """All complaints about one rendering."""
    done = helm("template", "g", str(chart), "-f", str(values), "--kube-version", version,
                "--api-versions", "autoscaling/v2", "--namespace", "gate")
    if done.returncode:
        return [f"{values.name} on {version}: {done.stderr.strip()}"]
    (OUT / f"{values.stem}-{version}.yaml").write_text(done.stdout)
    wrong, names = [], set()
    for document in yaml.safe_load_all(done.stdout):
        if document is None:
            continue
        where = f"{values.name} on {version}: {document['kind']} {document['metadata']['name']}"
        if (document["kind"], document["metadata"]["name"]) in names:
            wrong.append(f"{where} is there twice")
        names.add((document["kind"], document["metadata"]["name"]))
        if document["kind"] not in FOREIGN:
            try:
                kubernetes_validate.validate(document, version, strict=True)
            except Exception as e:  # noqa: BLE001, whatever it is, it is wrong
                wrong.append(f"{where}: {e}")
        wrong += [f"{where}: {text}" for text in restricted(document)]
    return wrong


def restricted(document):
    """Where a pod does not meet the restricted standard, or does without limits."""
    spec = document.get("spec", {}).get("template", {}).get("spec")
    if spec is None:
        return
    pod = spec.get("securityContext", {})
    if pod.get("runAsNonRoot") is not True or not pod.get("runAsUser"):
        yield "runs as root, perhaps"
    if pod.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "has no seccomp profile"
    if spec.get("automountServiceAccountToken") is not False:
        yield "gets a token of the cluster's"
    for container in spec["containers"]:
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False or own.get("readOnlyRootFilesystem") is not True:
            yield "may become more than it is, or writes to its root"
        if own.get("capabilities", {}).get("drop") != ["ALL"]:
            yield "keeps capabilities"
        if "memory" not in container.get("resources", {}).get("limits", {}):
            yield "has no limit of memory"
        for variable in container.get("env", []):
            if "SECRET" in variable["name"] or variable["name"].endswith("_URL") and "DATABASE" in variable["name"]:
                if "value" in variable:
                    yield f"{variable['name']} stands in the pod's description"


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    chart = with_stub(OUT)
    values = sorted(CHART.glob("ci/*.yaml"))
    wrong = []
    with ThreadPoolExecutor(2) as pool:
        for lint in pool.map(lambda v: helm("lint", "--strict", str(chart), "-f", str(v)), values):
            if lint.returncode:
                wrong.append(lint.stdout + lint.stderr)
        for found in pool.map(lambda pair: check(*pair, chart), [(v, k) for v in values for k in VERSIONS]):
            wrong += found
    for what, given, word in REFUSED:
        done = helm("template", "g", str(chart), "--kube-version", VERSIONS[0], *[part for one in given for part in ("--set", one)])
        if done.returncode == 0 or word not in done.stderr:
            wrong.append(f"{what} is not refused as it should be: {done.stderr.strip()}")
    for text in wrong:
        print(text, file=sys.stderr)
    if not wrong:
        print(f"chart: {len(values)} sets of values on Kubernetes {', '.join(VERSIONS)}: valid; {len(REFUSED)} refused")
    shutil.rmtree(chart)
    return 1 if wrong else 0


sys.exit(main())
