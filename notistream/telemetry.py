"""Logging: structured lines, JSON for machines and text for people, with the fields given as `extra`."""

import logging
import sys
from datetime import UTC, datetime
from typing import Literal

import orjson

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
QUIET = ("aiokafka", "faust", "mode", "kafka", "asyncio", "aiohttp.access")


def fields(record: logging.LogRecord) -> dict[str, object]:
    """What the call gave as `extra`."""
    return {k: v for k, v in record.__dict__.items() if k not in STANDARD and not k.startswith("_")}


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, event, fields, and the error where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "logger": record.name, "event": record.getMessage(), **fields(record),
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

    The loggers of Faust and aiokafka are set themselves, not only the handler: the arguments of their debug calls
    cost up to half the speed, and their info lines tell a reader nothing.
    """
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.INFO if level == "DEBUG" else logging.WARNING)
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # a stack trace for every malformed request
