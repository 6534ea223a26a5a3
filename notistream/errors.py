"""The error tree: every failure that a caller can see, with its stable code and HTTP status."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid place of a request: a JSON pointer and what is wrong there, in words."""

    pointer: str
    message: str


class NotiStreamError(Exception):
    """The request could not be served."""

    code = "error"
    status = 500
    title = "Internal error"

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or self.meaning()
        super().__init__(self.detail)

    @classmethod
    def meaning(cls) -> str:
        """What the error says where nobody says more: its docstring on one line."""
        return " ".join((cls.__doc__ or cls.title).split())


class InvalidRequest(NotiStreamError):
    """The request is well-formed JSON, but its content is not valid."""

    code = "invalid_content"
    status = 422
    title = "Invalid content"

    def __init__(self, errors: Sequence[FieldError], detail: str | None = None) -> None:
        self.errors = tuple(errors)
        super().__init__(
            detail or "; ".join(f"{e.pointer or '/'}: {e.message}" for e in self.errors[:5])
        )


class UnreadableBody(NotiStreamError):
    """The body is not JSON."""

    code = "unreadable_json"
    status = 400
    title = "Unreadable JSON"


class UnsupportedMediaType(NotiStreamError):
    """The body must be sent as application/json."""

    code = "unsupported_media_type"
    status = 415
    title = "Unsupported media type"


class BodyTooLarge(NotiStreamError):
    """The body is over the limit."""

    code = "body_too_large"
    status = 413
    title = "Body too large"


class BodyTooSlow(NotiStreamError):
    """The body did not arrive in time."""

    code = "body_too_slow"
    status = 408
    title = "Request timeout"


class Unauthorized(NotiStreamError):
    """A valid key is needed."""

    code = "unauthorized"
    status = 401
    title = "Unauthorized"


class AdminOnly(Unauthorized):
    """Send the admin token in the header X-Admin-Token.

    While none is configured, nothing here can be reached.
    """


class Forbidden(NotiStreamError):
    """Who is signed in may look, but not do this."""

    code = "forbidden"
    status = 403
    title = "Forbidden"


class TooManyRequests(NotiStreamError):
    """More requests than the limit allows; repeat this one later."""

    code = "too_many_requests"
    status = 429
    title = "Too many requests"

    def __init__(self, detail: str | None = None, *, retry_after_s: int = 1) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(detail)


class CallbackRefused(NotiStreamError):
    """The callback is not signed by the vendor, or not meant for this installation."""

    code = "callback_refused"
    status = 403
    title = "Callback refused"


class NotFound(NotiStreamError):
    """There is nothing here."""

    code = "not_found"
    status = 404
    title = "Not found"


class MethodNotAllowed(NotiStreamError):
    """The path exists, but not with this method."""

    code = "method_not_allowed"
    status = 405
    title = "Method not allowed"


class Conflict(NotiStreamError):
    """The state of the resource does not allow this."""

    code = "conflict"
    status = 409
    title = "Conflict"


class NotCancellable(Conflict):
    """Only a notification that still waits can be cancelled."""

    code = "not_cancellable"


class NotReplayable(Conflict):
    """What this dead letter is about cannot be queued again."""

    code = "not_replayable"


class NotReschedulable(Conflict):
    """Only a notification that still waits can be rescheduled."""

    code = "not_reschedulable"


class TenantExists(Conflict):
    """There is a tenant of this name."""

    code = "tenant_exists"


class KeyEnded(Conflict):
    """This key is revoked, has expired or was rotated before."""

    code = "key_ended"


class NotResolvable(Conflict):
    """Only a notification whose outcome is unknown can be resolved."""

    code = "not_resolvable"


class NotResendable(Conflict):
    """Only a notification that has ended can be sent again."""

    code = "not_resendable"


class TooManyWebhooks(Conflict):
    """The tenant has as many webhook endpoints as it may have; delete one first."""

    code = "too_many_webhooks"


class WebhookInactive(Conflict):
    """The webhook endpoint is not active; switch it on first."""

    code = "webhook_inactive"


class RequestInFlight(Conflict):
    """A request with this Idempotency-Key is still being served; repeat it later."""

    code = "request_in_flight"


class IdempotencyKeyReused(NotiStreamError):
    """This Idempotency-Key was used with another body."""

    code = "idempotency_key_reused"
    status = 422
    title = "Idempotency-Key reused"


class Unavailable(NotiStreamError):
    """A service that this request needs is not reachable; repeat it later."""

    code = "unavailable"
    status = 503
    title = "Service unavailable"
    retry_after_s = 1


class DatabaseUnavailable(Unavailable):
    """PostgreSQL is not reachable; nothing was stored. Repeat the request later."""

    code = "database_unavailable"


class KafkaUnavailable(Unavailable):
    """No Kafka broker answered."""

    code = "kafka_unavailable"


class Overloaded(Unavailable):
    """Too many large requests are being served; repeat this one later."""

    code = "overloaded"


class TooManyConnections(Unavailable):
    """No more WebSockets are allowed here; connect again later, or to another process."""

    code = "too_many_connections"
    retry_after_s = 5


class UpgradeRequired(NotiStreamError):
    """This address is a WebSocket: connect with ws:// or wss://."""

    code = "upgrade_required"
    status = 426
    title = "Upgrade required"


class NotConfigured(NotiStreamError):
    """The operator has not set what this request needs."""

    code = "not_configured"
    status = 503
    title = "Not configured"


class Misconfigured(NotiStreamError):
    """A setting is missing or has a value that cannot be used."""

    code = "misconfigured"


def every(kind: type[NotiStreamError] = NotiStreamError) -> Iterator[type[NotiStreamError]]:
    """The error and all below it that are loaded, whoever defines them."""
    yield kind
    for below in kind.__subclasses__():
        yield from every(below)
