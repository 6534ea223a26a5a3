"""Background tasks: what looks often looks less often while it finds nothing, and at once when it
did.
"""

import pytest

from notistream.agents.maintenance import RELEASE_S, SCHEDULER_S, pause_s


@pytest.mark.parametrize(
    ("every_s", "quiet", "expected"),
    [
        (RELEASE_S, 0, RELEASE_S),
        (RELEASE_S, 10, RELEASE_S),
        (RELEASE_S, 30, 0.3),
        (RELEASE_S, 10_000, 0.5),
        (SCHEDULER_S, 10_000, SCHEDULER_S),
        (3600.0, 5, 3600.0),
    ],
)
def test_the_pause_grows_to_half_a_second_and_never_beyond_the_tasks_own(every_s, quiet, expected):
    assert pause_s(every_s, quiet) == pytest.approx(expected)
