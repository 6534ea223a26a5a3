"""What the pictures of tenants, recipients, webhooks and the sandbox show."""

from tests.hooks import LOOPBACK, hooks
from tests.stack import Stack, until

PEOPLE = {
    "user-1001": {
        "email": "ada@example.com",
        "phone": "+905321112233",
        "push_tokens": ["apns-5b7e0c2f9a"],
        "timezone": "Europe/Istanbul",
        "locale": "tr",
    },
    "user-1002": {"email": "grace@example.com", "locale": "en"},
    "user-1003": {"phone": "+4915112345678", "timezone": "Europe/Berlin", "locale": "de"},
}
WISHES = {
    "channels": {
        "sms": {
            "quiet_hours": {"start": "22:00", "end": "08:00"},
            "frequency_cap": {"count": 5, "per": "day"},
        },
        "push": {"enabled": False},
    },
    "categories": {"offers": False, "orders": True},
}
HTML = """<body style="font-family: sans-serif; color: #222">
<h1 style="color: #0b6363">Welcome, {{ name }}</h1>
<p>Thank you for joining. Your account is ready.</p></body>"""


async def furnish_people(product: Stack) -> None:
    """Recipients with wishes, keys, an endpoint that failed once, and messages of a test key."""
    await product.run("tenants", "create", "acme")
    for name in ("checkout", "backoffice"):
        await product.run("keys", "issue", "default", "--name", name)
    for recipient_id, contact in PEOPLE.items():
        await product.call("PUT", f"/api/v1/recipients/{recipient_id}", contact)
    await product.call("PUT", "/api/v1/recipients/user-1001/preferences", WISHES)
    await product.call(
        "PUT",
        "/api/v1/suppressions",
        {
            "channel": "email",
            "address": "ada@example.com",
            "reason": "unsubscribe",
            "category": "offers",
        },
    )
    await _tell(product)
    await _try_out(product)


async def _tell(product: Stack) -> None:
    """An endpoint, which answers badly at first."""
    api = await product.api(WEBHOOK_ALLOW_NETWORKS=LOOPBACK)
    async with hooks() as receiver:
        body = {"url": f"{receiver.url}/orders", "description": "orders"}
        async with product.http.post(f"{api.url}/api/v1/webhooks", json=body) as answer:
            endpoint = (await answer.json())["id"]
        receiver.answer = lambda _call: (503 if len(receiver.calls) == 1 else 204, {}, "")
        for n in (1, 2, 4, 5):
            await product.ended(await product.create(recipient=f"+90500000010{n}", content=str(n)))

        async def told() -> bool:
            _, page = await product.call(
                "GET", f"/api/v1/webhooks/{endpoint}/deliveries?status=delivered"
            )
            return len(page["data"]) == 4

        await until(told, what="the endpoint to be told")
        # The receiver ends here: what happens later is not for it.
        await product.http.put(
            f"{api.url}/api/v1/webhooks/{endpoint}",
            json={**body, "events": ["device_token.deactivated"]},
        )


async def _try_out(product: Stack) -> None:
    key = next(
        word
        for word in (
            await product.run("keys", "issue", "default", "--name", "ci", "--kind", "test")
        ).split()
        if word.startswith("ns_test_")
    )
    _, template = await product.call(
        "POST",
        "/api/v1/templates",
        {
            "name": "account-ready",
            "channel": "email",
            "subject": "Welcome, {{ name }}",
            "body": "Welcome, {{ name }}. Your account is ready.",
            "html": HTML,
        },
    )
    for body in (
        {"channel": "sms", "recipient": "+905321112233", "content": "Your code is 4711"},
        {"channel": "sms", "recipient": "+15005550001", "content": "This number wants a failure"},
        {
            "channel": "email",
            "recipient": "ada@example.com",
            "template_id": template["id"],
            "template_variables": {"name": "Ada"},
        },
    ):
        await product.call("POST", "/api/v1/notifications", body, headers={"X-API-Key": key})

    async def kept() -> bool:
        _, page = await product.call("GET", "/api/v1/sandbox/messages", headers={"X-API-Key": key})
        return len(page["data"]) == 3

    await until(kept, what="the sandbox's messages")
