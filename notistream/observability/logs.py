"""Logging: structured lines, JSON for machines and text for people, with what the line is about.

A line has the fields of its call (`extra`), those bound to the work at hand (`bind`), and the ids
of its trace.
"""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal

import orjson
from opentelemetry import trace

from notistream.errors import Misconfigured
from notistream.observability import metrics

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
QUIET = (
    "aiokafka",
    "faust",
    "mode",
    "kafka",
    "asyncio",
    "aiohttp.access",
    "opentelemetry",
    "urllib3",
)
REPEATS, REPEATS_S = 20, 10.0
PLACES_KEPT = 1000

_bound: ContextVar[Mapping[str, object]] = ContextVar(
    "notistream_log_fields", default=MappingProxyType({})
)


def bind(**fields: object) -> None:
    """Set the fields of every line that this task logs from now on, such as notification_id."""
    _bound.set(fields)


def masked(address: str) -> str:
    """An address as it may stand in a log: enough to recognise, too little to use."""
    name, at, domain = address.partition("@")
    if at:
        return f"{name[:1]}•••@{domain}"
    return f"{address[:3]}•••{address[-2:]}" if len(address) > 8 else "•••"


class WorkFilter(logging.Filter):
    """Adds the bound fields and the ids of the trace; the call's own fields win."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true."""
        for name, value in _bound.get().items():
            record.__dict__.setdefault(name, value)
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            record.__dict__.setdefault("trace_id", f"{context.trace_id:032x}")
            record.__dict__.setdefault("span_id", f"{context.span_id:016x}")
        return True


class PlainFilter(logging.Filter):
    """Makes our errors one sentence, and leaves out each start and stop of Faust's parts."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this one is written."""
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(
            error, Misconfigured
        ):  # Faust logs it with the way it came; a setting is to be mended, not code
            record.msg, record.args, record.exc_info = error.detail, (), None
        return record.levelno != logging.INFO or not str(record.msg).startswith("[^")


class RepeatFilter(logging.Filter):
    """Lets `REPEATS` lines of one kind through in `REPEATS_S`.

    The next one that comes through says how many did not.

    One kind is what one place of the code logs: a dead broker must not fill the disk with the same
    sentence.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._places: dict[tuple[str, str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this one is written; what is not a warning always is."""
        if record.levelno < logging.WARNING:
            return True
        now, place = self._clock(), (record.name, record.pathname, record.lineno)
        began, count = self._places.get(place, (now, 0))
        if now - began >= REPEATS_S:
            if count > REPEATS:
                record.__dict__["repeats_not_logged"] = count - REPEATS
            began, count = now, 0
            if len(self._places) > PLACES_KEPT:
                self._places.clear()
        self._places[place] = began, count + 1
        if count < REPEATS:
            return True
        metrics.LOG_SUPPRESSED.labels(record.name).inc()
        return False


def fields(record: logging.LogRecord) -> dict[str, object]:
    """What the call gave as `extra`."""
    return {k: v for k, v in record.__dict__.items() if k not in STANDARD and not k.startswith("_")}


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, event, fields, and any error."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **fields(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


class TextFormatter(logging.Formatter):
    """One readable line: time, level, event, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        shown = " ".join(f"{k}={v}" for k, v in fields(record).items())
        at = datetime.fromtimestamp(record.created).strftime("%H:%M:%S.%f")[:-3]  # noqa: DTZ006 - local time for people
        line = f"{at} {record.levelname:<7} {record.getMessage()} {shown}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure_logging(*, form: Literal["auto", "json", "text"], level: str) -> None:
    """Send everything to stderr.

    The loggers of Faust and aiokafka are set themselves, not only the handler: the arguments of
    their debug calls cost up to half the speed, and their info lines tell a reader nothing.
    """
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    handler.addFilter(WorkFilter())
    if level != "DEBUG":
        handler.addFilter(PlainFilter())
    handler.addFilter(RepeatFilter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.INFO if level == "DEBUG" else logging.WARNING)
    logging.getLogger("aiohttp.server").setLevel(
        logging.CRITICAL
    )  # a stack trace for every malformed request
