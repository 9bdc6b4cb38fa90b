"""The first pictures: a goldfish, and a hybrid, painted by the net in the box."""

from __future__ import annotations

import click

from lucid.cli import main as lucid

PICTURES = {
    "goldfish.png": ["--class", "goldfish", "--seed", "1"],
    "hybrid.png": ["--class", "lion", "--class", "monarch", "--seed", "3"],
}


def main() -> None:
    for name, words in PICTURES.items():
        click.echo(f"lucid draw {' '.join(words)} --size 512x384 -o {name}")
        lucid.main(
            ["draw", *words, "--size", "512x384", "-o", name, "--force"],
            standalone_mode=False,
        )


if __name__ == "__main__":
    main()
