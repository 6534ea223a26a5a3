"""Rows of a vendor's error table: the vendor's words, and what they mean for a message."""

from dataclasses import dataclass
from enum import Enum, auto

from notistream.providers.api import PermanentError, TemporaryError
from notistream.providers.http import TRANSIENT_STATUSES


class Kind(Enum):
    """What an error means."""

    PERMANENT = auto()
    """This message would be refused again."""
    DEAD = auto()
    """Any other message to this address would be refused too."""
    TEMPORARY = auto()
    THROTTLED = auto()
    SETTINGS = auto()
    """The credentials or the account are at fault; messages wait until they are corrected."""


@dataclass(frozen=True, slots=True)
class VendorError:
    """One row."""

    kind: Kind
    words: str

    def as_error(
        self, code: str, *, settings: str, retry_after_s: float | None = None
    ) -> TemporaryError | PermanentError:
        """What `send` raises; `settings` names what to correct if the settings are at fault."""
        reason = f"{code}: {self.words}"
        match self.kind:
            case Kind.PERMANENT | Kind.DEAD:
                return PermanentError(reason, dead_address=self.kind is Kind.DEAD)
            case Kind.SETTINGS:
                return TemporaryError(
                    f"{reason}; {settings} is refused", retry_after_s=retry_after_s
                )
            case _:
                return TemporaryError(
                    reason, retry_after_s=retry_after_s, throttled=self.kind is Kind.THROTTLED
                )


def by_status(status: int) -> VendorError:
    """The row of an answer whose code is not in the table."""
    if status == 429:
        return VendorError(Kind.THROTTLED, "too many requests")
    if status in (401, 403):
        return VendorError(Kind.SETTINGS, "no access")
    if status in TRANSIENT_STATUSES or status >= 500:
        return VendorError(Kind.TEMPORARY, TRANSIENT_STATUSES.get(status, "server error"))
    return VendorError(Kind.PERMANENT, "refused")
