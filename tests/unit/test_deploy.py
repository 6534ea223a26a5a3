"""What is shipped beside the code: compose files, Dockerfile and .env.example agree with the settings."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from notistream.config import PREFIX, Settings

ROOT = Path(__file__).parents[2]
COMPOSE = [ROOT / "compose.yaml", *sorted((ROOT / "deploy").glob("compose*.yaml"))]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
EXAMPLE = ROOT / ".env.example"
KNOWN = {PREFIX + name.upper() for name in Settings.model_fields}
SECRETS = {"NOTISTREAM_ADMIN_TOKEN": "0123456789abcdef", "POSTGRES_PASSWORD": "secret"}
LOOPBACK_PORT = re.compile(r"127\.0\.0\.1:\$\{\w+:-\d+\}:\d+")


def compose_config(*files: Path, **environment: str) -> dict:
    """The files merged and interpolated, as `docker compose` understands them."""
    command = ["docker", "compose", *(part for file in files for part in ("--file", str(file)))]
    env = {**{k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}, **environment}
    done = subprocess.run(
        [*command, "config", "--format", "json"], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def compose() -> None:
    if shutil.which("docker") is None:
        pytest.skip("the docker command is not installed")
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("the docker command has no compose plugin")


@pytest.mark.parametrize("path", [*COMPOSE, DOCKERFILE, EXAMPLE], ids=lambda path: path.name)
def test_names_only_settings_that_exist(path):
    used = set(re.findall(r"NOTISTREAM_[A-Z0-9_]+", path.read_text()))
    assert used, f"{path.name} names no setting: is it the right file?"
    assert used <= KNOWN


def test_every_setting_is_explained_in_the_example():
    assert set(re.findall(r"^# (NOTISTREAM_[A-Z0-9_]+)=", EXAMPLE.read_text(), re.M)) == KNOWN


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_ports_are_published_on_loopback_only(path):
    for name, service in yaml.safe_load(path.read_text())["services"].items():
        for port in service.get("ports", []):
            assert LOOPBACK_PORT.fullmatch(port), f"{name} publishes {port}"


def test_every_service_tells_its_health_and_limits_its_memory():
    for name, service in yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].items():
        assert "healthcheck" in service, name
        assert service["deploy"]["resources"]["limits"]["memory"], name


def test_the_image_copies_only_what_the_docker_context_has():
    context = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set()
    for line in DOCKERFILE.read_text().splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            copied |= set(line.split()[1:-1])
    assert copied == context
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.usefixtures("compose")
class TestDockerCompose:
    def test_the_stack_is_valid_and_starts_in_order(self):
        services = compose_config(ROOT / "compose.yaml")["services"]
        assert {"api", "worker-0", "worker-1", "migrate", "postgres", "kafka", "jaeger"} <= services.keys()
        for name in ("api", "worker-0", "worker-1"):
            assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert [services[f"worker-{n}"]["environment"]["NOTISTREAM_WORKER_SLOT"] for n in (0, 1)] == ["0", "1"]

    @pytest.mark.parametrize(("environment", "expected"), [
        ({}, ""),
        ({"WEBHOOK_URL": "http://a/plain"}, "http://a/plain"),
        ({"NOTISTREAM_WEBHOOK_URL": "http://a/own"}, "http://a/own"),
        ({"WEBHOOK_URL": "http://a/plain", "NOTISTREAM_WEBHOOK_URL": "http://a/own"}, "http://a/plain"),
    ])
    def test_hands_a_webhook_url_on(self, environment, expected):
        services = compose_config(ROOT / "compose.yaml", **{"WEBHOOK_URL": "", **environment})["services"]
        assert services["worker-0"]["environment"]["NOTISTREAM_WEBHOOK_URL"] == expected

    def test_with_keys_nothing_is_open(self):
        files = (ROOT / "compose.yaml", ROOT / "deploy" / "compose.auth.yaml")
        services = compose_config(*files, **SECRETS)["services"]
        for name in ("api", "worker-0", "worker-1", "migrate"):
            environment = services[name]["environment"]
            assert environment["NOTISTREAM_AUTH"] == "on"
            assert environment["NOTISTREAM_ALLOW_INSECURE"] == "0"
            assert environment["NOTISTREAM_ADMIN_TOKEN"] == SECRETS["NOTISTREAM_ADMIN_TOKEN"]
        assert "--demo" not in services["migrate"]["command"][0]
