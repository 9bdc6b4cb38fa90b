"""Check that a picture stays the same thing when it is drawn larger.

    python examples/enlargements.py --judge-weights squeezenet1_1.pth --photos photos/ > table.md

Draws each class from noise at 224 pixels and at 896, with the same seed and one thing filling the
picture, as `lucid redo --size 896x896` does. Prints a Markdown table of four measures:

- SSIM of the small picture and the large one, shrunk to 224;
- the judge's probability of the class on the small picture, and on the large one, shrunk;
- the fraction of 224-pixel crops of the large picture that show a second thing: those in which
  the judge names the class first, though not in the same crop of the small picture, enlarged;
- spectral power between 1/4 and 1/2 of the Nyquist frequency: of the large picture, and of the
  small one, enlarged; below the table, of photographs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click
import numpy as np
import torch
from metrics import ssim
from PIL import Image
from torch import Tensor

from lucid.drawing.loop import draw
from lucid.errors import LucidError
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.io import from_pil, read_image, write_image
from lucid.nets.net import Net
from lucid.nets.registry import load
from lucid.tiling.octaves import resize

SMALL, LARGE = 224, 896
CROP_STEP = 112


def band_power(image: Tensor, low: float = 0.25, high: float = 0.5) -> float:
    """Compute the mean spectral power of the luma in a band, as fractions of Nyquist's frequency.

    Args:
        image: (3, height, width), 0..1; a Hann window is applied.
        low: where the band begins.
        high: where the band ends.
    """
    grey = image.mean(0).numpy().astype(float)
    height, width = grey.shape
    window = np.hanning(height)[:, None] * np.hanning(width)
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2 / (window**2).sum()
    rows, columns = (2 * np.fft.fftfreq(side) for side in grey.shape)
    radius = np.hypot(rows[:, None], columns)
    return float(power[(radius >= low) & (radius < high)].mean())


def probabilities(judge: Net, images: Iterable[Tensor]) -> Tensor:
    """The judge's class probabilities of images, (n, classes)."""
    stack = torch.stack([resize(image, judge.input_size).clamp(0, 1) for image in images])
    with torch.no_grad():
        return judge.probabilities(stack)


def second_things(judge: Net, large: Tensor, enlarged: Tensor, number: int) -> float:
    """The fraction of crops whose first class is ``number`` in the large picture only."""
    offsets = range(0, LARGE - SMALL + 1, CROP_STEP)
    crops = [
        [image[:, y : y + SMALL, x : x + SMALL] for y in offsets for x in offsets]
        for image in (large, enlarged)
    ]
    drawn, plain = (probabilities(judge, some).argmax(1) == number for some in crops)
    return float((drawn & ~plain).float().mean())


@click.command(help=(__doc__ or "").split("\n\n")[0])
@click.option("--net", "net_name", default="lucid64", show_default=True, help="The net to draw.")
@click.option("--judge", "judge_name", default="squeezenet1_1", show_default=True)
@click.option("--judge-weights", type=click.Path(path_type=Path), help="Weights file of the judge.")
@click.option("--class", "classes", multiple=True, help="Draw only these classes.")
@click.option("--seed", default=0, show_default=True)
@click.option("--photos", type=click.Path(path_type=Path), help="Folder of large photographs.")
@click.option("--sheet", type=click.Path(path_type=Path), help="Write all pictures to this file.")
def main(
    net_name: str,
    judge_name: str,
    judge_weights: Path | None,
    classes: tuple[str, ...],
    seed: int,
    photos: Path | None,
    sheet: Path | None,
) -> None:
    net, judge = load(net_name), load(judge_name, judge_weights)
    pictures: list[Image.Image] = []
    rows: list[list[float]] = []
    click.echo("| class | SSIM | judge, 224 | judge, 896 | second things | power, 896 | enlarged |")
    click.echo("| --- | --- | --- | --- | --- | --- | --- |")
    for name in classes or net.classes:
        both = [
            draw(net, name, size=(side, side), subject=1.0, seed=seed) for side in (SMALL, LARGE)
        ]
        pictures += both
        small, large = (from_pil(picture) for picture in both)
        shrunk = resize(large, (SMALL, SMALL)).clamp(0, 1)
        enlarged = resize(small, (LARGE, LARGE)).clamp(0, 1)
        number = judge.class_index(name)
        before, after = probabilities(judge, [small, shrunk])[:, number].tolist()
        row = [
            *(ssim(shrunk, small), before, after),
            second_things(judge, large, enlarged, number),
            *(band_power(large), band_power(enlarged)),
        ]
        rows.append(row)
        click.echo(_line(name, row))
    click.echo(_line("mean", np.mean(rows, 0).tolist()))
    if photos:
        powers = [band_power(read_image(path)) for path in sorted(photos.iterdir())]
        click.echo(f"\nphotographs: power {np.exp(np.mean(np.log(powers))):.2e} (geometric mean)")
    if sheet:
        small_ones = [each.resize((448, 448), Image.Resampling.LANCZOS) for each in pictures]
        write_image(contact_sheet(small_ones, columns=4), sheet)


def _line(name: str, row: list[float]) -> str:
    *shares, power, enlarged = row
    return f"| {name} | {' | '.join(f'{x:.3f}' for x in shares)} | {power:.2e} | {enlarged:.2e} |"


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
