"""x."""
from notistream.providers.console import ConsoleProvider


class SesProvider(ConsoleProvider):
    name = "ses"
