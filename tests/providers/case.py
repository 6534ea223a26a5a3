"""What a contract test needs of a provider: a subject, and the clauses that do not apply."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from uuid import uuid4

from notistream.delivery.ports import Message
from notistream.providers import contract
from notistream.providers.contract import Subject

SMS = Message(
    notification_id=uuid4(),
    tenant_id=uuid4(),
    channel="sms",
    recipient="+905551234567",
    subject=None,
    content="Your code is 4711",
    idempotency_key="replaced",
)


@dataclass(frozen=True, slots=True)
class Case:
    """How to set up a subject, and which clauses say nothing about it, each with the reason."""

    subject: Callable[[], AbstractAsyncContextManager[Subject]]
    without: Mapping[str, str] = field(default_factory=dict)

    def clauses(self) -> list[str]:
        assert self.without.keys() <= contract.CLAUSES.keys()
        return [clause for clause in contract.CLAUSES if clause not in self.without]
