"""What commands print: progress bar, preview, settings, log, and the files they wrote."""

from __future__ import annotations

import logging
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

import click

if TYPE_CHECKING:
    from lucid.imaging.preview import Preview
    from lucid.nets.net import Net


class ProgressBar(Protocol):
    """What the commands use of click's progress bar.

    Attributes:
        length: Number of steps in all.
        pos: Number of steps done.
    """

    length: int | None
    pos: int

    def update(self, n_steps: int) -> None:
        """Advance the bar by some steps."""


def progress_bar(label: str, length: int, quiet: bool) -> AbstractContextManager[ProgressBar]:
    """Show a bar with the time left on standard error, if that is a terminal.

    Args:
        label: Text before the bar.
        length: Number of steps in all.
        quiet: Whether to hide the bar.
    """
    return click.progressbar(
        length=length,
        label=label,
        file=sys.stderr,
        hidden=quiet or not sys.stderr or not sys.stderr.isatty(),
    )


def open_preview(wanted: bool) -> Preview | None:
    """Open the terminal's preview of pictures if ``--preview`` was given, else return None."""
    if not wanted:
        return None
    from lucid.imaging.preview import Preview

    return Preview()


def configure_logging(verbose: bool, quiet: bool) -> None:
    """Print log messages: all of them with ``-v``, only errors with ``-q``, else warnings too."""
    level = logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", force=True)


def print_settings(net: Net, device: str, precision: str, seed: int) -> None:
    """Print what a result depends on besides the options: net, device, precision, versions.

    Args:
        net: Net that runs.
        device: Value of ``--device``.
        precision: Value of ``--precision``.
        seed: Seed of the run.
    """
    import torch

    from lucid.core.device import find_devices, find_precision, precision_name

    devices = find_devices(device)
    dtype = precision_name(find_precision(precision, devices[0]))
    click.echo(
        f"{net.name} on {', '.join(map(str, devices))} ({torch.get_num_threads()} threads), "
        f"{dtype}, seed {seed}, torch {torch.__version__}",
        err=True,
    )


def print_written(paths: list[Path], note: str = "") -> None:
    """Print the names of the pictures that were written.

    Args:
        paths: Files in the order they were written.
        note: Text to print behind them.
    """
    if len(paths) > 2:
        click.echo(f"wrote {len(paths)} pictures, {paths[0]} to {paths[-1].name}{note}")
    else:
        for path in paths:
            click.echo(f"wrote {path}{note}")


def exit_stopped(paths: list[Path]) -> NoReturn:
    """End the program after Ctrl-C, naming the last picture that was written.

    Args:
        paths: Files written so far.
    """
    if paths:
        click.echo(f"stopped: the picture so far is {paths[-1]}", err=True)
    else:
        click.echo("stopped before there was a picture", err=True)
    raise SystemExit(130)
