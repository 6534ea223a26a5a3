"""Idempotency-Key: the first answer to a request is stored, and repetitions get it again."""

import hashlib
from collections.abc import Mapping
from datetime import timedelta

from notistream.db import idempotency
from notistream.db.idempotency import RequestKey, StoredAnswer
from notistream.db.pool import Database
from notistream.errors import IdempotencyKeyReused, RequestInFlight


class StoredAnswers:
    """Answers that were given, for as long as the idempotency window lasts."""

    def __init__(self, database: Database, *, window: timedelta) -> None:
        self._database = database
        self._window = window

    async def begin(self, key: RequestKey, body: bytes) -> StoredAnswer | None:
        """None: serve the request, then `complete` or `abandon`.

        Otherwise the answer to give again.

        Raises:
            IdempotencyKeyReused: the key came with another body before.
            RequestInFlight: the first request is still being served.
        """
        digest = hashlib.sha256(body).digest()
        known = await idempotency.begin(
            self._database.of(key.tenant_id), key, digest, window=self._window
        )
        if known is idempotency.OURS:
            return None
        if known is None:  # given up by another request at this moment
            raise RequestInFlight
        if known.body_hash != digest:
            raise IdempotencyKeyReused
        if known.status is None:
            raise RequestInFlight
        return known

    async def complete(
        self, key: RequestKey, *, status: int, headers: Mapping[str, str], body: bytes
    ) -> None:
        """Keep the answer."""
        await idempotency.complete(
            self._database.of(key.tenant_id), key, StoredAnswer(b"", status, headers, body)
        )

    async def abandon(self, key: RequestKey) -> None:
        """Forget a request that changed nothing, so that it can be repeated."""
        await idempotency.abandon(self._database.of(key.tenant_id), key)
