"""The compose files as `docker compose` reads them: order of start, settings, keys."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from notistream.settings.model import PREFIX

ROOT = Path(__file__).parents[2]
SECRETS = {
    "NOTISTREAM_ADMIN_TOKEN": "0123456789abcdef",
    "POSTGRES_PASSWORD": "secret",
    "DASHBOARDS_PASSWORD": "read",
    "GRAFANA_PASSWORD": "look",
}


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
