"""A walk through a running NotiStream, to read as documentation: every call is shown as curl, with
its answer.

make run          # in one terminal make e2e          # in another; NOTISTREAM_PORT, or E2E_URL and
API_KEY, name another service
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

URL = os.environ.get("E2E_URL") or f"http://127.0.0.1:{os.environ.get('NOTISTREAM_PORT') or 8080}"
KEY = os.environ.get("API_KEY")
PATIENCE_S = 30.0


def call(
    method: str, path: str, body: Any = None, *, expect: int, headers: dict[str, str] | None = None
) -> Any:
    """Make one call, show it, and insist on the status."""
    sent = {
        "Content-Type": "application/json",
        **({"X-API-Key": KEY} if KEY else {}),
        **(headers or {}),
    }
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(URL + path, data=data, method=method, headers=sent)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            status, raw = answer.status, answer.read()
    except urllib.error.HTTPError as exc:
        status, raw = exc.code, exc.read()
    except OSError as exc:
        sys.exit(f"nothing answers at {URL} ({exc}): start it with `make run`")
    shown = (
        f" \\\n    -H 'Content-Type: application/json' -d '{json.dumps(body)[:200]}'"
        if body is not None
        else ""
    )
    print(
        f"  curl -X {method} '{URL}{path}'{shown}\n  → {status}"
        f" {raw[:160].decode(errors='replace')}"
    )
    if status != expect:
        sys.exit(f"expected {expect}, got {status}: {raw[:1000].decode(errors='replace')}")
    return json.loads(raw) if raw[:1] in (b"{", b"[") else raw.decode()


def chapter(title: str) -> None:
    print(f"\n{title}")


def ended(notification_id: str, status: str) -> Any:
    """Wait until a notification has ended, and insist on how."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        request = urllib.request.Request(
            f"{URL}/api/v1/notifications/{notification_id}",
            headers={"X-API-Key": KEY} if KEY else {},
        )
        found = json.load(urllib.request.urlopen(request, timeout=10))
        if found["final"]:
            print(
                f"  … {found['channel']} {notification_id} is {found['status']} after"
                f" {found['attempts']} attempt(s)"
            )
            if found["status"] != status:
                sys.exit(f"expected {status}: {found['reason']}")
            return found
        time.sleep(0.1)
    sys.exit(f"{notification_id} did not end in {PATIENCE_S:g} s")


def main() -> None:
    """Walk through everything."""
    mark = uuid.uuid4().hex[:8]
    chapter("Is it there? Liveness, and readiness with what it depends on")
    call("GET", "/health", expect=200)
    call("GET", "/health/ready", expect=200)

    chapter("One notification per channel: accepted at once (202), delivered a moment later")
    for channel, fields in {
        "sms": {"recipient": "+90500000000", "content": "Your code is 1234", "priority": "high"},
        "email": {
            "recipient": "mehmet@example.com",
            "content": "Hello by e-mail",
            "subject": "Hello",
        },
        "push": {"recipient": "device-token-abc", "content": "Hello by push", "priority": "low"},
        "in_app": {"recipient_id": "user-123", "content": "Hello in the app"},
    }.items():
        accepted = call("POST", "/api/v1/notifications", {"channel": channel, **fields}, expect=202)
        ended(accepted["id"], "delivered")

    chapter("What happened to it, and why: the decision trace")
    call("GET", f"/api/v1/notifications/{accepted['id']}/trace", expect=200)

    chapter("A template, and a notification that uses it; `content` stands in if rendering fails")
    template = call(
        "POST",
        "/api/v1/templates",
        {
            "name": f"welcome_{mark}",
            "channel": "email",
            "body": "Hello {{.Name}}, welcome! Your code: {{.Code}}.",
        },
        expect=201,
    )
    accepted = call(
        "POST",
        "/api/v1/notifications",
        {
            "channel": "email",
            "recipient": "mehmet@example.com",
            "content": "fallback",
            "template_id": template["id"],
            "template_variables": {"Name": "Mehmet", "Code": "42"},
        },
        expect=202,
    )
    text = ended(accepted["id"], "delivered")["content"]
    if text != "Hello Mehmet, welcome! Your code: 42.":
        sys.exit(f"rendered {text!r}")

    chapter("By the id of a stored recipient, with a starter template")
    if not KEY:
        accepted = call(
            "POST",
            "/api/v1/notifications",
            {
                "recipient_id": "user-123",
                "channel": "email",
                "template_id": "welcome",
                "payload": {"name": "Alice"},
            },
            expect=202,
        )
        ended(accepted["id"], "delivered")

    chapter(
        "A batch: each item is answered on its own; one bad item does not reject its neighbours"
    )
    answer = call(
        "POST",
        "/api/v1/notifications/batch",
        {
            "notifications": [
                {
                    "channel": "email",
                    "recipient": "a@test.com",
                    "content": "Batch email 1",
                    "priority": "normal",
                },
                {
                    "channel": "sms",
                    "recipient": "+90500000000",
                    "content": "Batch SMS",
                    "priority": "high",
                },
                {"channel": "sms", "recipient": "not a number", "content": "Refused"},
                {
                    "channel": "push",
                    "recipient": "device-token-abc",
                    "content": "Batch push",
                    "priority": "low",
                },
            ]
        },
        expect=202,
    )
    for item in answer["notifications"]:
        if "id" in item and "status" in item and isinstance(item["status"], str):
            ended(item["id"], "delivered")
    batch = call("GET", f"/api/v1/batches/{answer['batch']['id']}", expect=200)
    if (batch["total_count"], batch["delivered_count"], batch["rejected_count"]) != (3, 3, 1):
        sys.exit(f"unexpected counts: {batch}")

    chapter("Idempotency: a key in the body is used once; the header gives the first answer again")
    body = {"channel": "push", "recipient": "t", "content": "once", "idempotency_key": mark}
    call("POST", "/api/v1/notifications", body, expect=202)
    call("POST", "/api/v1/notifications", body, expect=409)
    header = {"Idempotency-Key": f"header-{mark}"}
    plain = {"channel": "push", "recipient": "t", "content": "once more"}
    first = call("POST", "/api/v1/notifications", plain, expect=202, headers=header)
    again = call("POST", "/api/v1/notifications", plain, expect=202, headers=header)
    if first["id"] != again["id"]:
        sys.exit("the header key made two notifications")

    chapter("Scheduled for later, and cancelled")
    later = call(
        "POST",
        "/api/v1/notifications",
        {
            "channel": "sms",
            "recipient": "+90500000000",
            "content": "Tomorrow",
            "scheduled_at": "2099-01-01T09:00:00Z",
        },
        expect=202,
    )
    call("PATCH", f"/api/v1/notifications/{later['id']}/cancel", expect=200)

    chapter("Refused, with a pointer to the field")
    call(
        "POST",
        "/api/v1/notifications",
        {"channel": "sms", "recipient": "0500", "content": "hi"},
        expect=422,
    )

    chapter("List with a filter and a cursor; figures per channel")
    page = call("GET", "/api/v1/notifications?channel=sms&page_size=2", expect=200)
    call(
        "GET",
        f"/api/v1/notifications?channel=sms&page_size=2&cursor={page['next_cursor']}",
        expect=200,
    )
    call("GET", "/api/v1/metrics", expect=200)
    call("GET", "/openapi.json", expect=200)
    print("\nThe walk is complete.")


if __name__ == "__main__":
    main()
