"""Settings: a wrong one stops the start and says what a good value is."""

import pytest

from notistream.errors import Misconfigured
from notistream.settings.reading import load_settings

pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PORT", "abc", "NOTISTREAM_PORT=8080"),
        ("PORT", "70000", "NOTISTREAM_PORT"),
        ("AUTH", "maybe", "NOTISTREAM_AUTH"),
        ("API_RATE_LIMIT", "fast", "NOTISTREAM_API_RATE_LIMIT=12000/minute"),
        ("API_RATE_LIMIT", "10/0s", "NOTISTREAM_API_RATE_LIMIT=12000/minute"),
        ("WEBHOOK_URL", "ftp://x", "NOTISTREAM_WEBHOOK_URL"),
        ("PROVIDERS", "{", "NOTISTREAM_PROVIDERS"),
        ("WORKER_CONCURRENCY", "0", "NOTISTREAM_WORKER_CONCURRENCY=64"),
        ("WEBHOOK_TIMEOUT_S", "15", "NOTISTREAM_"),
        ("ADMIN_TOKEN", "short", "NOTISTREAM_ADMIN_TOKEN"),
        ("TOPIC_PREFIX", "a b", "NOTISTREAM_TOPIC_PREFIX"),
        (
            "COLOUR",
            "red",
            (
                "unknown setting NOTISTREAM_COLOUR in the environment: known are"
                " NOTISTREAM_ADMIN_TOKEN,"
            ),
        ),
        (
            "PROT",
            "1",
            "unknown setting NOTISTREAM_PROT in the environment: did you mean NOTISTREAM_PORT?",
        ),
    ],
)
def test_bad_values_name_the_setting(monkeypatch, name, value, words):
    monkeypatch.setenv(f"NOTISTREAM_{name}", value)
    if name == "WEBHOOK_TIMEOUT_S":
        monkeypatch.setenv("NOTISTREAM_LEASE_S", "20")
    with pytest.raises(Misconfigured) as caught:
        load_settings()
    assert words in caught.value.detail
    assert "short" not in caught.value.detail


def test_auth_off_is_for_loopback_only(monkeypatch):
    monkeypatch.setenv("NOTISTREAM_AUTH", "off")
    assert load_settings().auth == "off"
    monkeypatch.setenv("NOTISTREAM_HOST", "0.0.0.0")
    with pytest.raises(
        Misconfigured, match=r"NOTISTREAM_AUTH=off is refused .* NOTISTREAM_ALLOW_INSECURE=1"
    ):
        load_settings()
    monkeypatch.setenv("NOTISTREAM_ALLOW_INSECURE", "1")
    assert load_settings().host == "0.0.0.0"


def test_the_environment_wins_over_dotenv_and_empty_means_unset(elsewhere, monkeypatch):
    (elsewhere / ".env").write_text("NOTISTREAM_PORT=9001\nNOTISTREAM_LOG_LEVEL=debug\nOTHER=1\n")
    assert (load_settings().port, load_settings().log_level) == (9001, "DEBUG")
    monkeypatch.setenv("NOTISTREAM_PORT", "9002")
    monkeypatch.setenv("NOTISTREAM_WEBHOOK_URL", "")
    assert (load_settings().port, load_settings().webhook_url) == (9002, None)


def test_an_unknown_name_in_dotenv_is_refused_too(elsewhere):
    (elsewhere / ".env").write_text("NOTISTREAM_PROT=1\n")
    with pytest.raises(
        Misconfigured, match=r"NOTISTREAM_PROT in \.env: did you mean NOTISTREAM_PORT\?"
    ):
        load_settings()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("NOTISTREAM_LOG_LEVEL debug\n", 1),
        ("A=1\n\n# so\n=hush\n", 4),
        ('A=1\nNOTISTREAM_ADMIN_TOKEN="hush\n', 2),
    ],
)
def test_a_line_of_dotenv_that_cannot_be_read_stops_the_start(elsewhere, text, line):
    (elsewhere / ".env").write_text(text)
    with pytest.raises(
        Misconfigured, match=rf"^\.env, line {line}: this is not NAME=value"
    ) as caught:
        load_settings()
    assert "hush" not in caught.value.detail


def test_a_dotenv_that_is_no_text_is_named(elsewhere):
    (elsewhere / ".env").write_bytes(b"NOTISTREAM_PORT=\xff\n")
    with pytest.raises(Misconfigured, match=r"^\.env cannot be read"):
        load_settings()


def test_a_workers_port_follows_its_slot():
    assert load_settings(worker_slot=2).metrics_port == 8083
    assert load_settings(worker_slot=2, worker_port=9999).metrics_port == 9999


@pytest.mark.parametrize(
    ("name", "days", "least"),
    [("DAYS", 6, 7), ("DEAD_LETTERS_DAYS", 30, 31), ("AUDIT_LOG_DAYS", 6, 7)],
)
def test_what_others_still_need_is_not_deleted_before(monkeypatch, name, days, least):
    monkeypatch.setenv(f"NOTISTREAM_RETENTION_{name}", str(days))
    with pytest.raises(Misconfigured, match=f"RETENTION_{name} must be {least} or more, or 0"):
        load_settings()
    for good in (0, least):
        monkeypatch.setenv(f"NOTISTREAM_RETENTION_{name}", str(good))
        load_settings()
