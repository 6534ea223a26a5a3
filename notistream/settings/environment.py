"""The environment and `.env` before they are read: unknown names, and unreadable lines."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from notistream.errors import Misconfigured


def read_dotenv(path: Path) -> dict[str, str]:
    """What the file sets; nothing where there is none.

    Raises:
        Misconfigured: a line is not NAME=value. It is named by its number alone: it may hold a
          secret.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise Misconfigured(f"{path} cannot be read: {exc}") from None
    for found in parse_stream(StringIO(text)):
        if found.error:
            line = found.original.line + _blank_lines(found.original.string)
            raise Misconfigured(
                f"{path}, line {line}: this is not NAME=value, such as NOTISTREAM_PORT=8080"
            )
    return {name: value or "" for name, value in dotenv_values(stream=StringIO(text)).items()}


def refuse_unknown(
    given: Mapping[str, str], known: Collection[str], *, prefix: str, place: str
) -> None:
    """Raise Misconfigured for an unknown name with the prefix, and suggest the nearest setting."""
    unknown = sorted(
        name for name in given if name.upper().startswith(prefix) and name.upper() not in known
    )
    if not unknown:
        return
    bare = {name.removeprefix(prefix): name for name in known}  # the prefix would make all alike
    meant = [
        bare[close]
        for name in unknown
        for close in get_close_matches(name.upper().removeprefix(prefix), bare, n=1, cutoff=0.7)
    ]
    advice = (
        f"did you mean {' and '.join(meant)}?" if meant else f"known are {', '.join(sorted(known))}"
    )
    raise Misconfigured(f"unknown setting {', '.join(unknown)} in {place}: {advice}")


def _blank_lines(text: str) -> int:
    """Those before what is wrong; the parser counts them to it."""
    return len(text) - len(text.lstrip("\n"))
