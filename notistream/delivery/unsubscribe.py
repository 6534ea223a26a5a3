"""One-click unsubscribe (RFC 8058): makes and reads the signed links in e-mail."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import jwt

from notistream.domain.draft import Draft
from notistream.domain.notification import CHANNELS, AddressKind, Claimed

AUDIENCE = "notistream:unsubscribe"
ALGORITHM = "HS256"
VARIABLE = "unsubscribe_url"
TRANSACTIONAL = frozenset({"critical", "security", "transactional"})
"""Categories that cannot be unsubscribed from by a link: they answer an action of the recipient."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """What a link opts out of: a tenant's category, for a stored recipient or else an address."""

    tenant_id: UUID
    channel: str
    category: str
    recipient_id: str | None = None
    address: str | None = None


class UnsubscribeLinks:
    """Makes and reads links; `secrets`, of which the first signs and all verify.

    Without one there are no links.
    """

    def __init__(self, secrets: Sequence[str], public_url: str) -> None:
        self._secrets = tuple(secrets)
        self._base = f"{public_url.rstrip('/')}/unsubscribe/"

    def url(self, claimed: Claimed) -> str | None:
        """The link for an e-mail of a category that is not transactional; else None."""
        if not self._secrets or not _has_links(claimed.channel) or not claimed.category:
            return None
        if claimed.category in TRANSACTIONAL:
            return None
        claims = {
            "aud": AUDIENCE,
            "t": str(claimed.tenant_id),
            "c": claimed.channel,
            "k": claimed.category,
        }
        who = (
            {"r": claimed.recipient_id}
            if claimed.recipient_id is not None
            else {"a": claimed.recipient}
        )
        return self._base + jwt.encode({**claims, **who}, self._secrets[0], algorithm=ALGORITHM)

    def headers(self, claimed: Claimed) -> Mapping[str, str]:
        """List-Unsubscribe and List-Unsubscribe-Post, where there is a link."""
        url = self.url(claimed)
        if url is None:
            return {}
        return {
            "List-Unsubscribe": f"<{url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }

    def known_to(self, claimed: Claimed) -> Claimed:
        """The claim with the variable `unsubscribe_url` for its template; empty without a link."""
        if (
            claimed.template_id is None
            or not _has_links(claimed.channel)
            or VARIABLE in claimed.template_variables
        ):
            return claimed
        return replace(
            claimed,
            template_variables={**claimed.template_variables, VARIABLE: self.url(claimed) or ""},
        )

    def read(self, token: str) -> OptOut | None:
        """What a link's token says; None where it is not signed by us for this purpose."""
        for secret in self._secrets:
            try:
                said = jwt.decode(
                    token,
                    secret,
                    algorithms=[ALGORITHM],
                    audience=AUDIENCE,
                    options={"require": ["aud"]},
                )
                return OptOut(
                    tenant_id=UUID(said["t"]),
                    channel=said["c"],
                    category=said["k"],
                    recipient_id=said.get("r"),
                    address=said.get("a"),
                )
            except (jwt.InvalidTokenError, KeyError, ValueError):
                continue
        return None


def with_link(draft: Draft, channel: str) -> Draft:
    """The draft with the variables that its template has at delivery, the link included."""
    if draft.template is None or not _has_links(channel) or VARIABLE in draft.template_variables:
        return draft
    return replace(draft, template_variables={**draft.template_variables, VARIABLE: ""})


NO_LINKS = UnsubscribeLinks((), "")


def _has_links(channel: str) -> bool:
    return CHANNELS[channel].address is AddressKind.EMAIL
