"""What operators do for a recipient; the audit entry, in the same transaction, names nobody."""

import hashlib
from uuid import UUID

from notistream.db import audit_log, preferences, suppressions
from notistream.db.pool import Database, Queryable
from notistream.db.preferences import StoredPreferences
from notistream.domain.suppression import SuppressionReason

REFERENCE = 16


def reference(*parts: object) -> str:
    """Return a stable hash that stands for a recipient or an address in the audit log."""
    return hashlib.sha256("\x00".join(map(str, parts)).encode()).hexdigest()[:REFERENCE]


class RecipientSupport:
    """Acts of the operator `actor` for recipients of one tenant."""

    def __init__(self, database: Database, tenant_id: UUID, *, actor: str) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._actor = actor

    async def reveal(self, recipient_id: str) -> None:
        """Note in the audit log that the operator reads a recipient's contacts."""
        await self._note(self._database, "recipient.reveal", recipient_id)

    async def wish(self, recipient_id: str, wanted: StoredPreferences) -> None:
        """Replace all preferences."""
        async with self._database.transaction() as db:
            await preferences.put(db, self._tenant_id, recipient_id, wanted)
            await self._note(db, "recipient.preferences", recipient_id)

    async def suppress(
        self, recipient_id: str, *, channel: str, address: str, category: str, note: str | None
    ) -> None:
        """Put an address of the recipient on the suppression list."""
        async with self._database.transaction() as db:
            await suppressions.put(
                db,
                self._tenant_id,
                channel=channel,
                address=address,
                category=category,
                reason=SuppressionReason.MANUAL,
                note=note,
            )
            await self._note(db, "suppression.add", recipient_id, channel=channel)

    async def unsuppress(
        self, recipient_id: str, *, channel: str, address: str, category: str
    ) -> bool:
        """Take an address off the suppression list; False if it was not on it."""
        async with self._database.transaction() as db:
            removed = await suppressions.remove(
                db, self._tenant_id, channel=channel, address=address, category=category
            )
            if removed:
                await self._note(db, "suppression.remove", recipient_id, channel=channel)
        return removed

    async def _note(self, db: Queryable, action: str, recipient_id: str, **details: str) -> None:
        await audit_log.record(
            db,
            self._actor,
            action,
            f"recipient {reference(self._tenant_id, recipient_id)}",
            {"tenant_id": str(self._tenant_id), **details},
        )
