"""The bare limit of creates: aiohttp on uvloop reads the JSON body and answers 202.

It stores nothing.

A process of its own: `python -m benchmarks.bare_api PORT [BROKERS TOPIC]`. With a broker it also
sends the mark to Kafka, not waiting for the answer: then it is the first half of the bare limit of
latency.
"""

import sys
from collections.abc import AsyncIterator

import orjson
import uvloop
from aiohttp import web
from aiokafka import AIOKafkaProducer

PRODUCER: web.AppKey[AIOKafkaProducer] = web.AppKey("producer", AIOKafkaProducer)
ACCEPTED = b'{"status":"pending"}'


async def accept(request: web.Request) -> web.Response:
    orjson.loads(await request.read())
    return web.Response(body=ACCEPTED, status=202, content_type="application/json")


async def swallow(request: web.Request) -> web.Response:
    """A collector that discards what it gets."""
    await request.read()
    return web.Response(content_type="application/x-protobuf")


def application(brokers: str | None, topic: str | None) -> web.Application:
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/v1/traces", swallow)
    if brokers is None or topic is None:
        app.router.add_post("/api/v1/notifications", accept)
        return app

    async def producing(running: web.Application) -> AsyncIterator[None]:
        running[PRODUCER] = AIOKafkaProducer(
            bootstrap_servers=brokers, acks="all", enable_idempotence=True
        )
        await running[PRODUCER].start()
        yield
        await running[PRODUCER].stop()

    async def forward(request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        await request.app[PRODUCER].send(
            topic, orjson.dumps({"id": body["content"]}), key=body["recipient"].encode()
        )
        return web.Response(body=ACCEPTED, status=202, content_type="application/json")

    app.cleanup_ctx.append(producing)
    app.router.add_post("/api/v1/notifications", forward)
    return app


def main(port: str, brokers: str | None = None, topic: str | None = None) -> None:
    uvloop.install()
    web.run_app(
        application(brokers, topic), host="127.0.0.1", port=int(port), access_log=None, print=None
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
