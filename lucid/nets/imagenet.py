"""Groups of ImageNet's classes, such as "dogs", that one name selects. Imports no torch."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from lucid.nets.class_names import normalize_name, same_name
from lucid.resources import bundled


def read_range(text: str) -> range:
    """Read a number, or a range of numbers with its end: ``3`` or ``8-11``."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _numbers(text: str) -> list[int]:
    """Read numbers and ranges of numbers: ``3 8-11``."""
    return [number for part in text.split() for number in read_range(part)]


GROUPS: dict[str, list[int]] = {
    "sharks": _numbers("2-4"),
    "fish": _numbers("0-6 389-397"),
    "birds": _numbers("7-24 80-100 127-146"),
    "amphibians": _numbers("25-32"),
    "turtles": _numbers("33-37"),
    "lizards": _numbers("38-48"),
    "snakes": _numbers("52-68"),
    "spiders": _numbers("72-77"),
    "sea creatures": _numbers("107-111 115-117 327-329"),
    "crabs": _numbers("118-121 125"),
    "whales": _numbers("147-148"),
    "dogs": _numbers("151-268"),
    "cats": _numbers("281-293"),
    "bears": _numbers("294-297"),
    "beetles": _numbers("300-307"),
    "insects": _numbers("300-326"),
    "butterflies": _numbers("321-326"),
    "monkeys": _numbers("370-382"),
    "apes": _numbers("365-369"),
    "vegetables": _numbers("936-946"),
    "fruit": _numbers("948-957"),
    "mushrooms": _numbers("991-997 947"),
    "landscapes": _numbers("970-980"),
    "mammals": _numbers("101-106 147-299 330-388"),
    "flowers": _numbers("985-986"),
    "plants": _numbers("984-990"),
    "food": _numbers("924-957 959-967 969"),
    "buildings": _numbers(
        "425 437 442 449 483 497-498 500 538 580 624 634 663 668 682 698 727 743 762 832 873 915"
    ),
    "objects": _numbers("398-922"),
    # As WordNet has these kinds (imagenet_words.txt):
    "reptiles": _numbers("33-68"),
    "arachnids": _numbers("70-78"),
    "rodents": _numbers("333-338"),
    "primates": _numbers("365-384"),
    "vehicles": _numbers(
        "403-405 407-408 417 428 436 444 450 468 472 484 510-511 537 547 554-555 561 565 569 "
        "573 575-576 603 609 612 625 627-628 656-657 660-661 665 670-671 675 690 705 717 724 "
        "734 751 757 780 791 802-803 812 814 817 820 829 833 864 866-867 870-871 880 895 "
        "913-914"
    ),
    "instruments": _numbers(
        "401-402 420 432 458 486 494 513 541 546 558 566 577 579 593-594 641-642 683-684 687 "
        "699 776 822 875 881 889"
    ),
}
"""The numbers of each group's classes among ImageNet's thousand (ILSVRC 2012)."""


@functools.cache
def thousand_names() -> list[str]:
    """The names of ImageNet's thousand classes, in the order of their numbers."""
    file = bundled()["lucid1000"].with_suffix(".names")  # torchvision's: importing that takes long
    return file.read_text(encoding="utf-8").splitlines()


def find_group(name: str) -> str:
    """Find the group of a name, in any spelling, singular or plural; empty if there is none."""
    words = normalize_name(name).split()
    return next((group for group in GROUPS if same_name(group.split(), words)), "")


def own_groups(classes: Sequence[str]) -> list[str]:
    """The groups of which a net has a class."""
    return [group for group in GROUPS if group_members(group, classes)]


def group_members(name: str, classes: Sequence[str]) -> list[int]:
    """The numbers of a net's classes that belong to a group; empty if there are none.

    Classes other than ImageNet's thousand are looked up by name.
    """
    numbers = GROUPS.get(find_group(name), [])
    if not numbers:
        return []
    imagenet = thousand_names()
    if list(classes) == imagenet:
        return [*numbers]
    own = {normalize_name(name): number for number, name in enumerate(classes)}
    members = [normalize_name(imagenet[number]) for number in numbers]
    return sorted(own[member] for member in members if member in own)
