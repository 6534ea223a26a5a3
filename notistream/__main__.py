"""`python -m notistream` is the command line."""

from notistream.commands import cli

cli()
