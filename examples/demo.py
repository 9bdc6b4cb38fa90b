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

OUTPUT = Path("goldfish.png")


def net_on_hand() -> tuple[nets.Net, str]:
    """A net, and where it is from."""
    assets = os.environ.get("LUCID_ASSETS")
    if assets and (Path(assets) / "models" / "squeezenet1_1.pth").exists():
        return nets.load("squeezenet1_1", Path(assets) / "models" / "squeezenet1_1.pth"), assets
    try:
        return nets.load("squeezenet1_1"), "torchvision"
    except LucidError as error:
        click.echo(error, err=True)
        return nets.untrained("squeezenet1_1"), "nowhere: untrained, so expect only texture"


def main() -> None:
    net, source = net_on_hand()
    click.echo(f"painting a goldfish with {net.name} (weights from {source})")
    # The bar hides itself where nobody watches.
    with click.progressbar(length=100, label="goldfish") as bar:

        def watch(progress: Progress) -> None:
            bar.update(100 * progress.done // progress.total - bar.pos)

        picture = draw(net, ["goldfish"], size=(384, 512), seed=4, watch=watch)
    picture.save(OUTPUT)
    click.echo(f"done: open {OUTPUT.resolve()}")


if __name__ == "__main__":
    main()
