"""The command line: one command a file.

Torch takes more than a second to import, so ``lucid --help`` must not import it. A module that
defines a command imports torch, or any module of lucid that does, inside functions only. What a
long command does stands in a ``*_job.py`` of its own, which may import torch at its top: the
command imports it when it runs.
"""

from __future__ import annotations

import errno
import os
import sys

import click

try:
    from lucid.errors import LucidError
except ImportError as error:  # another package called lucid is installed over this one
    sys.exit(f"Error: {error}")
from lucid import __version__
from lucid.cli.bench import bench
from lucid.cli.classes import classes
from lucid.cli.classify import classify
from lucid.cli.completion import completion
from lucid.cli.convert import convert
from lucid.cli.doctor import doctor
from lucid.cli.draw import draw
from lucid.cli.film import film
from lucid.cli.layers import layers
from lucid.cli.models import models
from lucid.cli.nightmare import nightmare
from lucid.cli.redo import redo
from lucid.cli.run import run
from lucid.cli.show import show
from lucid.cli.weights import weights
from lucid.process import tune_process


class Lucid(click.Group):
    """A group whose commands report an error in one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; print ``Error:`` and exit with the error's code if it fails."""
        try:
            return super().invoke(ctx)
        except LucidError as error:
            message, exit_code = str(error), error.exit_code
        except click.UsageError as error:
            message, exit_code = error.format_message(), error.exit_code
        except OSError as error:  # a name that is too long, an unreadable folder, a full disk
            if error.errno == errno.EPIPE:  # `lucid models | head` is no mistake
                raise
            message, exit_code = f"{error.filename or 'file'}: {error.strerror or error}", 1
        click.echo(click.style("Error: ", fg="red") + message, err=True)
        return ctx.exit(exit_code)


@click.group(cls=Lucid, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lucid")
def main() -> None:
    """Let a neural net dream.

    \b
    lucid draw --class goldfish              draw what a class looks like
    lucid draw photo.jpg --class goldfish    find that class in a photograph
    lucid nightmare NET photo.jpg LAYER      amplify what a layer sees in a picture
    lucid film photo.jpg --class goldfish --warp zoom:.05     dream, zoom, dream again
    lucid redo goldfish_0000.png --size 1024x1024             the same picture, larger
    """
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        click.get_current_context().color = False
    # A program that uses torch already and calls a command has its own settings.
    if "torch" not in sys.modules:
        tune_process()


for command in (
    *(draw, nightmare, film, show, redo, run),
    *(models, layers, classes, classify, weights, convert, bench),
    *(doctor, completion),
):
    main.add_command(command)
