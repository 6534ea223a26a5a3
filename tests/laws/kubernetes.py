"""deploy/kubernetes: what the schemas of Kubernetes say, and what only we know of our processes."""

import re
from collections.abc import Iterator
from functools import partial
from posixpath import dirname, normpath
from typing import Any

import kubernetes_validate

from notistream import __version__
from notistream.settings.model import Settings
from notistream.web.routes import ROUTES
from tests.laws.series import KNOWN
from tests.laws.shipped import SETTINGS
from tests.laws.tree import Tree

FOLDER = "deploy/kubernetes"
VERSIONS = ("1.30", "1.34", "1.37")
CLOSING_S = 15
"""What a process may take to close, beside its drain: the relay's five seconds, the pool's, and the
producer's.
"""
SLOT = "metadata.labels['apps.kubernetes.io/pod-index']"
NO_RIGHTS = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
FROM = [{"configMapRef": {"name": "notistream"}}, {"secretRef": {"name": "notistream"}}]
Found = tuple[str, dict[str, Any]]


def manifests(tree: Tree) -> list[str]:
    return [path for path in tree.files(f"{FOLDER}/*.yaml") if "kustomization" not in path]


def of_kind(tree: Tree, *kinds: str) -> list[Found]:
    """Path and content of each document; of every kind if none is named."""
    return [
        (path, found)
        for path in manifests(tree)
        for found in tree.documents(path)
        if not kinds or found["kind"] in kinds
    ]


def serving(tree: Tree) -> list[Found]:
    return of_kind(tree, "Deployment", "StatefulSet")


def workloads(tree: Tree) -> list[Found]:
    return [*serving(tree), *of_kind(tree, "Job")]


def named(found: dict[str, Any]) -> str:
    return f"{found['kind']} {found['metadata']['name']}"


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    return dict(workload["spec"]["template"]["spec"])


def container(workload: dict[str, Any]) -> dict[str, Any]:
    (only,) = pod(workload)["containers"]
    return dict(only)


def the_schema_holds_without_an_unknown_field(tree: Tree) -> Iterator[str]:
    for path, found in of_kind(tree):
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(found, version, strict=True)
            except kubernetes_validate.ValidationError as exc:
                yield f"{path}:1: {named(found)}, Kubernetes {version}: {exc.message}"


def manifests_name_settings_and_metrics_that_exist(tree: Tree) -> Iterator[str]:
    for path in manifests(tree):
        metrics = set(re.findall(r"\bnotistream_[a-z_]+", tree.read(path)))
        for name in sorted(metrics - KNOWN.keys()):
            yield tree.at(path, name, f"{name} is no metric")
        for name in sorted(set(re.findall(r"NOTISTREAM_[A-Z0-9_]+", tree.read(path))) - SETTINGS):
            yield tree.at(path, name, f"{name} is no setting")


def every_pod_has_no_more_rights_than_it_needs(tree: Tree) -> Iterator[str]:
    user = re.search(r"useradd --uid (\d+)", tree.read("deploy/Dockerfile"))
    for path, workload in workloads(tree):
        wrong = partial(tree.at, path, f"kind: {workload['kind']}")
        outer, inner = pod(workload)["securityContext"], container(workload)["securityContext"]
        if not user or (outer["runAsNonRoot"], str(outer["runAsUser"])) != (True, user[1]):
            yield wrong("does not run as the user of the Dockerfile")
        if outer["seccompProfile"] != {"type": "RuntimeDefault"} or inner != NO_RIGHTS:
            yield wrong("has more rights than it needs")
        if pod(workload)["automountServiceAccountToken"] is not False:
            yield wrong("mounts a token of the cluster")
        if pod(workload)["enableServiceLinks"] is not False:
            yield wrong("gets NOTISTREAM_API_SERVICE_HOST and its kind, which are no settings")
        mounts = container(workload)["volumeMounts"]
        if {each["mountPath"] for each in mounts if not each.get("readOnly")} != {
            "/var/lib/notistream",
            "/tmp",
        }:
            yield wrong("may write elsewhere than in its state and /tmp")
        if set(container(workload)["resources"]) != {"requests", "limits"}:
            yield wrong("has no requests or no limits")


def probes_ask_for_what_is_served(tree: Tree) -> Iterator[str]:
    dockerfile, served = tree.read("deploy/Dockerfile"), {route.path for route in ROUTES}
    for path, workload in serving(tree):
        wrong = partial(tree.at, path, "Probe")
        kinds = ("startup", "liveness", "readiness")
        probes = {kind: container(workload)[f"{kind}Probe"]["httpGet"] for kind in kinds}
        paths = {probe["path"] for probe in probes.values()}
        if not paths == {"/livez", "/readyz"} <= served:
            yield wrong(f"asks for {sorted(paths)}")
        if probes["liveness"]["path"] != "/livez":
            yield wrong("would restart a process because its database is away")
        (port,) = container(workload)["ports"]
        if {probe["port"] for probe in probes.values()} != {port["name"]}:
            yield wrong("asks at another port than the container's")
        for name in ("NOTISTREAM_PORT", "NOTISTREAM_WORKER_PORT"):
            if f"{name}={port['containerPort']}" not in dockerfile:
                yield wrong(f"{name} of the Dockerfile is not {port['containerPort']}")


def a_stop_has_the_time_that_it_may_take(tree: Tree) -> Iterator[str]:
    drain = Settings.model_fields["lease_s"].default / 2
    for path, workload in serving(tree):
        hook = container(workload).get("lifecycle", {}).get("preStop")
        sleep = int(hook["exec"]["command"][1]) if hook else 0
        if pod(workload)["terminationGracePeriodSeconds"] < sleep + drain + CLOSING_S:
            yield tree.at(path, "terminationGracePeriodSeconds", "is shorter than a stop may take")


def each_worker_has_its_own_slot_and_tables(tree: Tree) -> Iterator[str]:
    for path, worker in of_kind(tree, "StatefulSet"):
        (slot,) = container(worker)["env"]
        given = slot["valueFrom"]["fieldRef"]["fieldPath"]
        if (slot["name"], given) != ("NOTISTREAM_WORKER_SLOT", SLOT):
            yield tree.at(path, "env:", "a worker's slot is not the number of its pod")
        (claim,) = worker["spec"]["volumeClaimTemplates"]
        mounts = {each["name"]: each["mountPath"] for each in container(worker)["volumeMounts"]}
        if mounts.get(claim["metadata"]["name"]) != "/var/lib/notistream":
            yield tree.at(path, "volumeMounts", "a worker's tables lie on no volume of its own")
        partitions = of_kind(tree, "ConfigMap")[0][1]["data"]["NOTISTREAM_TOPIC_PARTITIONS"]
        for scaler_path, scaler in of_kind(tree, "HorizontalPodAutoscaler"):
            its_own = scaler["metadata"]["name"] == worker["metadata"]["name"]
            if its_own and scaler["spec"]["maxReplicas"] > int(partitions):
                yield tree.at(scaler_path, "maxReplicas", "is more than there are partitions")


def selectors_find_what_they_mean(tree: Tree) -> Iterator[str]:
    labels = [found["spec"]["template"]["metadata"]["labels"] for _, found in workloads(tree)]

    def matches(selector: dict[str, str]) -> int:
        return sum(selector.items() <= one.items() for one in labels)

    for path, found in of_kind(tree, "Service"):
        if matches(found["spec"]["selector"]) != 1:
            yield tree.at(path, "selector", f"{named(found)} does not find just one workload")
    for path, found in [*of_kind(tree, "PodDisruptionBudget"), *serving(tree)]:
        if matches(found["spec"]["selector"]["matchLabels"]) != 1:
            yield tree.at(path, "matchLabels", f"{named(found)} does not find just one workload")
    policies = of_kind(tree, "NetworkPolicy")
    reach = sorted(matches(found["spec"]["podSelector"]["matchLabels"]) for _, found in policies)
    if reach != [1, 1, 3]:
        yield f"{FOLDER}:1: the network policies reach {reach} workloads instead of [1, 1, 3]"


def scalers_and_references_name_what_is_there(tree: Tree) -> Iterator[str]:
    names = {(found["kind"], found["metadata"]["name"]) for _, found in serving(tree)}
    scalers = [found for _, found in of_kind(tree, "HorizontalPodAutoscaler")]
    targets = [found["spec"]["scaleTargetRef"] for found in scalers]
    if {(target["kind"], target["name"]) for target in targets} != names:
        yield f"{FOLDER}:1: the scalers do not name what serves"
    for path, workload in serving(tree):
        if "replicas" in workload["spec"]:
            yield tree.at(path, "replicas", "an apply would undo what the scaler decided")
    for path, workload in workloads(tree):
        wrong = partial(tree.at, path, f"kind: {workload['kind']}")
        if container(workload)["envFrom"] != FROM or container(workload)["image"] != "notistream":
            yield wrong("takes its image or its settings from elsewhere")


def kustomizations_name_files_that_are_there_and_this_version(tree: Tree) -> Iterator[str]:
    for path in tree.files(f"{FOLDER}/*kustomization.yaml"):
        found = tree.yaml(path)
        if found["namespace"] != "notistream":
            yield tree.at(path, "namespace", "is not the namespace notistream")
        for resource in found["resources"]:
            if not tree.has(normpath(f"{dirname(path)}/{resource}")):
                yield tree.at(path, resource, f"{resource} is not there")
        for image in found.get("images", []):
            if image["newTag"] != __version__:
                yield tree.at(path, "newTag", f"is not this version, {__version__}")


def prometheus_finds_the_services(tree: Tree) -> Iterator[str]:
    path = "deploy/prometheus/prometheus-dns.yaml"
    services = [found for _, found in of_kind(tree, "Service")]
    headless = {
        found["metadata"]["name"] for found in services if found["spec"].get("clusterIP") == "None"
    }
    names = re.search(r"names: \[(.*)\]", tree.read(path))
    if not names or set(names[1].split(", ")) != headless:
        yield tree.at(path, "names:", f"does not ask for {sorted(headless)}")


LAWS = (
    the_schema_holds_without_an_unknown_field,
    manifests_name_settings_and_metrics_that_exist,
    every_pod_has_no_more_rights_than_it_needs,
    probes_ask_for_what_is_served,
    a_stop_has_the_time_that_it_may_take,
    each_worker_has_its_own_slot_and_tables,
    selectors_find_what_they_mean,
    scalers_and_references_name_what_is_there,
    kustomizations_name_files_that_are_there_and_this_version,
    prometheus_finds_the_services,
)
