"""Where Kafka's jars are kept, and how they are checked."""

import os
import ssl
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from notistream.local import jars
from notistream.local.errors import LocalServicesError


@pytest.fixture(autouse=True)
def no_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "M2_REPO",
        "JGO_CACHE_DIR",
        "JGO_CONFIG_FILE",
        "XDG_CONFIG_HOME",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ):
        monkeypatch.delenv(name, raising=False)


def test_an_empty_home_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    cache = jars.choose_cache(Path("/nowhere"))
    assert cache.environments.is_relative_to(tmp_path)
    assert cache.repository.is_relative_to(tmp_path)


def test_a_home_that_cannot_be_written_leaves_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").touch()  # not even root can make folders below a file
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    cache = jars.choose_cache(tmp_path / "state")
    assert cache.environments.is_relative_to(tmp_path / "state")


def test_no_home_at_all_leaves_the_state_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    assert jars.choose_cache(tmp_path).repository.is_relative_to(tmp_path)


def test_a_failed_download_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("jgo.constants.MAVEN_CENTRAL_URL", "http://127.0.0.1:9")
    with pytest.raises(LocalServicesError, match="NOTISTREAM_KAFKA_BROKERS"):
        jars.kafka_jars(tmp_path, print)


class Builder:
    """Trusts the server only by the authorities of REQUESTS_CA_BUNDLE."""

    def __init__(self, good: str) -> None:
        self.good = good
        self.all_jars = ["kafka.jar"]

    def from_endpoint(self, _endpoint: str) -> "Builder":
        if os.environ.get("REQUESTS_CA_BUNDLE") != self.good:
            raise requests.exceptions.SSLError("self-signed certificate in certificate chain")
        return self


def paths(cafile: str | None) -> Callable[[], object]:
    return lambda: SimpleNamespace(cafile=cafile, capath=None)


def test_whom_the_system_trusts_is_trusted_for_the_download_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ssl, "get_default_verify_paths", paths("/system/ca.pem"))
    assert jars._fetched(Builder("/system/ca.pem")) == ["kafka.jar"]
    assert "REQUESTS_CA_BUNDLE" not in os.environ


@pytest.mark.parametrize("system", [None, "/system/ca.pem"])
def test_a_chosen_authority_is_not_replaced(
    monkeypatch: pytest.MonkeyPatch, system: str | None
) -> None:
    monkeypatch.setattr(ssl, "get_default_verify_paths", paths(system))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/mine.pem")
    with pytest.raises(requests.exceptions.SSLError):
        jars._fetched(Builder("/system/ca.pem"))
    assert os.environ["REQUESTS_CA_BUNDLE"] == "/mine.pem"


def test_an_untrusted_certificate_says_how_to_trust_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_builder: object) -> None:
        raise requests.exceptions.SSLError("self-signed certificate in certificate chain")

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(jars, "_fetched", refuse)
    with pytest.raises(LocalServicesError, match="REQUESTS_CA_BUNDLE=/path/ca"):
        jars.kafka_jars(tmp_path, print)


@pytest.mark.integration
def test_an_interrupted_download_is_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = jars.kafka_jars(tmp_path, print)
    cache = jars.Cache(tmp_path / "environments", tmp_path / "repository", {})
    monkeypatch.setattr(jars, "choose_cache", lambda _: cache)
    broken = cache.repository / "broken.jar"
    broken.parent.mkdir()
    broken.write_bytes(b"PK half of a jar")
    copy = cache.environments / "env" / "jars" / "broken.jar"
    copy.parent.mkdir(parents=True)
    os.link(broken, copy)
    answers = iter(([*whole, copy], whole))
    monkeypatch.setattr(jars, "_resolve", lambda *_: next(answers))

    said: list[str] = []
    assert jars.kafka_jars(tmp_path, said.append) == whole
    assert not broken.exists()
    assert not copy.exists()
    assert len(said) == 1


def test_other_client_libraries_are_refused() -> None:
    with pytest.raises(LocalServicesError, match=r"kafka-clients-3\.8\.0\.jar"):
        jars._check_version([Path("jars/kafka-clients-3.8.0.jar")])
