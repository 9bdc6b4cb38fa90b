"""What comes in the box and where more is kept: known without torch, for what must answer at
once."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).parent


def bundled() -> dict[str, Path]:
    """The cfg files that come with lucid, by name."""
    # In a wheel cfg/ lies inside the package, in a checkout beside it.
    folder = HERE / "cfg" if (HERE / "cfg").is_dir() else HERE.parent / "cfg"
    return {path.stem: path for path in sorted(folder.glob("*.cfg"))}


def presets() -> dict[str, Path]:
    """The manners that come as files with lucid, by name."""
    return {path.stem: path for path in sorted((HERE / "presets").glob("*.toml"))}


def cache_folder() -> Path:
    """Where fetched Darknet weights are kept: ``$LUCID_CACHE``, else the user's cache."""
    if "LUCID_CACHE" in os.environ:
        return Path(os.environ["LUCID_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "lucid"


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
"""The numbers of each group's classes among ImageNet's thousand."""
