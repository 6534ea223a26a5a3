"""Starter templates: files `<channel>/<name>.txt` (and `.html`) that every tenant has."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from uuid import UUID, uuid5

from notistream.domain.notification import CHANNELS
from notistream.domain.template_text import TemplateText, TemplateVersion

NAMESPACE = UUID("6f1d5c1e-0a53-4a5e-9d57-1d1a8b9f7c10")
SUBJECT = "Subject: "


@dataclass(frozen=True, slots=True)
class Starter:
    """A template that every tenant has until it makes one of the same name."""

    id: UUID
    name: str
    channel: str
    content: TemplateVersion


@cache
def starters() -> Mapping[tuple[str, str], Starter]:
    """Return starters by channel and name.

    A first line `Subject: …` is the subject; `<name>.html` is the HTML.
    """
    found = {}
    for channel in CHANNELS:
        folder = files("notistream.templates").joinpath(channel)
        texts = {path.name: path.read_text(encoding="utf-8").strip() for path in _files(folder)}
        for file_name, text in texts.items():
            name = file_name.removesuffix(".txt")
            if name != file_name:
                found[channel, name] = _starter(channel, name, text, texts.get(f"{name}.html"))
    return found


def _files(folder: Traversable) -> list[Traversable]:
    return sorted(folder.iterdir(), key=lambda path: path.name) if folder.is_dir() else []


def _starter(channel: str, name: str, text: str, html: str | None) -> Starter:
    subject = None
    if text.startswith(SUBJECT):
        first, _, text = text.partition("\n")
        subject = first.removeprefix(SUBJECT).strip()
    return Starter(
        uuid5(NAMESPACE, f"{channel}/{name}"),
        name,
        channel,
        TemplateVersion(TemplateText(subject, text.strip(), html)),
    )


@cache
def starters_by_id() -> Mapping[UUID, Starter]:
    return {starter.id: starter for starter in starters().values()}


def uuid_of(text: str) -> UUID | None:
    """Parse an id; None if `text` is a name."""
    try:
        return UUID(text)
    except ValueError:
        return None
