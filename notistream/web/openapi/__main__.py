"""`python -m notistream.web.openapi [--yaml]` prints the OpenAPI document."""

import sys

from notistream.web.openapi.text import text

sys.stdout.write(text(yaml="--yaml" in sys.argv[1:]))
