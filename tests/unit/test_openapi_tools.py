"""What tools make of the OpenAPI document: a linter, a client generator, and the examples under
strict formats.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from notistream.web.openapi.text import text
from tests.documented import DOCUMENT, OPERATIONS, resolved, validate

ROOT = Path(__file__).parents[2]
KNOWN_IDS = (Path(__file__).parent / "operation_ids.txt").read_text("utf-8").split()
WITHOUT_EXAMPLE = {"openapi"}
"""An example of the document would be the document."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("openapi") / "api.json"
    path.write_text(text(), "utf-8")
    return path


def test_operation_ids_are_names_and_stay() -> None:
    """Generated clients call their methods so.

    New ones are added to the file; none is renamed or removed.
    """
    assert all(re.fullmatch(r"[a-z][A-Za-z_]*", name) for name in OPERATIONS)
    assert set(KNOWN_IDS) <= set(OPERATIONS)


def test_schemas_have_names_that_people_would_give() -> None:
    """Two types of one name get the names of their modules before theirs."""
    assert [
        name
        for name in DOCUMENT["components"]["schemas"]
        if not re.fullmatch(r"[A-Z][A-Za-z]*", name)
    ] == []


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_body_has_an_example_of_its_schema(name: str) -> None:
    _, _, shown = OPERATIONS[name]
    answers = [resolved(answer) for answer in shown["responses"].values()]
    for body in (shown.get("requestBody", {}), *answers):
        for kind, content in body.get("content", {}).items():
            examples = [one["value"] for one in content.get("examples", {}).values()]
            examples += [content["example"]] if "example" in content else []
            assert examples or not kind.endswith("json") or name in WITHOUT_EXAMPLE, (
                f"{kind} has no example"
            )
            for example in examples:
                validate(example, content["schema"])


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
