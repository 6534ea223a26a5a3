"""The errors of the client: refusals with their codes, and calls without an answer."""

from collections.abc import Mapping

from notistream_client.answers import FieldProblem, Notification, Problem


class ClientError(Exception):
    """The call failed."""


class Unreachable(ClientError):
    """No attempt got an answer.

    A call that changes something may have been carried out.
    """


class UnexpectedAnswer(ClientError):
    """The answer is not one of NotiStream: a proxy, another service or another version."""


class TokenExpired(ClientError):
    """A stream ended because the recipient's token has expired; make a new one."""


class InvalidSignature(ClientError):
    """A webhook call has no valid signature, or its timestamp is too far from now."""


class ApiError(ClientError):
    """The service refused the call.

    `attempts` is how often it was sent. After more than one, a Conflict or NotFound may be the
    effect of an earlier attempt whose answer was lost.
    """

    def __init__(
        self, problem: Problem, *, attempts: int = 1, retry_after_s: float | None = None
    ) -> None:
        self.problem = problem
        self.attempts = attempts
        self.retry_after_s = retry_after_s
        super().__init__(f"{problem.status} {problem.code}: {problem.detail or problem.title}")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def code(self) -> str:
        """The stable error code; docs/errors.md of the service lists all codes."""
        return self.problem.code

    @property
    def errors(self) -> tuple[FieldProblem, ...]:
        """Every fault of the request."""
        return self.problem.errors

    @property
    def pointer(self) -> str | None:
        """The JSON pointer of the first fault."""
        return self.problem.errors[0].pointer if self.problem.errors else None


class InvalidRequest(ApiError):
    """The request is not valid: 400, 408, 413, 415 or 422."""


class Unauthorized(ApiError):
    """The key or token is missing or not valid."""


class NotFound(ApiError):
    """The resource does not exist, or it belongs to another tenant."""


class Conflict(ApiError):
    """The state of the resource does not allow the call."""

    @property
    def notification(self) -> Notification | None:
        """With code duplicate_idempotency_key: the notification that has the key."""
        return self.problem.notification


class TooManyRequests(ApiError):
    """The rate limit is reached; `retry_after_s` says how long to wait."""


class Unavailable(ApiError):
    """The service cannot carry out the call now: any 5xx."""


BY_STATUS: Mapping[int, type[ApiError]] = {
    **dict.fromkeys((400, 408, 413, 415, 422), InvalidRequest),
    **dict.fromkeys((401, 403), Unauthorized),
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
}


def refusal(problem: Problem, *, attempts: int = 1, retry_after_s: float | None = None) -> ApiError:
    """The error whose class fits the problem's status."""
    kind = BY_STATUS.get(problem.status, Unavailable if problem.status >= 500 else ApiError)
    return kind(problem, attempts=attempts, retry_after_s=retry_after_s)
