"""Examples of the OpenAPI document for previews."""

from notistream.domain.outcome import Step
from notistream.sending.preview import Preview, Would
from notistream.web.notifications.examples import LATER

QUIET = Preview(
    would=Would.DEFER,
    reason="quiet hours until 08:00",
    next_eligible_at=LATER,
    subject=None,
    content="Your code is 1234",
    provider="webhook",
    steps=[
        Step(gate="expiry", verdict="passed", reason="it has not expired"),
        Step(
            gate="quiet_hours",
            verdict="deferred",
            reason="quiet hours until 08:00",
            inputs={"start": "22:00", "end": "08:00", "timezone": "Europe/Istanbul"},
            next_eligible_at=LATER,
        ),
        Step(
            gate="recipient_limit",
            verdict="judged at delivery",
            reason="the worker of the recipient keeps this count",
            inputs={"limit": "60/60s"},
        ),
        Step(
            gate="provider",
            verdict="passed",
            reason="webhook would be called",
            inputs={"provider": "webhook"},
        ),
    ],
)
