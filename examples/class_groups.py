"""Compare the groups that lucid knows (birds, vehicles, …) with WordNet's kinds of the same name.

    python examples/class_groups.py

Most groups of `lucid/nets/imagenet.py` are the classes below a node of WordNet's tree, which
`examples/class_words.py` cuts out of WordNet 3.0, checked by hand. This prints for each what was
added by hand and what was left out: WordNet has another word for game birds, and calls a menu food.
(Nodes above more than 130 classes, such as mammal, are not in the table.)
"""

from __future__ import annotations

import re
from collections import defaultdict

import click

from lucid.nets.class_names import WORDS
from lucid.nets.imagenet import GROUPS, thousand_names

NODES = {
    "sharks": "shark",
    "fish": "fish",
    "birds": "bird",
    "amphibians": "amphibian",
    "turtles": "turtle",
    "snakes": "snake",
    "spiders": "spider",
    "crabs": "crab",
    "whales": "whale",
    "dogs": "dog",
    "bears": "bear",
    "beetles": "beetle",
    "insects": "insect",
    "monkeys": "monkey",
    "apes": "ape",
    "mushrooms": "fungus",
    "reptiles": "reptile",
    "arachnids": "arachnid",
    "rodents": "rodent",
    "primates": "primate",
    "vehicles": "vehicle",
    "instruments": "musical instrument",
    "food": "food",
}
"""Groups, and the nodes that are named like them."""


def tree() -> dict[str, set[int]]:
    """The numbers of the classes below every node of WordNet's tree."""
    below: dict[str, set[int]] = defaultdict(set)
    path: list[tuple[int, list[str]]] = []
    for line in WORDS.read_text(encoding="utf-8").splitlines():
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        depth = len(line) - len(line.lstrip())
        while path and path[-1][0] >= depth:
            path.pop()
        number = re.match(r"\d+", text)
        names = re.sub(r"^\d+ ", "", text).partition(":")[0]
        own = [name.strip() for part in names.split("=") for name in part.split(",")]
        path.append((depth, own))
        if number:
            for _, nodes in path:
                for node in nodes:
                    below[node].add(int(number[0]))
    return below


def differences() -> dict[str, tuple[list[int], list[int]]]:
    """For each group with a node: what was added by hand, and what was left out."""
    below = tree()
    return {
        group: (sorted(set(GROUPS[group]) - below[node]), sorted(below[node] - set(GROUPS[group])))
        for group, node in NODES.items()
    }


@click.command(help=__doc__)
def main() -> None:
    """Print the differences."""
    names = thousand_names()
    for group, (added, left) in differences().items():
        said = [f"+ {names[number]}" for number in added] + [f"- {names[n]}" for n in left]
        print(f"{group} ({len(GROUPS[group])}): {', '.join(said) or 'as in WordNet'}")


if __name__ == "__main__":
    main()
