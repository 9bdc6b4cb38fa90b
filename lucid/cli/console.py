"""What commands print: progress bar, preview, settings, log, and the files they wrote."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from lucid.errors import printable

if TYPE_CHECKING:
    from lucid.cli.options import RunArguments
    from lucid.nets.net import Net

PAINTING = "lucid.painting"  # key of context.meta: what was said to be painted


def echo(text: str, *, err: bool = False) -> None:
    """Print a line on standard output, or on standard error; escape what is not printable."""
    click.echo(printable(text), err=err)


class PrintableFormatter(logging.Formatter):
    """Formats log messages as one printable line."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a message."""
        return printable(super().format(record))


def log_printable(level: int = logging.WARNING) -> None:
    """Print log messages from a level on, on standard error, each as one printable line."""
    handler = logging.StreamHandler()
    handler.setFormatter(PrintableFormatter("%(message)s"))
    logging.basicConfig(level=level, handlers=[handler], force=True)


class ProgressBar:
    """A bar with the time left, and a word about work that will take long.

    Attributes:
        bar: click's bar.
    """

    FIRST_ESTIMATE = 10.0  # seconds of work, after which the time left is known well enough
    WORTH_SAYING = 600.0  # seconds
    WORTH_ASKING = 3600.0  # seconds

    def __init__(self, bar: Any, *, quiet: bool, ask: bool) -> None:
        self.bar = bar
        self._quiet, self._ask, self._told = quiet, ask, False
        self._begin, self._first = time.monotonic(), 0

    def set_length(self, length: int) -> None:
        """Say how many steps there are, if that was not known before."""
        self.bar.length = length

    def skip(self, steps: int) -> None:
        """Advance over steps that an earlier run did."""
        self._first = steps
        self.bar.update(steps)

    def update(self, steps: int) -> None:
        """Advance the bar; estimate the time left once.

        Raises:
            KeyboardInterrupt: that is more than an hour, and the user does not want to wait.
        """
        self.bar.update(steps)
        spent, done = time.monotonic() - self._begin, self.bar.pos - self._first
        if self._told or spent < self.FIRST_ESTIMATE or done <= 0:
            return
        self._told = True
        left = spent * (self.bar.length - self.bar.pos) / done
        if left > self.WORTH_SAYING and not self._quiet:
            echo(
                f"about {format_time(left)} to go: Ctrl-C stops, and keeps what there is", err=True
            )
        if left > self.WORTH_ASKING and self._ask and not self._confirm():
            raise KeyboardInterrupt

    @staticmethod
    def _confirm() -> bool:
        try:
            return click.confirm("Go on?", err=True)
        except click.Abort:  # Ctrl-C, or the end of standard input
            return False


def format_time(seconds: float) -> str:
    """Format a time of minutes, hours or days, such as ``2 h 05 min``."""
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes // (24 * 60):,} days"


@contextlib.contextmanager
def progress_bar(
    label: str, length: int, arguments: RunArguments | None = None
) -> Iterator[ProgressBar]:
    """Show a bar with the time left on standard error, if that is a terminal and not ``quiet``."""
    quiet = arguments is not None and arguments.quiet
    terminal = bool(sys.stderr and sys.stderr.isatty())
    ask = terminal and bool(sys.stdin and sys.stdin.isatty())
    ask = ask and arguments is not None and not arguments.yes and not quiet
    with click.progressbar(
        length=length, label=printable(label), file=sys.stderr, hidden=quiet or not terminal
    ) as bar:
        yield ProgressBar(bar, quiet=quiet, ask=ask)


def start_log(arguments: RunArguments, net: Net, seed: int) -> None:
    """Print log messages as ``-v`` and ``-q`` say; with ``-v`` also what a result depends on."""
    level = logging.ERROR if arguments.quiet else logging.WARNING
    level = logging.INFO if arguments.verbose else level
    log_printable(level)
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


def print_painting(arguments: RunArguments, what: str) -> None:
    """Say what is painted, so that a name that was understood otherwise is seen at once."""
    said = click.get_current_context().meta
    if what and not arguments.quiet and said.get(PAINTING) != what:  # of several bases, once
        echo(f"painting {what}", err=True)
        said[PAINTING] = what


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
