"""A provider of another package: installed beside the product, it is found, listed, examined, and
delivers.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import processes
from tests.receiver import receiver
from tests.stack import ROOT, stack

pytestmark = [pytest.mark.integration, pytest.mark.full]
PACKAGE = ROOT / "tests" / "plugins" / "carrier"


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder into which pip has installed the package, without a network."""
    source = tmp_path_factory.mktemp("source") / "carrier"
    shutil.copytree(PACKAGE, source)
    target = tmp_path_factory.mktemp("site")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--no-index",
            "--disable-pip-version-check",
            "--target",
            str(target),
            str(source),
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
    )
    return target


def notistream(*command, folder, site=None, **settings):
    """Run the command line in a folder without `.env`; its exit status and output."""
    env = processes.environment()
    env["PYTHONPATH"] = os.pathsep.join(map(str, filter(None, (site, ROOT))))
    env |= {f"NOTISTREAM_{name}": value for name, value in settings.items()}
    done = subprocess.run(
        [sys.executable, "-m", "notistream", *command],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_it_is_listed_with_its_package_and_what_it_lacks(installed, tmp_path):
    status, output = notistream("providers", "--json", folder=tmp_path, site=installed)
    assert status == 0, output
    found = {one["name"]: one for one in json.loads(output)["installed"]}
    carrier = found["carrier"]
    assert (carrier["channels"], carrier["package"]) == (["sms"], "notistream-carrier 1.2.3")
    assert not carrier["configured"]
    for words in (
        "NOTISTREAM_CARRIER_URL is missing",
        "NOTISTREAM_CARRIER_PIN is missing",
        "Of the account.",
    ):
        assert words in carrier["why_not"]
    assert found["console"]["configured"]
    assert "carrier" not in notistream("providers", folder=tmp_path)[1]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"CARRIER_PIN": "12", "CARRIER_URL": "http://x/"}, "NOTISTREAM_CARRIER_PIN"),
        ({"CARRIER_PON": "1234"}, "unknown setting NOTISTREAM_CARRIER_PON"),
        ({"CARRIER_URL": "http://x/"}, "NOTISTREAM_CARRIER_PIN is missing"),
    ],
)
def test_its_settings_are_the_products_business_too(installed, tmp_path, settings, words):
    status, output = notistream(
        "api",
        folder=tmp_path,
        site=installed,
        PROVIDERS='{"sms": ["carrier"]}',
        DATABASE_URL="postgresql://x/y",
        KAFKA_BROKERS="127.0.0.1:1",
        STATE_DIR=str(tmp_path),
        **settings,
    )
    assert status == 2
    assert words in output
    assert "Traceback" not in output
    assert "http://x/" not in output


def test_without_the_package_its_settings_are_unknown(tmp_path):
    status, output = notistream("providers", folder=tmp_path, CARRIER_PIN="1234")
    assert (status, "unknown setting NOTISTREAM_CARRIER_PIN" in output) == (2, True)


async def test_it_delivers_and_is_examined(
    installed, endpoints, database_url, topics_prefix, tmp_path, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(installed), str(ROOT)]))
    async with (
        receiver() as ledger,
        stack(
            database_url=database_url,
            brokers=endpoints.kafka_brokers,
            prefix=topics_prefix,
            folder=tmp_path,
            PROVIDERS='{"sms": ["carrier"]}',
            CARRIER_URL=ledger.url,
            CARRIER_PIN="1234",
        ) as product,
    ):
        await product.api()
        await product.worker()
        ended = await product.ended(await product.create(content="hello"))
        assert (ended["status"], ended["provider_message_id"]) == (
            "delivered",
            f"carrier-{ended['id']}",
        )
        assert [call["content"] for call in ledger.calls] == ["carried: hello"]

        async def examined(pin):
            status, output = await asyncio.to_thread(
                notistream,
                "doctor",
                "--json",
                folder=tmp_path,
                site=installed,
                DATABASE_URL=database_url,
                KAFKA_BROKERS=endpoints.kafka_brokers,
                TOPIC_PREFIX=topics_prefix,
                TOPIC_PARTITIONS="2",
                PROVIDERS='{"sms": ["carrier"]}',
                CARRIER_URL=ledger.url,
                CARRIER_PIN=pin,
            )
            return (
                status,
                {check["check"]: check for check in json.loads(output)["checks"]}["carrier"],
            )

        assert (await examined("1234"))[1]["state"] == "ok"
        status, finding = await examined("0000")
        assert (status, finding["state"]) == (1, "failed")
        assert "factory" in finding["detail"]
