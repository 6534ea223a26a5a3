"""The package that `notistream providers new` writes: a provider skeleton and its contract test."""

import re
from importlib.resources import files
from pathlib import Path
from string import Template

from notistream.settings.plugins import installed

NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    "notistream_{name}/__init__.py": "provider.py.txt",
    "tests/test_contract.py": "test_contract.py.txt",
}


def write(name: str, parent: Path) -> Path:
    """Write the package into a new folder under `parent`, and return the folder.

    Raises:
        ValueError: the name is not valid, or is taken.
        FileExistsError: the folder exists.
    """
    if not NAME.fullmatch(name):
        raise ValueError(
            "a name is made of small letters, digits and _, such as `acme`; it begins with a letter"
        )
    if name in installed():
        raise ValueError(f"`{name}` is installed already, from {installed()[name].package}")
    folder = parent / f"notistream-{name}"
    folder.mkdir()
    words = {"name": name, "title": name.title().replace("_", ""), "upper": name.upper()}
    templates = files("notistream.providers").joinpath("template")
    for path, template in FILES.items():
        target = folder / path.format(name=name)
        target.parent.mkdir(exist_ok=True)
        text = templates.joinpath(template).read_text(encoding="utf-8")
        target.write_text(Template(text).substitute(words), encoding="utf-8")
    return folder
