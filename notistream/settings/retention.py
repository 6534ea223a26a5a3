"""Settings of retention: for how long things are kept once they have ended."""

from pydantic import Field
from pydantic_settings import BaseSettings

KAFKA_KEEPS_DEAD_LETTERS_DAYS = 30
AUDIT_LOOKS_BACK_DAYS = 7
"""The audit looks for its last run in the log of what operators did."""


class RetentionSettings(BaseSettings):
    """For how long things are kept once they have ended."""

    idempotency_window_h: int = Field(
        168, ge=1, le=8760, description="Hours for which an idempotency key is remembered (7 days)."
    )
    retention_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description=(
            "Days for which notifications are kept once they have ended, with their attempts,"
            " traces, batches and deleted templates; at least IDEMPOTENCY_WINDOW_H. 0 = for ever."
        ),
    )
    retention_dead_letters_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description=(
            "Days for which dead letters are kept, replayed or not; more than 30, as long as Kafka"
            " has them. Until one goes or is decided on, its notification stays. 0 = for ever."
        ),
    )
    retention_inbox_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="Days for which messages stay in inboxes, read or not. 0 = for ever.",
    )
    retention_webhooks_days: int = Field(
        90,
        ge=0,
        le=36_500,
        description="Days for which deliveries to webhooks that have ended are kept. 0 = for ever.",
    )
    retention_audit_log_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description=(
            "Days for which the log of what operators did is kept; 7 or more. 0 = for ever."
        ),
    )

    def short_retention(self) -> str | None:
        """The first setting that is too short, in words; None where all are long enough."""
        shortest = {
            "RETENTION_DAYS": -(-self.idempotency_window_h // 24),  # a key leads to its row
            "RETENTION_DEAD_LETTERS_DAYS": KAFKA_KEEPS_DEAD_LETTERS_DAYS + 1,  # a reader of the
            # topic must find them here too
            "RETENTION_AUDIT_LOG_DAYS": AUDIT_LOOKS_BACK_DAYS,
        }
        for name, days in shortest.items():
            if 0 < getattr(self, name.lower()) < days:
                return f"{name} must be {days} or more, or 0"
        return None
