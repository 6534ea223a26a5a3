"""The product with nothing held back, to see what that costs: `python -m benchmarks.unheld api`.

There is no setting for it: a window without an end is put in place before the command line starts.
"""

from notistream.commands import cli
from notistream.publishing import windows

ENDLESS = 1_000_000_000

if __name__ == "__main__":
    windows.FIRST_WINDOW = windows.LARGEST_WINDOW = ENDLESS
    cli()
