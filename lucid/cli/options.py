"""What the commands share: options, a progress bar, and what is said at the end."""

from __future__ import annotations

import contextlib
import glob
import io
import logging
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

    from lucid.imaging.preview import Preview
    from lucid.nets.net import Net

Function = TypeVar("Function", bound=Callable[..., Any])

DEFAULT_NET = "lucid64"

FILE = click.Path(path_type=Path)


class OneDashCommand(click.Command):
    """A command whose long options may be written with one dash, as Darknet's are.

    What starts with one dash and is no option of the command is refused:
    click alone would read a mistyped ``-octave`` as ``-o ctave``.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = [name for parameter in self.get_params(ctx) for name in parameter.opts]
        for argument in args:
            if argument == "--":
                break
            name = argument.split("=")[0]
            if re.match(r"-[a-zA-Z]{2}", name) and name not in known:
                near = [option for option in known if option.lstrip("-")[:3] == name[1:4]]
                raise click.NoSuchOption(name, possibilities=near, ctx=ctx)
        ctx.meta[TYPED] = self.make_parser(ctx).parse_args(list(args))[0]
        return super().parse_args(ctx, args)


TYPED = "lucid.typed"
"""Where a context keeps its parameters as they were typed, for the recipe."""

CHANGED = "lucid.changed"
"""Where a context keeps which parameters were typed, if a recipe says the others."""

STDIN = "lucid.stdin"
"""Where a context keeps what came on standard input."""


def one_dash(name: str, *names: str, **settings: Any) -> Callable[[Function], Function]:
    """An option that is spelt ``--name`` and ``-name``."""
    return click.option(f"--{name}", f"-{name}", *names, **settings)


SEED = click.IntRange(0, 2**63 - 1)


class Size(click.ParamType):
    """WIDTHxHEIGHT in pixels; gives (height, width)."""

    name = "WxH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"0*([1-9]\d{0,6})x0*([1-9]\d{0,6})", value.lower())
        if not match:
            problem = f"{value!r} is not a width and a height in pixels, such as 640x480"
            self.fail(problem, param, ctx)
        return int(match[2]), int(match[1])


def net_files(function: Function) -> Function:
    """--weights and --names: the files that go with a net."""
    weights = click.option(
        "--weights",
        type=FILE,
        help="The net's weights: .weights for a Darknet cfg, .pth or .safetensors for torchvision. "
        "Else the file beside the cfg, else the cache.",
    )
    names = click.option("--names", type=FILE, help="The net's class names, one a line.")
    return weights(names(function))


DEVICE = click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda[:N]|mps",
    help="Where the net runs; cuda:0,cuda:1 shares the tiles out.",
)
PRECISION = click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
    default="auto",
    show_default=True,
    help="auto: bf16 where the device multiplies it in hardware, else fp32.",
)


def device_options(function: Function) -> Function:
    """--device, --precision and --deterministic."""
    deterministic = click.option(
        "--deterministic",
        is_flag=True,
        help="Only operations that give the same bytes each time (a CPU's always do).",
    )
    return DEVICE(PRECISION(deterministic(function)))


PREVIEW = click.option(
    "--preview", is_flag=True, help="Show the picture as it grows, in terminals that can."
)


def verbosity(function: Function) -> Function:
    """-q and -v."""
    verbose = click.option("-v", "--verbose", is_flag=True, help="Say what is used and how.")
    quiet = click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
    return verbose(quiet(function))


def progress_bar(label: str, length: int, quiet: bool) -> AbstractContextManager[ProgressBar[int]]:
    """A bar on standard error with the time left; hidden unless that is a terminal."""
    return click.progressbar(
        length=length,
        label=label,
        file=sys.stderr,
        hidden=quiet or not sys.stderr or not sys.stderr.isatty(),
    )


def terminal(asked_for: bool) -> Preview | None:
    """Where --preview shows pictures."""
    if not asked_for:
        return None
    from lucid.imaging.preview import Preview

    return Preview()


def make_folder(folder: Path) -> None:
    """Make a folder to write into, if it is not there yet."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.UsageError(f"{folder}: cannot be made a folder ({error.strerror})") from error


def configure_logging(verbose: bool, quiet: bool) -> None:
    """Say what the program notes as it runs: with -v all, with -q nothing."""
    level = logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING
    logging.basicConfig(level=level, format="%(message)s", force=True)


def tell_machine(net: Net, device: str, precision: str, seed: int) -> None:
    """What -v says: everything that a run's result depends on beside its options."""
    import torch

    from lucid.core.device import find_devices, find_precision, precision_name

    devices = find_devices(device)
    how = precision_name(find_precision(precision, devices[0]))
    click.echo(
        f"{net.name} on {', '.join(map(str, devices))} ({torch.get_num_threads()} threads), {how}, "
        f"seed {seed}, torch {torch.__version__}",
        err=True,
    )


def find_files(patterns: Sequence[Path]) -> list[Path]:
    """The files that were typed, be it with ``*`` and its like.

    Shells find them themselves, but not on Windows, nor within quotes.
    """
    found: list[Path] = []
    for pattern in patterns:
        if pattern.exists() or not glob.has_magic(str(pattern)):
            found.append(pattern)
            continue
        fitting = sorted(glob.glob(str(pattern)))
        if not fitting:
            raise click.UsageError(f"{pattern}: no file fits")
        found += map(Path, fitting)
    return found


def resolve_stdin(path: Path) -> Path:
    """The path; where that is ``-``, of a file that holds what came on standard input."""
    if str(path) != "-":
        return path
    context = click.get_current_context()
    # Read once, however often it is asked for.
    if STDIN not in context.meta:
        if not sys.stdin or sys.stdin.isatty():
            raise click.UsageError("-: nothing comes on standard input: pipe a picture in")
        content = sys.stdin.buffer.read()
        if not (ending := _ending(content)):
            raise click.UsageError("-: what came on standard input is no picture, nor a video")
        folder = context.with_resource(tempfile.TemporaryDirectory())
        context.meta[STDIN] = Path(folder) / f"stdin{ending}"
        context.meta[STDIN].write_bytes(content)
    return context.meta[STDIN]


def _ending(content: bytes) -> str:
    """What the name of a file should end in, by what is in it: a picture's, else a video's."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            return f".{(image.format or 'png').lower()}"
    except (UnidentifiedImageError, OSError, ValueError):
        return ".mp4" if content[4:8] == b"ftyp" else ""


@contextlib.contextmanager
def stdout_target(output: Path | None, suffix: str) -> Iterator[Path | None]:
    """Where to write what is to go to ``output``: of ``-``, standard output, a file that is
    copied there at the end."""
    if str(output) != "-":
        yield output
        return
    if not sys.stdout:
        raise click.UsageError("-o -: standard output is closed")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"stdout{suffix}"
        try:
            yield path
        finally:  # after Ctrl-C, the picture so far
            if path.exists():
                with path.open("rb") as file:
                    shutil.copyfileobj(file, sys.stdout.buffer)


def output_paths(output: Path | None, bases: Sequence[Path]) -> list[Path | None]:
    """What ``-o`` names for each of several bases, by their stems."""
    if output is None:
        return [None] * len(bases)
    stems = ("stdin" if str(base) == "-" else base.stem for base in bases)
    named = [Path(str(output).replace("{stem}", stem)) for stem in stems]
    if len(set(named)) < len(named):
        twice = next(path for path in named if named.count(path) > 1)
        raise click.UsageError(
            f"{twice} would be written more than once: give an -o with {{stem}}, for each base's "
            "name, and bases of different names"
        )
    return list(named)


def check_alone(output: Path | None, bases: Sequence[Path], refused: dict[str, Any]) -> None:
    """Refuse what standard output cannot take, and to resume several at once.

    Args:
        output: what ``-o`` names.
        bases: to paint on.
        refused: options that write more than one file, by name, each with its value.
    """
    several = len(bases) > 1
    for name, given in {**refused, "several bases": several}.items():
        if given and str(output) == "-":
            raise click.UsageError(f"-o - takes one picture: leave {name} out, or name a file")
    if several and refused.get("--resume"):
        raise click.UsageError("--resume goes on with one at a time: give one base")


def refuse_overwrite(paths: Iterable[Path], force: bool) -> None:
    """Refuse to overwrite what is there already, unless that is asked for."""
    for path in paths:
        if path.exists() and not force:
            raise click.UsageError(f"{path} exists: give --force to overwrite it")


def tell_written(paths: list[Path], more: str = "") -> None:
    """Name the pictures that were made."""
    if len(paths) > 2:
        click.echo(f"wrote {len(paths)} pictures, {paths[0]} to {paths[-1].name}{more}")
    else:
        for path in paths:
            click.echo(f"wrote {path}{more}")


def stopped(paths: list[Path]) -> NoReturn:
    """End after Ctrl-C, saying what there is to show for it."""
    if paths:
        click.echo(f"stopped: the picture so far is {paths[-1]}", err=True)
    else:
        click.echo("stopped before there was a picture", err=True)
    raise SystemExit(130)
