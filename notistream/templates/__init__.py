"""Starter templates: files `<channel>/<name>.txt`, a layer below every tenant's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from uuid import UUID, uuid5

from notistream.domain.notification import CHANNELS

NAMESPACE = UUID("6f1d5c1e-0a53-4a5e-9d57-1d1a8b9f7c10")
SUBJECT = "Subject: "


@dataclass(frozen=True, slots=True)
class Starter:
    """A template that every tenant has until it makes one of the same name."""

    id: UUID
    name: str
    channel: str
    subject: str | None
    body: str


@cache
def starters() -> Mapping[tuple[str, str], Starter]:
    """Starter templates by channel and name; a first line `Subject: …` is the subject."""
    found = {}
    for channel in CHANNELS:
        folder = files("notistream.templates").joinpath(channel)
        for path in sorted(folder.iterdir(), key=lambda p: p.name) if folder.is_dir() else ():
            name = path.name.removesuffix(".txt")
            found[channel, name] = _starter(channel, name, path.read_text(encoding="utf-8").strip())
    return found


def _starter(channel: str, name: str, text: str) -> Starter:
    subject = None
    if text.startswith(SUBJECT):
        first, _, text = text.partition("\n")
        subject = first.removeprefix(SUBJECT).strip()
    return Starter(uuid5(NAMESPACE, f"{channel}/{name}"), name, channel, subject, text.strip())


@cache
def starters_by_id() -> Mapping[UUID, Starter]:
    return {starter.id: starter for starter in starters().values()}
