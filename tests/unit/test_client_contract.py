"""The client says what the OpenAPI document says: every operation, every field sent, every field
answered.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from notistream_client import Client, answers, records
from notistream_client.operation import Group, listing, operation
from tests.documented import DOCUMENT, OPERATIONS, operation_of, resolved, validate
from tests.unit.client_calls import CALLS

STREAMED = {"streamInbox", "streamStatuses"}
"""Methods of AsyncClient.streams; see test_client_streams.py."""
ALIASES = {
    "deleteNotification": "cancelNotification",
    "deleteDeviceToken": "deregisterDeviceToken",
    "putSuppressionOfAddress": "putSuppression",
    "deleteSuppressionOfAddress": "deleteSuppression",
    "getUserPreferences": "getPreferences",
    "putUserPreferences": "putPreferences",
    "putUserPreference": "putPreferences",
    "deleteUserPreference": "putPreferences",
}
"""Operations that another one, which the client has, does as well."""
NOT_FOR_CLIENTS = {
    "receiveCallback",
    "health",
    "livez",
    "health_ready",
    "readyz",
    "prometheus",
    "openapi",
}
ALIAS_FIELDS = {
    "recipient_address",
    "payload",
    "variables",
    "subject_template",
    "body_template",
    "user_id",
    "limit",
    "after_id",
}
UNUSED_FIELDS = {("replaceTemplate", "name"), ("replaceTemplate", "channel")}
"""Which the service takes only as they are."""
ALIAS_ANSWERS = {
    "NotificationView": {"recipient_address", "payload"},
    "DeviceTokenView": {"user_id"},
    "Problem": {"error"},
}


class Service:
    """Checks each request against the document and answers with the document's example."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, httpx.Request]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name, shown = operation_of(request)
        self.asked.append((name, request))
        _check(request, shown)
        status, answer = next((s, a) for s, a in shown["responses"].items() if s.startswith("2"))
        examples = answer.get("content", {}).get("application/json", {}).get("examples", {})
        return httpx.Response(
            int(status), json=next(iter(examples.values()))["value"] if examples else None
        )


def _check(request: httpx.Request, shown: dict[str, Any]) -> None:
    parameters = [resolved(one) for one in shown["parameters"]]
    known = {
        place: {p["name"] for p in parameters if p["in"] == place} for place in ("query", "header")
    }
    assert set(request.url.params) <= known["query"]
    ours = {"Idempotency-Key", "X-Recipient-ID"}
    assert {name for name in ours if name in request.headers} == ours & known["header"]
    assert ("requestBody" in shown) == bool(request.content)
    if request.content:
        validate(
            json.loads(request.content),
            shown["requestBody"]["content"]["application/json"]["schema"],
        )


def _methods() -> Iterator[str]:
    with Client() as client:
        for name, group in vars(client).items():
            if isinstance(group, Group):
                yield from (
                    f"{name}.{method}"
                    for method, found in vars(type(group)).items()
                    if isinstance(found, operation | listing)
                )


@pytest.fixture
def service() -> Iterator[tuple[Client, Service]]:
    service = Service()
    with Client("http://test", api_key="k", transport=httpx.MockTransport(service)) as client:
        yield client, service


def test_every_method_is_in_the_table() -> None:
    assert set(CALLS) == set(_methods())


def test_every_operation_of_tenants_has_a_method(service: tuple[Client, Service]) -> None:
    client, answering = service
    for call in CALLS.values():
        call(client)
    admin = {name for name, (path, _, _) in OPERATIONS.items() if path.startswith("/internal/")}
    covered = [name for name, _ in answering.asked]
    assert len(set(covered)) == len(covered), "two methods for one operation"
    assert set(covered) | STREAMED | set(ALIASES) | NOT_FOR_CLIENTS | admin == set(OPERATIONS)
    assert not set(covered) & (set(ALIASES) | NOT_FOR_CLIENTS | admin), "not an exception any more"
    assert set(ALIASES.values()) <= set(covered)


@pytest.mark.parametrize("name", CALLS)
def test_method_sends_every_field_and_reads_every_field(
    name: str, service: tuple[Client, Service]
) -> None:
    client, answering = service
    answer = CALLS[name](client)
    ((identity, request),) = answering.asked
    _, _, shown = OPERATIONS[identity]
    queried = {p["name"] for p in map(resolved, shown["parameters"]) if p["in"] == "query"}
    assert set(request.url.params) == queried - ALIAS_FIELDS
    if request.content:
        schema = resolved(shown["requestBody"]["content"]["application/json"]["schema"])
        sent = {(identity, name) for name in json.loads(request.content)}
        takes = {(identity, name) for name in schema["properties"] if name not in ALIAS_FIELDS}
        assert sent == takes - UNUSED_FIELDS
    status, answered = next((s, a) for s, a in shown["responses"].items() if s.startswith("2"))
    if status == "204":
        assert answer is None
    else:
        content = answered["content"]["application/json"]
        example = next(iter(content["examples"].values()))["value"]
        _compare(_plain(answer), example)


def _plain(answer: Any) -> Any:
    return json.loads(json.dumps(asdict(answer), default=lambda moment: moment.isoformat()))


def _compare(ours: Any, theirs: Any, place: str = "") -> None:
    """What is answered is all there, under the same names."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for name, value in theirs.items():
            if name not in ours:
                assert name in set.union(*ALIAS_ANSWERS.values()), f"{place}/{name} is not read"
            else:
                _compare(ours[name], value, f"{place}/{name}")
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs), place
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            _compare(one, other, f"{place}/{index}")
    elif isinstance(theirs, str):
        assert ours == theirs or ours == theirs.replace("Z", "+00:00"), place
    else:
        assert ours == theirs, place


@pytest.mark.parametrize(
    ("kind", "schema"),
    [
        (answers.Notification, "NotificationView"),
        (answers.Problem, "Problem"),
        (answers.Batch, "BatchView"),
        (answers.BatchAccepted, "BatchAccepted"),
        (answers.Trace, "TraceView"),
        (answers.Attempt, "AttemptView"),
        (answers.Step, "StepView"),
        (answers.Queue, "QueueView"),
        (answers.DeliveryReceipt, "ReceiptView"),
        (answers.Preview, "PreviewView"),
        (answers.Segments, "SegmentsView"),
        (answers.Recalled, "RecallView"),
        (answers.StatusUpdate, "StatusFrame"),
        (answers.ChannelFigures, "ChannelFigures"),
        (records.Template, "TemplateView"),
        (records.TemplateVersion, "TemplateVersionView"),
        (records.TemplatePreview, "TemplatePreviewView"),
        (records.Recipient, "RecipientView"),
        (records.ChannelPreference, "ChannelPreferenceView"),
        (records.Suppression, "SuppressionView"),
        (records.Webhook, "WebhookView"),
        (records.WebhookDelivery, "WholeDeliveryView"),
        (records.WebhookCall, "WebhookCallView"),
        (records.InboxMessage, "InboxMessageView"),
        (records.Device, "DeviceTokenView"),
        (records.SandboxMessage, "SandboxMessageView"),
        (records.Token, "TokenView"),
        (records.Erased, "ErasedView"),
    ],
)
def test_answers_have_the_fields_of_the_document(kind: type, schema: str) -> None:
    shown = DOCUMENT["components"]["schemas"][schema]
    optional = {field.name for field in fields(kind) if field.default is None}
    aliases = ALIAS_ANSWERS.get(schema, set())
    assert {field.name for field in fields(kind)} == shown["properties"].keys() - aliases
    nullable = {
        name
        for name, field in shown["properties"].items()
        if {"type": "null"} in field.get("anyOf", ())
    }
    assert nullable - aliases <= optional, "what may be null has the type of None"


def test_ids_arrive_as_they_are(service: tuple[Client, Service]) -> None:
    client, answering = service
    for recipient_id in ("a/b", "ü ?#%", "..", "{id}"):
        client.recipients.get(recipient_id)
        _, request = answering.asked.pop()
        assert unquote(request.url.raw_path.decode().rsplit("/", 1)[1]) == recipient_id
