"""Pages that are derived from the code's own catalogues: commands, metrics, events, errors."""

from collections.abc import Iterator, Mapping, Sequence

import click
from prometheus_client.metrics import MetricWrapperBase

from notistream import errors
from notistream.commands.reference import NOTE, table
from notistream.domain import event
from notistream.domain.webhook import EVENT_TYPES, TEST_EVENT
from notistream.observability import metrics

ON_THE_WIRE = {"counter": "_total"}
NOT_OVER_HTTP = {"misconfigured": "–"}
ABOUT_METRICS = """
Every process serves its metrics at `GET /metrics` for Prometheus. A histogram has the series
`_bucket`, `_sum` and `_count`. Every worker reports the same values about Kafka and the database:
take their `max`. All other values belong to one process: take their `sum`. The Python client adds
`process_…` and `python_info`.
"""
ABOUT_EVENTS = f"""
Events say what happens to notifications. Workers publish them to the Kafka topic
`notistream.events`. From there they go to the WebSocket `/ws` (see [real time](realtime.md)) and,
where the table says so, to [webhooks](webhooks.md). `{TEST_EVENT}` goes only to a webhook, and only
when you ask for it.
"""
ABOUT_RECORD = """
Key: the tenant's id. Value: `{"v": 1, "tenant_id": …, "events": [{"id", "type", "at", "data"}]}`,
at most 500 events of one tenant, oldest first. A record may come twice with the same `id`.
"""
ABOUT_ERRORS = """
Every failure is an RFC 9457 problem (`application/problem+json`): `type`, `title`, `status`,
`detail`, the stable `code`, `errors` (a JSON pointer and a message for each invalid field),
`trace_id`, and `error`, which repeats the detail. Answers with status 429 or 503 have
`Retry-After`. A wrong setting (`misconfigured`) stops the start.
"""
ABOUT_COMMANDS = """
`notistream COMMAND --help` says the same. Commands use the database and the broker of the
[settings](settings.md), wherever they run. Exit status: 0 success, 1 failure, 2 wrong usage.
"""


def metrics_page() -> str:
    """`docs/metrics.md`: every metric as it is called on the wire."""
    return _page(
        "Metrics",
        ABOUT_METRICS,
        *table(("metric", "type", "labels", "meaning"), sorted(_metrics())),
    )


def events_page() -> str:
    """`docs/events.md`: each type of event, its fields, and who receives it."""
    types = [
        (f"`{name}`", "yes" if name in EVENT_TYPES else "", about)
        for name, about in event.TYPES.items()
    ]
    return _page(
        "Events",
        ABOUT_EVENTS,
        *table(("type", "webhooks", "when"), types),
        "",
        "## Data of `notification.…`",
        "",
        "Unknown values are left out. New fields may be added.",
        "",
        *table(("field", "meaning"), _named(event.NOTIFICATION_DATA)),
        "",
        "## Data of `device_token.deactivated`",
        "",
        *table(("field", "meaning"), _named(event.DEVICE_DATA)),
        "",
        "## A record on Kafka",
        ABOUT_RECORD.rstrip(),
    )


def errors_page() -> str:
    """`docs/errors.md`: every code that a caller can see."""
    kinds = sorted((kind.status, kind.code, kind) for kind in errors.every() if _is_an_answer(kind))
    rows = [
        (f"`{code}`", NOT_OVER_HTTP.get(code, str(status)), kind.meaning())
        for status, code, kind in kinds
    ]
    return _page("Error codes", ABOUT_ERRORS, *table(("code", "status", "meaning"), rows))


def cli_page(root: click.Command) -> str:
    """`docs/cli.md`: every command with its arguments and options, as `--help` shows them."""
    return _page(
        "Command line",
        ABOUT_COMMANDS,
        *(
            line
            for path, command in commands(root)
            if command.params or not isinstance(command, click.Group)
            for line in _command(path, command)
        ),
    )


def commands(
    command: click.Command, *above: str
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """The command and all below it, each with its path."""
    path = (*above, command.name or "") if above else ("notistream",)
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in sorted(command.list_commands(context)):
            if below := command.get_command(context, name):
                yield from commands(below, *path)


def _page(title: str, *lines: str) -> str:
    return "\n".join((NOTE, "", f"# {title}", *lines)).rstrip() + "\n"


def _metrics() -> Iterator[tuple[str, str, str, str]]:
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            family = next(iter(metric.describe()))
            name = family.name + ON_THE_WIRE.get(family.type, "")
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001 - nothing public says it
            yield f"`{name}`", family.type, labels, family.documentation


def _is_an_answer(kind: type[errors.NotiStreamError]) -> bool:
    """It has a code of its own; those of the embedded services are for whoever starts them."""
    return "code" in vars(kind) and not kind.__module__.startswith("notistream.local")


def _command(path: Sequence[str], command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=" ".join(path))
    usage = " ".join((context.command_path, *command.collect_usage_pieces(context)))
    yield from (f"## {' '.join(path)}", "", f"`{usage}`", "")
    yield from (
        line.strip() for line in (command.help or "").replace("\b", "").strip().splitlines()
    )
    yield ""
    records = (parameter.get_help_record(context) for parameter in command.params)
    if options := [(f"`{names}`", about) for names, about in filter(None, records)]:
        yield from (*table(("option", "meaning"), options), "")


def _named(fields: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(f"`{name}`", about) for name, about in fields.items()]
