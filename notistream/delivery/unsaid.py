"""Gates that let a message pass without a word: they are not stored, and traces and previews name them all the same."""

from collections.abc import Mapping

from notistream.domain.outcome import Step

REASONS: Mapping[str, str] = {
    "expiry": "it has not expired",
    "suppression": "the address is not on the suppression list",
    "preferences": "the recipient wants this channel and category",
    "address": "there is an address",
    "quiet_hours": "the recipient has no quiet hours",
    "render": "the text is ready",
    "frequency_cap": "the recipient has no cap",
    "provider": "a provider can be called",
    "recipient_limit": "there is no limit",
}


def passed(gate: str) -> Step:
    """The line of a gate that had nothing to say."""
    return Step(gate=gate, verdict="passed", reason=REASONS.get(gate, "nothing against it"))
