"""The first picture: a goldfish, painted by whatever net is on hand.

Looks for SqueezeNet's weights in the folder that LUCID_ASSETS names, then in
torchvision's cache, then downloads them (4.7 MB). Where there is no network
either, an untrained net paints what it knows, which is nothing but texture.
"""

import os
from pathlib import Path

import click

from lucid import nets
from lucid.draw import Progress, draw
from lucid.errors import LucidError


def net_on_hand() -> tuple[nets.Net, Path]:
    """A net, and what to call its picture."""
    weights = Path(os.environ.get("LUCID_ASSETS", "")) / "models" / "squeezenet1_1.pth"
    try:
        net = nets.load("squeezenet1_1", weights if weights.exists() else None)
    except LucidError as error:
        click.echo(f"{error}\nSo an untrained net paints: expect texture, and no goldfish.")
        return nets.untrained("squeezenet1_1"), Path("untrained.png")
    click.echo(f"painting a goldfish with {net.name}")
    return net, Path("goldfish.png")


def main() -> None:
    net, output = net_on_hand()
    # The bar hides itself where nobody watches.
    with click.progressbar(length=100, label="goldfish") as bar:

        def watch(progress: Progress) -> None:
            bar.update(100 * progress.done // progress.total - bar.pos)

        picture = draw(net, ["goldfish"], size=(384, 512), seed=4, watch=watch)
    picture.save(output)
    click.echo(f"done: open {output.resolve()}")


if __name__ == "__main__":
    main()
