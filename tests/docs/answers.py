"""Compares what a page shows with what really came back, and remembers the ids that came back."""

import json
import re
from typing import Any

VARYING = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<uuid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?"), "<time>"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "<time>"),
)
UUID = VARYING[0][0]
PLACEHOLDER = re.compile(r"(?<![\w$-])(ID|KEY|TOKEN|SIGNING_KEY)(?![\w=-])|<(id)\b[^<>]*>")


def agrees(shown: str, real: str) -> bool:
    """Whether `real` has what is shown: `…` is anything, an id any id, a time any time."""
    parts = [re.escape(part.strip()) for part in _plain(shown).split("…")]
    return re.search(r"\s*.*?\s*".join(parts), _plain(real), re.S) is not None


def holds(shown: Any, real: Any) -> bool:
    """Whether each field and each entry that is shown is there, with its value.

    Texts are compared as by `agrees`.
    """
    match shown:
        case dict():
            return isinstance(real, dict) and all(
                k in real and holds(v, real[k]) for k, v in shown.items()
            )
        case list():
            return isinstance(real, list) and all(
                any(holds(v, found) for found in real) for v in shown
            )
        case str():
            return isinstance(real, str) and agrees(shown, real)
        case _:
            return bool(shown == real)


def documents(text: str) -> list[Any]:
    """The JSON values of a text, one after the other; raises ValueError."""
    found, text = [], text.strip()
    while text:
        value, end = json.JSONDecoder().raw_decode(text)
        found.append(value)
        text = text[end:].lstrip()
    return found


class Memory:
    """The last id, key and token that were answered: what ID, KEY, TOKEN and <id …> stand for
    afterwards.
    """

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def learn(self, output: str) -> None:
        for name in ("id", "key", "token", "signing_key"):
            if found := re.search(rf'"{name}": ?"([^"]+)"', output):
                self._known[name.upper()] = found[1]
        if '"id"' not in output and (uuid := UUID.search(output)):
            self._known["ID"] = uuid[0]
        if key := re.search(r"\bns_(?:live|test)_[\w-]{20,}", output):
            self._known["KEY"] = key[0]

    def fill(self, text: str) -> str:
        """The text with its placeholders filled in; one without an answer stays."""
        return PLACEHOLDER.sub(
            lambda found: self._known.get((found[1] or found[2]).upper(), found[0]), text
        )


def _plain(text: str) -> str:
    for pattern, name in VARYING:
        text = pattern.sub(name, text)
    return " ".join(text.split())
