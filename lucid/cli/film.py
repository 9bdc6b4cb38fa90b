"""``lucid film``: its options. What it does stands in ``film_job``."""

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
    Number,
    SizeSpec,
    WholeNumber,
)
from lucid.cli.options import MACHINE, OUTPUT, OneDashCommand, PaintArguments, flag, option, takes
from lucid.drawing.specs import ClassSpec, LayerSpec


@dataclass(frozen=True, kw_only=True)
class FilmArguments(PaintArguments):
    """Arguments of ``lucid film``."""

    classes: tuple[ClassSpec, ...] = option(
        "Class to dream of, as in `lucid draw`. Several are mixed. REGION says where: X,Y or "
        "X,Y,DIAMETER (X and Y from 0 to 1, DIAMETER in pixels) or a mask image.",
        "--class",
        metavar="NAME[:WEIGHT][@REGION]",
        **CLASSES,
    )
    layers: tuple[LayerSpec, ...] = option(
        "Layer to excite, or channels of it, as in `lucid draw`.",
        "--layer",
        metavar="LAYER[:CHANNEL,…][:WEIGHT]",
        **LAYERS,
    )
    threshold: float | None = option(
        "Enhance only features of --layer this many standard deviations above the mean, as "
        "`lucid nightmare` does.",
        type=Number(-10, 10),
    )
    warps: tuple[str, ...] = option(
        "Warp of the picture between two frames; several in order. On a video, the last dream is "
        "warped before it is blended with the next frame. NUMBERS may be arithmetic in "
        "t, the number of the frame, and those of rolls in n, the number of the column: "
        "zoom:0.05, roll:15*sin(n/20). `lucid film --list-warps` names all.",
        "--warp",
        multiple=True,
        metavar="NAME[:NUMBERS]",
        shell_complete=completers.warps,
    )
    own_warps: Path | None = option(
        "Python file to run, with warps of your own.", "--warps", type=FILE
    )
    list_warps: bool = flag("Print the names of all warps and stop.")
    frames: int | None = option(
        "Number of frames.  [default: 60; of a video, all that it has]", type=COUNT
    )
    start: int | None = option(
        "Number of the video's frame to begin at, from 0.", type=WholeNumber(0, 2**31 - 1)
    )
    keys: tuple[tuple[int, str], ...] = option(
        "Key frame: class=NAME, layer=NAME, place=X,Y (where what is dreamt of has moved to), "
        "strength=NUMBER, blend=NUMBER, or the first number of a warp (zoom=0.1). Values in "
        "between are interpolated.",
        "--at",
        type=(WholeNumber(0, 2**31 - 1), str),
        multiple=True,
        metavar="FRAME NAME=VALUE",
    )
    source: Path | None = option(
        "Folder of frames, animation or video to make the film of, without dreaming.",
        "--from",
        type=FILE,
    )
    size: SizeSpec | None = option(
        "Size of the frames: 640x480; 640x or x480, the other side as the base's shape has it; "
        "640, the longest side; or 50% of the base. Without it, the size of the base.",
        **SIZE,
    )
    fit: str = option(**FIT)
    octaves: int | None = option("Number of octaves of a frame.  [default: 2]", type=COUNT)
    iters: int | None = option("Passes over a frame at each octave.  [default: 6]", type=COUNT)
    contrast: float = option(
        "Limit of the contrast that piles up from frame to frame: how loud waves of any length may "
        "become, as a multiple of those of the base or of photographs. 0 is no limit: a film "
        "without a warp then ends in specks.",
        type=Number(0, 100),
        default=1.1,
    )
    blend: float | None = option(
        "Share of the last dream in the blend that a video's next frame starts from.  "
        "[default: 0.85]",
        "--blend",
        "--hold",
        type=Number(0, 1),
    )
    no_flow: bool = flag("Dream on each frame of a video by itself.")
    output: Path | None = option(
        "File to write (.gif, .apng, .webp, .mp4, .webm), or folder for numbered frames; - is "
        "standard output. {stem} stands for the base's name, {class}, {layer}, {net} and {seed} "
        "for what they say. Without it, a numbered GIF.",
        "-o",
        "--output",
        type=FILE,
    )
    delay: int | None = option(
        "Time between frames in hundredths of a second.  [default: 7; of a video, its own]",
        type=WholeNumber(1, 1000),
    )
    fps: float | None = option("Frames a second, in place of --delay.", type=Number(0.1, 100))
    loop: int = option(
        "How often an animation is shown; 0 is for ever.", type=WholeNumber(0, 65535), default=0
    )
    audio: Path | None = option(
        "Video or sound file whose sound the film gets, as far as its frames last. Without it, a "
        "video keeps its own sound.",
        type=FILE,
    )
    reverse: bool = flag("Show the last frame first.")
    boomerang: bool = flag("Show the frames forwards, then backwards.")
    resume: bool = flag("Continue after the last frame of the same -o.")


SECTIONS = {
    "What to dream of": (
        *("classes", "mix", "random_classes", "layers", "channels", "objectives"),
        *("guide", "direction", "row", "caricature"),
        *("threshold", "keys"),
    ),
    "Where": ("mask", "path", "brush", "keep_colors"),
    "How it moves": ("warps", "own_warps", "list_warps", "frames", "start", "blend", "no_flow"),
    "How": (
        *("strength", "contrast", "preset", "canvas", "iters", "variety"),
        *("weight_decay", "laplacian", "flip", "seed"),
    ),
    "Size and tiles": ("size", "fit", "octaves", "octave_scale", "tile_size", "padding"),
    "Output": (
        *(*OUTPUT[:1], "delay", "fps", "loop", "audio", "reverse", "boomerang", "source", "resume"),
        *OUTPUT[1:],
    ),
    **MACHINE,
}


@click.command(cls=OneDashCommand, sections=SECTIONS)
@takes(FilmArguments)
def film(arguments: FilmArguments) -> None:
    """Dream, warp, dream again: a film that starts on BASE, a picture, or from noise.

    If BASE is a video or an animation, every frame of it is dreamt on. Each of several bases
    becomes a film of its own; - is standard input.

    \b
    lucid film photo.jpg --class goldfish --warp zoom:0.05 -o deeper.mp4
    lucid film --class jellyfish --warp "roll:15*sin(n/20)" --frames 120 -o waves.gif
    lucid film photo.jpg --layer 8 --warp rotate:2 --at 0 zoom=0 --at 60 zoom=.1 --warp zoom:0
    lucid film --from frames/ --reverse -o back.gif
    """
    from lucid.cli.film_job import film_all, print_warps
    from lucid.films import warp

    if arguments.own_warps:
        warp.load(arguments.own_warps)
    if arguments.list_warps:
        print_warps()
    else:
        film_all(arguments)
