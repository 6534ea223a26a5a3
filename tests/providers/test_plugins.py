"""Discovery of providers, their settings, and the package of `notistream providers new`."""

import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from pydantic_settings import SettingsConfigDict

from notistream.commands import cli, new_provider
from notistream.commands.reference import env_example, settings_page
from notistream.errors import Misconfigured
from notistream.providers.api import Provider, ProviderSettings
from notistream.providers.console import ConsoleProvider
from notistream.providers.registry import (
    Providers,
    chosen,
    fault_of,
    provider_class,
    read_provider_settings,
)
from notistream.settings import plugins
from notistream.settings.model import Settings
from notistream.settings.plugins import BUILT_IN, GROUP, Plugin
from notistream.settings.reading import load_settings

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.usefixtures("elsewhere")


@pytest.fixture
def with_points(monkeypatch):
    """Pretend that packages are installed that bring these entry points."""

    def put(**points):
        monkeypatch.setattr(
            plugins,
            "entry_points",
            lambda group: [EntryPoint(name, value, group) for name, value in points.items()],
        )
        plugins.installed.cache_clear()

    yield put
    monkeypatch.undo()
    plugins.installed.cache_clear()


def test_our_own_come_by_the_same_road():
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert table == {GROUP: BUILT_IN}
    for name in BUILT_IN:
        plugin = plugins.installed()[name]
        assert fault_of(plugin) is None
        assert isinstance(provider_class(name), type)
        for attribute in dir(Provider):
            assert attribute.startswith("_") or hasattr(provider_class(name), attribute)


def test_they_are_found_where_the_metadata_is_older_than_the_code(with_points):
    with_points()
    assert plugins.installed().keys() == BUILT_IN.keys()
    assert {plugin.package for plugin in plugins.installed().values()} == {"notistream"}


def test_lines_of_a_newer_metadata_are_not_found(monkeypatch):
    ours, theirs = (
        SimpleNamespace(
            name="later",
            value="notistream.providers.later:Later",
            dist=SimpleNamespace(name=name, version="1"),
        )
        for name in ("notistream", "another")
    )
    for point, found in ((ours, False), (theirs, True)):
        monkeypatch.setattr(plugins, "entry_points", lambda group, point=point: [point])
        assert ("later" in plugins.installed.__wrapped__()) == found


def test_a_broken_one_stops_nobody_who_does_not_choose_it(with_points):
    with_points(broken="nothing.of_this:Kind", webhook=BUILT_IN["webhook"])
    assert chosen(Settings())["sms"] == ["console"]
    with pytest.raises(
        Misconfigured, match=r"provider `broken` .* cannot be imported: ModuleNotFoundError"
    ):
        Providers(Settings(providers={"sms": ["broken"]}))


def test_two_of_one_name_are_refused_where_it_is_chosen(with_points):
    with_points(console="tests.providers.test_plugins:Odd")
    assert "webhook" in plugins.installed()
    with pytest.raises(Misconfigured, match="more than one package"):
        Providers(Settings())


class Odd(ConsoleProvider):
    name = "odd"


class OddSettings(ProviderSettings):
    model_config = SettingsConfigDict(env_prefix="NOTISTREAM_EVEN_")
    key: str = ""


@pytest.mark.parametrize(
    ("name", "attributes", "words"),
    [
        ("odd", {}, None),
        ("even", {}, "calls itself `odd`"),
        ("odd", {"channels": frozenset({"fax"})}, "serves `fax`"),
        ("odd", {"settings_model": OddSettings}, "prefix NOTISTREAM_ODD_"),
    ],
)
def test_what_is_not_a_provider_is_named(name, attributes, words):
    fault = fault_of(Plugin(name, "odd 1", type("Made", (Odd,), attributes)))
    assert fault is None if words is None else words in (fault or "")
    assert "no send" in (
        fault_of(
            Plugin(
                "odd",
                "odd 1",
                type(
                    "Made",
                    (),
                    {
                        "name": "odd",
                        "channels": (),
                        "settings_model": OddSettings,
                        "check": None,
                        "aclose": None,
                    },
                ),
            )
        )
        or ""
    )


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        (
            "smtp",
            {},
            [
                "NOTISTREAM_SMTP_HOST is missing",
                "NOTISTREAM_SMTP_SENDER is missing",
                "From of every e-mail",
            ],
        ),
        (
            "smtp",
            {"HOST": "h", "SENDER": "nobody"},
            ["NOTISTREAM_SMTP_SENDER", "no-reply@example.com"],
        ),
        ("smtp", {"HOST": "h", "SENDER": "a@b.example\r\nBcc: x"}, ["NOTISTREAM_SMTP_SENDER"]),
        ("smtp", {"HOST": "h", "SENDER": "a@b.example", "USERNAME": "u"}, ["belong together"]),
        (
            "smtp",
            {
                "HOST": "mx.example",
                "SENDER": "a@b.example",
                "USERNAME": "u",
                "PASSWORD": "planted",
                "TLS": "off",
            },
            ["in the clear"],
        ),
        ("smtp", {"HOST": "h", "SENDER": "a@b.example", "CA_FILE": "/nowhere.pem"}, ["CA_FILE"]),
        ("ses", {}, ["NOTISTREAM_SES_REGION is missing", "NOTISTREAM_SES_SENDER is missing"]),
        (
            "ses",
            {"REGION": "eu", "SENDER": "a@b.example"},
            ["NOTISTREAM_SES_REGION", "eu-central-1"],
        ),
        (
            "ses",
            {"REGION": "eu-central-1", "SENDER": "a@b.example", "SECRET_ACCESS_KEY": "planted"},
            ["belong together"],
        ),
        (
            "ses",
            {"REGION": "eu-central-1", "SENDER": "a@b.example", "SESSION_TOKEN": "planted"},
            ["SESSION_TOKEN needs"],
        ),
        ("webhook", {}, ["NOTISTREAM_WEBHOOK_URL is missing"]),
    ],
)
def test_each_missing_or_wrong_setting_is_named(monkeypatch, name, settings, words):
    for setting, value in settings.items():
        monkeypatch.setenv(f"NOTISTREAM_{name.upper()}_{setting}", value)
    core = load_settings()
    with pytest.raises(Misconfigured) as caught:
        read_provider_settings(name, core)
    assert f"provider `{name}` is not configured" in caught.value.detail
    for word in words:
        assert word in caught.value.detail
    assert "planted" not in caught.value.detail


def test_a_setting_of_both_is_one_setting(monkeypatch):
    assert read_provider_settings("webhook", Settings(webhook_url="http://a/")).url == "http://a/"
    monkeypatch.setenv("NOTISTREAM_WEBHOOK_URL", "http://b/")
    assert read_provider_settings("webhook", load_settings()).url == "http://b/"
    assert settings_page().count("`NOTISTREAM_WEBHOOK_URL`") == 1


def test_their_settings_are_documented():
    for name in BUILT_IN:
        for field, info in provider_class(name).settings_model.model_fields.items():
            setting = f"NOTISTREAM_{name}_{field}".upper()
            assert info.description
            assert f"`{setting}`" in settings_page()
            assert f"\n# {setting}=" in env_example()


def test_dotenv_and_empty_values_hold_for_them_too(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text(
        "NOTISTREAM_SMTP_HOST=mx.example\nNOTISTREAM_SMTP_SENDER=a@b.example\n"
    )
    monkeypatch.setenv("NOTISTREAM_SMTP_USERNAME", "")
    found = read_provider_settings("smtp", load_settings())
    assert (found.host, found.username) == ("mx.example", None)


@pytest.mark.parametrize("name", ["Acme", "1st", "a-b", "../x", "console", ""])
def test_new_refuses_names_that_cannot_be(tmp_path, name):
    result = CliRunner().invoke(cli, ["providers", "new", name])
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_new_writes_a_package_that_keeps_the_contract(tmp_path):
    result = CliRunner().invoke(cli, ["providers", "new", "acme_sms"])
    assert result.exit_code == 0
    folder = tmp_path / "notistream-acme_sms"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        path.format(name="acme_sms") for path in new_provider.FILES
    }
    assert "$" not in "".join(path.read_text() for path in folder.rglob("*.*") if path.is_file())
    table = tomllib.loads((folder / "pyproject.toml").read_text())["project"]["entry-points"]
    assert table == {GROUP: {"acme_sms": "notistream_acme_sms:AcmeSmsProvider"}}
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout
    linted = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--config",
            str(ROOT / "pyproject.toml"),
            "--ignore",
            "I001",
            "notistream_acme_sms",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert linted.returncode == 0, linted.stdout
    assert CliRunner().invoke(cli, ["providers", "new", "acme_sms"]).exit_code == 1


def test_the_list_says_what_is_configured_and_where_it_comes_from(monkeypatch):
    monkeypatch.setenv("NOTISTREAM_PROVIDERS", '{"email": ["smtp", "console"]}')
    monkeypatch.setenv("NOTISTREAM_SMTP_HOST", "mx.example")
    monkeypatch.setenv("NOTISTREAM_SMTP_SENDER", "a@b.example")
    shown = json.loads(CliRunner().invoke(cli, ["providers", "--json"]).stdout)
    assert shown["email"] == ["smtp", "console"]
    found = {one["name"]: one for one in shown["installed"]}
    assert found.keys() >= BUILT_IN.keys()
    assert (found["smtp"]["configured"], found["ses"]["configured"]) == (True, False)
    assert "NOTISTREAM_SES_REGION is missing" in found["ses"]["why_not"]
    text = CliRunner().invoke(cli, ["providers"]).output
    assert "email    smtp, console" in text
    assert "NOTISTREAM_SES_REGION is missing" in text
