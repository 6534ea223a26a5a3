"""deploy/systemd: the units start what there is, as a user without rights, and give a stop its
time.
"""

import re
from pathlib import Path

import pytest

from notistream.commands import MODULES
from notistream.settings.model import PREFIX, Settings

UNITS = sorted((Path(__file__).parents[2] / "deploy" / "systemd").glob("*.service"))
CLOSING_S = 15


def service(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, is_set, value = line.partition("=")
        if is_set and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_starts_a_role_of_ours(path):
    found = service(path)
    program, role = found["ExecStart"][0].split()
    assert program == "/opt/notistream/bin/notistream"
    assert path.name.removesuffix(".service").strip("@") == f"notistream-{role}"
    assert role in MODULES
    assert (found["User"], found["NoNewPrivileges"], found["Restart"]) == (
        ["notistream"],
        ["yes"],
        ["always"],
    )
    names = {line.partition("=")[0] for line in found["Environment"]}
    assert names <= {PREFIX + name.upper() for name in Settings.model_fields}
    assert ("NOTISTREAM_WORKER_SLOT=%i" in found["Environment"]) == (role == "worker")
    assert (
        int(found["TimeoutStopSec"][0]) >= Settings.model_fields["lease_s"].default / 2 + CLOSING_S
    )
    folder = re.search(r"NOTISTREAM_STATE_DIR=/var/lib/(\S+)", path.read_text())[1]
    assert found["StateDirectory"] == [folder]


def test_there_is_one_for_each_role():
    assert [path.name for path in UNITS] == ["notistream-api.service", "notistream-worker@.service"]
