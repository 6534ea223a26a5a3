"""Rows of the route table for tenants and their keys, with their examples."""

from datetime import timedelta
from uuid import UUID

from notistream.access.tenants import IssuedKey
from notistream.db.tenants import StoredKey, StoredTenant
from notistream.web.notifications.examples import NOW, TENANT
from notistream.web.server.parameters import BODY_PROBLEMS, CURSOR, ITEM_PROBLEMS, SIZE
from notistream.web.server.route import Answer, Content, Operation, Route
from notistream.web.tenants import handlers, views

STORED = StoredTenant(TENANT, "acme", NOW)
KEY = StoredKey(
    id=UUID("01970000-0000-7000-8000-0000000000ee"),
    tenant_id=TENANT,
    name="checkout",
    kind="live",
    prefix="ns_live_Zk3nB1xq0d-W",
    created_at=NOW,
    expires_at=None,
    last_used_at=NOW + timedelta(hours=1),
    revoked_at=None,
    replaced_by=None,
)
ISSUED = {
    "issued": views.new_key(IssuedKey("ns_live_Zk3nB1xq0d-WmT7c2yPa5uFh8sLr4gVj6eKoQi9zXwE", KEY))
}

BASE = "/internal/tenants"
KEYS = BASE + "/{id}/api-keys"
ONE_TENANT = Content(type=views.TenantView, examples={"a tenant": views.tenant(STORED)})
SHOWN_ONCE = (
    "`key` (and `api_key`, the same) is in this answer and never again: only its hash is stored."
)

TENANTS = (
    Route(
        method="POST",
        path=BASE,
        handler=handlers.create,
        admin=True,
        operation=Operation(
            id="createTenant",
            tag="Tenants",
            summary="Create a tenant",
            body=Content(type=views.CreateTenant, examples={"a tenant": {"name": "acme"}}),
            answers={
                201: Answer(
                    description="Made.", content=ONE_TENANT, headers={"Location": "The tenant."}
                )
            },
            problems=(*BODY_PROBLEMS, 409),
        ),
    ),
    Route(
        method="GET",
        path=BASE,
        handler=handlers.show_many,
        admin=True,
        operation=Operation(
            id="listTenants",
            tag="Tenants",
            summary="List tenants, newest first",
            query=(CURSOR, SIZE),
            answers={
                200: Answer(
                    description="A page.",
                    content=Content(
                        type=views.TenantPage, examples={"page": views.tenant_page([STORED], 20)}
                    ),
                )
            },
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="GET",
        path=BASE + "/{id}",
        handler=handlers.show,
        admin=True,
        operation=Operation(
            id="getTenant",
            tag="Tenants",
            summary="Show a tenant",
            answers={200: Answer(description="The tenant.", content=ONE_TENANT)},
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="POST",
        path=KEYS,
        handler=handlers.issue_key,
        admin=True,
        operation=Operation(
            id="issueKey",
            tag="Tenants",
            summary="Issue an API key",
            description=SHOWN_ONCE,
            body=Content(
                type=views.IssueKey,
                examples={
                    "for ever": {"name": "checkout"},
                    "for tests, until a day": {
                        "name": "ci",
                        "kind": "test",
                        "expires_at": "2099-12-31T00:00:00Z",
                    },
                },
                required=False,
            ),
            answers={
                201: Answer(
                    description="Issued.", content=Content(type=views.NewKeyView, examples=ISSUED)
                )
            },
            problems=(*BODY_PROBLEMS, 404),
        ),
    ),
    Route(
        method="GET",
        path=KEYS,
        handler=handlers.show_keys,
        admin=True,
        operation=Operation(
            id="listKeys",
            tag="Tenants",
            summary="List the keys of a tenant, newest first",
            query=(CURSOR, SIZE),
            answers={
                200: Answer(
                    description="A page.",
                    content=Content(
                        type=views.KeyPage, examples={"page": views.key_page([KEY], 20)}
                    ),
                )
            },
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="DELETE",
        path=KEYS + "/{key_id}",
        handler=handlers.revoke_key,
        admin=True,
        operation=Operation(
            id="revokeKey",
            tag="Tenants",
            summary="Revoke a key",
            description="It stops working within five seconds. Repeating the call is safe.",
            answers={204: Answer(description="Revoked, now or before.", media_type=None)},
            problems=ITEM_PROBLEMS,
        ),
    ),
    Route(
        method="POST",
        path=KEYS + "/{key_id}/rotate",
        handler=handlers.rotate_key,
        admin=True,
        operation=Operation(
            id="rotateKey",
            tag="Tenants",
            summary="Rotate a key",
            description=(
                "The new key has the old one's name and kind; the old one works on for a day, or as"
                " long as is said. "
            )
            + SHOWN_ONCE,
            body=Content(
                type=views.RotateKey, examples={"an hour": {"overlap_s": 3600}}, required=False
            ),
            answers={
                201: Answer(
                    description="The new key.",
                    content=Content(type=views.NewKeyView, examples=ISSUED),
                )
            },
            problems=(*BODY_PROBLEMS, 404, 409),
        ),
    ),
)
