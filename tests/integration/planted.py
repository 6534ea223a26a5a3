"""What the isolation suite knows of each route: tenant A's objects, and how tenant B would reach
for them.

A new route of tenants needs a line here, or the suite fails and says which:
- PLACES, where its path has parameters: which object of A each of them names;
- REACHES, where it takes a body: bodies that name A's objects, with the statuses that give nothing
  away;
- OF_ITS_OWN, where B may succeed, because the name that it uses is then its own.
A new query parameter needs one in QUERIES; a public route one in PUBLIC.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from notistream.web.server.parameters import V1

SECRET = "planted-secret"
"""In every text of A that B has no way of knowing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """Names by which B asks for A's objects; none of them holds the secret."""

    notification: str
    unknown: str
    batch: str
    template: str
    template_name: str = "planted-template"
    recipient: str = "planted-recipient"
    phone: str = "+905000000042"
    category: str = "planted-category"
    token: str = "planted-device-token"
    address: str = "planted@example.com"
    key: str = "planted-idempotency-key"
    inbox: str
    webhook: str
    delivery: str


PLACES: Mapping[str, Mapping[str, str]] = {
    f"{V1}/notifications/{{id}}": {"id": "notification"},
    f"{V1}/notifications/{{id}}/cancel": {"id": "notification"},
    f"{V1}/notifications/{{id}}/trace": {"id": "notification"},
    f"{V1}/notifications/{{id}}/resolve": {"id": "unknown"},
    f"{V1}/notifications/{{id}}/resend": {"id": "notification"},
    f"{V1}/batches/{{id}}": {"id": "batch"},
    f"{V1}/batches/{{id}}/cancel": {"id": "batch"},
    f"{V1}/templates/{{id}}": {"id": "template"},
    f"{V1}/templates/{{id}}/versions": {"id": "template"},
    f"{V1}/templates/{{id}}/preview": {"id": "template"},
    f"{V1}/inbox/{{id}}/read": {"id": "inbox"},
    f"{V1}/webhooks/{{id}}": {"id": "webhook"},
    f"{V1}/webhooks/{{id}}/rotate-secret": {"id": "webhook"},
    f"{V1}/webhooks/{{id}}/test": {"id": "webhook"},
    f"{V1}/webhooks/{{id}}/redeliver": {"id": "webhook"},
    f"{V1}/webhooks/{{id}}/deliveries": {"id": "webhook"},
    f"{V1}/webhooks/{{id}}/deliveries/{{delivery_id}}": {
        "id": "webhook",
        "delivery_id": "delivery",
    },
    f"{V1}/recipients/{{recipient_id}}": {"recipient_id": "recipient"},
    f"{V1}/recipients/{{recipient_id}}/preferences": {"recipient_id": "recipient"},
    f"{V1}/users/{{recipient_id}}/preferences": {"recipient_id": "recipient"},
    f"{V1}/users/{{recipient_id}}/preferences/{{channel}}": {
        "recipient_id": "recipient",
        "channel": "=email",
    },
    f"{V1}/device-tokens/{{token}}": {"token": "token"},
    f"{V1}/suppressions/{{channel}}/{{address}}": {"channel": "=email", "address": "address"},
}
"""By path: for each parameter the attribute of Planted, or `=` and a word."""

OF_ITS_OWN: Mapping[tuple[str, str], str] = {
    ("PUT", f"{V1}/recipients/{{recipient_id}}"): "ids of recipients are each tenant's own",
    (
        "GET",
        f"{V1}/recipients/{{recipient_id}}/preferences",
    ): "defaults, whether the recipient is stored or not",
    (
        "PUT",
        f"{V1}/recipients/{{recipient_id}}/preferences",
    ): "ids of recipients are each tenant's own",
    (
        "GET",
        f"{V1}/users/{{recipient_id}}/preferences",
    ): "defaults, whether the recipient is stored or not",
    ("PUT", f"{V1}/users/{{recipient_id}}/preferences"): "ids of recipients are each tenant's own",
    (
        "PUT",
        f"{V1}/users/{{recipient_id}}/preferences/{{channel}}",
    ): "ids of recipients are each tenant's own",
    ("PUT", f"{V1}/suppressions/{{channel}}/{{address}}"): "each tenant has a list of its own",
}

SOCKETS = {"/ws", f"{V1}/inbox/stream"}
"""WebSockets, which answer 426 here.

What they tell, and whom, is tested in test_realtime and test_inbox.
"""

QUERIES: Mapping[str, Callable[[Planted], Sequence[str]]] = {
    "status": lambda a: ["pending"],
    "channel": lambda a: ["email"],
    "recipient": lambda a: [a.phone],
    "recipient_id": lambda a: [a.recipient],
    "batch_id": lambda a: [a.batch],
    "template": lambda a: [a.template, a.template_name],
    "date_from": lambda a: ["2020-01-01T00:00:00Z"],
    "date_to": lambda a: ["2099-01-01T00:00:00Z"],
    "cursor": lambda a: [a.notification, a.template],
    "page_size": lambda a: ["100"],
    "name": lambda a: [a.template_name],
    "address": lambda a: [a.address],
    "atomic": lambda a: ["true"],
    "category": lambda a: [a.category],
    "event_type": lambda a: ["notification.delivered"],
    "unread": lambda a: ["true"],
    "limit": lambda a: ["100"],
    "after_id": lambda a: [a.inbox],
    "since": lambda a: [a.inbox],
    "token": lambda a: ["x.y.z"],
}

Reach = tuple[Any, Sequence[int]]
SMS = {"channel": "sms", "recipient": "+905000000001", "content": "of b"}


def _create(a: Planted) -> list[Reach]:
    return [
        ({"channel": "email", "recipient_id": "u", "template_id": a.template}, [422]),
        ({"channel": "email", "recipient_id": "u", "template_id": a.template_name}, [422]),
        ({"channel": "email", "recipient_id": a.recipient, "content": "of b"}, [200, 202]),
        ({**SMS, "idempotency_key": a.key}, [200, 202]),
    ]


def _bulk(a: Planted) -> list[Reach]:
    return [
        (
            {"channel": "email", "template_id": a.template, "recipients": [{"recipient_id": "u"}]},
            [202, 422],
        ),
        (
            {"channel": "email", "content": "of b", "recipients": [{"recipient_id": a.recipient}]},
            [202],
        ),
    ]


def _template(a: Planted) -> list[Reach]:
    return [({"body": "of b", "subject": "of b"}, [404])]


def _recall(a: Planted) -> list[Reach]:
    return [
        ({name: value}, [200])
        for name, value in (
            ("batch_id", a.batch),
            ("template", a.template),
            ("template", a.template_name),
            ("category", a.category),
        )
    ]


REACHES: Mapping[tuple[str, str], Callable[[Planted], Sequence[Reach]]] = {
    ("POST", f"{V1}/notifications"): _create,
    ("POST", f"{V1}/notifications/batch"): lambda a: [
        ({"notifications": [body]}, [202, *s]) for body, s in _create(a)
    ],
    ("POST", f"{V1}/notifications/bulk"): _bulk,
    ("POST", f"{V1}/notifications/preview"): _create,
    ("POST", f"{V1}/notifications/recall"): _recall,
    ("PATCH", f"{V1}/notifications/{{id}}"): lambda a: [({"scheduled_at": None}, [404])],
    ("POST", f"{V1}/notifications/{{id}}/resolve"): lambda a: [
        ({"outcome": outcome}, [404]) for outcome in ("delivered", "failed", "resend")
    ],
    ("POST", f"{V1}/notifications/{{id}}/resend"): lambda a: [({}, [404])],
    ("POST", f"{V1}/batches/{{id}}/cancel"): lambda a: [({}, [404])],
    ("POST", f"{V1}/templates"): lambda a: [
        ({"name": a.template_name, "channel": "email", "subject": "of b", "body": "of b"}, [201])
    ],
    ("POST", f"{V1}/templates/preview"): lambda a: [
        ({"channel": "email", "body": "{{ x }}"}, [200])
    ],
    ("PUT", f"{V1}/templates/{{id}}"): _template,
    ("POST", f"{V1}/templates/{{id}}/preview"): lambda a: [({"variables": {"x": "of b"}}, [404])],
    ("POST", f"{V1}/ws-token"): lambda a: [({"recipient_id": a.recipient}, [200])],
    ("POST", f"{V1}/inbox/{{id}}/read"): lambda a: [({}, [404])],
    ("POST", f"{V1}/inbox/read-all"): lambda a: [({}, [204])],
    ("POST", f"{V1}/webhooks"): lambda a: [({"url": "https://hooks.example.com/of-b"}, [201])],
    ("PUT", f"{V1}/webhooks/{{id}}"): lambda a: [
        ({"url": "https://hooks.example.com/of-b"}, [404])
    ],
    ("POST", f"{V1}/webhooks/{{id}}/rotate-secret"): lambda a: [({}, [404])],
    ("POST", f"{V1}/webhooks/{{id}}/test"): lambda a: [({}, [404])],
    ("POST", f"{V1}/webhooks/{{id}}/redeliver"): lambda a: [
        ({"delivery_id": a.delivery}, [404]),
        ({"since": "2020-01-01T00:00:00Z", "status": "all"}, [404]),
    ],
    ("PUT", f"{V1}/recipients/{{recipient_id}}"): lambda a: [({"email": "b@example.com"}, [201])],
    ("POST", f"{V1}/device-tokens"): lambda a: [
        ({"recipient_id": a.recipient, "token": a.token}, [201])
    ],
    ("DELETE", f"{V1}/device-tokens"): lambda a: [({"token": a.token}, [404])],
    ("PUT", f"{V1}/recipients/{{recipient_id}}/preferences"): lambda a: [
        ({"channels": {"email": {"enabled": True}}}, [200])
    ],
    ("PUT", f"{V1}/users/{{recipient_id}}/preferences"): lambda a: [
        ({"channel": "email", "enabled": True}, [200])
    ],
    ("PUT", f"{V1}/users/{{recipient_id}}/preferences/{{channel}}"): lambda a: [
        ({"enabled": True}, [200])
    ],
    ("PUT", f"{V1}/suppressions"): lambda a: [({"channel": "email", "address": a.address}, [201])],
    ("DELETE", f"{V1}/suppressions"): lambda a: [
        ({"channel": "email", "address": a.address}, [404])
    ],
    ("PUT", f"{V1}/suppressions/{{channel}}/{{address}}"): lambda a: [
        ({"reason": "complaint"}, [201])
    ],
}
"""By method and path: bodies, each with the statuses that are right."""

PUBLIC = {
    "/console/sign-in",
    "/console/assets/{name}",
    "/health",
    "/livez",
    "/health/ready",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/errors",
    "/unsubscribe/{token}",
    "/callbacks/{provider}",
    "/docs/assets/{name}",
    "/",
    "/docs/",
    "/swagger",
    "/swagger/",
    "/swagger/index.html",
}
"""Paths that need no key, and hold nothing of a tenant, or only what a signature is for."""
