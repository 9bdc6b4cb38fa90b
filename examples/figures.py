"""The pictures behind docs/drawing.md, with what the nets themselves make of them.

    python examples/figures.py classes --net squeezenet1_1 sheet.png
    python examples/figures.py mixes --net lucid64 --other squeezenet1_1 sheet.png
    python examples/figures.py crops --net squeezenet1_1 --class goldfish large.png
    python examples/figures.py strengths --class tabby photo.jpg sheet.png

Every figure is a mean over nine views of the finished picture: as it is, shrunk and grown
by a fifth, each in the middle and shifted both ways.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click
import torch
from metrics import ssim
from PIL import Image
from torch import Tensor

from lucid.core.transforms import Affine, Shrink
from lucid.drawing.loop import draw
from lucid.errors import LucidError
from lucid.imaging.contact_sheet import contact_sheet
from lucid.imaging.io import from_pil, read_image, write_image
from lucid.nets.net import Net
from lucid.nets.registry import load

VIEWS = [
    Affine(0, scale, shift)
    for scale in (1, 0.8, 1.2)
    for shift in ((0, 0), (0.07, 0.07), (-0.07, -0.05))
]

CLASSES = {
    "squeezenet1_1": (
        *("1", "9", "22", "88", "107", "130", "145", "207", "291", "309", "323", "340"),
        *("387", "417", "555", "759", "817", "920", "954", "963"),
    )
}
MIXES = {
    "squeezenet1_1": ["1+107", "9+115", "22+388", "130+323", "291+817", "88+954"],
    "lucid64": [
        *("goldfish+monarch", "king penguin+school bus", "jellyfish+mushroom"),
        *("lion+pizza", "ladybug+brain coral", "tarantula+lemon"),
    ],
}


def answers(net: Net, picture: Image.Image) -> Tensor:
    """What the net says of each of nine views, (9, classes)."""
    image = from_pil(picture)[None]
    with torch.no_grad():
        views = torch.cat([view(image) for view in VIEWS])
        return net.probabilities(Shrink(net.input_size)(views))


@click.group(help=(__doc__ or "").split("\n\n")[0])
def main() -> None: ...


NET = click.option("--net", "name", default="lucid64", show_default=True)
SEED = click.option("--seed", default=0, show_default=True)
SHEET = click.argument("sheet", type=click.Path(path_type=Path))


@main.command()
@NET
@SEED
@SHEET
def classes(name: str, seed: int, sheet: Path) -> None:
    """Draw classes; how often does the net name each first?"""
    net = load(name)
    pictures = []
    click.echo("| class | first of nine views | mean probability |\n| --- | --- | --- |")
    for wanted in CLASSES.get(Path(name).stem, net.classes):
        number = net.class_index(wanted)
        pictures.append(draw(net, [wanted], size=(224, 224), seed=seed))
        said = answers(net, pictures[-1])
        first = int((said.argmax(1) == number).sum())
        click.echo(f"| {net.classes[number]} | {first} | {said[:, number].mean():.2f} |")
    write_image(contact_sheet(pictures, columns=10), sheet)


@main.command()
@NET
@SEED
@click.option("--other", "other_name", help="A net that did not draw, to ask too.")
@SHEET
def mixes(name: str, seed: int, other_name: str | None, sheet: Path) -> None:
    """Draw pairs; does the net see both?"""
    net = load(name)
    other = load(other_name) if other_name else None
    pictures = []
    click.echo(
        "| pair | the net itself | its two first | the other net |\n| --- | --- | --- | --- |"
    )
    for pair in MIXES[Path(name).stem]:
        wanted = pair.split("+")
        numbers = [net.class_index(each) for each in wanted]
        pictures.append(draw(net, wanted, size=(224, 224), seed=seed))
        mean = answers(net, pictures[-1]).mean(0)
        both = set(mean.topk(2).indices.tolist()) == set(numbers)
        own = " / ".join(f"{mean[number]:.2f}" for number in numbers)
        known = [net.classes[number] for number in numbers]
        others = ""
        if other and set(known) <= set(other.classes):
            seen = answers(other, pictures[-1]).mean(0)
            others = " / ".join(f"{seen[other.class_index(each)]:.2f}" for each in known)
        click.echo(f"| {' + '.join(known)} | {own} | {'both' if both else 'not both'} | {others} |")
    write_image(contact_sheet(pictures, columns=6), sheet)


@main.command()
@NET
@SEED
@click.option("--class", "wanted", default="goldfish", show_default=True)
@click.option("--side", default=1024, show_default=True)
@SHEET
def crops(name: str, seed: int, wanted: str, side: int, sheet: Path) -> None:
    """Draw large; is the class among the first five of crops of 224 pixels?"""
    net = load(name)
    number = net.class_index(wanted)
    picture = draw(net, [wanted], size=(side, side), seed=seed)
    write_image(picture, sheet)
    image = from_pil(picture)
    places = range(0, side - 223, 100)
    cut = torch.stack([image[:, y : y + 224, x : x + 224] for y in places for x in places])
    with torch.no_grad():
        said = torch.cat([net.probabilities(Shrink(net.input_size)(part)) for part in cut.split(8)])
    five = int((said.topk(5).indices == number).any(1).sum())
    click.echo(f"{five} of {len(cut)} crops have {net.classes[number]} among their first five")


@main.command()
@NET
@SEED
@click.option("--class", "wanted", default="tabby", show_default=True)
@click.argument("photo", type=click.Path(path_type=Path))
@SHEET
def strengths(name: str, seed: int, wanted: str, photo: Path, sheet: Path) -> None:
    """Draw on a photograph with growing strength; how much of it is left?"""
    net = load(name)
    base = read_image(photo)
    pictures = []
    for strength in (0.1, 0.3, 1.0, 3.0):
        pictures.append(draw(net, [wanted], base, strength=strength, seed=seed))
        left = ssim(from_pil(pictures[-1]), base)
        seen = answers(net, pictures[-1]).mean(0)[net.class_index(wanted)]
        click.echo(f"strength {strength}: SSIM {left:.3f}, the net sees {wanted} at {seen:.2f}")
    write_image(contact_sheet(pictures, columns=4), sheet)


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
