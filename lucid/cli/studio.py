"""``lucid studio``: a page to paint on, live."""

from __future__ import annotations

from pathlib import Path

import click

from lucid.cli import completers
from lucid.cli.click_types import FILE, WholeNumber
from lucid.cli.console import echo
from lucid.cli.sections import SectionedCommand


@click.command(cls=SectionedCommand)
@click.argument("photo", type=FILE, required=False)
@click.option(
    "--net",
    default="lucid64",
    show_default=True,
    shell_complete=completers.nets,
    help="Net to begin with: a name from `lucid models`, or the path of a .cfg.",
)
@click.option(
    "--port",
    type=WholeNumber(0, 65535),
    default=8188,
    show_default=True,
    help="Port of the page; 0 for any that is free.",
)
@click.option("--no-open", is_flag=True, help="Print the address, and open no browser.")
@click.option(
    "--lan",
    is_flag=True,
    help="Let phones and other machines of your network reach the page, and print a QR code.",
)
@click.option("--resume", is_flag=True, help="Take up the picture that was saved automatically.")
def studio(photo: Path | None, net: str, port: int, no_open: bool, lan: bool, resume: bool) -> None:
    """Open a page to paint on: choose classes, brush where each should grow, and watch.

    PHOTO is what to paint on; you can also drop one on the page. The page is served on this
    machine alone, to whoever has the address that is printed. Ctrl-C ends it; the picture is kept
    for --resume.

    \b
    lucid studio
    lucid studio photo.jpg
    lucid studio photo.jpg --lan     paint with a pen on a tablet
    """
    from lucid.studio.notebook import check_installed

    check_installed()
    from lucid.studio.server import Studio

    opened = Studio(photo, net=net, port=port, lan=lan, resume=resume)
    echo(f"lucid studio: {opened.url}")
    if lan:
        _print_qr_code(opened.url)
        echo(
            "Whoever is in your network and has this address can paint here, and see the picture "
            "and the photograph. What travels is not encrypted. Ctrl-C ends it.",
            err=True,
        )
    else:
        echo("Ctrl-C ends it", err=True)
    if not no_open:
        import threading
        import webbrowser

        threading.Timer(0.3, webbrowser.open, [opened.url]).start()
    opened.serve()


def _print_qr_code(address: str) -> None:
    """Print an address so that a phone's camera can read it."""
    import segno

    segno.make(address, error="l").terminal(compact=True)
