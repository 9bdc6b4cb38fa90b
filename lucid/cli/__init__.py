"""The command line. One file a command; torch is imported when one runs."""

from __future__ import annotations

import errno
import os
from typing import NoReturn

import click

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
from lucid.errors import LucidError


class Lucid(click.Group):
    """A group that shows what went wrong in one line, never as a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except LucidError as error:
            fail(ctx, str(error), error.exit_code)
        except click.UsageError as error:
            fail(ctx, error.format_message(), error.exit_code)
        except OSError as error:  # a name too long, a folder that may not be read, a full disk
            if error.errno == errno.EPIPE:  # `lucid models | head` is no mistake
                raise
            fail(ctx, f"{error.filename or 'file'}: {error.strerror or error}", 1)


def fail(ctx: click.Context, message: str, exit_code: int) -> NoReturn:
    click.echo(click.style("Error: ", fg="red") + message, err=True)
    ctx.exit(exit_code)


@click.group(cls=Lucid, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lucid")
def main() -> None:
    """Let a neural net dream.

    \b
    lucid draw --class goldfish              paint what a class looks like
    lucid draw photo.jpg --class goldfish    find it in a photograph
    lucid nightmare NET photo.jpg LAYER      let a layer have its way
    lucid film photo.jpg --class goldfish --warp zoom:.05     dream on and on
    lucid redo goldfish_0000.png --size 1024x1024             the same, larger
    """
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        click.get_current_context().color = False


for command in (
    *(draw, nightmare, film, show, redo, run),
    *(models, layers, classes, classify, weights, convert, bench),
    *(doctor, completion),
):
    main.add_command(command)
