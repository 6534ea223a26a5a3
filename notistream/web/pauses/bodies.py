"""The request body of a pause."""

from typing import Annotated

from pydantic import Field, TypeAdapter, with_config
from typing_extensions import TypedDict

from notistream.web.server.fields import STRICT, Text


@with_config(STRICT)
class PauseWanted(TypedDict, total=False):
    """Why it is paused."""

    reason: Annotated[Text, Field(max_length=500, description="For the other operators.")]


PAUSE: TypeAdapter[PauseWanted] = TypeAdapter(PauseWanted)
