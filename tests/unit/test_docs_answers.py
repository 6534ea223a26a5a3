"""What a page shows agrees with what came back, or does not: the rules by which the documentation's
test judges.
"""

import pytest

from tests.docs.answers import Memory, agrees, documents, holds
from tests.docs.session import commands, paragraphs

ID, OTHER = "01970000-0000-7000-8000-0000000000aa", "01970000-0000-7000-8000-0000000000bb"


@pytest.mark.parametrize(
    ("shown", "real", "good"),
    [
        ("", "anything", True),
        ("20 waiting", "       20  waiting, 0 replayed", True),
        ("20 waiting", "21 waiting", False),
        ("a … c", "a b c", True),
        ("a … c", "a c", True),
        ("a … c", "a b", False),
        (ID, OTHER, True),
        (f"{ID} sms", f"{OTHER} email", False),
        ("2026-01-31 09:00:00.123Z accept", "2027-12-01T10:01:02Z accept", True),
        ("19:02:01", "20:00:00", True),
        ("one\ntwo", "one\nthree", False),
    ],
)
def test_text(shown: str, real: str, good: bool) -> None:
    assert agrees(shown, real) is good


@pytest.mark.parametrize(
    ("shown", "real", "good"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {"b": 1}, False),
        ({"id": ID, "token": "eyJ…"}, {"id": OTHER, "token": "eyJabc"}, True),
        ([{"a": 1}], [{"a": 0}, {"a": 1}], True),
        ([{"a": 1}], [{"a": 0}], False),
        ({"a": None}, {"a": "x"}, False),
        ({"a": True}, {"a": True}, True),
        ({"a": "x"}, {"a": {"x": 1}}, False),
    ],
)
def test_values(shown: object, real: object, good: bool) -> None:
    assert holds(shown, real) is good


def test_what_was_answered_last_is_filled_in() -> None:
    memory = Memory()
    assert memory.fill("trace ID") == "trace ID"
    memory.learn('{"batch":{"id":"b-1"},"notifications":[{"id":"n-1"}]}')
    assert (
        memory.fill("/batches/ID <id of it> $ID X-Recipient-ID ID=1")
        == "/batches/b-1 b-1 $ID X-Recipient-ID ID=1"
    )
    memory.learn(f"{ID}  sms  waiting\n{OTHER}  sms")
    assert memory.fill("show ID") == f"show {ID}"
    memory.learn("X-API-Key: ns_live_0123456789012345678901234567890123456789abc (shown once)")
    assert memory.fill("KEY") == "ns_live_0123456789012345678901234567890123456789abc"


def test_console_and_scripts_are_taken_apart() -> None:
    assert commands("$ one \\\n    --two 'a\nb'\nshown\n$ three\n") == [
        ("one \\\n    --two 'a\nb'\n", "shown\n"),
        ("three\n", ""),
    ]
    whole = ["a\n", "b() {\n\n  c\n}\n", "cat <<END\n\nd\nEND\n"]
    assert paragraphs("\n".join(whole)) == whole


def test_json_values_may_follow_each_other() -> None:
    assert documents('{"a": 1}\n[2]\n') == [{"a": 1}, [2]]
    with pytest.raises(ValueError, match="Expecting"):
        documents("curl: (22) refused")
