"""The source of the dashboards: `python deploy/grafana/dashboards.py` rewrites dashboards/.

Gauges of Kafka and the database, which every worker reports alike, are taken by max; counters are
summed.
"""

import json
from pathlib import Path

import channel
import overview
import reliability
import tenant

FOLDER = Path(__file__).parent / "dashboards"
MODULES = (overview, channel, reliability, tenant)


def files() -> dict[str, str]:
    """Every dashboard's file name and text."""
    return {
        f"{module.__name__}.json": json.dumps(module.DASHBOARD, indent=1, ensure_ascii=False) + "\n"
        for module in MODULES
    }


if __name__ == "__main__":
    for name, text in files().items():
        (FOLDER / name).write_text(text, "utf-8")
