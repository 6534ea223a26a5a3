"""`notistream dlq`: what is refused before anything is touched, and what is shown."""

from uuid import uuid4

import pytest
from click.testing import CliRunner

from notistream.commands import cli
from notistream.commands.dlq import document, printable
from notistream.commands.dlq_replay import _lines
from notistream.web.dead_letters.routes import LETTER, WHOLE

ENTRY = str(uuid4())
RANGE = ["--topic", "sms.dlq", "--partition", "0", "--from", "1", "--to", "2"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["replay"], "say which"),
        (["replay", ENTRY, "--all"], "say which"),
        (["replay", ENTRY, "--channel", "sms"], "say which"),
        (["replay", "--all", "--reason", "x"], "say which"),
        (["replay", *RANGE, "--all"], "say which"),
        (["replay", *RANGE[:4]], "go together"),
        (["replay", "--from", "1"], "go together"),
        (["replay", *RANGE[:5], "3", *RANGE[6:]], "must not be after"),
        (["replay", "--partition", "-1"], "not in the range"),
        (["replay", "not-an-id"], "not a valid UUID"),
        (["replay", "--since", "yesterday"], "neither a date"),
        (["list", "--channel", "fax"], "fax"),
        (["list", "--limit", "0"], "not in the range"),
        (["show"], "Missing argument"),
        (["delete"], "Missing argument"),
    ],
)
def test_usage_errors(arguments, words):
    result = CliRunner().invoke(cli, ["dlq", *arguments])
    assert result.exit_code == 2
    assert words in result.output


def test_json_has_the_fields_that_scripts_rely_on():
    assert {
        "id",
        "notification_id",
        "tenant_id",
        "channel",
        "reason",
        "attempts",
        "topic",
        "partition",
        "offset",
        "created_at",
        "status",
    } <= document(LETTER).keys()
    assert {"history", "headers", "key", "key_encoding", "value", "value_encoding"} <= document(
        WHOLE
    ).keys()


def test_what_others_wrote_does_not_steer_the_terminal():
    assert printable("ç \x1b[31m\n\u202e") == r"ç \x1b[31m\n\u202e"


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (
            {
                "dry_run": False,
                "matched": 3,
                "replayed": 2,
                "skipped": 1,
                "kinds": [{"channel": "sms", "reason": "HTTP 400", "count": 3}],
            },
            ["3  sms     HTTP 400", "3 waiting, 2 replayed"],
        ),
        (
            {
                "dry_run": True,
                "begin": 4,
                "end": 9,
                "produced": 2,
                "replayed": 3,
                "skipped": {"too large": 1},
            },
            [
                "offsets 4 to 8: 3 deliveries would be",
                "1  skipped: too large",
                "nothing was replayed",
            ],
        ),
        (
            {"dry_run": False, "begin": 9, "end": 9, "produced": 0, "replayed": 0, "skipped": {}},
            ["Kafka has no records"],
        ),
        ({"dry_run": False, "entries": {ENTRY: "replayed"}}, [f"{ENTRY}  replayed"]),
    ],
)
def test_what_people_read(shown, words):
    text = "\n".join(_lines(shown))
    assert all(word in text for word in words), text
