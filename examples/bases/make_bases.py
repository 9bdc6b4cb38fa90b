"""Compute the gallery's base pictures: `python examples/bases/make_bases.py FOLDER`.

Skies, hills, a portrait, rings, water, a floor, stripes and trees are computed with numpy; two
small pictures are drawn by lucid64. All are the same in every run. The gallery's recipes draw on
them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor
from scipy.special import expit, ndtr

import lucid
from lucid.cli.click_types import parse_pixels
from lucid.imaging import Size

Array = NDArray[np.float64]
"""(height, width), 0..1; pictures are (height, width, 3), RGB."""


def coordinates(size: Size) -> tuple[Array, Array]:
    """Compute each pixel's x (to the right) and y (down) from the centre, in half heights."""
    rows, columns = np.indices(size) + 0.5
    return (columns * 2 - size[1]) / size[0], (rows * 2 - size[0]) / size[0]


def noise(size: Size, seed: int, exponent: float = 1.6, stretch: float = 1) -> Array:
    """Make random clouds whose values are uniformly distributed.

    Args:
        size: height and width in pixels.
        seed: seed of the random numbers.
        exponent: how fast amplitudes fall with the frequency; a larger one gives softer clouds.
        stretch: horizontal scale.
    """
    white = np.random.default_rng(seed).normal(size=size)
    fy, fx = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])
    frequency = np.hypot(fy, fx * stretch)
    frequency[0, 0] = np.inf
    clouds = np.fft.irfft2(np.fft.rfft2(white) / frequency**exponent, s=size)
    return ndtr(clouds / clouds.std())


def ridge(size: Size, seed: int, exponent: float) -> Array:
    """Make a random skyline: a height, -1..1, for each column; a larger exponent is smoother."""
    frequency = np.fft.rfftfreq(2 * size[1]) * 2 * size[1]
    frequency[0] = np.inf
    random = np.random.default_rng(seed)
    waves = random.normal(size=frequency.shape) + 1j * random.normal(size=frequency.shape)
    line = np.fft.irfft(waves / frequency**exponent)[: size[1]]
    return line / np.abs(line).max()


def tint(values: Array, *colours: str) -> Array:
    """Colour values: the first colour for 0, the last for 1, interpolated in between."""
    stops = np.array([ImageColor.getrgb(colour) for colour in colours]) / 255
    steps = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(values, steps, channel) for channel in stops.T], axis=-1)


def blend(below: Array, above: Array, mask: Array) -> Array:
    """Blend two pictures: the second where the mask is 1, the first where it is 0."""
    return below + (above - below) * mask[..., None]


def soft_mask(distance: Array, softness: float | Array = 0.01) -> Array:
    """Make a mask that is 1 where a signed distance is negative, with an edge of a given width."""
    return expit(-distance / softness)


def clouds(size: Size) -> Array:
    _, y = coordinates(size)
    sky = tint((y + 1) / 2, "#2b62a8", "#6ea6d8", "#f3d9bd")
    body = noise(size, 3, 1.7, stretch=1.8)
    lit = tint(
        np.clip(body * 1.6 - noise(size, 4, 1.4) * 0.7, 0, 1), "#7d86a0", "#e9c9b4", "#fffaf0"
    )
    return blend(sky, lit, soft_mask(0.55 - body, 0.06))


def embers(size: Size) -> Array:
    veins = 1 - np.abs(2 * noise(size, 8, 1.5) - 1)
    glow = np.clip(veins**5 * 0.8 + noise(size, 9, 2) * 0.45, 0, 1)
    return tint(glow, "#0b0a1c", "#3a1440", "#a3283a", "#f07a2b", "#ffe9a8")


def hills(size: Size) -> Array:
    x, y = coordinates(size)
    picture = tint(np.clip((y + 1) / 1.3, 0, 1), "#1d2350", "#6d4a86", "#e8825f", "#ffd58a")
    streaks = noise(size, 11, 1.6, stretch=5)
    picture = blend(
        picture, tint(streaks, "#8a4a78", "#ffb48a"), soft_mask(0.62 - streaks, 0.08) * 0.7
    )
    sun = np.hypot(x - 0.45, y - 0.12)
    picture = blend(picture, tint(sun, "#fff2c8", "#ff9a5a"), np.exp(-((sun / 0.45) ** 2)) * 0.8)
    picture = blend(picture, tint(sun, "#fffbe8"), soft_mask(sun - 0.13))
    for number, colour in enumerate(("#a4607c", "#6e4673", "#443260", "#241f42", "#100f24")):
        line = 0.2 + number * 0.16 + ridge(size, 20 + number, 1.7) * (0.1 + 0.03 * number)
        haze = np.clip(1 - (y - line) * 2.2, 0, 1)
        layer = blend(tint(haze, colour), tint(haze, "#e8957a"), haze * 0.25)
        picture = blend(picture, layer, soft_mask(line - y, 0.006))
    return picture


def sitter(size: Size) -> Array:
    """A portrait: head and shoulders, lit from the left."""
    x, y = coordinates(size)
    picture = tint(noise(size, 31, 1.9) * 0.5 + (x + 1.5) / 6, "#1c3a3c", "#3f6a5c", "#b89a5e")
    parts = (
        (0.0, 1.15, 0.95, 0.62, ("#1c1420", "#5a2434", "#b04a3c")),  # shoulders
        (0.03, -0.22, 0.52, 0.66, ("#120c10", "#34201c", "#6a4228")),  # hair
        (0.0, 0.42, 0.19, 0.4, ("#3a2020", "#8a5240", "#d89a74")),  # neck
        (-0.03, -0.1, 0.37, 0.5, ("#4a2826", "#b87454", "#f6cfa4")),  # face
    )
    for right, low, wide, high, colours in parts:
        from_left, from_top = (x - right) / wide, (y - low) / high
        light = expit(-2.6 * from_left - 1.2 * from_top + 0.6)
        edge = np.hypot(from_left, from_top) - 1
        picture = blend(picture, tint(light, *colours), soft_mask(edge, 0.035))
    return picture


def mandala(size: Size) -> Array:
    x, y = coordinates(size)
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    petals = 0.5 + 0.5 * np.cos(12 * angle + 6 * np.sin(radius * 9))
    rings = 0.5 + 0.5 * np.cos(radius * 26 - 2.4 * petals)
    inner = tint(rings, "#15214f", "#1f7f8c", "#f2d68a", "#d2452f")
    picture = blend(inner, tint(petals, "#0d1030", "#7a2a62"), soft_mask(0.5 - rings, 0.08) * 0.55)
    return picture * np.clip(1.1 - 0.35 * radius, 0.3, 1)[..., None]


def night(size: Size) -> Array:
    x, y = coordinates(size)
    veil = noise(size, 41, 1.7, stretch=1.5)
    picture = tint((y + 1) / 2 * 0.8 + veil * 0.2, "#050818", "#0f1f4a", "#2b4f86", "#7f93b4")
    stars = np.random.default_rng(42).random(size) ** 900
    picture = picture + (stars * soft_mask(y - 0.5, 0.1))[..., None]
    moon = np.hypot(x + 0.55, y + 0.3)
    picture = blend(picture, tint(moon, "#b9cdf0"), np.exp(-moon * 3.2) * 0.7)
    seas = noise(size, 43, 1.8)
    picture = blend(picture, tint(seas, "#b9b3a0", "#fffbe6"), soft_mask(moon - 0.27, 0.006))
    picture = blend(picture, tint(veil, "#2a3560", "#93a3c8"), soft_mask(0.68 - veil, 0.05) * 0.6)
    line = 0.78 + ridge(size, 44, 1.5) * 0.12
    return blend(picture, tint(y, "#04060f"), soft_mask(line - y, 0.006))


def ripples(size: Size) -> Array:
    x, y = coordinates(size)
    height = noise(size, 51, 2.2, stretch=0.4) * 1.2
    for right, low, length in ((-0.6, -0.1, 24), (0.7, 0.35, 19), (0.25, -0.8, 29)):
        radius = np.hypot(x - right, (y - low) * 1.5)
        height += np.cos(radius * length) * np.exp(-radius * 1.7) * 0.16
    slope = np.gradient(height, axis=0) * size[0] / 14 + np.gradient(height, axis=1) * size[0] / 40
    light = expit(slope * 2.2 + y * 0.4 - 0.8)
    return tint(light, "#06202e", "#0f5266", "#3f9aa4", "#c9e8d8", "#fff6da")


def floor(size: Size) -> Array:
    x, y = coordinates(size)
    horizon = -0.12
    depth = 1 / np.maximum(y - horizon, 1e-3)
    squares = np.sin(np.pi * x * depth * 1.1) * np.sin(np.pi * (depth * 2.2 + 0.4))
    # In the distance the squares are smaller than pixels, and are blurred to grey.
    sharp = soft_mask(-squares, 0.004 * depth**2)
    tiles = tint(sharp, "#241a2e", "#e9dcc0")
    tiles = blend(tiles, tint(depth, "#d98a6a"), 1 - np.exp(-depth / 9))
    sky = tint(np.clip((y + 1) / (1 + horizon), 0, 1), "#17324f", "#5f7f96", "#f0b184")
    sky = blend(sky, tint(y, "#fff0cf"), np.exp(-((np.hypot(x, y - horizon) / 0.3) ** 2)))
    return blend(sky, tiles, soft_mask(horizon - y, 0.004))


def stripes(size: Size) -> Array:
    x, y = coordinates(size)
    bend = y + 0.28 * np.sin(x * 2.3 + y) + 0.25 * noise(size, 61, 2.6)
    band = 0.5 + 0.5 * np.sin(bend * 16)
    colours = tint((x + 1.5) / 3, "#0f6f78", "#e8b04a", "#cf4a3a", "#5a2a6a")
    return blend(tint((y + 1) / 2, "#fbf1dc", "#e3d3b8"), colours, soft_mask(0.5 - band, 0.06))


def forest(size: Size) -> Array:
    x, y = coordinates(size)
    fog = noise(size, 71, 1.8, stretch=2)
    picture = tint(np.clip(0.9 - np.hypot(x - 0.2, y + 0.3) * 0.5, 0, 1), "#4a6a5a", "#f6e8b8")
    random = np.random.default_rng(72)
    for near in np.linspace(0, 1, 6):
        trunks = np.full(size, 1.0)
        for middle in random.uniform(-1.6, 1.6, int(13 - 9 * near)):
            lean = middle + 0.03 * random.normal() * y + 0.012 * np.sin(y * 5 + middle * 9)
            flare = 1 + 0.5 * np.clip(y - 0.3, 0, 1) ** 2
            trunks = np.minimum(trunks, np.abs(x - lean) - (0.018 + 0.075 * near**2) * flare)
        bark = noise(size, 73 + int(9 * near), 1.1, stretch=6)
        dark = tint(1 - near * 0.9 + 0.12 * (bark - 0.5), "#0e1512", "#2c4034", "#a9b894")
        picture = blend(picture, dark, soft_mask(trunks, 0.005))
        ground = 0.25 + 0.1 * near + 0.05 * np.sin(x * 3 + near * 7)
        moss = tint(fog * 0.5 + (1 - near) * 0.5, "#141d10", "#3c5224", "#b9bd7e")
        picture = blend(picture, moss, soft_mask(ground - y, 0.05) * (0.35 + 0.4 * near))
        picture = blend(picture, tint(fog, "#e4dfb6"), fog * 0.22 * (1 - near))
    return picture


def drawn(name: str, seed: int) -> Callable[[Size], Array]:
    """Return a function that draws a class with lucid64 in a few seconds: small, then enlarged."""

    def paint(size: Size) -> Array:
        small = (max(64, size[0] // 3), max(64, size[1] // 3))
        net = lucid.load("lucid64")
        picture = lucid.draw(net, [name], size=small, seed=seed, iterations=10, strength=2)
        return np.asarray(picture.resize(size[::-1], Image.Resampling.BICUBIC)) / 255

    return paint


BASES: dict[str, Callable[[Size], Array]] = {
    **{paint.__name__: paint for paint in (clouds, embers, hills, sitter, mandala, night)},
    **{paint.__name__: paint for paint in (ripples, floor, stripes, forest)},
    "alp": drawn("alp", 1),
    "reef": drawn("coral reef", 2),
}


@click.command(help=__doc__)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--size", type=parse_pixels, default="768x512", show_default=True, help="Of each picture."
)
def main(folder: Path, size: Size) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, paint in BASES.items():
        pixels = (paint(size).clip(0, 1) * 255).round().astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.png")


if __name__ == "__main__":
    main()
