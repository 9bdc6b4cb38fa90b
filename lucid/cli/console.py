"""What commands print: progress bar, preview, settings, log, and the files they wrote."""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

import click

from lucid.errors import printable

if TYPE_CHECKING:
    from lucid.cli.options import RunArguments
    from lucid.nets.net import Net


def echo(text: str, *, err: bool = False) -> None:
    """Print a line on standard output, or on standard error; escape what is not printable."""
    click.echo(printable(text), err=err)


class PrintableFormatter(logging.Formatter):
    """Formats log messages as one printable line."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a message."""
        return printable(super().format(record))


class ProgressBar(Protocol):
    """What the commands use of click's progress bar, whose own class is private."""

    length: int | None
    pos: int

    def update(self, n_steps: int) -> None:
        """Advance the bar."""


def progress_bar(label: str, length: int, quiet: bool) -> AbstractContextManager[ProgressBar]:
    """Show a bar with the time left on standard error, if that is a terminal and not ``quiet``."""
    return click.progressbar(
        length=length,
        label=printable(label),
        file=sys.stderr,
        hidden=quiet or not sys.stderr or not sys.stderr.isatty(),
    )


def start_log(arguments: RunArguments, net: Net, seed: int) -> None:
    """Print log messages as ``-v`` and ``-q`` say; with ``-v`` also what a result depends on."""
    level = logging.ERROR if arguments.quiet else logging.WARNING
    level = logging.INFO if arguments.verbose else level
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("%(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    if not arguments.verbose:
        return
    import torch

    from lucid.core.device import find_devices, find_precision, precision_name

    devices = find_devices(arguments.device)
    dtype = precision_name(find_precision(arguments.precision, devices[0]))
    echo(
        f"{net.name} on {', '.join(map(str, devices))} ({torch.get_num_threads()} threads), "
        f"{dtype}, seed {seed}, torch {torch.__version__}",
        err=True,
    )


def print_written(paths: list[Path], note: str = "") -> None:
    """Print the names of the pictures that were written."""
    if len(paths) > 2:
        echo(f"wrote {len(paths)} pictures, {paths[0]} to {paths[-1].name}{note}")
    else:
        for path in paths:
            echo(f"wrote {path}{note}")


def exit_stopped(paths: list[Path]) -> NoReturn:
    """End the program after Ctrl-C, naming the last picture that was written."""
    if paths:
        echo(f"stopped: the picture so far is {paths[-1]}", err=True)
    else:
        echo("stopped before there was a picture", err=True)
    raise SystemExit(130)
