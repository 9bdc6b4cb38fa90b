"""The drawings in docs/tiles.md, made by the code that cuts, blends and climbs.

    python examples/tile_figures.py docs/images

Writes tiles-spiral.png, one pass over a picture, ring by ring; tiles-weights.png, how its
tiles are blended; and tiles-octaves.png, a drawing at the end of each octave.
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

from lucid.cli.click_types import parse_size
from lucid.drawing.loop import climb, prepare
from lucid.errors import LucidError
from lucid.imaging.filters import gaussian_blur, luma
from lucid.imaging.io import from_pil, to_pil, write_image
from lucid.imaging.padding import crop
from lucid.nets.registry import load
from lucid.tiling.tiles import Pass, Tile, TileView, Tiling

PAPER, INK, PALE = "#ffffff", "#22313d", "#8a96a1"
RINGS = ("#d1495b", "#e0952a", "#00798c", "#4f5d9e", "#7a3e65")
"""Colours of rings, from the centre out; more take turns."""

HEAT = ("#f6f1e7", "#f2c14e", "#d1495b", "#4a1a4f")
"""Of weights from 0 to 1."""

FINE = 2
"""How many times as large all is drawn, so that edges are smooth."""

GREYS = 8

Point = tuple[float, float]
"""Across and down."""


@dataclass(frozen=True)
class Panel:
    """A part of a sheet, with coordinates of its own. Lines and letters are in pixels of the
    file, wherever they are drawn.

    Attributes:
        sheet: what is drawn on.
        origin: the place of its (0, 0) on the sheet, in pixels of the file.
        scale: pixels of the file for one of its own.
    """

    sheet: Image.Image
    origin: Point = (0, 0)
    scale: float = 1

    @property
    def pen(self) -> ImageDraw.ImageDraw:
        return ImageDraw.NightmareStep(self.sheet, "RGBA")

    def place(self, point: Point) -> tuple[int, int]:
        """Where a point lies on the sheet."""
        x, y = (
            round(FINE * (start + self.scale * way))
            for start, way in zip(self.origin, point, strict=True)
        )
        return x, y

    def paste(self, picture: Image.Image, corner: Point = (0, 0)) -> None:
        """Put a picture there, one of its pixels on each of the panel's."""
        width, height = (round(side * self.scale * FINE) for side in picture.size)
        larger = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
        self.sheet.paste(larger, self.place(corner))

    def box(
        self, corner: Point, size: Point, colour: str, *, line: float = 0, fill: float = 0
    ) -> None:
        """A rectangle of (width, height), with an outline, filled by a share."""
        last = corner[0] + size[0], corner[1] + size[1]
        ends = [self.place(corner), self.place(last)]
        if fill:
            self.pen.rectangle(ends, fill=(*ImageColor.getrgb(colour), round(255 * fill)))
        if line:
            self.pen.rectangle(ends, outline=colour, width=round(line * FINE))

    def line(self, points: Sequence[Point], colour: str, width: float) -> None:
        self.pen.line([self.place(point) for point in points], colour, round(width * FINE))

    def area(self, points: Sequence[Point], colour: str, fill: float) -> None:
        """A polygon, filled by a share."""
        places = [self.place(point) for point in points]
        self.pen.polygon(places, fill=(*ImageColor.getrgb(colour), round(255 * fill)))

    def disc(self, point: Point, radius: float, colour: str) -> None:
        self.pen.circle(self.place(point), radius * FINE, fill=colour)

    def write(
        self, text: str, point: Point, colour: str = INK, *, anchor: str = "lt", size: float = 24
    ) -> None:
        font = ImageFont.load_default(size * FINE)
        self.pen.text(self.place(point), text, fill=colour, font=font, anchor=anchor)


def sheet(width: float, height: float, scale: float = 1) -> Panel:
    """An empty one of that size, in pixels of the file."""
    size = round(width) * FINE, round(height) * FINE
    return Panel(Image.new("RGB", size, PAPER), scale=scale)


def save(board: Panel, path: Path) -> None:
    """As PNG, at the size of the file."""
    small = board.sheet.reduce(FINE)
    write_image(small.quantize(255, kmeans=2, dither=Image.Dither.NONE), path)


def colour_of(ring: int) -> str:
    return RINGS[ring % len(RINGS)]


def tiles_of(sweep: Pass) -> list[Tile]:
    """All of a pass's, in order."""
    return [tile for batch in sweep.batches for tile in batch]


def middle(tile: Tile, sweep: Pass) -> Point:
    """Of a tile, in pixels of the picture."""
    return tile.left + sweep.tile[1] / 2, tile.top + sweep.tile[0] / 2


def outline(panel: Panel, tile: Tile, sweep: Pass, colour: str, **how: float) -> None:
    """A tile's own square."""
    panel.box((tile.left, tile.top), (sweep.tile[1], sweep.tile[0]), colour, **how)


def shown(sweep: Pass, picture: Tensor) -> tuple[Image.Image, Tile]:
    """All that a pass's tiles show of a picture, which is paler past the edge; and where the
    top left corner of that is."""
    tops, lefts = zip(*tiles_of(sweep), strict=True)
    rows = range(min(tops), max(tops) + sweep.tile[0])
    columns = range(min(lefts), max(lefts) + sweep.tile[1])
    whole = crop(picture, rows, columns, wrap=sweep.padding == "wrap")
    # In a few greys alone: a poster, over which colours are seen.
    grey = (gaussian_blur(luma(whole), 2) * GREYS).round() / GREYS
    down, across = (
        torch.tensor([0 <= place < length for place in places])
        for places, length in zip((rows, columns), sweep.size, strict=True)
    )
    pale = torch.where(down[:, None] & across, 0.45, 0.8)
    paled = to_pil((grey + pale * (1 - grey)).expand(3, -1, -1))
    return paled, Tile(rows.start, columns.start)


def draw_spiral(sweep: Pass, picture: Tensor) -> Panel:
    """The lattice of a pass, ring by ring, and beside it what each ring adds."""
    background, corner = shown(sweep, picture)
    height, width = sweep.size
    large, small, gap = 1040 / background.width, 276 / background.width, 46
    rings = list(enumerate(sweep.batches))
    high = max(background.height * large, len(rings[:3]) * (background.height * small + gap))
    board = sheet(1366, high)

    def panel(left: float, top: float, scale: float) -> Panel:
        return Panel(board.sheet, (left - corner.left * scale, top - corner.top * scale), scale)

    whole = panel(0, 0, large)
    whole.paste(background, (corner.left, corner.top))
    # A lattice's cell: what is nearer to this tile's middle than to any other's.
    tops, lefts = (sorted(set(places)) for places in zip(*tiles_of(sweep), strict=True))
    across = lefts[1] - lefts[0] if len(lefts) > 1 else sweep.tile[1]
    down = tops[1] - tops[0] if len(tops) > 1 else sweep.tile[0]
    for ring, batch in rings:
        for tile in batch:
            x, y = middle(tile, sweep)
            corner_of_cell = x - across / 2, y - down / 2
            whole.box(corner_of_cell, (across, down), colour_of(ring), fill=0.4)
    whole.box((0, 0), (width, height), INK, line=3)
    for ring, batch in rings:
        for here, there in itertools.pairwise(batch):
            if max(abs(there.top - here.top) / down, abs(there.left - here.left) / across) <= 1:
                whole.line([middle(here, sweep), middle(there, sweep)], colour_of(ring), 5)
    last = len(rings) - 1
    outline(whole, sweep.batches[last][0], sweep, PAPER, line=9)
    outline(whole, sweep.batches[last][0], sweep, colour_of(last), line=5)
    number = itertools.count(1)
    for ring, batch in rings:
        for tile in batch:
            whole.disc(middle(tile, sweep), 25, PAPER)
            whole.disc(middle(tile, sweep), 22, colour_of(ring))
            whole.write(str(next(number)), middle(tile, sweep), PAPER, anchor="mm")

    for ring, batch in rings[:3]:
        top = ring * (background.height * small + gap)
        part = panel(1090, top, small)
        part.paste(background, (corner.left, corner.top))
        for before, earlier in rings[:ring]:
            for tile in earlier:
                outline(part, tile, sweep, colour_of(before), fill=0.12)
        for tile in batch:
            outline(part, tile, sweep, colour_of(ring), fill=0.2, line=2)
        part.box((0, 0), (width, height), INK, line=2)
        text = f"ring {ring + 1}: {len(batch)} tile{'s' if len(batch) > 1 else ''}"
        board.write(text, (1090, top + background.height * small + 8), colour_of(ring))
    return board


def heat(weights: Tensor) -> Image.Image:
    """Weights, (height, width), 0..1, as colours."""
    stops = np.linspace(0, 1, len(HEAT))
    colours = np.array([ImageColor.getrgb(colour) for colour in HEAT])
    values = weights.numpy()
    bands = [np.interp(values, stops, colours[:, band]) for band in range(3)]
    return Image.fromarray(np.uint8(np.round(np.stack(bands, -1))))


def draw_weights(sweep: Pass, tile: Tile) -> Panel:
    """A tile's window, the sum of all windows and the tile's share, over the picture, and
    along the row through the tile's middle."""
    like = torch.empty(0)
    height, width = sweep.size
    lone = TileView(sweep, [tile])
    window = sweep.window(like)[None, None]
    row = min(max(0, round(middle(tile, sweep)[1])), height - 1)
    columns = sorted({one.left for one in tiles_of(sweep)})
    # Of each column of tiles, all together.
    stacks = [
        TileView(sweep, [one for one in tiles_of(sweep) if one.left == left]) for left in columns
    ]
    windows = [
        view.accumulate(window.expand(len(view.batch), 1, *sweep.tile))[0] for view in stacks
    ]
    shares = [view.scatter(torch.ones(len(view.batch), 1, *sweep.tile))[0] for view in stacks]
    none: list[Tensor] = []
    maps = (
        ("a tile's window", lone.accumulate(window)[0], none),
        ("the sum of all windows", sweep.weights(like)[0], windows),
        ("the tile's share", lone.scatter(torch.ones(1, 1, *sweep.tile))[0], shares),
    )
    scale, gap, high = 440 / width, 26, 120
    base = 40 + height * scale + 40 + high
    board = sheet(3 * 440 + 2 * gap + 76, base + 16)
    for number, (name, weights, parts) in enumerate(maps):
        left = number * (440 + gap)
        board.write(name, (left, 4))
        part = Panel(board.sheet, (left, 40), scale)
        part.paste(heat(weights))
        part.box((0, 0), (width, height), INK, line=1.5)
        part.line([(0, row), (width, row)], INK, 1.5)
        for level in (0, 1):
            board.line([(left, base - level * high), (left + 440, base - level * high)], PALE, 1)

        def curve(values: Tensor, left: float = left) -> list[Point]:
            along = values[row].tolist()
            return [
                (left + (x + 0.5) * scale, base - high * value)
                for x, value in enumerate(along)
                if value
            ]

        if parts is not windows:
            points = curve(weights)
            board.area([(points[0][0], base), *points, (points[-1][0], base)], RINGS[0], 0.3)
        for column, values in zip(columns, parts, strict=False):
            board.line(curve(values), RINGS[0] if column == tile.left else PALE, 2)
        board.line(curve(torch.stack(parts).sum(0) if parts else weights), INK, 3)
    bar = Panel(board.sheet, (3 * 440 + 2 * gap + 22, 40), scale)
    bar.paste(heat(torch.linspace(1, 0, height)[:, None].expand(-1, round(20 / scale))))
    right = 3 * 440 + 2 * gap + 50
    board.write("1", (right, 40))
    board.write("0", (right, 40 + height * scale), anchor="lb")
    board.write("1", (right, base - high), PALE, anchor="lm")
    board.write("0", (right, base), PALE, anchor="lm")
    return board


def draw_octaves(stages: Sequence[tuple[Image.Image, Pass]]) -> Panel:
    """A drawing at the end of each octave, all at one scale, with the tiles of a pass."""
    gap = 18
    scale = (1440 - gap * (len(stages) - 1)) / sum(picture.width for picture, _ in stages)
    high = max(picture.height for picture, _ in stages) * scale
    board = sheet(1440, high + 44)
    left = 0.0
    for picture, sweep in stages:
        part = sheet(picture.width * scale, picture.height * scale, scale)
        part.paste(picture)
        outline(part, sweep.batches[0][0], sweep, INK, line=5)
        outline(part, sweep.batches[0][0], sweep, PAPER, line=2.5)
        board.sheet.paste(part.sheet, board.place((left, high - picture.height * scale)))
        size = f"{picture.width}x{picture.height}"
        board.write(size, (left + picture.width * scale / 2, high + 12), anchor="mt", size=20)
        left += picture.width * scale + gap
    return board


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--net", "net_name", default="lucid64", show_default=True)
@click.option("--class", "wanted", default="beacon", show_default=True)
@click.option("--size", type=parse_size, default="640x400", show_default=True)
@click.option("--tile-size", default=224, show_default=True)
@click.option("--iters", type=int, help="Passes at each octave.")
@click.option("--seed", default=4, show_default=True)
def main(
    folder: Path,
    net_name: str,
    wanted: str,
    size: tuple[int, int],
    tile_size: int,
    iters: int | None,
    seed: int,
) -> None:
    net = load(net_name)
    plan = prepare(
        net, [wanted], size=size, tile_size=tile_size, iterations=iters, seed=seed, device="cpu"
    )
    stages = {}
    for progress in climb(plan):
        view = progress.views[0]
        assert isinstance(view, TileView)
        stages[progress.octave] = to_pil(progress.canvas.image()), view.sweep
    picture = from_pil(stages[size][0])
    sweep = Tiling((tile_size, tile_size)).cut(size, torch.Generator().manual_seed(seed))
    save(draw_spiral(sweep, picture), folder / "tiles-spiral.png")
    save(draw_weights(sweep, sweep.batches[-1][0]), folder / "tiles-weights.png")
    save(draw_octaves(list(stages.values())), folder / "tiles-octaves.png")


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
