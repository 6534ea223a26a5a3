"""The version of the installed client, which is that of the product it was released with."""

from importlib.metadata import version

__version__ = version("notistream-client")
