"""x."""
from notistream.providers.console import ConsoleProvider


class SmtpProvider(ConsoleProvider):
    name = "smtp"
