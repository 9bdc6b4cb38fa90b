"""The first pictures: a goldfish, and a hybrid, painted by the net in the box."""

from pathlib import Path

import click

from lucid import nets
from lucid.drawing import Progress, draw

PICTURES = {
    Path("goldfish.png"): (["goldfish"], 1),
    Path("hybrid.png"): (["lion", "monarch"], 3),
}


def main() -> None:
    net = nets.load("lucid64")
    for path, (classes, seed) in PICTURES.items():
        # The bar hides itself where nobody watches.
        with click.progressbar(length=100, label=" + ".join(classes)) as bar:

            def watch(progress: Progress, bar=bar) -> None:
                bar.update(100 * progress.done // progress.total - bar.pos)

            draw(net, classes, size=(384, 512), seed=seed, watch=watch).save(path)
        click.echo(f"painted {path.resolve()}")


if __name__ == "__main__":
    main()
