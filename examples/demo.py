"""The first pictures: a goldfish, and a hybrid, painted by the net in the box."""

from pathlib import Path

import click

from lucid import nets
from lucid.draw import Progress, draw

PICTURES = {
    Path("goldfish.png"): ["goldfish"],
    Path("hybrid.png"): ["lion", "monarch"],
}


def main() -> None:
    net = nets.load("lucid64")
    for path, classes in PICTURES.items():
        # The bar hides itself where nobody watches.
        with click.progressbar(length=100, label=" + ".join(classes)) as bar:

            def watch(progress: Progress, bar=bar) -> None:
                bar.update(100 * progress.done // progress.total - bar.pos)

            draw(net, classes, size=(384, 512), seed=4, watch=watch).save(path)
        click.echo(f"painted {path.resolve()}")


if __name__ == "__main__":
    main()
