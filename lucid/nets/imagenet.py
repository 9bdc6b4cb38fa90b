"""Groups of ImageNet's classes, such as "dogs", that one name selects. Imports no torch."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from lucid.nets.class_names import normalize_name, same_name
from lucid.resources import bundled


def _ranges(text: str) -> tuple[range, ...]:
    """Read numbers and ranges of numbers: ``3 8-11``."""
    parts = [part.partition("-") for part in text.split()]
    return tuple(range(int(first), int(last or first) + 1) for first, _, last in parts)


GROUPS: dict[str, tuple[range, ...]] = {
    "sharks": (range(2, 5),),
    "fish": (range(7), range(389, 398)),
    "birds": (range(7, 25), range(80, 101), range(127, 147)),
    "amphibians": (range(25, 33),),
    "turtles": (range(33, 38),),
    "lizards": (range(38, 49),),
    "snakes": (range(52, 69),),
    "spiders": (range(72, 78),),
    "sea creatures": (range(107, 112), range(115, 118), range(327, 330)),
    "crabs": (range(118, 122), range(125, 126)),
    "whales": (range(147, 149),),
    "dogs": (range(151, 269),),
    "cats": (range(281, 294),),
    "bears": (range(294, 298),),
    "beetles": (range(300, 308),),
    "insects": (range(300, 327),),
    "butterflies": (range(321, 327),),
    "monkeys": (range(370, 383),),
    "apes": (range(365, 370),),
    "vegetables": (range(936, 947),),
    "fruit": (range(948, 958),),
    "mushrooms": (range(991, 998), range(947, 948)),
    "landscapes": (range(970, 981),),
    # As WordNet has these kinds (imagenet_words.txt), but for what nobody would take for one.
    "reptiles": (range(33, 69),),
    "arachnids": (range(70, 79),),
    "mammals": (range(101, 107), range(147, 300), range(330, 389)),
    "rodents": (range(333, 339),),
    "primates": (range(365, 385),),
    "flowers": (range(985, 987),),
    "plants": (range(984, 991),),
    "food": (range(924, 958), range(959, 968), range(969, 970)),
    "vehicles": _ranges(
        "403-405 407-408 417 428 436 444 450 468 472 484 510-511 537 547 554-555 561 565 "
        "569 573 575-576 603 609 612 625 627-628 656-657 660-661 665 670-671 675 690 705 "
        "717 724 734 751 757 780 791 802-803 812 814 817 820 829 833 864 866-867 870-871 "
        "880 895 913-914"
    ),
    "instruments": _ranges(
        "401-402 420 432 458 486 494 513 541 546 558 566 577 579 593-594 641-642 683-684 "
        "687 699 776 822 875 881 889"
    ),
    "buildings": _ranges(
        "425 437 442 449 483 497-498 500 538 580 624 634 663 668 682 698 727 743 762 832 873 915"
    ),
    "objects": (range(398, 923),),
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
    numbers: list[int] = []
    for part in GROUPS.get(find_group(name), ()):
        numbers += part
    if not numbers:
        return []
    imagenet = thousand_names()
    if list(classes) == imagenet:
        return numbers
    own = {normalize_name(name): number for number, name in enumerate(classes)}
    members = [normalize_name(imagenet[number]) for number in numbers]
    return sorted(own[member] for member in members if member in own)
