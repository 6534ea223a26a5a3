"""Kafka's jars: jgo resolves them from Maven coordinates; fetched once, checked before use."""

import fcntl
import os
import shutil
import ssl
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notistream.local.errors import LocalServicesError, load

KAFKA = "4.1.0"
# slf4j-simple in the version that kafka itself resolves. Never add log4j's own coordinates: jgo
# then picks kafka-clients 3.8 and the broker dies.
ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA}+org.slf4j:slf4j-simple:2.0.17"
_REPORT_EVERY = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cache:
    """Where the jars are kept; `repositories` are the user's own Maven mirrors, by name."""

    environments: Path
    repository: Path
    repositories: dict[str, str]


def kafka_jars(state_dir: Path, report: Callable[[str], None]) -> list[Path]:
    """Return Kafka's class path, fetching it at the first call.

    `state_dir` is used when HOME cannot be.
    """
    load("jgo")
    cache = choose_cache(state_dir)
    with _locked(cache):
        jars = _resolve(cache, report)
        if broken := [jar for jar in jars if not zipfile.is_zipfile(jar)]:
            # A download that was interrupted stays in the cache and jgo would use it for ever.
            report(f"fetching again {len(broken)} files that were left incomplete…")
            _forget(cache, broken)
            jars = _resolve(cache, report)
    _check_version(jars)
    return jars


def choose_cache(state_dir: Path) -> Cache:
    """Use jgo's own folders in the user's home; without a writable home, the state directory."""
    try:
        settings = load("jgo.config").GlobalSettings.load()
        home = Cache(
            Path(settings.cache_dir), Path(settings.repo_cache), dict(settings.repositories)
        )
        for folder in (home.environments, home.repository):
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(folder)
    except (OSError, RuntimeError):  # RuntimeError: no HOME and no entry in the password database
        return Cache(state_dir / "jars" / "environments", state_dir / "jars" / "repository", {})
    return home


@contextmanager
def _locked(cache: Cache) -> Iterator[None]:
    # jgo does not expect two processes that fill one cache.
    cache.environments.mkdir(parents=True, exist_ok=True)
    with (cache.environments / "notistream.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _resolve(cache: Cache, report: Callable[[str], None]) -> list[Path]:
    maven, environments = load("jgo.maven"), load("jgo.env")
    remotes = {"central": load("jgo.constants").MAVEN_CENTRAL_URL, **cache.repositories}
    context = maven.MavenContext(
        resolver=maven.PythonResolver(progress_callback=_Progress(report)),
        repo_cache=cache.repository,
        remote_repos=remotes,
        timeout=30,
    )
    builder = environments.EnvironmentBuilder(context=context, cache_dir=cache.environments)
    try:
        jars = _fetched(builder)
    except Exception as exc:  # jgo lets through whatever its network and XML layers raise
        if isinstance(exc, load("requests").exceptions.SSLError):
            raise LocalServicesError(
                f"Kafka {KAFKA} could not be fetched from Maven, whose certificate is not trusted:"
                f" {exc!r}. Where a proxy opens TLS, name the PEM file of its authority:"
                " REQUESTS_CA_BUNDLE=/path/ca.pem. Or use a Kafka of your own:"
                " NOTISTREAM_KAFKA_BROKERS=host:9092."
            ) from exc
        raise LocalServicesError(
            f"Kafka {KAFKA} could not be fetched from Maven: {exc!r}. Check the network and run it"
            f" again (if it stays so, remove {cache.repository / 'org' / 'apache' / 'kafka'}), or"
            " use a Kafka of your own: NOTISTREAM_KAFKA_BROKERS=host:9092."
        ) from exc
    return list(jars)


def _fetched(builder: Any) -> Any:
    """The jars; tried again with the system's certificate authorities if jgo's do not suffice.

    jgo trusts what certifi ships. The authority of a company's proxy is only in the system's store.
    """
    paths = ssl.get_default_verify_paths()
    system: str | None = paths.cafile or paths.capath  # None where there is neither
    try:
        return builder.from_endpoint(ENDPOINT).all_jars
    except load("requests").exceptions.SSLError:
        if system is None or "REQUESTS_CA_BUNDLE" in os.environ or "CURL_CA_BUNDLE" in os.environ:
            raise
        os.environ["REQUESTS_CA_BUNDLE"] = system
    try:
        return builder.from_endpoint(ENDPOINT).all_jars
    finally:
        del os.environ["REQUESTS_CA_BUNDLE"]


class _Progress:
    """What jgo calls for each file; says something at the first byte and every ten megabytes."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._bytes = 0

    @contextmanager
    def __call__(self, _file: str, _size: int) -> Iterator[Callable[[int], None]]:
        if self._bytes == 0:
            self._report(f"fetching Kafka {KAFKA} from Maven (about 50 MB, once)…")
        yield self._add

    def _add(self, count: int) -> None:
        before, self._bytes = self._bytes, self._bytes + count
        if before // _REPORT_EVERY != self._bytes // _REPORT_EVERY:
            self._report(f"  {self._bytes // (1024 * 1024)} MB…")


def _forget(cache: Cache, jars: Sequence[Path]) -> None:
    for jar in jars:
        for copy in cache.repository.rglob(jar.name):
            copy.unlink()
    shutil.rmtree(jars[0].parent.parent)


def _check_version(jars: Sequence[Path]) -> None:
    clients: Any = next((jar.name for jar in jars if jar.name.startswith("kafka-clients-")), "none")
    if not clients.startswith("kafka-clients-4.1."):
        raise LocalServicesError(
            f"Maven resolved {clients} where kafka-clients 4.1.x is needed: the broker would not"
            f" start. Keep the coordinates as they are ({ENDPOINT}) and remove"
            f" {jars[0].parent.parent if jars else ''}."
        )
