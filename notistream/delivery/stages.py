"""The stages of a delivery: the one list of them, in the order in which they are asked.

The pipeline runs this list. Traces, previews, metrics and docs/delivery.md follow it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from notistream.delivery.gates import (
    Gate,
    has_address,
    not_expired,
    not_suppressed,
    outside_quiet_hours,
    wanted,
)
from notistream.domain.outcome import Step


@dataclass(frozen=True, slots=True)
class Stage:
    """One question before the provider call: may it go on, and if not, why."""

    name: str
    """As traces, previews and metrics name it."""
    passed: str
    """The reason shown where the stage had nothing to say: such steps are not stored."""
    gate: Gate | None = None
    """The check where the claimed notification is all it needs.

    None: the check needs the template, a count or a provider; the pipeline and previews bring it.
    """

    @property
    def silent(self) -> Step:
        """The line of a trace where the stage let the message pass and had nothing to say."""
        return Step(gate=self.name, verdict="passed", reason=self.passed)


STAGES: Sequence[Stage] = (
    Stage("expiry", "it has not expired", not_expired),
    Stage("suppression", "the address is not on the suppression list", not_suppressed),
    Stage("preferences", "the recipient wants this channel and category", wanted),
    Stage("address", "there is an address", has_address),
    Stage("quiet_hours", "the recipient has no quiet hours", outside_quiet_hours),
    Stage("render", "the text is ready"),
    Stage("frequency_cap", "the recipient has no cap"),
    Stage("provider", "a provider can be called"),
    Stage("recipient_limit", "there is no limit"),  # the last: it counts a provider call
)
STAGE_NAMES: Sequence[str] = tuple(stage.name for stage in STAGES)
PLACES: Mapping[str, int] = {name: place for place, name in enumerate(STAGE_NAMES)}
"""The place of each stage in the order, by name."""
