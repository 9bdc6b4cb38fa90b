"""Draw two pictures with lucid64, the default net: a goldfish, and a hybrid of two classes."""

from __future__ import annotations

import click

from lucid.cli import main as lucid

PICTURES = {
    "goldfish.png": ["--class", "goldfish", "--seed", "1"],
    "hybrid.png": ["--class", "lion", "--class", "monarch", "--seed", "3"],
}


def main() -> None:
    for name, options in PICTURES.items():
        arguments = ["draw", *options, "--size", "512x384", "-o", name]
        click.echo(f"lucid {' '.join(arguments)}")
        lucid.main([*arguments, "--force"], standalone_mode=False)


if __name__ == "__main__":
    main()
