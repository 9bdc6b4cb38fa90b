"""What a user may have meant by a word in the wrong place."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from lucid.drawing.specs import ClassSpec
from lucid.nets.class_names import matching_classes, normalize_name
from lucid.nets.imagenet import find_group, thousand_names

OTHER_NAMES = {
    "--width": "--size WIDTHxHEIGHT, such as --size 640x480",
    "--height": "--size WIDTHxHEIGHT, such as --size 640x480",
    "--resolution": "--size WIDTHxHEIGHT, such as --size 640x480",
    "--prompt": "--class NAME",
    "--text": "--class NAME",
    "--category": "--class NAME",
    "--model": "--net NAME",
    "--network": "--net NAME",
    "--steps": "--iters NUMBER",
    "--iterations": "--iters NUMBER",
    "--epochs": "--iters NUMBER",
    "--lr": "--strength NUMBER",
    "--rate": "--strength NUMBER",
    "--scale": "--octave-scale NUMBER",
    "--out": "-o FILE",
    "--overwrite": "--force",
    "--gpu": "--device cuda",
    "--cpu": "--device cpu",
    "--cuda": "--device cuda",
    "--input": "the picture's file, without an option",
    "--image": "the picture's file, without an option",
    "--init": "the picture's file, without an option",
}
"""What other programs call an option, or an artist may, and what it is here."""


def check_bases(patterns: Iterable[Path], classes: Sequence[ClassSpec], known: list[str]) -> None:
    """Refuse words that are no files but parts of a class's name.

    Args:
        patterns: the words that stand where pictures should.
        classes: what was typed behind --class.
        known: the names of the net's classes.

    Raises:
        UsageError: there is such a word. The message says what may be meant.
    """
    words = [str(each) for each in patterns]
    missing = [word for word in words if not Path(word).exists() and not glob.has_magic(word)]
    if not missing or missing[0] == "-":
        return
    for each in classes:  # --class golden retriever, without quotes
        name = " ".join([each.name, *missing])
        if normalize_name(name) in map(normalize_name, [*known, *thousand_names()]):
            raise click.UsageError(f'{missing[0]}: did you mean --class "{name}"?')
    name = " ".join(missing)
    if find_group(name) or (name.replace(" ", "").isalpha() and matching_classes(name, known)):
        quoted = f'"{name}"' if " " in name else name
        raise click.UsageError(f"there is no picture {name}: did you mean --class {quoted}?")


def check_order(net: str, image: Path, usage: str) -> None:
    """Refuse a net and a picture in the wrong order.

    Raises:
        UsageError: what stands in the net's place is a picture; the message gives ``usage``.
    """
    if Path(net).is_file() and Path(net).suffix != ".cfg" and not image.exists():
        raise click.UsageError(f"{net} stands where the net should, {image} in its place: {usage}")
