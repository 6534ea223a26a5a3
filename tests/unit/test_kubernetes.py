"""deploy/kubernetes: what the schemas of Kubernetes say, and what only we know: settings, probes,
slots, bounds.
"""

import re
import shutil
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from notistream import __version__
from notistream.settings import plugins
from notistream.settings.model import PREFIX, Settings
from notistream.settings.reading import load_settings
from notistream.web.routes import ROUTES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
FILES = sorted(path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml")
KUSTOMIZATIONS = sorted(FOLDER.rglob("kustomization.yaml"))
KNOWN = {PREFIX + name.upper() for name in Settings.model_fields} | {
    name
    for plugin in plugins.installed().values()
    if plugin.package == plugins.OURS
    for name in plugin.settings()
}
OLDEST = "1.30"
CLOSING_S = 15
"""What a process may take to close, beside its drain: the relay's five seconds, the pool's, and the
producer's.
"""


def documents(*paths: Path) -> list[dict]:
    return [found for path in paths or FILES for found in yaml.safe_load_all(path.read_text())]


def of_kind(*kinds: str) -> list[dict]:
    return [found for found in documents() if found["kind"] in kinds]


def named(found: dict) -> str:
    return f"{found['kind']} {found['metadata']['name']}"


WORKLOADS = of_kind("Deployment", "StatefulSet", "Job")
SERVING = of_kind("Deployment", "StatefulSet")


def pod(workload: dict) -> dict:
    return workload["spec"]["template"]["spec"]


def container(workload: dict) -> dict:
    (only,) = pod(workload)["containers"]
    return only


@pytest.mark.parametrize("version", [OLDEST, "1.34", "1.37"])
@pytest.mark.parametrize("found", documents(), ids=named)
def test_the_schema_holds_without_an_unknown_field(found, version):
    kubernetes_validate.validate(found, version, strict=True)


def test_the_check_would_notice_an_unknown_field():
    worker = next(found for found in documents() if found["kind"] == "StatefulSet")
    worker["spec"]["template"]["spec"]["terminationGraceSeconds"] = 5
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(worker, OLDEST, strict=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_names_only_settings_that_exist(path):
    assert set(re.findall(r"NOTISTREAM_[A-Z0-9_]+", path.read_text())) <= KNOWN


def test_the_example_starts_a_process(tmp_path, monkeypatch):
    """Config and secrets together are settings that go with each other.

    Only the files are not here.
    """
    values = {}
    for found in of_kind("ConfigMap", "Secret"):
        values |= {
            k: v
            for k, v in (found.get("data") or found.get("stringData")).items()
            if k.startswith(PREFIX)
        }
    assert all(isinstance(value, str) for value in values.values())
    monkeypatch.chdir(tmp_path)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NOTISTREAM_KAFKA_CA_FILE")
    monkeypatch.setenv(
        "NOTISTREAM_DATABASE_URL", values["NOTISTREAM_DATABASE_URL"].partition("?")[0]
    )
    settings = load_settings(host="0.0.0.0")
    assert (settings.auth, settings.kafka.protocol) == ("on", "SASL_SSL")
    files = re.findall(r"/etc/notistream/tls/([\w.-]+)", " ".join(values.values()))
    given = next(
        found for found in of_kind("Secret") if found["metadata"]["name"] == "notistream-tls"
    )["stringData"]
    assert set(files) == set(given)


@pytest.mark.parametrize("workload", WORKLOADS, ids=named)
def test_every_pod_has_no_more_rights_than_it_needs(workload):
    outer, inner = pod(workload)["securityContext"], container(workload)["securityContext"]
    user = re.search(r"useradd --uid (\d+)", (ROOT / "deploy" / "Dockerfile").read_text())[1]
    assert (outer["runAsNonRoot"], str(outer["runAsUser"])) == (True, user)
    assert outer["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inner == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod(workload)["automountServiceAccountToken"] is False
    # NOTISTREAM_API_SERVICE_HOST and its kind would be unknown settings.
    assert pod(workload)["enableServiceLinks"] is False
    written = {
        mount["mountPath"]
        for mount in container(workload)["volumeMounts"]
        if not mount.get("readOnly")
    }
    assert written == {"/var/lib/notistream", "/tmp"}
    assert {"requests", "limits"} == set(container(workload)["resources"])


@pytest.mark.parametrize("workload", SERVING, ids=named)
def test_probes_ask_for_what_is_served(workload):
    served = {route.path for route in ROUTES}
    probes = {
        kind: container(workload)[f"{kind}Probe"]["httpGet"]
        for kind in ("startup", "liveness", "readiness")
    }
    assert {probe["path"] for probe in probes.values()} == {"/livez", "/readyz"} <= served
    assert (
        probes["liveness"]["path"] == "/livez"
    )  # a database that is away is no reason to restart anything
    (port,) = container(workload)["ports"]
    assert {probe["port"] for probe in probes.values()} == {port["name"]}
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    assert f"NOTISTREAM_PORT={port['containerPort']}" in dockerfile
    assert f"NOTISTREAM_WORKER_PORT={port['containerPort']}" in dockerfile


def test_a_stop_has_the_time_that_it_may_take():
    api, worker = (
        next(w for w in SERVING if w["kind"] == kind) for kind in ("Deployment", "StatefulSet")
    )
    drain = Settings.model_fields["lease_s"].default / 2
    assert pod(worker)["terminationGracePeriodSeconds"] >= drain + CLOSING_S
    sleep = int(container(api)["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod(api)["terminationGracePeriodSeconds"] >= sleep + drain + CLOSING_S


def test_each_worker_has_its_own_slot_and_tables():
    worker = next(w for w in SERVING if w["kind"] == "StatefulSet")
    (slot,) = container(worker)["env"]
    assert slot["name"] == "NOTISTREAM_WORKER_SLOT"
    assert (
        slot["valueFrom"]["fieldRef"]["fieldPath"]
        == "metadata.labels['apps.kubernetes.io/pod-index']"
    )
    (claim,) = worker["spec"]["volumeClaimTemplates"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container(worker)["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == "/var/lib/notistream"
    scaler = next(
        h
        for h in of_kind("HorizontalPodAutoscaler")
        if h["metadata"]["name"] == worker["metadata"]["name"]
    )
    partitions = of_kind("ConfigMap")[0]["data"]["NOTISTREAM_TOPIC_PARTITIONS"]
    assert scaler["spec"]["maxReplicas"] <= int(partitions)


def test_selectors_and_references_find_what_they_mean():
    labels = [w["spec"]["template"]["metadata"]["labels"] for w in WORKLOADS]

    def matches(selector):
        return [one for one in labels if selector.items() <= one.items()]

    for found in of_kind("Service"):
        assert len(matches(found["spec"]["selector"])) == 1
    for found in [*of_kind("PodDisruptionBudget"), *SERVING]:
        assert len(matches(found["spec"]["selector"]["matchLabels"])) == 1
    assert sorted(
        len(matches(found["spec"]["podSelector"]["matchLabels"]))
        for found in of_kind("NetworkPolicy")
    ) == [1, 1, 3]
    names = {(w["kind"], w["metadata"]["name"]) for w in SERVING}
    targets = [found["spec"]["scaleTargetRef"] for found in of_kind("HorizontalPodAutoscaler")]
    assert {(target["kind"], target["name"]) for target in targets} == names
    assert all(
        "replicas" not in w["spec"] for w in SERVING
    )  # an apply would undo what the scaler decided
    for workload in WORKLOADS:
        assert container(workload)["envFrom"] == [
            {"configMapRef": {"name": "notistream"}},
            {"secretRef": {"name": "notistream"}},
        ]
        assert container(workload)["image"] == "notistream"


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_a_kustomization_names_files_that_are_there_and_this_version(path):
    found = yaml.safe_load(path.read_text())
    assert found["namespace"] == "notistream"
    assert all((path.parent / resource).exists() for resource in found["resources"])
    assert all(image["newTag"] == __version__ for image in found.get("images", []))
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed: it would put them together")
    done = subprocess.run(
        ["kubectl", "kustomize", path.parent], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    whole = list(yaml.safe_load_all(done.stdout))
    assert {one["metadata"].get("namespace", "notistream") for one in whole} == {"notistream"}
    images = re.findall(r"image: (.*)", done.stdout)
    assert set(images) <= {f"registry.example.com/notistream:{__version__}"}
    for one in whole:
        kubernetes_validate.validate(one, OLDEST, strict=True)


def test_prometheus_and_the_scaler_find_their_names():
    dns = (ROOT / "deploy" / "prometheus" / "prometheus-dns.yaml").read_text()
    headless = {
        found["metadata"]["name"]
        for found in of_kind("Service")
        if found["spec"].get("clusterIP") == "None"
    }
    assert headless == set(re.search(r"names: \[(.*)\]", dns)[1].split(", "))
    assert (
        "notistream_consumer_lag_records"
        in (ROOT / "notistream" / "observability" / "metrics.py").read_text()
    )


def test_the_overlay_of_the_docs_is_one(tmp_path):
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed: it would put them together")
    shutil.copytree(FOLDER, tmp_path / "deploy" / "kubernetes")
    text = (ROOT / "docs" / "deployment.md").read_text()
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "kustomization.yaml").write_text(
        re.search(r"```yaml\n(# overlay/.*?)```", text, re.S)[1]
    )
    done = subprocess.run(
        ["kubectl", "kustomize", tmp_path / "overlay"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "NOTISTREAM_PUBLIC_URL: https://notify.you.example" in done.stdout
    assert f"image: ghcr.io/you/notistream:{__version__}" in done.stdout
