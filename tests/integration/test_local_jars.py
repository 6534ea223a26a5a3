"""Where Kafka's jars are kept, and how they are checked."""

import os
from pathlib import Path

import pytest

from notistream.local import jars
from notistream.local.errors import LocalServicesError


@pytest.fixture(autouse=True)
def no_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("M2_REPO", "JGO_CACHE_DIR", "JGO_CONFIG_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_an_empty_home_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    cache = jars.choose_cache(Path("/nowhere"))
    assert cache.environments.is_relative_to(tmp_path)
    assert cache.repository.is_relative_to(tmp_path)


def test_a_home_that_cannot_be_written_leaves_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").touch()  # not even root can make folders below a file
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    cache = jars.choose_cache(tmp_path / "state")
    assert cache.environments.is_relative_to(tmp_path / "state")


def test_no_home_at_all_leaves_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    assert jars.choose_cache(tmp_path).repository.is_relative_to(tmp_path)


def test_a_failed_download_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("jgo.constants.MAVEN_CENTRAL_URL", "http://127.0.0.1:9")
    with pytest.raises(LocalServicesError, match="NOTISTREAM_KAFKA_BROKERS"):
        jars.kafka_jars(tmp_path, print)


@pytest.mark.integration
def test_an_interrupted_download_is_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
