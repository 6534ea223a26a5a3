"""Operations in chains: what one answers, an id or a page, the next is asked with.

The document holds.
"""

import asyncio
import os
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import seed, settings
from hypothesis.errors import Flaky
from hypothesis.stateful import run_state_machine_as_test

from tests.fuzz.conftest import PATIENCE_S, Target
from tests.fuzz.document import GENERATED, check, schema, told

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(PATIENCE_S),
    pytest.mark.filterwarnings("ignore"),
]

CHAINS = int(os.environ.get("FUZZ_CHAINS", "40"))
"""`make fuzz` takes 1,000."""
STEPS = 12
AT_ONCE = 5
"""Chains between two seeds."""


async def test_what_one_operation_answers_the_next_is_asked_with(target: Target) -> None:
    steps, failures = await asyncio.to_thread(chains, target)
    assert not failures, "\n\n".join(failures[:20])
    assert steps.total() > CHAINS, "hardly a chain went on"
    assert any(status < 300 for label, status in steps if "{id}" in label), (
        f"no id of ours led anywhere: {steps}"
    )


def chains(target: Target) -> tuple[Counter[tuple[str, int]], list[str]]:
    """How often each operation answered with each status, and what broke the document.

    A wrong answer is noted and not raised, because Hypothesis would repeat the chain, and the site
    is no longer what it was; where it notices as much, the next seed is taken.
    """
    steps: Counter[tuple[str, int]] = Counter()
    failures: list[str] = []

    class Chain(schema().as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": target.headers, "base_url": target.process.url, "timeout": 30}

        def call(self, case: Any, **options: Any) -> Any:
            try:
                return super().call(case, **options)
            except Exception as exc:
                failures.append(f"{case.operation.label} had no answer: {exc!r}")
                raise

        def validate_response(self, response: Any, case: Any, *_: Any, **__: Any) -> None:
            steps[case.operation.label, response.status_code] += 1
            try:
                check(case, response)
            except (Exception, BaseExceptionGroup) as exc:  # noqa: BLE001
                failures.append(f"{case.operation.label}\n{told(exc)}")

    for number in range(CHAINS // AT_ONCE):
        seed(number)(Chain)
        with suppress(Flaky):
            run_state_machine_as_test(
                Chain, settings=settings(GENERATED, max_examples=AT_ONCE, stateful_step_count=STEPS)
            )
    return steps, failures
