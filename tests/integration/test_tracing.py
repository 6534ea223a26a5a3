"""Tracing with real processes: one trace from the request to the outcome, through a retry and a
replay.
"""

from pathlib import Path

import pytest

from tests.collector import Collector, Span, collector
from tests.receiver import receiver
from tests.services import Endpoints
from tests.stack import stack, until

pytestmark = pytest.mark.integration
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"
ADMIN = {"X-Admin-Token": "test-admin-token-0123456789"}
PLANTED = ("+905551239876", "Planted text 4711", "planted-variable", "planted-subject")


def named(spans: list[Span], name: str) -> list[Span]:
    return [span for span in spans if span.name == name]


def child_of(span: Span, spans: list[Span]) -> Span:
    return next(other for other in spans if other.id == span.parent)


async def test_one_trace_from_the_request_through_a_retry_and_a_replay(
    endpoints: Endpoints, database_url: str, topics_prefix: str, tmp_path: Path
) -> None:
    async with (
        collector() as collected,
        receiver() as ledger,
        stack(
            database_url=database_url,
            brokers=endpoints.kafka_brokers,
            prefix=topics_prefix,
            folder=tmp_path,
            WEBHOOK_URL=ledger.url,
            OTLP_ENDPOINT=collected.endpoint,
            TRACE_SAMPLING="0",
        ) as product,
    ):
        api, worker = await product.api(), await product.worker()
        answers = [(503, {}), (400, {}), (202, {})]
        ledger.answer = lambda _call: answers[min(len(ledger.calls) - 1, 2)]
        status, created = await product.call(
            "POST",
            "/api/v1/notifications",
            {
                "channel": "sms",
                "recipient": PLANTED[0],
                "content": PLANTED[1],
                "subject": PLANTED[3],
                "template_variables": {"x": PLANTED[2]},
            },
            headers={"traceparent": CALLER},
        )
        assert status == 202
        failed = await product.ended(created["id"])
        assert (failed["status"], failed["attempts"]) == ("failed", 2)

        _, page = await product.call("GET", "/internal/dlq", headers=ADMIN)
        replay = f"/internal/dlq/{page['data'][0]['id']}/replay"
        other = CALLER.replace(TRACE, "5" * 32)
        status, _ = await product.call("POST", replay, {}, headers={**ADMIN, "traceparent": other})
        assert status == 200
        await until(lambda: len(ledger.calls) == 3, what="the replay to arrive")
        await until(
            lambda: len(named(collected.of(TRACE), "deliver sms")) == 3,
            what="three deliveries to be told",
        )
        await until(lambda: collected.of("5" * 32), what="the request of the replay")
        await until(
            lambda: named(collected.of(TRACE), "keep dead letter"), what="the dead letter's record"
        )
        check_the_trace(collected, created["id"], ledger.calls)
        (request,) = named(collected.of("5" * 32), "POST /internal/dlq/{id}/replay")
        assert TRACE in {trace_id for trace_id, _ in request.links}

        # Nobody asked for these traces, and none of those that begin here is kept.
        assert (await product.ended(await product.create()))["status"] == "delivered"
        assert {span.trace_id for span in collected.spans} == {TRACE, "5" * 32}
        for process in (api, worker):
            await process.kill(15)
    told = b"".join(collected.raw) + b"".join(
        process.log.read_bytes() for process in product.processes
    )
    assert [planted for planted in PLANTED if planted.encode() in told] == []


def check_the_trace(collected: Collector, notification_id: str, calls: list[dict]) -> None:
    """Every span has its parent, and says what it is about."""
    spans = collected.of(TRACE)
    (request,) = named(spans, "POST /api/v1/notifications")
    assert (request.parent, request.service) == ("00f067aa0ba902b7", "notistream-api")
    assert request.attributes["http.response.status_code"] == 202
    (stored,) = named(spans, "store notification")
    assert child_of(stored, spans) is request
    deliveries = named(spans, "deliver sms")
    assert [
        (
            d.attributes["notistream.attempt"],
            d.attributes["notistream.chain"],
            d.attributes["notistream.status"],
        )
        for d in deliveries
    ] == [(1, 1, "retrying"), (2, 1, "failed"), (1, 2, "delivered")]
    for delivery, call in zip(deliveries, calls, strict=True):
        assert delivery.attributes["notistream.notification_id"] == notification_id
        published = child_of(delivery, spans)
        assert published.name.endswith(".sms.normal")
        assert child_of(published, spans) is request
        below = {span.name: span for span in spans if span.parent == delivery.id}
        assert set(below) == {"gates", "send webhook", "record outcome"}
        assert call["headers"]["traceparent"] == f"00-{TRACE}-{below['send webhook'].id}-01"
        assert below["send webhook"].failed == (
            delivery.attributes["notistream.status"] != "delivered"
        )
        assert "recipient_limit" in {name for name, _ in below["gates"].events}
    assert [d.failed for d in deliveries] == [False, True, False]
    (waited,) = named(spans, "wait sms")
    assert child_of(waited, spans).name.endswith(".sms.retry")
    (kept,) = named(spans, "keep dead letter")
    assert child_of(kept, spans).name.endswith(".sms.dlq")
    assert all(span.start <= span.end for span in spans)
