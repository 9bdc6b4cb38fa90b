"""``lucid nightmare``: its options. What it does stands in ``nightmare_job``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from lucid.cli import completers
from lucid.cli.click_types import (
    COUNT,
    FILE,
    FIT,
    NUMBER,
    SEED,
    SIDE,
    SIZE,
    SizeSpec,
    WholeNumber,
    parse_grey,
)
from lucid.cli.options import (
    MACHINE,
    OUTPUT,
    OneDashCommand,
    RunArguments,
    argument,
    flag,
    option,
    takes,
)


def one_dash(about: str, name: str, **settings: Any) -> Any:
    """Declare a field as one of Darknet's options, spelt ``-name`` or ``--name``."""
    return option(about, f"--{name}", f"-{name}", **settings)


@dataclass(frozen=True, kw_only=True)
class NightmareArguments(RunArguments):
    """Arguments of ``lucid nightmare``."""

    words: tuple[str, ...] = argument(
        nargs=-1,
        required=True,
        metavar="CFG WEIGHTS IMAGE... LAYER",
        shell_complete=completers.nightmare,
    )
    rounds: int = one_dash("Number of pictures to make.", "rounds", type=COUNT, default=1)
    iters: int = one_dash("Steps in a round.", "iters", type=COUNT, default=10)
    layer_range: int = one_dash(
        "Number of layers around LAYER, of which each step takes one at random.",
        "range",
        type=COUNT,
        default=1,
    )
    octaves: int = one_dash(
        "Number of scales, of which each step takes one at random; each is 3/4 of the one before.",
        "octaves",
        type=COUNT,
        default=4,
    )
    rate: float = one_dash(
        "Step size (.05 on Darknet's page, .04 in its program).", "rate", type=NUMBER, default=0.05
    )
    threshold: float = one_dash(
        "Enhance only features this many standard deviations above the mean.",
        "thresh",
        type=NUMBER,
        default=1.0,
    )
    zoom: float = one_dash(
        "Share of the picture, around its centre, that fills the picture after each round.",
        "zoom",
        type=NUMBER,
        default=1.0,
    )
    rotate: float = one_dash(
        "Rotation after each round, in radians.", "rotate", type=NUMBER, default=0.0
    )
    rotate_degrees: float | None = option("Rotation after each round, in degrees.", type=NUMBER)
    norm: int = one_dash(
        "0: do not normalize the steps.",
        "norm",
        type=WholeNumber(-(2**31), 2**31 - 1),
        default=1,
    )
    prefix: Path = one_dash(
        "Folder to write into.", "prefix", type=FILE, default=Path(), show_default=False
    )
    size: SizeSpec | None = option(
        "Size that the image is brought to first: 640x480; 640x or x480; 640, the longest side; or "
        "50%. Without it, its own.",
        **SIZE,
    )
    fit: str = option(**FIT)
    output: Path | None = option(
        "File to write, in place of -prefix and Darknet's name: the last picture of -rounds. "
        "{stem}, {net}, {layer} and {seed} stand for what they say.",
        "-o",
        "--output",
        type=FILE,
    )
    reconstruct: bool = one_dash(
        "Rebuild the image from what LAYER sees of it, and from nothing else.",
        "reconstruct",
        is_flag=True,
    )
    momentum: float = one_dash(
        "With -reconstruct: share of each step that the next step keeps.",
        "momentum",
        type=NUMBER,
        default=0.9,
    )
    pull: float = one_dash(
        "With -reconstruct: weight that draws neighbouring pixels together.",
        "lambda",
        type=NUMBER,
        default=0.01,
    )
    reach: int = one_dash(
        "With -reconstruct: distance of the farthest neighbour in pixels.",
        "smooth",
        type=WholeNumber(0, 100),
        default=1,
    )
    grey: str | float | None = option(
        "Pull towards grey. darknet: 0.1 x (0.5 - image) is added to the raw gradient; X: X x "
        "(0.5 - image) is added to the gradient divided by its standard deviation; auto: darknet "
        "unless that would drown the gradient, else 0.1.  [default: auto]",
        type=parse_grey,
        metavar="auto|darknet|X",
    )
    steps_file: Path | None = option(
        "JSON file of steps to take, in place of -iters, -range, -octaves and --seed. Unless you "
        "give others, --grey is then darknet and --precision fp32.",
        "--steps",
        type=FILE,
    )
    save_steps: Path | None = option("File to write the steps to, for --steps.", type=FILE)
    tile_size: int | None = option(
        "Largest side in pixels that the net sees at once. The result is the same but for "
        "rounding (compare at fp32). Without it, what fits into half of the memory.",
        type=SIDE,
    )
    seed: int = option("Seed of all random draws.", type=SEED, default=0)
    force: bool = flag("Overwrite pictures of an earlier run.")


SECTIONS = {
    "How": (
        *("rounds", "iters", "layer_range", "octaves", "rate", "threshold", "zoom", "rotate"),
        *("rotate_degrees", "norm", "grey", "seed", "steps_file"),
    ),
    "Size": ("size", "fit"),
    "Rebuild an image from a layer": ("reconstruct", "momentum", "pull", "reach"),
    "Output": (*OUTPUT[:1], "prefix", "save_steps", *OUTPUT[1:]),
    **MACHINE,
    "Machine": (*MACHINE["Machine"], "tile_size"),
}


@click.command(cls=OneDashCommand, sections=SECTIONS, options_metavar="[OPTIONS]")
@takes(NightmareArguments)
def nightmare(arguments: NightmareArguments) -> None:
    """Amplify what a layer of a net sees in a picture: Darknet's nightmare.

    \b
    lucid nightmare CFG WEIGHTS IMAGE LAYER    as Darknet has it
    lucid nightmare NET IMAGE LAYER            a net by name
    lucid nightmare NET photos/*.jpg LAYER     several pictures, one by one

    LAYER is a Darknet layer's number, or a layer's name (see `lucid layers NET`).
    Darknet's own options take one dash or two. Each round is written as
    IMAGE_NET_LAYER_000000.png, counting up from 0 in every run, as Darknet
    does. Pictures of an earlier run are kept: give another -prefix, or --force.
    """
    from lucid.cli.nightmare_job import run_nightmare

    run_nightmare(arguments)
