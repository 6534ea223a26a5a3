"""A picture of a run: each figure against its target, as SVG for light and dark pages."""

from html import escape

from benchmarks.figures import Row

WIDTH, BAR, GAP, LABEL, TOP, VALUE = 760, 16, 10, 270, 46, 60
FULL = 2.0
"""What the scale ends at: twice the target."""
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2937}.met{fill:#0f766e}.missed{fill:#c2410c}"
    ".line{stroke:#6b7280;stroke-dasharray:4 3}.soft{fill:#6b7280}"
    "@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.met{fill:#2dd4bf}.missed{fill:#fb923c}.soft{fill:#9ca3af}}"
)


def reached(row: Row) -> float | None:
    """The smallest share of its bounds that a figure reached, 1 and more where it is met.

    None without a target.
    """
    figure = row.figure
    shares = [
        *([row.product / figure.least] if figure.least else []),
        *([figure.most / row.product] if figure.most and row.product else []),
        *([row.ratio / figure.share] if figure.share and row.ratio is not None else []),
    ]
    return min(shares) if shares else None


def draw(rows: list[Row]) -> str:
    """Bars from nothing to twice the target; the dashed line is the target."""
    shown = [(row, share) for row in rows if (share := reached(row)) is not None]
    height = TOP + len(shown) * (BAR + GAP) + 8
    room = WIDTH - LABEL - VALUE
    target = LABEL + room / FULL
    bars = [
        _bar(row, share, y=TOP + at * (BAR + GAP), room=room)
        for at, (row, share) in enumerate(shown)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
            f"<title>Share of the target that each figure reached</title><style>{STYLE}</style>",
            f'<text x="{target:g}" y="24" text-anchor="middle">target</text>',
            f'<line class="line" x1="{target:g}" x2="{target:g}" y1="30" y2="{height - 6}"/>',
            *bars,
            "</svg>",
            "",
        ]
    )


def _bar(row: Row, share: float, *, y: float, room: float) -> str:
    width = room * min(share, FULL) / FULL
    tone = "met" if row.met else "missed"
    return (
        f'<text x="{LABEL - 10}" y="{y + 13:g}" text-anchor="end">{escape(row.figure.title)}</text>'
        f'<rect class="{tone}" x="{LABEL}" y="{y:g}" width="{width:.1f}" height="{BAR}" rx="2"/>'
        f'<text class="soft" x="{LABEL + width + 6:.1f}" y="{y + 13:g}">{share:.2f}</text>'
    )
