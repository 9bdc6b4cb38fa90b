"""The command line: one command a file.

Torch takes more than a second to import, so ``lucid --help`` must not import it. A module that
defines a command imports torch, or any module of lucid that does, inside functions only. What a
long command does stands in a ``*_job.py`` of its own, which may import torch at its top: the
command imports it when it runs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path

import click

try:
    from lucid.errors import LucidError, is_out_of_memory, printable
except ImportError as error:  # another package called lucid is installed over this one
    sys.exit(f"Error: {error}")
from lucid import __version__
from lucid.cli.album import album
from lucid.cli.bench import bench
from lucid.cli.classes import classes
from lucid.cli.classify import classify
from lucid.cli.completion import completion
from lucid.cli.console import log_printable
from lucid.cli.convert import convert
from lucid.cli.doctor import doctor
from lucid.cli.draw import draw
from lucid.cli.explain import explain
from lucid.cli.film import film
from lucid.cli.help import help
from lucid.cli.layers import layers
from lucid.cli.models import models
from lucid.cli.nightmare import nightmare
from lucid.cli.redo import redo
from lucid.cli.run import run
from lucid.cli.sections import SectionedGroup
from lucid.cli.sheet import sheet
from lucid.cli.show import show
from lucid.cli.studio import studio
from lucid.cli.weights import weights
from lucid.plugins import own_error
from lucid.process import exit_on_signals, quiet_output, tune_process
from lucid.resources import cache_folder

MAX_MESSAGE = 2000
"""Characters of the longest error message that is printed."""

INTERNAL_ERROR = 70
"""Exit code of an error that is lucid's own fault (EX_SOFTWARE of sysexits.h)."""


class Lucid(SectionedGroup):
    """A group whose commands report an error in one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; print ``Error:`` and exit with the error's code if it fails."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
            return ctx.exit(130)
        except (click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise  # `lucid models | head` is no mistake
            if ctx.params["debug"]:
                raise
            message, exit_code = describe(error)
        shown = printable(message)
        shown = shown if len(shown) <= MAX_MESSAGE else f"{shown[: MAX_MESSAGE - 1]}…"
        click.echo(click.style("Error: ", fg="red") + shown, err=True)
        return ctx.exit(exit_code)


def describe(error: Exception) -> tuple[str, int]:
    """Say in one line what went wrong, and with which code to exit."""
    match error:
        case LucidError():
            return str(error), error.exit_code
        case click.ClickException():
            return error.format_message(), error.exit_code
        case OSError():  # an unreadable folder, a full disk
            return f"{error.filename or 'file'}: {error.strerror or error}", 1
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and is_out_of_memory(error)
    ):
        return "there is not enough memory: give a smaller --size, or a smaller picture", 1
    if own := own_error(error):
        return own, 1
    report = write_crash_report(error)
    where = f"; {report} says more" if report else ""
    return (
        f"this is a mistake in lucid, not yours ({type(error).__name__}: {error}){where}: please "
        "report it, and `lucid --debug …` shows where it is",
        INTERNAL_ERROR,
    )


def write_crash_report(error: Exception) -> Path | None:
    """Write a traceback into the cache folder, without the name of the user's home."""
    import shlex
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(error))
    text = f"lucid {__version__}, Python {sys.version}\n{shlex.join(sys.argv)}\n\n{text}"
    home = os.path.expanduser("~")
    text = text.replace(home, "~") if len(home) > 1 else text
    for folder in (cache_folder(), Path(tempfile.gettempdir())):
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / "lucid_crash.txt"
            path.write_text(text, encoding="utf-8", errors="backslashreplace")
            return path
    return None


SECTIONS = {
    "Make pictures": ("draw", "film", "nightmare", "studio", "album"),
    "Make them again": ("redo", "run", "show"),
    "Look into nets": (
        *("sheet", "explain", "classify", "models", "classes", "layers", "weights", "convert"),
    ),
    "Get on": ("help", "doctor", "bench", "completion"),
}


@click.group(cls=Lucid, sections=SECTIONS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lucid")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(debug: bool) -> None:
    """Let a neural net dream.

    \b
    lucid draw --class goldfish              draw what a class looks like
    lucid draw photo.jpg --class goldfish    find that class in a photograph
    lucid nightmare NET photo.jpg LAYER      amplify what a layer sees in a picture
    lucid film photo.jpg --class goldfish --warp zoom:.05     dream, zoom, dream again
    lucid studio                             paint on a page, live
    lucid album --classes birds -o birds/    many pictures, on one machine or on many
    lucid redo goldfish_0000.png --size 1024x1024             the same picture, larger
    """
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        click.get_current_context().color = False
    # A program that uses torch already and calls a command has its own settings.
    if "torch" not in sys.modules:
        exit_on_signals()
        quiet_output()
        log_printable()
        tune_process()


for command in (
    *(draw, nightmare, film, studio, album, sheet, explain, show, redo, run),
    *(models, layers, classes, classify, weights, convert, bench),
    *(help, doctor, completion),
):
    main.add_command(command)
