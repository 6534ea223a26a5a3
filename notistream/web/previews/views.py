"""JSON shapes of previews, and what fills them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from notistream.sending.preview import Preview
from notistream.web.templates.views import SegmentsView, segments


class PreviewStepView(TypedDict):
    """What one gate says."""

    gate: str
    verdict: Annotated[
        str,
        Field(
            description=(
                "passed, bypassed, fallback, deferred, suppressed, expired, failed; or `judged at"
                " delivery`."
            )
        ),
    ]
    reason: str
    inputs: Mapping[str, Any]
    next_eligible_at: datetime | None


class PreviewView(TypedDict):
    """What a create with this body would come to. Nothing was sent, stored or counted."""

    would: Annotated[
        Literal["send", "defer", "suppress", "expire", "fail", "wait"],
        Field(description="wait: for `scheduled_at`; the gates are asked as of that moment."),
    ]
    reason: str
    next_eligible_at: datetime | None
    subject: str | None
    content: Annotated[str | None, Field(description="The rendered text.")]
    html: Annotated[str | None, Field(description="Of an e-mail from a template with HTML.")]
    sms: Annotated[
        SegmentsView | None, Field(description="For channel sms: alphabet and number of segments.")
    ]
    provider: Annotated[
        str | None, Field(description="Who would be called; null: nobody could be.")
    ]
    steps: Annotated[
        list[PreviewStepView],
        Field(description="Every gate in order, also after one that stops it."),
    ]


def preview(found: Preview) -> PreviewView:
    return {
        "would": found.would.value,
        "reason": found.reason,
        "next_eligible_at": found.next_eligible_at,
        "subject": found.subject,
        "content": found.content,
        "html": found.html,
        "sms": segments(found.segments) if found.segments else None,
        "provider": found.provider,
        "steps": [
            {
                "gate": s.gate,
                "verdict": s.verdict,
                "reason": s.reason,
                "inputs": s.inputs,
                "next_eligible_at": s.next_eligible_at,
            }
            for s in found.steps
        ],
    }
