"""Every operation of the OpenAPI document with data that fits its schema and data that does not:
the document holds.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, seed, settings

from tests.fuzz.conftest import EXAMPLES, PATIENCE_S, Target
from tests.fuzz.document import GENERATED, GenerationMode, check, schema, told

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(PATIENCE_S),
    pytest.mark.filterwarnings("ignore"),
]


async def test_every_operation_keeps_to_the_document(target: Target) -> None:
    failures = await asyncio.to_thread(lambda: list(misuse(target)))
    assert not failures, f"{len(failures)} operations:\n\n" + "\n\n".join(failures)


def misuse(target: Target) -> Iterator[str]:
    for result in schema().get_all_operations():
        operation = result.ok()
        for mode in GenerationMode:
            try:
                examples(operation, mode, target)
            except (Exception, BaseExceptionGroup) as exc:  # noqa: BLE001
                yield (
                    f"{operation.method.upper()} {operation.path} ({mode.value} data)\n{told(exc)}"
                )


def examples(operation: Any, mode: GenerationMode, target: Target) -> None:
    """As many examples as there are in this mode.

    An operation without any input cannot get wrong input.
    """

    @seed(20_250_101)
    @settings(GENERATED, max_examples=EXAMPLES)
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        response = case.call(base_url=target.process.url, headers=target.headers, timeout=30)
        check(case, response)

    try:
        one()
    except Exception as exc:
        if mode is GenerationMode.NEGATIVE and "Unsatisfiable" in type(exc).__name__:
            return
        raise
