"""The former import path of the Python client, which is the package `notistream_client` now.

Each name and each module here is the one of `notistream_client`, not a copy.
"""

import sys
import warnings
from typing import Any

try:
    import notistream_client
    from notistream_client import *  # noqa: F403 - whatever the client offers
    from notistream_client import __all__ as __all__
except ModuleNotFoundError as exc:
    if exc.name != "notistream_client":
        raise
    raise ImportError(
        "the Python client is a distribution of its own: pip install notistream-client"
        " (in a checkout: pip install ./clients/python), then import notistream_client",
        name=exc.name,
    ) from exc

warnings.warn(
    "notistream.client has moved: import notistream_client instead",
    DeprecationWarning,
    stacklevel=2,
)

# `import notistream.client.signature` then finds the loaded module. To load it again would make a
# second set of classes, which `except` and `isinstance` would not recognise.
for _name, _module in tuple(sys.modules.items()):
    if _name.startswith("notistream_client."):
        sys.modules[_name.replace("notistream_client", __name__, 1)] = _module


def __getattr__(name: str) -> Any:
    return getattr(notistream_client, name)
