"""What tools make of the OpenAPI document: a linter, and a client generator."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from notistream.web.openapi.text import text
from tests.documented import OPERATIONS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("openapi") / "api.json"
    path.write_text(text(), "utf-8")
    return path


@pytest.mark.skipif(
    not shutil.which("redocly"), reason="needs redocly: npm install --global @redocly/cli"
)
def test_linter_has_nothing_to_say(written: Path) -> None:
    done = subprocess.run(
        [
            "redocly",
            "lint",
            str(written),
            "--config",
            str(ROOT / "tests/redocly.yaml"),
            "--format",
            "json",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "REDOCLY_TELEMETRY": "off"},
    )
    found = json.loads(done.stdout)
    assert [(one["ruleId"], one["message"]) for one in found["problems"]] == []
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def generated(written: Path) -> Path:
    """A client that a generator made of the document, without a warning."""
    config = written.with_name("config.yaml")
    config.write_text("post_hooks: []\n", "utf-8")
    target = written.with_name("generated_client")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "openapi_python_client",
            "generate",
            "--path",
            str(written),
            "--config",
            str(config),
            "--output-path",
            str(target),
            "--meta",
            "none",
            "--fail-on-warning",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def test_generated_client_has_every_operation(generated: Path) -> None:
    made = {path.stem.replace("_", "") for path in (generated / "api").rglob("*.py")}
    assert {name.replace("_", "").lower() for name in OPERATIONS} <= made


def test_generated_client_reads_what_the_service_answers(generated: Path) -> None:
    """In a process of its own: each example of an answer, through the generated model and back."""
    examples = [
        (content["schema"]["$ref"].rsplit("/", 1)[1], example["value"])
        for _, _, shown in OPERATIONS.values()
        for answer in shown["responses"].values()
        for content in answer.get("content", {}).values()
        if "$ref" in content["schema"]
        for example in content.get("examples", {}).values()
    ]
    assert len(examples) > 50
    program = (
        "import json, sys\nfrom generated_client import models\nprint(json.dumps([getattr(models,"
        " name).from_dict(value).to_dict() for name, value in json.load(sys.stdin)]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(examples),
        capture_output=True,
        text=True,
        check=False,
        cwd=generated.parent,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for (name, value), back in zip(examples, json.loads(done.stdout), strict=True):
        assert back.keys() == value.keys(), name
