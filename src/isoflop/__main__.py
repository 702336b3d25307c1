"""``python -m isoflop``: the command line, where the folder of scripts is not on the path."""

from isoflop.cli import main

main()
