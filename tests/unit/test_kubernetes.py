"""deploy/kubernetes as programs take it: our settings read it, and kubectl puts it together."""

import re
import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from notistream import __version__
from notistream.settings.model import PREFIX
from notistream.settings.reading import load_settings
from tests.laws import kubernetes
from tests.laws.tree import ROOT, Tree

FOLDER = ROOT / "deploy" / "kubernetes"
needs_kubectl = pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")


def of_kind(*kinds: str) -> list[dict]:
    return [found for _, found in kubernetes.of_kind(Tree(), *kinds)]


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


@needs_kubectl
def test_kustomize_puts_the_manifests_together():
    for path in sorted(FOLDER.rglob("kustomization.yaml")):
        done = subprocess.run(
            ["kubectl", "kustomize", path.parent], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        whole = list(yaml.safe_load_all(done.stdout))
        assert {one["metadata"].get("namespace", "notistream") for one in whole} == {"notistream"}
        images = re.findall(r"image: (.*)", done.stdout)
        assert set(images) <= {f"registry.example.com/notistream:{__version__}"}
        for one in whole:
            kubernetes_validate.validate(one, "1.30", strict=True)


@needs_kubectl
def test_the_overlay_of_the_docs_is_one(tmp_path):
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
