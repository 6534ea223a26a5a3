"""FCM's error codes, in FCM's words, and what each means for a message."""

from collections.abc import Iterator, Mapping
from typing import Any

from notistream.providers.vendor_errors import Kind, VendorError

ERRORS: Mapping[str, VendorError] = {
    "UNREGISTERED": VendorError(Kind.DEAD, "App instance was unregistered from FCM"),
    "INVALID_ARGUMENT": VendorError(Kind.PERMANENT, "Request parameters were invalid"),
    "SENDER_ID_MISMATCH": VendorError(
        Kind.PERMANENT,
        "The authenticated sender ID is different from the sender ID for the registration token",
    ),
    "QUOTA_EXCEEDED": VendorError(Kind.THROTTLED, "Sending limit exceeded for the message target"),
    "RESOURCE_EXHAUSTED": VendorError(Kind.THROTTLED, "Sending limit exceeded"),
    "UNAVAILABLE": VendorError(Kind.TEMPORARY, "The server is overloaded"),
    "INTERNAL": VendorError(Kind.TEMPORARY, "An unknown internal error occurred"),
    "THIRD_PARTY_AUTH_ERROR": VendorError(
        Kind.TEMPORARY,
        "APNs certificate or web push auth key was invalid or missing in the Firebase project",
    ),
    "UNAUTHENTICATED": VendorError(Kind.SETTINGS, "Request had invalid authentication credentials"),
    "PERMISSION_DENIED": VendorError(
        Kind.SETTINGS, "Permission cloudmessaging.messages.create denied on the project"
    ),
    "NOT_FOUND": VendorError(Kind.PERMANENT, "Requested entity was not found"),
}
"""SENDER_ID_MISMATCH and a bare NOT_FOUND do not remove a token.

With the wrong project they come for every token.
"""
INVALID_TOKEN = VendorError(
    Kind.DEAD, "The registration token is not a valid FCM registration token"
)


def code_of(answer: object) -> str | None:
    """FCM's own code of an error answer, or else Google's status; None where there is neither."""
    error = _error(answer)
    codes = [
        detail["errorCode"]
        for detail in _details(error)
        if isinstance(detail.get("errorCode"), str)
    ]
    status = error.get("status")
    return codes[0] if codes else status if isinstance(status, str) else None


def row_of(answer: object) -> VendorError | None:
    """The row of an error answer; None where the table has none."""
    error, code = _error(answer), code_of(answer)
    if code == "INVALID_ARGUMENT" and _is_about_token(error):
        return INVALID_TOKEN
    return ERRORS.get(code or "")


def _is_about_token(error: Mapping[str, Any]) -> bool:
    fields = [
        violation.get("field")
        for detail in _details(error)
        for violation in _objects(detail.get("fieldViolations"))
    ]
    return fields == ["message.token"] or error.get("message") == INVALID_TOKEN.words


def _error(answer: object) -> Mapping[str, Any]:
    error = answer.get("error") if isinstance(answer, dict) else None
    return error if isinstance(error, dict) else {}


def _details(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return _objects(error.get("details"))


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    return (
        (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
    )
