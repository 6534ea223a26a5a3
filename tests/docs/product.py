"""What a reader has started: `make run`, on free ports, a database and topics of its own."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from tests import processes
from tests.docs.blocks import ROOT
from tests.docs.session import PATIENCE_S
from tests.services import Endpoints, delete_topics, fresh_database, topic_prefix
from tests.serving import listening
from tests.stack import free_port, until

READY = "NotiStream ready"


@dataclass(frozen=True, slots=True)
class Product:
    """A running product: the environment for commands, and what stands where on this machine."""

    env: Mapping[str, str]
    port: int
    receiver: int
    gateway: int

    def here(self, text: str) -> str:
        """The text of a page with the addresses of this run.

        8080 is the API, 9000 a receiver that takes anything, as is webhook.site; on 9001 nobody
        listens before a page starts something there.
        """
        text = text.replace("https://webhook.site/", f"http://127.0.0.1:{self.receiver}/")
        for written, real in {
            "8080": self.port,
            "9000": self.receiver,
            "9001": self.gateway,
        }.items():
            text = re.sub(
                rf"(?:\blocalhost:|\b127\.0\.0\.1:){written}\b", f"127.0.0.1:{real}", text
            )
        return re.sub(r"\b9001\b", str(self.gateway), text)


@asynccontextmanager
async def make_run(
    endpoints: Endpoints,
    folder: Path,
    *,
    receiver: int,
    gateway: int,
    **settings: str,
) -> AsyncIterator[Product]:
    """What `make run` starts, with these settings before it, until the block ends."""
    async with AsyncExitStack() as stack:
        database_url = await stack.enter_async_context(fresh_database(endpoints))
        prefix = topic_prefix()
        stack.push_async_callback(delete_topics, endpoints.kafka_brokers, prefix)
        port = free_port()
        env = {
            **processes.environment(),
            "PYTHONPATH": str(ROOT),
            "NOTISTREAM_DATABASE_URL": database_url,
            "NOTISTREAM_KAFKA_BROKERS": endpoints.kafka_brokers,
            "NOTISTREAM_TOPIC_PREFIX": prefix,
            "NOTISTREAM_TOPIC_PARTITIONS": "2",
            "NOTISTREAM_STATE_DIR": str(folder / ".local"),
            "NOTISTREAM_PORT": str(port),
            "NOTISTREAM_WORKER_PORT": str(free_port()),
            "NOTISTREAM_WEBHOOK_URL": f"http://127.0.0.1:{receiver}/",
            **settings,
        }
        await stack.enter_async_context(_started(env, folder))
        told = dict(env)
        for name in ("admin-token", "jwt-secret", "unsubscribe-secret"):
            told[f"NOTISTREAM_{name.upper().replace('-', '_')}"] = (
                (folder / ".local" / name).read_text().strip()
            )
        yield Product(
            {**told, "NOTISTREAM_AUTH": settings.get("NOTISTREAM_AUTH", "off")},
            port,
            receiver,
            gateway,
        )


@asynccontextmanager
async def _started(env: Mapping[str, str], folder: Path) -> AsyncIterator[None]:
    log = folder / f"make-run-{env['NOTISTREAM_PORT']}.log"
    with log.open("wb") as output:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "notistream",
            "dev",
            cwd=folder,
            env=env,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        await until(
            lambda: READY in log.read_text(errors="replace") or child.returncode is not None,
            what="`make run`",
            patience_s=PATIENCE_S,
        )
        assert child.returncode is None, log.read_text(errors="replace")
        yield
    finally:
        if child.returncode is None:
            child.send_signal(signal.SIGINT)
        await child.wait()


@asynccontextmanager
async def receiving() -> AsyncIterator[int]:
    """A receiver that takes whatever is posted to it, but for messages that begin with `refuse`.

    Its port.
    """

    async def take(request: web.Request) -> web.Response:
        if b'"content":"refuse' in await request.read():
            return web.json_response({}, status=400)
        return web.json_response({"messageId": "m-1"}, status=202)

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    async with listening(app) as address:
        yield int(address.rpartition(":")[2])
