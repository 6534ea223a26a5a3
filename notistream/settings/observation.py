"""Settings of observation: audits, the watchdog, traces and logs."""

from typing import Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings


class ObservationSettings(BaseSettings):
    """Audits, the watchdog, traces and logs."""

    audit_interval_s: float = Field(
        3600.0, ge=1, le=86_400, description="Seconds between two audits; one worker does each."
    )
    audit_repair: bool = Field(
        True,
        description=(
            "Whether these audits wake what was forgotten (a copy that still turns up is dropped)."
        ),
    )
    watchdog_s: float = Field(
        60.0,
        ge=0,
        le=3600,
        description=(
            "Seconds without progress on a partition that has records and waits for nothing, until"
            " that is reported; after twice as long a worker ends itself, to be started again. 0 ="
            " never."
        ),
    )
    otlp_endpoint: str | None = Field(
        None,
        pattern=r"^https?://",
        description=(
            "OpenTelemetry collector (OTLP over HTTP), e.g. http://127.0.0.1:4318. Unset: no"
            " traces."
        ),
    )
    trace_sampling: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of the traces that begin here and are kept; a caller's own choice wins.",
    )
    trace_url: str | None = Field(
        None,
        pattern=r"^https?://\S*\{trace_id\}",
        description=(
            "Where the console finds a trace, e.g. http://127.0.0.1:16686/trace/{trace_id}."
        ),
    )
    log_addresses: bool = Field(
        False,
        description=(
            "1: write addresses and texts of messages into logs as they are; otherwise masked or"
            " left out."
        ),
    )
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="auto: text on a terminal, JSON elsewhere."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least level logged."
    )

    @field_validator("log_level", mode="before")
    @classmethod
    def _upper_level(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value
