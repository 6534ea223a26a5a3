"""What a mail server's refusals mean, as data.

By enhanced status code (RFC 3463, RFC 5248), else by reply code.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from notistream.providers.api import PermanentError, TemporaryError

ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?:\s|$)")
GREYLISTED_S = 300.0  # RFC 6647: servers take the second try after one to five minutes


class Stage(StrEnum):
    """What was refused."""

    ACCOUNT = "account"
    SENDER = "sender"
    RECIPIENT = "recipient"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Refusal:
    """In words of the standard; `dead`: the address is no good.

    `ours`: not this message's fault, so it waits.
    """

    words: str
    dead: bool = False
    ours: bool = False
    throttled: bool = False
    retry_after_s: float | None = None


BY_STATUS: Mapping[str, Refusal] = {
    "4.2.0": Refusal("mailbox deferred", throttled=True, retry_after_s=GREYLISTED_S),
    "4.2.1": Refusal("mailbox receives too much at the moment", throttled=True),
    "4.2.2": Refusal("mailbox full", throttled=True),
    "4.3.1": Refusal("mail system full"),
    "4.3.2": Refusal("system not accepting network messages"),
    "4.4.5": Refusal("mail system congestion", throttled=True),
    "4.5.3": Refusal("too many recipients", throttled=True),
    "4.7.0": Refusal("security policy, for now", throttled=True),
    "4.7.1": Refusal("greylisted", throttled=True, retry_after_s=GREYLISTED_S),
    "4.7.28": Refusal("mail flood detected", throttled=True),
    "5.1.1": Refusal("bad destination mailbox address", dead=True),
    "5.1.2": Refusal("bad destination system address", dead=True),
    "5.1.3": Refusal("bad destination mailbox address syntax"),
    "5.1.6": Refusal("destination mailbox has moved", dead=True),
    "5.1.10": Refusal("recipient domain takes no mail (null MX)", dead=True),
    "5.2.1": Refusal("mailbox disabled, not accepting messages", dead=True),
    "5.2.2": Refusal("mailbox full"),
    "5.2.3": Refusal("message length exceeds administrative limit"),
    "5.3.4": Refusal("message too big for system"),
    "5.5.3": Refusal("too many recipients"),
    "5.7.0": Refusal("authentication required", ours=True),
    "5.7.1": Refusal("delivery not authorized, message refused"),
    "5.7.8": Refusal("authentication credentials invalid", ours=True),
    "5.7.9": Refusal("authentication mechanism is too weak", ours=True),
    "5.7.14": Refusal("trust relationship required", ours=True),
    "5.7.26": Refusal("the sender's domain is not authenticated (SPF, DKIM)", ours=True),
}
BY_CODE: Mapping[int, Refusal] = {
    421: Refusal("service not available"),
    450: Refusal("mailbox unavailable for now", throttled=True),
    451: Refusal("local error in processing"),
    452: Refusal("insufficient system storage"),
    454: Refusal("temporary authentication failure"),
    530: Refusal("authentication required", ours=True),
    534: Refusal("authentication mechanism is too weak", ours=True),
    535: Refusal("authentication credentials invalid", ours=True),
    538: Refusal("encryption required", ours=True),
    550: Refusal("mailbox unavailable"),
    551: Refusal("user not local"),
    552: Refusal("exceeded storage allocation"),
    553: Refusal("mailbox name not allowed"),
    554: Refusal("transaction failed"),
}
TOO_BIG = frozenset({"5.2.3", "5.3.4"})


def refusal(code: int, text: str, stage: Stage) -> TemporaryError | PermanentError:
    """The error that a 4xx or 5xx reply is.

    Its text is only searched for the enhanced code: it may name the address.

    A 4xx to RCPT is about one mailbox and no outage. A refused sender or account is no message's
    fault.
    """
    match = ENHANCED.match(text.lstrip())
    status = match[1] if match and match[1][0] == str(code)[0] else ""
    found = BY_STATUS.get(status) or BY_CODE.get(code) or Refusal("refused")
    reason = f"SMTP {code}{' ' + status if status else ''}: {found.words}"
    ours = (
        found.ours
        or stage is Stage.ACCOUNT
        or (stage is Stage.SENDER and not _too_big(code, status))
    )
    if code >= 500 and not ours:
        return PermanentError(reason, dead_address=found.dead and stage is Stage.RECIPIENT)
    if code >= 500:
        named = "SENDER" if stage is Stage.SENDER else "USERNAME and PASSWORD"
        return TemporaryError(f"{reason}; correct NOTISTREAM_SMTP_{named}")
    throttled = found.throttled or (stage is Stage.RECIPIENT and code != 421)
    return TemporaryError(reason, retry_after_s=found.retry_after_s, throttled=throttled)


def _too_big(code: int, status: str) -> bool:
    return status in TOO_BIG or (code == 552 and not status)
