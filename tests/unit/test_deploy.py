"""What is shipped beside the code: compose files, Dockerfile and .env.example agree with the
settings.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from notistream.settings import plugins
from notistream.settings.model import PREFIX, Settings

ROOT = Path(__file__).parents[2]
COMPOSE = [ROOT / "compose.yaml", *sorted((ROOT / "deploy").glob("compose*.yaml"))]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
MAKEFILE = ROOT / "Makefile"
EXAMPLE = ROOT / ".env.example"
OF_PROVIDERS = {
    name
    for plugin in plugins.installed().values()
    if plugin.package == plugins.OURS
    for name in plugin.settings()
}
KNOWN = {PREFIX + name.upper() for name in Settings.model_fields} | OF_PROVIDERS
SECRETS = {
    "NOTISTREAM_ADMIN_TOKEN": "0123456789abcdef",
    "POSTGRES_PASSWORD": "secret",
    "DASHBOARDS_PASSWORD": "read",
    "GRAFANA_PASSWORD": "look",
}
PINNED = re.compile(r"[\w./-]+:v?\d+(\.\d+)*")
WITHOUT_HEALTH = {"migrate", "dashboards-role", "otel-collector"}
"""Two that run once, and an image that holds nothing to ask with."""
LOOPBACK_PORT = re.compile(r"127\.0\.0\.1:\$\{\w+:-\d+\}:\d+")


def compose_config(*files: Path, **environment: str) -> dict:
    """The files merged and interpolated, as `docker compose` understands them."""
    command = ["docker", "compose", *(part for file in files for part in ("--file", str(file)))]
    env = {**{k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}, **environment}
    done = subprocess.run(
        [*command, "config", "--format", "json"],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def compose() -> None:
    if shutil.which("docker") is None:
        pytest.skip("the docker command is not installed")
    if (
        subprocess.run(
            ["docker", "compose", "version"], capture_output=True, check=False
        ).returncode
        != 0
    ):
        pytest.skip("the docker command has no compose plugin")


@pytest.mark.parametrize("path", [*COMPOSE, DOCKERFILE, EXAMPLE], ids=lambda path: path.name)
def test_names_only_settings_that_exist(path):
    used = set(re.findall(r"NOTISTREAM_[A-Z0-9_]+", path.read_text()))
    assert used, f"{path.name} names no setting: is it the right file?"
    assert used <= KNOWN


def test_the_dockerfile_has_nothing_that_hadolint_minds():
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, "--failure-threshold", "style", DOCKERFILE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_setting_is_explained_in_the_example():
    assert set(re.findall(r"^# (NOTISTREAM_[A-Z0-9_]+)=", EXAMPLE.read_text(), re.M)) == KNOWN


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.name)
def test_ports_are_published_on_loopback_only(path):
    for name, service in yaml.safe_load(path.read_text())["services"].items():
        for port in service.get("ports", []):
            assert LOOPBACK_PORT.fullmatch(port), f"{name} publishes {port}"


class TestServices:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]

    def test_all_that_is_promised_is_there(self):
        assert self.services.keys() >= {
            "migrate",
            "api",
            "worker-0",
            "worker-1",
            "postgres",
            "kafka",
            "otel-collector",
            "jaeger",
            "tempo",
            "prometheus",
            "grafana",
            "loki",
            "alloy",
        }

    @pytest.mark.parametrize(("name", "service"), services.items())
    def test_each_tells_its_health_and_has_its_limits(self, name, service):
        assert ("test" in service["healthcheck"]) != (name in WITHOUT_HEALTH)
        assert service["deploy"]["resources"]["limits"]["memory"]
        assert service["logging"]["options"]["max-size"]
        assert service["image"] == "notistream:local" or PINNED.fullmatch(service["image"])

    @pytest.mark.parametrize(("name", "service"), services.items())
    def test_each_mounts_files_that_are_shipped_and_volumes_that_are_declared(self, name, service):
        declared = yaml.safe_load((ROOT / "compose.yaml").read_text())["volumes"]
        for volume in service.get("volumes", []):
            source, _, mode = (*volume.split(":"), "rw")[:3]
            if source.startswith("."):
                assert (ROOT / source).exists(), f"{name} mounts {source}"
                assert mode == "ro"
            else:
                assert source in declared or (name, source, mode) == (
                    "alloy",
                    "/var/run/docker.sock",
                    "ro",
                )

    def test_no_two_publish_the_same_port(self):
        ports = [
            port.split(":-")[1].split("}")[0]
            for service in self.services.values()
            for port in service.get("ports", [])
        ]
        assert len(set(ports)) == len(ports)

    def test_prometheus_finds_each_process_and_each_observer(self):
        folder = ROOT / "deploy" / "prometheus"
        named = yaml.safe_load((folder / "targets" / "compose.yaml").read_text())
        jobs = yaml.safe_load((folder / "prometheus.yaml").read_text())["scrape_configs"]
        observers = [target.split(":")[0] for target in jobs[1]["static_configs"][0]["targets"]]
        assert {group["labels"]["role"]: group["targets"] for group in named} == {
            "api": ["api:8080"],
            "worker": ["worker-0:8080", "worker-1:8080"],
        }
        assert self.services["api"]["environment"]["NOTISTREAM_WORKER_PORT"] == 8080
        assert set(observers) - {"127.0.0.1"} <= self.services.keys()

    def test_traces_go_to_the_collector_and_from_there_to_both(self):
        collector = yaml.safe_load((ROOT / "deploy" / "otel" / "collector.yaml").read_text())
        endpoints = {exporter["endpoint"] for exporter in collector["exporters"].values()}
        assert endpoints == {"jaeger:4317", "tempo:4317"}
        assert collector["service"]["pipelines"]["traces"]["exporters"] == list(
            collector["exporters"]
        )
        assert [port.split(":")[-1] for port in self.services["otel-collector"]["ports"]] == [
            "4317",
            "4318",
        ]

    def test_the_infrastructure_alone_starts_nothing_else(self):
        recipe = re.search(
            r"^docker-up-infra:.*\n\t\$\(COMPOSE\) up --detach --wait (.*)",
            MAKEFILE.read_text(),
            re.M,
        )
        started, left = set(), recipe[1].split()
        while left:
            started.add(left[0])
            left += self.services[left.pop(0)].get("depends_on", {}).keys() - started
        assert started == {"postgres", "kafka", "jaeger", "otel-collector"}


def test_the_image_copies_only_what_the_docker_context_has():
    context = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
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
        assert {
            "api",
            "worker-0",
            "worker-1",
            "migrate",
            "postgres",
            "kafka",
            "jaeger",
        } <= services.keys()
        for name in ("api", "worker-0", "worker-1"):
            assert (
                services[name]["depends_on"]["migrate"]["condition"]
                == "service_completed_successfully"
            )
        assert [
            services[f"worker-{n}"]["environment"]["NOTISTREAM_WORKER_SLOT"] for n in (0, 1)
        ] == ["0", "1"]

    @pytest.mark.parametrize(
        ("environment", "expected"),
        [
            ({}, ""),
            ({"WEBHOOK_URL": "http://a/plain"}, "http://a/plain"),
            ({"NOTISTREAM_WEBHOOK_URL": "http://a/own"}, "http://a/own"),
            (
                {"WEBHOOK_URL": "http://a/plain", "NOTISTREAM_WEBHOOK_URL": "http://a/own"},
                "http://a/plain",
            ),
        ],
    )
    def test_hands_a_webhook_url_on(self, environment, expected):
        services = compose_config(ROOT / "compose.yaml", **{"WEBHOOK_URL": "", **environment})[
            "services"
        ]
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
        grafana = services["grafana"]["environment"]
        assert grafana["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
        assert grafana["GF_SECURITY_ADMIN_PASSWORD"] == SECRETS["GRAFANA_PASSWORD"]
        assert (
            grafana["DASHBOARDS_PASSWORD"]
            == services["dashboards-role"]["environment"]["DASHBOARDS_PASSWORD"]
        )
