"""The contract of providers, clause by clause, for each that is built in."""

import pytest

from notistream.providers import contract
from notistream.settings.plugins import BUILT_IN
from tests.providers import fcm, ses, smtp, twilio, webhook, wireless

CASES = {
    "fcm": fcm.CASE,
    "ses": ses.CASE,
    "smtp": smtp.CASE,
    "twilio": twilio.CASE,
    "webhook": webhook.CASE,
}
CASES |= {"console": wireless.CONSOLE, "sandbox": wireless.SANDBOX, "in_app": wireless.IN_APP_CASE}
CLAUSES = [(name, clause) for name, case in CASES.items() for clause in case.clauses()]


@pytest.mark.parametrize(("name", "clause"), CLAUSES)
async def test_contract(name, clause):
    async with CASES[name].subject() as subject:
        assert subject.provider.name == name
        await contract.CLAUSES[clause](subject)


def test_every_built_in_provider_is_under_the_contract():
    assert CASES.keys() == BUILT_IN.keys()
