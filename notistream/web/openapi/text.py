"""`python -m notistream.web.openapi.text [--yaml]` prints the OpenAPI document; docs/api.yaml is made with it."""

import json
import sys
from collections.abc import Sequence

from notistream.web.openapi.document import document
from notistream.web.openapi.yaml_text import yaml_text
from notistream.web.routes import ROUTES


def main(arguments: Sequence[str]) -> str:
    """The document as text."""
    shown = document(ROUTES)
    if "--yaml" in arguments:
        return "# Made by `python -m notistream.web.openapi.text --yaml`; do not edit.\n" + yaml_text(shown)
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1:]))
