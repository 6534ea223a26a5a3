"""Writes the table of docs/reliability.md from what a run reported: `python -m tests.faults.page
REPORT`.
"""

import json
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: begin, written by make faults -->", "<!-- faults: end -->"
HEAD = """\
| fault | load | messages | lost | duplicates (possible) | failed | recovery | test |
|---|---|---:|---:|---:|---:|---:|---|
"""


def line(row: dict[str, Any]) -> str:
    """One row of the table."""
    recovery = "–" if row["recovery_s"] is None else f"{row['recovery_s']:.1f} s"
    test = row["test"].partition("::")[2].partition("[")[0]
    return (
        f"| {row['fault']} | {row['load']} | {row['messages']:,} | {row['lost']} |"
        f" {row['duplicates']} ({row['counted']}) | {row['failed']} | {recovery} | `{test}` |\n"
    )


def main(report: str) -> None:
    """Put the table between its marks."""
    told = [json.loads(text) for text in Path(report).read_text().splitlines()]
    rows = list({row["test"]: row for row in told}.values())  # the last, where one was run again
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    total = sum(row["messages"] for row in rows)
    summary = f"\n{len(rows)} runs, {total:,} messages, {sum(row['lost'] for row in rows)} lost.\n"
    PAGE.write_text(f"{before}{BEGIN}\n{HEAD}{''.join(map(line, rows))}{summary}{END}{after}")


if __name__ == "__main__":
    main(sys.argv[1])
