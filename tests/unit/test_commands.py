"""The command line: help, exit statuses, output for people and for scripts."""

import http.server
import json
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner

from notistream.commands import cli


@pytest.fixture
def run(elsewhere):
    """Run a command in a folder without `.env` and without settings of the caller's."""
    return lambda *words: CliRunner().invoke(cli, words)


def test_help_lists_every_command(run):
    result = run("--help")
    assert result.exit_code == 0
    for name in (
        "api",
        "worker",
        "dev",
        "migrate",
        "topics",
        "seed",
        "tenants",
        "keys",
        "providers",
        "send",
        "doctor",
        "trace",
        "pause",
        "resume",
    ):
        assert f"  {name} " in result.output


def test_providers_for_people_and_for_scripts(run, monkeypatch):
    monkeypatch.setenv("NOTISTREAM_WEBHOOK_URL", "http://127.0.0.1:9/")
    assert "sms      webhook" in run("providers").output
    assert json.loads(run("providers", "--json").output)["in_app"] == ["in_app"]


@pytest.mark.parametrize(
    "setting", ["NOTISTREAM_PORT=x", "NOTISTREAM_PROT=1", 'NOTISTREAM_PROVIDERS={"sms": ["fax"]}']
)
def test_a_wrong_setting_is_a_usage_error_in_words(run, monkeypatch, setting):
    name, _, value = setting.partition("=")
    monkeypatch.setenv(name, value)
    result = run("providers")
    assert result.exit_code == 2
    assert "NOTISTREAM_" in result.output
    assert "Traceback" not in result.output


def test_unknown_commands_and_options_are_usage_errors(run):
    assert run("sned").exit_code == 2
    assert run("migrate", "up", "--force").exit_code == 2


def test_sending_without_an_api_says_what_to_start(run, monkeypatch):
    monkeypatch.setenv("NOTISTREAM_PORT", "1")
    result = run("send", "sms", "+905000000001", "hi")
    assert result.exit_code == 1
    assert "make run" in result.output


class Answering(http.server.BaseHTTPRequestHandler):
    """An API that accepts what is for the channel sms, and is something else on `fax`."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = {
            "sms": (202, b'{"id": "n-1", "status": "pending"}'),
            "email": (
                422,
                b'{"code": "invalid_content", "detail": "/recipient: is not an e-mail address"}',
            ),
        }.get(body["channel"], (502, b"<h1>Bad Gateway</h1>"))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def api(monkeypatch):
    with http.server.HTTPServer(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("NOTISTREAM_PORT", str(server.server_port))
        yield
        server.shutdown()


@pytest.mark.parametrize(
    ("words", "status", "shown"),
    [
        (("sms", "+905000000001"), 0, "accepted n-1\nto follow it: notistream trace n-1\n"),
        (("sms", "+905000000001", "--json"), 0, '{"id": "n-1", "status": "pending"}\n'),
        (("email", "ann"), 1, "Error: /recipient: is not an e-mail address\n"),
        (("fax", "1"), 1, "Error: <h1>Bad Gateway</h1>\n"),
    ],
)
def test_sending_says_what_became_of_it(run, api, words, status, shown):
    result = run("send", *words, "hi")
    assert (result.exit_code, result.output) == (status, shown)


def test_a_command_loads_nothing_of_the_others():
    """`make run` starts several: Faust, pydantic's models and the vendors' libraries are loaded by
    who needs them.
    """
    code = (
        "import sys; from notistream.commands import cli; cli(['topics', '--help'],"
        " standalone_mode=False); "
    )
    found = subprocess.run(
        [sys.executable, "-c", code + "print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert {"faust", "botocore", "notistream.commands.dlq"}.isdisjoint(found.stdout.split())
