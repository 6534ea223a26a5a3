"""The console's lists look at a page, not at the table: recipients, suppressions, webhook
deliveries, the sandbox.
"""

import asyncpg
import pytest

from notistream.db.queries import load
from tests.integration.test_plans import looked_at

pytestmark = pytest.mark.integration
MANY, PAGE = 60_000, 51
ROWS = """
INSERT INTO recipients (tenant_id, id)
SELECT $1, 'user-' || n FROM generate_series(1, $2::integer) n;
INSERT INTO device_tokens (tenant_id, recipient_id, digest, token)
SELECT $1, 'user-' || n, sha256(convert_to('t' || n, 'UTF8')), 't' || n
FROM generate_series(1, $2::integer) n;
INSERT INTO suppressions (tenant_id, channel, address, reason)
SELECT $1, 'email', 'u' || n || '@example.com', 'manual' FROM generate_series(1, $2::integer) n;
INSERT INTO sandbox_messages
    (id, tenant_id, notification_id, key, channel, recipient, content, outcome)
SELECT gen_random_uuid(), $1, gen_random_uuid(), n::text, 'sms', 'r' || n % 1000, 'x', 'delivered'
FROM generate_series(1, $2::integer) n;
INSERT INTO webhook_endpoints (id, tenant_id, url, secret)
VALUES ($1, $1, 'https://example.com', 's');
INSERT INTO webhook_deliveries
    (id, tenant_id, endpoint_id, event_id, type, at, data, status, due_at, ended_at)
SELECT webhook_id(now() - n * interval '1 s', gen_random_uuid(), $1), $1, $1,
    gen_random_uuid(), 'x', now() - n * interval '1 s', '{}',
    CASE n % 20000 WHEN 0 THEN 'failed' WHEN 1 THEN 'pending' ELSE 'delivered' END,
    CASE n % 20000 WHEN 1 THEN now() END, now()
FROM generate_series(1, $2::integer) n"""


async def test_lists_of_the_console_look_at_a_page_only(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    tenant = await connection.fetchval(
        "INSERT INTO tenants (id, name) VALUES (gen_random_uuid(), 't') RETURNING id"
    )
    for statement in ROWS.split(";"):
        given = (tenant, MANY) if "$2" in statement else (tenant,)
        await connection.execute(statement, *given)
    await connection.execute("ANALYZE")
    addresses = [
        {"channel": "email", "address": "U77@example.com"},
        {"channel": "sms", "address": "+905321112233"},
        {"channel": "in_app", "address": "user-77"},
    ]
    mine, page = {"tenant_id": tenant}, {"before": None, "limit": PAGE}
    endpoint = {**mine, "endpoint_id": tenant, "type": None, **page}
    for stem, name, table, arguments in (
        ("recipients", "list_from", "recipients", {**mine, "first": "user-5", "limit": PAGE}),
        ("recipients", "list_from", "recipients", {**mine, "first": "", "limit": PAGE}),
        ("device_tokens", "list_of", "device_tokens", {**mine, "recipient_id": "user-77"}),
        ("suppressions", "of_addresses", "suppressions", {**mine, "addresses": addresses}),
        (
            "sandbox",
            "list",
            "sandbox_messages",
            {**mine, "recipient": None, "channel": None, **page},
        ),
        (
            "sandbox",
            "list",
            "sandbox_messages",
            {**mine, "recipient": "r77", "channel": None, **page},
        ),
        (
            "webhook_deliveries",
            "list",
            "webhook_deliveries",
            {**endpoint, "status": None},
        ),
        (
            "webhook_deliveries",
            "list_failed",
            "webhook_deliveries",
            endpoint,
        ),
        (
            "webhook_deliveries",
            "list_pending",
            "webhook_deliveries",
            endpoint,
        ),
    ):
        rows = await looked_at(connection, *load(stem)[name](**arguments), table=table)
        assert rows <= 2 * PAGE, f"{stem}.{name} looked at {rows:g} rows"
    await connection.close()
