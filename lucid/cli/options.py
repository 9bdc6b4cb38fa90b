"""Arguments of commands as dataclasses: each field is an option, with its type and its help."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lucid.cli import completers
from lucid.cli.click_types import (
    COUNT,
    DEVICE,
    FILE,
    PRECISION,
    SEED,
    SIDE,
    NameOrCode,
    Number,
    WholeNumber,
)
from lucid.cli.hints import OTHER_NAMES
from lucid.cli.sections import SectionedCommand, Sections

if TYPE_CHECKING:
    from lucid.core.device import Runtime
    from lucid.nets.net import Net

Arguments = TypeVar("Arguments")

# Keys of context.meta
TYPED = "lucid.typed"  # the parameters as they were typed, for the recipe
CHANGED = "lucid.changed"  # names of the parameters that were typed to change a recipe


def option(about: str, *names: str, **settings: Any) -> Any:
    """Declare a field of a command's arguments as an option, named ``--FIELD`` unless given."""
    settings = {"help": about, "show_default": "default" in settings, **settings}

    def add(name: str) -> Callable[[Any], Any]:
        return click.option(*(names or [f"--{name.replace('_', '-')}"]), name, **settings)

    return field(metadata={"add": add})


def flag(about: str, *names: str) -> Any:
    """Declare a field of a command's arguments as an option without a value."""
    return option(about, *names, is_flag=True)


def argument(**settings: Any) -> Any:
    """Declare a field as an argument of a command, with settings of ``click.argument``."""
    return field(metadata={"add": functools.partial(click.argument, **settings)})


RANKS = ("strongest", "weakest", "average")
"""Of channels, as ``lucid.rank_channels`` takes them."""

OUTPUT = ("output", "force", "no_recipe", "preview", "verbose", "quiet", "yes")
MACHINE: Sections = {
    "Net": ("net_name", "weights", "names"),
    "Machine": ("device", "precision", "deterministic", "batch", "pooling"),
}
"""Parameters by the sections of the help in which several commands have them."""


def takes(
    arguments: type[Arguments],
) -> Callable[[Callable[[Arguments], None]], Callable[..., None]]:
    """Give a command the parameters that a dataclass declares, and call it with an instance."""

    def decorate(function: Callable[[Arguments], None]) -> Callable[..., None]:
        @functools.wraps(function)
        def callback(**params: Any) -> None:
            function(arguments(**params))

        declared = {each.name: each for each in fields(arguments)}  # type: ignore[arg-type]
        # In the help text the fields of a base class follow the class's own.
        order = [name for owner in arguments.__mro__ for name in inspect.get_annotations(owner)]
        for name in reversed(order):
            callback = declared[name].metadata["add"](name)(callback)
        return callback

    return decorate


class OneDashCommand(SectionedCommand):
    """A command whose long options may be written with one dash, as Darknet's are."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command's words, and keep them as they were typed under ``TYPED``."""
        known = [name for parameter in self.get_params(ctx) for name in parameter.opts]
        for word in args:
            if word == "--":
                break
            name = word.split("=")[0]
            # click alone would read a mistyped -octave as -o ctave.
            if re.match(r"-[a-zA-Z]{2}", name) and name not in known:
                near = [each for each in known if each.lstrip("-")[:3] == name[1:4]]
                raise click.NoSuchOption(name, possibilities=near, ctx=ctx)
            if name not in known and name in OTHER_NAMES:
                raise click.UsageError(f"there is no option {name}: give {OTHER_NAMES[name]}")
        ctx.meta[TYPED] = self.make_parser(ctx).parse_args(list(args))[0]
        return super().parse_args(ctx, args)


@dataclass(frozen=True, kw_only=True)
class NetArguments:
    """Options of every command that reads a net's files."""

    weights: Path | None = option(
        "File of the net's weights: .weights for a Darknet cfg; .pth or .safetensors for "
        "torchvision's and timm's nets, with any number of classes. Without it, the file beside "
        "the cfg, or the published ones.",
        type=FILE,
    )
    names: Path | None = option("File of the net's class names, one a line.", type=FILE)


@dataclass(frozen=True, kw_only=True)
class DeviceArguments(NetArguments):
    """Options of every command that computes gradients."""

    device: str = option(**DEVICE)
    precision: str = option(
        "Number format of the net. auto is bf16 on hardware that multiplies it, else fp32.",
        type=PRECISION,
        default="auto",
    )
    deterministic: bool = flag(
        "Use only operations that give the same bytes on every run (on a CPU, all do)."
    )
    pooling: str = option(
        "How the net pools: by maxima, as it was trained, or by averages, for smoother pictures.",
        type=click.Choice(["max", "avg"]),
        default="max",
    )

    @property
    def runtime(self) -> Runtime:
        """Where and how the net runs."""
        from lucid.core.device import Runtime

        return Runtime(
            self.device, self.precision, deterministic=self.deterministic, pooling=self.pooling
        )


@dataclass(frozen=True, kw_only=True)
class RunArguments(DeviceArguments):
    """Options of every command that paints step by step."""

    preview: bool = flag("Show the picture while it grows, in terminals that can.")
    verbose: bool = flag("Print the settings in use.", "-v", "--verbose")
    quiet: bool = flag("Print nothing but errors.", "-q", "--quiet")
    no_recipe: bool = flag(
        "Keep no recipe in the picture: not how it was made, nor the names of your files."
    )
    yes: bool = flag("Do not ask before work of more than an hour.", "-y", "--yes")


@dataclass(frozen=True, kw_only=True)
class PaintArguments(RunArguments):
    """Options that ``lucid draw`` and ``lucid film`` share."""

    base: tuple[Path, ...] = argument(nargs=-1, type=FILE)
    net_name: str = option(
        "Net to use: a name from `lucid models`, timm/NAME or hf-hub:OWNER/NAME, or the path of a "
        ".cfg; or a program that is run and makes one: a saved one (.pt, .pt2), FILE.py:NAME or "
        "package.module:NAME.",
        "--net",
        default="lucid64",
        shell_complete=completers.nets,
        metavar="NET",
    )
    strength: float = option(
        "How far to change the picture: .1 is a shimmer, 1 is usual, 3 leaves little of a base.",
        type=Number(0, 100),
        default=1.0,
    )
    variety: float | None = option(
        "Contrast of the broad random shapes that a picture from noise starts with: 0 for none, 1 "
        "for that of photographs. The more, the less several seeds resemble each other.",
        type=Number(0, 10),
    )
    mix: Path | None = option(
        "TOML or JSON file of classes and weights (goldfish = 0.7); or random, every class with a "
        "weight of 1 or -1 at random, by the seed.",
        type=FILE,
        metavar="FILE|random",
    )
    random_classes: int | None = option(
        "Number of classes to draw at random, by the seed, and to mix.", type=COUNT
    )
    channels: tuple[str, int] | None = option(
        "Channels of the --layer to excite: so many of the strongest, weakest or most average "
        "ones, as the layer sees BASE.",
        type=(click.Choice(RANKS), COUNT),
        metavar="strongest|weakest|average N",
    )
    objectives: tuple[str, ...] = option(
        "Objective of your own to maximise: FILE.py:NAME, or a name that an installed package "
        "offers.",
        "--objective",
        multiple=True,
        metavar="FILE.py:NAME",
    )
    guide: Path | None = option("Image to resemble, as one --layer sees it.", type=FILE)
    direction: Path | None = option(
        "NumPy file of a direction to climb along, one number for each channel of the --layer: of "
        "a probe, a principal component, or (with --row) a sparse autoencoder.",
        type=FILE,
        metavar="FILE.npy",
    )
    row: int | None = option(
        "Row of the --direction, of a file that holds many.", type=WholeNumber(0, 2**31 - 1)
    )
    caricature: str | None = option(
        "Layer to exaggerate BASE with: what the layer sees there grows, and the rest goes.",
        metavar="LAYER",
        shell_complete=completers.layers,
    )
    path: str | None = option(
        "Path to draw along with a soft round brush. X and Y are from 0 to 1.",
        metavar="line|circle|sine|'X,Y X,Y …'",
    )
    brush: int | None = option(
        "Diameter of the brush in pixels. Without it, the side of a tile.", type=SIDE
    )
    preset: str | None = option(
        "Hyperparameters of the drawing: deepdream (Google's, for --layer), deepdraw, dreampy "
        "(dream.py's), or a .toml or .json file.",
        metavar="NAME|FILE",
        shell_complete=completers.presets,
    )
    canvas: str | None = option(
        "Parameterization of the picture: Fourier coefficients; pixels; phases alone, with the "
        "contrast of photographs (MACO); or cppn, a small network, whose fields of colour are "
        "smooth as glass, from noise alone.  [default: fourier]",
        type=NameOrCode("fourier", "pixels", "phase", "cppn"),
    )
    weight_decay: float | None = option(
        "How fast what is painted fades to grey while it is painted: .5 is soft, 2 a mist: only "
        "what the net insists on stays.",
        type=Number(0, 100),
    )
    laplacian: int | None = option(
        "Levels of a Laplacian pyramid by which the gradient is normalised, as in Google's later "
        "DeepDream: broad shapes then grow as fast as fine ones. 4 is usual.",
        type=WholeNumber(0, 16),
    )
    flip: bool | None = flag("Mirror half of what the net is shown, at random.")
    mask: Path | None = option(
        "Image that is bright where the picture may change; or top, bottom, left, right, center or "
        "sky.",
        type=FILE,
        metavar="FILE|top|bottom|left|right|center|sky",
    )
    keep_colors: bool = flag("Keep the colours of the base: change only brightness.")
    padding: str = option(
        "Padding beyond the border. wrap makes a seamless texture; mean is deepdraw's.",
        type=click.Choice(["reflect", "wrap", "mean"]),
        default="reflect",
    )
    octave_scale: float | None = option(
        "Ratio of each octave's size to the one before.  [default: 1.4]",
        type=Number(1, 10),
    )
    tile_size: int | None = option(
        "Side of a tile in pixels. Without it, 224, or the size that the net is built for.",
        type=SIDE,
    )
    batch: int | None = option(
        "Largest number of tiles that the net sees at once. Without it, as many as pay off and "
        "fit into memory; -v prints how many.",
        type=COUNT,
    )
    seed: int | None = option(
        "Seed of all random draws. Without it, a new one each time.", type=SEED
    )
    force: bool = flag("Overwrite the output if it exists.")

    @property
    def runtime(self) -> Runtime:
        """Where and how the net runs."""
        return replace(super().runtime, batch=self.batch)

    def load_meta(self) -> Net:
        """Load the net without its weights."""
        from lucid.nets.registry import load_meta

        return load_meta(self.net_name, self.weights, self.names)

    def load(self) -> Net:
        """Load the net, downloading its weights if need be."""
        from lucid.nets.registry import load

        return load(self.net_name, self.weights, self.names, progress=not self.quiet)
