"""``lucid draw``: its options. What it does stands in ``draw_job``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from lucid.cli import completers
from lucid.cli.click_types import (
    CLASSES,
    COUNT,
    FILE,
    FIT,
    LAYERS,
    SIZE,
    NameOrCode,
    Number,
    SizeSpec,
    WholeNumber,
    parse_moment,
)
from lucid.cli.options import MACHINE, OUTPUT, OneDashCommand, PaintArguments, flag, option, takes
from lucid.drawing.specs import ClassSpec, LayerSpec


@dataclass(frozen=True, kw_only=True)
class DrawArguments(PaintArguments):
    """Arguments of ``lucid draw``."""

    classes: tuple[ClassSpec, ...] = option(
        "Class to draw: its name or number, the end of a name that only one has (retriever), or a "
        "group (birds, dogs, insects, …). Several are mixed. REGION says where: X,Y or "
        "X,Y,DIAMETER (X and Y from 0 to 1, DIAMETER in pixels) or a mask image.",
        "--class",
        metavar="NAME[:WEIGHT][@REGION]",
        **CLASSES,
    )
    skin: str | None = option(
        "Class that lends its pattern: it is painted on the --class, where the net sees that.",
        metavar="NAME",
        shell_complete=completers.classes,
    )
    layers: tuple[LayerSpec, ...] = option(
        "Layer to excite, or channels of it, or one neuron at a position of the tile. Layers with "
        "weights (8:5:-0.5, and 8::-0.5 for a whole layer) are added up.",
        "--layer",
        metavar="LAYER[:CHANNEL,…[@X,Y]][:WEIGHT]",
        **LAYERS,
    )
    edits: tuple[tuple[tuple[int, int], str], ...] = option(
        "Change something under way, after so many passes: class=NAME or layer=NAME (in place of "
        "everything before), strength=NUMBER, mask=FILE or mask=everywhere, erase=FILE (back to "
        "the base there), padding=NAME, iters=NUMBER of this octave, seed=NUMBER, or stop; several "
        "with ; in between. 40.2 is after two rings of the next pass.",
        "--at",
        type=(parse_moment, str),
        multiple=True,
        metavar="PASS NAME=VALUE",
    )
    blur: float | None = option(
        "Standard deviation in pixels of a blur after each pass.", type=Number(0, 100)
    )
    tv: float | None = option(
        "Weight of the total variation penalty, which smooths: the mean difference of neighbouring "
        "pixels, where 1 weighs as much as the gradient of the objective.",
        type=Number(0, 100),
    )
    noise: float | None = option(
        "Standard deviation of noise that is added to what the net is shown, never to the picture; "
        "pixels are 0 to 1. Without it, what suits the net.",
        type=Number(0, 1),
    )
    tint: float | None = option(
        "Largest random change of the colours that the net is shown: .15 is 15 %. Without it, what "
        "suits the net.",
        type=Number(0, 1),
    )
    size: SizeSpec | None = option(
        "Size of the picture: 640x480; 640x or x480, the other side as the base's shape has it; "
        "640, the longest side; or 50% of the base. Without it, the size of the base, or 224x224.",
        **SIZE,
    )
    fit: str = option(**FIT)
    alpha: bool = flag(
        "Make the picture transparent where what was painted matters little to the net."
    )
    quick: bool = flag(
        "Make a preview: at most 320 pixels wide and 320 high, with half of the usual passes."
    )
    subject: str | None = option(
        "Side of one thing: a share of the picture's shorter side, such as .5; pixels, such as "
        "224px for a crowd; or tile. Without it, a class from noise fills the picture up to 512 "
        "pixels; on a base and for layers it is a tile.",
        metavar="SHARE|PIXELSpx|tile",
    )
    tiles: str = option(
        "Order of the tiles, the squares that the net sees at once. spiral: ring by ring from the "
        "centre, so that detail grows out from the middle; grid, random: all from one picture; "
        "none: the whole picture at once; fixed: as in the first version of deepdraw, with its "
        "seams.",
        "--tiles",
        "--order",
        type=NameOrCode("spiral", "random", "grid", "none", "fixed"),
        default="spiral",
    )
    overlap: float = option(
        "Overlap of neighbouring tiles, as a fraction of their side.",
        type=Number(0, 1, max_open=True),
        default=0.5,
    )
    octaves: int | None = option(
        "Number of octaves: sizes to draw at, from small to large. The last is --size, or the size "
        "at which a --subject larger than a tile fills one; none is smaller than the net was "
        "trained at (or 2/3 of a small picture). Without it, 4; with a net that was trained at "
        "less than 224 pixels, as many as lead there from that size.",
        type=COUNT,
    )
    iters: int | None = option(
        "Passes at each octave, in each of which every part of the picture is painted once. "
        "Without it, what suits the net: with most nets 48 from noise, 24 on a base.",
        type=COUNT,
    )
    count: int = option(
        "Number of pictures to draw, each with the next seed, and a sheet: one image of them all.",
        type=WholeNumber(1, 1000),
        default=1,
    )
    each: bool = flag(
        "Draw each --class by itself, and each class of a group, in place of a mix: with --count, "
        "a row of the sheet for each."
    )
    diverse: bool = flag(
        "Draw the pictures of --count side by side, and push them apart, so that they differ more "
        "than by their seeds."
    )
    save_every: int | None = option(
        "Keep the picture so far each time after this many passes.", type=COUNT
    )
    log: Path | None = option(
        "CSV file to write: for each pass the value of the objective and the probabilities of the "
        "classes, as the net sees the whole picture.",
        type=FILE,
    )
    on_disk: bool = flag(
        "Draw on pixels in files beside the output, as is always done with pictures that are too "
        "large for memory."
    )
    resume: bool = flag(
        "Continue the same command where it was stopped: with --count or --each, draw the pictures "
        "that are missing."
    )
    output: Path | None = option(
        "File to write; - is standard output. {stem} stands for the base's name, {class}, {layer}, "
        "{net} and {seed} for what they say. Without it, a numbered file named after what was "
        "drawn.",
        "-o",
        "--output",
        type=FILE,
    )


SECTIONS = {
    "What to draw": (
        *("classes", "skin", "mix", "random_classes", "layers", "channels", "objectives"),
        *("guide", "direction", "row", "caricature"),
    ),
    "Where": ("mask", "path", "brush", "keep_colors", "alpha"),
    "How": (
        *("strength", "iters", "octaves", "octave_scale", "variety", "preset", "canvas"),
        *("blur", "tv", "noise", "tint", "weight_decay", "laplacian", "flip", "edits", "seed"),
    ),
    "Size and tiles": (
        "size",
        "fit",
        "quick",
        "subject",
        "tiles",
        "tile_size",
        "overlap",
        "padding",
    ),
    "Several pictures": ("count", "each", "diverse"),
    "Output": (*OUTPUT[:1], "save_every", "log", "on_disk", "resume", *OUTPUT[1:]),
    **MACHINE,
}


@click.command(cls=OneDashCommand, sections=SECTIONS)
@takes(DrawArguments)
def draw(arguments: DrawArguments) -> None:
    """Draw what a net knows: a class or a mix, from noise or on BASE, a picture.

    Each of several bases becomes a picture of its own; - is standard input. `lucid help` explains
    words such as octave, pass and tile.

    \b
    lucid draw --class goldfish
    lucid draw --class goldfish --class flamingo:0.5 --size 1024x768
    lucid draw --class lion --count 9 --diverse
    lucid draw --class lion --skin monarch --net lucid1000
    lucid draw --class lion@.3,.5 --class monarch@.7,.5 --size 640x384
    lucid draw photo.jpg --class "tiger cat" --net googlenet -o dream.png
    lucid draw photos/*.jpg --class tabby -o "dreams/{stem}.png"
    lucid draw photo.jpg --net googlenet --layer inception_4c/output --preset deepdream
    """
    from lucid.cli.draw_job import draw_all

    draw_all(arguments)
