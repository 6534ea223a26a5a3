"""Operators of the console: whose token signs in, and which sessions hold."""

import time

import jwt
import pytest

from notistream.access import operators as module
from notistream.access.operators import Operators, Role, operators_of
from notistream.errors import Unauthorized
from notistream.settings.model import Settings

ADA, EVE = "a" * 16, "e" * 16


def both() -> Operators:
    return Operators({"ada": ADA}, {"eve": EVE})


@pytest.mark.parametrize(
    ("token", "name", "role"), [(ADA, "ada", Role.OPERATOR), (EVE, "eve", Role.READER)]
)
def test_a_token_opens_a_session_of_its_holder(token, name, role):
    found = both().verify(
        both().sign_in(token)
    )  # another process with the same settings takes it too
    assert found is not None
    assert (found.name, found.role, found.may_act) == (name, role, role is Role.OPERATOR)
    assert found.actor == f"console:{name}"


@pytest.mark.parametrize("token", ["", "b" * 16, ADA + "a", ADA[:-1], "ä" * 16])
def test_other_tokens_open_none(token):
    with pytest.raises(Unauthorized):
        both().sign_in(token)


def test_nobody_is_let_in_without_a_token_unless_it_is_open():
    with pytest.raises(Unauthorized):
        both().sign_in_local()
    found = Operators({}, local="secret")
    operator = found.verify(found.sign_in_local())
    assert operator is not None
    assert operator.name == "local"


def test_a_session_ends_with_its_token_and_with_its_time(monkeypatch):
    session = both().sign_in(ADA)
    assert Operators({"ada": "n" * 16}).verify(session) is None
    assert Operators({}, {"ada": ADA}).verify(session) is None  # the same token in another role
    monkeypatch.setattr(module, "SESSION_S", -60)
    assert both().verify(both().sign_in(ADA)) is None


def forged(**changed) -> str:
    session = both().sign_in(ADA)
    header, now = jwt.get_unverified_header(session), int(time.time())
    claims = {"aud": module.AUDIENCE, "sub": "ada", "jti": "x", "iat": now, "exp": now + 60}
    key = changed.pop("key", "k" * 32)
    return jwt.encode({**claims, **changed}, key, algorithm="HS256", headers={"kid": header["kid"]})


@pytest.mark.parametrize(
    "session",
    [
        None,
        "",
        "x",
        "a.b.c",
        forged(),
        forged(key=ADA * 2),
        forged(aud="notistream-ws"),
        jwt.encode({"sub": "ada"}, None, algorithm="none"),
    ],
)
def test_nothing_else_is_a_session(session):
    assert both().verify(session) is None


def test_the_cookie_of_a_read_only_session_cannot_be_turned_into_another():
    reader, operator = both().sign_in(EVE), both().sign_in(ADA)
    mixed = ".".join([operator.split(".")[0], *reader.split(".")[1:]])
    assert both().verify(mixed) is None


def test_form_tokens_and_sealed_texts_are_of_one_session():
    found = both()
    one, other = found.verify(found.sign_in(ADA)), found.verify(found.sign_in(ADA))
    assert one is not None
    assert other is not None
    assert found.is_form_token(one, found.form_token(one))
    for wrong in (found.form_token(other), "", "ä", found.form_token(one)[:-1]):
        assert not found.is_form_token(one, wrong)
    assert found.unseal(one, found.seal(one, "3 replayed – ä")) == "3 replayed – ä"
    for wrong in (found.seal(other, "x"), "x", "", f"{found.seal(one, 'x')}0", "ä.b"):
        assert found.unseal(one, wrong) is None
    assert not found.is_form_token(one, found.seal(one, "x").split(".")[1])


@pytest.mark.parametrize(
    ("given", "is_open"),
    [
        ({"auth": "off"}, True),
        ({"auth": "off", "host": "::1"}, True),
        ({"auth": "on"}, False),
        ({"auth": "off", "host": "0.0.0.0", "allow_insecure": True}, False),  # others can reach it
    ],
)
def test_it_is_open_only_where_no_key_is_needed_and_nobody_else_can_ask(
    given, is_open, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    assert operators_of(Settings(**given)).is_open is is_open


def test_the_admin_token_signs_in_as_admin(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    found = operators_of(
        Settings(
            admin_token="x" * 16, console_tokens={"ada": ADA}, console_read_tokens={"eve": EVE}
        )
    )
    assert [found.verify(found.sign_in(token)).actor for token in ("x" * 16, ADA, EVE)] == [
        "console:admin",
        "console:ada",
        "console:eve",
    ]


@pytest.mark.parametrize(
    "tokens", [{"ada": "short"}, {"admin": "x" * 16}, {"local": "x" * 16}, {"a b": "x" * 16}]
)
def test_unfit_names_and_tokens_are_refused(tokens, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="console_tokens"):
        Settings(console_tokens=tokens)
