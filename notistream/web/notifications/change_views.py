"""JSON shapes of recalls, and what fills them."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from notistream.sending.changes import Recalled


class RecallView(TypedDict):
    """How many were cancelled."""

    recalled: int
    too_late: Annotated[int, Field(description="Matching ones that were sent, or are being sent.")]


def recalled(found: Recalled) -> RecallView:
    return {"recalled": found.recalled, "too_late": found.too_late}
