"""Twilio's error codes, in Twilio's words, and what each means for a message."""

from collections.abc import Mapping

from notistream.providers.api import PermanentError, TemporaryError
from notistream.providers.vendor_errors import Kind, VendorError, by_status

ERRORS: Mapping[int, VendorError] = {
    14107: VendorError(Kind.THROTTLED, "Message rate exceeded"),
    20003: VendorError(Kind.SETTINGS, "Authenticate"),
    20005: VendorError(Kind.SETTINGS, "Account not active"),
    20006: VendorError(Kind.SETTINGS, "Access denied"),
    20008: VendorError(Kind.SETTINGS, "Resource not accessible with Test Account Credentials"),
    20404: VendorError(Kind.SETTINGS, "Not found"),
    20429: VendorError(Kind.THROTTLED, "Too many requests"),
    20500: VendorError(Kind.TEMPORARY, "Internal server error"),
    20503: VendorError(Kind.TEMPORARY, "Service unavailable"),
    20504: VendorError(Kind.TEMPORARY, "Gateway timeout"),
    21211: VendorError(Kind.DEAD, "Invalid 'To' phone number"),
    21212: VendorError(Kind.SETTINGS, "Invalid 'From' phone number"),
    21219: VendorError(Kind.PERMANENT, "'To' phone number not verified"),
    21408: VendorError(
        Kind.PERMANENT, "Permission to send an SMS has not been enabled for the region of 'To'"
    ),
    21602: VendorError(Kind.PERMANENT, "Message body is required"),
    21603: VendorError(Kind.SETTINGS, "'From' phone number is required to send a message"),
    21606: VendorError(
        Kind.SETTINGS, "'From' phone number is not a valid, message-capable Twilio phone number"
    ),
    21608: VendorError(
        Kind.PERMANENT, "The 'To' phone number is not yet verified; trial accounts reach no others"
    ),
    21610: VendorError(Kind.DEAD, "Attempt to send to unsubscribed recipient"),
    21611: VendorError(
        Kind.THROTTLED, "This 'From' number has exceeded the maximum number of queued messages"
    ),
    21612: VendorError(
        Kind.PERMANENT, "The 'To' phone number is not currently reachable from this 'From'"
    ),
    21614: VendorError(Kind.DEAD, "'To' number is not a valid mobile number"),
    21617: VendorError(
        Kind.PERMANENT, "The concatenated message body exceeds the 1600 character limit"
    ),
    21659: VendorError(
        Kind.SETTINGS, "'From' is not a Twilio phone number or short code of this account"
    ),
    21660: VendorError(Kind.SETTINGS, "Mismatch between the 'From' number and the account"),
    21701: VendorError(Kind.SETTINGS, "The Messaging Service does not exist"),
    21703: VendorError(
        Kind.SETTINGS, "The Messaging Service does not have a phone number available"
    ),
    21705: VendorError(Kind.SETTINGS, "The Messaging Service Sid is invalid"),
    30001: VendorError(Kind.THROTTLED, "Queue overflow"),
    30002: VendorError(Kind.SETTINGS, "Account suspended"),
    30003: VendorError(Kind.TEMPORARY, "Unreachable destination handset"),
    30004: VendorError(Kind.PERMANENT, "Message blocked"),
    30005: VendorError(Kind.DEAD, "Unknown destination handset"),
    30006: VendorError(Kind.DEAD, "Landline or unreachable carrier"),
    30007: VendorError(Kind.PERMANENT, "Message filtered"),
    30008: VendorError(Kind.TEMPORARY, "Unknown error"),
    30009: VendorError(Kind.TEMPORARY, "Missing inbound segment"),
    30010: VendorError(Kind.PERMANENT, "Message price exceeds max price"),
    30022: VendorError(Kind.THROTTLED, "US A2P 10DLC: rate limits exceeded"),
    30023: VendorError(Kind.THROTTLED, "US A2P 10DLC: daily message cap reached"),
    30034: VendorError(Kind.SETTINGS, "US A2P 10DLC: message from an unregistered number"),
    30410: VendorError(Kind.TEMPORARY, "Provider timeout error"),
    63038: VendorError(Kind.THROTTLED, "Account exceeded the daily messages limit"),
}


def error_of(
    status: int, code: int | None, *, retry_after_s: float | None
) -> TemporaryError | PermanentError:
    """The error of an answer: by its code, else by its HTTP status."""
    return ERRORS.get(code or 0, by_status(status)).as_error(
        f"Twilio error {code or f'HTTP {status}'}",
        settings="the account or the sender of NOTISTREAM_TWILIO_…",
        retry_after_s=retry_after_s,
    )
