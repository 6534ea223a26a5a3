"""What the errors of Amazon SES v2 and of its signature check mean, as data, in AWS's own words."""

from collections.abc import Mapping
from dataclasses import dataclass

QUOTA_S = 900.0


@dataclass(frozen=True, slots=True)
class SesError:
    """One error. `refused`: the message is refused, else it waits.

    `credentials`: the keys were refused. `setting`: the setting to correct.
    """

    words: str
    refused: bool = False
    throttled: bool = False
    credentials: bool = False
    setting: str = ""
    retry_after_s: float | None = None


BAD_KEYS = "ACCESS_KEY_ID and SECRET_ACCESS_KEY"
ERRORS: Mapping[str, SesError] = {
    # Of SendEmail
    "AccountSuspendedException": SesError("the account can no longer send e-mail"),
    "BadRequestException": SesError("the input is invalid", refused=True),
    "LimitExceededException": SesError(
        "a limit of the account is reached", throttled=True, retry_after_s=QUOTA_S
    ),
    "MailFromDomainNotVerifiedException": SesError(
        "the MAIL FROM domain is not verified", setting="SENDER"
    ),
    "MessageRejected": SesError("the message contains invalid content", refused=True),
    "NotFoundException": SesError(
        "the configuration set does not exist", setting="CONFIGURATION_SET"
    ),
    "SendingPausedException": SesError("sending is paused for the account"),
    "TooManyRequestsException": SesError("too many requests", throttled=True),
    # Common errors
    "AccessDeniedException": SesError(
        "the key may not do ses:SendEmail", credentials=True, setting=BAD_KEYS
    ),
    "ExpiredTokenException": SesError(
        "the security token has expired", credentials=True, setting="SESSION_TOKEN"
    ),
    "ExpiredToken": SesError(
        "the security token has expired", credentials=True, setting="SESSION_TOKEN"
    ),
    "IncompleteSignature": SesError(
        "the signature is incomplete", credentials=True, setting=BAD_KEYS
    ),
    "InvalidClientTokenId": SesError(
        "the access key does not exist", credentials=True, setting=BAD_KEYS
    ),
    "InvalidSignatureException": SesError(
        "the signature is wrong, or the clock", credentials=True, setting=BAD_KEYS
    ),
    "MissingAuthenticationTokenException": SesError(
        "there is no access key", credentials=True, setting=BAD_KEYS
    ),
    "OptInRequired": SesError("the account has no subscription to SES", setting=BAD_KEYS),
    "RequestExpired": SesError("the request is too old: synchronise the clock"),
    "SignatureDoesNotMatch": SesError(
        "the signature is wrong, or the clock", credentials=True, setting=BAD_KEYS
    ),
    "UnrecognizedClientException": SesError(
        "the access key does not exist", credentials=True, setting=BAD_KEYS
    ),
    "Throttling": SesError("too many requests", throttled=True),
    "ThrottlingException": SesError("too many requests", throttled=True),
    "RequestThrottledException": SesError("too many requests", throttled=True),
    "ServiceUnavailable": SesError("the service is unavailable"),
    "ServiceUnavailableException": SesError("the service is unavailable"),
    "InternalFailure": SesError("an unknown error of the service"),
    "InternalServiceError": SesError("an unknown error of the service"),
    "ValidationError": SesError("the input is invalid", refused=True),
    "ValidationException": SesError("the input is invalid", refused=True),
}


def code_of(header: str | None, answer: object) -> str:
    """The error's name.

    It is in `x-amzn-ErrorType: MessageRejected:http://…`, or in `__type` or `code` of the body.
    """
    named = header
    if not named and isinstance(answer, dict):
        named = answer.get("__type") or answer.get("code") or answer.get("Code")
    return str(named or "").split(":", 1)[0].rpartition("#")[2]
