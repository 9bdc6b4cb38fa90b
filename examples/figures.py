"""Draw the pictures behind docs/drawing.md, and measure what the nets recognise in them.

    python examples/figures.py classes --net squeezenet1_1 sheet.png
    python examples/figures.py mixes --net lucid64 --other squeezenet1_1 sheet.png
    python examples/figures.py crops --net squeezenet1_1 --class goldfish large.png
    python examples/figures.py strengths --class tabby photo.jpg sheet.png

Every probability is a mean over nine views of the finished picture: in its own size, shrunk by a
fifth and enlarged by a fifth, each of them in the centre and shifted in two directions.
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
from lucid.drawing.config import TILE
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


def classify_views(net: Net, picture: Image.Image) -> Tensor:
    """Classify nine views of a picture; returns probabilities, (9, classes)."""
    image = from_pil(picture)[None]
    with torch.no_grad():
        views = torch.cat([view(image) for view in VIEWS])
        return net.probabilities(Shrink(net.input_size)(views))


@click.group(help=(__doc__ or "").split("\n\n")[0])
def main() -> None: ...


NET = click.option("--net", "net_name", default="lucid64", show_default=True)
SEED = click.option("--seed", default=0, show_default=True)
SHEET = click.argument("sheet", type=click.Path(path_type=Path))


@main.command()
@NET
@SEED
@SHEET
def classes(net_name: str, seed: int, sheet: Path) -> None:
    """Draw single classes; count the views in which the net recognises the class."""
    net = load(net_name)
    pictures = []
    click.echo("| class | first of nine views | mean probability |\n| --- | --- | --- |")
    for name in CLASSES.get(Path(net_name).stem, net.classes):
        index = net.class_index(name)
        pictures.append(draw(net, name, size=(224, 224), seed=seed))
        probabilities = classify_views(net, pictures[-1])
        first = int((probabilities.argmax(1) == index).sum())
        click.echo(f"| {net.classes[index]} | {first} | {probabilities[:, index].mean():.2f} |")
    write_image(contact_sheet(pictures, columns=10), sheet)


@main.command()
@NET
@SEED
@click.option("--other", "other_name", help="A net that did not draw, to classify too.")
@SHEET
def mixes(net_name: str, seed: int, other_name: str | None, sheet: Path) -> None:
    """Draw pairs of classes; check whether the net recognises both."""
    net = load(net_name)
    other = load(other_name) if other_name else None
    pictures = []
    click.echo(
        "| pair | the net itself | its two first | the other net |\n| --- | --- | --- | --- |"
    )
    for pair in MIXES[Path(net_name).stem]:
        names = pair.split("+")
        indices = [net.class_index(each) for each in names]
        pictures.append(draw(net, names, size=(224, 224), seed=seed))
        mean = classify_views(net, pictures[-1]).mean(0)
        both = set(mean.topk(2).indices.tolist()) == set(indices)
        own = " / ".join(f"{mean[index]:.2f}" for index in indices)
        full_names = [net.classes[index] for index in indices]
        others = ""
        if other and set(full_names) <= set(other.classes):
            mean = classify_views(other, pictures[-1]).mean(0)
            others = " / ".join(f"{mean[other.class_index(name)]:.2f}" for name in full_names)
        verdict = "both" if both else "not both"
        click.echo(f"| {' + '.join(full_names)} | {own} | {verdict} | {others} |")
    write_image(contact_sheet(pictures, columns=6), sheet)


@main.command()
@NET
@SEED
@click.option("--class", "class_name", default="goldfish", show_default=True)
@click.option("--side", default=1024, show_default=True)
@SHEET
def crops(net_name: str, seed: int, class_name: str, side: int, sheet: Path) -> None:
    """Draw a large picture; count the crops of 224 pixels with the class among the top five."""
    net = load(net_name)
    index = net.class_index(class_name)
    picture = draw(net, class_name, size=(side, side), subject=f"{TILE}px", seed=seed)
    write_image(picture, sheet)
    image = from_pil(picture)
    offsets = range(0, side - 223, 100)
    cut = torch.stack([image[:, y : y + 224, x : x + 224] for y in offsets for x in offsets])
    shrink = Shrink(net.input_size)
    with torch.no_grad():
        probabilities = torch.cat([net.probabilities(shrink(part)) for part in cut.split(8)])
    count = int((probabilities.topk(5).indices == index).any(1).sum())
    click.echo(f"{count} of {len(cut)} crops have {net.classes[index]} among their first five")


@main.command()
@NET
@SEED
@click.option("--class", "class_name", default="tabby", show_default=True)
@click.argument("photo", type=click.Path(path_type=Path))
@SHEET
def strengths(net_name: str, seed: int, class_name: str, photo: Path, sheet: Path) -> None:
    """Draw on a photograph with growing strength; measure the similarity to the photograph."""
    net = load(net_name)
    base = read_image(photo)
    pictures = []
    for strength in (0.1, 0.3, 1.0, 3.0):
        pictures.append(draw(net, class_name, base, strength=strength, seed=seed))
        similarity = ssim(from_pil(pictures[-1]), base)
        probability = classify_views(net, pictures[-1]).mean(0)[net.class_index(class_name)]
        click.echo(
            f"strength {strength}: SSIM {similarity:.3f}, "
            f"the net sees {class_name} at {probability:.2f}"
        )
    write_image(contact_sheet(pictures, columns=4), sheet)


if __name__ == "__main__":
    try:
        main()
    except LucidError as error:
        sys.exit(f"Error: {error}")
