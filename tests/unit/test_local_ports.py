"""A port that cannot be used: why, and what to set instead."""

import errno
import socket

import pytest

from notistream.local import ports


def test_a_free_port_is_not_refused():
    (port,) = ports.choose("127.0.0.1", 1)
    assert ports.refusal("127.0.0.1", port, setting="NOTISTREAM_PORT") is None


def test_a_taken_port_names_a_free_one():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        why = ports.refusal("127.0.0.1", port, setting="NOTISTREAM_WORKER_PORT")
    assert why is not None
    assert why.startswith(f"port {port} on 127.0.0.1 is taken")
    assert int(why.rpartition("NOTISTREAM_WORKER_PORT=")[2]) > port


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_another_machine_is_told_from_a_taken_port(host):
    why = ports.refusal(host, 8080, setting="NOTISTREAM_PORT")
    assert why is not None
    assert "not an address of this machine" in why
    assert "NOTISTREAM_HOST=127.0.0.1" in why


def test_a_port_for_which_rights_are_missing_says_so(monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    why = ports.refusal("127.0.0.1", 80, setting="NOTISTREAM_PORT")
    assert why is not None
    assert why.startswith("port 80 on 127.0.0.1 cannot be used (Permission denied)")
    assert why.endswith("NOTISTREAM_PORT=8080")
