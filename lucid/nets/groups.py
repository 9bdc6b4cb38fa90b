"""Groups of ImageNet's classes that can be asked for by one name."""

from __future__ import annotations

from collections.abc import Sequence

from lucid.catalogue import GROUPS
from lucid.nets.net import plain
from lucid.nets.zoo import categories


def members(name: str, classes: Sequence[str]) -> list[int]:
    """The numbers of a net's classes that belong to a group; none if there is no such group.

    Args:
        name: of the group.
        classes: the net's, found by their names where they are not ImageNet's thousand.
    """
    numbers = [number for some in GROUPS.get(plain(name), ()) for number in some]
    if not numbers:
        return []
    known = categories("squeezenet1_1")
    if list(classes) == known:
        return numbers
    own = {plain(name): number for number, name in enumerate(classes)}
    return sorted(own[plain(known[n])] for n in numbers if plain(known[n]) in own)
