"""The faulty vendor itself: reproducible, and each play does what it says."""

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import ClassVar
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web

from notistream.domain.outcome import Accepted, Ambiguous, Temporary
from notistream.providers import contract
from notistream.providers.api import Context, TemporaryError
from notistream.providers.contract import Subject
from notistream.providers.faulty import (
    BROKEN_ANSWER,
    MALFORMED,
    RESET,
    SERVED,
    Play,
    Taken,
    faulty,
    plan,
    refused,
    retry_afters,
    scattered,
)
from notistream.providers.http import retry_after_s
from notistream.providers.webhook import WebhookProvider, WebhookSettings
from tests.providers.case import SMS

FAULTS = [RESET, MALFORMED, refused(503), refused(429, retry_after="1")]
NOW = datetime(2026, 11, 25, 10, tzinfo=UTC)


async def serve(request: web.Request, body: bytes) -> Taken:
    return Taken(request.headers["Idempotency-Key"], web.json_response({"messageId": "m"}))


def subject_of(vendor):
    return Subject(
        provider=WebhookProvider(WebhookSettings(url=vendor.url), Context(timeout_s=30)),
        vendor=vendor,
        message=SMS,
        refusals=[],
    )


def test_a_plan_is_its_seeds():
    first, again, other = (list(islice(plan(seed, of=FAULTS), 400)) for seed in (7, 7, 8))
    assert first == again != other
    assert {fault.play for fault in first} == {Play.SERVE, Play.RESET, Play.MALFORM, Play.REFUSE}
    assert any(first[i : i + 3] == [refused(503)] * 3 for i in range(400))  # a burst
    assert list(islice(plan(7, of=FAULTS, share=0.0), 50)) == [SERVED] * 50


def test_receipts_come_scattered():
    receipts = list(range(50))
    found = scattered(receipts, seed=3)
    assert found == scattered(receipts, seed=3) != scattered(receipts, seed=4)
    assert set(found) == set(receipts)
    assert Counter(Counter(found).values()).keys() == {1, 2}
    assert found != sorted(found)


def test_values_of_retry_after_are_what_they_say():
    for value, least in retry_afters(NOW).values():
        found = retry_after_s(value, now=NOW)
        assert found is not None
        assert least <= found <= 3600


async def outcomes(seed, count=120):
    async with faulty(serve, faults=plan(seed, of=FAULTS)) as vendor:
        subject = subject_of(vendor)
        messages = [subject.fresh() for _ in range(count)]
        results = [await subject.send(message) for message in messages]
        await subject.provider.aclose()
        accepted = [vendor.accepted[message.idempotency_key] for message in messages]
    return [type(result) for result in results], accepted


async def test_a_seed_is_a_run_and_no_outcome_is_a_lie():
    kinds, accepted = await outcomes(11)
    assert (kinds, accepted) == await outcomes(11)
    assert set(kinds) == {Accepted, Temporary, Ambiguous}
    for kind, times in zip(kinds, accepted, strict=True):
        # The vendor took a message of unknown outcome too.
        assert times == {Accepted: 1, Temporary: 0}.get(kind, 1), kind


async def test_what_was_accepted_is_counted_and_connections_are():
    async with faulty(serve) as vendor:
        subject = subject_of(vendor)
        vendor.play(SERVED, BROKEN_ANSWER, SERVED)
        assert [type(await subject.send()) for _ in range(3)] == [Accepted] * 3
        assert (len(vendor.keys), vendor.accepted.total(), vendor.opened_connections) == (3, 3, 2)
        assert vendor.open_connections == 1
        await subject.provider.aclose()


class Twice(WebhookProvider):
    async def send(self, message):
        await super().send(message)
        return await super().send(message)


class Swallowing(WebhookProvider):
    async def send(self, message):
        with suppress(Exception):
            async with asyncio.timeout(0.5):
                return await super().send(message)
        return Accepted("surely")


class Vague(WebhookProvider):
    async def send(self, message):
        try:
            return await super().send(message)
        except TemporaryError as exc:
            raise TemporaryError(exc.reason, throttled=exc.throttled) from None


class Strict(WebhookProvider):
    async def send(self, message):
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                self._url, headers={"Idempotency-Key": message.idempotency_key}
            ) as response,
        ):
            return Accepted((await response.json())["messageId"])


class Leaking(WebhookProvider):
    leaked: ClassVar[list[aiohttp.ClientSession]] = []

    async def send(self, message):
        if self._session:
            self.leaked.append(self._session)
            self._session = None
        return await super().send(message)


class Talkative(WebhookProvider):
    async def send(self, message):
        logging.getLogger("broken").debug("calling %s", self._url)
        return await super().send(message)


class Keyless(WebhookProvider):
    async def send(self, message):
        return await super().send(replace(message, idempotency_key=str(uuid4())))


class Insistent(WebhookProvider):
    async def send(self, message):
        try:
            return await super().send(message)
        except aiohttp.ClientError:
            return await super().send(message)


@pytest.mark.parametrize(
    ("clause", "broken"),
    [
        ("success", Twice),
        ("concurrent", Twice),
        ("timeout", Swallowing),
        ("slow_headers", Swallowing),
        ("each_error", Swallowing),
        ("expiry", Swallowing),
        ("retry_after", Vague),
        ("malformed", Strict),
        ("broken_answer", Strict),
        ("close", Leaking),
        ("reuse", Leaking),
        ("secrets", Talkative),
        ("idempotency_key", Keyless),
        ("reset", Insistent),
    ],
)
async def test_the_contract_catches_a_provider_that_breaks_it(monkeypatch, clause, broken):
    monkeypatch.setattr(contract, "PATIENCE_S", 1.0)  # what is waited for here never comes
    async with faulty(serve) as vendor:
        provider = broken(WebhookSettings(url=f"{vendor.url}/?key=planted"), Context(timeout_s=30))
        subject = Subject(
            provider=provider,
            vendor=vendor,
            message=SMS,
            secrets=["planted"],
            refusals=[(refused(503), Temporary("HTTP 503 service unavailable"))],
            expire=lambda: vendor.play(refused(503)),
            renew=lambda: None,
        )
        with pytest.raises(AssertionError):
            await contract.CLAUSES[clause](subject)
        while Leaking.leaked:
            await Leaking.leaked.pop().close()
        await provider.aclose()
