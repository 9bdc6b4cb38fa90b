"""Draw the figures in docs/tiles.md with the functions that cut, blend and optimize tiles.

    python examples/tile_figures.py docs/images

Writes tiles-spiral.png, one pass over a picture ring by ring; tiles-weights.png, how its tiles are
blended; and tiles-octaves.png, a drawing at the end of each octave.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image, ImageColor, ImageDraw, ImageFont
from torch import Tensor

from lucid.cli.click_types import parse_pixels
from lucid.core.device import Runtime
from lucid.drawing.loop import passes
from lucid.drawing.plan import prepare
from lucid.errors import LucidError
from lucid.imaging.filters import gaussian_blur, luma
from lucid.imaging.io import from_pil, to_pil, write_image
from lucid.imaging.padding import crop
from lucid.nets.registry import load
from lucid.tiling.tiles import Pass, Tile, TileView, Tiling

WHITE, DARK, GREY = "#ffffff", "#22313d", "#8a96a1"
RING_COLOURS = ("#d1495b", "#e0952a", "#00798c", "#4f5d9e", "#7a3e65")
"""Colours of the rings from the centre outwards; further rings start again."""

HEAT_COLOURS = ("#f6f1e7", "#f2c14e", "#d1495b", "#4a1a4f")
"""Colour map of weights from 0 to 1."""

SUPERSAMPLING = 2
"""Figures are drawn larger by this factor, and reduced at the end."""

GREY_LEVELS = 8

Point = tuple[float, float]
"""x to the right and y down."""


@dataclass(frozen=True)
class Panel:
    """A part of a figure with its own coordinates.

    Line widths, radii and font sizes are in pixels of the file, whatever the scale.

    Attributes:
        figure: the supersampled image to draw on.
        origin: position of the panel's (0, 0) in the figure, in pixels of the file.
        scale: pixels of the file for one unit of the panel.
    """

    figure: Image.Image
    origin: Point = (0, 0)
    scale: float = 1

    @property
    def canvas(self) -> ImageDraw.ImageDraw:
        """Pillow's drawing functions."""
        return ImageDraw.Draw(self.figure, "RGBA")

    def to_figure(self, point: Point) -> tuple[int, int]:
        """Convert a point of the panel to pixels of the supersampled figure."""
        x, y = (
            round(SUPERSAMPLING * (start + self.scale * coordinate))
            for start, coordinate in zip(self.origin, point, strict=True)
        )
        return x, y

    def paste(self, picture: Image.Image, corner: Point = (0, 0)) -> None:
        """Paste a picture at its top left corner; one of its pixels is one unit of the panel."""
        width, height = (round(side * self.scale * SUPERSAMPLING) for side in picture.size)
        larger = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        self.figure.paste(larger, self.to_figure(corner))

    def box(
        self, corner: Point, size: Point, colour: str, *, line: float = 0, opacity: float = 0
    ) -> None:
        """Draw a rectangle of (width, height) with an outline, a transparent filling, or both."""
        opposite = corner[0] + size[0], corner[1] + size[1]
        corners = [self.to_figure(corner), self.to_figure(opposite)]
        if opacity:
            self.canvas.rectangle(corners, fill=_transparent(colour, opacity))
        if line:
            self.canvas.rectangle(corners, outline=colour, width=round(line * SUPERSAMPLING))

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        """Draw a line through points."""
        self.canvas.line(list(map(self.to_figure, points)), colour, round(width * SUPERSAMPLING))

    def area(self, points: Sequence[Point], colour: str, opacity: float) -> None:
        """Draw a transparent polygon."""
        self.canvas.polygon(list(map(self.to_figure, points)), fill=_transparent(colour, opacity))

    def disc(self, centre: Point, radius: float, colour: str) -> None:
        """Draw a filled circle."""
        self.canvas.circle(self.to_figure(centre), radius * SUPERSAMPLING, fill=colour)

    def text(
        self, text: str, point: Point, colour: str = DARK, *, anchor: str = "lt", size: float = 24
    ) -> None:
        """Write a line of text; ``anchor`` is Pillow's."""
        font = ImageFont.load_default(size * SUPERSAMPLING)
        self.canvas.text(self.to_figure(point), text, fill=colour, font=font, anchor=anchor)


def _transparent(colour: str, opacity: float) -> tuple[int, ...]:
    return (*ImageColor.getrgb(colour), round(255 * opacity))


def blank(width: float, height: float, scale: float = 1) -> Panel:
    """Make a white figure of a size in pixels of the file."""
    size = round(width) * SUPERSAMPLING, round(height) * SUPERSAMPLING
    return Panel(Image.new("RGB", size, WHITE), scale=scale)


def save(panel: Panel, path: Path) -> None:
    """Reduce a figure to the size of the file, and write it as PNG with a palette."""
    small = panel.figure.reduce(SUPERSAMPLING)
    write_image(small.quantize(255, kmeans=2, dither=Image.Dither.NONE), path)


def ring_colour(ring: int) -> str:
    """Return the colour of a ring; 0 is the innermost."""
    return RING_COLOURS[ring % len(RING_COLOURS)]


def all_tiles(tile_pass: Pass) -> list[Tile]:
    """List the tiles of a pass in order."""
    return [tile for batch in tile_pass.batches for tile in batch]


def centre(tile: Tile, tile_pass: Pass) -> Point:
    """Compute a tile's centre in pixels of the picture."""
    return tile.left + tile_pass.tile[1] / 2, tile.top + tile_pass.tile[0] / 2


def draw_tile(panel: Panel, tile: Tile, tile_pass: Pass, colour: str, **style: float) -> None:
    """Draw a tile's square; the style is that of ``Panel.box``."""
    panel.box((tile.left, tile.top), (tile_pass.tile[1], tile_pass.tile[0]), colour, **style)


def poster(tile_pass: Pass, picture: Tensor) -> tuple[Image.Image, Tile]:
    """Cut out all that the tiles of a pass show of a picture, in a few pale greys.

    Args:
        tile_pass: the pass.
        picture: (3, height, width), 0..1.

    Returns:
        The picture with its padding, which is paler, and the position of its top left corner.
    """
    tops, lefts = zip(*all_tiles(tile_pass), strict=True)
    rows = range(min(tops), max(tops) + tile_pass.tile[0])
    columns = range(min(lefts), max(lefts) + tile_pass.tile[1])
    padded = crop(picture, rows, columns, wrap=tile_pass.padding == "wrap")
    grey = (gaussian_blur(luma(padded), 2) * GREY_LEVELS).round() / GREY_LEVELS
    inside_y, inside_x = (
        torch.tensor([0 <= position < length for position in positions])
        for positions, length in zip((rows, columns), tile_pass.size, strict=True)
    )
    paleness = torch.where(inside_y[:, None] & inside_x, 0.45, 0.8)
    pale = to_pil((grey + paleness * (1 - grey)).expand(3, -1, -1))
    return pale, Tile(rows.start, columns.start)


def spiral_figure(tile_pass: Pass, picture: Tensor) -> Panel:
    """Draw the tile lattice of a pass ring by ring, and beside it each of the first rings."""
    background, corner = poster(tile_pass, picture)
    height, width = tile_pass.size
    large, small, gap = 1040 / background.width, 276 / background.width, 46
    rings = list(enumerate(tile_pass.batches))
    small_height = background.height * small + gap
    figure = blank(1366, max(background.height * large, len(rings[:3]) * small_height))

    def panel(left: float, top: float, scale: float) -> Panel:
        origin = (left - corner.left * scale, top - corner.top * scale)
        return Panel(figure.figure, origin, scale)

    main = panel(0, 0, large)
    main.paste(background, (corner.left, corner.top))
    # A cell of the lattice is the part of the picture that is closest to a tile's centre.
    tops, lefts = (sorted(set(each)) for each in zip(*all_tiles(tile_pass), strict=True))
    dx = lefts[1] - lefts[0] if len(lefts) > 1 else tile_pass.tile[1]
    dy = tops[1] - tops[0] if len(tops) > 1 else tile_pass.tile[0]
    for ring, batch in rings:
        for tile in batch:
            x, y = centre(tile, tile_pass)
            main.box((x - dx / 2, y - dy / 2), (dx, dy), ring_colour(ring), opacity=0.4)
    main.box((0, 0), (width, height), DARK, line=3)
    for ring, batch in rings:
        for tile, after in itertools.pairwise(batch):
            if max(abs(after.top - tile.top) / dy, abs(after.left - tile.left) / dx) <= 1:
                ends = [centre(tile, tile_pass), centre(after, tile_pass)]
                main.line(ends, ring_colour(ring), 5)
    last = len(rings) - 1
    draw_tile(main, tile_pass.batches[last][0], tile_pass, WHITE, line=9)
    draw_tile(main, tile_pass.batches[last][0], tile_pass, ring_colour(last), line=5)
    number = itertools.count(1)
    for ring, batch in rings:
        for tile in batch:
            main.disc(centre(tile, tile_pass), 25, WHITE)
            main.disc(centre(tile, tile_pass), 22, ring_colour(ring))
            main.text(str(next(number)), centre(tile, tile_pass), WHITE, anchor="mm")

    for ring, batch in rings[:3]:
        top = ring * small_height
        part = panel(1090, top, small)
        part.paste(background, (corner.left, corner.top))
        for before, earlier in rings[:ring]:
            for tile in earlier:
                draw_tile(part, tile, tile_pass, ring_colour(before), opacity=0.12)
        for tile in batch:
            draw_tile(part, tile, tile_pass, ring_colour(ring), opacity=0.2, line=2)
        part.box((0, 0), (width, height), DARK, line=2)
        text = f"ring {ring + 1}: {len(batch)} tile{'s' if len(batch) > 1 else ''}"
        figure.text(text, (1090, top + background.height * small + 8), ring_colour(ring))
    return figure


def heat_map(weights: Tensor) -> Image.Image:
    """Colour weights, (height, width), 0..1, with ``HEAT_COLOURS``."""
    stops = np.linspace(0, 1, len(HEAT_COLOURS))
    colours = np.array([ImageColor.getrgb(colour) for colour in HEAT_COLOURS])
    values = weights.numpy()
    channels = [np.interp(values, stops, colours[:, channel]) for channel in range(3)]
    return Image.fromarray(np.uint8(np.round(np.stack(channels, -1))))


def weights_figure(tile_pass: Pass, tile: Tile) -> Panel:
    """Draw how the tiles of a pass are blended.

    Three maps, and their values along the row through the centre of a tile: the tile's window, the
    sum of all windows, and their quotient, which is the tile's share of the picture.
    """
    height, width = tile_pass.size
    window = tile_pass.window(torch.empty(0))[None, None]
    view = TileView(tile_pass, [tile])
    lefts = sorted({each.left for each in all_tiles(tile_pass)})
    stacks = [
        TileView(tile_pass, [each for each in all_tiles(tile_pass) if each.left == left])
        for left in lefts
    ]
    windows = [
        stack.accumulate(window.expand(len(stack.batch), 1, *tile_pass.tile))[0] for stack in stacks
    ]
    shares = [
        stack.scatter(torch.ones(len(stack.batch), 1, *tile_pass.tile))[0] for stack in stacks
    ]
    share = view.scatter(torch.ones(1, 1, *tile_pass.tile))[0]
    none: list[Tensor] = []
    maps = (
        ("a tile's window", view.accumulate(window)[0], none),
        ("the sum of all windows", tile_pass.weights(torch.empty(0))[0], windows),
        ("the tile's share", share, shares),
    )
    row = min(max(0, round(centre(tile, tile_pass)[1])), height - 1)
    scale, gap, curve_height = 440 / width, 26, 120
    base = 40 + height * scale + 40 + curve_height
    figure = blank(3 * 440 + 2 * gap + 76, base + 16)

    def curve(values: Tensor, left: float) -> list[Point]:
        return [
            (left + (x + 0.5) * scale, base - curve_height * value)
            for x, value in enumerate(values[row].tolist())
            if value
        ]

    for number, (name, weights, parts) in enumerate(maps):
        left = number * (440 + gap)
        figure.text(name, (left, 4))
        part = Panel(figure.figure, (left, 40), scale)
        part.paste(heat_map(weights))
        part.box((0, 0), (width, height), DARK, line=1.5)
        part.line([(0, row), (width, row)], DARK, 1.5)
        for y in (base, base - curve_height):
            figure.line([(left, y), (left + 440, y)], GREY, 1)
        if parts is not windows:
            points = curve(weights, left)
            area = [(points[0][0], base), *points, (points[-1][0], base)]
            figure.area(area, RING_COLOURS[0], 0.3)
        for stack_left, values in zip(lefts, parts, strict=False):
            colour = RING_COLOURS[0] if stack_left == tile.left else GREY
            figure.line(curve(values, left), colour, 2)
        figure.line(curve(torch.stack(parts).sum(0) if parts else weights, left), DARK, 3)
    legend = Panel(figure.figure, (3 * 440 + 2 * gap + 22, 40), scale)
    legend.paste(heat_map(torch.linspace(1, 0, height)[:, None].expand(-1, round(20 / scale))))
    right = 3 * 440 + 2 * gap + 50
    figure.text("1", (right, 40))
    figure.text("0", (right, 40 + height * scale), anchor="lb")
    figure.text("1", (right, base - curve_height), GREY, anchor="lm")
    figure.text("0", (right, base), GREY, anchor="lm")
    return figure


def octaves_figure(octaves: Sequence[tuple[Image.Image, Pass]]) -> Panel:
    """Draw the pictures at the end of each octave at one scale, each with the size of a tile."""
    gap = 18
    scale = (1440 - gap * (len(octaves) - 1)) / sum(picture.width for picture, _ in octaves)
    height = max(picture.height for picture, _ in octaves) * scale
    figure = blank(1440, height + 44)
    left = 0.0
    for picture, tile_pass in octaves:
        part = blank(picture.width * scale, picture.height * scale, scale)
        part.paste(picture)
        draw_tile(part, tile_pass.batches[0][0], tile_pass, DARK, line=5)
        draw_tile(part, tile_pass.batches[0][0], tile_pass, WHITE, line=2.5)
        corner = figure.to_figure((left, height - picture.height * scale))
        figure.figure.paste(part.figure, corner)
        size = f"{picture.width}x{picture.height}"
        figure.text(size, (left + picture.width * scale / 2, height + 12), anchor="mt", size=20)
        left += picture.width * scale + gap
    return figure


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--net", "net_name", default="lucid64", show_default=True)
@click.option("--class", "class_name", default="beacon", show_default=True)
@click.option("--size", type=parse_pixels, default="640x400", show_default=True)
@click.option("--tile-size", default=224, show_default=True)
@click.option("--iters", type=int, help="Passes at each octave.")
@click.option("--seed", default=4, show_default=True)
def main(
    folder: Path,
    net_name: str,
    class_name: str,
    size: tuple[int, int],
    tile_size: int,
    iters: int | None,
    seed: int,
) -> None:
    net = load(net_name)
    plan = prepare(
        net,
        class_name,
        size=size,
        tile_size=tile_size,
        iterations=iters,
        seed=seed,
        runtime=Runtime("cpu"),
    )
    octaves = {}
    for progress in passes(plan):
        view = progress.views[0]
        assert isinstance(view, TileView)
        octaves[progress.octave] = to_pil(progress.canvas.image()), view.tile_pass
    picture = from_pil(octaves[size][0])
    tile_pass = Tiling((tile_size, tile_size)).cut(size, torch.Generator().manual_seed(seed))
    save(spiral_figure(tile_pass, picture), folder / "tiles-spiral.png")
    save(weights_figure(tile_pass, tile_pass.batches[-1][0]), folder / "tiles-weights.png")
    save(octaves_figure(list(octaves.values())), folder / "tiles-octaves.png")


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
