"""How a text travels as SMS: in which alphabet (3GPP TS 23.038), and in how many parts."""

from dataclasses import dataclass

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = frozenset("\f^{}\\[~]|€")
GSM_7, UCS_2 = "GSM-7", "UCS-2"
ALONE = {GSM_7: 160, UCS_2: 70}
JOINED = {GSM_7: 153, UCS_2: 67}


@dataclass(frozen=True, slots=True)
class Segments:
    """`units` are septets (GSM-7) or 16-bit units (UCS-2).

    `segments` is the number of messages that are paid for.
    """

    encoding: str
    units: int
    segments: int
    per_segment: int
    not_gsm: tuple[str, ...]
    """Characters, each once, that make it UCS-2."""


def segments(text: str) -> Segments:
    """A character of two units is never split over two segments."""
    foreign = tuple(dict.fromkeys(c for c in text if c not in BASIC and c not in EXTENDED))
    encoding = UCS_2 if foreign else GSM_7
    sizes = [_units(character, encoding) for character in text]
    total = sum(sizes)
    if total <= ALONE[encoding]:
        return Segments(encoding, total, min(len(text), 1), ALONE[encoding], foreign)
    return Segments(encoding, total, _joined(sizes, JOINED[encoding]), JOINED[encoding], foreign)


def _units(character: str, encoding: str) -> int:
    if encoding == GSM_7:
        return 2 if character in EXTENDED else 1
    return 2 if ord(character) > 0xFFFF else 1


def _joined(sizes: list[int], room: int) -> int:
    count, left = 1, room
    for size in sizes:
        if size > left:
            count, left = count + 1, room
        left -= size
    return count
