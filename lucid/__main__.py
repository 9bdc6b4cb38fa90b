"""``python -m lucid``: the command line."""

from lucid.cli import main

main()
