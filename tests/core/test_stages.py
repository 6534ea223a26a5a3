"""The list of stages: everything that names them follows it."""

import re
from pathlib import Path

from notistream.delivery.checks import Checks
from notistream.delivery.stages import PLACES, STAGE_NAMES, STAGES

DELIVERY_PAGE = Path(__file__).parents[2] / "docs" / "delivery.md"


def test_the_page_on_delivery_lists_every_stage_in_order():
    rows = re.findall(r"^\| ([a-z_]+) \|", DELIVERY_PAGE.read_text(), re.MULTILINE)
    assert rows[1:] == list(STAGE_NAMES)


def test_every_stage_has_a_name_of_its_own_and_words_for_a_silent_pass():
    assert len(PLACES) == len(STAGES)
    for stage in STAGES:
        assert (stage.silent.gate, stage.silent.verdict) == (stage.name, "passed")
        assert stage.silent.reason


def test_every_stage_can_be_asked():
    checks = Checks(renderer=None, caps=None, recipient_limit=None)
    assert [s.name for s in STAGES if s.gate is None] == list(checks._asked)


def test_the_stage_that_counts_a_call_is_the_last():
    assert STAGE_NAMES[-1] == "recipient_limit"
