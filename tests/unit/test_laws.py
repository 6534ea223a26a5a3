"""Every law of the repository notices a fault: each has a fault planted that it must name."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from notistream.web.openapi import text as openapi
from tests.laws import __main__ as laws
from tests.laws import form
from tests.laws import openapi as document_laws
from tests.laws.tree import Law, Tree

METRICS = "deploy/prometheus/alerts.yaml"
OVERVIEW = "deploy/grafana/dashboards/overview.json"
SOURCES = "deploy/grafana/provisioning/datasources/notistream.yaml"
API, WORKER = "deploy/kubernetes/api.yaml", "deploy/kubernetes/worker.yaml"
SEVEN = "def add(a, b, c, d, e, f, g):\n    return a\n"
LONG = "def walk():\n" + "    step()\n" * 60

NEW_FILES: Sequence[tuple[str, str, str, str]] = (
    ("nothing_unexpected_lies_at_the_top", "services/x.py", "", "services:1"),
    ("folders_at_the_top_are_linked_into_the_package", "notistream/agents", "", "is no link"),
    ("a_module_says_first_what_it_owns", "agents/x.py", "x = 1\n", "has no module docstring"),
    ("a_module_says_first_what_it_owns", "agents/x.py", '"""Things"""\n', "one whole sentence"),
    ("a_module_is_named_after_what_it_owns", "agents/utils.py", "", "`utils` does not say"),
    ("files_are_short", "agents/x.py", "x = 1\n" * 401, "has 401 lines"),
    ("functions_are_short", "agents/x.py", LONG, "x.py:1: walk has 61 lines"),
    ("functions_take_few_parameters", "agents/x.py", SEVEN, "add takes 7 parameters"),
    ("every_page_is_in_the_navigation", "docs/x.md", "# X\n", "docs/x.md:1: is neither"),
    ("a_block_is_run_or_says_why_not", "docs/x.md", "# X\n\n```cobol\nX\n```\n", "docs/x.md:3"),
    ("a_block_is_run_or_says_why_not", "docs/x.md", "\n```sh\necho '\n```\n", "cannot read it"),
    ("a_block_is_run_or_says_why_not", "docs/x.md", "```\n$ curl x\n```\n", "mark the block"),
    ("commands_exist_with_their_options", "docs/x.md", "`notistream fly`", "no such command"),
    ("commands_exist_with_their_options", "docs/x.md", "`notistream dev --fast`", "no option"),
    ("what_is_named_exists", "docs/x.md", "Set NOTISTREAM_NOTHING.", "is no setting"),
    ("what_is_named_exists", "docs/x.md", "`notistream_nothing_total`", "no such metric"),
    ("what_is_named_exists", "docs/x.md", "`make coffee`", "no such target"),
    ("what_is_named_exists", "docs/x.md", "`GET /api/v1/nothing`", "no such route"),
    ("links_lead_somewhere", "docs/x.md", "[x](y.md)", "docs/x.md:1: y.md: leads nowhere"),
    ("links_lead_somewhere", "docs/x.md", "[x](../Makefile)", "leads out of the site"),
    ("links_lead_somewhere", "docs/x.md", "[x](concepts.md#no)", "no such heading"),
    ("links_lead_somewhere", "docs/x.md", "[x](https://x.example)", "is this host meant?"),
    (
        "what_is_not_run_is_listed_with_its_reason",
        "docs/x.md",
        "<!-- not run: I have no time -->\n```sh\nls\n```\n",
        "NOT_RUN does not list: I have no time",
    ),
    ("the_map_names_every_package_and_module", "notistream/x.py", "", "notistream/x.py is miss"),
    (
        "migrations_take_nothing_away",
        "migrations/0999_x.up.sql",
        "SELECT 1;\nALTER TABLE tenants DROP COLUMN name;\n",
        "0999_x.up.sql:2: takes away",
    ),
    (
        "runbooks_name_only_what_exists",
        "docs/runbooks/X.md",
        "Run `notistream fly`.",
        "there is no",
    ),
    ("every_alert_has_a_runbook_and_a_day_on_which_it_fires", "docs/runbooks/X.md", "", "no alert"),
)
"""Law, a file that is there beside all others, what it says, and words of the fault."""

CHANGES: Sequence[tuple[str, str, str, str, str]] = (
    (
        "lines_are_formatted_not_broken_by_hand",
        "Makefile",
        "\t$(BIN)/ruff format --check .",
        "",
        "",
    ),
    (
        "commands_and_options_say_what_they_do",
        "docs/cli.md",
        "## notistream api\n",
        "",
        "is missing",
    ),
    (
        "metrics_are_documented_with_their_labels",
        "docs/metrics.md",
        "| `notistream_deliveries_per_second`",
        "| x",
        "notistream_deliveries_per_second is missing",
    ),
    ("every_error_code_is_documented_once", "docs/errors.md", "| `not_found`", "| x", "not_found"),
    (
        "every_event_and_each_of_its_fields_is_documented",
        "docs/events.md",
        "| `notification.delivered` |",
        "|",
        "notification.delivered is missing",
    ),
    (
        "events_have_the_fields_that_the_database_fills_in",
        "notistream/db/sql/device_tokens.sql",
        "jsonb_build_object(",
        "jsonb_build_object('more', 1, ",
        "is not what device_tokens.sql builds",
    ),
    (
        "every_route_and_every_shape_has_its_place",
        "docs/http.md",
        "### GET /api/v1/notifications\n",
        "",
        "GET /api/v1/notifications is missing",
    ),
    (
        "the_map_draws_the_import_law",
        "docs/architecture.md",
        "| domain ",
        "| attic  ",
        "attic is drawn",
    ),
    (
        "operation_ids_are_names_and_stay",
        document_laws.KNOWN_IDS,
        "createN",
        "gone\ncreateN",
        "gone",
    ),
    ("yaml_says_the_same", "docs/api.yaml", "openapi:", "openapi: 3.1.9 #", "make generate"),
    ("expressions_name_metrics_and_labels_that_exist", METRICS, "notistream_", "nobody_", "series"),
    (
        "alerts_say_how_bad_what_and_where_to_read_on",
        METRICS,
        "critical",
        "bad",
        "neither critical",
    ),
    (
        "every_alert_has_a_runbook_and_a_day_on_which_it_fires",
        "deploy/prometheus/alerts_test.yaml",
        "alertname: ScrapeDown\n",
        "alertname: NoScrape\n",
        "never fires",
    ),
    ("dashboards_are_told_apart_and_fit_on_a_screen", OVERVIEW, '"y": 0', '"y": 99', "one screen"),
    ("dashboards_are_as_their_script_writes_them", OVERVIEW, '"y": 0', '"y": 1', "is stale"),
    (
        "panels_ask_a_source_that_is_provisioned",
        OVERVIEW,
        '"uid": "prometheus"',
        '"uid": "x"',
        "asks",
    ),
    ("sources_and_their_links_fit_together", SOURCES, "http://loki", "http://x", "no service"),
    (
        "the_schema_holds_without_an_unknown_field",
        WORKER,
        "  serviceName",
        "  servant: x\n  serviceName",
        "servant",
    ),
    (
        "manifests_name_settings_and_metrics_that_exist",
        WORKER,
        "WORKER_SLOT",
        "WORKER_SLIT",
        "no setting",
    ),
    ("every_pod_has_no_more_rights_than_it_needs", API, "drop: [ALL]", "drop: []", "more rights"),
    ("probes_ask_for_what_is_served", API, "/livez", "/alive", "asks for"),
    (
        "a_stop_has_the_time_that_it_may_take",
        WORKER,
        "terminationGracePeriodSeconds: ",
        "terminationGracePeriodSeconds: 5 # ",
        "shorter than a stop",
    ),
    ("each_worker_has_its_own_slot_and_tables", WORKER, "NOTISTREAM_WORKER_SLOT", "X", "slot"),
    ("selectors_find_what_they_mean", API, "component: api}", "component: x}", "just one workload"),
    (
        "scalers_and_references_name_what_is_there",
        API,
        "kind: Deployment, name",
        "kind: Job, name",
        "scalers",
    ),
    (
        "kustomizations_name_files_that_are_there_and_this_version",
        "deploy/kubernetes/kustomization.yaml",
        "api.yaml",
        "apis.yaml",
        "apis.yaml is not there",
    ),
    (
        "prometheus_finds_the_services",
        "deploy/prometheus/prometheus-dns.yaml",
        "names: [",
        "names: [x, ",
        "ask",
    ),
    (
        "files_name_settings_that_exist",
        "compose.yaml",
        "NOTISTREAM_AUTH",
        "NOTISTREAM_OUT",
        "no set",
    ),
    ("every_setting_is_explained_in_the_example", ".env.example", "# NOTISTREAM_PORT=", "", "PORT"),
    (
        "hadolint_does_not_mind_the_dockerfile",
        "deploy/Dockerfile",
        "\nWORKDIR ",
        "\nWORKDIR x",
        "DL",
    ),
    (
        "ports_are_published_on_loopback_only",
        "compose.yaml",
        "127.0.0.1:$",
        "0.0.0.0:$",
        "publishes",
    ),
    (
        "every_service_tells_its_health_and_has_limits",
        "compose.yaml",
        "\n  kafka:",
        "\n  x:",
        "kafka",
    ),
    (
        "no_two_services_publish_the_same_port",
        "compose.yaml",
        ":-16686}",
        ":-8080}",
        "two services",
    ),
    ("mounts_are_shipped_or_declared", "compose.yaml", "- ./deploy/", "- ./gone/", "mounts ./gone"),
    (
        "prometheus_finds_each_process_and_each_observer",
        "deploy/prometheus/targets/compose.yaml",
        "worker-1:8080",
        "x:1",
        "each process",
    ),
    (
        "traces_go_to_the_collector_and_from_there_to_both",
        "deploy/otel/collector.yaml",
        "tempo:4317",
        "x:4317",
        "Jaeger and Tempo",
    ),
    (
        "the_infrastructure_alone_starts_nothing_else",
        "Makefile",
        "--wait postgres",
        "--wait api",
        "s",
    ),
    ("the_image_copies_what_the_docker_context_has", ".dockerignore", "!", "!more\n!", "more is"),
    (
        "units_start_a_role_as_a_user_without_rights",
        "deploy/systemd/notistream-api.service",
        "User=notistream",
        "User=root",
        "User is not notistream",
    ),
    (
        "units_give_a_process_its_settings_its_folder_and_its_time",
        "deploy/systemd/notistream-api.service",
        "TimeoutStopSec=",
        "TimeoutStopSec=1\nX=",
        "shorter than a stop",
    ),
    ("everything_that_is_installed_with_us_may_be", "deploy/licences.py", '"MIT",', "", "MIT"),
)
"""Law, file, words that are there, what stands there instead, and words of the fault."""


def _operation(document: dict[str, Any]) -> dict[str, Any]:
    return dict(document["paths"]["/api/v1/notifications"]["post"])


def _unsay_security(document: dict[str, Any]) -> None:
    document["paths"]["/api/v1/notifications"]["post"]["security"] = []


def _lose_examples(document: dict[str, Any]) -> None:
    document["paths"]["/api/v1/notifications"]["post"]["requestBody"]["content"][
        "application/json"
    ].pop("examples")


def _rename_schema(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["create_body"] = {}


def _break(document: dict[str, Any]) -> None:
    document["paths"]["/api/v1/notifications"]["post"]["summary"] = 5


def _add_route(document: dict[str, Any]) -> None:
    document["paths"]["/api/v1/more"] = {"get": _operation(document)}


DOCUMENTS: Sequence[tuple[str, Callable[[dict[str, Any]], None], str]] = (
    ("the_document_is_valid", _break, "5"),
    ("routes_and_document_name_the_same", _add_route, "GET /api/v1/more"),
    ("no_route_is_served_twice", _add_route, "is there twice"),
    ("schemas_have_names_that_people_would_give", _rename_schema, "create_body"),
    ("operations_say_who_may_call_and_what_can_go_wrong", _unsay_security, "who may call"),
    ("every_body_has_examples_of_its_schema", _lose_examples, "has no example"),
)
"""Law, what is done to the OpenAPI document, and words of the fault."""
BY_NAME: dict[str, Law] = {law.__name__: law for law in laws.LAWS}


def assert_named(law: str, planted: dict[str, str], words: str) -> None:
    """The law names the planted fault."""
    found = list(BY_NAME[law](Tree(planted)))
    assert any(words in fault for fault in found), f"{law} says {found}, not {words!r}"


@pytest.mark.parametrize(("law", "path", "text", "words"), NEW_FILES)
def test_a_law_names_a_file_that_breaks_it(law: str, path: str, text: str, words: str) -> None:
    assert_named(law, {path: text}, words)


@pytest.mark.parametrize(("law", "path", "there", "instead", "words"), CHANGES)
def test_a_law_names_a_change_that_breaks_it(
    law: str, path: str, there: str, instead: str, words: str
) -> None:
    before = Tree().read(path)
    assert there in before, f"{path} does not say {there!r} any more"
    assert_named(law, {path: before.replace(there, instead)}, words)


@pytest.mark.parametrize(("law", "change", "words"), DOCUMENTS)
def test_a_law_names_what_is_wrong_with_the_document(
    law: str, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    document = json.loads(openapi.text())
    change(document)
    assert_named(law, {"build/api.json": json.dumps(document)}, words)


def test_every_law_has_a_fault_planted() -> None:
    tested = {row[0] for row in (*NEW_FILES, *CHANGES, *DOCUMENTS)}
    assert BY_NAME.keys() - tested == {"most_are_shorter_still"}, "the next test has it"


def test_lengths_are_measured_in_the_middle_and_at_the_upper_tenth() -> None:
    long = dict.fromkeys(form.sources(Tree()), LONG)
    assert len(list(form.most_are_shorter_still(Tree(long)))) == 2
    assert all(fault.count(":") == 2 for fault in form.most_are_shorter_still(Tree(long)))
