"""Alphabet and segments of an SMS, as 3GPP TS 23.038 and 23.040 count them."""

import pytest

from notistream.domain.sms import BASIC, EXTENDED, segments


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", "GSM-7", 0, 0),
        ("Your code is 1234", "GSM-7", 17, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        ("^{}\\[~]|€\f", "GSM-7", 20, 1),
        ("a" * 152 + "€" + "a" * 10, "GSM-7", 164, 2),
        ("a" * 152 + "€" + "a" * 151, "GSM-7", 305, 2),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),  # the € is not split, so one septet is lost
        ("@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà\n\r", "GSM-7", 44, 1),
        ("ş" * 70, "UCS-2", 70, 1),
        ("ş" * 71, "UCS-2", 71, 2),
        ("ş" * 134, "UCS-2", 134, 2),
        ("ş" * 135, "UCS-2", 135, 3),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 36, "UCS-2", 72, 2),
        ("a" * 66 + "😀" + "a" * 67, "UCS-2", 135, 3),  # the pair is not split
        ("ç", "UCS-2", 1, 1),
        ("`", "UCS-2", 1, 1),
    ],
)
def test_segments(text, encoding, units, count):
    found = segments(text)
    assert (found.encoding, found.units, found.segments) == (encoding, units, count)
    joined = {"GSM-7": 153, "UCS-2": 67} if count > 1 else {"GSM-7": 160, "UCS-2": 70}
    assert found.per_segment == joined[encoding]


def test_the_alphabets_are_whole():
    assert (len(BASIC), len(EXTENDED), BASIC & EXTENDED) == (127, 10, frozenset())


def test_it_says_which_characters_cost():
    assert segments("Olá, ş😀ş ^").not_gsm == ("á", "ş", "😀")
