"""Groups of ImageNet's classes, such as "dogs", that one name selects. Imports no torch."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from lucid.nets.class_names import normalize_name, same_name
from lucid.resources import bundled

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
    numbers = [number for part in GROUPS.get(find_group(name), ()) for number in part]
    if not numbers:
        return []
    imagenet = thousand_names()
    if list(classes) == imagenet:
        return numbers
    own = {normalize_name(name): number for number, name in enumerate(classes)}
    members = [normalize_name(imagenet[number]) for number in numbers]
    return sorted(own[member] for member in members if member in own)
