"""The errors of the client: what the service refused, with its code, and what kept it from answering."""

from collections.abc import Mapping

from notistream_client.answers import FieldProblem, Notification, Problem


class ClientError(Exception):
    """The call did not come to a good end."""


class Unreachable(ClientError):
    """No answer came, after all repetitions.

    A call that changes something may have been carried out.
    """


class UnexpectedAnswer(ClientError):
    """What answered does not speak as NotiStream does: a proxy, another service, or another version."""


class TokenExpired(ClientError):
    """A stream was closed because the recipient's token has expired; make a new one."""


class InvalidSignature(ClientError):
    """A webhook call is not signed with one of the secrets, or not now."""


class ApiError(ClientError):
    """The service refused the call.

    `attempts` is how often it was sent. After more than one, a Conflict or NotFound may be about
    what an earlier attempt has done, whose answer was lost.
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
        """What went wrong, as a stable word; docs/errors of the service lists them."""
        return self.problem.code

    @property
    def errors(self) -> tuple[FieldProblem, ...]:
        """Every wrong place of the request."""
        return self.problem.errors

    @property
    def pointer(self) -> str | None:
        """JSON pointer to the first wrong place."""
        return self.problem.errors[0].pointer if self.problem.errors else None


class InvalidRequest(ApiError):
    """The request is not valid: 400, 408, 413, 415 or 422."""


class Unauthorized(ApiError):
    """The key or token is missing or not valid."""


class NotFound(ApiError):
    """There is no such thing, or it is another tenant's."""


class Conflict(ApiError):
    """The state of the thing does not allow it."""

    @property
    def notification(self) -> Notification | None:
        """With code duplicate_idempotency_key: the one that has the key."""
        return self.problem.notification


class TooManyRequests(ApiError):
    """More than the limit allows; `retry_after_s` says when there is room again."""


class Unavailable(ApiError):
    """The service cannot serve the call at the moment: any 5xx."""


BY_STATUS: Mapping[int, type[ApiError]] = {
    **dict.fromkeys((400, 408, 413, 415, 422), InvalidRequest),
    **dict.fromkeys((401, 403), Unauthorized),
    404: NotFound,
    409: Conflict,
    429: TooManyRequests,
}


def refusal(problem: Problem, *, attempts: int = 1, retry_after_s: float | None = None) -> ApiError:
    """The error of the class that goes with the problem's status."""
    kind = BY_STATUS.get(problem.status, Unavailable if problem.status >= 500 else ApiError)
    return kind(problem, attempts=attempts, retry_after_s=retry_after_s)
