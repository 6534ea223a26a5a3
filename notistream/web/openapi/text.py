"""The OpenAPI document as text, JSON or YAML; docs/api.yaml is made with it."""

import json

from notistream.web.openapi.document import document
from notistream.web.openapi.yaml_text import yaml_text
from notistream.web.routes import ROUTES


def text(*, yaml: bool = False) -> str:
    """The whole document, ending with a newline."""
    shown = document(ROUTES)
    if yaml:
        return "# Made by `python -m notistream.web.openapi --yaml`; do not edit.\n" + yaml_text(
            shown
        )
    return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"
